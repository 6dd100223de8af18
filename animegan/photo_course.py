"""Painting photos in a film's style, as something to learn."""

from collections.abc import Sequence
from pathlib import Path

from animegan.course import Course, Exhibit, Look, Standing
from animegan.data import Batch, Batches, Sets
from animegan.distributed import rank, world
from animegan.judge import Judge
from animegan.learner import Terms
from animegan.painter import Painter
from animegan.photo_page import write_photo_page
from animegan.plan import Plan
from animegan.run import SAMPLES, Line, sample_file
from animegan.sheets import sheet
from animegan.trainer import Trainer
from animegan.verdict import Choice, alarms, choose
from animeprep.boxes import Picture
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg

#: Held-out photos that are shown, and how many stand beside each other in a sheet.
_PHOTOS, _BESIDE = 6, 2


class PhotoCourse(Course[Batch]):
    """What `trainer` learns from `sets`."""

    def __init__(self, trainer: Trainer, sets: Sets) -> None:
        self._trainer = trainer
        self._sets = sets

    @property
    def trainer(self) -> Trainer:
        """What learns."""
        return self._trainer

    def fingerprint(self) -> str:
        """Of the training sets."""
        return self._sets.fingerprint()

    def batches(self) -> Batches:
        """This process's share of the batches."""
        trainer = self.trainer
        return Batches(
            self._sets,
            trainer.recipe,
            trainer.device,
            start=trainer.step_done,
            rank=rank(),
            world=world(),
        )

    def learn(self, batch: Batch, length: Plan) -> Terms:
        """A step of the initialisation phase, then of the adversarial one."""
        step = self.trainer.step_done
        if step < length.initial:
            return self.trainer.initialise_step(batch)
        return self.trainer.step(batch, length.progress(step))

    def exhibit(self, run: Path) -> "PhotoExhibit":
        """Held-out photos, painted."""
        return PhotoExhibit(self.trainer, self._sets, run)

    def write_page(self, run: Path, standing: Standing) -> None:
        """Write the page of paintings, measures and losses."""
        write_photo_page(run, self.trainer.recipe, standing)


class PhotoExhibit(Exhibit):
    """Held-out photos, painted and judged.

    Args:
        trainer: whose paintings are looked at.
        sets: whose held-out pictures are used.
        run: the run's folder, where the judge and the samples lie.
    """

    def __init__(self, trainer: Trainer, sets: Sets, run: Path) -> None:
        self._trainer = trainer
        self._run = run
        self._judge = Judge(sets, trainer.features, trainer.device, run)
        self.problems = self._judge.problems

    def look(self, step: int) -> Look:
        """Paint all held-out photos; some of them go into the sheet and into the samples."""
        painter = Painter(self._trainer.painter, self._trainer.device)
        painted = [painter.paint(photo) for photo in self._judge.photos]
        measures = {name: list(one) for name, one in self._judge.measure(painted).items()}
        return Look(measures, self._write_samples(step, painted))

    def choose(self, lines: Sequence[Line]) -> Choice:
        """Nearest to the style, then most like a drawn photo: `verdict.choose`."""
        return choose(lines)

    def alarms(self, lines: Sequence[Line]) -> list[str]:
        """As `verdict.alarms` tells."""
        return alarms(lines)

    def _write_samples(self, step: int, painted: list[Picture]) -> Picture:
        """A sheet of some photos, each beside its painting; and each by itself for the page."""
        photos = self._judge.photos
        every = max(1, len(photos) // _PHOTOS)
        shown = list(zip(photos, painted, strict=True))[::every][:_PHOTOS]
        for number, (photo, painting) in enumerate(shown, 1):
            folder = self._run / SAMPLES / f"photo_{number}"
            if not (folder / "photo.jpg").exists():
                write_atomic(folder / "photo.jpg", encode_jpeg(photo))
            write_atomic(sample_file(folder, step), encode_jpeg(painting))
        rows: list[list[Picture | None]] = [
            [picture for pair in shown[first : first + _BESIDE] for picture in pair]
            for first in range(0, len(shown), _BESIDE)
        ]
        columns = ["photo", f"step {step:,}"] * min(_BESIDE, len(shown))
        return sheet([[*row, *[None] * (len(columns) - len(row))] for row in rows], columns)
