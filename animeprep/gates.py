"""Pictures that teach no style: each gate a pure function with its unit, its bound and its name.

Source: the demands of AnimeGAN's author on a style set (no night pictures, no credits), and what
films contain besides drawings: black, fades, flat cards.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.images import resize, to_gray
from animeprep.settings import Settings

#: Gates measure on pictures of this height, so that they do not depend on the film's size.
_HEIGHT = 180
_LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
)
_BT709 = np.array((0.2126, 0.7152, 0.0722))


class GateSettings(Settings):
    """The bounds of the gates."""

    black: float = Field(default=40, ge=0, le=255)
    """leave a picture out as black when its 98th percentile of luma (0-255) is below this"""
    white: float = Field(default=225, ge=0, le=255)
    """leave a picture out as white when its 2nd percentile of luma (0-255) is above this"""
    plain: float = Field(default=0.75, ge=0, le=1)
    """leave a picture out as plain (cards, credits, fades) when this share of it has one luma"""
    flat: float = Field(default=12, ge=0, le=128)
    """leave a picture out as flat when its luma's standard deviation (0-128) is below this"""
    night: float = Field(default=0.02, ge=0, le=1)
    """leave a picture out as night when its log-average luminance (0-1) is below this"""


def measure(picture: Picture) -> dict[str, float]:
    """What the gates look at.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        black: 98th percentile of luma, 0..255; white: its 2nd percentile; flat: its standard
        deviation; plain: share of pixels within 4 levels of the commonest luma; night:
        log-average of linear BT.709 luminance, 0..1.

    >>> measure(np.full((90, 160, 3), 9, np.uint8))["plain"]
    1.0
    """
    height, width = picture.shape[:2]
    if height > _HEIGHT:
        picture = resize(picture, max(1, round(width * _HEIGHT / height)), _HEIGHT)
    gray = to_gray(picture)
    counts = np.bincount(gray.ravel(), minlength=256)
    modal = int(counts.argmax())
    near = counts[max(0, modal - 4) : modal + 5].sum()
    return {
        "black": float(np.percentile(gray, 98)),
        "white": float(np.percentile(gray, 2)),
        "plain": round(float(near / gray.size), 4),
        "flat": round(float(gray.std()), 3),
        "night": round(log_average(picture), 6),
    }


def log_average(picture: Picture) -> float:
    """Log-average of linear BT.709 luminance, 0..1, without the darkest and brightest 1 %.

    >>> round(log_average(np.full((8, 8, 3), 188, np.uint8)), 3)
    0.503
    """
    luminance = np.sort((_LINEAR[picture] @ _BT709).ravel())
    cut = luminance.size // 100
    inner = luminance[cut : luminance.size - cut]
    return float(np.exp(np.log(inner + 1e-4).mean()))


def judge(measured: Mapping[str, float], settings: GateSettings) -> str | None:
    """The first gate that a picture does not pass, or None.

    >>> judge(measure(np.zeros((90, 160, 3), np.uint8)), GateSettings())
    'black'
    """
    failed = {
        "black": measured["black"] < settings.black,
        "white": measured["white"] > settings.white,
        "plain": measured["plain"] > settings.plain,
        "flat": measured["flat"] < settings.flat,
        "night": measured["night"] < settings.night,
    }
    return next((gate for gate, fails in failed.items() if fails), None)


def sharpness(picture: Picture) -> float:
    """Variance of the Laplacian of the gray picture, squared levels.

    Args:
        picture: uint8 RGB H×W×3.

    >>> sharpness(np.full((9, 9, 3), 100, np.uint8))
    0.0
    """
    return round(float(cv2.Laplacian(to_gray(picture), cv2.CV_64F).var()), 3)
