import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan import balance as module
from animegan.balance import balance, gradient_norms
from animegan.data import Batch, Batches, find_sets
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.losses import colour_loss
from animegan.recipes import METHODS, Recipe, make_recipe
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
    trainer = Trainer(small(tv=2, colour=50), scaled(1.0), CPU)  # VGG16: colour × 250, chroma × 12
    norms = gradient_norms(trainer, [batch, batch])
    painted = trainer.generator(batch.photo).detach().requires_grad_()
    # Colour by itself; TV, half a sum of squared differences over their number, by its gradient.
    (12_500 * colour_loss(batch.photo, painted, 12)).backward()
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


def test_scales_follow_the_features_scale(sets):
    # Content's gradient goes with the features' scale, the Gram matrix's with its square.
    one, five = (balance(small(), sets, scaled(scale), CPU).scales for scale in (1.0, 5.0))
    assert one == {"content": 0.64, "gram": 7, "colour": 250, "chroma": 12}
    assert five == {"content": 0.128, "gram": 0.28, "colour": 250, "chroma": 12}


@pytest.mark.parametrize("method", METHODS)
def test_every_recipe_keeps_its_weights_under_vgg16(small_dataset, method):
    recipe = make_recipe(method, given={"size": 32, "batch": 1})
    chosen = balance(recipe, find_sets(small_dataset, recipe), VGG, CPU)
    left = {name: recipe.scales[name] for name in chosen.scales}
    assert chosen.scales == left
    terms = {"content"} if method.startswith("cartoon") else {"content", "gram", "colour"}
    assert set(left) - {"chroma"} == terms


@pytest.mark.slow
def test_terms_pull_as_they_do_under_vgg16(sets):
    recipe = small(features="vgg19", init="builtin")
    chosen = balance(recipe, sets, scaled(3.0), CPU)
    trainers = (
        Trainer(small(adversarial=0.0), VGG, CPU),
        Trainer(recipe.model_copy(update={"scales": chosen.scales}), scaled(3.0), CPU),
    )
    with Batches(sets, recipe, CPU) as batches:
        taken = [next(batches) for _ in range(2)]
    wanted, reached = (gradient_norms(trainer, taken) for trainer in trainers)
    assert {name: reached[name] for name in wanted} == pytest.approx(wanted, rel=5e-3)
    assert chosen.norms == pytest.approx(wanted, rel=5e-3)


def test_scales_have_three_digits(sets):
    scales = balance(small(), sets, scaled(math.pi), CPU).scales
    assert scales == {name: float(f"{value:.3g}") for name, value in scales.items()}
    assert scales["content"] == pytest.approx(0.64 / math.pi, rel=5e-3)


@pytest.mark.slow
def test_what_a_recipe_stresses_or_leaves_out_changes_no_scale(sets):
    plain, stressed = (
        balance(small(**more), sets, scaled(2.0), CPU).scales
        for more in ({}, {"preset": "paprika", "without": ["content", "adversarial"]})
    )
    assert stressed == {name: plain[name] for name in ("gram", "colour", "chroma")}


@pytest.mark.parametrize("pull", [0.0, math.nan])
def test_pictures_that_show_nothing_cannot_be_balanced_with(sets, monkeypatch, pull):
    monkeypatch.setattr(module, "gradient_norms", lambda *_: {"content": pull})
    with pytest.raises(TrainingError, match="content pulls at no picture"):
        balance(small(), sets, scaled(1.0), CPU)
