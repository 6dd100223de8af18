"""How a classifier of faces learns: passes over tagged faces on a fixed schedule, seeded.

No picture that is held out has a part in it: neither the length nor the weights are chosen by one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from animegan.augment import generator_of
from animegan.tensors import place
from animeprep.progress import progress

CPU = torch.device("cpu")
Network = TypeVar("Network", bound=nn.Module)
#: Places of some faces, and what is random about them → the loss of a step.
Loss = Callable[[NDArray[np.int64], torch.Generator], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn; the rate rises and falls once (`OneCycleLR`).

    Attributes:
        passes: how often each face is seen.
        batch: faces a step.
        rate: the highest of AdamW.
        decay: weight decay of AdamW.
    """

    passes: int
    batch: int
    rate: float
    decay: float


def learn(network: nn.Module, faces: int, loss: Loss, schedule: Schedule, seed: int) -> None:
    """Teach a network, which is then in evaluation mode.

    Args:
        network: changed in place.
        faces: how many there are, at least 1; every pass has them in another order.
        loss: of a step.
        schedule: how long and how fast.
        seed: of the orders and of what is random in a step.
    """
    network.train()
    steps = -(-faces // schedule.batch)
    adam = torch.optim.AdamW(network.parameters(), weight_decay=schedule.decay)
    rates = torch.optim.lr_scheduler.OneCycleLR(
        adam, schedule.rate, total_steps=schedule.passes * steps, cycle_momentum=False
    )
    with progress("learning colours", schedule.passes * steps) as advance:
        for number in range(schedule.passes):
            order = np.random.default_rng((seed, number)).permutation(faces)
            for step, some in enumerate(np.array_split(order, steps)):
                value = loss(some, generator_of(seed, number, step))
                adam.zero_grad()
                value.backward()
                adam.step()
                rates.step()
                advance()
    network.eval()


def balance(places: Tensor, colours: int) -> Tensor:
    """Weights by inverse frequency, so that all colours count alike; 0 for those without faces.

    >>> balance(torch.tensor([0, 0, 0, 2]), 3)
    tensor([0.6667, 0.0000, 2.0000])
    """
    counts = torch.bincount(places, minlength=colours)
    weights = counts.sum() / (counts.clamp_min(1) * (counts > 0).sum())
    return weights * (counts > 0)


def mirrored(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Every second picture of N×3×H×W, left and right exchanged; which, is drawn."""
    turned = torch.rand(len(pictures), generator=random) < 0.5
    return torch.where(turned.to(pictures.device)[:, None, None, None], pictures.flip(3), pictures)


def new(network: Callable[[], Network], seed: int, device: torch.device) -> Network:
    """A network with first weights of a seed; torch's own random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator_of(seed).get_state())
        made = network()
    place(made, device)
    return made
