"""How training goes, on a terminal: a table that follows it; nothing at all elsewhere."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from animegan.plan import Plan

Terms = dict[str, float]
#: Steps over which terms and speed are averaged.
_WINDOW = 50
#: Seconds between two pictures of the table.
_REFRESH = 0.5


@dataclass
class Meter:
    """Means of the terms and the speed over the last steps.

    Attributes:
        length: of the run.
        batch: pictures of a step.
    """

    length: Plan
    batch: int
    _step: int = 0
    _recent: deque[tuple[float, Terms]] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _lap: list[tuple[float, float]] = field(default_factory=list)

    def add(self, step: int, terms: Terms, seconds: float, waited: float = 0.0) -> None:
        """Take note of a step.

        Args:
            step: its number, from 1.
            terms: its terms.
            seconds: that it took, with reading.
            waited: seconds of these that passed waiting for pictures.
        """
        self._step = step
        self._recent.append((seconds, terms))
        self._lap.append((seconds, waited))

    def lap(self) -> dict[str, float]:
        """Pictures a second since the last lap, and the share of the time spent waiting for them.

        >>> meter = Meter(Plan(epoch=2, initial=0, total=4, every=2), batch=3)
        >>> meter.add(1, {"g": 2.0}, 1.0, 0.5)
        >>> meter.add(2, {"g": 4.0}, 1.0)
        >>> meter.lap()
        {'pictures_per_second': 3.0, 'waiting': 0.25}
        """
        seconds, waited = (sum(lap[part] for lap in self._lap) for part in range(2))
        speed = self.batch * len(self._lap) / seconds if seconds else 0.0
        self._lap.clear()
        return {
            "pictures_per_second": round(speed, 3),
            "waiting": round(waited / seconds, 4) if seconds else 0.0,
        }

    def means(self) -> Terms:
        """The mean of each term over the last steps.

        >>> meter = Meter(Plan(epoch=2, initial=0, total=4, every=2), batch=1)
        >>> meter.add(1, {"g": 2.0}, 1.0)
        >>> meter.add(2, {"g": 4.0}, 1.0)
        >>> meter.means(), meter.speed(), meter.left()
        ({'g': 3.0}, 1.0, '0:00:02')
        """
        names = self._recent[-1][1] if self._recent else {}
        some = {name: [t[name] for _, t in self._recent if name in t] for name in names}
        return {name: sum(values) / len(values) for name, values in some.items()}

    def speed(self) -> float:
        """Pictures a second over the last steps."""
        seconds = sum(seconds for seconds, _ in self._recent)
        return self.batch * len(self._recent) / seconds if seconds else 0.0

    def left(self) -> str:
        """How long the rest takes at this speed."""
        speed = self.speed()
        rest = self.batch * (self.length.total - self._step) / speed if speed else 0.0
        return str(timedelta(seconds=round(rest)))

    def line(self) -> str:
        """All of it in a line."""
        terms = " ".join(f"{name} {value:.3g}" for name, value in self.means().items())
        where = self.length.told(self._step)
        return f"{where}: {terms}; {self.speed():.3g} pictures/s, left {self.left()}"

    def table(self) -> RenderableType:
        """All of it as a table."""
        terms = Table(box=None)
        terms.add_column("term", style="cyan")
        terms.add_column(f"mean of {len(self._recent)} steps", justify="right")
        for name, value in self.means().items():
            terms.add_row(name, f"{value:.4g}")
        bar = Table.grid()
        bar.add_row(ProgressBar(self.length.total, self._step, width=60))
        speed = Text(f"{self.speed():.3g} pictures/s, left {self.left()}")
        return Group(Text(self.length.told(self._step)), bar, terms, speed)


@contextlib.contextmanager
def showing(meter: Meter) -> Iterator[Meter]:
    """Show a meter on standard error while the block runs, where a terminal listens."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield meter
        return
    with Live(console=console, get_renderable=meter.table, refresh_per_second=1 / _REFRESH,
              transient=True):  # fmt: skip
        yield meter


class Watch:
    """Seconds between two looks at it."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed
