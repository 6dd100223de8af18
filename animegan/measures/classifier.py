"""A small network that tells anime from photos, trained on the user's own sets.

The style is judged with it; neither the generator nor its feature network has a part in it. It is
to see how a picture is drawn, and not what else tells two folders apart. So it sees luma alone, at
three scales, as lengths of gradients and as Laplacians on a logarithmic scale, which shows the
faint texture of a photo beside its edges; and each patch it learns from is cut at a random scale,
mirrored, given another contrast and brightness, blurred, given noise and compressed as JPEG, anime
and photos alike.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from animeprep.boxes import Box, Picture
from animeprep.images import decode_rgb, encode_jpeg, resize, to_gray

#: Side of a patch, pixels.
PATCH = 64
#: Features of a patch.
WIDTH = 64
_CHANNELS = (0, 24, 48, WIDTH)
_BATCH, _RATE, _DECAY, _SMOOTHING = 32, 3e-3, 1e-2, 0.05
#: Patches of each kind that are drawn from a picture, and at least and at most of a kind.
_DRAWN, _FEWEST, _MOST = 8, 128, 1024
#: How often each patch is seen, and the fewest steps.
_EPOCHS, _STEPS = 5, 100
#: Standardised features are squeezed to ± this, so that no patch outweighs all others.
_BOUND = 4.0
_Rng = np.random.Generator


class Classifier(nn.Module):
    """Anime or photo: luma of patches, N×1×64×64 in 0..255 → logits N, above 0 for anime."""

    derivatives: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
        laplace = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4
        kernels = torch.stack((across, across.T, laplace))[:, None]
        self.register_buffer("derivatives", kernels, persistent=False)
        self.scales = nn.ModuleList(
            nn.Conv2d(2 + before, after, 3, 2, 1) for before, after in pairwise(_CHANNELS)
        )
        self.last = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.head = nn.Linear(WIDTH, 1)
        self.register_buffer("centre", torch.zeros(WIDTH))
        self.register_buffer("spread", torch.ones(WIDTH))

    def pooled(self, luma: Tensor) -> Tensor:
        """The layer before the last: N×64."""
        hidden = luma[:, :0]
        for scale in self.scales:
            hidden = functional.leaky_relu(scale(torch.cat((self._drawn(luma), hidden), 1)), 0.2)
            luma = functional.avg_pool2d(luma, 2)
        return functional.leaky_relu(self.last(hidden), 0.2).mean((2, 3))

    def _drawn(self, luma: Tensor) -> Tensor:
        """Gradient and Laplacian in levels, v → asinh v: N×1×H×W → N×2×H×W."""
        padded = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
        across, down, laplacian = functional.conv2d(padded, self.derivatives).split(1, 1)
        return torch.cat((torch.hypot(across, down), laplacian), 1).asinh()

    def forward(self, luma: Tensor) -> Tensor:
        """Logits, N."""
        logits: Tensor = self.head(self.pooled(luma))
        return logits[:, 0]

    @torch.inference_mode()
    def features(self, picture: Picture) -> NDArray[np.float64]:
        """The layer before the last on the patches of a picture, for distances between sets.

        Each feature is scaled so that the training pictures have mean 0 and deviation 1, and then
        bounded softly.

        Args:
            picture: uint8 RGB H×W×3, H and W at least 64.

        Returns:
            P×64, within ±4.
        """
        scaled = (self.pooled(cut(picture)) - self.centre) / self.spread
        return ((scaled / _BOUND).tanh() * _BOUND).double().numpy()


def cut(picture: Picture) -> Tensor:
    """The patches of a picture, as many as fit beside each other, spread from edge to edge.

    Args:
        picture: uint8 RGB H×W×3, H and W at least 64.

    Returns:
        Luma, P×1×64×64 in 0..255.

    >>> cut(np.zeros((256, 330, 3), np.uint8)).shape
    torch.Size([20, 1, 64, 64])
    """
    luma = to_gray(picture)
    tops, lefts = (_places(length) for length in luma.shape)
    return _to_luma([Box(top, left, PATCH, PATCH).cut(luma) for top in tops for left in lefts])


def _places(length: int) -> list[int]:
    return [int(place) for place in np.linspace(0, length - PATCH, length // PATCH).round()]


def _to_luma(patches: Sequence[Picture]) -> Tensor:
    return torch.from_numpy(np.stack(patches)).float()[:, None]


def train_classifier(
    anime: Sequence[Picture], photos: Sequence[Picture], seed: int = 0
) -> Classifier:
    """Train it on the CPU: 100 steps for small sets, 320 for large ones, of 32 patches.

    Args:
        anime: style pictures, uint8 RGB H×W×3, H and W at least 64; at least one.
        photos: the same of photos.
        seed: of the weights and of every draw.

    Returns:
        The network in evaluation mode; the same pictures and seed give the same weights.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier()
    each = int(np.clip(_DRAWN * max(len(anime), len(photos)), _FEWEST, _MOST))
    drawn = [varied(group[number % len(group)], rng)
             for number in range(each) for group in (anime, photos)]  # fmt: skip
    patches = _to_luma(drawn)
    targets = torch.tensor([1 - _SMOOTHING, _SMOOTHING]).repeat(each)
    steps = max(_STEPS, _EPOCHS * len(patches) // _BATCH)
    adam = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        some = torch.from_numpy(rng.choice(len(patches), _BATCH, replace=False))
        logits = network(patches[some])
        adam.zero_grad()
        functional.binary_cross_entropy_with_logits(logits, targets[some]).backward()
        adam.step()
        schedule.step()
    _standardise(network, [*anime, *photos])
    return network.eval()


@torch.inference_mode()
def _standardise(network: Classifier, pictures: Sequence[Picture]) -> None:
    """Measure mean and deviation of the features, on 128 of the pictures at most."""
    some = pictures[:: max(1, len(pictures) // 128)]
    features = torch.cat([network.pooled(cut(picture)) for picture in some])
    network.centre.copy_(features.mean(0))
    network.spread.copy_(features.std(0, correction=0).clamp_min(1e-3))


def varied(picture: Picture, rng: _Rng) -> Picture:
    """A patch of a picture as the training sees it, differing in all that is not style.

    Args:
        picture: uint8 RGB H×W×3.
        rng: what it draws from.

    Returns:
        Luma, uint8 64×64.
    """
    side = min(int(PATCH * rng.uniform(0.6, 2)), *picture.shape[:2])
    top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
    patch = resize(Box(top, left, side, side).cut(picture), PATCH, PATCH)
    luma = to_gray(patch).astype(np.float32)
    if rng.random() < 0.5:
        luma = luma[:, ::-1]
    contrast, brightness = rng.uniform(0.7, 1.3, 2)
    luma = (luma - luma.mean()) * contrast + luma.mean() * brightness
    if rng.random() < 0.6:
        luma = np.asarray(cv2.GaussianBlur(luma, (0, 0), rng.uniform(0.3, 1.8)))
    if rng.random() < 0.4:
        luma = luma + rng.standard_normal(luma.shape, np.float32) * rng.uniform(0, 4)
    jpeg = encode_jpeg(np.clip(luma.round(), 0, 255).astype(np.uint8), int(rng.integers(50, 98)))
    return to_gray(decode_rgb(jpeg, Path("patch.jpg")))
