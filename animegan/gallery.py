"""What a run shows at each save: its samples, their measures, the best G."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from animegan.board import Board
from animegan.course import Course
from animegan.ema import Network
from animegan.painter import BEST_FILE
from animegan.plan import Plan
from animegan.run import METRICS_FILE, SAMPLES, Line, Lines, read_lines, sample_file
from animegan.state import generator_file
from animegan.verdict import Choice
from animeprep.files import write_atomic, write_changed
from animeprep.images import encode_jpeg


class Gallery:
    """Measures and shows a trainer's pictures.

    Args:
        course: its trainer is at the step that the run goes on from.
        run: the run's folder.
        length: of the run; its initialisation phase is not judged.
        tell: is called with a line for each alarm.

    Attributes:
        choice: the best step, once one was judged.
        alarms: what is wrong with the pictures, one sentence each.
        problems: one line for each file that cannot be used for it.
    """

    def __init__(
        self,
        course: Course[Any],
        run: Path,
        length: Plan,
        tell: Callable[[str], None],
    ) -> None:
        self._trainer = trainer = course.trainer
        self._run = run
        self._length = length
        self._tell = tell
        # An exhibit may train its judge, with random numbers; a run that goes on finds it trained,
        # and its steps must draw the same ones.
        with untouched_randomness(trainer.device):
            self._exhibit = course.exhibit(run)
        self.problems = self._exhibit.problems
        self._board = Board(run, trainer.step_done)
        self.alarms: list[str] = []
        self.choice: Choice | None = None
        self.forget()

    def forget(self) -> None:
        """Cut off what was painted and measured after the trainer's step.

        At that step, too, where a shorter plan had its end there and this one does not measure.

        Raises:
            OutputError: a file cannot be written.
        """
        last = self._trainer.step_done
        last -= not self._length.is_measured(last)
        self._metrics = Lines(self._run / METRICS_FILE, lambda line: line["step"] <= last)
        for path in (self._run / SAMPLES).rglob("*.jpg"):
            if path.stem.isdecimal() and int(path.stem) > last:
                path.unlink(missing_ok=True)
        self._judge_all()

    def show(self, terms: Line) -> None:
        """Paint, measure and choose, unless that was done for this step already.

        Args:
            terms: means of the terms since the last time.

        Raises:
            OutputError: a file cannot be written.
        """
        trainer = self._trainer
        step, device = trainer.step_done, trainer.device
        if any(line["step"] == step for line in self._lines()):
            return
        with untouched_randomness(device), evaluating(trainer.painter):
            look = self._exhibit.look(step)
        write_atomic(sample_file(self._run / SAMPLES, step), encode_jpeg(look.sheet, 92))
        self._metrics.append({"step": step, "measures": look.measures})
        self._metrics.flush()
        self._board.add(step, terms, look.measures, look.sheet)
        self._judge_all()

    def close(self) -> None:
        """End what runs beside."""
        self._board.close()

    def _lines(self) -> list[Line]:
        return list(read_lines(self._run / METRICS_FILE))

    def _judge_all(self) -> None:
        """Choose the best step, put its generator where `stylize` looks, and raise alarms."""
        lines = [line for line in self._lines() if line["step"] > self._length.initial]
        before, self.alarms = self.alarms, self._exhibit.alarms(lines) if lines else []
        for alarm in self.alarms:
            if alarm not in before:
                self._tell(f"alarm: {alarm}")
        self.choice = self._exhibit.choose(lines) if lines else None
        if self.choice and not generator_file(self._run, self.choice.step).exists():
            # It was not the best while it was among the last.
            there = [line for line in lines if generator_file(self._run, line["step"]).exists()]
            self.choice = self._exhibit.choose(there) if there else None
        if self.choice:
            best = generator_file(self._run, self.choice.step)
            write_changed(self._run / BEST_FILE, best.read_bytes())
        else:
            (self._run / BEST_FILE).unlink(missing_ok=True)


@contextlib.contextmanager
def evaluating(network: Network) -> Iterator[Network]:
    """The network in evaluation mode while the block runs."""
    was = network.training
    try:
        yield network.eval()
    finally:
        network.train(was)


@contextlib.contextmanager
def untouched_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's random numbers as if the block had not drawn any."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
