"""What one can choose on the page: models to paint with, pages to look at.

The browser names them by keys; no request names a file.
"""

from dataclasses import dataclass
from pathlib import Path

from animegan import painter as painters
from animegan.errors import CheckpointError
from animegan.painter import Painter, find_model, trained_runs
from animegan.run import PAGE
from animeprep.dataset import REPORT
from animeprep.files import sha256


@dataclass(frozen=True)
class Choice:
    """A file, and what the page calls it.

    Attributes:
        label: plain text.
        file: where it is.
        key: 16 hexadecimal digits.
    """

    label: str
    file: Path

    @property
    def key(self) -> str:
        """Made of where it is."""
        return sha256(str(self.file.absolute()).encode(errors="surrogateescape"))[:16]


class Models:
    """The named model and the runs, and a painter for each that was asked for.

    Args:
        model: as `--model` has it; the first choice.
        device: where to compute, as `--device` has it.

    Raises:
        CheckpointError: there is nothing to paint with, or the model cannot be used.
    """

    def __init__(self, model: Path | None, device: str) -> None:
        self._device = device
        file = find_model(model)
        self._named = [] if model is None else [Choice(model.name, file)]
        self._painters: dict[str, tuple[int, Painter]] = {}
        for choice in self._named:
            self.painter(choice.key)

    def choices(self) -> list[Choice]:
        """The named model, then the runs, the newest first."""
        runs = [Choice(run.name, find_model(run)) for run in trained_runs()]
        named = {choice.key for choice in self._named}
        return [*self._named, *(run for run in runs if run.key not in named)]

    def painter(self, key: str) -> Painter:
        """The painter of a choice; loaded anew where training has gone on since.

        Raises:
            CheckpointError: it is gone, or cannot be used.
        """
        choice = next((one for one in self.choices() if one.key == key), None)
        if choice is None:
            raise CheckpointError(painters.RUNS, "that model is gone", "reload the page")
        changed = choice.file.stat().st_mtime_ns
        if self._painters.get(key, (None,))[0] != changed:
            self._painters[key] = changed, Painter.load(choice.file, device=self._device)
        return self._painters[key][1]


def find_pages(dataset: Path) -> list[Choice]:
    """The dataset's report and the pages of runs, as far as they are there."""
    reports = [Choice(f"Report: {dataset.name}", dataset / REPORT)]
    runs = sorted(painters.RUNS.glob(f"*/{PAGE}"), key=lambda page: (-page.stat().st_mtime, page))
    pages = [*reports, *(Choice(f"Training: {page.parent.name}", page) for page in runs)]
    return [page for page in pages if page.file.is_file()]
