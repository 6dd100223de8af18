"""The light of a set: which crop comes from which picture, shot and film, and how bright those are.

What `crop` recorded of a frame is taken from its records; the rest is measured. Crops dropped in
by hand stand for themselves.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import joblib

from animeprep.dataset import CROPS, Dataset
from animeprep.errors import DatasetError, PictureError
from animeprep.exposure.tones import Scene
from animeprep.folders import workers_for
from animeprep.images import read_rgb
from animeprep.light import Light, measure, merge
from animeprep.records import Record


@dataclass(frozen=True)
class Survey:
    """The light of a set.

    Attributes:
        origin: crop → the frame it was cut from, or itself; without those that cannot be read.
        scenes: by origin, in order of name.
        films: the light of each film; a picture of no film is one of its own.
    """

    origin: dict[str, str]
    scenes: dict[str, Scene]
    films: list[Light]


def survey(dataset: Dataset, crops: Sequence[Path], *, histograms: bool) -> Survey:
    """Look at the light of all pictures that crops were cut from.

    Args:
        dataset: the folder.
        crops: the pictures in `crops/`.
        histograms: measure black, white and counts, too, which records do not have.

    Raises:
        DatasetError: no crop can be read.
    """
    names = [dataset.file_name(path) for path in crops]
    records = dataset.records("crop").named()
    cut = {name: records[name] for name in names if "log_average" in records.get(name, {})}
    if histograms:
        lights = _measured(dataset, sorted({record["source"] for record in cut.values()}))
    else:
        lights = {record["source"]: _recorded(record) for record in cut.values()}
    origin = {name: r["source"] for name, r in cut.items() if r["source"] in lights}
    own = _measured(dataset, [name for name in names if name not in origin])
    origin |= {name: name for name in own}
    lights |= own
    if not lights:
        raise DatasetError(dataset.root / CROPS, "no picture here can be read", "make them anew")
    return _grouped(dataset, origin, lights)


def _recorded(record: Record) -> Light:
    return Light(max(1e-4, record["log_average"]), record["peak"])


def _measured(dataset: Dataset, names: Sequence[str]) -> dict[str, Light]:
    """The light of those that can be read; the driver records the others as failed."""
    look = joblib.delayed(_look)
    pool = joblib.Parallel(n_jobs=workers_for(len(names)), prefer="threads")
    found = pool(look(dataset.path(name)) for name in names)
    return {name: light for name, light in zip(names, found, strict=True) if light is not None}


def _look(path: Path) -> Light | None:
    cv2.setNumThreads(1)
    try:
        return measure(read_rgb(path))
    except PictureError:
        return None


def _grouped(dataset: Dataset, origin: dict[str, str], lights: dict[str, Light]) -> Survey:
    frames = dataset.records("frames").named()
    shot_of: dict[str, Hashable] = {}
    film_of: dict[str, Hashable] = {}
    for name in lights:
        record = frames.get(name, {})
        film = record.get("film_id")
        film_of[name] = (film,) if film else name
        shot_of[name] = (film, record["shot"]) if film and "shot" in record else name
    shots, films = _merged(shot_of, lights), _merged(film_of, lights)
    scenes = {
        name: Scene(lights[name], shots[shot_of[name]], films[film_of[name]])
        for name in sorted(lights)
    }
    return Survey(origin, scenes, list(films.values()))


def _merged(group_of: dict[str, Hashable], lights: dict[str, Light]) -> dict[Hashable, Light]:
    groups: dict[Hashable, list[Light]] = defaultdict(list)
    for name in sorted(lights):
        groups[group_of[name]].append(lights[name])
    return {group: merge(members) for group, members in groups.items()}
