"""What learns: networks and their optimisers, and all that a run needs to go on from them."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from animegan.device import is_out_of_memory
from animegan.errors import TrainingError

Terms = dict[str, float]


class LearnersRecipe(Protocol):
    """What every recipe says."""

    @property
    def generator(self) -> str:
        """The kind of generator."""

    @property
    def batch(self) -> int:
        """Pictures of a step."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """All settings as JSON values."""


class Learner(ABC):
    """Networks that are trained against each other, with their optimisers.

    Nothing in a step draws from torch's global random state: random numbers are a function of seed,
    step and picture, so `state` is all there is to a run.

    Attributes:
        device: where to compute.
        step_done: steps done; the steps count it themselves.
        rate_factor: what all learning rates are multiplied by; `state` does not hold it.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.step_done = 0
        self.rate_factor = 1.0

    @property
    @abstractmethod
    def recipe(self) -> LearnersRecipe:
        """All settings."""

    @property
    @abstractmethod
    def painter(self) -> nn.Module:
        """The generator that is kept: the moving average of G where there is one, else G."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Those that a state holds, by name."""

    @abstractmethod
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Those that a state holds, by name."""

    @abstractmethod
    def load(self) -> str:
        """What a step computes at once, as `4 pictures of 256 pixels`."""

    @abstractmethod
    def remedy(self) -> str:
        """What helps where memory runs out."""

    @abstractmethod
    def steadier(self) -> str:
        """What helps where numbers grow out of all bounds."""

    @contextlib.contextmanager
    def memory_advice(self) -> Iterator[None]:
        """Say what helps where memory runs out within the block.

        Raises:
            TrainingError: out of memory.
        """
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            place = f"step {self.step_done + 1}"
            problem = f"out of memory with {self.load()}"
            raise TrainingError(place, problem, self.remedy()) from error

    def _tensors(self) -> dict[str, Tensor]:
        """Networks and optimisers, not copied."""
        tensors = {
            f"{prefix}.{name}": value
            for prefix, network in self.networks().items()
            for name, value in network.state_dict().items()
        }
        for prefix, optimiser in self.optimisers().items():
            for index, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{prefix}.{index}.{key}": value for key, value in state.items()}
        return tensors

    def broken_tensor(self) -> str | None:
        """The name of the first tensor of the state with values that are not finite.

        Computed where the tensors are, and fetched at once.
        """
        tensors = {n: value for n, value in self._tensors().items() if value.is_floating_point()}
        finite = [value.isfinite().all().to(self.device) for value in tensors.values()]
        answers = dict(zip(tensors, torch.stack(finite).tolist(), strict=True))
        return next((name for name, good in answers.items() if not good), None)

    def state(self) -> dict[str, Tensor]:
        """All that a run needs to go on to the same bytes, as copies in the CPU's memory."""
        tensors = {**self._tensors(), "step": torch.tensor(self.step_done)}
        return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Go on where `state` stood; the tensors are copied.

        Raises:
            KeyError, RuntimeError, ValueError: they are not of this recipe's networks.
        """
        for prefix, network in self.networks().items():
            network.load_state_dict(_below(tensors, prefix))
        for prefix, optimiser in self.optimisers().items():
            _restore(optimiser, _below(tensors, prefix))
        self.step_done = int(tensors["step"])


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What stands below a prefix, without it."""
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _restore(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimiser its state `index.key`, each tensor copied in its parameter's layout.

    For a fused step goes by memory order. Before the first step there is no state.
    """
    state: dict[int, dict[str, Tensor]] = {}
    parameters = optimiser.param_groups[0]["params"]
    for name, value in tensors.items():
        number, key = name.split(".")
        index = int(number)
        like = value if key == "step" else parameters[index]
        if like.shape != value.shape:
            raise ValueError(f"{name} is {tuple(value.shape)}, not {tuple(like.shape)}")
        kept = torch.empty_like(like, requires_grad=False).copy_(value)
        state.setdefault(index, {})[key] = kept
    alike = {frozenset(one) for one in state.values()}
    if state and (len(state) != len(parameters) or len(alike) > 1):
        raise KeyError(f"not all of {len(parameters)} parameters have their moments")
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
