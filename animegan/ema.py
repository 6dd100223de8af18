"""The moving average of a generator: it paints steadier than the generator of any one step."""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

Network = TypeVar("Network", bound=nn.Module)


def averaged(network: Network) -> Network:
    """A copy that is never trained, in evaluation mode, to be moved by `update_average`."""
    return copy.deepcopy(network).requires_grad_(requires_grad=False).eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network: a ← d·a + (1-d)·w.

    Args:
        average: made by `averaged`.
        network: after its step.
        decay: d, 0.999 say. In the first steps it is (1 + step) / (10 + step) where that is less,
            so that the weights a run began with are soon forgotten.
        step: steps done before, from 0.

    >>> network = nn.Linear(1, 1)
    >>> average = averaged(network)
    >>> before = average.weight.item()
    >>> _ = nn.init.constant_(network.weight, before + 1)
    >>> update_average(average, network, 0.999, 0)  # d = 1/10
    >>> round(average.weight.item() - before, 4)
    0.9
    """
    decay = min(decay, (1 + step) / (10 + step))
    move = get_ema_multi_avg_fn(decay)
    move(list(average.parameters()), list(network.parameters()), step)
    for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
        ours.copy_(theirs)
