"""Features of a network that learned nothing.

A classifier of colours may pass over what is wrong with a face where it tells no colour. Random
convolutions favour nothing, and no training can have aimed at them.

Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models" (ICML 2020),
who embed pictures unlike those that networks are trained on so.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHANNELS = (3, 32, 64, 128)
_SEED = 0


class Untrained(nn.Module):
    """Three random convolutions; the same in every process and on every machine."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self.layers = nn.ModuleList(
                nn.Conv2d(before, after, 5, 2, 2) for before, after in pairwise(_CHANNELS)
            )
            for layer in self.layers:
                nn.init.orthogonal_(layer.get_parameter("weight"), 2**0.5)

    @torch.inference_mode()
    def features(self, faces: Tensor) -> Tensor:
        """Mean and deviation of each channel over the picture: N×3×64×64 in [-1, 1] → N×448."""
        pooled = []
        for layer in self.layers:
            faces = functional.relu(layer(faces))
            pooled += [faces.mean((2, 3)), faces.std((2, 3))]
        return torch.cat(pooled, 1)
