"""Which pictures show the same: those of one shot, and those that look alike.

What is one group must not be split between training and validation, and gives a choice of the most
different pictures no more than its quota.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from animeprep.descriptor import UNIT, hellinger, squared
from animeprep.records import Record

#: Hellinger distance up to which consecutive samples of a film are of one shot. In three films
#: the samples of drawn shots, every 12th picture, are up to 0.18 apart, and those on both sides of
#: a cut 0.21 or more.
NEAR = 0.19
#: Hellinger distance up to which any two pictures show the same. 19 of 20 pans by 10 % of the
#: width and zooms by 11 % stay below it; the nearest of 330 different stills are 0.25 apart, the
#: nearest pictures of two different shots in three films 0.16.
VERY_NEAR = 0.15

_BLOCK = 256


def groups_of(records: Sequence[Record], descriptors: NDArray[np.uint8]) -> list[int]:
    """Numbers the groups of pictures that show the same, from 0 in order of their first picture.

    Two pictures are of one group where they are of one shot; where their shots are unknown and
    they are consecutive samples of a film within `NEAR`; where they are any two within
    `VERY_NEAR`; and where others connect them so.

    The time grows with the square of the number of pictures, the memory with the number.

    Args:
        records: of each picture `film_id`, `index` and `shot` where they are known.
        descriptors: theirs, N×`descriptor.LENGTH`.

    >>> film = [{"film_id": "a", "index": index} for index in (0, 50, 100)]
    >>> picture = np.array([[255, 0], [240, 86], [0, 255]], np.uint8)
    >>> groups_of([*film, {}], np.concatenate([picture, picture[:1]]))
    [0, 1, 2, 0]
    """
    labels = np.arange(len(records))
    for links in itertools.chain([_same_shot(records, descriptors)], _lookalikes(descriptors)):
        labels = _joined(labels, links)
    return [int(label) for label in labels]


def _same_shot(records: Sequence[Record], descriptors: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Pairs of samples of one shot that follow each other, 2×M."""
    sampled = [n for n, record in enumerate(records) if "film_id" in record]
    sampled.sort(key=lambda n: (records[n]["film_id"], records[n].get("index", 0), n))
    pairs = [
        pair
        for pair in itertools.pairwise(sampled)
        if _are_one_shot([records[n] for n in pair], descriptors[list(pair)])
    ]
    return np.array(pairs, np.intp).reshape(-1, 2).T


def _are_one_shot(pair: Sequence[Record], descriptors: NDArray[np.uint8]) -> bool:
    one, other = pair
    if one["film_id"] != other["film_id"]:
        return False
    if "shot" in one and "shot" in other:
        return bool(one["shot"] == other["shot"])
    return bool(hellinger(squared(descriptors[:1], descriptors[1:]))[0, 0] <= NEAR)


def _lookalikes(descriptors: NDArray[np.uint8]) -> Iterator[NDArray[np.intp]]:
    """Pairs of any pictures within `VERY_NEAR`, 2×M at a time."""
    limit = 2 * (VERY_NEAR * UNIT) ** 2
    for start in range(0, len(descriptors), _BLOCK):
        apart = squared(descriptors[start : start + _BLOCK], descriptors[start:])
        yield np.array(np.nonzero(apart <= limit)) + start


def _joined(labels: NDArray[np.intp], links: NDArray[np.intp]) -> NDArray[np.intp]:
    """The groups after those that are linked became one, numbered by their first members."""
    count = len(labels)
    ends = np.concatenate([links, [np.arange(count), _first_of_same(labels)]], axis=1)
    graph = coo_array((np.ones(ends.shape[1], bool), tuple(ends)), shape=(count, count))
    joined: NDArray[np.intp] = connected_components(graph, directed=False)[1]
    return joined


def _first_of_same(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    return first[group]
