"""Light: from levels to linear light and back, what is measured of it, and tables of levels.

sRGB is IEC 61966-2-1, luminance BT.709's Y, lightness CIE 1976 L*.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.images import scale_short_side, to_gray

#: Linear light, 1 being white, or its lightness.
Values = NDArray[np.float64]
#: Linear light → linear light, rising.
Curve = Callable[[Values], Values]

#: In linear light: where the shoulder begins.
_KNEE = 0.7
#: The shoulder brings a picture's peak down to this level; white is left to white.
_BELOW_WHITE = 253
#: Frames are measured at the size from which crops are cut by default.
_SHORT_SIDE = 512
#: Shares of a picture's pixels that lie below its black and its white point.
_BLACK, _WHITE = 0.01, 0.99
#: L* of CIE 1976: the slope and the end of its straight part.
_SLOPE, _STRAIGHT = 24389 / 27, 216 / 24389


def to_linear(levels: NDArray[np.uint8]) -> Values:
    """SRGB levels 0..255 → linear light 0..1."""
    return decode(levels / 255.0)


def decode(encoded: Values) -> Values:
    """SRGB signal 0..1 → linear light 0..1."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(linear: Values) -> Values:
    """Linear light 0..1 → sRGB signal 0..1."""
    curved = 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curved)


def to_levels(linear: Values) -> NDArray[np.uint8]:
    """Linear light 0..1 → sRGB levels 0..255, rounded.

    >>> to_levels(to_linear(np.arange(256, dtype=np.uint8))).tolist() == list(range(256))
    True
    """
    return np.clip(np.rint(encode(linear) * 255), 0, 255).astype(np.uint8)


#: Linear light of each level.
LINEAR = to_linear(np.arange(256, dtype=np.uint8))
#: Luminance of linear R, G and B.
BT709 = np.array((0.2126, 0.7152, 0.0722))


def log_average(picture: Picture) -> float:
    """Log-average of linear BT.709 luminance, 0..1, without the darkest and brightest 1 %.

    >>> round(log_average(np.full((8, 8, 3), 188, np.uint8)), 3)
    0.503
    """
    luminance = np.sort((LINEAR[picture] @ BT709).ravel())
    cut = luminance.size // 100
    inner = luminance[cut : luminance.size - cut]
    return float(np.exp(np.log(inner + 1e-4).mean()))


def to_lightness(luminance: Values) -> Values:
    """Luminance 0..1 → L* 0..100.

    >>> to_lightness(np.array([0.0, 0.184187, 1.0])).round(2).tolist()
    [0.0, 50.0, 100.0]
    """
    return np.where(
        luminance <= _STRAIGHT,
        _SLOPE * luminance,
        116 * np.cbrt(np.maximum(luminance, 0)) - 16,
    )


def from_lightness(lightness: Values) -> Values:
    """L* 0..100 → luminance 0..1."""
    return np.where(
        lightness <= _SLOPE * _STRAIGHT, lightness / _SLOPE, ((lightness + 16) / 116) ** 3
    )


@dataclass(frozen=True)
class Light:
    """What the exposure of a picture, or of several, depends on.

    Attributes:
        log_average: L, linear luminance, 0..1.
        peak: brightest channel value but for one pixel in a thousand, 0..255.
        counts: pixels at each of the 256 levels of luma; empty where only the others are needed.
        black: linear light below which 1 % of the pixels lie, 0..1.
        white: linear light above which 1 % lie, 0..1.
    """

    log_average: float
    peak: int
    counts: tuple[int, ...] = ()
    black: float = 0.0
    white: float = 1.0


def measure(picture: Picture) -> Light:
    """The light of a picture, uint8 RGB H×W×3; large ones are scaled down first.

    >>> light = measure(np.full((64, 64, 3), 188, np.uint8))
    >>> round(light.log_average, 3), light.peak, round(light.white, 3)
    (0.503, 188, 0.503)
    """
    if min(picture.shape[:2]) > _SHORT_SIDE:
        picture = scale_short_side(picture, _SHORT_SIDE)
    counts = np.bincount(to_gray(picture).ravel(), minlength=256)
    share = counts.cumsum() / counts.sum()
    black, white = (float(LINEAR[np.searchsorted(share, point)]) for point in (_BLACK, _WHITE))
    return Light(
        max(1e-4, round(log_average(picture), 6)),
        int(np.percentile(picture.max(axis=2), 99.9)),
        tuple(counts.tolist()),
        black,
        white,
    )


def merge(lights: Sequence[Light]) -> Light:
    """The light of several pictures together, in whatever order they come.

    >>> merge([Light(0.1, 200), Light(0.4, 250)]).log_average
    0.2
    """
    logs = np.sort(np.log([light.log_average for light in lights]))
    return Light(
        round(float(np.exp(logs.mean())), 6),
        max(light.peak for light in lights),
        tuple(np.sum([light.counts for light in lights], axis=0, dtype=int).tolist()),
        float(np.median([light.black for light in lights])),
        float(np.median([light.white for light in lights])),
    )


def bent(curve: Curve, peak: int, gain: float = 1.0) -> Curve:
    """A curve with a shoulder, where it would carry the peak to white.

    Up to the knee the curve applies as it is; from there the shoulder, which begins with the same
    slope, leads the peak to just below white.

    Args:
        curve: linear light → linear light.
        peak: the picture's brightest level, 0..255.
        gain: a factor before the curve.
    """
    top = float(curve(np.array(LINEAR[peak] * gain)))
    end = float(LINEAR[max(peak, _BELOW_WHITE)])
    if top <= end:
        return curve
    slope = (top - _KNEE) / (end - _KNEE)

    def shouldered(given: Values) -> Values:
        light = curve(given)
        over = np.maximum(0, light - _KNEE) / (top - _KNEE)
        return np.where(
            light > _KNEE, _KNEE + (end - _KNEE) * slope * over / (1 + (slope - 1) * over), light
        )

    return shouldered


def level_table(
    curve: Curve, peak: int, gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> NDArray[np.uint8]:
    """Where each of the 256 levels goes under a curve in linear light, with a shoulder.

    One table serves all pixels alike, so that what was flat stays flat, and no level but white
    becomes white.

    Args:
        curve: linear light → linear light.
        peak: the picture's brightest level, 0..255.
        gains: a factor of R, G and B before the curve.

    Returns:
        256×3 levels, rising in each column.

    >>> bool((level_table(lambda light: light, 255) == np.arange(256)[:, None]).all())
    True
    """
    table = to_levels(bent(curve, peak, max(gains))(LINEAR[:, None] * np.array(gains)))
    table[:255] = np.minimum(table[:255], 254)
    return table
