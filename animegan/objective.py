"""The terms of L_D and L_G of one batch, as a recipe weighs them: networks in, scalars out.

    L_D = w_adv·[ w_real·d(a, 1) + w_fake·d(G(p), 0) + w_gray·d(x, 0) + w_smooth·d(y, 0) ]
    L_G = w_adv·d(G(p), 1) + w_con·L_con + w_gra·L_gra + w_col·L_col + w_tv·L_tv + w_sta·L_sta

d(v, t) is how far D(v) is from t, `losses.adversarial_loss`; the weights w are the recipe's.

Source: AnimeGAN (ISICA 2019), equations 1 to 8; AnimeGANv2 and CartoonGAN as `recipes` says.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from animegan.augment import diffaugment, noisy
from animegan.data import Batch
from animegan.losses import (
    adversarial_loss,
    colour_loss,
    content_loss,
    stability_loss,
    style_loss,
    tv_loss,
)
from animegan.recipes import Recipe

#: What draws random numbers within a step; each has a stream of its own.
_STREAMS = ("real", "fake", "gray", "smooth", "adversarial", "stability")


@dataclass(frozen=True)
class Part:
    """A part of a batch that is computed at once.

    Attributes:
        batch: its pictures.
        key: what its random numbers are a function of: seed and step, say.
        share: of the pictures of this process's batch.
        first: the place of its first picture in the batch of all processes.
    """

    batch: Batch
    key: tuple[int, ...] = (0,)
    share: float = 1
    first: int = 0

    def keys(self, stream: str) -> list[tuple[int, ...]]:
        """For each picture what its random numbers are a function of."""
        places = range(self.first, self.first + len(self.batch.photo))
        return [(*self.key, _STREAMS.index(stream), place) for place in places]


class Objective:
    """The terms of both players. Only those that have a weight are computed.

    Args:
        recipe: the weights.
        generator: G. `discriminator`: D. `features`: F. Each may be a compiled one.
        device: where they are.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: nn.Module,
        discriminator: nn.Module,
        features: nn.Module,
        device: torch.device,
    ) -> None:
        self.recipe = recipe
        self.device = device
        self._g, self._d, self._f = generator, discriminator, features

    def paint(self, photo: Tensor) -> Tensor:
        """G(p), N×3×H×W in [-1, 1].

        A photo of one colour sends no gradient back into G: without variance, every instance norm
        would amplify it by 1/√ε, until it is no number any more.
        """
        painted = self._call(self._g, photo)
        flat = (photo == photo[..., :1, :1]).flatten(1).all(1).view(-1, 1, 1, 1)
        return torch.where(flat, painted.detach(), painted)

    def content(self, photo: Tensor) -> Tensor:
        """L_con alone, for the initialisation phase."""
        return content_loss(self._known_features(photo), self._call(self._f, self.paint(photo)))

    def discriminator_terms(self, part: Part, painted: Tensor) -> dict[str, Tensor]:
        """The terms of L_D, not weighted: one pass of D for all, for nothing in D mixes pictures.

        Args:
            part: the pictures.
            painted: G(p); no gradient reaches it.
        """
        recipe, batch = self.recipe, part.batch
        sets = {
            "real": batch.anime,
            "fake": painted.detach(),
            "gray": batch.gray,
            "smooth": batch.smooth,
        }
        names = list(recipe.discriminator_weights())
        shown = torch.cat([self._shown(_there(sets[name]), part, name) for name in names])
        answers = self._call(self._d, shown).chunk(len(names))
        targets = {"real": 1 - recipe.label_smoothing}
        return {
            name: adversarial_loss(answer, targets.get(name, 0), recipe.gan_loss)
            for name, answer in zip(names, answers, strict=True)
        }

    def generator_terms(self, part: Part, painted: Tensor) -> dict[str, Tensor]:
        """The terms of L_G, not weighted.

        Args:
            part: the pictures.
            painted: G(p); gradients reach it, and neither D nor F.
        """
        recipe, photo = self.recipe, part.batch.photo
        terms = self._feature_terms(part.batch, painted)
        if recipe.adversarial:
            with _frozen(self._d):
                answer = self._call(self._d, self._shown(painted, part, "adversarial"))
            terms["adversarial"] = adversarial_loss(answer, 1, recipe.gan_loss)
        if recipe.colour:
            terms["colour"] = colour_loss(photo, painted, recipe.chroma_weight())
        if recipe.tv:
            terms["tv"] = tv_loss(painted)
        if recipe.stability:
            again = self.paint(noisy(photo, part.keys("stability")))
            terms["stability"] = stability_loss(painted, again)
        return terms

    def _feature_terms(self, batch: Batch, painted: Tensor) -> dict[str, Tensor]:
        """Content and gram: one pass of F without gradients for p and x, one for G(p)."""
        kinds = {"content": (content_loss, batch.photo), "gram": (style_loss, batch.gray)}
        names = [name for name in kinds if name in self.recipe.generator_weights()]
        if not names:
            return {}
        targets = self._known_features(torch.cat([_there(kinds[name][1]) for name in names]))
        ours = self._call(self._f, painted)
        return {
            name: kinds[name][0](theirs, ours)
            for name, theirs in zip(names, targets.chunk(len(names)), strict=True)
        }

    @torch.no_grad()
    def _known_features(self, pictures: Tensor) -> Tensor:
        return self._call(self._f, pictures)

    def _shown(self, pictures: Tensor, part: Part, stream: str) -> Tensor:
        """Pictures as D sees them."""
        if not self.recipe.diffaugment:
            return pictures
        return diffaugment(pictures, part.keys(stream))

    def _call(self, network: nn.Module, pictures: Tensor) -> Tensor:
        """A network's answer. Losses are computed from it in full precision."""
        if self.recipe.precision == "fp32":
            answer: Tensor = network(pictures)
            return answer
        with torch.autocast(self.device.type, torch.bfloat16):
            answer = network(pictures)
        return answer.float()


def _there(pictures: Tensor | None) -> Tensor:
    if pictures is None:
        raise ValueError("the recipe has terms of pictures that the batch has not")
    return pictures


@contextlib.contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Within the block no gradient is computed for the network's weights."""
    network.requires_grad_(requires_grad=False)
    try:
        yield
    finally:
        network.requires_grad_(requires_grad=True)
