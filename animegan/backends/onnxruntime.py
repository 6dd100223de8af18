"""ONNX Runtime on the CPU."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor

from animegan.backends import kept
from animegan.backends.alike import Module, Network, Sample
from animegan.backends.library import library, version
from animegan.backends.wish import Precision

#: Largest side, in multiples of what the network takes.
_LARGEST = 4096


def build(module: Module, sample: Sample, precision: Precision) -> Network:  # noqa: ARG001 - it has float32 alone
    """Convert the module, which takes half a minute, or take it from the cache.

    Raises:
        UsageError: ONNX Runtime, or what converts, is not installed.
    """
    onnxruntime = library("onnxruntime", "onnx")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()

    def make() -> kept.Files:
        return {"model.onnx": convert(module, sample()).SerializeToString()}

    def read(files: kept.Files) -> Any:  # noqa: ANN401 - a library without types
        return onnxruntime.InferenceSession(
            files["model.onnx"], settings, providers=["CPUExecutionProvider"]
        )

    session = kept.build(_key(module), make, read)
    names = [one.name for one in session.get_inputs()]

    def network(*inputs: Tensor) -> Tensor:
        arrays = [one.contiguous().numpy() for one in inputs]
        (painted,) = session.run(None, dict(zip(names, arrays, strict=True)))
        return torch.from_numpy(painted)

    return network


def _key(module: Module) -> str:
    versions = (f"{name} {version(name)}" for name in ("torch", "onnxscript"))
    return kept.key(module, ", ".join(versions))


def convert(module: Module, inputs: tuple[Tensor, ...]) -> Any:  # noqa: ANN401 - a library without types
    """A module as an ONNX model: `photo` 1×3×H×W of any size, and `norms` → `painted`.

    Raises:
        UsageError: a library is missing.
    """
    for name in ("onnx", "onnxscript"):
        library(name, "onnx")
    multiple = module.multiple_of
    photo = torch.zeros(1, 3, 16 * multiple, 20 * multiple)
    rows, columns = (torch.export.Dim(name, min=2, max=_LARGEST) for name in ("rows", "columns"))
    names = ["photo", "norms"][: len(inputs)]
    with warnings.catch_warnings(action="ignore"), _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            (photo, *inputs[1:]),
            dynamo=True,
            verbose=False,
            input_names=names,
            output_names=["painted"],
            dynamic_shapes=({2: multiple * rows, 3: multiple * columns}, None)[: len(inputs)],
        )
    return cast("torch.onnx.ONNXProgram", program).model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter logs about libraries that it would like to have."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
