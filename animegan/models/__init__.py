"""The networks, by the names that recipes and checkpoints use."""

from collections.abc import Callable
from functools import partial

from torch import nn

from animegan.models.animegan import AnimeGANGenerator
from animegan.models.animegan_v2 import AnimeGANv2Generator
from animegan.models.animegan_v2_lite import AnimeGANv2LiteGenerator
from animegan.models.blocks import Generator
from animegan.models.cartoongan import CartoonGANGenerator
from animegan.models.discriminator import PatchDiscriminator
from animegan.models.norms import InstanceNorm, LayerNorm
from animegan.models.resampling import EnlargeAligned, EnlargeLegacy

#: The first four are trained; the others are what public weights were trained with.
GENERATORS: dict[str, Callable[[], Generator]] = {
    "animegan": AnimeGANGenerator,
    "animeganv2": AnimeGANv2Generator,
    "animeganv2-lite": AnimeGANv2LiteGenerator,
    "cartoongan": CartoonGANGenerator,
    "animegan-tf": partial(AnimeGANGenerator, legacy=True),
    "animeganv2-aligned": partial(AnimeGANv2Generator, EnlargeAligned),
    "animeganv2-tf": partial(AnimeGANv2Generator, EnlargeLegacy, epsilon=1e-12),
    "animeganv2-lite-tf": partial(AnimeGANv2LiteGenerator, EnlargeLegacy, epsilon=1e-12),
    "cartoongan-authors": partial(CartoonGANGenerator, bias=True, epsilon=1e-9),
}

DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {
    "animegan": PatchDiscriminator,
    "animeganv2": partial(PatchDiscriminator, LayerNorm),
    "cartoongan": partial(PatchDiscriminator, InstanceNorm, spectral=False),
}
