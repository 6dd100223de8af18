"""Flicker: what changes between neighbouring paintings of a film that did not change in the film.

All pictures are uint8 RGB H×W×3 of one size; levels are those of 8 bits.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.images import to_gray

#: Flow there and back that ends further off than this, pixels, was occluded.
_ASTRAY = 1.0
#: Blocks of this side, pixels, that change by no more than `_STILL` levels anywhere stand still.
_BLOCK, _STILL = 16, 2


def warping_error(film: tuple[Picture, Picture], painted: tuple[Picture, Picture]) -> float:
    """Root mean square difference of paintings along the film's motion, levels; nan where all hid.

    Flow by DIS (Kroeger et al., 2016), found in the film's own pictures; what is occluded or moves
    into the picture does not count.

    Source: E_warp of Lai et al., "Learning blind video temporal consistency" (2018).

    >>> gray = np.full((64, 64, 3), 100, np.uint8)
    >>> warping_error((gray, gray), (gray, gray + np.uint8(3)))
    3.0
    """
    one, other = (to_gray(picture) for picture in film)
    there, back = _flow(one, other), _flow(other, one)
    returned = there + _at(back, there)
    height, width = one.shape
    rows, columns = np.mgrid[:height, :width]
    inside = (
        (columns + there[..., 0] >= 0)
        & (columns + there[..., 0] <= width - 1)
        & (rows + there[..., 1] >= 0)
        & (rows + there[..., 1] <= height - 1)
    )
    seen = inside & (np.square(returned).sum(-1) <= _ASTRAY**2)
    if not seen.any():
        return float("nan")
    before, after = (picture.astype(np.float32) for picture in painted)
    return float(np.sqrt(np.square(before - _at(after, there))[seen].mean()))


def static_change(film: tuple[Picture, Picture], painted: tuple[Picture, Picture]) -> float:
    """Mean change of paintings where the film stands still, levels; nan where nothing does.

    >>> black, gray = (np.full((64, 64, 3), level, np.uint8) for level in (0, 100))
    >>> static_change((black, black), (gray, gray + np.uint8(3)))
    3.0
    """
    moved = cv2.absdiff(*film).max(axis=2)
    height, width = (side // _BLOCK * _BLOCK for side in moved.shape)
    blocks = moved[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    still = (blocks.max((1, 3)) <= _STILL).repeat(_BLOCK, 0).repeat(_BLOCK, 1)
    if not still.any():
        return float("nan")
    return float(cv2.absdiff(*painted)[:height, :width][still].mean())


def _flow(one: Picture, other: Picture) -> NDArray[np.float32]:
    """Where each pixel of one is in the other: H×W×2 (x, y), pixels."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(search.calc(one, other, None), np.float32)  # type: ignore[call-overload]


def _at(values: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values where a flow leads."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(
        values, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(moved, np.float32)
