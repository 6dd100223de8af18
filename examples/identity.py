"""Weights with which a generator redraws its input before any training.

Each quantity, red say, travels as a pair of channels, itself and its negative, so that the
activations lose nothing. What instance norm takes, its mean and scale, remains to be learned, as do
details that bilinear resizes cannot carry. Other channels keep their random weights,
and residual blocks begin as the identity (Goyal et al., "Accurate, large minibatch SGD", 2017,
section 5.1).
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from animegan.models import animegan_v2
from animegan.models.animegan import AnimeGANGenerator, InvertedResidual
from animegan.models.cartoongan import CartoonGANGenerator
from animegan.models.norms import InstanceNorm, LayerNorm


def start_as_identity(generator: nn.Module) -> None:
    """Set the weights of the first channels; those of AnimeGANv2-lite stay as they are."""
    if isinstance(generator, CartoonGANGenerator):
        start_cartoongan(generator)
    elif isinstance(generator, AnimeGANGenerator):
        start_blurred(generator, 0.4)  # a photo's typical deviation
    elif isinstance(generator, animegan_v2.AnimeGANv2Generator):
        start_blurred(generator, 0.3)  # measured: what the norms leave is larger than the photo


@torch.no_grad()
def start_cartoongan(generator: CartoonGANGenerator) -> None:
    """Exact but for the norms: pixels move into channels on the way down, and back."""
    for block in generator.residual:
        _silence(block)
    parts = (generator.flat, generator.down, generator.up, generator.to_rgb)
    convolutions = (conv.weight for part in parts for conv in _convolutions(part))
    first, down1, pair1, down2, pair2, up1, pair3, up2, pair4, last = convolutions
    _make_pairs(first, 3)
    for down, pair, quantities in ((down1, pair1, 3), (down2, pair2, 12)):
        _move_into_channels(down, quantities)
        _make_pairs(pair, 4 * quantities)
    for up, pair, quantities in ((up1, pair3, 12), (up2, pair4, 3)):
        _move_into_pixels(up, quantities)
        _make_pairs(pair, quantities)
    _read_pairs(last, 0.5)  # a photo's typical deviation


@torch.no_grad()
def start_blurred(generator: nn.Module, deviation: float) -> None:
    """AnimeGAN and AnimeGANv2: a quarter of the size and back, with the colours the norms leave."""
    skipped: set[nn.Module] = set()
    for module in generator.modules():
        if _adds_its_input(module):
            _silence(module)
            skipped |= set(module.modules())
    first, *middle, last = (conv for conv in _convolutions(generator) if conv not in skipped)
    _make_pairs(first.weight, 3)
    for conv in middle:
        _keep_pairs(conv)
    _read_pairs(last.weight, deviation)


def _adds_its_input(module: nn.Module) -> bool:
    if isinstance(module, animegan_v2.InvertedResidual):
        return module.adds_input
    return isinstance(module, InvertedResidual)


def _silence(block: nn.Module) -> None:
    """Zero the scale of its last norm."""
    *_, norm = (part for part in block.modules() if isinstance(part, InstanceNorm | LayerNorm))
    norm.weight.zero_()


def _convolutions(part: nn.Module) -> list[nn.Conv2d | nn.ConvTranspose2d]:
    return [m for m in part.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


def _make_pairs(weight: Tensor, quantities: int) -> None:
    """In: q in channel q. Out: q and -q in channels 2q and 2q + 1."""
    weight[: 2 * quantities] = 0
    middle = weight.shape[-1] // 2
    for q in range(quantities):
        weight[2 * q, q, middle, middle] = 1
        weight[2 * q + 1, q, middle, middle] = -1


def _keep_pairs(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """In and out: three pairs; with stride 2 their means over each 2×2."""
    weight, side = conv.weight, conv.kernel_size[0]
    weight[:6] = 0
    one_sided = conv.stride[0] == 2 and conv.padding == (0, 0)  # padded at the bottom and right
    first = 0 if one_sided else side // 2
    taps = slice(first, first + conv.stride[0])
    for channel in range(6):
        if conv.groups > 1:
            weight[channel, 0, taps, taps] = 1
        else:
            weight[channel, channel, taps, taps] = 1
            weight[channel, channel ^ 1, taps, taps] = -1


def _read_pairs(weight: Tensor, scale: float) -> None:
    """In: three pairs. Out: three quantities, scaled."""
    weight.zero_()
    middle = weight.shape[-1] // 2
    for q in range(3):
        weight[q, 2 * q, middle, middle] = scale
        weight[q, 2 * q + 1, middle, middle] = -scale


def _move_into_channels(weight: Tensor, quantities: int) -> None:
    """Stride 2. In: pairs. Out: 4q + 2y + x is q at row y and column x of each 2×2."""
    weight[: 4 * quantities] = 0
    for q, y, x in _places(quantities):
        weight[4 * q + 2 * y + x, 2 * q, 1 + y, 1 + x] = 1
        weight[4 * q + 2 * y + x, 2 * q + 1, 1 + y, 1 + x] = -1


def _move_into_pixels(weight: Tensor, quantities: int) -> None:
    """The reverse, transposed: weights are in×out. In: pairs of 4q + 2y + x. Out: q."""
    weight[:, :quantities] = 0
    for q, y, x in _places(quantities):
        source = 4 * q + 2 * y + x
        weight[2 * source, q, 1 + y, 1 + x] = 1
        weight[2 * source + 1, q, 1 + y, 1 + x] = -1


def _places(quantities: int) -> Iterator[tuple[int, int, int]]:
    return ((q, y, x) for q in range(quantities) for y in range(2) for x in range(2))
