"""What a training step costs: arithmetic, memory moved, and where its time goes."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from animegan.table import finish

Step = Callable[[], Mapping[str, float]]


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write: of all, and of convolutions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.all = self.convolutions = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Do an operation and note the sizes of its tensors, unless it only looks at one."""
        answer = func(*args, **(kwargs or {}))
        read, written = _tensors(args), _tensors([answer])
        name = func.__name__.split(".")[0]
        known = {tensor.data_ptr() for tensor in read}
        is_view = not name.endswith("_") and any(t.data_ptr() in known for t in written)
        if not is_view:
            size = sum(tensor.numel() * tensor.element_size() for tensor in read + written)
            self.all += size
            self.convolutions += size * ("convolution" in name)
        return answer


def _tensors(values: Sequence[object]) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, list | tuple):
            found += _tensors(value)
        elif isinstance(value, Tensor):
            found.append(value)
    return found


def arithmetic(step: Step) -> int:
    """Floating-point operations of a step's convolutions and matrix products."""
    corrected = {torch.ops.aten.convolution_backward: _backward_operations}
    with FlopCounterMode(display=False, custom_mapping=corrected) as counter:
        step()
    total: int = counter.get_total_flops()
    return total


def _backward_operations(
    gradient: Sequence[int],
    features: Sequence[int],
    weight: Sequence[int],
    *rest: Sequence[bool],
    **_: object,
) -> int:
    """As many as forward for each gradient that is wanted; torch forgets the groups here."""
    transposed, wanted = rest[4], rest[7]
    positions = features if transposed else gradient
    return 2 * math.prod(positions) * math.prod(weight[1:]) * sum(wanted[:2])


def where_time_goes(step: Step, device: torch.device) -> dict[str, float]:
    """The share of each kind of work in a step."""
    kinds = {ProfilerActivity.CPU}
    if device.type == "cuda":
        kinds.add(ProfilerActivity.CUDA)
    with profile(activities=kinds) as profiled:
        step()
        finish(device)
    shares: Counter[str] = Counter()
    for event in profiled.key_averages():
        on_gpu = event.self_device_time_total
        shares[_kind(event.key)] += on_gpu if device.type == "cuda" else event.self_cpu_time_total
    total = sum(shares.values())
    return {kind: taken / total for kind, taken in shares.most_common()}


def _kind(operation: str) -> str:
    kinds = {
        "conv": "convolutions",
        "batch_norm": "norms",
        "group_norm": "norms",
        "instance_norm": "norms",
        "adam": "Adam",
        "triton": "compiled",
        "copy": "copies",
        "cat": "copies",
        "pad": "padding",
        "leaky_relu": "activations",
        "threshold": "activations",
        "relu": "activations",
        "clamp": "activations",
        "upsample": "resizes and pools",
        "pool": "resizes and pools",
    }
    name = operation.lower()
    return next((kind for part, kind in kinds.items() if part in name), "the rest")
