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
    read_bounded,
    why_refused,
)
from animeprep.errors import DatasetError

#: Members of an archive, and bytes that one may become when gzip's are unpacked.
MAX_MEMBERS, MAX_UNPACKED = 2**19, 2**33
#: Folders above a file: the only folder of an archive, then that of the pictures.
_DEEPEST = 3
#: Characters of a name.
_LONGEST = 500


@dataclass(frozen=True)
class Files:
    """Files that can be read.

    Attributes:
        reads: name → gives its bytes; names within the source, `faces/1.jpg` say, in the order in
            which they are read soonest. Reading raises PictureError or one of `archives.BROKEN`.
        refused: what is not among them though it is there: name, as it stands there, and why in
            brackets.
    """

    reads: dict[str, Callable[[], bytes]]
    refused: list[str]


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Files]:
    """The files of a folder or an archive, as long as the block runs.

    Raises:
        DatasetError: there is no such thing, or the archive is broken or absurdly large; in the
            block, too.
    """
    if source.is_dir():
        yield _of_folder(source)
        return
    if not source.is_file():
        raise DatasetError(source, "there is no such folder or tar file", "check the name")
    try:
        with opened_archive(source) as archive, tarfile.open(source, "r:", archive) as tar:
            yield _of_archive(source, archive, forwards(archive, tar))
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
        {name: partial(read_bounded, path) for name, path in names if not _passed_over(name)}, []
    )


def _of_archive(source: Path, archive: Archive, members: Iterable[tarfile.TarInfo]) -> Files:
    """What a tar file holds; of names that are there twice, the first.

    Raises:
        DatasetError: it is absurdly large.
    """
    files = Files({}, [])
    for number, member in enumerate(members):
        if number >= MAX_MEMBERS or member.offset_data + member.size > MAX_UNPACKED:
            raise DatasetError(source, "it holds too much", "unpack what is needed into a folder")
        name = PurePosixPath(member.name).as_posix()
        refused = why_refused(member) or ("stands there twice" if name in files.reads else "")
        if refused:
            files.refused.append(f"{name[:_LONGEST]} ({refused})")
        elif member.isreg() and not _passed_over(name):
            files.reads[name] = partial(archive.content, member.offset_data, member.size)
    return files


def _passed_over(name: str) -> bool:
    """Whether a name is a system's own, or longer or deeper down than those of a set are."""
    parts = PurePosixPath(name).parts
    systems = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return systems or len(parts) > _DEEPEST or len(name) > _LONGEST
