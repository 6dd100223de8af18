"""Files in, painted files out: pictures, and folders with their subfolders."""

from collections.abc import Iterator
from pathlib import Path

from animegan.errors import PaintingError
from animegan.painter import Painter
from animeprep.boxes import Picture
from animeprep.errors import InputError, PictureError, UsageError
from animeprep.files import write_atomic
from animeprep.folders import FAILED, MADE, Summary
from animeprep.images import encode_jpeg, encode_png, list_images, read_rgb
from animeprep.progress import progress

#: A count: pictures that did not fit into memory whole.
IN_TILES = "in tiles"


def stylize(inputs: list[Path], out: Path, painter: Painter, *, dry_run: bool = False) -> Summary:
    """Paint pictures, and folders of pictures with their subfolders.

    Args:
        inputs: pictures and folders.
        out: a folder; or, for a single picture, a file ending in .png, .jpg or .jpeg.
        painter: paints.
        dry_run: count only.

    Returns:
        Counts; a broken picture is a problem and the others go on.

    Raises:
        InputError: none of the inputs can be used.
        OutputError: a picture cannot be written.
    """
    summary = Summary("stylize", dry_run=dry_run)
    summary.figures = painter.described()
    jobs = list(_jobs(inputs, out))
    if dry_run:
        summary.counts["to do"] = len(jobs)
        return summary
    with progress("stylize", len(jobs)) as advance:
        for source, target in jobs:
            try:
                picture = read_rgb(source)
                if not painter.fits(*picture.shape[:2]):
                    summary.counts[IN_TILES] += 1
                write_picture(target, painter.paint(picture))
                summary.counts[MADE] += 1
            except (PictureError, PaintingError) as error:
                summary.counts[FAILED] += 1
                summary.problems.append(str(error))
            advance()
    summary.figures["to"] = str(out)
    return summary


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture as JPEG or PNG, whichever the name says, atomically."""
    jpeg = path.suffix.lower() in {".jpg", ".jpeg"}
    write_atomic(path, encode_jpeg(picture, 95) if jpeg else encode_png(picture))


def _jobs(inputs: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Source and target of every picture; subfolders are kept.

    Raises:
        InputError: an input is missing or empty, or a target would overwrite its source.
    """
    if out.suffix.lower() in {".png", ".jpg", ".jpeg"}:
        if len(inputs) != 1 or inputs[0].is_dir():
            raise UsageError(f"{out} is one file; name a folder for several pictures")
        wanted = [(_existing(inputs[0]), out)]
    else:
        wanted = [(source, out / name) for path in inputs for source, name in _inside(path)]
    taken: set[Path] = set()
    for source, target in wanted:
        # a.jpg and a.png beside each other: the second keeps its whole name.
        unique = target.with_name(f"{source.name}.png") if target in taken else target
        if unique.resolve() == source.resolve():
            raise InputError(source, "would be overwritten", "name another folder with -o")
        taken.add(unique)
        yield source, unique


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(path, "there is no such file", "check the name")
    return path


def _inside(path: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures of an input, each with the name of its painting below the output folder."""
    if not _existing(path).is_dir():
        yield path, Path(path.with_suffix(".png").name)
        return
    found = list_images(path, recursive=True)
    if not found:
        raise InputError(path, "there are no pictures in this folder", "name another")
    for picture in found:
        yield picture, picture.relative_to(path).with_suffix(".png")
