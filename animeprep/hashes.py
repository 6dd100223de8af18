"""Perceptual hashes, and who is a copy of whom.

The 256-bit pHash: gray picture of 64×64, two-dimensional DCT, the 16×16 lowest frequencies
compared with their median. Bit for bit what the `imagehash` package answers for `hash_size=16`.
Source: Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010).
"""

from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from animeprep.boxes import Picture

Hash = NDArray[np.uint8]

SIDE = 16
BITS = SIDE * SIDE
_OVERSAMPLING = 4


def phash(picture: Picture) -> Hash:
    """The 256-bit perceptual hash of a picture.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        32 bytes, most significant bit first, in rows of growing vertical frequency.
    """
    side = SIDE * _OVERSAMPLING
    gray = Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.LANCZOS)
    spectrum = scipy.fft.dctn(np.asarray(gray, dtype=np.float64), type=2)[:SIDE, :SIDE]
    return np.packbits(spectrum > np.median(spectrum))


def distances(one: Hash, others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Hamming distances in bits from one hash to some others, N×32 → N.

    >>> distances(np.array([255], np.uint8), np.array([[255], [254], [0]], np.uint8)).tolist()
    [0, 1, 8]
    """
    differing: NDArray[np.int64] = np.bitwise_count(others ^ one).sum(axis=1, dtype=np.int64)
    return differing


def leaders(hashes: Sequence[Hash], threshold: int) -> list[tuple[int, int]]:
    """Leader clustering of hashes that come in order of preference.

    Each hash in turn joins the nearest leader within the threshold (the earliest of the nearest),
    or else becomes a leader. So every hash lies within the threshold of its leader, and leaders
    are pairwise farther apart; the outcome depends on the order alone.

    Args:
        hashes: most preferable first.
        threshold: bits within which two pictures are the same drawing.

    Returns:
        For each hash its leader's position (its own for a leader) and the distance in bits.

    >>> a, b, c = (np.array([v], np.uint8) for v in (0b0000, 0b0001, 0b1111))
    >>> leaders([a, b, c], 1)
    [(0, 0), (0, 1), (2, 0)]
    """
    answers: list[tuple[int, int]] = []
    leading: list[int] = []
    table = np.zeros((len(hashes), len(hashes[0]) if hashes else 0), np.uint8)
    for position, one in enumerate(hashes):
        if leading:
            apart = distances(one, table[: len(leading)])
            nearest = int(apart.argmin())
            if apart[nearest] <= threshold:
                answers.append((leading[nearest], int(apart[nearest])))
                continue
        table[len(leading)] = one
        leading.append(position)
        answers.append((position, 0))
    return answers
