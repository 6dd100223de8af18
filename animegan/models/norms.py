"""Normalisations that are fast on a CPU: they keep the channels-last layout.

In that layout a CPU's convolutions are several times faster. torch's own instance norm leaves it,
and its group norm is slow to differentiate there (docs/benchmarks.md).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Norm(nn.Module):
    """Scale and shift, one of each for every channel.

    Args:
        channels: C of the features N×C×H×W.
        epsilon: added to the variance.
    """

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{len(self.weight)}, epsilon={self.epsilon}"


class InstanceNorm(_Norm):
    """Affine instance norm: mean and variance over H and W.

    The same function is a group norm of one channel a group, or a batch norm of each picture alone;
    the former is the fastest forward, the latter the fastest backward on a CPU.

    Source: Ulyanov et al., "Instance normalization" (2016).
    """

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W; with gradients on a CPU, H·W must be more than 1."""
        if features.device.type == "cpu" and torch.is_grad_enabled():
            return torch.cat(
                [
                    functional.batch_norm(
                        one, None, None, self.weight, self.bias, training=True, eps=self.epsilon
                    )
                    for one in features.split(1)
                ]
            )
        groups = len(self.weight)
        return functional.group_norm(features, groups, self.weight, self.bias, self.epsilon)


class LayerNorm(_Norm):
    """Layer norm with one scale and shift a channel: mean and variance over C, H and W.

    Source: Ba et al., "Layer normalization" (2016).
    """

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        return functional.group_norm(features, 1, self.weight, self.bias, self.epsilon)
