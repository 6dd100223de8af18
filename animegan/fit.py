"""The training loop: steps to the end of a plan, saved so that nothing can stop it for good.

At each save the state is written, held-out photos are painted and measured, and the best step so
far is chosen. A term that is not a number any more takes the run back to the last good state, from
where it goes on with lower learning rates.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animegan import state
from animegan.books import Books, Job
from animegan.course import Course, Stream
from animegan.distributed import any_process, gathered, is_main
from animegan.errors import TrainingError
from animegan.interrupt import deferred_interrupt
from animegan.learner import Terms
from animegan.live import Meter, Watch, showing
from animegan.memory import keep_freed_memory
from animegan.plan import Plan, plan
from animegan.run import PAGE, locked
from animegan.run_settings import KEEP
from animegan.verdict import Choice
from animeprep.errors import OutputError
from animeprep.folders import FAILED, Summary

#: How often a run may go back, and what its learning rates are multiplied by each time.
_ROLLBACKS, _LOWER = 3, 0.5

__all__ = ["Outcome", "Plan", "fit", "foresee", "plan"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        made: steps that this call of `fit` made.
        terms: means of the terms over the last steps.
        choice: the best step, where held-out photos were measured.
        alarms: what is wrong with the pictures, one sentence each.
        problems: one line for each broken file.
    """

    made: int
    terms: Terms
    choice: Choice | None
    alarms: list[str]
    problems: list[str]

    def summary(self, stage: str, run: Path) -> Summary:
        """The same as a verb tells it.

        Args:
            stage: the verb.
            run: the run's folder.
        """
        summary = Summary(stage)
        summary.counts["steps made"] = self.made
        summary.counts[FAILED] = len(self.problems)
        summary.problems = self.problems
        summary.figures = {"run": str(run), "page": str(run / PAGE)}
        summary.figures |= {name: round(value, 4) for name, value in self.terms.items()}
        if self.choice:
            summary.figures["best step"] = self.choice.step
            summary.figures["chosen because"] = self.choice.why
        if self.alarms:
            summary.figures["alarms"] = self.alarms
        return summary


def fit(
    course: Course[Any],
    run: Path,
    length: Plan,
    *,
    keep: int = KEEP,
    tell: Callable[[str], None] = lambda _line: None,
) -> Outcome:
    """Train to the end of the plan, from where the run stands.

    Ctrl-C saves; the same call goes on, to the same bytes as if nothing had happened.

    Args:
        course: its trainer is new; where the run has a state, it takes it.
        run: the run's folder.
        length: how far.
        keep: states that are kept.
        tell: is called with a line at each save and for all that happens.

    Raises:
        CheckpointError: the run has another recipe or other pictures.
        TrainingError: the run is longer than the plan, terms are not finite time after time, or
            the memory does not suffice; the last saved state stands.
        InputError: pictures cannot be read.
        OutputError: a run cannot begin or end on a full disk; in between it goes on.
        KeyboardInterrupt: after saving.
    """
    keep_freed_memory()
    session = _Session(Job(course, run, length, keep, tell if is_main() else _silence))
    with contextlib.ExitStack() as stack:
        if is_main():
            stack.enter_context(locked(run))
        asked = stack.enter_context(deferred_interrupt())
        stack.enter_context(showing(session.meter) if is_main() else contextlib.nullcontext())
        stack.callback(session.close)
        session.begin()
        first = course.trainer.step_done
        while course.trainer.step_done < length.total:
            try:
                session.train(asked)
            except _NotFiniteError as error:
                session.roll_back(str(error))
        return session.outcome(course.trainer.step_done - first)


def foresee(stage: str, run: Path, length: Plan) -> Summary:
    """What `fit` would do.

    Args:
        stage: the verb.
        run: the run's folder; there need not be one yet.
        length: how far.
    """
    summary = Summary(stage, dry_run=True)
    made = max(state.saved_steps(run), default=0)
    summary.counts["steps to make"] = max(0, length.total - made)
    summary.figures = {"run": str(run), "steps": length.total, "steps an epoch": length.epoch}
    return summary


class _NotFiniteError(Exception):
    """A term or a weight is not a number any more."""


