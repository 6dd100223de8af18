"""The part of a report on light: brightness and colour before and after exposure compensation."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.charts import Chart, Tick, histograms
from animeprep.dataset import STYLE
from animeprep.gates import log_average
from animeprep.images import to_gray
from animeprep.page import Section, Table
from animeprep.report.facts import Facts, evenly

#: So many crops are compared, at most.
_COMPARED = 64
#: Larger ones are scaled down to this side, pixels.
_SIDE = 512
_BINS = 64
_LEVELS: tuple[Tick, ...] = ((0, "0"), (25, "64"), (50, "128"), (75, "192"), (100, "255"))
#: Pictures by their log-average luminance, in EV from the middle of both, half an EV a bin.
_STOPS = 4
_STOP_TICKS: tuple[Tick, ...] = ((0, "−4"), (25, "−2"), (50, "0"), (75, "+2"), (100, "+4"))

#: Figure of `exposure.json` → what it is, whether it is a share, the demand on it, its bound.
_FIGURES: dict[str, tuple[str, bool, str, float]] = {
    "target": ("log-average luminance aimed at", False, "", math.inf),
    "compared": ("pictures compared", False, "", math.inf),
    "clamped": ("pictures that would need a greater gain", False, "", math.inf),
    "newly_clipped": ("pixels that touch white or black now and did not", True, "≤ 0.5 %", 0.005),
    "flat_changed": ("flat 5×5 windows that are no longer flat", True, "< 2 %", 0.02),
    "hue_shift": ("shift of hues, ΔE00", False, "< 1", 1.0),
    "edges_changed": ("change of the number of edge pixels", True, "< 10 %", 0.1),
}
_LESS_SPREAD = 0.4


def light(facts: Facts) -> Iterator[Section]:
    """Histograms of a sample of the set before and after, the figures, the colour cast."""
    pairs = _pairs(facts)
    if not pairs:
        return
    after = [picture for picture, _ in pairs]
    before = [source for _, source in pairs if source is not None]
    sides = {"before": before, "after": after} if before else {"after": after}
    figures = _stored(facts)
    tables = [_demands(figures)] if figures else []
    yield Section(
        "Light and colour",
        f"Over {len(after)} pictures of style, evenly spread, before and after exposure "
        "compensation; heights are shares of all pixels, or of all pictures.",
        panels=_panels(sides),
        tables=[*tables, _cast(sides)],
        anchor="light",
    )


def _pairs(facts: Facts) -> list[tuple[Picture, Picture | None]]:
    """Pictures of style, and the crops that they were made of where these are there."""
    sources = {r["file_name"]: r.get("source") for r in facts.records("exposure")}
    pairs = []
    for name in evenly(facts.names(STYLE), _COMPARED):
        picture = facts.picture(name, _SIDE)
        source = sources.get(name)
        if picture is not None:
            pairs.append((picture, facts.picture(str(source), _SIDE) if source else None))
    return pairs


def _panels(sides: Mapping[str, Sequence[Picture]]) -> list[Chart]:
    gray = {side: _levels([to_gray(p) for p in some]) for side, some in sides.items()}
    panels = [
        histograms(
            "Pictures", _keys(sides), "log-average luminance, EV from the mean", _STOP_TICKS
        ),
        histograms("Luma", gray, "level, 0–255", _LEVELS),
    ]
    for number, name in enumerate(("Red", "Green", "Blue")):
        channel = {
            side: _levels([picture[..., number] for picture in some])
            for side, some in sides.items()
        }
        panels.append(histograms(name, channel, "level, 0–255", _LEVELS))
    return panels


def _levels(planes: Sequence[NDArray[np.uint8]]) -> list[float]:
    """The share of pixels in each of 64 bins of levels; every picture counts the same."""
    counts = [np.bincount(plane.ravel() // (256 // _BINS), minlength=_BINS) for plane in planes]
    shares = np.mean([count / count.sum() for count in counts], axis=0)
    return [float(share) for share in shares]


def _keys(sides: Mapping[str, Sequence[Picture]]) -> dict[str, list[float]]:
    """The share of pictures in bins of log-average luminance, in EV from the mean of `after`."""
    stops = {side: np.log2([log_average(one) for one in some]) for side, some in sides.items()}
    middle = stops["after"].mean()
    shares = {}
    for side, values in stops.items():
        inside = np.clip(values - middle, -_STOPS, _STOPS - 1e-6)
        counts, _ = np.histogram(inside, bins=4 * _STOPS, range=(-_STOPS, _STOPS))
        shares[side] = [float(count) / len(values) for count in counts]
    return shares


def _stored(facts: Facts) -> dict[str, Any]:
    """The figures that the verb exposure left."""
    path = facts.dataset.root / "exposure.json"
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        facts.problems.append("exposure.json: cannot be read")
        return {}
    if not isinstance(figures, dict):
        return {}
    measured = figures.get("figures")
    return {**figures, **measured} if isinstance(measured, dict) else figures


def _demands(figures: Mapping[str, Any]) -> Table:
    """What the set's compensation did, and what is demanded of it."""
    numbers = {key: value for key, value in figures.items() if isinstance(value, (int, float))}
    rows: list[tuple[str, str, str, str]] = []
    before, after = (numbers.get(f"spread_{side}_ev", 0.0) for side in ("before", "after"))
    if before:
        less = 1 - after / before
        measured = f"{before:.2f} → {after:.2f} EV, {100 * less:.0f} % less"
        met = _verdict(good=less >= _LESS_SPREAD)
        rows.append(("spread of log2 luminance", measured, "≥ 40 % less at strength 0.5", met))
    for key, (what, share, demand, bound) in _FIGURES.items():
        if key in numbers:
            measured = f"{100 * numbers[key]:.2f} %" if share else f"{numbers[key]:.4g}"
            met = _verdict(good=abs(numbers[key]) <= bound) if demand else ""
            rows.append((what, measured, demand, met))
    return Table(("Figure", "Measured", "Demanded", "Met"), rows, "What compensation did")


def _verdict(*, good: bool) -> str:
    return "yes" if good else "no"


def _cast(sides: Mapping[str, Sequence[Picture]]) -> Table:
    """How far the set's mean colour is from gray: AnimeGAN's `data_mean`, with the sign turned."""
    means = [
        np.mean([picture.mean(axis=(0, 1)) for picture in pictures], axis=0)
        for pictures in sides.values()
    ]
    rows = [
        (name, *(f"{mean[number]:.1f} ({_signed(mean[number] - mean.mean())})" for mean in means))
        for number, name in enumerate(("red", "green", "blue"))
    ]
    return Table(("Channel", *sides), rows, "Colour cast: mean level (from the gray mean)")


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
