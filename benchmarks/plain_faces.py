"""A training step of faces as a plain script has it: slow, and nothing shared with the package.

The words are tiled over the picture as 23 more channels, every kind of pairs goes through D by
itself, and each kind's penalty is written out.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from animegan.faces.batches import FaceBatch, Spoken
from animegan.faces.networks import FaceCritic


def judge(critic: FaceCritic, picture: Tensor, condition: Tensor) -> Tensor:
    """D's scores from its weights: the words as planes, five layers."""
    tiled = condition[:, :, None, None].expand(-1, -1, 64, 64)
    features = torch.cat((picture, tiled), 1)
    for layer in (critic.first, *critic.layers):
        features = functional.conv2d(features, layer.weight, layer.bias, stride=2, padding=2)
        features = functional.leaky_relu(features, 0.2)
    return functional.linear(features.flatten(1), critic.head.weight, critic.head.bias)[:, 0]


def penalty(
    critic: FaceCritic,
    positive: tuple[Tensor, Tensor],
    negative: tuple[Tensor, Tensor],
    epsilon: Tensor,
) -> Tensor:
    """(‖∇D‖ - 1)² between a positive and a negative, the mean over the faces."""
    picture = epsilon[:, None, None, None] * positive[0]
    picture = (picture + (1 - epsilon)[:, None, None, None] * negative[0]).requires_grad_()
    words = epsilon[:, None] * positive[1] + (1 - epsilon)[:, None] * negative[1]
    words.requires_grad_()
    scores = judge(critic, picture, words)
    of_picture, of_words = torch.autograd.grad(scores.sum(), (picture, words), create_graph=True)
    lengths = (of_picture.pow(2).sum((1, 2, 3)) + of_words.pow(2).sum(1)).sqrt()
    return (lengths - 1).pow(2).mean()


def critic_loss(
    critic: FaceCritic,
    batch: FaceBatch,
    drawn: Tensor,
    epsilons: Sequence[Tensor],
    weight: float = 10.0,
) -> Tensor:
    """L_D with all kinds at the same share, each kind's penalty with ε of its own."""
    real, other = batch.real, batch.other
    positive = (real.picture, real.condition)
    kinds = [
        (drawn, real.condition),
        (real.picture, other.condition),
        (other.picture, real.condition),
    ]
    loss = -judge(critic, *positive).mean()
    for kind, epsilon in zip(kinds, epsilons, strict=True):
        loss = loss + judge(critic, *kind).mean() / 3
        loss = loss + weight * penalty(critic, positive, kind, epsilon) / 3
    return loss


def generator_loss(
    critic: FaceCritic,
    classifiers: Mapping[str, nn.Module],
    words: Spoken,
    drawn: Tensor,
    weights: tuple[float, float] = (1.0, 1.0),
) -> Tensor:
    """L_G: minus the score, and the cross entropies of hair and eyes."""
    loss = -judge(critic, drawn, words.condition).mean()
    hair = functional.cross_entropy(classifiers["hair"](drawn), words.hair)
    eyes = functional.cross_entropy(classifiers["eyes"](drawn), words.eyes)
    return loss + weights[0] * hair + weights[1] * eyes
