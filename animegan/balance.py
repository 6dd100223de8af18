"""Scales of the content, style and colour terms that suit a feature network.

A term pulls at a picture as hard as its gradient there is long: |∂(w·L)/∂G(p)|. The papers' weights
suit VGG19 conv4_4. The features of another network are larger or smaller: content's gradient goes
with their scale, the Gram term's with its square. VGG16's scales were chosen by the look
(docs/training.md); `balance` chooses those with which every term pulls as it does under VGG16.

The state measured is a run's beginning, G the built-in initialisation: it does not depend on the
scales that are sought.
"""

import math
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import torch

from animegan.data import Batch, Batches, Sets
from animegan.distributed import average, rank, world
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.models.vgg import VGGFeatures
from animegan.objective import Part
from animegan.recipes import Recipe, Scaled, scales_for
from animegan.trainer import Trainer

#: Batches whose gradients are averaged.
_BATCHES = 8


class Balanced(NamedTuple):
    """What was chosen and what it does.

    Attributes:
        scales: as `Recipe.scales`; of the terms that have a weight.
        norms: the mean length of each weighted term's gradient at the picture, with these scales.
    """

    scales: dict[Scaled, float]
    norms: dict[str, float]


def balance(recipe: Recipe, sets: Sets, features: VGGFeatures, device: torch.device) -> Balanced:
    """Choose the scales of the content, style and colour terms for a feature network.

    Args:
        recipe: its weights stay what they are.
        sets: the files; some batches of them are seen.
        features: F.
        device: where to compute.

    Raises:
        TrainingError: a set cannot be used.
    """
    with Batches(sets, recipe, device, rank=rank(), world=world()) as reader:
        batches = list(islice(reader, _BATCHES))

    def norms(network: VGGFeatures, scales: dict[Scaled, float]) -> dict[str, float]:
        beginning = {"init": "builtin", "adversarial": 0.0, "stability": 0.0, "compile": False}
        copy = recipe.model_copy(update={**beginning, "scales": scales})
        return gradient_norms(Trainer(copy, network, device), batches)

    suited = scales_for(recipe.method, "vgg16")
    # How chroma stands to luma is no matter of F.
    scales: dict[Scaled, float] = {name: suited[name] for name in suited if name == "chroma"}
    wanted, plain = norms(load_features("vgg16"), suited), norms(features, dict(scales))
    for name in (name for name in suited if name in plain):
        if not (0 < plain[name] < math.inf and 0 < wanted[name] < math.inf):
            raise TrainingError(
                "balance", f"{name} pulls at no picture", "look whether the sets show something"
            )
        # Rounded, for a GPU need not repeat the last digits, and a run goes on with the same alone.
        scales[name] = float(f"{wanted[name] / plain[name]:.3g}")
        plain[name] *= scales[name]
    return Balanced(scales, plain)


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
