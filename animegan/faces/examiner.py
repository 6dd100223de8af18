"""The examiner: a second opinion on the colours of faces, by which generated ones are judged.

No generator is ever trained against it, and it is built differently from the report's classifiers:
3×3 convolutions in residual blocks with batch norm, the mean over the picture under masks of its
own for each attribute in place of a linear layer over all places, other changes of what it sees.

Source: He et al., "Deep residual learning for image recognition" (CVPR 2016); Wightman et al.,
"ResNet strikes back" (2021), for the smoothing of labels beside shifts and holes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from animegan.faces.collection import Faces
from animegan.faces.learning import CPU, Schedule, balance, learn, mirrored, new
from animegan.faces.words import EYES, HAIR, UNSAID
from animegan.tensors import to_batch

#: Channels at 32×32, 16×16 and 8×8.
_WIDTHS = (24, 48, 96)
#: Masks of each attribute.
_MASKS = 4
#: Features of a face.
WIDTH = 2 * _WIDTHS[1] * _MASKS
SCHEDULE = Schedule(passes=12, batch=64, rate=6e-3, decay=0.05)
_SMOOTHING = 0.05
#: Shifts of up to this many pixels; holes of this many, in every second picture.
_SHIFT, _HOLE = 4, 12
#: Standardised features are squeezed to ± this, so that no face outweighs all others.
_BOUND = 4.0


class Residual(nn.Module):
    """x → x + two convolutions of it, each behind batch norm and ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList((nn.BatchNorm2d(before), nn.BatchNorm2d(after)))
        self.layers = nn.ModuleList(
            (
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.Conv2d(after, after, 3, padding=1, bias=False),
            )
        )
        self.across = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """N×before×H×W → N×after×H×W."""
        inner = features
        for norm, layer in zip(self.norms, self.layers, strict=True):
            inner = layer(functional.relu(norm(inner)))
        shortcut: Tensor = self.across(features)
        return shortcut + inner


class Examiner(nn.Module):
    """A face → logits of its hair's and its eyes' colours."""

    centre: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.first = nn.Conv2d(12, fine, 3, padding=1)
        self.fine = Residual(fine, fine)
        self.middle = nn.Sequential(Residual(fine, middle), Residual(middle, middle))
        self.coarse = Residual(middle, coarse)
        self.norm = nn.BatchNorm2d(middle + coarse)
        self.mix = nn.Conv2d(middle + coarse, middle, 1)
        self.masks = nn.Conv2d(middle + coarse, 2 * _MASKS, 1)
        self.usual = nn.Parameter(torch.zeros(2 * _MASKS, 16, 16))
        self.heads = nn.ModuleList(nn.Linear(WIDTH // 2, len(names)) for names in (HAIR, EYES))
        self.register_buffer("centre", torch.zeros(WIDTH))
        self.register_buffer("spread", torch.ones(WIDTH))

    def pooled(self, pictures: Tensor) -> Tensor:
        """The layer before the last: N×384, the first half for hair, the second for eyes."""
        fine = self.fine(self.first(functional.pixel_unshuffle(pictures, 2)))
        middle = self.middle(functional.avg_pool2d(fine, 2))
        coarse = self.coarse(functional.avg_pool2d(middle, 2))
        both = torch.cat((middle, functional.interpolate(coarse, scale_factor=2.0)), 1)
        both = functional.relu(self.norm(both))
        masks = (self.masks(both) + self.usual).flatten(2).softmax(2)
        colours = functional.relu(self.mix(both)).flatten(2)
        seen: Tensor = masks @ colours.transpose(1, 2)
        return seen.flatten(1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Judge faces.

        Args:
            pictures: N×3×64×64 RGB in [-1, 1].

        Returns:
            Logits of hair N×12 and of eyes N×11.
        """
        return self._judged(self.pooled(pictures))

    @torch.inference_mode()
    def see(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Judge faces, and tell the layer before the last, for distances between sets of faces.

        Each feature is scaled so that the training faces have mean 0 and deviation 1, and then
        bounded softly.

        Args:
            pictures: N×3×64×64 RGB in [-1, 1].

        Returns:
            Logits of hair N×12 and of eyes N×11; features N×384, within ±4.
        """
        pooled = self.pooled(pictures)
        features = ((pooled - self.centre) / self.spread / _BOUND).tanh() * _BOUND
        return *self._judged(pooled), features

    def _judged(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        of_hair, of_eyes = pooled.chunk(2, 1)
        hair, eyes = self.heads
        return hair(of_hair), eyes(of_eyes)


def train_examiner(
    faces: Faces,
    seed: int = 0,
    device: torch.device = CPU,
    schedule: Schedule = SCHEDULE,
) -> Examiner:
    """Train it by cross entropy in which all colours count alike, hair and eyes together.

    Args:
        faces: at least one; what is not said of one teaches nothing.
        seed: of the first weights and all draws; on a CPU the same seed gives the same weights.
        device: where to compute.
        schedule: how long and how fast.

    Returns:
        The examiner, in evaluation mode.
    """
    network = new(Examiner, seed, device)
    pictures = torch.from_numpy(faces.pictures)
    answers = [torch.from_numpy(faces.places(attribute)) for attribute in ("hair", "eyes")]
    weights = [
        balance(places[places != UNSAID], len(colours)).to(device)
        for places, colours in zip(answers, (HAIR, EYES), strict=True)
    ]

    def loss(some: NDArray[np.int64], random: torch.Generator) -> Tensor:
        seen = varied(to_batch(pictures[some], device), random)
        parts = [
            _entropy(logits, places[some].to(device), weight)
            for logits, places, weight in zip(network(seen), answers, weights, strict=True)
        ]
        return torch.stack(parts).sum()

    learn(network, len(faces), loss, schedule, seed)
    _standardise(network, faces, device)
    return network


def _entropy(logits: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """The mean over faces of which something is said; 0 where nothing is of any."""
    said = places != UNSAID
    every = functional.cross_entropy(
        logits, places, weights, ignore_index=UNSAID, reduction="none", label_smoothing=_SMOOTHING
    )
    return every.sum() / said.sum().clamp_min(1)


def varied(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Faces as the training sees them: mirrored, shifted, with holes, in their own colours.

    Args:
        pictures: N×3×64×64 in [-1, 1].
        random: what is drawn from.

    Returns:
        The same shape; what comes in from outside repeats the edge, holes are mid-gray.
    """
    pictures = mirrored(pictures, random)
    padded = functional.pad(pictures, (_SHIFT,) * 4, mode="replicate")
    side = pictures.shape[2]
    changed = []
    draws = torch.rand(len(pictures), 5, generator=random).tolist()
    for picture, (down, right, top, left, whole) in zip(padded, draws, strict=True):
        row, column = (int(draw * (2 * _SHIFT + 1)) for draw in (down, right))
        seen = picture[:, row : row + side, column : column + side].clone()
        if whole < 0.5:
            row, column = (int(draw * (side - _HOLE + 1)) for draw in (top, left))
            seen[:, row : row + _HOLE, column : column + _HOLE] = 0
        changed.append(seen)
    return torch.stack(changed).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def _standardise(network: Examiner, faces: Faces, device: torch.device) -> None:
    """Measure mean and deviation of the features, on some 1,000 to 2,000 of the faces."""
    some = torch.from_numpy(faces.pictures[:: max(1, len(faces) // 1024)])
    features = torch.cat([network.pooled(to_batch(part, device)) for part in some.split(128)])
    network.centre.copy_(features.mean(0))
    network.spread.copy_(features.std(0, correction=0).clamp_min(1e-3))
