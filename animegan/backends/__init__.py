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
#: From so many pictures on, seconds of building pay off.
MANY = 20


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
    module: Module, device: torch.device, sample: Sample, wish: Wish, pictures: int = 1
) -> Engine:
    """What is asked for, or else what has painted so many pictures soonest.

    Args:
        module: in evaluation mode on `device`.
        device: where torch computes.
        sample: gives a real photo, and what else the module takes, on `device`.
        wish: what is asked for.
        pictures: how many there will be.

    Raises:
        UsageError: a library is missing, or cannot do what is asked for.
        OutputError: what is asked for does not paint as torch does.
    """
    if wish.backend != "auto":
        return _built(module, device, sample, wish, "as asked")
    backend, reason = _soonest(module, pictures) if device.type == "cpu" else _ON_GPU
    try:
        return _built(module, device, sample, Wish(backend, wish.precision), reason)
    except (OutputError, UsageError, RuntimeError) as error:
        if backend == "torch":
            raise
        reason = f"{backend} failed: {str(error).partition(chr(10))[0]}"
        return _built(module, device, sample, Wish("torch", wish.precision), reason)


_ON_GPU: tuple[Backend, str] = "torch", "the one for GPUs"


def _soonest(module: Module, pictures: int) -> tuple[Backend, str]:
    """On a CPU."""
    if not installed("openvino"):
        return "torch", "OpenVINO, which is faster on most CPUs, is not installed"
    if pictures >= MANY:
        return "openvino", "the fastest on most CPUs"
    if openvino.is_kept(module):
        return "openvino", "the fastest on most CPUs, and built before"
    return (
        "torch",
        f"ready at once; OpenVINO, which is faster, is built for {MANY} pictures or more",
    )


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
