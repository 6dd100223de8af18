"""Colours beside the photo's: how far off, how strong, how much contrast, what cast.

CIELAB of sRGB pictures under D65; ΔE is CIEDE2000.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from animegan.measures import interval
from animegan.measures.interval import Measures
from animeprep.boxes import Picture
from animeprep.images import scale_short_side

#: Short side at which colours are compared: they are seen on areas, not on pixels.
_SIDE = 96
#: Chroma and deviation of lightness below this are not seen.
_UNSEEN = 1.0


class Colours(NamedTuple):
    """A painting's colours beside its photo's.

    Attributes:
        difference: mean ΔE00 between them; 2 is just seen, 10 plainly.
        chroma, photo_chroma: mean chroma C* of each.
        contrast, photo_contrast: deviation of lightness L* of each.
        shift: how far the mean a* and b* moved.
    """

    difference: float
    chroma: float
    photo_chroma: float
    contrast: float
    photo_contrast: float
    shift: tuple[float, float]


def compare_colours(photo: Picture, painted: Picture) -> Colours:
    """Compare two pictures of one size, uint8 RGB H×W×3.

    >>> gray = np.full((8, 8, 3), 128, np.uint8)
    >>> compare_colours(gray, gray).difference
    0.0
    """
    one, other = to_lab(photo), to_lab(painted)
    shift = (other - one)[..., 1:].mean((0, 1))
    return Colours(
        float(deltaE_ciede2000(one, other).mean()),
        float(np.hypot(other[..., 1], other[..., 2]).mean()),
        float(np.hypot(one[..., 1], one[..., 2]).mean()),
        float(other[..., 0].std()),
        float(one[..., 0].std()),
        (float(shift[0]), float(shift[1])),
    )


def colour_measures(pairs: Sequence[tuple[Picture, Picture]]) -> Measures:
    """`colour`, `saturation`, `contrast` and `cast` over photos, each with its painting."""
    found = [compare_colours(*pair) for pair in pairs]
    shifts = np.array([one.shift for one in found])
    return {
        "colour": interval.mean([one.difference for one in found]),
        "saturation": interval.ratio(
            [one.chroma for one in found], [one.photo_chroma for one in found], _UNSEEN
        ),
        "contrast": interval.ratio(
            [one.contrast for one in found], [one.photo_contrast for one in found], _UNSEEN
        ),
        "cast": interval.bootstrap(
            len(found), lambda times: np.hypot(*(times @ shifts).T) / times.sum(1)
        ),
    }


def to_lab(picture: Picture) -> NDArray[np.float32]:
    """CIELAB at short side 96: L* 0..100, a* and b* about ±100."""
    small = scale_short_side(picture, _SIDE)
    return cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32)
