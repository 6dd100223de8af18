"""Layers that several networks share.

Every convolution here is written with the paper's symbols: Conv-Block, DSConv (depthwise
separable convolution), IRB (inverted residual block), Down-Conv and Up-Conv.
All tensors are float NCHW.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.2


def convolution(
    channels_in: int,
    channels_out: int,
    size: int = 3,
    stride: int = 1,
    *,
    groups: int = 1,
    padding_mode: Literal["reflect", "zeros"] = "reflect",
) -> nn.Conv2d:
    """A convolution without bias that keeps H and W (divided by the stride).

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        size: side of the square kernel, odd.
        stride: 1 or 2.
        groups: `channels_in` for a depthwise convolution.
        padding_mode: `reflect` in generators, `zeros` in discriminators.
    """
    return nn.Conv2d(
        channels_in,
        channels_out,
        size,
        stride,
        padding=size // 2,
        groups=groups,
        bias=False,
        padding_mode=padding_mode,
    )


class InstanceNorm(nn.Module):
    """Affine instance norm, epsilon 1e-5, that keeps the channels-last layout.

    torch's own leaves that layout, in which a CPU's convolutions are several times faster. The same
    function is a group norm of one channel a group, or a batch norm of each picture alone; the
    former is the fastest forward, the latter the fastest backward on a CPU (docs/benchmarks.md).

    Args:
        channels: C of the features N×C×H×W.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W; with gradients on a CPU, H·W must be more than 1."""
        if features.device.type == "cpu" and torch.is_grad_enabled():
            return torch.cat(
                [
                    functional.batch_norm(one, None, None, self.weight, self.bias, training=True)
                    for one in features.split(1)
                ]
            )
        return functional.group_norm(features, len(self.weight), self.weight, self.bias)


def norm_and_lrelu(channels: int) -> list[nn.Module]:
    """Affine instance norm, then LReLU 0.2."""
    return [InstanceNorm(channels), nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]


class ConvBlock(nn.Sequential):
    """Conv-Block: convolution, instance norm, LReLU. C_in×H×W → C_out×H×W."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(convolution(channels_in, channels_out), *norm_and_lrelu(channels_out))


class DSConv(nn.Sequential):
    """DSConv: depthwise 3×3 straight into pointwise 1×1, then one instance norm and LReLU.

    C_in×H×W → C_out×(H/stride)×(W/stride). Nothing stands between the two convolutions: with a
    norm there it would be another network than the paper's.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(
            convolution(channels_in, channels_in, stride=stride, groups=channels_in),
            convolution(channels_in, channels_out, size=1),
            *norm_and_lrelu(channels_out),
        )


class DownConv(nn.Module):
    """Down-Conv: a DSConv of stride 2 plus a DSConv of the halved input. H×W → H/2×W/2."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.strided = DSConv(channels_in, channels_out, stride=2)
        self.resized = DSConv(channels_in, channels_out)

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×H/2×W/2; H and W even."""
        halved = functional.avg_pool2d(features, 2)  # = bilinear resize by one half
        summed: Tensor = self.strided(features) + self.resized(halved)
        return summed


class UpConv(nn.Module):
    """Up-Conv: the input doubled by bilinear resize, then a DSConv. H×W → 2H×2W."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = DSConv(channels_in, channels_out)

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×2H×2W."""
        doubled = functional.interpolate(features, scale_factor=2.0, mode="bilinear")
        convolved: Tensor = self.conv(doubled)
        return convolved


class InvertedResidual(nn.Module):
    """IRB: 1×1 widening, depthwise 3×3, linear 1×1 back, plus the input.

    Source: Sandler et al., MobileNetV2 (CVPR 2018), with instance norm and LReLU as in AnimeGAN.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        wide = channels * expansion
        self.widen = nn.Sequential(convolution(channels, wide, size=1), *norm_and_lrelu(wide))
        self.widen.apply(glorot)
        depthwise = convolution(wide, wide, groups=wide)
        nn.init.trunc_normal_(depthwise.weight, std=0.02)
        self.depthwise = nn.Sequential(depthwise, *norm_and_lrelu(wide))
        self.project = nn.Sequential(convolution(wide, channels, size=1), InstanceNorm(channels))
        self.project.apply(glorot)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        residual: Tensor = self.project(self.depthwise(self.widen(features)))
        return features + residual


def glorot(module: nn.Module) -> None:
    """Glorot-uniform weights for one convolution; to be used with `Module.apply`."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


def count_parameters(network: nn.Module) -> int:
    """How many numbers a network learns.

    >>> count_parameters(torch.nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())
