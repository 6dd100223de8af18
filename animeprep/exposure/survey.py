"""The light of a set: which crop comes from which picture, shot and film, and how bright those are.

What `crop` recorded of a frame is taken from its records; the rest is measured once, and kept in
`light.jsonl` for as long as it is needed. Crops dropped in by hand stand for themselves.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import joblib

from animeprep.dataset import CROPS, Dataset
from animeprep.errors import DatasetError, PictureError
from animeprep.exposure.tones import Scene
from animeprep.files import sha256, writing
from animeprep.folders import MADE, workers_for
from animeprep.images import decode_rgb, read_bytes
from animeprep.light import Light, measure, merge
from animeprep.records import Record, Records

STORED = "light"
#: What an edited rule of `light.measure` raises, so that pictures are measured again.
_VERSION = "1"


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


def survey(
    dataset: Dataset, crops: Sequence[Path], *, histograms: bool, dry_run: bool = False
) -> Survey:
    """Look at the light of all pictures that crops were cut from.

    Args:
        dataset: the folder.
        crops: the pictures in `crops/`.
        histograms: measure black, white and counts, too, which crops' records do not have.
        dry_run: record nothing.

    Raises:
        DatasetError: no crop can be read.
        OutputError: the records cannot be written.
    """
    names = [dataset.file_name(path) for path in crops]
    records = dataset.records("crop").named()
    cut = {name: records[name] for name in names if "log_average" in records.get(name, {})}
    known = dataset.records(STORED)
    frames = {record["source"]: record for record in cut.values()}
    if histograms:
        frames = _measured(dataset, sorted(frames), known)
    origin = {name: r["source"] for name, r in cut.items() if r["source"] in frames}
    own = _measured(dataset, [name for name in names if name not in origin], known)
    origin |= {name: name for name in own}
    if not origin:
        raise DatasetError(dataset.root / CROPS, "no picture here can be read", "make them anew")
    if not dry_run:
        _keep(known, {**frames, **own} if histograms else own)
    lights = {name: _light(record) for name, record in {**frames, **own}.items()}
    return _grouped(dataset, origin, lights)


def _light(record: Record) -> Light:
    """As recorded by `crop`, or here with all that there is to know."""
    return Light(
        max(1e-4, record["log_average"]),
        record["peak"],
        tuple(record.get("counts", ())),
        record.get("black", 0.0),
        record.get("white", 1.0),
    )


def _measured(dataset: Dataset, names: Sequence[str], known: Records) -> dict[str, Record]:
    """The light of those that can be read; the driver records the others as failed."""
    look = joblib.delayed(_look)
    pool = joblib.Parallel(n_jobs=workers_for(len(names)), prefer="threads")
    found = pool(look(name, dataset.path(name), known.of(name)) for name in names)
    return {name: record for name, record in zip(names, found, strict=True) if record}


def _look(name: str, path: Path, known: list[Record]) -> Record | None:
    cv2.setNumThreads(1)
    try:
        data = read_bytes(path)
        basis = {"source_sha256": sha256(data), "settings": _VERSION}
        if known and all(known[0].get(key) == value for key, value in basis.items()):
            return known[0]
        light = measure(decode_rgb(data, path))
    except PictureError:
        return None
    return {"file_name": name, "status": MADE, **basis, **asdict(light)}


def _keep(known: Records, measured: dict[str, Record]) -> None:
    """Write what was measured, and nothing else; no file where that is nothing."""
    if not measured:
        with writing(known.path):
            known.path.unlink(missing_ok=True)
        return
    for name in set(known.sources()) - set(measured):
        known.drop(name)
    for name, record in measured.items():
        known.update(name, [record])
    known.tidy()


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
