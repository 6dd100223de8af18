"""OpenVINO on the CPU: convolution, norm and LReLU in fewer passes over memory.

The frontend is called by itself, for `openvino.convert_model` tells its maker of each call.
"""

import copy
import functools
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from animegan.backends import kept
from animegan.backends.alike import Module, Network, Sample
from animegan.backends.library import library, version
from animegan.backends.wish import Precision
from animegan.models.norms import InstanceNorm
from animegan.steady import Steady

#: So many sizes are compiled for by themselves, a third to a half faster than for any size.
_SIZES = 4
_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


def build(module: Module, sample: Sample, precision: Precision) -> Network:
    """Convert the module, or take it from the cache, and compile it.

    It is compiled for any size first, and for one by itself when that comes the second time; for
    given norms, as films have them, at once: all pictures of a size are painted by the same.

    Raises:
        UsageError: OpenVINO is not installed.
    """
    openvino = library("openvino", "openvino")
    core = openvino.Core()

    def read(files: kept.Files) -> Any:  # noqa: ANN401 - OpenVINO has no types
        return core.read_model(files["model.xml"], files["model.bin"])

    model = kept.build(_key(module), lambda: _files(module, sample()), read)
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }

    @functools.lru_cache(maxsize=_SIZES)
    def compiled(*size: int) -> Any:  # noqa: ANN401 - OpenVINO has no types
        sized = model.clone()
        sized.reshape({"photo": [1, 3, *size]})
        return core.compile_model(sized, "CPU", settings)

    any_size = None if isinstance(module, Steady) else compiled(-1, -1)
    used, met = any_size, set()
    alone = threading.Lock()  # what is compiled computes one picture at a time

    def network(*inputs: Tensor) -> Tensor:
        nonlocal used
        size = tuple(inputs[0].shape[2:])
        with alone:
            using = compiled(*size) if any_size is None or size in met else any_size
            met.add(size)
            if used is not None and using is not used:
                used.release_memory()
            used = using
            (painted,) = using([one.contiguous().numpy() for one in inputs]).values()
        return torch.from_numpy(painted)

    return network


def _key(module: Module) -> str:
    return kept.key(module, f"openvino {version('openvino')}")


def _files(module: Module, inputs: tuple[Tensor, ...]) -> kept.Files:
    with tempfile.TemporaryDirectory() as folder:
        save(convert(module, inputs), Path(folder) / "model.xml")
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def save(model: Any, path: Path) -> None:  # noqa: ANN401 - OpenVINO has no types
    """Write a model as IR in float32, its weights beside it."""
    library("openvino", "openvino").save_model(model, str(path), compress_to_fp16=False)


def convert(module: Module, inputs: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - OpenVINO has no types
    """A module as an OpenVINO model: `photo` 1×3×H×W of any size, and `norms` → `painted`.

    Raises:
        UsageError: OpenVINO is not installed.
    """
    frontend = library("openvino.frontend", "openvino").FrontEndManager()
    torchscript = library("openvino.frontend.pytorch.ts_decoder", "openvino")
    photo, *norms = inputs
    with warnings.catch_warnings(action="ignore"), torch.no_grad():
        side = 8 * module.multiple_of
        traced = torch.jit.trace(_native(module), (photo[..., :side, :side], *norms))
    decoder = torchscript.TorchScriptPythonDecoder(traced)  # must live on until all is converted
    loaded = frontend.load_by_framework("pytorch")
    model = loaded.convert(loaded.load(decoder))
    model.reshape({"photo": [1, 3, -1, -1]})
    model.outputs[0].get_tensor().set_names({"painted"})
    return model


class _InstanceNorm(nn.Module):
    """Instance norm as one operation; as a group norm it would be reshaped to and fro."""

    def __init__(self, norm: InstanceNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, features: Tensor) -> Tensor:
        norm = self.norm
        return functional.instance_norm(
            features, weight=norm.weight, bias=norm.bias, eps=norm.epsilon
        )


def _native(module: Module) -> nn.Module:
    """A copy, of the same tensors, with norms that OpenVINO knows."""
    tensors = [*module.parameters(), *module.buffers()]
    native = copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
    for name, norm in list(native.named_modules()):
        if isinstance(norm, InstanceNorm):
            native.set_submodule(name, _InstanceNorm(norm))
    return native
