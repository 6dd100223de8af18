"""The picture inside black bars, from samples of a whole film."""

import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Box, Picture

#: A pixel of a bar is at most this bright, of 255.
BAR_LUMA = 24
#: A row or column is bar where at most this share of its pixels is brighter.
BAR_SPECKS = 0.02
#: Narrower bars are left alone, pixels.
MIN_BAR = 4
#: Bars that would take more than this share of height or width are no bars.
MAX_BAR_SHARE = 0.35

Line = NDArray[np.bool_]


class Bars:
    """Collects the union of the picture areas of samples, which are looked at one by one."""

    def __init__(self) -> None:
        self._rows: Line | None = None
        self._columns: Line | None = None

    def add(self, sample: Picture, *, full_range: bool = True) -> None:
        """Look at a sample; a wholly black one says nothing.

        Args:
            sample: uint8 gray H×W, all of one size.
            full_range: whether black is 0, rather than 16.
        """
        limit = BAR_LUMA if full_range else 16 + BAR_LUMA * 219 / 255
        # A quarter of each line tells as much.
        rows = (sample[:, ::4] > limit).mean(axis=1) > BAR_SPECKS
        columns = (sample[::4] > limit).mean(axis=0) > BAR_SPECKS
        self._rows = rows if self._rows is None else self._rows | rows
        self._columns = columns if self._columns is None else self._columns | columns

    def box(self) -> tuple[Box | None, str]:
        """The part that the bars leave, or None for the whole picture; and the reason."""
        if self._rows is None or self._columns is None or not self._rows.any():
            return None, "none: every sample is black"
        height, width = len(self._rows), len(self._columns)
        top, bottom = _span(self._rows)
        left, right = _span(self._columns)
        box = Box(top, left, bottom - top, right - left)
        if box.height == height and box.width == width:
            return None, "none found"
        if box.height < (1 - MAX_BAR_SHARE) * height or box.width < (1 - MAX_BAR_SHARE) * width:
            return None, f"dark borders would leave only {box.width}×{box.height}: kept"
        return box, f"bars removed: {width}×{height} → {box.width}×{box.height}"


def _span(picture: Line) -> tuple[int, int]:
    """First and behind-last index of the picture; thin borders count as picture."""
    where = np.flatnonzero(picture)
    first, behind = int(where[0]), int(where[-1]) + 1
    if first < MIN_BAR:
        first = 0
    if len(picture) - behind < MIN_BAR:
        behind = len(picture)
    return first, behind
