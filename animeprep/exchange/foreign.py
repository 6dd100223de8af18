"""Finding the pictures of a set in another trainer's layout, or in a plain folder."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path, PurePosixPath

from animeprep.archives import (
    BROKEN,
    Archive,
    forwards,
    printable,
    read_bounded,
    why_refused,
)
from animeprep.dataset import PHOTO, SMOOTH, STYLE, STYLE_VAL, VAL, stem
from animeprep.errors import InputError, PictureError
from animeprep.exchange.layouts import safe_name
from animeprep.images import is_image, list_images

#: Gray pictures are not among them: the verb gray makes the same again.
FOLDERS = (STYLE, SMOOTH, STYLE_VAL, PHOTO, VAL)


@dataclass(frozen=True)
class Part:
    """A picture that was found.

    Attributes:
        path: where, for messages.
        read: gives its bytes.
        half: 0 takes the left half only, 1 the right one.
    """

    path: Path
    read: Callable[[], bytes]
    half: int | None = None


@dataclass(frozen=True)
class Found:
    """Pictures that belong together, by the folder they go to; or why they cannot be had."""

    name: str
    parts: dict[str, Part]
    skipped: str = ""
    problem: str = ""


def recognise(folder: Path) -> tuple[str, Iterator[Found]]:
    """The layout of a folder, and its samples in order, not yet decoded.

    Raises:
        InputError: it is missing, holds no pictures where one looks, or several styles.
    """
    if not folder.exists():
        raise InputError(folder, "there is no such folder", "check the name")
    if folder.is_file() and folder.suffix != ".tar":
        raise InputError(folder, "is neither a folder nor a .tar file", "name a folder of pictures")
    for layout, reader in READERS.items():
        samples = reader(folder)
        if samples is not None:
            return layout, samples
    raise InputError(
        folder, "there are no pictures here in a layout that is known", "name a folder of pictures"
    )


def _cartoongan(folder: Path) -> Iterator[Found] | None:
    source, target = folder / "src_data", folder / "tgt_data"
    if not source.is_dir() and not target.is_dir():
        return None
    # The pictures that pairs were made of show the same, at any size.
    pairs = list_images(target / "pair")
    return chain(
        (_pair(path) for path in pairs),
        _singles([] if pairs else list_images(target / "train"), STYLE),
        _singles(list_images(source / "train"), PHOTO),
        _singles(list_images(source / "test"), VAL),
    )


def _imagefolder(folder: Path) -> Iterator[Found] | None:
    train = folder / STYLE / "train"
    if (train / STYLE).is_dir():
        return chain(
            _with_partners(train / STYLE, train / SMOOTH),
            _singles(list_images(folder / STYLE_VAL / "validation" / STYLE_VAL), STYLE_VAL),
            _singles(list_images(folder / PHOTO / "train" / PHOTO), PHOTO),
            _singles(list_images(folder / PHOTO / "validation" / VAL), VAL),
        )
    others = list_images(folder / "train", recursive=True)
    held_out = list_images(folder / "validation", recursive=True)
    return chain(_singles(others, STYLE), _singles(held_out, STYLE_VAL)) if others else None


def _webdataset(folder: Path) -> Iterator[Found] | None:
    shards = [folder] if folder.is_file() else sorted(folder.glob("*.tar"))
    shards = [path for path in shards if path.suffix == ".tar" and path.is_file()]
    return chain(*(_read_shard(path) for path in shards)) if shards else None


def _animegan(folder: Path) -> Iterator[Found] | None:
    """The official trainer's `dataset/`, one style of it, or a dataset folder of ours."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    styles = [path for path in places if list_images(path / STYLE)]
    photos = list_images(folder / "train_photo") or list_images(folder / PHOTO)
    if len(styles) > 1:
        names = ", ".join(path.name for path in styles)
        raise InputError(folder, f"there are several styles: {names}", f"name {styles[0]}, say")
    if not styles and not photos:
        return None
    return chain(
        *(_with_partners(path / STYLE, path / SMOOTH) for path in styles),
        _singles(list_images(folder / STYLE_VAL), STYLE_VAL),
        _singles(photos, PHOTO),
        _singles(list_images(folder / VAL), VAL),
    )


def _plain(folder: Path) -> Iterator[Found] | None:
    pictures = list_images(folder)
    return _singles(pictures, STYLE) if pictures else None


#: In the order in which they are tried; None where a folder is not of this layout.
READERS: dict[str, Callable[[Path], Iterator[Found] | None]] = {
    "webdataset": _webdataset,
    "cartoongan": _cartoongan,
    "imagefolder": _imagefolder,
    "animegan": _animegan,
    "pictures": _plain,
}


def _with_partners(style: Path, smooth: Path) -> Iterator[Found]:
    """Style pictures, each with the smoothed one of the same name where there is one."""
    partners = {stem(path.name): path for path in list_images(smooth)}
    for path in list_images(style):
        partner = partners.pop(stem(path.name), None)
        parts = {STYLE: _part(path)} | ({SMOOTH: _part(partner)} if partner else {})
        yield Found(safe_name(path.stem), parts)
    for path in partners.values():
        yield Found(path.name, {}, skipped="no style picture of this name")


def _singles(paths: Iterable[Path], folder: str) -> Iterator[Found]:
    return (Found(safe_name(path.stem), {folder: _part(path)}) for path in paths)


def _pair(path: Path) -> Found:
    return Found(safe_name(path.stem), {STYLE: _part(path, half=0), SMOOTH: _part(path, half=1)})


def _part(path: Path, half: int | None = None) -> Part:
    return Part(path, lambda: read_bounded(path), half)


def _read_shard(path: Path) -> Iterator[Found]:
    """The samples of an archive: members in a row whose names are equal up to the first dot."""
    try:
        with Archive(io.FileIO(path)) as archive, tarfile.open(path, "r:", archive) as shard:
            found = forwards(archive, shard)
            for key, members in groupby(found, key=lambda member: _key(member.name)[0]):
                yield _sample(path, archive, key, members)
    except BROKEN as error:
        problem = str(PictureError(path, f"broken archive ({error})", "copy it again"))
        yield Found(path.name, {}, problem=problem)


def _sample(path: Path, archive: Archive, key: str, members: Iterable[tarfile.TarInfo]) -> Found:
    parts: dict[str, Part] = {}
    problem = ""
    for member in members:
        shown = path / printable(member.name)
        folder = _folder_of(_key(member.name)[1])
        refused = why_refused(member) or ("stands there twice" if folder in parts else "")
        if refused:
            problem = problem or str(PictureError(shown, refused, "remove it from the archive"))
        elif folder and not problem:
            data = archive.content(member.offset_data, member.size)
            parts[folder] = Part(shown, partial(bytes, data))
    return Found(safe_name(key), {} if problem else parts, problem=problem)


def _key(name: str) -> tuple[str, str]:
    """A WebDataset member's key and what it is.

    >>> _key("./some/a.style.png")
    ('some/a', 'style.png')
    """
    path = PurePosixPath(name)
    base, _, kind = path.name.partition(".")
    return str(path.parent / base), kind


def _folder_of(kind: str) -> str:
    """Where a WebDataset member belongs; empty where nowhere.

    >>> _folder_of("smooth.png"), _folder_of("jpg"), _folder_of("json")
    ('smooth', 'style', '')
    """
    if not is_image(Path(f"a.{kind}")):
        return ""
    what = kind.rpartition(".")[0] or STYLE
    return what if what in FOLDERS else ""
