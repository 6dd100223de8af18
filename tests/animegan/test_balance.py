import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan import balance as module
from animegan.balance import PULL, balance, gradient_norms
from animegan.data import Batch, Batches, find_sets
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.losses import colour_loss
from animegan.recipes import Recipe, make_recipe
from animegan.trainer import Trainer

CPU = torch.device("cpu")


def small(preset=None, without=(), **given):
    return make_recipe("animegan", preset, without, {"size": 32, "batch": 1, **given})


VGG = load_features("vgg16")


class _Scaled(nn.Module):
    """VGG16 whose answers are multiplied."""

    def __init__(self, factor):
        super().__init__()
        self.vgg, self.factor = VGG, factor

    def forward(self, picture):
        return self.factor * self.vgg(picture)


def scaled(factor):
    return _Scaled(factor)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "_BATCHES", 2)


@pytest.fixture
def sets(small_dataset):
    return find_sets(small_dataset, Recipe())


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    pictures = [torch.rand(2, 3, 32, 32, generator=draw) * 2 - 1 for _ in range(4)]
    return Batch(*pictures)


def test_norms_are_those_of_the_weighted_terms(batch):
    trainer = Trainer(small(tv=2, colour=50), scaled(1.0), CPU)
    norms = gradient_norms(trainer, [batch, batch])
    painted = trainer.generator(batch.photo).detach().requires_grad_()
    # Colour by itself; TV, half a sum of squared differences over their number, by its gradient.
    (50 * colour_loss(batch.photo, painted)).backward()
    assert norms["colour"] == pytest.approx(painted.grad.norm().item(), rel=1e-5)
    right = painted.detach().diff(dim=3) / (2 * 3 * 32 * 31)
    down = painted.detach().diff(dim=2) / (2 * 3 * 32 * 31)
    pull = functional.pad(right, (1, 0)) - functional.pad(right, (0, 1))
    pull += functional.pad(down, (0, 0, 1, 0)) - functional.pad(down, (0, 0, 0, 1))
    assert norms["tv"] == pytest.approx(2 * pull.norm().item(), rel=1e-5)
    assert set(norms) == {"adversarial", "content", "gram", "colour", "tv"}


def test_measuring_changes_nothing(batch):
    trainer = Trainer(small(), scaled(1.0), CPU)
    before = trainer.state()
    first = gradient_norms(trainer, [batch])
    assert gradient_norms(trainer, [batch]) == first
    assert all(torch.equal(value, before[name]) for name, value in trainer.state().items())
    assert all(parameter.grad is None for parameter in trainer.generator.parameters())


def test_weights_follow_the_features_scale(sets):
    # Content's gradient goes with the features' scale, the Gram matrix's with its square.
    recipe = small()
    one, five = (balance(recipe, sets, scaled(scale), CPU) for scale in (1.0, 5.0))
    assert five.weights["content"] == pytest.approx(one.weights["content"] / 5, rel=1e-4)
    assert five.weights["gram"] == pytest.approx(one.weights["gram"] / 25, rel=1e-4)
    assert five.weights["colour"] == pytest.approx(one.weights["colour"], rel=1e-6)
    assert five.norms == pytest.approx(one.norms, rel=1e-4)


def test_terms_pull_as_they_do_under_vgg16(sets):
    recipe = small()
    chosen = balance(recipe, sets, scaled(3.0), CPU)
    for name, pull in PULL.items():
        expected = pull * getattr(recipe, name) * chosen.norms["adversarial"]
        assert chosen.norms[name] == pytest.approx(expected)
    # Measured with the chosen weights, in the same state on the same pictures.
    trainer = Trainer(recipe.model_copy(update=chosen.weights), scaled(3.0), CPU)
    with Batches(sets, recipe, CPU) as batches:
        norms = gradient_norms(trainer, [next(batches) for _ in range(2)])
    assert norms == pytest.approx(chosen.norms, rel=1e-4)


def test_the_papers_weights_are_scaled_as_for_vgg16(sets):
    # vgg19's recipe has the papers' weights; the built-in network stands in for its file here.
    ours, theirs = (balance(small(features=name), sets, scaled(1.0), CPU)
                    for name in ("vgg16", "vgg19"))  # fmt: skip
    assert theirs.weights == pytest.approx(ours.weights, rel=1e-4)


def test_what_a_recipe_stresses_stays_stressed(sets):
    plain, stressed = (
        balance(small(**more), sets, scaled(1.0), CPU)
        for more in ({}, {"preset": "paprika", "without": ["content"]})
    )
    assert set(stressed.weights) == {"gram", "colour"}
    assert stressed.weights["gram"] == pytest.approx(1.2 * plain.weights["gram"], rel=1e-4)


def test_without_an_adversarial_term_there_is_nothing_to_balance_with(sets):
    with pytest.raises(TrainingError, match="no adversarial term"):
        balance(small(adversarial=0), sets, scaled(1.0), CPU)


@pytest.mark.parametrize("pull", [0.0, math.nan])
def test_pictures_that_show_nothing_cannot_be_balanced_with(sets, monkeypatch, pull):
    norms = {"adversarial": 1.0, "content": pull}
    monkeypatch.setattr(module, "gradient_norms", lambda *_: norms)
    with pytest.raises(TrainingError, match="content pulls at no picture"):
        balance(small(), sets, scaled(1.0), CPU)
