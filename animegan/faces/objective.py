"""What a step of faces minimises: pairs of faces and words, the penalty, the classifiers.

    L_D = mean over negatives of D(x⁻, c⁻) - D(x⁺, c⁺) + λ·(‖∇D(x̂, ĉ)‖ - 1)²
    L_G = -D(G(z, c), c) + CE_hair + CE_eyes

(x⁺, c⁺) is a real face with its words. Negatives are a drawn face with its words, a real face with
wrong words and a wrong real face with the words; all kinds together weigh as much as the positive.
x̂ and ĉ lie between a positive and a negative at the same ε, and the gradient is of both.

Source: the report; Gulrajani et al., "Improved training of Wasserstein GANs" (NeurIPS 2017).
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from animegan.faces.batches import FaceBatch, Spoken
from animegan.faces.recipe import FaceRecipe
from animegan.faces.words import UNSAID


class Pair(NamedTuple):
    """Faces beside words: N×3×64×64 and N×23."""

    picture: Tensor
    condition: Tensor


def negatives(batch: FaceBatch, drawn: Tensor) -> dict[str, Pair]:
    """Every kind of negatives of a batch.

    Args:
        batch: real faces, and others with other words.
        drawn: G's faces for the real ones' words, N×3×64×64.

    Returns:
        Kind → N pairs.
    """
    real, other = batch.real, batch.other
    return {
        "fake": Pair(drawn, real.condition),
        "wrong_words": Pair(real.picture, other.condition),
        "wrong_face": Pair(other.picture, real.condition),
    }


def between(positive: Pair, negative: Pair, epsilon: Tensor) -> Pair:
    """(x̂, ĉ) = ε·positive + (1 - ε)·negative, picture and words at the same ε.

    Args:
        positive: N pairs.
        negative: N pairs.
        epsilon: N numbers in [0, 1].
    """
    return Pair(
        torch.lerp(negative.picture, positive.picture, epsilon[:, None, None, None]),
        torch.lerp(negative.condition, positive.condition, epsilon[:, None]),
    )


def gradient_penalty(critic: nn.Module, pair: Pair, *, of_words: bool = True) -> Tensor:
    """(‖∇D‖₂ - 1)², N values, differentiable.

    Args:
        critic: D.
        pair: x̂ and ĉ.
        of_words: whether the gradient is of picture and words, or of the picture alone.
    """
    points = [part.detach().requires_grad_() for part in pair]
    scores = critic(*points)
    taken = points if of_words else points[:1]
    slopes = torch.autograd.grad(scores.sum(), taken, create_graph=True)
    squares = torch.stack([slope.flatten(1).square().sum(1) for slope in slopes]).sum(0)
    # The root's slope at 0 is infinite.
    return ((squares + 1e-12).sqrt() - 1).square()


class FaceObjective:
    """The losses of both players for a batch.

    Args:
        recipe: weights and ways.
        critic: D.
        classifiers: `hair` and `eyes` → a frozen classifier; N×3×64×64 → logits.
    """

    def __init__(
        self, recipe: FaceRecipe, critic: nn.Module, classifiers: Mapping[str, nn.Module]
    ) -> None:
        self._recipe = recipe
        self._critic = critic
        self._classifiers = classifiers
        self._shares = recipe.negatives()

    def critic_terms(
        self, batch: FaceBatch, drawn: Tensor, randoms: torch.Generator
    ) -> dict[str, Tensor]:
        """The terms of L_D, and their sum `d`.

        Args:
            batch: the faces.
            drawn: G's faces for their words, detached.
            randoms: draws ε and the kinds that are interpolated with, on the CPU.

        Returns:
            `real` and each kind of negatives: mean scores; `penalty`, not weighted; `d`.
        """
        positive = Pair(batch.real.picture, batch.real.condition)
        kinds = {kind: pair for kind, pair in negatives(batch, drawn).items()
                 if kind in self._shares}  # fmt: skip
        scores = self._scores([positive, *kinds.values()])
        against = torch.stack(scores[1:])
        shares = torch.tensor(list(self._shares.values()), device=against.device)
        negative = against.amax(0) if self._recipe.combine == "max" else shares @ against
        terms = {"real": scores[0].mean(), **dict(zip(kinds, against.mean(1), strict=True))}
        terms["d"] = (negative - scores[0]).mean()
        if self._recipe.penalty:
            penalty = self._penalty(positive, kinds, randoms)
            terms |= {"penalty": penalty, "d": terms["d"] + self._recipe.penalty * penalty}
        return terms

    def _scores(self, pairs: list[Pair]) -> list[Tensor]:
        """Scores of pairs that are judged together, which takes less time."""
        pictures, words = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        scores: Tensor = self._critic(pictures, words)
        return list(scores.chunk(len(pairs)))

    def _penalty(
        self, positive: Pair, kinds: Mapping[str, Pair], randoms: torch.Generator
    ) -> Tensor:
        """The mean over the faces, and by share over the kinds that are interpolated with."""
        recipe, count = self._recipe, len(positive.picture)
        pairs, shares = list(kinds.values()), list(self._shares.values())
        if recipe.penalty_pairs == "fake":
            pairs, shares = [kinds["fake"]], [1.0]
        elif recipe.penalty_pairs == "drawn":
            pairs, shares = [_drawn(pairs, shares, randoms)], [1.0]
        epsilon = torch.rand(count * len(pairs), generator=randoms).to(positive.picture.device)
        repeated = Pair(*(part.repeat(len(pairs), *[1] * (part.ndim - 1)) for part in positive))
        together = Pair(*(torch.cat(parts) for parts in zip(*pairs, strict=True)))
        point = between(repeated, together, epsilon)
        found = gradient_penalty(self._critic, point, of_words=recipe.penalty_of == "both")
        return torch.tensor(shares, device=found.device) @ found.view(len(pairs), count).mean(1)

    def generator_terms(self, words: Spoken, drawn: Tensor) -> dict[str, Tensor]:
        """The terms of L_G, and their weighted sum `g`.

        Args:
            words: what the faces were drawn for.
            drawn: G's faces.

        Returns:
            `adversarial`, minus the mean score; `hair` and `eyes`, cross entropies; `g`.
        """
        terms = {"adversarial": -self._critic(drawn, words.condition).mean()}
        total = terms["adversarial"]
        for name, places in (("hair", words.hair), ("eyes", words.eyes)):
            weight = getattr(self._recipe, name)
            if weight:
                terms[name] = _cross_entropy(self._classifiers[name](drawn), places)
                total = total + weight * terms[name]
        return {**terms, "g": total}


def _drawn(pairs: list[Pair], shares: list[float], randoms: torch.Generator) -> Pair:
    """For each place one of the kinds, drawn by its share."""
    count = len(pairs[0].picture)
    kinds = torch.multinomial(torch.tensor(shares), count, replacement=True, generator=randoms)
    places = torch.arange(count)
    return Pair(*(torch.stack(parts)[kinds, places] for parts in zip(*pairs, strict=True)))


def _cross_entropy(logits: Tensor, places: Tensor) -> Tensor:
    """Mean over the faces of which something is said; 0 where there are none."""
    said = (places != UNSAID).sum().clamp_min(1)
    total = functional.cross_entropy(logits, places, ignore_index=UNSAID, reduction="sum")
    return total / said
