"""Checkpoints: safetensors files that say themselves what they are.

Nothing in them is ever executed, reading never writes, and names and shapes are checked against
the network before a tensor is read.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from animegan import public
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.models.blocks import Generator
from animegan.public.tensorflow import index_of
from animeprep.files import write_atomic

_KEY = "animeprep"
#: What the header of a generator says that draws faces from words (`animegan.faces`).
FACES = "faces"
ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself.

    Attributes:
        kind: `generator` (to paint with) or `state` (to go on training).
        generator: a name in `models.GENERATORS`, or `FACES`.
        step: training steps done.
        recipe: the settings it was trained with, as JSON values.
    """

    kind: str
    generator: str
    step: int
    recipe: dict[str, Any]


def write(path: Path, tensors: dict[str, Tensor], header: Header) -> None:
    """Write a checkpoint atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {_KEY: json.dumps(vars(header), sort_keys=True)}
    write_atomic(path, save(contiguous, metadata))


def read(path: Path) -> tuple[dict[str, Tensor], Header]:
    """Read a checkpoint.

    Raises:
        CheckpointError: missing, not a safetensors file, or not one of ours.
    """
    header = read_header(path)
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118 - no dict


def read_header(path: Path) -> Header:
    """Read what a checkpoint says of itself, and no tensor.

    Raises:
        CheckpointError: missing, not a safetensors file, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(path, "there is no such file", "check the name")
    try:
        text = _own_header(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            path, "not a safetensors file that can be read", "name a generator.safetensors"
        ) from error
    if text is None:
        raise CheckpointError(path, "not a checkpoint of animeprep", "name one that it wrote")
    try:
        header = Header(**json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(path, "its header cannot be understood") from error
    if list(map(type, vars(header).values())) != [str, str, int, dict]:
        raise CheckpointError(path, "its header cannot be understood")
    return header


def _own_header(path: Path) -> str | None:
    """The header's text, where a safetensors file has one of ours."""
    with safe_open(path, framework="pt") as file:
        return (file.metadata() or {}).get(_KEY)


def draws_faces(path: Path) -> bool:
    """Whether a checkpoint says that it is of a generator of faces; what is none says nothing."""
    try:
        return read_header(path).generator == FACES
    except CheckpointError:
        return False


def built_in(network: str) -> Path:
    """Where the initialisation of a network lies that comes with the program; not all have one."""
    return ASSETS / f"{network.replace('-', '_')}_init.safetensors"


def load_generator(path: Path, network: str | None = None) -> tuple[Generator, Header]:
    """Build the generator that a checkpoint describes, with its weights, in evaluation mode.

    Args:
        path: a generator of ours, or a public file as `public.read` takes them.
        network: a name in `models.GENERATORS` to build in place of the one that the file says or
            suggests; the file's tensors must be its.

    Returns:
        The generator, and what the file says of itself, which is step 0 for public files.

    Raises:
        CheckpointError: missing, broken, or the tensors are those of another network.
    """
    if network is not None and network not in GENERATORS:
        raise CheckpointError(
            network, "there is no such network", f"known: {', '.join(GENERATORS)}"
        )
    if not _is_own(path):
        name, tensors = public.read(path, network)
        generator = GENERATORS[name]()
        generator.load_state_dict(tensors)
        return generator.eval(), Header("generator", name, 0, {})
    header = read_header(path)
    if header.generator == FACES:
        raise CheckpointError(
            path, "draws faces from words and paints no photos", "use `animeprep faces sample`"
        )
    if header.kind != "generator" or header.generator not in GENERATORS:
        what = f"{header.kind} of {header.generator}"
        raise CheckpointError(path, f"holds a {what}, not a generator that is known here")
    header = replace(header, generator=network or header.generator)
    generator = GENERATORS[header.generator]()
    load_tensors(generator, path)
    return generator.eval(), header


def _is_own(path: Path) -> bool:
    if index_of(path) is not None:
        return False
    if not path.is_file():
        raise CheckpointError(path, "there is no such file", "check the name")
    try:
        return _own_header(path) is not None
    except (SafetensorError, OSError):
        return False


def load_tensors(network: nn.Module, path: Path) -> None:
    """Fill a network from a checkpoint; float16 weights become the network's own type.

    Raises:
        CheckpointError: as `check_tensors`.
    """
    check_tensors(network, path)
    with safe_open(path, framework="pt") as file:
        network.load_state_dict({name: file.get_tensor(name) for name in network.state_dict()})


def check_tensors(network: nn.Module, path: Path) -> None:
    """See that a checkpoint's tensors are those of a network, and read none.

    Raises:
        CheckpointError: names or shapes differ, and the first difference is named.
    """
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    with safe_open(path, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                raise CheckpointError(
                    path,
                    f"of another network: {name} is {found.get(name, 'missing')}, "
                    f"not {expected.get(name, 'part of this one')}",
                    "name a checkpoint of this kind",
                )


def adam_tensors(adam: torch.optim.Adam, prefix: str) -> dict[str, Tensor]:
    """Adam's moments and step counts as named tensors."""
    return {
        f"{prefix}.{index}.{key}": value
        for index, state in adam.state_dict()["state"].items()
        for key, value in state.items()
    }


def restore_adam(adam: torch.optim.Adam, tensors: dict[str, Tensor], prefix: str) -> None:
    """The reverse of `adam_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
    adam.load_state_dict({**adam.state_dict(), "state": state})
