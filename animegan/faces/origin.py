"""Which faces a run learned from, kept in its folder, so that nobody need say it again.

runs/<name>/faces.json    the set, and how it was read
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from animegan.checkpoint import read_header
from animegan.errors import CheckpointError, TrainingError
from animegan.faces.collection import fingerprint
from animegan.faces.reading import Collected, read_faces
from animegan.faces.settings import Reading
from animegan.run import write_json
from animegan.state import DATASET
from animeprep.settings import Settings

FILE = "faces.json"
#: What helps where faces are not split as they were for training.
AS_ITS_RUN = "read them as its run did (--held-out, --split-seed, the policies)"


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
        CheckpointError: the generator learned from other faces than those left to training now.
        TrainingError: nobody says where the set is.
        DatasetError: as `read_faces`.
    """
    origin = _origin(weights)
    source = source or (origin.source if origin else None)
    if source is None:
        raise TrainingError(weights, "does not say what it learned from", "name the set: --data")
    kept = origin.reading.model_dump() if origin else {}
    faces = read_faces(source, Reading(**(kept | dict(given))))
    learned = read_header(weights).recipe.get(DATASET)
    if learned not in {None, fingerprint(faces.train, faces.held_out)}:
        raise CheckpointError(
            weights,
            "learned from other faces than those that are left to training here",
            AS_ITS_RUN,
        )
    return faces


def _origin(weights: Path) -> _Origin | None:
    for folder in weights.resolve().parents[:2]:
        try:
            return _Origin.model_validate(json.loads((folder / FILE).read_bytes()))
        except (OSError, ValueError, RecursionError):
            continue
    return None
