"""Converted networks, kept in the user's cache folder: converting takes seconds.

A kept network is a zip archive of plain data, so that damage is noticed and nothing is executed.
It is found by what it was made from: the weights, the code of the network, and the library.
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import platformdirs
from torch import nn

from animeprep.errors import OutputError
from animeprep.files import write_atomic

#: Name → bytes.
Files = dict[str, bytes]
Model = TypeVar("Model")

#: So many are kept, those that were made last.
_MOST = 16


def build(key: str, make: Callable[[], Files], read: Callable[[Files], Model]) -> Model:
    """Read a kept network, or make it and keep it if it can be.

    Args:
        key: from `key`.
        make: converts the network.
        read: makes a model of the files; fails with RuntimeError if it cannot.
    """
    path = _path(key)
    try:
        return read(_unpack(path))
    except (OSError, zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError):
        files = make()  # it was not there, or is damaged
    try:
        write_atomic(path, _pack(files))
        _sweep(path.parent)
    except (OutputError, OSError):
        pass  # a full or read-only home keeps nobody from painting
    return read(files)


def key(module: nn.Module, library: str) -> str:
    """What a converted network depends on, as a file's name.

    Args:
        module: the network.
        library: the library's name and version.
    """
    digest = hashlib.sha256(f"{library}\n{module}".encode())
    for part in sorted({type(one).__module__ for one in module.modules()}):
        file = getattr(sys.modules[part], "__file__", None)
        if file and not part.startswith("torch."):
            digest.update(Path(file).read_bytes())
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def _path(key: str) -> Path:
    return platformdirs.user_cache_path("animeprep", appauthor=False) / "networks" / f"{key}.zip"


def _pack(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _unpack(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _sweep(folder: Path) -> None:
    archives = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-_MOST]:
        path.unlink(missing_ok=True)
