"""Files in, painted files out: pictures, folders with their subfolders, and patterns.

Reading, painting and writing overlap; pictures are painted one after the other.
"""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import cv2
import numpy as np
from pydantic import Field

from animegan.errors import PaintingError
from animegan.finish import beside, blend, keep_colours
from animegan.painter import Painter
from animegan.photo import FORMATS, Encoding, Photo, decode, encode
from animegan.tensors import Pixels
from animeprep.errors import InputError, PictureError, UsageError
from animeprep.files import write_atomic
from animeprep.folders import FAILED, MADE, Summary
from animeprep.images import list_images, read_bytes
from animeprep.progress import Advance, progress
from animeprep.settings import Settings

#: Counts: pictures that did not fit into memory whole, and of which only the first was painted.
IN_TILES, ANIMATED = "in tiles", "the first of an animation"
#: Reads standard input, writes standard output.
PIPE = Path("-")

_SAME = {".jpeg": "jpg", ".tif": "tiff", **{f".{suffix}": suffix for suffix in FORMATS}}
#: Photos read ahead, and paintings waiting to be written.
_AHEAD = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


class PaintSettings(Settings):
    """How pictures are painted and written."""

    max_side: int | None = Field(default=None, ge=8)
    """longer side of a painting, pixels; larger photos are scaled down before"""
    strength: float = Field(default=1.0, ge=0, le=1)
    """share of the painting, the rest is the photo"""
    keep_colours: bool = False
    """keep the photo's colours and brightness, take lines and areas from the painting"""
    compare: bool = False
    """put the photo to the left of the painting"""
    format: Literal["jpg", "png", "webp", "tiff", "avif"] | None = None
    """format of the files; by default the photo's, or PNG where it cannot be written"""
    quality: int = Field(default=95, ge=1, le=100)
    """quality of JPEG, WebP and AVIF"""
    suffix: str = Field(default="", pattern=r"^[^/\\]*$")
    """text added to the files' names"""
    mark: bool = True
    """say in the metadata that a network painted it"""


class Job(NamedTuple):
    """One picture to paint."""

    source: Path
    target: Path


def stylize(
    inputs: list[Path],
    out: Path,
    painter: Painter,
    settings: PaintSettings | None = None,
    *,
    dry_run: bool = False,
) -> Summary:
    """Paint pictures, and folders of pictures with their subfolders.

    Args:
        inputs: pictures, folders, patterns like `trip/*.jpg`, or `-` for standard input.
        out: a folder; for a single picture also a file, or `-` for standard output.
        painter: paints.
        settings: how.
        dry_run: count only.

    Returns:
        Counts; a broken picture is a problem and the others go on.

    Raises:
        InputError: an input is missing, or would be overwritten.
        UsageError: several inputs for one file.
        OutputError: a picture cannot be written.
    """
    settings = settings or PaintSettings()
    summary = Summary("stylize", dry_run=dry_run)
    jobs = find_jobs(inputs, out, settings)
    if dry_run:
        summary.figures = painter.described()
        summary.counts["to do"] = len(jobs)
        return summary
    painter.prepare()
    summary.figures = painter.described()
    with (
        ThreadPoolExecutor(_AHEAD) as readers,
        ThreadPoolExecutor(_AHEAD) as writers,
        progress("stylize", len(jobs)) as advance,
    ):
        writing: deque[Future[None]] = deque()
        for job, reading in zip(jobs, _ahead(readers, _read, jobs), strict=True):
            try:
                photo = scaled(reading.result(), settings.max_side)
                painted = _paint(painter, photo, settings, job, summary, advance)
            except (PictureError, PaintingError) as error:
                _fail(summary, error)
            else:
                writing.append(writers.submit(_write, job, photo, painted, settings))
            while len(writing) > _AHEAD:
                _settle(summary, writing.popleft())
            advance()
        for written in writing:
            _settle(summary, written)
    summary.figures["to"] = str(out)
    return summary


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Future[Result]]:
    """The function of each item, in order, begun a little before it is asked for."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > _AHEAD:
            yield waiting.popleft()
    yield from waiting


def _read(job: Job) -> Photo:
    if job.source == PIPE:
        return decode(sys.stdin.buffer.read(), "standard input")
    return decode(read_bytes(job.source), job.source)


def scaled(photo: Photo, max_side: int | None) -> Photo:
    """A photo that is no larger than asked for; its opacity follows when it is written."""
    height, width = photo.pixels.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return photo
    scale = max_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smaller = cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)
    return replace(photo, pixels=smaller)


def _paint(
    painter: Painter,
    photo: Photo,
    settings: PaintSettings,
    job: Job,
    summary: Summary,
    advance: Advance,
) -> Pixels:
    """Paint and finish, and count what is not as usual.

    Raises:
        PaintingError: there is no room for it.
    """
    in_tiles: list[float] = []

    def tell(share: float) -> None:
        in_tiles.append(share)
        advance(f"{job.source.name} in tiles: {share:.0%}", 0)

    try:
        painted = painter.paint(photo.pixels, advance=tell)
    except PaintingError as error:
        raise PaintingError(job.source, f"{error.path}: {error.problem}", error.remedy) from error
    summary.reasons += Counter({IN_TILES: bool(in_tiles), ANIMATED: photo.animated})
    return finished(photo, painted, settings)


def finished(photo: Photo, painted: Pixels, settings: PaintSettings) -> Pixels:
    """What the settings ask for is done to the network's painting of a photo."""
    if settings.keep_colours:
        painted = keep_colours(photo.pixels, painted)
    painted = blend(photo.pixels, painted, settings.strength)
    return beside(photo.pixels, painted) if settings.compare else painted


