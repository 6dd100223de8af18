"""The part of a report on light: brightness and colour before and after exposure compensation."""

import math
from collections.abc import Iterator, Mapping, Sequence

from animeprep.charts import Chart, Tick, histograms
from animeprep.errors import DatasetError
from animeprep.exposure import STOPS, STORED, Aims, Figures, basis_of, stored_aims
from animeprep.page import Section, Table
from animeprep.report.facts import Facts

_LEVELS: tuple[Tick, ...] = ((0, "0"), (25, "64"), (50, "128"), (75, "192"), (100, "255"))
_STOP_TICKS: tuple[Tick, ...] = tuple(
    (50 + 50 * stops / STOPS, f"{stops:+d}".replace("-", "−").replace("+0", "0"))
    for stops in range(-STOPS, STOPS + 1, STOPS // 2)
)
#: Histogram → title, axis, ticks.
_PANELS: dict[str, tuple[str, str, Sequence[Tick]]] = {
    "stops": ("Pictures", "log-average luminance, EV from the mean", _STOP_TICKS),
    "luma": ("Luma", "level, 0–255", _LEVELS),
    "red": ("Red", "level, 0–255", _LEVELS),
    "green": ("Green", "level, 0–255", _LEVELS),
    "blue": ("Blue", "level, 0–255", _LEVELS),
}

#: Figure → what it is, whether it is a share, the demand on it, its bound.
_FIGURES: dict[str, tuple[str, bool, str, float]] = {
    "clamped": ("pictures that would need a greater gain", False, "", math.inf),
    "newly_clipped": ("pixels that touch white or black now and did not", True, "≤ 0.5 %", 0.005),
    "flat_changed": ("flat 5×5 windows that are no longer flat", True, "< 2 %", 0.02),
    "hue_shift": ("shift of hues, ΔE00", False, "< 1", 1.0),
    "edges_changed": ("change of the number of edge pixels", True, "< 10 %", 0.1),
}
_LESS_SPREAD = 0.4


def light(facts: Facts) -> Iterator[Section]:
    """What the verb exposure measured of the present pictures: histograms, figures, cast."""
    try:
        aims = stored_aims(facts.dataset)
    except DatasetError:
        facts.problems.append(f"{STORED}: cannot be read")
        return
    figures = aims.figures
    if figures is None:
        return
    if aims.basis != basis_of(facts.dataset):
        facts.problems.append(f"{STORED}: is of other pictures; run `animeprep exposure`")
        return
    yield Section(
        "Light and colour",
        f"Over {figures.compared} pictures of style, evenly spread, before and after exposure "
        "compensation; heights are shares of all pixels, or of all pictures.",
        panels=list(_panels(figures)),
        tables=[_demands(aims, figures), _cast(figures)],
        anchor="light",
    )


def _panels(figures: Figures) -> Iterator[Chart]:
    for name, (title, axis, ticks) in _PANELS.items():
        if name in figures.histograms:
            yield histograms(title, figures.histograms[name].model_dump(), axis, ticks)


def _demands(aims: Aims, figures: Figures) -> Table:
    """What the set's compensation did, and what is demanded of it."""
    rows: list[tuple[str, str, str, str]] = []
    before, after = figures.spread_before_ev, figures.spread_after_ev
    if before:
        less = 1 - after / before
        measured = f"{before:.2f} → {after:.2f} EV, {100 * less:.0f} % less"
        met = _verdict(good=less >= _LESS_SPREAD)
        rows.append(("spread of log2 luminance", measured, "≥ 40 % less at strength 0.5", met))
    if aims.method in {"key", "gamma"} and aims.reference:
        rows.append(("log-average luminance aimed at", f"{aims.reference[0]:.4g}", "", ""))
    rows += list(_rows(figures.model_dump(include=set(_FIGURES))))
    return Table(("Figure", "Measured", "Demanded", "Met"), rows, "What compensation did")


def _rows(values: Mapping[str, float]) -> Iterator[tuple[str, str, str, str]]:
    for key, (what, share, demand, bound) in _FIGURES.items():
        measured = f"{100 * values[key]:.2f} %" if share else f"{values[key]:.4g}"
        yield what, measured, demand, _verdict(good=abs(values[key]) <= bound) if demand else ""


def _verdict(*, good: bool) -> str:
    return "yes" if good else "no"


def _cast(figures: Figures) -> Table:
    """How far the set's mean colour is from gray: AnimeGAN's `data_mean`, with the sign turned."""
    sides = figures.data_mean_before[::-1], figures.data_mean[::-1]
    rows = [
        (name, _signed(-before), _signed(-after))
        for name, before, after in zip(("red", "green", "blue"), *sides, strict=True)
    ]
    return Table(("Channel", "before", "after"), rows, "Colour cast: levels from the gray mean")


def _signed(value: float) -> str:
    return f"{value + 0.0:+.1f}".replace("-", "−")
