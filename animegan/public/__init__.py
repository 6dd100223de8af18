"""Weights that others published, as tensors of the networks here.

Formats: PyTorch state dicts, safetensors, numpy's `.npz` and `.npy`, TensorFlow checkpoints. What a
file holds is told by its content and its tensors' names, not by its own name. Nothing in a file is
executed, and what it claims of sizes is not believed before it is compared.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.public.archives import open_npz, open_safetensors, open_state_dict
from animegan.public.arrays import Arrays
from animegan.public.layouts import Layout, Source, layouts, shapes_of
from animegan.public.mistaken import what_it_is
from animegan.public.pickled import open_npy
from animegan.public.tensorflow import index_of, open_bundle


def read(path: Path, network: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """Weights from a public file.

    Args:
        path: the file; a TensorFlow checkpoint by any of its files, or by what their names share.
        network: a name in `models.GENERATORS` with the same tensors, to paint with in place of the
            one that the file's kind suggests: `animeganv2` does not align corners,
            `animeganv2-tf` resizes as TensorFlow.

    Returns:
        The network's name and its state dict in float32.

    Raises:
        CheckpointError: broken, not weights, or those of no network that is known here.
    """
    try:
        arrays = _open(path)
        layout = _recognise(arrays)
        return _variant(layout, network), _tensors(arrays, layout)
    except Exception as error:  # the formats' readers raise whatever a broken file leads them to
        raise CheckpointError(path, f"cannot be used as weights ({reason(error)})") from error


def reason(error: BaseException) -> str:
    """What an error says, in one short line."""
    line = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, KeyError | IndexError):  # these say what was looked for, and no more
        line = f"damaged, or of another kind: {line}"
    shown = "".join(letter if letter.isprintable() else "?" for letter in line)
    return shown if len(shown) <= 120 else f"{shown[:119]}…"


def _open(path: Path) -> Arrays:
    """Open a file by what it begins with."""
    index = index_of(path)
    if index is not None:
        return open_bundle(index)
    with path.open("rb") as stream:
        start = stream.read(64)
    if (kind := what_it_is(start)) is not None:
        raise ValueError(f"it is {kind}")
    kinds: dict[bytes, Callable[[Path], Arrays]] = {
        b"\x93NUMPY": open_npy,
        b"PK\x03\x04": _open_zip,
        b"\x80": open_state_dict,  # a pickle, PyTorch's format before 1.6
    }
    for magic, opener in kinds.items():
        if start.startswith(magic):
            return opener(path)
    return open_safetensors(path)


def _open_zip(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        pickled = any(name.endswith("data.pkl") for name in archive.namelist())
    return open_state_dict(path) if pickled else open_npz(path)


def _recognise(arrays: Arrays) -> Layout:
    """The layout that most of the file's names belong to.

    Raises:
        ValueError: none, or a tensor of it is missing.
    """

    def known(layout: Layout) -> int:
        return sum(source.name in arrays.shapes for source in layout.sources.values())

    best = max(layouts(), key=known)
    if not known(best):
        first = ascii(next(iter(arrays.shapes), ""))[:60]
        raise ValueError(f"of no network that is known here; its first tensor is {first}")
    for source in best.sources.values():
        if source.name not in arrays.shapes:
            raise ValueError(f"of another network than {best.network}: {source.name} is missing")
    return best


def _variant(layout: Layout, network: str | None) -> str:
    """The network to build: the layout's, or another one of the same tensors."""
    name = network or layout.network
    if name not in GENERATORS or shapes_of(name) != shapes_of(layout.network):
        raise ValueError(f"it holds weights of {layout.network}, not of {name}")
    return name


def _tensors(arrays: Arrays, layout: Layout) -> dict[str, Tensor]:
    """Read what the network takes, after all shapes are known to be right."""
    for ours, shape in shapes_of(layout.network).items():
        source = layout.sources[ours]
        found = arrays.shapes[source.name]
        if _turned(found, source) != shape:
            raise ValueError(f"of another network than {layout.network}: {source.name} is {found}")
    tensors = {}
    for ours, source in layout.sources.items():
        tensor = arrays.read(source.name).float()
        if source.axes is not None:
            tensor = tensor.permute(source.axes)
        if source.bgr is not None:
            tensor = tensor.flip(source.bgr)
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{source.name} holds values that are no numbers")
        tensors[ours] = tensor.contiguous()
    return tensors


def _turned(shape: tuple[int, ...], source: Source) -> tuple[int, ...]:
    if source.axes is None or len(shape) != len(source.axes):
        return shape
    return tuple(shape[axis] for axis in source.axes)
