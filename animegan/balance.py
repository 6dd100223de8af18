"""Weights of the content, style and colour terms that suit a feature network.

A term pulls at a picture as hard as its gradient there is long: |∂(w·L)/∂G(p)|. The papers' weights
suit VGG19 conv4_4. The features of another network are larger or smaller: content's gradient goes
with their scale, the Gram term's with its square. `balance` measures the gradients and chooses the
weights with which all terms pull as they do under VGG16, whose weights were chosen by the look.

The state measured is a run's beginning, G the built-in initialisation and D fresh: it does not
depend on the weights that are sought. D's pull halves within ten steps, the others' hardly change.
"""

import math
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import torch

from animegan.data import Batch, Batches, Sets
from animegan.distributed import average, rank, world
from animegan.errors import TrainingError
from animegan.models.vgg import VGGFeatures
from animegan.objective import Part
from animegan.recipes import FEATURE_SCALE, Recipe
from animegan.trainer import Trainer

#: How hard a term of weight 1 pulls under VGG16, beside 1 for AnimeGAN's adversarial term: what
#: `gradient_norms` says at the beginning of a run (docs/training.md).
PULL = {"content": 0.41, "gram": 0.24, "colour": 3.2e-5}
#: Batches whose gradients are averaged.
_BATCHES = 8


class Balanced(NamedTuple):
    """What was chosen and what it does.

    Attributes:
        weights: of content, gram and colour, as `Recipe` names them.
        norms: the mean length of each weighted term's gradient at the picture, with these weights.
    """

    weights: dict[str, float]
    norms: dict[str, float]


def balance(recipe: Recipe, sets: Sets, features: VGGFeatures, device: torch.device) -> Balanced:
    """Choose the weights of the content, style and colour terms for a feature network.

    Args:
        recipe: its weights say what to stress or, with 0, to leave out; that of the adversarial
            term stays as it is.
        sets: the files; some batches of them are seen.
        features: F.
        device: where to compute.

    Raises:
        TrainingError: the recipe has no adversarial term, or a set cannot be used.
    """
    if not recipe.adversarial:
        raise TrainingError(
            "balance", "there is no adversarial term to balance the others with", "give weights"
        )
    # A fresh D's pull varies by a quarter with its seed: this is the one that PULL was measured at.
    beginning = {"init": "builtin", "seed": 0, "stability": 0.0, "compile": False}
    trainer = Trainer(recipe.model_copy(update=beginning), features, device)
    with Batches(sets, recipe, device, rank=rank(), world=world()) as batches:
        norms = gradient_norms(trainer, list(islice(batches, _BATCHES)))
    weights, lengths = {}, dict(norms)
    for name in (name for name in PULL if name in norms):
        if not 0 < norms[name] < math.inf:
            raise TrainingError(
                "balance", f"{name} pulls at no picture", "look whether the sets show something"
            )
        lengths[name] = _target(recipe, name) * norms["adversarial"]
        weights[name] = getattr(recipe, name) * lengths[name] / norms[name]
    return Balanced(weights, lengths)


def _target(recipe: Recipe, name: str) -> float:
    """How hard a term should pull, beside 1 for the adversarial one: as it would under VGG16."""
    unscaled = getattr(recipe, name) / FEATURE_SCALE[recipe.features].get(name, 1)
    weight = unscaled * FEATURE_SCALE["vgg16"].get(name, 1)
    adversarial: float = Recipe.model_fields["adversarial"].default
    target: float = PULL[name] * weight * adversarial / recipe.adversarial
    return target


def gradient_norms(trainer: Trainer, batches: Sequence[Batch]) -> dict[str, float]:
    """How hard each term of G pulls at its pictures: mean L2 norm of ∂(w·L)/∂G(p) over batches.

    Args:
        trainer: its present state is measured and left as it is.
        batches: at least one.

    Returns:
        By the terms that have a weight; of all processes together.
    """
    weights = trainer.recipe.generator_weights()
    sums = dict.fromkeys(weights, torch.zeros((), device=trainer.device))
    for batch in batches:
        with torch.no_grad():
            painted = trainer.objective.paint(batch.photo)
        painted.requires_grad_()
        for name, term in trainer.objective.generator_terms(Part(batch), painted).items():
            (gradient,) = torch.autograd.grad(weights[name] * term, painted, retain_graph=True)
            sums[name] = sums[name] + gradient.norm() / len(batches)
    average(sums.values())
    return {name: float(norm) for name, norm in sums.items()}
