"""A set of tagged faces, read from a folder or a tar file, told of, and split.

The set is a file of tags (`tags_clean.csv`, `tags.csv`, or the only .csv file there is) with
`faces/<id>.jpg` or `images/<id>.jpg` beside it. Faces become 64×64 by an area filter.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path, PurePosixPath

import numpy as np

from animegan.faces.collection import SIDE, Faces
from animegan.faces.settings import Reading
from animegan.faces.sources import Files, opened
from animegan.faces.split import near_duplicates, repeated, split
from animegan.faces.tags import Said, Tags, parse_tags
from animegan.faces.words import COLOURS, UNSAID
from animeprep.archives import printable
from animeprep.boxes import Picture
from animeprep.errors import DatasetError, PictureError
from animeprep.files import sha256
from animeprep.folders import FAILED, KEPT, SKIPPED, Summary
from animeprep.images import claimed_size, decode_rgb, is_image, resize
from animeprep.progress import progress

_TAGS = ("tags_clean.csv", "tags.csv")
_FOLDERS = ("faces", "images")
#: Faces that memory is taken for, and names that a message gives.
MAX_FACES, _NAMED = 2**18, 3
#: The longest side that is decoded: a small file may claim many times what a face is.
_LARGEST = 4096
_BROKEN = "broken picture"


@dataclass(frozen=True)
class Collected:
    """A set of faces.

    Attributes:
        train: to learn from.
        held_out: of which `train` has no copy, mirrored or not.
        summary: what was kept and left out, and why; the colours' balance.
        source: the set's folder or tar file.
        reading: how it was read.
    """

    train: Faces
    held_out: Faces
    summary: Summary
    source: Path
    reading: Reading


@dataclass
class _Left:
    """What is left out: status and reason → how many, and the names of the first few."""

    source: Path
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    named: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def out_for(self, reason: str, name: str, status: str = SKIPPED) -> None:
        self.counts[status, reason] += 1
        if len(self.named[status, reason]) < _NAMED:
            self.named[status, reason].append(printable(name))

    def all_out_for(self, reason: str, names: Collection[str]) -> None:
        """The first are those in order, numbers by value."""
        first = nsmallest(_NAMED, names, key=_natural)
        for name in first:
            self.out_for(reason, name)
        self.counts[SKIPPED, reason] += len(names) - len(first)

    def tell(self, summary: Summary) -> None:
        """Count all; name the first few."""
        for (status, reason), number in (+self.counts).items():
            summary.counts[status] += number
            summary.reasons[reason] += number
            named = self.named[status, reason]
            more = f" and {number - len(named)} more" if number > len(named) else ""
            summary.problems.append(f"{self.source}: {reason}: {', '.join(named)}{more}")


def read_faces(source: Path, settings: Reading) -> Collected:
    """Read a set of faces and hold some out.

    What cannot be used is left out and told: tags without pictures and the reverse, lines and
    pictures that cannot be read, pictures that are not square, smaller than 64×64 or larger than
    4096×4096, faces that the policies drop, and exact copies of faces before them.

    Args:
        source: a folder or a tar file, which gzip may have made smaller.
        settings: policies and the split.

    Returns:
        The faces ordered by name, numbers by value; the order of files plays no part.

    Raises:
        DatasetError: the source is missing, broken, has no tags, or nothing is left of it.
    """
    left = _Left(source)
    with opened(source) as files:
        for name in files.refused:
            left.out_for("refused file", name)
        tags_name = _find_tags(source, files)
        tags = parse_tags(files.reads[tags_name](), source / printable(tags_name))
        for reason, lines in tags.skipped.items():
            for line in lines:
                left.out_for(reason, f"line {line}")
        pictures = _match(_find_pictures(files, tags_name, left), tags, left)
        wanted = _wanted(pictures, tags, settings, left)
        read = _read(source, files, pictures, wanted, left)
    faces = _without_copies(read, left)
    summary = Summary("faces", Counter(read=len(read)), figures={"tags": printable(tags_name)})
    left.tell(summary)
    if not len(faces):
        told = ", ".join(f"{reason} {number}" for reason, number in summary.reasons.items())
        raise DatasetError(source, f"no face is left ({told or 'no tags'})", "see docs/faces.md")
    with progress("copies", None):
        groups = near_duplicates(faces.pictures)
    train, held_out = (
        faces.take(places)
        for places in split(faces, groups, settings.held_out, settings.split_seed)
    )
    summary.counts[KEPT] = len(faces)
    copies = list(repeated(groups))
    summary.figures |= {
        "train": len(train),
        "held_out": len(held_out),
        "near_duplicate_groups": len(copies),
        "near_duplicates": sum(map(len, copies)),
        **_balance(faces),
    }
    return Collected(train, held_out, summary, source, settings)


def _find_tags(source: Path, files: Files) -> str:
    """The file of tags, at the top or in a folder of it."""
    tables = [PurePosixPath(name) for name in files.reads if name.lower().endswith(".csv")]
    for depth in (1, 2):
        here = [path for path in tables if len(path.parts) == depth]
        if len({path.parent for path in here}) > 1:
            raise DatasetError(source, "several folders in it hold tags", "name one of them")
        known = sorted(
            (path for path in here if path.name in _TAGS), key=lambda p: _TAGS.index(p.name)
        )
        if known or len(here) == 1:
            return (known or here)[0].as_posix()
        if here:
            raise DatasetError(source, "which file holds the tags?", "call it tags.csv")
    raise DatasetError(
        source, "there is no tags.csv or tags_clean.csv", "name a set of tagged faces"
    )


def _find_pictures(files: Files, tags_name: str, left: _Left) -> dict[str, str]:
    """Id → the picture's name in the source."""
    beside = PurePosixPath(tags_name).parent
    found: dict[str, str] = {}
    for name in sorted(files.reads):
        path = PurePosixPath(name)
        if path.parent in {beside / folder for folder in _FOLDERS} and is_image(Path(name)):
            if path.stem in found:
                left.out_for("second picture of an id", name)
            found.setdefault(path.stem, name)
    return found


