"""The generator and the critic of faces.

Source: the report's tables: 5×5 kernels of stride 2 throughout, LReLU 0.2 in D, and no batch norm
in D, for the gradient penalty is of each picture by itself. After Radford et al., "Unsupervised
representation learning with DCGANs" (ICLR 2016), and Reed et al., "Generative adversarial text to
image synthesis" (ICML 2016), for the places where words may join.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from animegan.faces.collection import SIDE
from animegan.faces.words import WIDTH
from animegan.models.blocks import LEAKY_SLOPE

Norm = Literal["none", "batch"]
Joined = Literal["input", "features", "head"]

_KERNEL, _STRIDE, _PADDING = 5, 2, 2
#: Side of G's first and D's last features.
_SMALLEST = 4


class FaceGenerator(nn.Module):
    """G: noise and words → a face. 19,245,315 parameters as the report has it.

    Args:
        noise: numbers of z.
        start: C0, channels of the 4×4 features that z and words become.
        filters: channels before the last layer; those before it are twice and four times as many.
        norm: of the features before each ReLU.
    """

    def __init__(
        self, noise: int = 100, start: int = 1024, filters: int = 128, norm: Norm = "none"
    ) -> None:
        super().__init__()
        self.noise = noise
        self.start = nn.Linear(noise + WIDTH, start * _SMALLEST**2)
        channels = (start, 4 * filters, 2 * filters, filters, 3)
        self.layers = nn.ModuleList(
            nn.ConvTranspose2d(before, after, _KERNEL, _STRIDE, _PADDING, output_padding=1)
            for before, after in pairwise(channels)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if norm == "batch" else nn.Identity() for width in channels[:-1]
        )

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """Draw faces.

        Args:
            z: normal noise N×100.
            condition: N×23, as `words.conditions` has it.

        Returns:
            Faces N×3×64×64 RGB in [-1, 1].
        """
        start = self.start(torch.cat((z, condition), 1))
        features = start.unflatten(1, (-1, _SMALLEST, _SMALLEST))
        features = features.contiguous(memory_format=torch.channels_last)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            features = layer(functional.relu(norm(features)))
        return torch.tanh(features)


class FaceCritic(nn.Module):
    """D: a face and words → how real the two are together. 17,304,705 parameters in the report.

    Args:
        filters: channels of the first layer; they double from layer to layer.
        joined: where the words come in. `input`: tiled over the picture as 23 more channels;
            `features`: tiled over the last features, before one more layer of 1×1; `head`: beside
            the last features before the linear one, where D(x, c) = f(x) + h(c) sees no mismatch.
    """

    def __init__(self, filters: int = 128, joined: Joined = "input") -> None:
        super().__init__()
        self.joined = joined
        channels = (3 + WIDTH * (joined == "input"), *(filters * 2**n for n in range(4)))
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, _KERNEL, _STRIDE, _PADDING)
            for before, after in pairwise(channels)
        )
        last = channels[-1]
        self.mix = nn.Conv2d(last + WIDTH, last, 1) if joined == "features" else None
        self.head = nn.Linear(last * _SMALLEST**2 + WIDTH * (joined == "head"), 1)

    def forward(self, picture: Tensor, condition: Tensor) -> Tensor:
        """Judge faces with their words.

        Args:
            picture: N×3×64×64 RGB in [-1, 1].
            condition: N×23.

        Returns:
            Scores N: the higher, the more real.
        """
        features = self._first(picture, condition)
        for layer in list(self.layers)[1:]:
            features = layer(functional.leaky_relu(features, LEAKY_SLOPE))
        features = functional.leaky_relu(features, LEAKY_SLOPE)
        if self.mix is not None:
            tiled = condition[..., None, None].expand(-1, -1, *features.shape[2:])
            mixed = self.mix(torch.cat((features, tiled), 1))
            features = functional.leaky_relu(mixed, LEAKY_SLOPE)
        flat = features.flatten(1)
        scores: Tensor = self.head(
            torch.cat((flat, condition), 1) if self.joined == "head" else flat
        )
        return scores[:, 0]

    def _first(self, picture: Tensor, condition: Tensor) -> Tensor:
        """The first convolution, of the picture with the words tiled over it.

        What it makes of a plane of ones is the same for all pictures, so each word's plane is
        convolved once and the words of a picture only choose among them: a tenth of a step less.
        """
        layer = self.layers[0]
        if self.joined != "input":
            features: Tensor = layer(picture)
            return features
        of_picture, of_words = layer.weight.split((3, WIDTH), 1)
        seen = functional.conv2d(picture, of_picture, layer.bias, _STRIDE, _PADDING)
        kernels = of_words.transpose(0, 1).flatten(0, 1)[:, None]
        ones = picture.new_ones(1, 1, SIDE, SIDE)
        planes = functional.conv2d(ones, kernels, None, _STRIDE, _PADDING)
        said = condition @ planes.view(WIDTH, -1)
        return seen + said.view(len(picture), *seen.shape[1:])
