"""The curves of a run's page: measures with their intervals, loss terms with their weights."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from animegan.run import LOG_FILE, Line, read_lines
from animeprep.charts import Chart, Curve
from animeprep.page import Section, Table

#: Points of a loss curve, at most; each is a mean.
_POINTS = 300

Points = Sequence[tuple[float, float]]


def measures_section(
    metrics: Sequence[Line], best: int | None, meanings: Mapping[str, str], measured: str
) -> Section | None:
    """A chart for each measure, with its interval and the chosen step; None without any.

    Args:
        metrics: the lines of `metrics.jsonl`.
        best: the chosen step.
        meanings: measure → what it says.
        measured: on what, in a sentence's beginning.
    """
    if not metrics:
        return None
    # Style is missing where photos are not told from the style.
    names = list(dict.fromkeys(name for line in metrics for name in line["measures"]))
    panels = [_measure_chart(name, metrics, best, meanings.get(name, name)) for name in names]
    chosen = next((line for line in metrics if line["step"] == best), None)
    columns = {f"step {line['step']:,}": line["measures"] for line in (metrics[0], metrics[-1])}
    if chosen:
        columns = {f"chosen: step {best:,}": chosen["measures"], **columns}
    rows = [[name, *(_interval(one.get(name)) for one in columns.values())] for name in names]
    return Section(
        "Measures",
        f"{measured}; the band is the 95 % interval over them, the upright line the chosen step. "
        "These choose the step; losses do not.",
        panels=panels,
        tables=[Table(["measure", *columns], rows, "In figures", folded=True)],
        anchor="measures",
    )


def _interval(values: Sequence[float] | None) -> str:
    return "–" if values is None else f"{values[0]:.4g}  ({values[1]:.3g} … {values[2]:.3g})"


def _measure_chart(name: str, metrics: Sequence[Line], best: int | None, meaning: str) -> Chart:
    lines = [line for line in metrics if _finite(line["measures"].get(name))]
    value, low, high = (
        [(line["step"], line["measures"][name][part]) for line in lines] for part in range(3)
    )
    band = [*low, *reversed(high)]
    curves = {"95 %": ("others", band), "value": ("after", value)}
    if best is not None and band:
        heights = [y for _, y in band]
        curves["chosen"] = ("bound", [(best, min(heights)), (best, max(heights))])
    return _chart(name, curves, f"step · {meaning}")


def _finite(values: Sequence[float] | None) -> bool:
    return values is not None and all(map(math.isfinite, values))


def losses_section(
    run: Path, weights: Mapping[str, Mapping[str, float]], total: int, *, log_scale: bool = True
) -> Section | None:
    """Each term as it enters the loss, averaged over neighbouring steps; None without any.

    Args:
        run: the run's folder.
        weights: player → its terms and their weights.
        total: steps of the whole run.
        log_scale: for terms that are never negative.
    """
    curves = _averaged(read_lines(run / LOG_FILE), max(1, total // _POINTS))
    parts: list[Section] = []
    for player, terms in weights.items():
        weighted = {name: [(x, weight * y) for x, y in curves[name]]
                    for name, weight in terms.items() if name in curves}  # fmt: skip
        drawn = {name: (f"c{n % 6}", points) for n, (name, points) in enumerate(weighted.items())}
        if drawn:
            parts.append(Section(player, chart=_chart("", drawn, log_scale=log_scale)))
    if not parts:
        return None
    return Section(
        "Loss terms",
        f"Each with its weight{', on a logarithmic scale' if log_scale else ''}. They say that "
        "training is alive and which term has a say, not how the pictures look.",
        parts=parts,
        anchor="losses",
    )


def _averaged(log: Iterable[Line], width: int) -> dict[str, list[tuple[float, float]]]:
    """Means of each term over blocks of `width` steps, with the block's last step.

    >>> _averaged([{"step": 1, "g": 2.0}, {"step": 2, "g": 4.0}, {"step": 3, "g": 1.0}], 2)
    {'g': [(2, 3.0), (3, 1.0)]}
    """
    sums: dict[str, dict[int, list[float]]] = {}
    for line in log:
        terms = {} if "rate_factor" in line else line
        for name, value in terms.items():
            if name != "step":
                block = sums.setdefault(name, {}).setdefault((line["step"] - 1) // width, [0, 0, 0])
                block[0] += value
                block[1] += 1
                block[2] = line["step"]
    return {
        name: [(last, total / count) for total, count, last in blocks.values()]
        for name, blocks in sums.items()
    }


def _chart(
    title: str,
    curves: Mapping[str, tuple[str, Points]],
    x_label: str = "step",
    *,
    log_scale: bool = False,
) -> Chart:
    """Curves name → (kind, points) over the steps from 0."""
    scale = math.log10 if log_scale else float
    points = {name: [(x, scale(y)) for x, y in some if y > 0 or not log_scale]
              for name, (_, some) in curves.items()}  # fmt: skip
    everything = [point for some in points.values() for point in some]
    right = max((x for x, _ in everything), default=0) or 1
    low, high = _span([y for _, y in everything])

    def up(y: float) -> float:
        return 100 * (y - low) / (high - low)

    def place(x: float, y: float) -> str:
        return f"{100 * x / right:.2f},{abs(100 - up(y)):.2f}"

    drawn = [
        Curve(name, " ".join(place(x, y) for x, y in points[name]), kind)
        for name, (kind, _) in curves.items()
    ]
    decades = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    at = decades if log_scale and len(decades) > 1 else [low, (low + high) / 2, high]
    ticks = [(up(y), _short(10**y if log_scale else y)) for y in at]
    return Chart(title, drawn, x_label, [(0, "0"), (100, f"{right:,.0f}")], ticks)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0), max(values, default=1)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _short(value: float) -> str:
    """A number that fits beside a small chart: seven characters or so.

    >>> [_short(value) for value in (0.25, 1750, -0.001234, 12345678, 1e-5)]
    ['0.25', '1,750', '-0.0012', '1.2e7', '1.0e-5']
    """
    size = abs(value)
    if size and not 1e-3 <= size < 1e5:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{2 if size < 0.01 else 3}g}"
