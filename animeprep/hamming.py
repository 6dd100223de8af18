"""Near pairs of bit strings, all of them, without comparing each with each.

Two strings within t bits, cut alike into m pieces, have a piece in which they differ in t / m bits
at most. So tables of pieces find all near pairs; what they find is compared whole.
Source: Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR
2012), with radii that differ by piece as in Qin et al., "GPH" (ICDE 2018).
"""

from collections.abc import Iterator
from itertools import combinations, pairwise
from math import comb
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Indices = NDArray[np.int64]

_WORD = 64
#: Pairs compared at a time: so many strings with so many others, as much as caches hold.
_TALL, _WIDE = 128, 1024
#: Looks into a table at a time, and pairs found so that are compared at a time.
_LOOKS, _FOUND = 1 << 17, 1 << 20
#: Strings that are shuffled at a time.
_ROWS = 1 << 16
#: Wider pieces have tables that fall out of the cache.
_WIDEST = 22
#: Nanoseconds, roughly: to compare two strings in order, to look into a table, to compare two
#: strings that were found there, to enter a string, to lay out a table's place.
_COMPARE, _LOOK, _VERIFY, _ENTER, _LAY = 2.5, 12.0, 25.0, 60.0, 5.0


class Near(NamedTuple):
    """Pairs of strings that are near each other; a pair can come more than once."""

    one: Indices
    """places among the first strings"""
    other: Indices
    """places among the second strings"""
    apart: Indices
    """bits in which they differ"""


class _Piece(NamedTuple):
    """Some neighbouring bits, and how many of them may differ."""

    start: int
    width: int
    radius: int

    def looks(self) -> int:
        """How many values are within the radius of a value."""
        return sum(comb(self.width, flipped) for flipped in range(self.radius + 1))

    def flips(self) -> Indices:
        """What turns a value into each of those, by exclusive or."""
        places = range(self.width)
        chosen = (bits for k in range(self.radius + 1) for bits in combinations(places, k))
        return np.array([sum(1 << bit for bit in bits) for bits in chosen], np.int64)

    def of(self, strings: Words) -> Indices:
        """The piece's value in each string."""
        word, offset = divmod(self.start, _WORD)
        value = strings[:, word] << np.uint64(offset) >> np.uint64(_WORD - self.width)
        beyond = offset + self.width - _WORD
        if beyond > 0:
            value |= strings[:, word + 1] >> np.uint64(_WORD - beyond)
        return value.astype(np.int64)


