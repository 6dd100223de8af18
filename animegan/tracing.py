"""A network as a list of operations on regions, whose norms are told their statistics.

Statistics are gathered from parts, so that a network can be computed without its whole features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.regions import Operation, Pointwise, operation_of
from animegan.steady import Norm, given_by


@dataclass
class Step:
    """One operation of a network.

    Attributes:
        name: as torch.fx calls it.
        operation: what it does.
        inputs: the names of the steps whose results it takes.
        channels: of its result.
        work: multiply-adds for one value of the result.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    channels: int
    work: float = 0.0


class Normalisation(Pointwise):
    """A norm whose statistics are found first.

    Args:
        norm: the module.

    Attributes:
        norm: the same.
        statistics: of the last picture, 2×C float64: mean and variance.
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__(self._normalise)
        self.norm = norm
        self.statistics = torch.zeros(2, 0)
        self._scale: Tensor | None = None
        self._shift: Tensor | None = None

    @property
    def known(self) -> bool:
        """Whether its statistics are."""
        return self._scale is not None

    def forget(self) -> None:
        """For another picture."""
        self._scale = self._shift = None

    def learn(self, moments: "Moments") -> None:
        """Take the statistics of its input."""
        is_layer = isinstance(self.norm, LayerNorm)
        mean, variance = moments.of_layer() if is_layer else moments.of_channels()
        channels = len(self.norm.weight)
        self.statistics = torch.stack([mean.expand(channels), variance.expand(channels)])
        self._scale, self._shift = (
            value.to(self.norm.weight).view(1, -1, 1, 1)
            for value in given_by(self.norm, self.statistics)
        )

    def _normalise(self, *parts: Tensor) -> Tensor:
        if self._scale is None or self._shift is None:
            raise RuntimeError("its statistics are not known yet")
        return torch.addcmul(self._shift, parts[0], self._scale)


class Moments:
    """Mean and variance of features, gathered from parts without cancellation.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979).
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: Tensor = torch.zeros(1, dtype=torch.float64)
        self._squares: Tensor = torch.zeros(1, dtype=torch.float64)

    def add(self, part: Tensor) -> None:
        """Count a part, 1×C×h×w."""
        values = part.float().permute(0, 2, 3, 1).flatten(0, 2)  # `var_mean` is slow in this layout
        found = values.mean(0)
        variance, mean = (values - found).square_().mean(0).double().cpu(), found.double().cpu()
        count = part.shape[-2] * part.shape[-1]
        both = self._count + count
        apart = mean - self._mean
        self._squares = (
            self._squares + variance * count + apart.square() * (self._count * count / both)
        )
        self._mean = self._mean + apart * (count / both)
        self._count = both

    def of_channels(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of every channel, float64 C."""
        return self._mean, self._squares / self._count

    def of_layer(self) -> tuple[Tensor, Tensor]:
        """Mean and variance over all channels."""
        mean = self._mean.mean()
        return mean, (self._squares / self._count + (self._mean - mean).square()).mean()


def trace(generator: nn.Module) -> list[Step]:
    """The operations of a network in an order to compute them in; the first is the photo.

    Raises:
        TypeError: an operation is of a kind that generators do not have.
    """

    class Leaves(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, _name: str) -> bool:
            return next(module.children(), None) is None

    steps: dict[str, Step] = {}
    for node in Leaves().trace(generator).nodes:
        inputs = tuple(one.name for one in node.all_input_nodes)
        if node.op == "output":
            break
        channels = steps[inputs[0]].channels if inputs else 3
        step = Step(node.name, _pointwise(node.op, node.target), inputs, channels)
        if node.op == "call_module":
            _describe(step, generator.get_submodule(str(node.target)))
        steps[node.name] = step
    return list(steps.values())


def _pointwise(kind: str, target: object) -> Operation:
    if kind == "call_method":
        return Pointwise(getattr(torch, str(target)))
    return Pointwise(torch.add)


def _describe(step: Step, module: nn.Module) -> None:
    if isinstance(module, InstanceNorm | LayerNorm):
        step.operation = Normalisation(module)
        return
    step.operation = operation_of(module)
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        step.channels = module.out_channels
        step.work = module.weight.numel() / module.weight.shape[0]
        if isinstance(module, nn.ConvTranspose2d):
            step.work = module.weight.numel() / module.out_channels / module.stride[0] ** 2
