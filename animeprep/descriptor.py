"""What a picture shows, in a few hundred bytes that a pan, a zoom or a figure hardly changes.

A joint colour histogram: CIELAB counted in overlapping bins and compared by the Hellinger distance
(as RootSIFT compares). It knows nothing of places, so that steps of a pan and zooms, which are far
apart for a perceptual hash, stay near. Colours are first divided by the picture's brightness: in
CIELAB a gain of linear light multiplies L* + 16, a* and b* by its cube root, so exposure and fades
cancel.

Source: Arandjelović & Zisserman, "Three things everyone should know to improve object retrieval"
(CVPR 2012) for the square root; Swain & Ballard, "Color indexing" (IJCV 1991) for the histogram.
"""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.images import resize

Descriptor = NDArray[np.uint8]

#: Bins of lightness, of a* and of b*.
BINS = (5, 6, 6)
#: Length of a descriptor, bytes.
LENGTH = BINS[0] * BINS[1] * BINS[2]
#: What a probability of 1 is stored as; its square fits float32, so that products are exact.
UNIT = 255

_HEIGHT = 180
#: Fine cells in a bin: pixels are counted in these, which are then poured into the bins.
_CELLS = 8
#: What the log-average of L* + 16 is brought to.
_GRAY = 60.0
_LIGHT = (12.0, 114.0)
#: |a*| and |b*| beyond this are counted as this.
_CHROMA = 64.0

_LIGHTNESS = np.arange(256) * 100 / 255 + 16
_OPPONENT = np.arange(256) - 128.0


def describe(picture: Picture) -> Descriptor:
    """The descriptor of a picture.

    Pixels are counted, so everything but the gain is whole numbers: threads, libraries and
    processors give the same bytes.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        `LENGTH` bytes: square roots of probabilities, of `UNIT`.

    >>> one, other = np.full((9, 9, 3), (200, 40, 40), np.uint8), np.full((9, 9, 3), 90, np.uint8)
    >>> table = np.stack([describe(one), describe(other)])
    >>> distances(table[0], table).round(2).tolist()
    [0.0, 1.0]
    """
    height, width = picture.shape[:2]
    if height > _HEIGHT:
        picture = resize(picture, max(1, round(width * _HEIGHT / height)), _HEIGHT)
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness = np.bincount(lab[:, 0], minlength=256)
    gain = _GRAY / np.exp(lightness @ np.log(_LIGHTNESS) / len(lab))
    opponent = np.clip(_OPPONENT * gain / _CHROMA, -1, 1)
    # The root gives the many dull colours more bins than the few vivid ones.
    chroma = _cells((np.sign(opponent) * np.sqrt(np.abs(opponent)) + 1) / 2, BINS[1])
    light = _cells((_LIGHTNESS * gain - _LIGHT[0]) / (_LIGHT[1] - _LIGHT[0]), BINS[0])
    sizes = [_CELLS * bins for bins in BINS]
    place = np.ravel_multi_index((light[lab[:, 0]], chroma[lab[:, 1]], chroma[lab[:, 2]]), sizes)
    counts = np.bincount(place, minlength=int(np.prod(sizes))).reshape(sizes)
    poured = np.einsum("ijk,il,jm,kn->lmn", counts, *map(_pour, BINS), optimize=True).ravel()
    root = np.sqrt(poured / poured.sum())
    descriptor: Descriptor = np.rint(root * UNIT).astype(np.uint8)
    return descriptor


def _cells(shares: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """0..1 → the fine cell."""
    return np.clip(shares * bins * _CELLS, 0, bins * _CELLS - 1).astype(np.int64)


def _pour(bins: int) -> NDArray[np.float64]:
    """How much of each fine cell goes to each bin, cells×bins, in whole numbers.

    Linear between the middles of two bins; beyond the outermost middles all goes to that bin.

    >>> _pour(2)[:, 0].tolist()
    [16.0, 16.0, 16.0, 16.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    cells = np.arange(bins * _CELLS)[:, None] * 2 + 1
    middles = (np.arange(bins) * 2 + 1) * _CELLS
    inside = np.clip(cells, middles[0], middles[-1])
    shares: NDArray[np.float64] = np.maximum(0.0, 2 * _CELLS - np.abs(inside - middles))
    return shares


def distances(one: Descriptor, others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Hellinger distances from one descriptor to some others, N×`LENGTH` → N, 0..1."""
    return hellinger(squared(one[None], others)[0])


def hellinger(apart: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared distances of descriptors as stored → Hellinger distances, 0..1."""
    answer: NDArray[np.float64] = np.sqrt(apart / np.float64(2 * UNIT**2))
    return answer


def squared(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Squared distances of descriptors as stored, M×`LENGTH` and N×`LENGTH` → M×N.

    Whole numbers below 2^24: float32 holds them exactly, in whichever order they are added.

    >>> squared(np.array([[3, 0]], np.uint8), np.array([[3, 0], [0, 4]], np.uint8)).tolist()
    [[0.0, 25.0]]
    """
    left, right = ones.astype(np.float32), others.astype(np.float32)
    norms = (np.einsum("nd,nd->n", points, points) for points in (left, right))
    answer: NDArray[np.float32] = np.add.outer(*norms) - 2 * (left @ right.T)
    return answer


def to_text(descriptor: Descriptor) -> str:
    """As records hold it."""
    return base64.b64encode(descriptor.tobytes()).decode()


def from_text(text: str) -> Descriptor:
    """The descriptor that a record holds."""
    return np.frombuffer(base64.b64decode(text), np.uint8)
