"""The report as data: networks, losses, schedule; and what it leaves open, each a setting.

docs/faces.md names for each setting what the report says of it.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from animeprep.settings import Settings

Norm = Literal["none", "batch"]
Joined = Literal["input", "features", "head"]
Method = Literal["report", "quick", "tiny"]
Ablation = Literal["label-penalty", "classifiers", "small-batch", "filters", "real-negatives"]


class FaceRecipe(Settings):
    """How a generator of faces is trained. The defaults are the report's.

    Source: the report on "Comics Generation"; the loss of Gulrajani et al., "Improved training of
    Wasserstein GANs" (NeurIPS 2017), with the pairs of Reed et al. (ICML 2016).
    """

    model_config = ConfigDict(allow_inf_nan=False)

    method: Method = "report"
    """the recipe"""
    generator: Literal["faces"] = "faces"
    """the kind of generator"""
    noise: int = Field(default=100, ge=1, le=4096)
    """numbers of the noise z"""
    start: int = Field(default=1024, ge=1, le=4096)
    """C0, channels of the 4×4 features that G begins with"""
    filters: int = Field(default=128, ge=1, le=512)
    """channels of G's last but one layer and of D's first; the others are multiples"""
    norm: Norm = "none"
    """norms in G"""
    joined: Joined = "input"
    """where the words join in D: input (tiled over the picture), features (tiled over the last
    ones) or head (before the linear layer, where D cannot see a mismatch)"""

    fake: float = Field(default=1, ge=0)
    """share among the negatives of a drawn face with its words"""
    wrong_words: float = Field(default=1, ge=0)
    """share among the negatives of a real face with another face's words"""
    wrong_face: float = Field(default=1, ge=0)
    """share among the negatives of another real face with the words"""
    combine: Literal["mean", "max"] = "mean"
    """how the negatives of a face become one, against one positive: their mean by share, or the one
    that D takes for the most real"""
    penalty: float = Field(default=10, ge=0)
    """λ, weight of the gradient penalty"""
    penalty_of: Literal["both", "picture"] = "both"
    """what the penalised gradient is taken of: picture and words, or the picture alone"""
    penalty_pairs: Literal["drawn", "each", "fake"] = "drawn"
    """negatives that positives are interpolated with: one kind a face, drawn by share; each kind,
    weighed by share; drawn faces alone"""
    hair: float = Field(default=1, ge=0)
    """weight in L_G of the cross entropy of the hair's colour"""
    eyes: float = Field(default=1, ge=0)
    """weight in L_G of the cross entropy of the eyes' colour"""

    optimiser: Literal["adam", "rmsprop"] = "adam"
    """Adam with decays 0 and 0.9, or RMSprop"""
    generator_lr: float = Field(default=1e-4, gt=0)
    """learning rate of G"""
    critic_lr: float = Field(default=1e-4, gt=0)
    """learning rate of D"""
    fading: float = Field(default=0, ge=0, le=1)
    """last share of the run in which both learning rates go down to 0"""
    critic_steps: int = Field(default=1, ge=1)
    """n_critic, steps of D for each step of G"""
    batch: int = Field(default=16, ge=1)
    """faces in a step"""
    epochs: int = Field(default=300, ge=0)
    """times that the faces are gone through"""
    flip: bool = True
    """mirror half of the faces"""
    ema: float = Field(default=0, ge=0, lt=1)
    """decay of the moving average of G that draws, 0.999 say; 0 draws with G itself"""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """seeds the networks, the order of the faces and the noise"""

    def negatives(self) -> dict[str, float]:
        """The kinds of negatives that have a share, and their shares, 1 together.

        >>> FaceRecipe(fake=2).negatives()
        {'fake': 0.5, 'wrong_words': 0.25, 'wrong_face': 0.25}
        """
        shares = {name: getattr(self, name) for name in ("fake", "wrong_words", "wrong_face")}
        return {name: share / sum(shares.values()) for name, share in shares.items() if share}

    def rate(self, progress: float) -> float:
        """What the learning rates are multiplied by when so much of the run is done, 0..1.

        >>> [FaceRecipe(fading=0.5).rate(progress) for progress in (0, 0.5, 0.75)]
        [1.0, 1.0, 0.5]
        """
        return min(1.0, (1 - progress) / self.fading) if self.fading else 1.0

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not self.fake:
            raise ValueError("without drawn faces among the negatives nothing would be learned")
        return self


#: What each recipe has other than the report's. `quick` is for processors without a GPU: a quarter
#: of the channels is a sixteenth of the work. What it makes up for is in docs/faces.md.
METHODS: dict[Method, dict[str, Any]] = {
    "report": {},
    "quick": {"start": 256, "filters": 32, "norm": "batch", "ema": 0.995, "fake": 2,
              "hair": 0.3, "eyes": 0.3, "generator_lr": 2e-4, "critic_lr": 4e-4, "fading": 0.3,
              "epochs": 40},
    "tiny": {"noise": 16, "start": 64, "filters": 16, "norm": "batch", "ema": 0.98,
             "generator_lr": 1e-3, "critic_lr": 1e-3, "epochs": 20},
}  # fmt: skip

#: What the report tried otherwise, and left out here: its name → what it changes.
ABLATIONS: dict[Ablation, dict[str, Any]] = {
    "label-penalty": {"penalty_of": "picture"},
    "classifiers": {"hair": 0, "eyes": 0},
    "small-batch": {"batch": 128},
    "filters": {"filters": 16, "start": 128},
    "real-negatives": {"wrong_words": 0.1, "wrong_face": 0.1},
}


def make_recipe(
    method: Method = "report",
    without: Collection[Ablation] = (),
    given: Mapping[str, Any] | None = None,
) -> FaceRecipe:
    """Spell a recipe out.

    Args:
        method: the recipe.
        without: what the report shows to matter, left out.
        given: fields that the user sets; they beat everything else.

    Raises:
        pydantic.ValidationError: a given value is out of its bounds.

    >>> make_recipe("quick", without=["classifiers"]).hair
    0.0
    """
    values: dict[str, Any] = {"method": method, **METHODS[method]}
    for name in without:
        values |= ABLATIONS[name]
    return FaceRecipe(**(values | dict(given or {})))
