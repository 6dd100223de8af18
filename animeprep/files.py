"""Files written whole or not at all, and their fingerprints."""

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from animeprep.errors import InputError, OutputError

#: The file in a folder by which one process at a time works there.
LOCK = ".lock"

_REMEDIES = {
    errno.ENOSPC: "free some space and run the command again; finished files are kept",
    errno.EDQUOT: "free some space and run the command again; finished files are kept",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder on a disk that can be written",
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's complaints about writing `path` into an OutputError."""
    try:
        yield
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        remedy = _REMEDIES.get(error.errno or 0, "check the folder and the disk")
        raise OutputError(path, problem, remedy) from error


def make_folder(folder: Path) -> Path:
    """Create a folder and its parents where they are missing.

    Raises:
        OutputError: the folder cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(folder: Path, busy: InputError) -> Iterator[None]:
    """Let no other process work in a folder meanwhile; a killed one's lock is no lock.

    Args:
        folder: made where it is missing.
        busy: raised where another one holds the lock.

    Raises:
        OutputError: the folder cannot be written.
    """
    lock = filelock.FileLock(make_folder(folder) / LOCK)
    with writing(folder):
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise busy from error
    try:
        yield
    finally:
        lock.release()


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or as it was before.

    The bytes go to a hidden file beside it, which then takes its place.

    Raises:
        OutputError: the disk is full, read-only, or the folder forbids it.
    """
    make_folder(path.parent)
    with writing(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_changed(path: Path, data: bytes) -> None:
    """Write a file as `write_atomic` does, unless it holds these bytes already.

    Raises:
        OutputError: as there.
    """
    if not (path.exists() and path.read_bytes() == data):
        write_atomic(path, data)


def sweep_parts(folder: Path) -> None:
    """Remove what a killed run left half-written."""
    for part in folder.glob(".*.part"):
        with writing(part):
            part.unlink(missing_ok=True)


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of some bytes.

    >>> sha256(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()
