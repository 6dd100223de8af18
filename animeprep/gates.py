"""Pictures that teach no style: each gate a pure function with its unit, its bound and its name.

Source: the demands of AnimeGAN's author on a style set (no night pictures, no credits), and what
films contain besides drawings: black, fades, flat cards, lettering, blur. Blur is measured after
Crete, Dolmiere, Ladret, Nicolas, "The blur effect: perception and estimation with a new
no-reference perceptual blur metric" (2007), with energy in place of sums. What is measured does
not depend on the bounds, so they can be changed without looking at the pictures again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.images import resize, to_gray
from animeprep.lettering import HEIGHT, lettering
from animeprep.light import log_average
from animeprep.settings import Settings

#: Luma and luminance are measured on pictures of this height, lines and letters on `HEIGHT`, so
#: that they do not depend on the film's size.
_HEIGHT = 180
#: Subtitles stand below this share of the height; crops keep away from them.
_SUBTITLES = 0.7
#: The second blur, pixels: wide enough to tell blur from more blur.
_BLUR = 9


class GateSettings(Settings):
    """The bounds of the gates."""

    black: float = Field(default=40, ge=0, le=255)
    """leave a picture out as black when its 98th percentile of luma (0-255) is below this; 0 off"""
    white: float = Field(default=225, ge=0, le=255)
    """leave a picture out as white when its 2nd percentile of luma (0-255) is above; 255 off"""
    plain: float = Field(default=0.75, ge=0, le=1)
    """leave a picture out as plain (cards, fades) when this share of it has one luma; 1 off"""
    flat: float = Field(default=12, ge=0, le=128)
    """leave a picture out as flat when its luma's standard deviation (0-128) is below; 0 off"""
    entropy: float = Field(default=3, ge=0, le=8)
    """leave a picture out when the Shannon entropy of its luma (0-8 bits) is below this; 0 off"""
    blurred: float = Field(default=0.5, ge=0, le=1)
    """leave a picture out as blurred when its blur (0-1) is above this; 1 off"""
    text: float = Field(default=0.01, ge=0, le=1)
    """leave a picture out as text when lettering covers this share of it above where subtitles
    stand (credits, title cards); 1 off"""
    night: float = Field(default=0.02, ge=0, le=1)
    """leave a picture out as night when its log-average luminance (0-1) is below this; 0 off"""


@dataclass(frozen=True)
class Gate:
    """What a gate looks at.

    Attributes:
        measure: what is measured, with its unit.
        least: whether the bound is the least value that passes; else it is the greatest.
    """

    measure: str
    least: bool

    def passes(self, value: float, bound: float) -> bool:
        """Whether a picture of this value passes; at the bound it does."""
        return value >= bound if self.least else value <= bound


#: Gate → what it looks at, in the order in which they are asked; the bound is the settings' field
#: of the same name.
GATES: Mapping[str, Gate] = MappingProxyType(
    {
        "black": Gate("98th percentile of luma, 0-255", least=True),
        "white": Gate("2nd percentile of luma, 0-255", least=False),
        "plain": Gate("share of pixels near the commonest luma, 0-1", least=False),
        "flat": Gate("standard deviation of luma, 0-128", least=True),
        "entropy": Gate("Shannon entropy of luma, 0-8 bits", least=True),
        "text": Gate("share covered by lettering, subtitles apart, 0-1", least=False),
        "blurred": Gate(
            "share of the gradient's energy that another blur leaves, 0-1", least=False
        ),
        "night": Gate("log-average luminance, 0-1", least=True),
    }
)


