"""torch, operation by operation: ready at once, on every device."""

import torch
from torch import Tensor

from animegan.backends.alike import Module, Network, Sample
from animegan.backends.wish import Precision

_KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def build(module: Module, sample: Sample, precision: Precision) -> Network:  # noqa: ARG001 - what converts needs one
    """The module itself; with halves by autocast, which takes the norms' statistics in float32."""
    kind = _KINDS[precision]

    def network(photo: Tensor, *norms: Tensor) -> Tensor:
        photo = photo.contiguous(memory_format=torch.channels_last)
        with (
            torch.inference_mode(),
            torch.autocast(photo.device.type, kind, enabled=precision != "fp32"),
        ):
            painted: Tensor = module(photo, *norms)
        return painted.float()

    return network
