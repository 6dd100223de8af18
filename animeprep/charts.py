"""Charts as data: curves in a box of 100×100, which a page stretches to the width it has.

The page draws curves as SVG and ticks as text, so that text keeps its size and both follow the
light or dark scheme of the reader.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: A share of the axis in percent, and what is written there.
Tick = tuple[float, str]
_DECIMALS = 2


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: for the legend.
        points: SVG's `points`, each coordinate 0..100, the origin at the top left.
        kind: CSS class: `before`, `after`, `others`, `left`, `bound`, or `c0` to `c5`.
    """

    name: str
    points: str
    kind: str


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis.

    Attributes:
        title: above it; may be empty.
        curves: in order of drawing.
        x_label: what the axis shows, with its unit.
        x_ticks: from the left.
        y_ticks: from the bottom.
    """

    title: str
    curves: Sequence[Curve]
    x_label: str
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()

    @property
    def alt(self) -> str:
        """What it is, in words."""
        names = ", ".join(curve.name for curve in self.curves)
        return f"{self.title or 'Chart'}: {names}; {self.x_label}"


@dataclass(frozen=True)
class Step:
    """A row of a flow: how many there are, or how many are left out here.

    Attributes:
        name: what they are.
        count: how many.
        start: where its bar begins, percent.
        length: of its bar, percent.
        loss: whether these are left out.
        link: the anchor of the section that shows them, or empty.
    """

    name: str
    count: int
    start: float
    length: float
    loss: bool = False
    link: str = ""


def histograms(
    title: str, shares: Mapping[str, Sequence[float]], x_label: str, x_ticks: Sequence[Tick]
) -> Chart:
    """Histograms over the same bins, drawn one over the other on one scale.

    Args:
        title: above it.
        shares: name → the height of each bin; its first word is the curve's kind.
        x_label: what is counted, with its unit.
        x_ticks: where bins lie.

    >>> histograms("", {"after": [1, 0]}, "level", ()).curves[0].points
    '0,100 0,0 50,0 50,100 100,100 100,100'
    """
    top = max((max(values) for values in shares.values()), default=0) or 1
    curves = []
    for name, values in shares.items():
        edges = [(100 * (bin_ + side) / len(values), value) for bin_, value in enumerate(values)
                 for side in (0, 1)]  # fmt: skip
        inner = [(x, 100 - 100 * value / top) for x, value in edges]
        curves.append(Curve(name, _points([(0, 100), *inner, (100, 100)]), name.split()[0]))
    return Chart(title, curves, x_label, x_ticks)


def line_chart(
    curves: Mapping[str, Sequence[float]], x_label: str, *, log_scale: bool = False
) -> Chart:
    """Curves over a common axis 1, 2, 3, ….

    Args:
        curves: name → values; left out is what is not finite, or on a logarithmic axis not above 0.
        x_label: what the axis counts.
        log_scale: logarithmic vertical axis.
    """
    scale = math.log10 if log_scale else float
    least = 0.0 if log_scale else -math.inf
    scaled = {
        name: [(step, scale(v)) for step, v in enumerate(values, 1) if least < v < math.inf]
        for name, values in curves.items()
    }
    heights = [y for points in scaled.values() for _, y in points]
    low, high = min(heights, default=0.0), max(heights, default=1.0)
    length = max((len(values) for values in curves.values()), default=1)

    def across(step: float) -> float:
        return 100 * (step - 1) / max(1, length - 1)

    def up(y: float) -> float:
        return 100 * (y - low) / ((high - low) or 1)

    drawn = [
        Curve(name, _points([(across(x), 100 - up(y)) for x, y in points]), f"c{number % 6}")
        for number, (name, points) in enumerate(scaled.items())
    ]
    steps = sorted({1 + round(part * (length - 1) / 4) for part in range(5)})
    told = range(math.ceil(low), math.floor(high) + 1)
    heights = (
        list(told)
        if log_scale and len(told) > 1
        else [low + part * (high - low) / 4 for part in range(5)]
    )
    return Chart(
        "",
        drawn,
        x_label,
        [(across(step), str(step)) for step in steps],
        [(up(y), f"{10**y if log_scale else y:.3g}") for y in heights],
    )


def flow(rows: Sequence[tuple[str, int, bool, str]]) -> list[Step]:
    """Rows of a waterfall: what is left out is drawn where the remaining ones end.

    Args:
        rows: name, count, whether these are left out, anchor; those that are not left out tell
            how many there are, and have a bar from the left.

    >>> [(s.start, s.length) for s in flow([("all", 4, False, ""), ("dark", 1, True, "")])]
    [(0.0, 100.0), (75.0, 25.0)]
    """
    most = max((count for _, count, _, _ in rows), default=0) or 1
    there = 0
    steps = []
    for name, count, loss, link in rows:
        there = there - count if loss else count
        start = 100 * max(0, there) / most if loss else 0.0
        steps.append(Step(name, count, round(start, 3), round(100 * count / most, 3), loss, link))
    return steps


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{round(x, _DECIMALS):g},{round(y, _DECIMALS):g}" for x, y in points)
