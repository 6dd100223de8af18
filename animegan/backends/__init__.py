"""What computes a network: torch, or a library that is faster on some machines.

Each backend is a file with one function, `build(module, sample, precision)`. It answers a network:
tensors as the module takes them, a photo of any size → float32 N×3×H×W in [-1, 1]. Whatever is not
torch in float32 is compared with it before it paints.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from animegan.backends import eager, onnxruntime, openvino
from animegan.backends.alike import Module, Network, Sample, check
from animegan.backends.library import installed
from animegan.backends.wish import Backend, Precision, Wish
from animeprep.errors import OutputError, UsageError

BUILDERS = {
    "torch": eager.build,
    "onnxruntime": onnxruntime.build,
    "openvino": openvino.build,
}


@dataclass(frozen=True)
class Engine:
    """A network that is ready.

    Attributes:
        name: backend and precision, `openvino fp32`.
        reason: why this one.
        network: the same.
    """

    name: str
    reason: str
    network: Network

    def __call__(self, *inputs: Tensor) -> Tensor:
        """As the module takes them: a photo, and norms → painted, float32 N×3×H×W in [-1, 1]."""
        return self.network(*inputs)


def choose(
    module: Module, device: torch.device, sample: Sample, wish: Wish, *, film: bool = False
) -> Engine:
    """What is asked for, or else what was measured to be fastest.

    Args:
        module: in evaluation mode on `device`.
        device: where torch computes.
        sample: gives a real photo, and what else the module takes, on `device`.
        wish: what is asked for.
        film: many pictures of one size will come.

    Raises:
        UsageError: a library is missing, or cannot do what is asked for.
        OutputError: what is asked for does not paint as torch does.
    """
    if wish.backend != "auto":
        return _built(module, device, sample, wish, "as asked")
    backend, reason = _fastest(device, film=film)
    try:
        return _built(module, device, sample, Wish(backend, wish.precision), reason)
    except (OutputError, UsageError, RuntimeError) as error:
        if backend == "torch":
            raise
        reason = f"{backend} failed: {str(error).partition(chr(10))[0]}"
        return _built(module, device, sample, Wish("torch", wish.precision), reason)


def _fastest(device: torch.device, *, film: bool) -> tuple[Backend, str]:
    if device.type != "cpu":
        return "torch", "the one for GPUs"
    if not film:
        return "torch", "ready at once, and as fast as any for pictures of all sizes"
    if installed("openvino"):
        return "openvino", "the fastest on a CPU for pictures of one size"
    return "torch", "OpenVINO, which is faster for films on a CPU, is not installed"


def _built(module: Module, device: torch.device, sample: Sample, wish: Wish, reason: str) -> Engine:
    if wish.backend != "torch" and device.type != "cpu":
        raise UsageError(f"--backend {wish.backend} computes on a CPU: say --device cpu")
    precision = _precision(wish.backend, wish, device.type)
    name = f"{wish.backend} {precision}"
    network = BUILDERS[wish.backend](module, sample, precision)
    if name != "torch fp32":
        check(network, module, sample(), name)
    return Engine(name, reason, network)


def _precision(backend: Backend, wish: Wish, device: str) -> Precision:
    """Half precision by itself on CUDA alone: few CPUs are faster with it."""
    if backend == "onnxruntime" and wish.precision not in {"auto", "fp32"}:
        raise UsageError(f"--backend {backend} computes with fp32: leave out --precision")
    if wish.precision != "auto":
        return wish.precision
    return "fp16" if device == "cuda" else "fp32"
