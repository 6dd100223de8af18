"""The report's classifiers: what colour hair, or eyes, have. Frozen, they teach the generator.

Source: the report's table: 4 × (convolution 5×5 of stride 2, 32 filters, LReLU 0.2), linear.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from animegan.errors import TrainingError
from animegan.faces.collection import SIDE, Faces
from animegan.faces.learning import CPU, Schedule, balance, learn, mirrored, new
from animegan.faces.words import COLOURS, EYES, HAIR, UNSAID
from animegan.models.blocks import LEAKY_SLOPE
from animegan.tensors import to_batch

_LAYERS, _FILTERS = 4, 32
SCHEDULE = Schedule(passes=10, batch=64, rate=3e-3, decay=0.1)


class ColourClassifier(nn.Module):
    """A face → how much its hair, or its eyes, look of each colour.

    85,484 parameters for the 12 colours of hair, 84,971 for the 11 of eyes.

    Args:
        colours: how many.
    """

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 5, 2, 2)
            for before, after in pairwise((3,) + _LAYERS * (_FILTERS,))
        )
        self.head = nn.Linear(_FILTERS * (SIDE // 2**_LAYERS) ** 2, colours)

    def forward(self, pictures: Tensor) -> Tensor:
        """Faces N×3×64×64 RGB in [-1, 1] → logits N×colours."""
        features = pictures
        for layer in self.layers:
            features = functional.leaky_relu(layer(features), LEAKY_SLOPE)
        logits: Tensor = self.head(features.flatten(1))
        return logits


class ColourClassifiers(nn.Module):
    """Two of them, in evaluation mode: a face → logits of its hair's and its eyes' colours."""

    def __init__(self) -> None:
        super().__init__()
        self.hair = ColourClassifier(len(HAIR))
        self.eyes = ColourClassifier(len(EYES))
        self.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Faces N×3×64×64 RGB in [-1, 1] → logits N×12 and N×11."""
        return self.hair(pictures), self.eyes(pictures)


def train_classifier(
    faces: Faces,
    attribute: str,
    seed: int = 0,
    device: torch.device = CPU,
    schedule: Schedule = SCHEDULE,
) -> ColourClassifier:
    """Train one by cross entropy in which all colours count alike.

    Args:
        faces: those of which nothing is said are left out.
        attribute: `hair` or `eyes`.
        seed: of the first weights and all draws; on a CPU the same seed gives the same weights.
        device: where to compute.
        schedule: how long and how fast.

    Returns:
        The classifier, in evaluation mode.

    Raises:
        TrainingError: nothing is said of any face.
    """
    said = np.flatnonzero(faces.places(attribute) != UNSAID)
    if not said.size:
        problem = f"no face says a colour of {attribute}"
        raise TrainingError("the training faces", problem, "add tagged faces")
    pictures = torch.from_numpy(faces.pictures[said])
    places = torch.from_numpy(faces.places(attribute)[said])
    colours = len(COLOURS[attribute])
    network = new(lambda: ColourClassifier(colours), seed, device)
    weights = balance(places, colours).to(device)

    def loss(some: NDArray[np.int64], random: torch.Generator) -> Tensor:
        seen = mirrored(to_batch(pictures[some], device), random)
        return functional.cross_entropy(network(seen), places[some].to(device), weights)

    learn(network, len(said), loss, schedule, seed)
    return network
