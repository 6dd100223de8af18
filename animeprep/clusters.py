"""Who is a copy of whom: leader clustering of hashes, exact, up to millions of them.

What a plain loop over the hashes answers, by halves: the first half is solved, its leaders gather
what is near them in the second half, the second half is solved.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from animeprep.hamming import Indices, Near, as_words, near

#: No leader yet; else distance · 2^40 + the leader's place: the least is the one to join.
_NONE = np.iinfo(np.int64).max
_DISTANCE = 40
#: So many hashes are compared each with each.
_FEW = 2048


def leaders(
    hashes: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    threshold: int,
    protected: Sequence[int] = (),
) -> list[tuple[int, int]]:
    """Leader clustering of hashes that come in order of preference.

    Each hash in turn joins the nearest leader within the threshold (the earliest of the nearest),
    or else becomes a leader. So every hash lies within the threshold of its leader, and leaders
    are pairwise farther apart; the outcome depends on the order alone.

    Args:
        hashes: most preferable first, N×bytes.
        threshold: bits within which two pictures are the same drawing.
        protected: places of hashes that are leaders even when alike.

    Returns:
        For each hash its leader's place (its own for a leader) and the distance in bits.

    >>> a, b, c = (np.array([v], np.uint8) for v in (0b0000, 0b0001, 0b1111))
    >>> leaders([a, b, c], 1)
    [(0, 0), (0, 1), (2, 0)]
    >>> leaders([a, b, c], 1, protected=[1])
    [(0, 0), (1, 0), (2, 0)]
    """
    if not len(hashes):
        return []
    joined = _Clustering(np.ascontiguousarray(hashes), threshold, protected).run()
    leads = joined == _NONE
    leader = np.where(leads, np.arange(len(joined)), joined & ((1 << _DISTANCE) - 1))
    apart = np.where(leads, 0, joined >> _DISTANCE)
    return list(zip(leader.tolist(), apart.tolist(), strict=True))


class _Clustering:
    """The hashes, and what each has joined so far."""

    def __init__(self, table: NDArray[np.uint8], threshold: int, protected: Sequence[int]) -> None:
        self.words = as_words(table)
        self.bits = 8 * table.shape[1]
        self.threshold = threshold
        self.protected = np.zeros(len(table), bool)
        self.protected[list(protected)] = True
        self.joined = np.full(len(table), _NONE)

    def run(self) -> Indices:
        """What each hash joins; `_NONE` for leaders."""
        places = np.arange(len(self.words))
        first = _first_alike(self.words)
        fresh = (first == places) | self.protected
        self.solve(places[fresh])
        leads = self.joined == _NONE
        # Of a leader's repeats nothing is nearer; of a member's, a leader that came since may be.
        repeats = ~fresh & leads[first]
        self.joined[repeats] = first[repeats]
        self.gather(places[fresh & leads], places[~fresh & ~leads[first]])
        return self.joined

    def solve(self, places: Indices) -> None:
        """Decide over hashes that have met all leaders before the first of them."""
        if len(places) <= _FEW:
            self.decide(places)
            return
        half = len(places) // 2
        self.solve(places[:half])
        self.gather(self.able(places[:half]), places[half:])
        self.solve(places[half:])

    def decide(self, places: Indices) -> None:
        """Decide one after the other, over few."""
        pairs = list(self.pairs(self.able(places), places))
        if not pairs:
            return
        one, other, apart = (np.concatenate(part) for part in zip(*pairs, strict=True))
        order = np.argsort(one, kind="stable")
        starts = np.flatnonzero(np.diff(one[order], prepend=-1))
        covered: set[int] = set()
        for run in np.split(order, starts[1:]):
            leader = int(one[run[0]])
            if leader not in covered:
                self.join(Near(one[run], other[run], apart[run]))
                covered.update(other[run].tolist())

    def gather(self, leading: Indices, places: Indices) -> None:
        """Let hashes join the leaders before them."""
        for found in self.pairs(leading, places):
            self.join(found)

    def able(self, places: Indices) -> Indices:
        """Those that have joined nothing."""
        free: Indices = places[self.joined[places] == _NONE]
        return free

    def pairs(self, leading: Indices, places: Indices) -> Iterator[Near]:
        """Places of near hashes, the first before the second."""
        for found in near(self.words[leading], self.words[places], self.bits, self.threshold):
            one, other = leading[found.one], places[found.other]
            fit = (one < other) & ~self.protected[other]
            if fit.any():
                yield Near(one[fit], other[fit], found.apart[fit])

    def join(self, found: Near) -> None:
        """Keep the nearest leader, the earliest of the nearest."""
        np.minimum.at(self.joined, found.other, (found.apart << _DISTANCE) + found.one)


def _first_alike(words: NDArray[np.uint64]) -> Indices:
    """For each hash the place of the first that equals it."""
    rows = words.view(np.dtype((np.void, words.shape[1] * words.itemsize))).ravel()
    _, first, group = np.unique(rows, return_index=True, return_inverse=True)
    return np.asarray(first[group], np.int64)
