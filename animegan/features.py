"""Where the feature network's weights come from: the package, a file, or a wished-for download."""

import hashlib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from animegan.errors import CheckpointError
from animegan.models.vgg import CHANNELS, STAGES, Convention, VGGFeatures, layer_shapes
from animegan.public import reason
from animegan.public.archives import load_state_dict, open_npz
from animegan.public.pickled import StoredArray, read_dictionary
from animeprep.files import make_folder, writing
from animeprep.progress import progress

BUILTIN_VGG16 = Path(__file__).parent / "assets" / "vgg16_conv4_3.safetensors"
VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
#: The SHA-256 of torchvision's file begins with this, which is also part of its name.
VGG19_SHA256 = "dcbb9e9d"
CACHE = Path.home() / ".cache" / "animeprep"


def load_features(network: str, file: Path | None = None, *, download: bool = False) -> VGGFeatures:
    """The frozen feature network F.

    Args:
        network: `vgg16`, built in, or `vgg19`.
        file: weights of `network`: torchvision's `.pth`; or Caffe's convention (BGR, 0..255, minus
            mean) as `.npy` or `.npz` of HWIO kernels, or as `.safetensors` of OIHW kernels.
        download: fetch torchvision's VGG19 (548 MB) where it is not in the cache yet.

    Raises:
        CheckpointError: no weights are there, or the file is not what it should be.
    """
    if file is None and network == "vgg16":
        return VGGFeatures(network, load_file(BUILTIN_VGG16), "caffe")
    if file is None:
        file = CACHE / VGG19_URL.rsplit("/", 1)[1]
        if not file.exists():
            if not download:
                raise CheckpointError(
                    network,
                    "its weights are not in the package",
                    "name them with --features-file, or say --download-features (548 MB)",
                )
            fetch(VGG19_URL, file, VGG19_SHA256)
    weights, convention = read_weights(file, network)
    for name, shape in layer_shapes(network).items():
        if name not in weights or tuple(weights[name].shape) != shape:
            found = tuple(weights[name].shape) if name in weights else "missing"
            raise CheckpointError(file, f"not {network}: {name} is {found}, not {shape}")
    return VGGFeatures(network, weights, convention)


def read_weights(file: Path, network: str) -> tuple[dict[str, Tensor], Convention]:
    """Weights under the names of `layer_shapes`, and the convention they follow.

    Raises:
        CheckpointError: missing, or none of the kinds that `load_features` names.
    """
    if not file.is_file():
        raise CheckpointError(file, "there is no such file", "check the name")
    readers: dict[str, Callable[[], dict[str, Tensor]]] = {
        ".safetensors": lambda: load_file(file),
        ".npy": lambda: _from_hwio(_layers(read_dictionary(file))),
        ".npz": lambda: _read_npz(file, network),
    }
    suffix = file.suffix.lower()
    try:
        if suffix in readers:
            return readers[suffix](), "caffe"
        return _from_torchvision(load_state_dict(file), network), "torchvision"
    except Exception as error:  # as in `public.read`
        raise CheckpointError(file, f"its weights cannot be read ({reason(error)})") from error


def _from_torchvision(state: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """Torchvision counts convolutions, activations and pools in one sequence, `features.N`."""
    weights = {}
    index = 0
    for stage, count in enumerate(STAGES[network], 1):
        for layer in range(1, count + 1):
            for kind in ("weight", "bias"):
                weights[f"conv{stage}_{layer}.{kind}"] = state[f"features.{index}.{kind}"]
            index += 2
        index += 1
    return weights


def _from_hwio(arrays: dict[str, list[np.ndarray]]) -> dict[str, Tensor]:
    """The Caffe conversions' name → [kernel H×W×I×O, bias], to OIHW."""
    weights = {}
    for name, (kernel, bias) in arrays.items():
        if kernel.ndim == 4 and kernel.shape[-1] in CHANNELS:
            oihw = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
            weights[f"{name}.weight"] = torch.from_numpy(oihw)
            weights[f"{name}.bias"] = torch.from_numpy(np.array(bias))
    return weights


def _read_npz(file: Path, network: str) -> dict[str, Tensor]:
    """`conv1_1_W`, H×W×I×O, and `conv1_1_b`: those that the network has, in its sizes."""
    archive = open_npz(file)
    weights = {}
    for name, shape in layer_shapes(network).items():
        layer, kind = name.split(".")
        stored = f"{layer}_{'W' if kind == 'weight' else 'b'}"
        hwio = shape if kind == "bias" else (*shape[2:], shape[1], shape[0])
        found = archive.shapes.get(stored)
        if found != hwio:
            raise ValueError(f"{stored} is {found or 'missing'}, not {hwio}")
        tensor = archive.read(stored)
        weights[name] = tensor if kind == "bias" else tensor.permute(3, 2, 0, 1).contiguous()
    return weights


def _layers(dictionary: dict[str, object]) -> dict[str, list[np.ndarray]]:
    """The old `vgg19.npy`: each layer's kernel and bias."""
    return {
        name: [stored.array() for stored in layer if isinstance(stored, StoredArray)]
        for name, layer in dictionary.items()
        if isinstance(layer, list | tuple)
    }


def fetch(url: str, file: Path, sha256_prefix: str) -> None:
    """Download a file with progress; it takes its place only if its hash is right.

    Raises:
        CheckpointError: the download fails or its SHA-256 is another.
        OutputError: it cannot be written.
    """
    make_folder(file.parent)
    part = file.with_name(f".{file.name}.part")
    try:
        with urllib.request.urlopen(url) as answer, writing(part), part.open("wb") as out:  # noqa: S310 - a constant of this file
            digest = _copy(answer, out, int(answer.headers.get("Content-Length") or 0))
        if not digest.startswith(sha256_prefix):
            raise CheckpointError(url, f"arrived with SHA-256 {digest[:12]}…", "try again")
        part.replace(file)
    except OSError as error:
        raise CheckpointError(url, f"cannot be downloaded ({error})") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(answer: BinaryIO, out: BinaryIO, size: int, chunk: int = 2**20) -> str:
    digest = hashlib.sha256()
    with progress("download (MiB)", -(-size // chunk) or None) as advance:
        while data := answer.read(chunk):
            digest.update(data)
            out.write(data)
            advance()
    return digest.hexdigest()
