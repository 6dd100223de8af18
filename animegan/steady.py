"""A generator whose norms are given their statistics, the same for all pictures of a shot.

Norms that look at each picture make films flicker: what moves in on one side changes what stays on
the other. Here the statistics are averaged over some pictures of a shot, and then constant.

What is given is one tensor, 2×K: scale and shift of each of the K channels of all norms, in the
order of `Module.modules`. With mean μ and variance σ² of a channel, and the norm's own γ and β:
scale = γ / √(σ² + ε), shift = β - μ · scale.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from animegan.models.blocks import Generator
from animegan.models.norms import InstanceNorm, LayerNorm

Norm = InstanceNorm | LayerNorm
#: Of each norm in the order of `norms_of`: mean and variance of its C channels, 2×C float64.
Statistics = list[Tensor]


class Given(nn.Module):
    """What stands in a norm's place.

    Attributes:
        scale, shift: 1×C×1×1.
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.scale: Tensor
        self.shift: Tensor
        for name, value in (("scale", norm.weight), ("shift", norm.bias)):
            self.register_buffer(name, value.detach().view(1, -1, 1, 1).clone())

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        return torch.addcmul(self.shift, features, self.scale)


class Steady(nn.Module):
    """G with given norms; its weights are shared with the generator's.

    Args:
        generator: G, in evaluation mode.

    Attributes:
        generator: its copy.
        channels: of each norm.
        multiple_of: as the generator's.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        shared = {id(parameter): parameter for parameter in generator.parameters()}
        self.generator = copy.deepcopy(generator, shared)
        self.multiple_of = generator.multiple_of
        self._givens: list[Given] = []
        for name, module in list(self.generator.named_modules()):
            if isinstance(module, Norm):
                self._givens.append(Given(module))
                self.generator.set_submodule(name, self._givens[-1])
        self.channels = [given.scale.shape[1] for given in self._givens]

    def give(self, norms: Tensor) -> None:
        """Take scale and shift of all norms, 2×K on its device."""
        parts = norms.view(2, 1, norms.shape[1], 1, 1).split(self.channels, dim=2)
        for given, (scale, shift) in zip(self._givens, parts, strict=True):
            given.scale, given.shift = scale, shift

    def forward(self, photo: Tensor, norms: Tensor) -> Tensor:
        """N×3×H×W in [-1, 1], and 2×K → N×3×H×W."""
        self.give(norms)
        painted: Tensor = self.generator(photo)
        return painted


def norms_of(generator: nn.Module) -> list[Norm]:
    """The norms of G."""
    return [module for module in generator.modules() if isinstance(module, Norm)]


def survey(generator: nn.Module, photos: Iterable[Tensor]) -> Tensor:
    """The norms of a shot: each statistic averaged over pictures, painted as single ones are.

    Args:
        generator: G, in evaluation mode.
        photos: some pictures of the shot, at least one; 1×3×H×W in [-1, 1] on G's device.

    Returns:
        2×K float32 on G's device.
    """
    return average(generator, (statistics_of(generator, photo) for photo in photos))


def statistics_of(generator: nn.Module, photo: Tensor) -> Statistics:
    """What the norms of G find in a picture, 1×3×H×W in [-1, 1] on G's device."""
    norms = norms_of(generator)
    found: dict[nn.Module, Tensor] = {}

    def note(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        found[norm] = _statistics(norm, inputs[0])

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        with torch.inference_mode():
            generator(photo)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[norm] for norm in norms]


def average(generator: nn.Module, found: Iterable[Statistics]) -> Tensor:
    """The norms that the mean of several pictures' statistics gives, 2×K float32 on G's device."""
    norms = norms_of(generator)
    if not norms:
        return torch.zeros(2, 0)
    each = [torch.stack(of_norm).mean(0) for of_norm in zip(*found, strict=True)]
    given = [given_by(*pair) for pair in zip(norms, each, strict=True)]
    return torch.cat(given, dim=1).to(next(generator.parameters()))


def given_by(norm: Norm, statistics: Tensor) -> Tensor:
    """Scale and shift of a norm's channels, 2×C, from their mean and variance, 2×C; float64."""
    mean, variance = statistics
    scale = norm.weight.detach().double().cpu() / (variance + norm.epsilon).sqrt()
    return torch.stack([scale, norm.bias.detach().double().cpu() - mean * scale])


def _statistics(norm: nn.Module, features: Tensor) -> Tensor:
    """Mean and variance of each channel of one picture's features, 2×C float64."""
    values = features[0].float().permute(1, 2, 0).flatten(0, 1)
    mean = values.mean(0)
    variance = (values - mean).square_().mean(0).double().cpu()
    mean = mean.double().cpu()
    if isinstance(norm, LayerNorm):
        variance = (variance + (mean - mean.mean()).square()).mean().expand_as(mean)
        mean = mean.mean().expand_as(mean)
    return torch.stack([mean, variance])