def _match(found: dict[str, str], tags: Tags, left: _Left) -> dict[str, str]:
    """The pictures that have tags, by id in order."""
    left.all_out_for("picture without tags", found.keys() - tags.said.keys())
    left.all_out_for("tags without picture", tags.said.keys() - found.keys())
    return {name: found[name] for name in sorted(found.keys() & tags.said.keys(), key=_natural)}


def _wanted(
    pictures: Iterable[str], tags: Tags, settings: Reading, left: _Left
) -> dict[str, tuple[int, int]]:
    """Id → hair and eyes, of the faces that the policies keep."""
    wanted: dict[str, tuple[int, int]] = {}
    for name in pictures:
        reason = _dropped(tags.said[name], settings)
        if reason:
            left.out_for(reason, name)
        else:
            hair, eyes = (_place(tags.said[name], attribute) for attribute in COLOURS)
            wanted[name] = (hair, eyes)
    return wanted


def _dropped(said: Said, settings: Reading) -> str:
    for attribute in COLOURS:
        if not said[attribute] and settings.no_colour == "drop":
            return f"no colour of {attribute}"
        if len(said[attribute]) > 1 and settings.several_colours == "drop":
            return f"several colours of {attribute}"
    return ""


def _place(said: Said, attribute: str) -> int:
    colours = said[attribute]
    return COLOURS[attribute].index(min(colours)) if len(colours) == 1 else UNSAID


def _read(
    source: Path,
    files: Files,
    pictures: dict[str, str],
    wanted: dict[str, tuple[int, int]],
    left: _Left,
) -> Faces:
    """Decode and scale, in the order of the archive, then order by name."""
    if len(wanted) > MAX_FACES:
        raise DatasetError(source, f"{len(wanted)} faces are too many", f"keep {MAX_FACES}")
    ids = {pictures[name]: name for name in wanted}
    read: dict[str, Picture] = {}
    with progress("faces", len(ids)) as advance:
        for file_name, content in files.reads.items():
            if file_name in ids:
                name = ids[file_name]
                try:
                    read[name] = _face(content, source / file_name)
                except PictureError as error:
                    left.out_for(_BROKEN, f"{file_name} ({error.problem})", FAILED)
                advance()
    names = tuple(name for name in wanted if name in read)
    stacked = np.array([read[name] for name in names], np.uint8).reshape(-1, SIDE, SIDE, 3)
    words = np.array([wanted[name] for name in names], np.int64).reshape(-1, 2)
    return Faces(names, stacked, words[:, 0].copy(), words[:, 1].copy())


def _face(content: Callable[[], bytes], path: Path) -> Picture:
    """One face, 64×64.

    Raises:
        PictureError: it cannot be read, is not square, too small, or too large.
    """
    data = content()
    width, height = claimed_size(data, path)
    if height != width:
        raise PictureError(path, f"{width}×{height} is not square", "cut it")
    if width < SIDE:
        raise PictureError(path, f"{width}×{height} is too small")
    if width > _LARGEST:
        raise PictureError(path, f"{width}×{height} is too large", "scale it down")
    return resize(decode_rgb(data, path), SIDE, SIDE)


def _without_copies(faces: Faces, left: _Left) -> Faces:
    """Keep the first of pictures that are equal pixel by pixel."""
    first: dict[str, int] = {}
    kept = []
    for place, name in enumerate(faces.names):
        original = first.setdefault(sha256(faces.pictures[place].tobytes()), place)
        if original == place:
            kept.append(place)
            continue
        same = all(
            faces.places(attribute)[place] == faces.places(attribute)[original]
            for attribute in COLOURS
        )
        left.out_for("exact copy" if same else "exact copy with other words", name)
    return faces.take(np.array(kept, np.int64))


def _balance(faces: Faces) -> dict[str, object]:
    """The colours' balance: shares of faces of which a colour is said."""
    figures: dict[str, object] = {}
    missing = []
    for attribute, counts in faces.balance().items():
        there = [number for number in counts.values() if number]
        missing += [f"{colour} {attribute}" for colour, number in counts.items() if not number]
        figures[attribute] = counts
        if there:
            figures[f"{attribute}_majority"] = round(max(there) / sum(there), 4)
            figures[f"{attribute}_imbalance"] = round(max(there) / min(there), 2)
    return figures | {"missing_colours": missing}


def _natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A key that orders numbers by value.

    >>> sorted(["10", "9", "b2", "b10"], key=_natural)
    ['9', '10', 'b2', 'b10']
    """
    parts = re.findall(r"\d+|\D+", name)
    numbers = [part.isdecimal() for part in parts]
    key = [
        (not number, int(part) if number else 0, part)
        for number, part in zip(numbers, parts, strict=True)
    ]
    return key, name
