"""The picture inside black bars, from samples of a whole film."""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from animeprep.images import Box, Picture, to_gray

#: A pixel of a bar is at most this bright, of 255.
BAR_LUMA = 24
#: A row or column is bar where at most this share of its pixels is brighter.
BAR_SPECKS = 0.02
#: Narrower bars are left alone, pixels.
MIN_BAR = 4
#: Bars that would take more than this share of height or width are no bars.
MAX_BAR_SHARE = 0.35


def letterbox(samples: Iterable[Picture]) -> tuple[Box | None, str]:
    """The part of the picture that bars leave: the union over samples of a whole film.

    Args:
        samples: at least one picture, uint8 RGB H×W×3; those of another size than the first and
            wholly black ones are passed over. They are looked at one by one, so that a generator
            need not hold them all.

    Returns:
        The part, or None for the whole picture; and the reason.
    """
    remaining = iter(samples)
    first = next(remaining)
    height, width = first.shape[:2]
    rows, columns = np.zeros(height, bool), np.zeros(width, bool)
    for sample in itertools.chain([first], remaining):
        if sample.shape[:2] == (height, width):
            bright = to_gray(sample) > BAR_LUMA
            rows |= bright.mean(axis=1) > BAR_SPECKS
            columns |= bright.mean(axis=0) > BAR_SPECKS
    if not rows.any() or not columns.any():
        return None, "none: every sample is black"
    top, bottom = _span(rows)
    left, right = _span(columns)
    box = Box(top, left, bottom - top, right - left)
    if box.height == height and box.width == width:
        return None, "none found"
    if box.height < (1 - MAX_BAR_SHARE) * height or box.width < (1 - MAX_BAR_SHARE) * width:
        return None, f"dark borders would leave only {box.width}×{box.height}: kept"
    return box, f"bars removed: {width}×{height} → {box.width}×{box.height}"


def _span(picture: NDArray[np.bool_]) -> tuple[int, int]:
    """First and behind-last index of the picture; thin borders count as picture."""
    where = np.flatnonzero(picture)
    first, behind = int(where[0]), int(where[-1]) + 1
    if first < MIN_BAR:
        first = 0
    if len(picture) - behind < MIN_BAR:
        behind = len(picture)
    return first, behind