class _Session:
    """One call of `fit`, in one of the processes that train together."""

    def __init__(self, job: Job) -> None:
        self.trainer = job.course.trainer
        self.job = job
        self.meter = Meter(job.length, self.trainer.recipe.batch)
        self.problems: list[str] = []
        self.books: Books | None = None

    def begin(self) -> None:
        """Take the state that is there, or write the first."""
        if is_main():
            resumed = self._resume()
            step, total = self.trainer.step_done, self.job.length.total
            if step > total:
                remedy = "say more --steps or --epochs, or another --name"
                raise TrainingError(self.job.run, f"stands at step {step} of {total}", remedy)
            if resumed:
                self.job.tell(f"going on from step {step:,}")
            with self.trainer.memory_advice():
                self.books = Books(self.job, resumed=resumed)
            self._pass_over(self.books.gallery.problems)
        self._meet()
        if not is_main():
            self._resume()

    def train(self, asked: Callable[[], bool]) -> None:
        """Steps to the end, or until one fails.

        Args:
            asked: whether somebody asked to stop.

        Raises:
            _NotFiniteError: a step failed.
            KeyboardInterrupt: somebody asked; all is saved.
        """
        trainer, watch, waited = self.trainer, Watch(), 0.0
        total = self.job.length.total
        with self.job.course.batches() as batches:
            while trainer.step_done < total:
                terms = self._step(batches)
                self.meter.add(trainer.step_done, terms, watch.lap(), batches.waited - waited)
                waited = batches.waited
                self._note(terms, batches.problems)
                stop = any_process(raised=asked(), device=trainer.device)
                if stop or self.job.length.is_measured(trainer.step_done):
                    self._pass_over(gathered(batches.problems))
                    self._save(last=stop or trainer.step_done == total)
                    watch.lap()
                if stop:
                    step = trainer.step_done
                    self.job.tell(f"saved at step {step:,}: the same command goes on from there")
                    raise KeyboardInterrupt

    def roll_back(self, problem: str) -> None:
        """Take the last good state again, with lower learning rates.

        Raises:
            TrainingError: that was tried often enough.
        """
        failed, factor = self.trainer.step_done, self.trainer.rate_factor * _LOWER
        if factor < _LOWER**_ROLLBACKS:
            raise TrainingError(
                f"step {failed}",
                f"{problem}, even with learning rates × {self.trainer.rate_factor:g}",
                "the last good state is kept; train under another --name with "
                + self.trainer.steadier(),
            )
        self._resume()
        self.trainer.rate_factor = factor
        self._meet()
        if self.books:
            self.books.roll_back(f"step {failed}: {problem}")
        self._meet()

    def outcome(self, made: int) -> Outcome:
        """What came of it, and how many steps were made."""
        gallery = self.books.gallery if self.books else None
        choice, alarms = (gallery.choice, gallery.alarms) if gallery else (None, [])
        return Outcome(made, self.meter.means(), choice, alarms, self.problems)

    def close(self) -> None:
        """End what runs beside."""
        if self.books:
            self.books.gallery.close()

    def _resume(self) -> bool:
        job = self.job
        return state.resume(self.trainer, job.run, job.course.fingerprint(), job.tell)

    def _meet(self) -> None:
        """Wait until all processes are here, for one writes what the others read."""
        any_process(raised=False, device=self.trainer.device)

    def _step(self, batches: Stream[Any]) -> Terms:
        with self.trainer.memory_advice():
            terms = self.job.course.learn(next(batches), self.job.length)
        for name, value in terms.items():
            if not math.isfinite(value):
                raise _NotFiniteError(f"{name} is not a number any more")
        return terms

    def _note(self, terms: Terms, problems: Sequence[str]) -> None:
        if self.books:
            self.books.note(terms)
        self._pass_over(problems)

    def _pass_over(self, problems: Sequence[str]) -> None:
        for problem in problems:
            if problem not in self.problems:
                self.problems.append(problem)
                self.job.tell(f"passed over: {problem}")

    def _save(self, *, last: bool) -> None:
        """Save; what cannot be written is told, unless there is no next time."""
        broken = self.trainer.broken_tensor()
        if broken:
            raise _NotFiniteError(f"{broken} is not a number any more")
        try:
            if self.books:
                with self.trainer.memory_advice():
                    self.books.save(self.meter, self.problems)
        except OutputError as error:
            if last:
                raise
            self.job.tell(
                f"step {self.trainer.step_done:,} is not saved: {error.path} {error.problem}; "
                "training goes on and tries again at the next save"
            )


def _silence(_line: str) -> None:
    """Tell nobody."""
