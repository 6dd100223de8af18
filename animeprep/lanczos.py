"""Gray and small as Pillow makes it, bit for bit, in half of Pillow's time.

Perceptual hashes are compared across programs, and those start from Pillow's `convert("L")` and
Lanczos filter. Pillow weighs 8-bit values by integers with 22 binary places: sums that doubles hold
exactly, so that a matrix product gives the same. The weights are asked of Pillow itself.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animeprep.boxes import Picture

#: Pillow's fixed-point one.
_ONE = 1 << 22
#: Reach of the Lanczos filter, in pixels of the smaller picture.
_REACH = 3
#: Rows at a time, so that they stay in the processor's cache.
_BAND = 64
#: Neighbouring columns of the small picture share most of what they look at.
_BLOCK = 16
#: Products for which OpenBLAS starts no threads: those cost more here than they bring.
_ALONE = 1 << 18
#: Along longer sides, Pillow's own filter costs less than to learn its weights.
_LONGEST = 4096


class _Block(NamedTuple):
    """What some neighbouring columns of the small picture are made of."""

    made: slice
    """which columns these are"""
    seen: slice
    """which columns of the large picture they look at"""
    weights: NDArray[np.float64]
    """integers, seen × made"""


def lanczos_gray(picture: Picture, width: int, height: int) -> Picture:
    """What `Image.fromarray(picture).convert("L").resize((width, height), LANCZOS)` gives.

    Args:
        picture: uint8 RGB H×W×3.
        width: of the answer, pixels.
        height: likewise.

    Returns:
        uint8 height×width.

    >>> lanczos_gray(np.full((90, 160, 3), (255, 0, 0), np.uint8), 3, 2).tolist()
    [[76, 76, 76], [76, 76, 76]]
    """
    rows, columns = picture.shape[:2]
    wide = rows <= columns <= _LONGEST and rows * width <= columns * height
    if not (wide and width <= columns and height <= rows):
        # Pillow 11 filters along the rows first, Pillow 13 tall pictures the other way.
        gray = Image.fromarray(picture).convert("L")
        return np.asarray(gray.resize((width, height), Image.Resampling.LANCZOS))
    sums = np.empty((rows, width))
    for top in range(0, rows, _BAND):
        band = slice(top, top + _BAND)
        _weigh(_luma(picture[band]), sums[band])
    narrow = _rounded(sums)
    sums = np.empty((width, height))
    _weigh(narrow.T, sums)
    return _rounded(sums.T)


def _luma(picture: Picture) -> Picture:
    """Pillow's L; it takes four channels without copying them, three it does not."""
    four = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)
    size = picture.shape[1], picture.shape[0]
    return np.asarray(Image.frombuffer("RGBX", size, four, "raw", "RGBX", 0, 1).convert("L"))


def _weigh(rows: Picture, sums: NDArray[np.float64]) -> None:
    """Weighted sums along every row, N×n → N×length, into `sums`."""
    values = rows.astype(np.float64)
    for block in _weights(rows.shape[1], sums.shape[1]):
        step = max(1, _ALONE // block.weights.size)
        for top in range(0, len(rows), step):
            part = slice(top, top + step)
            np.matmul(values[part, block.seen], block.weights, out=sums[part, block.made])


def _rounded(sums: NDArray[np.float64]) -> Picture:
    return np.clip(np.floor((sums + _ONE // 2) / _ONE), 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def _weights(length: int, small: int) -> list[_Block]:
    """Pillow's integer weights for rows of one length.

    Each row of `impulses` has ones so far apart that no output pixel sees two of them.
    """
    scale = length / small
    reach = _REACH * max(scale, 1)
    apart = int(2 * reach) + 3
    positions = np.arange(length)
    impulses = np.zeros((apart, length), np.int32)
    impulses[positions % apart, positions] = _ONE
    answers = np.asarray(
        Image.fromarray(impulses).resize((small, apart), Image.Resampling.LANCZOS), np.float64
    )
    blocks = []
    for left in range(0, small, _BLOCK):
        made = np.arange(left, min(left + _BLOCK, small))
        first = np.floor((made + 0.5) * scale - reach - 1).astype(int)
        seen = np.arange(max(first[0], 0), min(first[-1] + apart, length))
        inside = (seen[:, None] >= first) & (seen[:, None] < first + apart)
        weights = np.where(inside, answers[seen % apart][:, made], 0.0)
        blocks.append(_Block(slice(left, made[-1] + 1), slice(seen[0], seen[-1] + 1), weights))
    return blocks
