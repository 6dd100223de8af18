"""The files of a set of faces: those of a folder, or of a tar file that is never unpacked."""

import contextlib
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from animeprep.archives import (
    BROKEN,
    Archive,
    forwards,
    opened_archive,
    printable,
    read_bounded,
    why_refused,
)
from animeprep.errors import DatasetError

#: Members of an archive, and bytes that one may become when gzip's are unpacked.
MAX_MEMBERS, MAX_UNPACKED = 2**20, 2**34
#: Folders above a file: the only folder of an archive, then that of the pictures.
_DEEPEST = 3


@dataclass(frozen=True)
class Files:
    """Files that can be read.

    Attributes:
        reads: name → gives its bytes; names within the source, `faces/1.jpg` say, in the order in
            which they are read soonest. Reading raises PictureError or one of `archives.BROKEN`.
        refused: names that are no plain files, or lead elsewhere.
    """

    reads: dict[str, Callable[[], bytes]]
    refused: list[str]


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Files]:
    """The files of a folder or an archive, as long as the block runs.

    Raises:
        DatasetError: there is no such thing, or the archive is broken, there or in the block.
    """
    if source.is_dir():
        yield _of_folder(source)
        return
    if not source.is_file():
        raise DatasetError(source, "there is no such folder or tar file", "check the name")
    try:
        with opened_archive(source) as archive, tarfile.open(source, "r:", archive) as tar:
            yield _of_archive(archive, forwards(tar))
    except BROKEN as error:
        raise DatasetError(source, f"broken archive ({error})", "copy it again") from error


def _of_folder(folder: Path) -> Files:
    paths = (
        path
        for depth in range(1, _DEEPEST + 1)
        for path in sorted(folder.glob("/".join("*" * depth)))
        if path.is_file()
    )
    names = ((path.relative_to(folder).as_posix(), path) for path in paths)
    return Files(
        {name: partial(read_bounded, path) for name, path in names if not _hidden(name)}, []
    )


def _of_archive(archive: Archive, members: Iterable[tarfile.TarInfo]) -> Files:
    """What a tar file holds; of names that are there twice, the first."""
    files = Files({}, [])
    for number, member in enumerate(members):
        if number >= MAX_MEMBERS or member.offset_data + member.size > MAX_UNPACKED:
            raise tarfile.ReadError("it is too large")
        name = PurePosixPath(member.name).as_posix()
        if why_refused(member):
            files.refused.append(printable(member.name))
        elif member.isreg() and not _hidden(name):
            files.reads.setdefault(name, partial(archive.content, member))
    return files


def _hidden(name: str) -> bool:
    """Whether a name is a system's own, or deeper down than a set's files are."""
    parts = PurePosixPath(name).parts
    return len(parts) > _DEEPEST or any(part.startswith((".", "__")) for part in parts)
