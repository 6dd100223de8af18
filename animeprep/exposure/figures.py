"""What exposure compensation did to a set: the same pictures before and after.

The colour cast is told as AnimeGAN's `data_mean.py` does: how far the means of B, G and R over the
style pictures lie below the mean of the three.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from animeprep.boxes import Picture
from animeprep.errors import PictureError
from animeprep.exposure.tones import Change, Gains, compensate
from animeprep.folders import workers_for
from animeprep.images import read_rgb, thumbnail, to_gray
from animeprep.light import BT709, LINEAR, Values, log_average, to_linear

Item = TypeVar("Item")
Result = TypeVar("Result")

#: At most so many crops and source pictures are compared.
_MOST_CROPS, _MOST_SOURCES = 512, 128
#: Longer side at which L of a source picture is compared, pixels.
_SIDE = 320

_BINS = 32
#: Pictures are counted within so many EV of the mean, in bins of half an EV.
STOPS = 4
#: From here on a level counts as white: a shoulder's end is no place for drawing, either.
_CLIPPED = 253
_WINDOW = np.ones((5, 5), np.uint8)
#: sRGB primaries, D65.
_RGB_TO_XYZ = np.array(
    (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
)


class Histogram(BaseModel):
    """Heights of the same bins, shares of all pixels or of all pictures, before and after."""

    before: tuple[float, ...] = Field(min_length=1)
    after: tuple[float, ...] = Field(min_length=1)


class Figures(BaseModel):
    """All measures of a set.

    Attributes:
        compared: how many crops were compared.
        spread_before_ev, spread_after_ev: standard deviation of log2 L of source pictures.
        newly_clipped: share of pixels.
        flat_changed: share of the 5×5 windows exactly flat before that no longer are.
        hue_shift: mean, ΔE00.
        edges_changed: relative change of the number of edge pixels.
        clamped: crops that would have got more without the clamp.
        data_mean, data_mean_before: levels of B, G, R that would make the set's mean gray.
        histograms: luma, red, green, blue: of the crops' levels 0..255, 32 bins; stops: of log2 L
            of the source pictures, EV from their mean after, -4..4, 16 bins.
    """

    compared: int
    spread_before_ev: float
    spread_after_ev: float
    newly_clipped: float
    flat_changed: float
    hue_shift: float
    edges_changed: float
    clamped: int = 0
    data_mean: tuple[float, float, float]
    data_mean_before: tuple[float, float, float]
    histograms: dict[str, Histogram]


class Compared(NamedTuple):
    """One picture before and after.

    Attributes:
        clipped: share of pixels with a channel at 253 or more now and none before, or all at 0
            now and not before.
        flat: 5×5 windows in which all pixels are equal before.
        flat_lost: those of them in which they no longer are.
        hue: `hue_shift`, ΔE00.
        edges_before, edges_after: share of Canny's edge pixels.
        counts_before, counts_after: 4×256 shares of pixels at each level of luma, R, G and B.
    """

    clipped: float
    flat: int
    flat_lost: int
    hue: float
    edges_before: float
    edges_after: float
    counts_before: Values
    counts_after: Values


def compare(before: Picture, after: Picture) -> Compared:
    """Measure what a change did to a picture; both uint8 RGB H×W×3.

    >>> gray = np.full((8, 8, 3), 100, np.uint8)
    >>> compare(gray, gray + 155).clipped, compare(gray, gray).flat_lost
    (1.0, 0)
    """
    high, high_now = _brightest(before), _brightest(after)
    clipped = ((high_now >= _CLIPPED) & (high < _CLIPPED)) | ((high_now == 0) & (high > 0))
    flat = flat_windows(before), flat_windows(after)
    grays = to_gray(before), to_gray(after)
    edges = [float((cv2.Canny(gray, 100, 200) > 0).mean()) for gray in grays]
    return Compared(
        float(clipped.mean()),
        int(flat[0].sum()),
        int((flat[0] & ~flat[1]).sum()),
        hue_shift(before, after),
        edges[0],
        edges[1],
        _shares(grays[0], before),
        _shares(grays[1], after),
    )


def _brightest(picture: Picture) -> Picture:
    """The highest channel of each pixel, H×W."""
    red, green, blue = cv2.split(picture)
    return cast("Picture", cv2.max(cv2.max(red, green), blue))


def flat_windows(picture: Picture) -> NDArray[np.bool_]:
    """Whether all pixels of the 5×5 window around each pixel are equal.

    Returns:
        (H-4)×(W-4); empty for smaller pictures.
    """
    spread = cv2.subtract(cv2.dilate(picture, _WINDOW), cv2.erode(picture, _WINDOW))
    return np.asarray(_brightest(cast("Picture", spread))[2:-2, 2:-2] == 0)


def _shares(gray: Picture, picture: Picture) -> Values:
    channels = (gray, *np.moveaxis(picture, 2, 0))
    return np.array([np.bincount(one.ravel(), minlength=256) for one in channels]) / gray.size


def hue_shift(before: Picture, after: Picture) -> float:
    """How far a change of exposure moved the hues: mean ΔE00 with lightness ignored.

    Exposure scales a colour's light, and so moves Lab's a and b without any change of hue. Both
    pictures are therefore brought to the same luminance, pixel by pixel, before CIEDE2000
    (`skimage.color.deltaE_ciede2000`) compares them. Every 4th pixel of every 4th row counts.

    >>> gray = np.full((8, 8, 3), 100, np.uint8)
    >>> round(hue_shift(gray, gray // 2), 3)
    0.0
    """
    from skimage.color import deltaE_ciede2000, xyz2lab

    lab = []
    for picture in (before, after):
        xyz = to_linear(np.ascontiguousarray(picture[::4, ::4])) @ _RGB_TO_XYZ.T
        # Very dark pixels have no hue to speak of: their levels are too coarse.
        lab.append(xyz2lab(xyz * (0.2 / np.maximum(xyz[..., 1:2], 0.004))))
    same_lightness = [np.dstack([np.full(one.shape[:2], 50.0), one[..., 1:]]) for one in lab]
    return float(deltaE_ciede2000(*same_lightness).mean())


def measure_set(
    crops: Sequence[tuple[Path, Path]], sources: Sequence[tuple[Path, Change]]
) -> Figures | None:
    """The figures of a set, from samples spread evenly over it.

    Args:
        crops: files before and after.
        sources: the pictures they were cut from, and what was done to them.

    Returns:
        As `figures`; None where nothing can be read.
    """
    compared = _each(lambda pair: compare(*map(read_rgb, pair)), _sample(crops, _MOST_CROPS))
    present = [source for source in sources if source[0].exists()]
    lights = _each(lambda source: _lights(*source), _sample(present, _MOST_SOURCES))
    return figures(compared, lights) if compared else None


def _sample(items: Sequence[Item], most: int) -> list[Item]:
    """All, or `most` of them at even distances."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def _each(measure: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Measure in parallel; pictures that cannot be read are passed over."""

    def one(item: Item) -> Result | None:
        cv2.setNumThreads(1)
        try:
            return measure(item)
        except PictureError:
            return None

    pool = joblib.Parallel(n_jobs=workers_for(len(items)), prefer="threads")
    return [found for found in pool(map(joblib.delayed(one), items)) if found is not None]


def _lights(path: Path, change: Change) -> tuple[float, float]:
    """L of a source picture before and after."""
    before = thumbnail(read_rgb(path), _SIDE)
    return log_average(before), log_average(compensate(before, change))


def figures(compared: Sequence[Compared], lights: Sequence[tuple[float, float]]) -> Figures:
    """All measures of a set but `clamped`.

    Args:
        compared: its crops before and after.
        lights: L of its source pictures before and after, 0..1.
    """
    rows = list(zip(*compared, strict=True))
    clipped, flat, lost, hues, edges, edges_now = (np.array(row, float) for row in rows[:6])
    before, after = (np.mean(row, axis=0) for row in rows[6:])
    stops = np.log2(np.array(lights or [(1.0, 1.0)]))
    spread = stops.std(axis=0)
    histograms = {
        name: _histogram(_binned(before[row]), _binned(after[row]))
        for row, name in enumerate(("luma", "red", "green", "blue"))
    }
    if lights:
        middle = stops[:, 1].mean()
        histograms["stops"] = _histogram(*(_by_stops(side - middle) for side in stops.T))
    return Figures(
        compared=len(compared),
        spread_before_ev=round(float(spread[0]), 4),
        spread_after_ev=round(float(spread[1]), 4),
        newly_clipped=round(float(clipped.mean()), 6),
        flat_changed=round(float(lost.sum() / max(1.0, flat.sum())), 6),
        hue_shift=round(float(hues.mean()), 4),
        edges_changed=round(float(edges_now.sum() / max(1e-9, edges.sum()) - 1), 4)
        if edges.any()
        else 0.0,
        data_mean=data_mean(after),
        data_mean_before=data_mean(before),
        histograms=histograms,
    )


def _histogram(before: Values, after: Values) -> Histogram:
    return Histogram(
        before=tuple(map(float, before.round(5))), after=tuple(map(float, after.round(5)))
    )


def _binned(shares: Values) -> Values:
    return np.asarray(shares.reshape(_BINS, -1).sum(axis=1))


def _by_stops(stops: Values) -> Values:
    """The share of pictures in each half of an EV; those further off count at the ends."""
    inside = np.clip(stops, -STOPS, STOPS)
    return np.histogram(inside, 4 * STOPS, (-STOPS, STOPS))[0] / len(stops)


def data_mean(shares: Values) -> tuple[float, float, float]:
    """What AnimeGAN's trainer adds to B, G and R of its style pictures, levels.

    Args:
        shares: 4×256, luma, R, G, B: the mean share of pixels at each level.

    Source: `tools/data_mean.py` of the author's repository: the gray mean less each channel's.
    """
    means = shares[1:] @ np.arange(256.0)
    red, green, blue = (round(float(means.mean() - mean), 4) + 0.0 for mean in means)
    return blue, green, red


def neutral_gains(pictures: Iterable[Picture]) -> Gains:
    """One gain for each of R, G and B that makes the mean light of a set gray.

    Gray-world balance after von Kries, in linear light; the luminance of the mean stays.

    >>> neutral_gains([np.full((4, 4, 3), 100, np.uint8)])
    (1.0, 1.0, 1.0)
    """
    means = np.mean([LINEAR[picture].mean(axis=(0, 1)) for picture in pictures], axis=0)
    red, green, blue = np.maximum(means, 1e-4).tolist()
    gray = float(BT709 @ (red, green, blue))
    return round(gray / red, 6), round(gray / green, 6), round(gray / blue, 6)
