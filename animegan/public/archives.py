"""Archives of arrays: numpy's `.npz`, PyTorch's `.pt` and `.pth`, safetensors."""

import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from animegan.public.arrays import Arrays


def open_npz(file: Path) -> Arrays:
    """The floating-point arrays of a numpy archive.

    Raises:
        ValueError, OSError, zipfile.BadZipFile: it is broken, or holds pickles.
    """
    shapes, members = {}, {}
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                if version != (1, 0):
                    raise ValueError(f"numpy file of version {version}")
                shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
            name = member.filename.removesuffix(".npy")
            if name in members:
                raise ValueError(f"two arrays of one name, {name}")
            members[name] = member
            if dtype.kind == "f":
                shapes[name] = shape

    def read(name: str) -> Tensor:
        # The very member whose shape is known: a name may stand twice in an archive.
        with zipfile.ZipFile(file) as archive, archive.open(members[name]) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
        return torch.from_numpy(array.astype(np.float32))

    return Arrays(shapes, read)


def load_state_dict(file: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file, which must be a state dict.

    Raises:
        pickle.UnpicklingError: it holds other than tensors; nothing of it has been executed.
        ValueError, TypeError, RuntimeError, OSError, zipfile.BadZipFile: it is broken.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        # PyTorch stores without compression; what grows when unpacked is no honest file.
        if unpacked > file.stat().st_size:
            raise ValueError("it is compressed, which PyTorch's files never are")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a file uses another pickle protocol than is usual
        state = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise TypeError("not a state dict")
    return {
        name: value
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def open_state_dict(file: Path) -> Arrays:
    """The tensors of a PyTorch file, as `load_state_dict` reads them."""
    state = {n: v for n, v in load_state_dict(file).items() if v.is_floating_point()}
    return Arrays({name: tuple(value.shape) for name, value in state.items()}, state.__getitem__)


def open_safetensors(file: Path) -> Arrays:
    """The tensors of a safetensors file.

    Raises:
        SafetensorError, OSError: it is broken.
    """
    with safe_open(file, framework="pt") as archive:
        shapes = {
            name: tuple(archive.get_slice(name).get_shape())
            for name in archive.keys()  # noqa: SIM118 - no dict
        }

    def read(name: str) -> Tensor:
        with safe_open(file, framework="pt") as archive:
            tensor: Tensor = archive.get_tensor(name)
        return tensor

    return Arrays(shapes, read)
