"""The networks, by the names that recipes and checkpoints use."""

from collections.abc import Callable

from torch import nn

from animegan.models.animegan import AnimeGANGenerator
from animegan.models.discriminator import PatchDiscriminator

GENERATORS: dict[str, Callable[[], nn.Module]] = {
    "animegan": AnimeGANGenerator,
}

DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {
    "animegan": PatchDiscriminator,
}
