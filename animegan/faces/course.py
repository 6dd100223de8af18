"""Drawing faces for words, as something to learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from animegan.course import Course, Exhibit, Look, Standing
from animegan.faces.batches import FaceBatch, FaceBatches
from animegan.faces.collection import Faces, fingerprint
from animegan.faces.evaluation import FEWEST, conditions_of, drawn_like, grid_words, some_of
from animegan.faces.examiner import Examiner
from animegan.faces.looks import look
from animegan.faces.measures import accuracy, both, diversity, joint_distance
from animegan.faces.run_page import write_face_page
from animegan.faces.sampling import Sampler
from animegan.faces.trainer import FaceTrainer
from animegan.faces.verdict import alarms, choose
from animegan.faces.words import UNSAID, Words
from animegan.learner import Terms
from animegan.measures.interval import Interval
from animegan.plan import Plan
from animegan.run import Line
from animegan.sheets import sheet
from animegan.verdict import Choice
from animeprep.boxes import Picture
from animeprep.page import Section

#: Held-out faces that are measured against, at most; so many faces are drawn.
_MEASURED = 500
#: Seeds from here on are nobody's: no other measure may see the faces that chose the best step.
_NOISE = 2**32
#: Words and faces of each on a sheet, and the side of one, pixels.
_GRID, _SIDE = 5, 96


@dataclass(frozen=True)
class Lessons:
    """What a generator of faces learns from, and is examined by.

    Attributes:
        train: faces to learn from.
        held_out: faces that drawn ones are measured against.
        examiner: sees colours and features; no generator is trained against it.
        sections: of the run's page, on the classifiers.
    """

    train: Faces
    held_out: Faces
    examiner: Examiner
    sections: Sequence[Section] = ()


class FaceCourse(Course[FaceBatch]):
    """What a trainer of faces learns from tagged faces."""

    def __init__(self, trainer: FaceTrainer, lessons: Lessons) -> None:
        self._trainer = trainer
        self._lessons = lessons

    @property
    def trainer(self) -> FaceTrainer:
        """What learns."""
        return self._trainer

    def fingerprint(self) -> str:
        """Of the faces, held-out ones included."""
        return fingerprint(self._lessons.train, self._lessons.held_out)

    def batches(self) -> FaceBatches:
        """From where the trainer stands."""
        trainer = self._trainer
        return FaceBatches(
            self._lessons.train, trainer.recipe, trainer.device, start=trainer.step_done
        )

    def learn(self, batch: FaceBatch, length: Plan) -> Terms:
        """A step of D and of G."""
        return self._trainer.step(batch, length.progress(self._trainer.step_done))

    def exhibit(self, run: Path) -> "FaceExhibit":
        """Faces drawn for the words of held-out ones; they need no file of the run's."""
        del run
        return FaceExhibit(self._trainer, self._lessons)

    def write_page(self, run: Path, standing: Standing) -> None:
        """Write the page of faces, measures and losses."""
        write_face_page(run, self._trainer.recipe, standing, self._lessons.sections)


class FaceExhibit(Exhibit):
    """Faces drawn for the words of held-out faces, always with the same noise.

    Args:
        trainer: whose generator draws.
        lessons: the held-out faces and the examiner.
    """

    def __init__(self, trainer: FaceTrainer, lessons: Lessons) -> None:
        self._trainer, self._examiner = trainer, lessons.examiner
        held_out = lessons.held_out
        said = np.flatnonzero((held_out.hair != UNSAID) & (held_out.eyes != UNSAID))
        self._real = some_of(held_out.take(said), _MEASURED)
        self._grid = grid_words(lessons.train, _GRID)
        enough = len(self._real) >= FEWEST
        self._seen = look(self._examiner, self._real.pictures, trainer.device) if enough else None

    def look(self, step: int) -> Look:
        """Draw, let the examiner see it, and draw the sheet."""
        del step
        trainer = self._trainer
        sampler = Sampler(trainer.painter, trainer.device, _NOISE + trainer.recipe.seed)
        return Look(self._measures(sampler), self._sheet(sampler))

    def _measures(self, sampler: Sampler) -> dict[str, list[float]]:
        if self._seen is None:
            return {}
        real, words = self._real, both(self._real.hair, self._real.eyes)
        seen = look(self._examiner, drawn_like(self._real, sampler), self._trainer.device)
        condition = conditions_of(real)
        found: dict[str, Interval | None] = {
            "hair": accuracy(seen.hair, real.hair).right,
            "eyes": accuracy(seen.eyes, real.eyes).right,
            "both": accuracy(both(seen.hair, seen.eyes), words).right,
            "distance": joint_distance(
                seen.all_features,
                condition,
                self._seen.all_features,
                condition,
            ),
            "diversity": diversity(seen.features, words, self._seen.features, words),
        }
        return {name: list(one) for name, one in found.items() if one is not None}

    def _sheet(self, sampler: Sampler) -> Picture:
        """A column for each of five words, five faces below, of the same noise in a row."""
        points = [sampler.point(word, number, noise_of=Words())
                  for number in range(_GRID) for word in self._grid]  # fmt: skip
        faces = list(sampler.draw(points))
        rows = [
            faces[first : first + len(self._grid)]
            for first in range(0, len(faces), len(self._grid))
        ]
        return sheet(rows, [str(word) for word in self._grid], _SIDE)

    def choose(self, lines: Sequence[Line]) -> Choice:
        """By the joint distance: `verdict.choose`."""
        return choose(lines)

    def alarms(self, lines: Sequence[Line]) -> list[str]:
        """As `verdict.alarms` tells."""
        counts = {name: np.bincount(self._real.places(name)) for name in ("hair", "eyes")}
        shares = {name: some.max() / some.sum() for name, some in counts.items() if some.size}
        return alarms(lines, shares)
