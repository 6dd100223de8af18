"""Exposure compensation of the whole set: `crops/` → `style/`. Verb: exposure.

AnimeGAN's author asks for "an exposure compensation for the overall style data to promote the
consistency of brightness and darkness". Method `key`: one gain for each source picture, in linear
light and the same for R, G and B,

    g = (L_target / L)^strength, clamped,

where L is the log-average luminance of the picture (Reinhard et al., "Photographic tone
reproduction", SIGGRAPH 2002) and L_target the median of the set. Nothing is dropped. A table of
256 entries maps the levels, so that flat cels stay exactly flat, and a shoulder bends what would
clip.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.dataset import CROPS, STYLE, Dataset, made_name
from animeprep.errors import DatasetError, PictureError
from animeprep.files import write_changed
from animeprep.folders import Made, Summary, run_stage, workers_for
from animeprep.gates import log_average
from animeprep.images import read_rgb, to_gray
from animeprep.records import Record
from animeprep.settings import Settings

STAGE = "exposure"
#: In linear light, 1 being white: where the shoulder begins.
_KNEE = 0.7
#: At most so many crops are compared before and after.
_COMPARED = 64


class ExposureSettings(Settings):
    """How far the set's exposure is evened out."""

    method: Literal["key", "none"] = "key"
    """key: one gain for each source picture towards the set's median; none: crops as they are"""
    strength: float = Field(default=0.5, ge=0, le=1)
    """share of each picture's deviation that is compensated"""
    clamp: float = Field(default=1.0, ge=0, le=4)
    """greatest gain, in EV (powers of two)"""
    target: float | None = Field(default=None, gt=0, le=1)
    """log-average luminance (0-1) to aim at; otherwise the set's median when first made"""


@dataclass(frozen=True)
class Key:
    """What the gain of a picture depends on.

    Attributes:
        log_average: L, linear luminance, 0..1.
        peak: brightest channel value but for one in a thousand, 0..255.
    """

    log_average: float
    peak: int


def gain_of(key: Key, target: float, settings: ExposureSettings) -> float:
    """G of the method `key`, as a factor in linear light.

    >>> gain_of(Key(0.1, 200), 0.2, ExposureSettings(strength=1.0))
    2.0
    """
    if settings.method == "none":
        return 1.0
    stops = settings.strength * math.log2(target / key.log_average)
    return float(2.0 ** min(settings.clamp, max(-settings.clamp, stops)))


def to_linear(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SRGB levels 0..255 → linear light 0..1 (IEC 61966-2-1)."""
    encoded = levels / 255.0
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_levels(linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Linear light 0..1 → sRGB levels 0..255, rounded.

    >>> to_levels(to_linear(np.arange(256, dtype=np.uint8))).tolist() == list(range(256))
    True
    """
    encoded = np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    )
    levels: NDArray[np.uint8] = np.clip(np.rint(encoded * 255), 0, 255).astype(np.uint8)
    return levels


def level_table(gain: float, peak: int) -> NDArray[np.uint8]:
    """Where each of the 256 levels goes under a gain.

    Up to the knee the gain applies as it is. If the gain would carry the picture's peak beyond
    white, a curve with the same slope at the knee leads from there to white instead.

    Args:
        gain: factor in linear light.
        peak: the picture's brightest level, 0..255.

    Returns:
        256 levels, rising.

    >>> bool((level_table(1.0, 255) == np.arange(256)).all())
    True
    """
    light = gain * to_linear(np.arange(256, dtype=np.uint8))
    top = float(gain * to_linear(np.array([peak], np.uint8))[0])
    if top > 1:
        over = np.clip((light - _KNEE) / (top - _KNEE), 0, 1)
        slope = (top - _KNEE) / (1 - _KNEE)
        bent = _KNEE + (1 - _KNEE) * slope * over / (1 + (slope - 1) * over)
        light = np.where(light > _KNEE, bent, light)
    return to_levels(light)


def compensate(picture: Picture, gain: float, peak: int) -> Picture:
    """Apply a gain in linear light to a picture, uint8 RGB H×W×3; same shape back."""
    return cast("Picture", cv2.LUT(picture, level_table(gain, peak)))