def measure(picture: Picture) -> dict[str, float]:
    """What the gates look at.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        A value for each of `GATES`, in their units.

    >>> measure(np.full((90, 160, 3), 9, np.uint8))["plain"]
    1.0
    """
    while picture.shape[0] >= 2 * HEIGHT:  # by halves: several times as fast as in one go
        picture = _lower(picture, picture.shape[0] // 2)
    lines = _lower(to_gray(picture), HEIGHT)
    small = _lower(picture, _HEIGHT)
    luma = to_gray(small)
    darkest, brightest = np.percentile(luma, (2, 98))
    return {
        "black": float(brightest),
        "white": float(darkest),
        "plain": round(plainness(luma), 4),
        "flat": round(float(luma.std()), 3),
        "entropy": round(entropy(luma), 3),
        "text": round(text_share(lines), 4),
        "blurred": round(blur(lines), 4),
        "night": round(log_average(small), 6),
    }


def judge(measured: Mapping[str, float], settings: GateSettings) -> str | None:
    """The first gate that a picture does not pass, or None.

    >>> judge(measure(np.zeros((90, 160, 3), np.uint8)), GateSettings())
    'black'
    """
    return next(
        (
            name
            for name, gate in GATES.items()
            if not gate.passes(measured[name], getattr(settings, name))
        ),
        None,
    )


def plainness(luma: Picture) -> float:
    """Share of the pixels of H×W within 4 levels of the commonest, 0..1."""
    counts = np.bincount(luma.ravel(), minlength=256)
    modal = int(counts.argmax())
    return float(counts[max(0, modal - 4) : modal + 5].sum() / luma.size)


def entropy(luma: Picture) -> float:
    """Shannon entropy of the levels of H×W, bits, 0..8.

    >>> entropy(np.array([[0, 0], [9, 200]], np.uint8))
    1.5
    """
    shares = np.bincount(luma.ravel()) / luma.size
    shares = shares[shares > 0]
    return float(abs((shares * np.log2(shares)).sum()))


def blur(luma: Picture) -> float:
    """Share of the gradient's energy in H×W that another blur leaves, 0 (sharp) .. 1.

    A sharp picture loses much by it, a blurred one little, whatever its content and contrast.
    Energy, so that lines count for more than a soft background; the greater of both directions
    counts, so that motion blur is seen too. Uniform pictures have 0.

    >>> blur(np.eye(64, dtype=np.uint8) * 255) < 0.2
    True
    """
    levels = luma.astype(np.float32)
    return max(_blur_along(levels), _blur_along(np.ascontiguousarray(levels.T)))


def _blur_along(levels: NDArray[np.float32]) -> float:
    """The same along the rows."""
    after = cv2.blur(levels, (_BLUR, 1))
    before = cv2.absdiff(levels[:, 1:], levels[:, :-1])
    left = cv2.min(before, cv2.absdiff(after[:, 1:], after[:, :-1]))
    energy = cv2.norm(before, cv2.NORM_L2SQR)
    return cv2.norm(left, cv2.NORM_L2SQR) / energy if energy else 0.0


def text_share(picture: Picture) -> float:
    """Share of a picture, above where subtitles stand, that lines of text cover, 0..1.

    Args:
        picture: uint8 RGB H×W×3 or gray H×W.
    """
    height, width = picture.shape[:2]
    covered = np.zeros((height, width), bool)
    limit = _SUBTITLES * height
    for box in lettering(picture):
        if box.top + box.height / 2 < limit:
            box.cut(covered)[:] = True
    return float(covered.sum() / (limit * width))


def sharpness(picture: Picture) -> float:
    """Variance of the Laplacian of the gray picture, squared levels.

    Args:
        picture: uint8 RGB H×W×3.

    >>> sharpness(np.full((9, 9, 3), 100, np.uint8))
    0.0
    """
    # Whole numbers: 16 bits hold them, at a quarter of the time.
    deviation = cv2.meanStdDev(cv2.Laplacian(to_gray(picture), cv2.CV_16S))[1]
    return round(float(deviation[0, 0]) ** 2, 3)


def _lower(picture: Picture, height: int) -> Picture:
    """Scaled down to this height; lower ones as they are."""
    if picture.shape[0] <= height:
        return picture
    return resize(picture, max(1, round(picture.shape[1] * height / picture.shape[0])), height)
