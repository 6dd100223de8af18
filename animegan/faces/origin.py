"""Which faces a run learned from, kept in its folder, so that nobody need say it again.

runs/<name>/faces.json    the set, and how it was read
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from animegan.errors import TrainingError
from animegan.faces.reading import Collected, read_faces
from animegan.faces.settings import Reading
from animegan.run import write_json
from animeprep.settings import Settings

FILE = "faces.json"


class _Origin(Settings):
    """What the file holds."""

    source: Path
    reading: Reading


def remember(run: Path, collected: Collected) -> None:
    """Write into a run's folder where its faces are from.

    Raises:
        OutputError: it cannot be written.
    """
    origin = _Origin(source=collected.source.resolve(), reading=collected.reading)
    write_json(run / FILE, origin.model_dump(mode="json"))


def read_again(weights: Path, source: Path | None, given: Mapping[str, Any]) -> Collected:
    """The faces that a generator's run learned from.

    Args:
        weights: the generator; those of single steps lie a folder below their run's.
        source: the set, where it is not where the run found it.
        given: settings of `Reading` that differ from the run's.

    Raises:
        TrainingError: nobody says where the set is.
        DatasetError: as `read_faces`.
    """
    origin = _origin(weights)
    source = source or (origin.source if origin else None)
    if source is None:
        raise TrainingError(weights, "does not say what it learned from", "name the set: --data")
    kept = origin.reading.model_dump() if origin else {}
    return read_faces(source, Reading(**(kept | dict(given))))


def _origin(weights: Path) -> _Origin | None:
    for folder in weights.resolve().parents[:2]:
        try:
            return _Origin.model_validate_json((folder / FILE).read_bytes())
        except (OSError, ValidationError):
            continue
    return None
