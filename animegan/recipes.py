"""Each paper as data: networks, weights of the terms, schedule."""

from typing import Literal

from pydantic import Field

from animeprep.settings import Settings


class Recipe(Settings):
    """How a generator is trained. The defaults are AnimeGAN's, as the paper has them.

    Source: Chen, Liu, Chen, "AnimeGAN" (ISICA 2019), section 3; spelled out in docs/animegan.md.
    """

    generator: Literal["animegan"] = "animegan"
    """the generator G"""
    discriminator: Literal["animegan"] = "animegan"
    """the discriminator D"""
    features: Literal["vgg16", "vgg19"] = "vgg16"
    """the feature network F: vgg16 conv4_3 (built in) or vgg19 conv4_4 (the paper's)"""
    init: Literal["auto", "builtin", "scratch"] = "auto"
    """builtin: start from the built-in initialisation; scratch: go through the paper's
    initialisation phase; auto: builtin with vgg16, scratch with vgg19"""

    adversarial: float = Field(default=300, ge=0)
    """weight of the adversarial terms, in L_G and L_D"""
    content: float = Field(default=1.5, ge=0)
    """weight of the content term L_con"""
    gram: float = Field(default=3, ge=0)
    """weight of the grayscale style term L_gra"""
    colour: float = Field(default=10, ge=0)
    """weight of the colour term L_col"""
    smooth: float = Field(default=0.1, ge=0)
    """weight of the edge-smoothed term within L_D"""

    init_epochs: int = Field(default=1, ge=0)
    """epochs of content loss alone, without the built-in initialisation"""
    epochs: int = Field(default=100, ge=0)
    """epochs of all losses"""
    batch: int = Field(default=4, ge=1)
    """pictures of each set in a step"""
    size: int = Field(default=256, ge=32, multiple_of=8)
    """side of the training crops, pixels"""
    init_lr: float = Field(default=1e-4, gt=0)
    """learning rate of the initialisation phase"""
    generator_lr: float = Field(default=8e-5, gt=0)
    """learning rate of G"""
    discriminator_lr: float = Field(default=1.6e-4, gt=0)
    """learning rate of D"""
    beta1: float = Field(default=0.5, ge=0, lt=1)
    """Adam's first decay; the second is 0.999"""
    seed: int = Field(default=0, ge=0)
    """seeds the networks and the order of the pictures"""

    def initialisation_epochs(self) -> int:
        """Epochs of the initialisation phase: none where the built-in one stands in for it."""
        return 0 if self.starts_built_in() else self.init_epochs

    def starts_built_in(self) -> bool:
        """Whether G starts from the built-in initialisation."""
        return self.init == "builtin" or (self.init == "auto" and self.features == "vgg16")
