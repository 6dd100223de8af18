"""What lies over the pictures of a film, from a sample of them, and over one: `overlays.jsonl`.

Which pictures are looked at is drawn by their names, so that one picture more replaces at most one
of the sample. It may still change what is found, and with it that film's crops.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import cv2
import joblib

from animeprep.boxes import Box, Picture
from animeprep.dataset import Dataset
from animeprep.errors import PictureError
from animeprep.files import sha256
from animeprep.folders import MADE, workers_for
from animeprep.images import decode_rgb, read_bytes, scale_short_side, to_gray
from animeprep.lettering import lettering
from animeprep.overlays import (
    constant_areas,
    dark_borders,
    grown,
    scaled_box,
    scenes_of,
    subtitle_rows,
)
from animeprep.records import Record

STAGE = "overlays"
#: Pictures are looked at, and boxes recorded, at this short side, pixels.
SHORT_SIDE = 360
#: Pictures of a film that are looked at.
SAMPLE = 24
#: Areas end on multiples of this, so that another sample hardly changes them, pixels.
_GRID = 8
#: Pictures with a long side of more short sides are strips and no film's: scaled, they are huge.
_LONGEST = 16
#: What an edited rule of this file or of `overlays` raises, so that films are looked at again.
_VERSION = 2

_FRAME_NAME = re.compile(r"(.+)_\d{7}")


def find_overlays(pictures: list[Picture]) -> list[Box]:
    """What lies over the pictures of a film: constant areas, dark borders, rows of subtitles.

    Args:
        pictures: uint8 RGB H×W×3, all of one size, of short side `SHORT_SIDE`.

    >>> import numpy as np
    >>> find_overlays([np.full((360, 640, 3), 99, np.uint8)])
    []
    """
    if not pictures:
        return []
    grays = [to_gray(picture) for picture in pictures]
    scenes = scenes_of(grays)
    firsts = [gray for position, gray in enumerate(grays) if scenes[position] == position]
    lines = [lettering(picture) for picture in pictures]
    shape = grays[0].shape
    areas = [*constant_areas(firsts), *subtitle_rows(lines, scenes, shape)]
    return [*(scaled_box(area, 1, shape, _GRID) for area in areas), *dark_borders(grays)]


def overlays_in(picture: Picture, scaled: Picture, of_film: Sequence[Box] | None) -> list[Box]:
    """What lies over one picture: what lies over its film, and lines of text.

    Args:
        picture: uint8 RGB H×W×3; thin bars are lost when it is scaled.
        scaled: the same, scaled.
        of_film: boxes from `overlays_of_films`; None for a still, whose own bars count.

    Returns:
        Boxes in the scaled picture.
    """
    short = min(scaled.shape[:2])
    lines = [grown(line, line.height // 2, scaled.shape) for line in lettering(scaled)]
    if of_film is not None:
        return [*lines, *(scaled_box(box, short / SHORT_SIDE, scaled.shape) for box in of_film)]
    scale = short / min(picture.shape[:2])
    borders = dark_borders([to_gray(picture)])
    return [*lines, *(scaled_box(box, scale, scaled.shape) for box in borders)]


def overlays_of_films(
    dataset: Dataset, frames: list[Path], *, dry_run: bool = False
) -> dict[str, tuple[Box, ...]]:
    """Look at a sample of each film, unless the records know these pictures already.

    Args:
        dataset: whose frames they are.
        frames: those that dedup kept.
        dry_run: record nothing.

    Returns:
        Frame's name in records → boxes at the short side `SHORT_SIDE`; stills, which belong to no
        film, are left out.

    Raises:
        OutputError: the records cannot be written.
    """
    films = _films(dataset, frames)
    records = dataset.records(STAGE)
    look = joblib.delayed(_look)
    pool = joblib.Parallel(n_jobs=workers_for(len(frames)), prefer="threads")
    looked = pool(look(film, paths, records.of(film)) for film, paths in films.items())
    for film in set(records.sources()) - set(films):
        records.drop(film)
    found: dict[str, tuple[Box, ...]] = {}
    for record in looked:
        film = record["file_name"]
        records.update(film, [record])
        boxes = tuple(Box(top, left, height, width) for left, top, width, height in record["boxes"])
        found |= dict.fromkeys(map(dataset.file_name, films[film]), boxes)
    if not dry_run and (films or records.path.exists()):
        records.tidy()
    return found


def _films(dataset: Dataset, frames: list[Path]) -> dict[str, list[Path]]:
    """The frames of each film."""
    films: dict[str, list[Path]] = defaultdict(list)
    records = dataset.records("frames").named()
    for path in sorted(frames):
        name = dataset.file_name(path)
        pattern = _FRAME_NAME.fullmatch(PurePosixPath(name).stem)
        film = records.get(name, {}).get("film_id") or (pattern[1] if pattern else None)
        if film:
            films[film].append(path)
    return films


def _look(film: str, paths: list[Path], known: list[Record]) -> Record:
    """The record of a film: boxes [left, top, width, height] in pictures of `short_side`."""
    cv2.setNumThreads(1)
    drawn = sorted(paths, key=_draw)[:SAMPLE]
    files = [(path, data) for path in sorted(drawn) if (data := _bytes(path))]
    digests = "".join(sha256(data) for _, data in files)
    digest = sha256(f"{_VERSION} {digests}".encode())
    if known and known[0].get("source_sha256") == digest:
        return known[0]
    pictures = _one_size([picture for file in files if (picture := _picture(*file)) is not None])
    boxes = find_overlays(pictures)
    return {
        "file_name": film,
        "status": MADE,
        "source_sha256": digest,
        "pictures": len(pictures),
        "short_side": SHORT_SIDE,
        "boxes": [[box.left, box.top, box.width, box.height] for box in boxes],
    }


def _draw(path: Path) -> str:
    """What decides whether a picture is looked at; a name that is no UTF-8 keeps its bytes."""
    return sha256(path.name.encode(errors="surrogateescape"))


def _bytes(path: Path) -> bytes:
    """A file's bytes; none of a file that the stage will find missing or closed, and record."""
    try:
        return read_bytes(path)
    except PictureError:
        return b""


def _picture(path: Path, data: bytes) -> Picture | None:
    """A picture scaled; None of a strip, and of a broken one, which the stage will record."""
    try:
        picture = decode_rgb(data, path)
    except PictureError:
        return None
    short, long = sorted(picture.shape[:2])
    return scale_short_side(picture, SHORT_SIDE) if long <= _LONGEST * short else None


def _one_size(pictures: list[Picture]) -> list[Picture]:
    """Those of the commonest size; pictures changed by hand may have another."""
    sizes = Counter(picture.shape for picture in pictures)
    return [one for one in pictures if one.shape == max(sizes, key=lambda s: (sizes[s], s))]
