"""Files that strangers made: bounded in size; archives read member by member and never unpacked.

So no name in an archive decides where a file goes; what is no plain file in it, or leads
elsewhere, is refused.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from animeprep.errors import PictureError
from animeprep.images import read_bytes

#: Larger files are no training pictures; an archive may claim any size.
MAX_BYTES = 2**26
#: So are longer headers of an archive's member, which hold names and the like; they can follow
#: one another by the hundred before it comes, and lists of a sparse file's holes know no end.
MAX_HEADER = 2**18
#: What tarfile and gzip say of broken archives.
BROKEN = (
    tarfile.TarError,
    OSError,
    ValueError,
    IndexError,
    EOFError,
    OverflowError,
    RecursionError,
    zlib.error,
)
_GZIP = b"\x1f\x8b"


class Archive(io.BufferedReader):
    """A tar file; tarfile itself believes whatever length headers claim to have."""

    _left = MAX_HEADER

    def at_member(self) -> None:
        """The headers of another member are to be read."""
        self._left = MAX_HEADER

    def read(self, size: int | None = None, /) -> bytes:
        """What tarfile reads: headers.

        Raises:
            ReadError: more than `MAX_HEADER` bytes for one member, or all there is.
        """
        if size is None or not 0 <= size <= self._left:
            raise tarfile.ReadError(f"a member has more than {MAX_HEADER} bytes of headers")
        self._left -= size
        return super().read(size)

    def content(self, offset: int, size: int) -> bytes:
        """All bytes of a plain file in it, as its `TarInfo` has them.

        Raises:
            ReadError: the archive ends before.
        """
        self.seek(offset)
        data = super().read(size)
        if len(data) < size:
            raise tarfile.ReadError("unexpected end of data")
        return data


def opened_archive(path: Path) -> Archive:
    """A tar file, of which gzip may have made a smaller one.

    Raises:
        OSError: it cannot be opened.
    """
    file = io.FileIO(path)
    zipped = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    if not zipped:
        return Archive(file)
    file.close()
    return Archive(gzip.GzipFile(path))


def forwards(archive: Archive, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an archive that tarfile opened, which would read negative lengths for ever.

    Nor is anything kept of those that were passed, which can be many and have long headers.
    """
    while (member := tar.next()) is not None:
        if tar.offset < member.offset_data:
            raise tarfile.ReadError("a member has a negative length")
        tar.members = []  # type: ignore[attr-defined]  # typeshed does not know it
        tar.pax_headers = {}
        yield member
        archive.at_member()


def why_refused(member: tarfile.TarInfo) -> str:
    """Why a member is not taken; empty where it is."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        return "leads out of the archive"
    if member.isdir():
        return ""
    if not member.isreg() or member.issparse():
        return "is no plain file"
    return f"{member.size} bytes are too many" if member.size > MAX_BYTES else ""


def printable(name: str) -> str:
    r"""A member's name as messages show it.

    >>> printable("/a\x1b[31m.png")
    'a?[31m.png'
    """
    return "".join(c if c.isprintable() else "?" for c in name).lstrip("/")


def read_bounded(path: Path) -> bytes:
    """The whole file, unless it is absurd.

    Raises:
        PictureError: it cannot be read, or is too large.
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise PictureError(path, f"{path.stat().st_size} bytes are too many", "scale it down")
    return read_bytes(path)
