"""The part of a report that shows what was left out: by each gate, by choice and by hand."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from animeprep.charts import Chart, Curve, histograms
from animeprep.choose import NOT_CHOSEN
from animeprep.dedup import COPY, NOT_HASHED, REJECTED
from animeprep.gates import GateSettings
from animeprep.page import Figure, Section
from animeprep.records import Record
from animeprep.report.facts import BROKEN, Facts, anchor_of, evenly, shown
from animeprep.settings import Settings

_PER_REASON = 12
_BINS = 32
#: A chart's axis ends at so many bounds.
_ABOVE = 4
#: Percent of an axis that the text of a tick takes.
_TICK_ROOM = 14
_TOLD = {
    NOT_CHOSEN: "Good enough, but others are more different from each other.",
    REJECTED: "Rejected by hand.",
    NOT_HASHED: "Not on disk, and hashed in another way: the next run looks at them again.",
    BROKEN: "Files that are no pictures, or not whole.",
}


def left_out(facts: Facts) -> Iterator[Section]:
    """What each gate left out with the measured value and the bound; what was not chosen."""
    bounds = facts.settings["dedup"]
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in facts.left_out.items():
        names[reason].append(name)
    parts = [
        _gate(facts, reason, names[reason], getattr(bounds, reason))
        if reason in GateSettings.model_fields
        else _others(facts, reason, names[reason])
        for reason in facts.reasons
        if reason != COPY
    ]
    if parts:
        yield Section(
            "Left out",
            "Charts: what each gate measured on all pictures. Below each picture: its time in the "
            "film, and what was measured on it.",
            panels=[*_panels(facts, bounds)],
            parts=parts,
            anchor="left-out",
        )


def _others(facts: Facts, reason: str, names: list[str]) -> Section:
    some = evenly(names, _PER_REASON)
    figures = [facts.small_frame(name, facts.moment(name)) for name in some]
    text = f"{_TOLD.get(reason, '')} {shown(some, len(names))}"
    return _reason(reason, len(names), text, figures)


def _reason(reason: str, count: int, text: str, figures: list[Figure]) -> Section:
    title = reason[:1].upper() + reason[1:]
    return Section(f"{title}: {count:,}", text, figures=figures, anchor=anchor_of(reason))


def _measured(record: Record, gate: str) -> float | None:
    gates = record.get("gates")
    value = gates.get(gate) if isinstance(gates, dict) else None
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _gate(facts: Facts, gate: str, names: list[str], bound: float) -> Section:
    """From the clearest case to the closest to the bound."""
    values = {name: _measured(facts.judged[name], gate) for name in names}
    names.sort(key=lambda name: (-abs((values[name] or 0.0) - bound), name))
    some = evenly(names, _PER_REASON)
    figures = []
    for name in some:
        value = "" if values[name] is None else f"{values[name]:.3g}"
        caption = " · ".join(filter(None, (facts.moment(name), value)))
        figures.append(facts.small_frame(name, caption, f"{gate} {value}, bound {bound:g}"))
    rule = GateSettings.model_fields[gate].description or ""
    text = f"Rule: {rule}. Bound: {bound:g}. From the clearest case to the closest."
    return _reason(gate, len(names), f"{text} {shown(some, len(names))}", figures)


def _panels(facts: Facts, bounds: Settings) -> Iterator[Chart]:
    """What each gate measured on all pictures, around its bound."""
    for gate in GateSettings.model_fields:
        bound = float(getattr(bounds, gate))
        sides: dict[str, list[float]] = {"others": [], "left out": []}
        for name, record in facts.judged.items():
            value = _measured(record, gate)
            if value is not None:
                sides["left out" if facts.left_out.get(name) == gate else "others"].append(value)
        if sides["left out"]:
            yield _panel(gate, sides, bound)


def _panel(gate: str, sides: dict[str, list[float]], bound: float) -> Chart:
    """A histogram with the bound; what lies far above it is only counted."""
    every = [value for values in sides.values() for value in values]
    low = min(0.0, *every)
    high = max(bound, min(max(every), _ABOVE * bound) if bound > 0 else max(every))
    high = high if high > low else low + 1
    counts = {
        side: [float(count) for count in np.histogram(values, _BINS, (low, high))[0]]
        for side, values in sides.items()
    }
    at = 100 * (bound - low) / (high - low)
    ticks = [(0, f"{low:.3g}"), (at, f"{bound:.3g}"), (100, f"{high:.3g}")]
    apart = [tick for tick in ticks if tick[0] == at or abs(tick[0] - at) > _TICK_ROOM]
    beyond = sum(value > high for value in every)
    label = f"dashed: the bound{f'; {beyond:,} beyond' if beyond else ''}"
    chart = histograms(gate.capitalize(), counts, label, apart)
    line = Curve("bound", f"{at:.2f},0 {at:.2f},100", "bound")
    return replace(chart, curves=[*chart.curves, line])