def exposure(dataset: Dataset, settings: ExposureSettings, *, dry_run: bool = False) -> Summary:
    """Compensate `crops/` into `style/`; the target and the figures go to `exposure.json`.

    Raises:
        DatasetError: there are no crops.
        OutputError: a picture cannot be written.
    """
    crops = dataset.pictures(CROPS)
    keys = _keys(dataset, crops)
    target = settings.target or _stored_target(dataset) or _median(keys)

    def make(name: str, picture: Picture) -> list[Made]:
        key = keys[name]
        gain = gain_of(key, target, settings)
        stops = round(math.log2(gain), 4)
        changed = compensate(picture, gain, key.peak)
        return [Made(made_name(STYLE, name), changed, fields={"gain_ev": stops})]

    def fingerprint(name: str) -> str:
        return f"{settings.fingerprint()} {target} {keys.get(name)}"

    summary = run_stage(dataset, STAGE, crops, make, fingerprint, dry_run=dry_run)
    if not dry_run:
        summary.figures = _figures(dataset, settings, target)
        report = {"target": target, **summary.figures}
        write_changed(dataset.root / "exposure.json", json.dumps(report, indent=1).encode() + b"\n")
    return summary


def _keys(dataset: Dataset, crops: list[Path]) -> dict[str, Key]:
    """L of every crop's source picture, from crop's records; a crop without one is its own source.

    Raises:
        DatasetError: no crop can be read.
    """
    records = dataset.records("crop").named()
    keys: dict[str, Key] = {}
    by_hand = []
    for path in crops:
        name = dataset.file_name(path)
        if "log_average" in records.get(name, {}):
            keys[name] = _key(records[name])
        else:
            by_hand.append(path)
    measure = joblib.delayed(_measure)
    pool = joblib.Parallel(n_jobs=workers_for(len(by_hand)), prefer="threads")
    for path, key in zip(by_hand, pool(measure(path) for path in by_hand), strict=True):
        if key is not None:
            keys[dataset.file_name(path)] = key
    if not keys:
        raise DatasetError(dataset.root / CROPS, "no picture here can be read", "make them anew")
    return keys


def _key(record: Record) -> Key:
    return Key(max(1e-4, record["log_average"]), record["peak"])


def _measure(path: Path) -> Key | None:
    """L of one picture; None of a broken one, which the driver then records as failed."""
    try:
        picture = read_rgb(path)
    except PictureError:
        return None
    return Key(max(1e-4, round(log_average(picture), 6)), int(picture.max()))


def _median(keys: dict[str, Key]) -> float:
    return round(float(np.median([key.log_average for key in keys.values()])), 6)


def _stored_target(dataset: Dataset) -> float | None:
    """The target of the first run, so that films added later are brought to the same."""
    path = dataset.root / "exposure.json"
    try:
        target = json.loads(path.read_text())["target"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return target if isinstance(target, float) and 0 < target <= 1 else None


def _figures(dataset: Dataset, settings: ExposureSettings, target: float) -> dict[str, float]:
    """What compensation does to a sample of the set's source pictures, evenly spread over it.

    Returns:
        compared: how many; spread_before_ev, spread_after_ev: standard deviation of log2 L;
        newly_clipped: share of pixels that touch white now and did not; hue_shift: `hue_shift`'s
        mean, ΔE00; edges_changed: relative change of the number of Canny's edge pixels.
    """
    sources = {r["source"]: r for r in dataset.records("crop") if "log_average" in r}
    present = [name for name in sorted(sources) if dataset.path(name).exists()]
    sample = present[:: max(1, len(present) // _COMPARED)][:_COMPARED]
    if not sample:
        return {}
    compare = joblib.delayed(_compare)
    rows = joblib.Parallel(n_jobs=workers_for(len(sample)), prefer="threads")(
        compare(dataset.path(name), _key(sources[name]), target, settings) for name in sample
    )
    before, after, clipped, hues, edges_before, edges_after = np.array(rows).T
    return {
        "compared": len(sample),
        "spread_before_ev": round(float(before.std()), 4),
        "spread_after_ev": round(float(after.std()), 4),
        "newly_clipped": round(float(clipped.mean()), 6),
        "hue_shift": round(float(hues.mean()), 4),
        "edges_changed": round(float(edges_after.sum() / max(1.0, edges_before.sum()) - 1), 4),
    }


def _compare(path: Path, key: Key, target: float, settings: ExposureSettings) -> tuple[float, ...]:
    """One row of `_figures`: log2 L before, after; clipped; hue shift; edges before, after."""
    cv2.setNumThreads(1)
    before = read_rgb(path)
    after = compensate(before, gain_of(key, target, settings), key.peak)
    edge_counts = [np.count_nonzero(cv2.Canny(to_gray(p), 100, 200)) for p in (before, after)]
    return (
        math.log2(log_average(before)),
        math.log2(log_average(after)),
        float(((after == 255).any(2) & ~(before == 255).any(2)).mean()),
        hue_shift(before, after),
        *map(float, edge_counts),
    )


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


#: sRGB primaries, D65.
_RGB_TO_XYZ = np.array(
    (
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    )
)
