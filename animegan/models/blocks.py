"""What the networks share: a convolution, their first weights, the class of all generators.

All tensors are float NCHW.
"""

from typing import ClassVar, Literal

from torch import nn

LEAKY_SLOPE = 0.2


class Generator(nn.Module):
    """G: a photo N×3×H×W RGB in [-1, 1] → an anime picture of the same shape and range."""

    #: H and W of the input must be multiples of this.
    multiple_of: ClassVar[int]
    #: Peak memory of painting in float32 on a CPU, bytes for each pixel; measured.
    bytes_per_pixel: ClassVar[int]


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


def glorot(module: nn.Module) -> None:
    """Glorot-uniform weights for one convolution; to be used with `Module.apply`."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)


def he(module: nn.Module) -> None:
    """He-normal weights and no bias for one convolution; to be used with `Module.apply`."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def normal(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 and no bias; to be used with `Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def count_parameters(network: nn.Module) -> int:
    """How many numbers a network learns.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())
