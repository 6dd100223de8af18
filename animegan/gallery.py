"""What a run shows at each save: held-out photos painted and measured, the best G."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from animegan.board import Board
from animegan.data import Sets
from animegan.ema import Network
from animegan.judge import Judge
from animegan.painter import BEST_FILE, Painter
from animegan.plan import Plan
from animegan.run import METRICS_FILE, SAMPLES, Line, Lines, read_lines
from animegan.sheets import sheet
from animegan.state import generator_file
from animegan.trainer import Trainer
from animegan.verdict import Choice, alarms, choose
from animeprep.boxes import Picture
from animeprep.files import write_atomic, write_changed
from animeprep.images import encode_jpeg

#: Held-out photos that are shown, and how many stand beside each other in a sheet.
_PHOTOS, _BESIDE = 6, 2


class Gallery:
    """Measures and shows a trainer's pictures.

    Args:
        trainer: at the step that the run goes on from.
        sets: whose held-out pictures are used.
        run: the run's folder.
        length: of the run; its initialisation phase is not judged.
        tell: is called with a line for each alarm.

    Attributes:
        choice: the best step, once one was judged.
        alarms: what is wrong with the pictures, one sentence each.
        problems: one line for each held-out picture that cannot be read.
    """

    def __init__(
        self,
        trainer: Trainer,
        sets: Sets,
        run: Path,
        length: Plan,
        tell: Callable[[str], None],
    ) -> None:
        self._trainer = trainer
        self._run = run
        self._length = length
        self._tell = tell
        # The judge draws random numbers of its own, and not in every session.
        with untouched_randomness(trainer.device):
            self._judge = Judge(sets, trainer.features, trainer.device, run)
        self.problems = self._judge.problems
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
        with untouched_randomness(device), evaluating(trainer.painter) as generator:
            painter = Painter(generator, device)
            painted = [painter.paint(photo) for photo in self._judge.photos]
            measures = {n: list(i) for n, i in self._judge.measure(painted).items()}
        pictures = self._write_samples(self._judge.photos, painted)
        self._metrics.append({"step": step, "measures": measures})
        self._metrics.flush()
        self._board.add(step, terms, measures, pictures)
        self._judge_all()

    def close(self) -> None:
        """End what runs beside."""
        self._board.close()

    def _lines(self) -> list[Line]:
        return list(read_lines(self._run / METRICS_FILE))

    def _judge_all(self) -> None:
        """Choose the best step, put its generator where `stylize` looks, and raise alarms."""
        lines = [line for line in self._lines() if line["step"] > self._length.initial]
        before, self.alarms = self.alarms, alarms(lines) if lines else []
        for alarm in self.alarms:
            if alarm not in before:
                self._tell(f"alarm: {alarm}")
        self.choice = choose(lines) if lines else None
        if self.choice and not generator_file(self._run, self.choice.step).exists():
            # It was not the best while it was among the last.
            there = [line for line in lines if generator_file(self._run, line["step"]).exists()]
            self.choice = choose(there) if there else None
        if self.choice:
            best = generator_file(self._run, self.choice.step)
            write_changed(self._run / BEST_FILE, best.read_bytes())
        else:
            (self._run / BEST_FILE).unlink(missing_ok=True)

    def _write_samples(self, photos: list[Picture], painted: list[Picture]) -> Picture:
        """A sheet of some photos, each beside its painting; and each by itself for the page."""
        step = self._trainer.step_done
        every = max(1, len(photos) // _PHOTOS)
        shown = list(zip(photos, painted, strict=True))[::every][:_PHOTOS]
        for number, (photo, painting) in enumerate(shown, 1):
            folder = self._run / SAMPLES / f"photo_{number}"
            if not (folder / "photo.jpg").exists():
                write_atomic(folder / "photo.jpg", encode_jpeg(photo))
            write_atomic(folder / f"{step:07d}.jpg", encode_jpeg(painting))
        rows: list[list[Picture | None]] = [
            [picture for pair in shown[first : first + _BESIDE] for picture in pair]
            for first in range(0, len(shown), _BESIDE)
        ]
        columns = ["photo", f"step {step:,}"] * min(_BESIDE, len(shown))
        pictures = sheet([[*row, *[None] * (len(columns) - len(row))] for row in rows], columns)
        write_atomic(self._run / SAMPLES / f"{step:07d}.jpg", encode_jpeg(pictures, 92))
        return pictures


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
