"""Which pictures of a film are painted, in which parts, and which tell the norms of a shot.

A part is encoded into a file of its own, so that a killed run goes on where it was.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from animeprep.errors import FilmError
from animeprep.film import Film, Selection
from animeprep.film.sampling import indexes

#: Pictures of a part at most: each begins with a key picture, and what is lost by a kill is one.
PART = 96
#: Pictures for each one that its shot's norms are taken from, and the most of these.
_PICTURES, _MOST = 24, 8


@dataclass(frozen=True)
class Part:
    """Pictures `first` up to, but not with, `end`, of a shot likewise."""

    first: int
    end: int
    shot: tuple[int, int]


def stretch(film: Film, start: float | None, end: float | None) -> tuple[int, int]:
    """Indexes of the first picture between two times and of the one after the last.

    Of films that are counted, about: their pictures are taken for evenly spaced.

    Raises:
        FilmError: there is none.
    """
    wanted = indexes(film, Selection(start=start, end=end))
    if not len(wanted):
        raise FilmError(film.path, "has no pictures there", "see --start and --end")
    return int(wanted[0]), int(wanted[-1]) + 1


def parts_of(begins: list[int], end: int) -> list[Part]:
    """Each shot in parts of like length.

    Args:
        begins: indexes of the first picture of each shot.
        end: index of the one after the last picture.

    >>> [(part.first, part.end) for part in parts_of([0, 40], 240)]
    [(0, 40), (40, 106), (106, 173), (173, 240)]
    """
    parts: list[Part] = []
    for shot in itertools.pairwise([*begins, end]):
        begin, length = shot[0], shot[1] - shot[0]
        count = -(-length // PART)
        edges = [begin + length * number // count for number in range(count + 1)]
        parts += [Part(*edge, shot) for edge in itertools.pairwise(edges)]
    return parts


def samples(shot: tuple[int, int]) -> list[int]:
    """Pictures of a shot to take its norms from, spread evenly.

    They cost a painting each, so they are few: one in 24, and no more than 8.

    >>> samples((0, 10)), samples((100, 148))
    ([5], [112, 136])
    """
    begin, end = shot
    count = min(_MOST, max(1, (end - begin) // _PICTURES))
    middles = begin + (np.arange(count) + 0.5) * (end - begin) / count
    return [int(middle) for middle in middles]