def encoded(photo: Photo, painted: Pixels, settings: PaintSettings, target: Path) -> bytes:
    """The bytes of a painting's file.

    Args:
        photo: what was painted, `scaled`.
        painted: `finished`.
        settings: the same as there.
        target: its suffix says the format, unless the settings do.

    Raises:
        PaintingError: the format cannot hold it.
    """
    suffix = settings.format or _SAME.get(target.suffix.lower(), "png")
    encoding = Encoding(FORMATS[suffix], settings.quality, settings.mark)
    if settings.compare and photo.alpha is not None:
        photo = replace(photo, alpha=np.hstack([photo.alpha, photo.alpha]))
    try:
        return encode(photo, painted, encoding)
    except ValueError as error:
        raise PaintingError(target, str(error), "say --format png") from error


def _write(job: Job, photo: Photo, painted: Pixels, settings: PaintSettings) -> None:
    data = encoded(photo, painted, settings, job.target)
    if job.target == PIPE:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        write_atomic(job.target, data)


def _settle(summary: Summary, written: Future[None]) -> None:
    try:
        written.result()
        summary.counts[MADE] += 1
    except PaintingError as error:
        _fail(summary, error)


def _fail(summary: Summary, error: InputError) -> None:
    summary.counts[FAILED] += 1
    summary.problems.append(str(error))


def find_jobs(inputs: list[Path], out: Path, settings: PaintSettings) -> list[Job]:
    """Source and target of every picture; subfolders are kept.

    Raises:
        InputError: an input is missing or empty, or a target would overwrite its source.
        UsageError: one file for several pictures.
    """
    found = [pair for path in expanded(inputs) for pair in _inside(path, out)]
    if out == PIPE or out.suffix.lower() in _SAME:
        if len(inputs) != 1 or len(found) != 1 or inputs[0].is_dir():
            raise UsageError(f"{out} is one file; name a folder for several pictures")
        return [_checked(Job(found[0][0], out))]
    jobs: list[Job] = []
    taken: set[Path] = set()
    for source, name in found:
        target = out / named(name, settings)
        if target in taken:  # a.jpg and a.png beside each other: the second keeps its whole name
            target = target.with_name(f"{name.name}{target.suffix}")
        taken.add(target)
        jobs.append(_checked(Job(source, target)))
    return jobs


def expanded(inputs: Iterable[Path]) -> list[Path]:
    """Inputs with the files that match in place of patterns.

    Raises:
        InputError: there is no such file.
    """
    found: list[Path] = []
    for path in inputs:
        matching = [path]
        if path != PIPE and not path.exists():
            matching = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not matching:
            raise InputError(path, "there is no such file", "check the name")
        found += matching
    return found


def _checked(job: Job) -> Job:
    if job.source != PIPE and job.target.resolve() == job.source.resolve():
        raise InputError(job.source, "would be overwritten", "name another folder with -o")
    return job


def named(name: Path, settings: PaintSettings) -> Path:
    """What a photo's painting is called."""
    suffix = settings.format or _SAME.get(name.suffix.lower(), "png")
    same = _SAME.get(name.suffix.lower()) == suffix
    return name.with_name(f"{name.stem}{settings.suffix}{name.suffix if same else '.' + suffix}")


def _inside(path: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures of an input, each with its name below the output folder."""
    if path == PIPE:
        yield path, Path("painted.png")
    elif path.is_dir():
        yield from _in_folder(path, out)
    else:
        yield path, Path(path.name)


def _in_folder(folder: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """All but the paintings themselves, should they lie inside."""
    paintings = out.resolve()
    found = [
        picture
        for picture in list_images(folder, recursive=True)
        if paintings == folder.resolve() or not picture.resolve().is_relative_to(paintings)
    ]
    if not found:
        raise InputError(folder, "there are no pictures in this folder", "films are named singly")
    for picture in found:
        yield picture, picture.relative_to(folder)
