"""Held-out faces of which training sees no copy.

Copies are found by perceptual hashes, mirrored ones too, since training may mirror faces. Faces
that are copies of one another, or of what are copies of others in turn, are a group, and a group
lies on one side as a whole. Which groups are held out follows the idea of Sechidis, Tsoumakas,
Vlahavas, "On the stratification of multi-label data" (ECML PKDD 2011): each colour has its own
quota.
"""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from animegan.faces.collection import Faces
from animegan.faces.words import EYES, HAIR
from animeprep.files import sha256
from animeprep.hamming import Near, as_words, near
from animeprep.hashes import THRESHOLDS, HashKind, hash_pictures

_KIND: HashKind = "phash-256"
_THRESHOLD = THRESHOLDS[_KIND]["normal"]
#: Pairs that are kept until groups are joined; where all is alike there are millions.
_WAITING = 2**20

Places = NDArray[np.int64]


def near_duplicates(pictures: NDArray[np.uint8]) -> Places:
    """Groups of faces that are copies of one another, mirrored or not.

    Args:
        pictures: uint8 RGB N×64×64×3.

    Returns:
        N numbers, equal for faces of one group.
    """
    if not len(pictures):
        return np.zeros(0, np.int64)
    hashes, mirrored = (
        as_words(hash_pictures(list(some), _KIND, "fast"))
        for some in (pictures, np.ascontiguousarray(pictures[:, :, ::-1]))
    )
    bits = 64 * hashes.shape[1]
    groups = np.arange(len(pictures))
    waiting: list[Near] = []
    for found in chain(*(near(hashes, some, bits, _THRESHOLD) for some in (hashes, mirrored))):
        waiting.append(found)
        if sum(len(pairs.one) for pairs in waiting) > _WAITING:
            groups, waiting = _joined(groups, waiting), []
    return _joined(groups, waiting)


def _joined(groups: Places, pairs: list[Near]) -> Places:
    """Groups that have a pair in common become one."""
    one, other = (
        np.concatenate([groups[:0], *(groups[getattr(some, side)] for some in pairs)])
        for side in ("one", "other")
    )
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(groups),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)[groups]


def split(faces: Faces, groups: Places, share: float, seed: int) -> tuple[Places, Places]:
    """Places of the faces to learn from and of those held out, each in order.

    A colour keeps at least one group to learn from, so one that has a single group is never held
    out; any other is, unless all its groups are the only ones of other colours.

    Args:
        faces: in an order that does not depend on chance.
        groups: of `near_duplicates`.
        share: of each colour's faces that is held out, at most; a group at least.
        seed: which groups.
    """
    chosen = _Chosen(_colours(faces), groups, share)
    if share:
        order = _shuffled(faces, groups, seed)
        for group in order:
            chosen.take_if_room(group)
        for group in order:
            chosen.take_if_missing(group)
    held_out = np.isin(groups, sorted(chosen.held_out))
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


class _Chosen:
    """The groups that are held out so far."""

    def __init__(self, colours: NDArray[np.int64], groups: Places, share: float) -> None:
        #: Faces of each colour in each group, G×C.
        self.faces = np.zeros((int(groups.max(initial=-1)) + 1, colours.shape[1]), np.int64)
        np.add.at(self.faces, groups, colours)
        #: Groups of each colour that are left to learn from.
        self.left = (self.faces > 0).sum(axis=0)
        self.room = np.round(share * self.faces.sum(axis=0)).astype(np.int64)
        self.held_out: set[int] = set()
        self.present = np.zeros(colours.shape[1], bool)

    def take_if_room(self, group: int) -> None:
        """Hold a group out unless a colour's quota is full."""
        if (self.faces[group] <= self.room).all() and self._spared(group):
            self._take(group)

    def take_if_missing(self, group: int) -> None:
        """Hold a group out for a colour that no other stands for."""
        has = self.faces[group] > 0
        if (has & ~self.present).any() and self._spared(group):
            self._take(group)

    def _spared(self, group: int) -> bool:
        """Whether every colour of the group can be learned from others."""
        return bool((self.left[self.faces[group] > 0] > 1).all())

    def _take(self, group: int) -> None:
        self.held_out.add(group)
        self.room -= self.faces[group]
        self.left -= self.faces[group] > 0
        self.present |= self.faces[group] > 0


def _colours(faces: Faces) -> NDArray[np.int64]:
    """One-hot hair and eyes beside each other, what is unsaid too: N×(13 + 12)."""
    parts = [
        np.eye(len(colours) + 1, dtype=np.int64)[places]
        for places, colours in ((faces.hair, HAIR), (faces.eyes, EYES))
    ]
    return np.concatenate(parts, axis=1)


def _shuffled(faces: Faces, groups: Places, seed: int) -> list[int]:
    """The groups in an order that depends on the seed and the names in them alone."""
    first: dict[int, str] = {}
    for group, name in zip(groups.tolist(), faces.names, strict=True):
        first[group] = min(first.get(group, name), name)
    return sorted(first, key=lambda group: sha256(f"{seed} {first[group]}".encode()))


def repeated(groups: Places) -> Iterator[Places]:
    """The places of each group of several faces."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order]))
    return (part for part in np.split(order, starts + 1) if len(part) > 1)
