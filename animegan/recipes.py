"""Each paper as data: networks, terms, weights, schedule.

A run is trained by one `Recipe`, every value of which is spelled out. `make_recipe` writes it from
a method (a paper), a preset (a film maker's style), the feature network, terms left out, and
whatever the user says beside.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from animeprep.errors import UsageError
from animeprep.settings import Settings

Method = Literal[
    "animegan", "animeganv2", "animeganv2-lite", "cartoongan", "cartoongan-reproduction"
]
Preset = Literal["hayao", "shinkai", "paprika"]
Term = Literal["adversarial", "content", "gram", "colour", "tv", "gray", "smooth"]
Scaled = Literal["content", "gram", "colour", "chroma"]

#: What suits a feature network, `Recipe.scales`; docs/training.md says how they were found.
FEATURE_SCALE: dict[str, dict[Scaled, float]] = {
    "vgg19": {},
    "vgg16": {"content": 0.64, "gram": 7, "colour": 250, "chroma": 12},
}
#: The same for CartoonGAN, whose ω = 10 stands beside one unit of log loss: with features of
#: Caffe's scale, values of hundreds, content would pull 30,000 times as hard as D.
CARTOONGAN_SCALE: dict[str, dict[Scaled, float]] = {"vgg19": {}, "vgg16": {"content": 1e-3}}


class Recipe(Settings):
    """How a generator is trained. The defaults are AnimeGAN's, as the paper has them.

    Weights of loss terms are the papers', under every feature network: `scales` fits them to it.

    Source: Chen, Liu, Chen, "AnimeGAN" (ISICA 2019), section 3; spelled out in docs/animegan.md.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    method: Method = "animegan"
    """the paper"""
    generator: Literal["animegan", "animeganv2", "animeganv2-lite", "cartoongan"] = "animegan"
    """the generator G"""
    discriminator: Literal["animegan", "animeganv2", "cartoongan"] = "animegan"
    """the discriminator D"""
    features: Literal["vgg16", "vgg19"] = "vgg16"
    """the feature network F: vgg16 conv4_3 (built in) or vgg19 conv4_4 (the papers')"""
    scales: dict[Scaled, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda data: scales_for(data["method"], data["features"])
    )
    """what the weights of content, gram, colour and chroma are multiplied by to suit F"""
    init: Literal["auto", "builtin", "scratch"] = "auto"
    """builtin: start from the built-in initialisation; scratch: go through the paper's
    initialisation phase; auto: builtin with vgg16, scratch with vgg19"""

    gan_loss: Literal["lsgan", "log"] = "lsgan"
    """adversarial loss: least squares, or the log loss of the first GANs"""
    adversarial: float = Field(default=300, ge=0)
    """weight of the adversarial terms, in L_G and L_D"""
    content: float = Field(default=1.5, ge=0)
    """weight of the content term L_con"""
    gram: float = Field(default=3, ge=0)
    """weight of the grayscale style term L_gra"""
    colour: float = Field(default=10, ge=0)
    """weight of the colour term L_col"""
    chroma: float = Field(default=1, ge=0)
    """weight of U and V within L_col, beside 1 for Y"""
    tv: float = Field(default=0, ge=0)
    """weight of the total variation term L_tv"""

    real: float = Field(default=1, ge=0)
    """weight of style pictures within L_D"""
    fake: float = Field(default=1, ge=0)
    """weight of painted photos within L_D"""
    gray: float = Field(default=1, ge=0)
    """weight of gray style pictures within L_D"""
    smooth: float = Field(default=0.1, ge=0)
    """weight of edge-smoothed style pictures within L_D"""
    smooth_set: Literal["gray", "colour"] = "gray"
    """edge-smoothed pictures as D sees them: y, gray, or e, in colour"""

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
    training_rate: int = Field(default=1, ge=1)
    """steps of G for each step of D"""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """seeds the networks and the order of the pictures"""

    flip: bool = False
    """mirror half of all pictures, x with its a"""
    jitter: float = Field(default=0, ge=0, lt=1)
    """scale pictures by up to this share more or less before cropping, 0.2 for ±20 %"""
    diffaugment: bool = False
    """D sees all pictures shifted and with holes (DiffAugment without colour)"""
    label_smoothing: float = Field(default=0, ge=0, lt=0.5)
    """D's target for style pictures is 1 less this"""
    late_fake: float = Field(default=1, ge=1)
    """D's weight of painted photos rises to so many times itself over the last half of the run"""
    stability: float = Field(default=0, ge=0)
    """weight of mean |G(p + n) - G(p)| for small noise n, against flicker"""
    clip: float = Field(default=0, ge=0)
    """longest gradient of a network's step, longer ones are scaled down; 0 leaves them"""
    ema: float = Field(default=0, ge=0, lt=1)
    """decay of the moving average of G that paints, 0.999 say; 0 paints with G itself"""
    accumulate: int = Field(default=1, ge=1)
    """parts that a batch is computed in, to save memory"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """number format of the convolutions; bf16 is for GPUs that have it"""
    compile: bool = False
    """compile the networks (torch.compile): a slow start, then faster steps on a GPU"""

    def initialisation_epochs(self) -> int:
        """Epochs of the initialisation phase: none where the built-in one stands in for it."""
        return 0 if self.starts_built_in() else self.init_epochs

    def starts_built_in(self) -> bool:
        """Whether G starts from the built-in initialisation."""
        return self.init == "builtin" or (self.init == "auto" and self.features == "vgg16")

    def generator_weights(self) -> dict[str, float]:
        """The terms of L_G that have a weight, and their weights, `scales` included.

        >>> Recipe().generator_weights()["colour"]
        2500
        """
        names = ("adversarial", "content", "gram", "colour", "tv", "stability")
        weights: dict[str, float] = {name: getattr(self, name) for name in names}
        for name, scale in self.scales.items():
            if name in weights:
                weights[name] *= scale
        return {name: weight for name, weight in weights.items() if weight}

    def chroma_weight(self) -> float:
        """What U and V weigh within L_col, beside 1 for Y; `scales` included.

        >>> Recipe(chroma=2).chroma_weight()
        24.0
        """
        return self.chroma * self.scales.get("chroma", 1)

    def discriminator_weights(self, progress: float = 0) -> dict[str, float]:
        """The terms of L_D that have a weight, and their weights, `adversarial` included.

        Args:
            progress: how much of the run is done, 0..1; over its last half `fake` rises.

        >>> Recipe(late_fake=3).discriminator_weights(progress=0.75)
        {'real': 300, 'fake': 600.0, 'gray': 300, 'smooth': 30.0}
        """
        rise = 1 + (self.late_fake - 1) * max(0.0, 2 * progress - 1)
        inner = {"real": self.real, "fake": self.fake * rise, "gray": self.gray,
                 "smooth": self.smooth}  # fmt: skip
        return {name: self.adversarial * weight for name, weight in inner.items()
                if self.adversarial * weight}  # fmt: skip

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not self.generator_weights():
            raise ValueError("every term of G has weight 0: nothing would be learned")
        if self.accumulate > self.batch:
            raise ValueError(
                f"a batch of {self.batch} cannot be computed in {self.accumulate} parts"
            )
        return self


_V2 = {
    "generator": "animeganv2",
    "discriminator": "animeganv2",
    "gram": 2.5,
    "colour": 15,
    "tv": 1,
    "real": 1.2,
    "fake": 1.2,
    "gray": 1.2,
    "smooth": 0.8,
    "init_epochs": 10,
    "epochs": 91,
    "batch": 12,
    "init_lr": 2e-4,
    "generator_lr": 2e-5,
    "discriminator_lr": 4e-5,
}
_CARTOON = {
    "generator": "cartoongan",
    "discriminator": "cartoongan",
    "gan_loss": "log",
    "adversarial": 1,
    "content": 10,
    "gram": 0,
    "colour": 0,
    "gray": 0,
    "smooth": 1,
    "smooth_set": "colour",
    "init_epochs": 10,
    "init_lr": 2e-4,
    "generator_lr": 2e-4,
    "discriminator_lr": 2e-4,
}

#: What each paper has other than AnimeGAN.
METHODS: dict[Method, dict[str, Any]] = {
    "animegan": {},
    "animeganv2": _V2,
    "animeganv2-lite": {**_V2, "generator": "animeganv2-lite", "batch": 20},
    "cartoongan": _CARTOON,
    "cartoongan-reproduction": {**_CARTOON, "epochs": 90, "batch": 8},
}

_V2_PRESETS: dict[Preset, dict[str, Any]] = {
    "hayao": {},
    "shinkai": {"content": 1.2, "gram": 2.0, "colour": 10, "tv": 1,
                "real": 1.7, "fake": 1.7, "gray": 1.7, "smooth": 1.0},
    "paprika": {"content": 2.0, "gram": 0.6, "colour": 50, "tv": 0.1,
                "real": 1.0, "fake": 1.0, "gray": 1.0, "smooth": 0.005},
}  # fmt: skip

#: What the authors change for a film maker's style.
PRESETS: dict[Method, dict[Preset, dict[str, Any]]] = {
    "animegan": {
        "hayao": {},
        "shinkai": {"content": 1.1},
        "paprika": {"gram": 3.6, "chroma": 2},
    },
    "animeganv2": _V2_PRESETS,
    "animeganv2-lite": _V2_PRESETS,
}


def scales_for(method: Method, features: str) -> dict[Scaled, float]:
    """What a method's weights are multiplied by to suit F.

    >>> scales_for("animegan", "vgg19")
    {}
    """
    cartoon = METHODS[method].get("generator") == "cartoongan"
    return dict((CARTOONGAN_SCALE if cartoon else FEATURE_SCALE)[features])


def make_recipe(
    method: Method = "animegan",
    preset: Preset | None = None,
    without: Collection[Term] = (),
    given: Mapping[str, Any] | None = None,
) -> Recipe:
    """Spell a recipe out.

    Args:
        method: the paper.
        preset: a style of it.
        without: terms whose weight becomes 0, for ablations.
        given: fields of `Recipe` that the user sets; they beat everything else.

    Raises:
        UsageError: the method has no such preset.
        pydantic.ValidationError: a given value is out of its bounds.

    >>> make_recipe("animeganv2", "paprika").colour
    50.0
    >>> make_recipe("animegan", without=["gram"]).gram
    0.0
    """
    values: dict[str, Any] = {"method": method, **METHODS[method]}
    if preset is not None:
        presets = PRESETS.get(method, {})
        if preset not in presets:
            known = ", ".join(presets) or "none"
            raise UsageError(f"{method} has no preset {preset}; its presets: {known}")
        values |= presets[preset]
    values |= dict.fromkeys(without, 0)
    return Recipe(**(values | dict(given or {})))
