"""A run's files as training goes on: its log, its states, what it shows."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animegan import state
from animegan.course import Course, Standing
from animegan.gallery import Gallery
from animegan.learner import Terms
from animegan.live import Meter, Watch
from animegan.plan import Plan
from animegan.run import LOG_FILE, RECIPE_FILE, SPEED_FILE, Lines, write_json
from animeprep.errors import OutputError

_DIGITS = 6


@dataclass(frozen=True)
class Job:
    """What a run is.

    Attributes:
        course: what it learns.
        run: its folder.
        length: how far it goes.
        keep: states that are kept.
        tell: is called with a line for all that happens.
    """

    course: Course[Any]
    run: Path
    length: Plan
    keep: int
    tell: Callable[[str], None]


class Books:
    """Keeps a run's files; of several processes that train together, the first alone has them.

    Args:
        job: the run; its trainer is at the step that it goes on from.
        resumed: whether its state was taken from a file.

    Raises:
        OutputError: a file cannot be written.
    """

    def __init__(self, job: Job, *, resumed: bool) -> None:
        self._trainer = trainer = job.course.trainer
        self._job = job
        self._fingerprint = job.course.fingerprint()
        run, step = job.run, trainer.step_done
        write_json(run / RECIPE_FILE, trainer.recipe.model_dump(mode="json"))
        self._open_lines()
        state.forget_after(run, step)
        # A kill may have come between the state and what follows it.
        if resumed:
            state.write_generators(trainer, run, self._fingerprint)
        else:
            state.save(trainer, run, self._fingerprint)
        self.gallery = Gallery(job.course, run, job.length, job.tell)
        self._page_from = 0.0
        self._measure({})
        self._show([])

    def note(self, terms: Terms) -> None:
        """Add a step's terms to the log; what a full disk does not take waits for the next save."""
        rounded = {name: round(value, _DIGITS) for name, value in terms.items()}
        self._log.append({"step": self._trainer.step_done, **rounded})
        with contextlib.suppress(OutputError):
            self._log.flush()

    def save(self, meter: Meter, problems: Sequence[str]) -> None:
        """Write the state, and where it is due measure and show it.

        Args:
            meter: knows terms and speed of the steps since the last save.
            problems: one line for each broken file.

        Raises:
            OutputError: a file cannot be written; the states before are untouched.
        """
        job, step = self._job, self._trainer.step_done
        self._log.flush()
        state.save(self._trainer, job.run, self._fingerprint)
        job.tell(meter.line())
        measuring = self._measure(meter.means())
        self._speed.append({"step": step, **meter.lap(), "measuring": round(measuring, 3)})
        self._speed.flush()
        self._show(problems)

    def roll_back(self, problem: str) -> None:
        """Write down that the trainer went back to its last good state.

        Raises:
            OutputError: a file cannot be written.
        """
        trainer, job = self._trainer, self._job
        step, rate = trainer.step_done, trainer.rate_factor
        self._open_lines()
        self._log.append({"step": step, "rate_factor": rate, "problem": problem})
        self._log.flush()
        state.save(trainer, job.run, self._fingerprint)
        state.forget_after(job.run, step)
        self.gallery.forget()
        job.tell(f"{problem}: back to step {step:,}, learning rates × {rate:g}")

    def _open_lines(self) -> None:
        """Cut both logs where the trainer stands."""
        step, rate = self._trainer.step_done, self._trainer.rate_factor
        self._log = Lines(
            self._job.run / LOG_FILE,
            lambda line: line["step"] <= step and line.get("rate_factor", 1) >= rate,
        )
        self._speed = Lines(self._job.run / SPEED_FILE, lambda line: line["step"] <= step)

    def _measure(self, terms: Terms) -> float:
        """Paint, measure and choose where that is due, remove old states; the seconds it took."""
        job, step, watch = self._job, self._trainer.step_done, Watch()
        if job.length.is_measured(step):
            self.gallery.show(terms)
        seconds, choice = watch.lap(), self.gallery.choice
        best = choice.step if choice else None
        state.sweep(job.run, job.length.is_due, keep=job.keep, best=best)
        return seconds

    def _show(self, problems: Sequence[str]) -> None:
        """Refresh the page."""
        job, step, choice = self._job, self._trainer.step_done, self.gallery.choice
        standing = Standing(step, job.length, choice, self.gallery.alarms, problems)
        # The page may take a tenth of the time at most.
        started = time.monotonic()
        if started > self._page_from or step == job.length.total:
            job.course.write_page(job.run, standing)
            self._page_from = started + 11 * (time.monotonic() - started)
