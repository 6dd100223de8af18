"""A step of faces: what it changes, what it depends on, what its state holds."""

from typing import Any

import pytest
import torch

from animegan.errors import TrainingError
from animegan.faces.batches import FaceBatches
from animegan.faces.classifiers import ColourClassifiers
from animegan.faces.objective import FaceObjective
from animegan.faces.recipe import ABLATIONS, FaceRecipe, make_recipe
from animegan.faces.trainer import FaceTrainer
from tests.animegan.faces.drawing import drawn_faces

CPU = torch.device("cpu")
TINY: dict[str, Any] = {"noise": 4, "start": 8, "filters": 2, "batch": 4}


def trainer(**settings):
    torch.manual_seed(7)
    both = ColourClassifiers()
    return FaceTrainer(
        FaceRecipe(**{**TINY, **settings}), {"hair": both.hair, "eyes": both.eyes}, CPU
    )


@pytest.fixture(scope="module")
def faces():
    return drawn_faces(12)


def train(one, faces, steps=1, progress=0.0):
    batches = FaceBatches(faces, one.recipe, CPU, one.step_done)
    return [one.step(next(batches), progress) for _ in range(steps)]


def weights(network):
    return torch.cat([value.detach().flatten().clone() for value in network.parameters()])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"norm": "batch", "ema": 0.9, "critic_steps": 2},
        {"optimiser": "rmsprop", "combine": "max", "joined": "features"},
        {"penalty_pairs": "each", "penalty_of": "picture", "joined": "head"},
        {"penalty": 0, "hair": 0, "eyes": 0},
    ],
)
def test_n_steps_and_n_more_are_2n_steps(faces, settings):
    whole, first, second = (trainer(**settings) for _ in range(3))
    told = train(whole, faces, 4)
    train(first, faces, 2)
    second.load_state(first.state())
    assert second.step_done == 2
    assert train(second, faces, 2) == told[2:]
    for name, value in whole.state().items():
        assert torch.equal(value, second.state()[name]), name


def test_the_global_random_state_is_left_alone(faces):
    before = torch.random.get_rng_state()
    one = FaceTrainer(FaceRecipe(**TINY, hair=0, eyes=0), {}, CPU)
    train(one, faces, 2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_step_changes_both_players_and_no_classifier(faces):
    torch.manual_seed(7)
    both = ColourClassifiers()
    one = FaceTrainer(FaceRecipe(**TINY), {"hair": both.hair, "eyes": both.eyes}, CPU)
    before = [weights(network) for network in (one.generator, one.critic, both)]
    (terms,) = train(one, faces)
    after = [weights(network) for network in (one.generator, one.critic, both)]
    changed = [not torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed == [True, True, False]
    assert not any(parameter.requires_grad for parameter in both.parameters())
    assert terms.keys() == {
        "real", "fake", "wrong_words", "wrong_face", "penalty", "d",
        "adversarial", "hair", "eyes", "g",
    }  # fmt: skip


def test_the_first_step_of_adam_is_as_long_as_the_rate_says(faces):
    one = trainer(generator_lr=1e-3, critic_lr=2e-3, fading=0.5)
    before = [weights(network) for network in (one.generator, one.critic)]
    train(one, faces, progress=0.75)
    after = [weights(network) for network in (one.generator, one.critic)]
    longest = [float((b - a).abs().max()) for a, b in zip(after, before, strict=True)]
    # m / √v is 1 at most in the first step; half of the rates, for half of the fading is done.
    assert longest == pytest.approx([0.5e-3, 1e-3], rel=0.05)


def test_d_takes_its_number_of_steps_each_with_other_noise(faces):
    one, noise = trainer(critic_steps=3), []
    one.generator.register_forward_pre_hook(lambda _, given: noise.append(given[0]))
    train(one, faces, 2)
    taken = {
        name: {int(state["step"]) for state in optimiser.state.values()}
        for name, optimiser in one.optimisers().items()
    }
    assert taken == {"optimiser_g": {2}, "optimiser_d": {6}}
    # For each step of D, and once for that of G: 4 times 4 faces, twice.
    assert len(torch.cat(noise).unique(dim=0)) == 32


def test_the_average_draws(faces):
    one = trainer(ema=0.9)
    train(one, faces, 3)
    assert one.painter is one.ema
    assert not torch.equal(weights(one.painter), weights(one.generator))
    assert trainer().painter is not None


def test_the_critic_learns_to_tell_real_from_drawn(faces):
    one = trainer(filters=4, critic_lr=1e-3, generator_lr=1e-9, flip=False)
    told = train(one, faces, 40)
    assert told[-1]["real"] - told[-1]["fake"] > told[0]["real"] - told[0]["fake"] + 0.05


def test_out_of_memory_names_the_knobs(faces, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(FaceObjective, "critic_terms", fail)
    with pytest.raises(TrainingError, match=r"step 1: out of memory with 4 faces.*lower --batch"):
        train(trainer(), faces)


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_every_ablation_is_another_recipe_that_trains(faces, name):
    recipe = make_recipe("tiny", [name], {} if name == "small-batch" else {"batch": 4})
    assert recipe != make_recipe("tiny")
    if name == "small-batch":
        assert recipe.batch == 128
        return
    one = trainer(**recipe.model_dump(include=ABLATIONS_FIELDS))
    assert train(one, faces)


ABLATIONS_FIELDS = {name for changes in ABLATIONS.values() for name in changes} - {"batch"}


def test_without_drawn_negatives_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="nothing would be learned"):
        FaceRecipe(fake=0)