def as_words(table: NDArray[np.uint8]) -> Words:
    """Bit strings as 64-bit words, N×bytes → N×words, their bits shuffled alike.

    Neighbouring bits of a hash are alike for many pictures (bars above and below, say); pieces of
    shuffled bits differ more.

    >>> as_words(np.array([[255, 255], [0, 0]], np.uint8)).tolist()
    [[18446462598732840960], [0]]
    """
    order = np.random.default_rng(0).permutation(8 * table.shape[1])
    words = np.zeros((len(table), -(-table.shape[1] // 8) * 8), np.uint8)
    for top in range(0, len(table), _ROWS):
        rows = slice(top, top + _ROWS)
        words[rows, : table.shape[1]] = np.packbits(
            np.unpackbits(table[rows], axis=1)[:, order], axis=1
        )
    return words.view(">u8").astype(np.uint64)


def distances(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> Indices:
    """Hamming distances in bits from one string to some others, N×bytes → N.

    >>> distances(np.array([255], np.uint8), np.array([[255], [254], [0]], np.uint8)).tolist()
    [0, 1, 8]
    """
    # Words are counted several times as fast as bytes, and rows of few are summed slowly.
    unit = np.uint64 if len(one) and len(one) % 8 == 0 else np.uint8
    words, own = (cast("Words", np.ascontiguousarray(part).view(unit)) for part in (others, one))
    return sum(np.bitwise_count(words ^ own).T, np.zeros(len(others), np.int64))


def near(some: Words, others: Words, bits: int, threshold: int) -> Iterator[Near]:
    """All pairs of one string and one other that differ in few bits.

    Args:
        some: N×words, of `as_words`.
        others: M×words.
        bits: length of the strings.
        threshold: bits in which they may differ.

    Yields:
        Pairs, some at a time, so that memory stays bounded.
    """
    if not len(some) or not len(others):
        return
    pieces = _pieces(len(some), len(others), bits, threshold)
    tables = [_Table(piece, some) for piece in pieces]
    looking = sum(table.cost(others) for table in tables)
    if tables and looking < _COMPARE * len(some) * len(others):
        for table in tables:
            for one, other in table.found(others):
                yield from _verified(some, others, one, other, threshold)
    else:
        for one, other in _compared(some, others, threshold):
            yield from _verified(some, others, one, other, threshold)


def _pieces(some: int, others: int, bits: int, threshold: int) -> list[_Piece]:
    """How to cut strings so that looking is cheapest; none where comparing all is cheaper."""
    best: list[_Piece] = []
    least = _COMPARE * some * others
    fewest = -(-bits // _WIDEST)
    # Narrower pieces than these serve few strings, whose tables would be mostly empty.
    for number in range(fewest, min(bits, max(threshold + 1, 2 * fewest)) + 1):
        pieces = _cut(bits, number, threshold)
        cost = sum(
            _ENTER * some
            + _LAY * 2**one.width
            + others * one.looks() * (_LOOK + _VERIFY * some / 2**one.width)
            for one in pieces
        )
        if cost < least:
            best, least = pieces, cost
    return best


def _cut(bits: int, number: int, threshold: int) -> list[_Piece]:
    """Pieces of equal width and radii that sum up, with one for each piece, to threshold + 1.

    Where there are more pieces than that, some are left out: as many as are kept suffice, since a
    near pair cannot differ in all of them.
    """
    edges = [bits * place // number for place in range(number + 1)]
    radius, wider = divmod(threshold + 1, number)
    return [
        _Piece(start, stop - start, radius - (place >= wider))
        for place, (start, stop) in enumerate(pairwise(edges))
        if radius or place < wider
    ]


class _Table:
    """Strings by the value of one piece."""

    def __init__(self, piece: _Piece, strings: Words) -> None:
        values = piece.of(strings)
        self.piece = piece
        self.order = np.argsort(values, kind="stable")
        self.counts = np.bincount(values, minlength=1 << piece.width)
        self.starts = np.cumsum(self.counts) - self.counts

    def cost(self, others: Words) -> float:
        """Nanoseconds that `found` and comparing will take; skewed values take long."""
        met = int(self.counts[self.piece.of(others)].sum())
        return self.piece.looks() * (_LOOK * len(others) + _VERIFY * met)

    def found(self, others: Words) -> Iterator[tuple[Indices, Indices]]:
        """Pairs whose piece is within the radius: places among the strings, among the others."""
        flips = self.piece.flips()
        values = self.piece.of(others)
        step = max(1, _LOOKS // len(flips))
        for top in range(0, len(values), step):
            looks = (values[top : top + step, None] ^ flips).ravel()
            hits = np.flatnonzero(self.counts[looks])
            looks, rows = looks[hits], top + hits // len(flips)
            counts = self.counts[looks]
            ends = np.cumsum(counts)
            cuts = np.searchsorted(ends, np.arange(_FOUND, ends[-1] if len(ends) else 0, _FOUND))
            for part in np.split(np.arange(len(hits)), cuts):
                many = counts[part]
                behind = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
                one = self.order[np.repeat(self.starts[looks[part]], many) + behind]
                yield one, np.repeat(rows[part], many)


def _compared(some: Words, others: Words, threshold: int) -> Iterator[tuple[Indices, Indices]]:
    """Pairs whose first two words are near."""
    for top in range(0, len(others), _TALL):
        for left in range(0, len(some), _WIDE):
            rows, columns = others[top : top + _TALL, None], some[None, left : left + _WIDE]
            apart = np.bitwise_count(rows[..., 0] ^ columns[..., 0])
            if some.shape[1] > 1:
                apart += np.bitwise_count(rows[..., 1] ^ columns[..., 1])
            other, one = np.nonzero(apart <= threshold)
            yield one + left, other + top


def _verified(
    some: Words, others: Words, one: Indices, other: Indices, threshold: int
) -> Iterator[Near]:
    """Those pairs that are near indeed; the first word alone tells of most that are not."""
    likely = np.bitwise_count(some[one, 0] ^ others[other, 0]) <= threshold
    one, other = one[likely], other[likely]
    apart = np.bitwise_count(some[one] ^ others[other]).sum(axis=1, dtype=np.int64)
    fit = apart <= threshold
    if fit.any():
        yield Near(one[fit], other[fit], apart[fit])
