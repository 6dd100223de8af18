"""The painted parts of a film, in a folder beside it, until all are there."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from animegan.errors import PaintingError
from animegan.films.plan import Part
from animeprep.files import locked, write_atomic, writing

_PLAN, _DRAFT = "plan.txt", ".draft.nut"


class Parts:
    """A folder of parts; each file's name tells its first picture, and when that is shown.

    Args:
        folder: it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextlib.contextmanager
    def opened(cls, film: Path, plan: str) -> Iterator["Parts"]:
        """The parts of a film that is being painted; nobody else may paint it meanwhile.

        Args:
            film: the file that they will be.
            plan: what they depend on; those made by another plan are removed.

        Raises:
            PaintingError: it is being painted by another run.
            OutputError: the folder cannot be written.
        """
        folder = film.with_name(f"{film.name}.parts")
        remedy = "wait, or name another file with -o"
        with locked(folder, PaintingError(film, "another run is painting it", remedy)):
            parts = cls(folder)
            parts._follow(plan)
            yield parts

    def _follow(self, plan: str) -> None:
        file = self.folder / _PLAN
        if not file.exists() or file.read_text() != plan:
            for path in self.folder.glob("*.nut"):
                path.unlink()
            write_atomic(file, plan.encode())

    @property
    def draft(self) -> Path:
        """Where a part is written."""
        return self.folder / _DRAFT

    def keep(self, part: Part, seconds: float) -> None:
        """Take the draft for a part whose first picture is shown then."""
        with writing(self.folder):
            self.draft.replace(self.folder / f"{part.first:08d}_{round(seconds * 1e6):012d}.nut")

    def has(self, part: Part) -> bool:
        """Whether a part is there."""
        return any(self.folder.glob(f"{part.first:08d}_*.nut"))

    def listed(self, start: float = 0.0) -> list[tuple[Path, float]]:
        """All that are there in order, and how many seconds after `start` each begins."""
        found = sorted(self.folder.glob("[0-9]*_*.nut"))
        return [(path, int(path.stem.split("_")[1]) / 1e6 - start) for path in found]

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
