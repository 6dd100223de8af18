import json
import os
import signal

import pytest
import torch

from animegan import losses
from animegan.data import batches, find_sets
from animegan.errors import CheckpointError, TrainingError
from animegan.features import load_features
from animegan.recipes import Recipe
from animegan.run import STATE_FILE, read_log
from animegan.stylize import GENERATOR_FILE
from animegan.trainer import Trainer, fit, plan
from animeprep.images import list_images

CPU = torch.device("cpu")
SMALL = Recipe(batch=2, size=32, epochs=2, init_epochs=1, init="scratch", seed=3)


@pytest.fixture(scope="module")
def features():
    return load_features("vgg16")


@pytest.fixture
def sets(small_dataset):
    return find_sets(small_dataset)


@pytest.fixture
def batch(sets):
    return next(batches(sets, SMALL.batch, SMALL.size, SMALL.seed))


def weights(trainer):
    return {name: value.clone() for name, value in trainer.generator.state_dict().items()}


def train(run, sets, features, *, recipe=SMALL, steps=None, val=()):
    trainer = Trainer(recipe, features, CPU)
    if (run / STATE_FILE).exists():
        trainer.resume(run)
    fit(trainer, sets, run, plan(recipe, sets, steps), list(val))
    return trainer


def test_a_plan_counts_epochs_as_the_author(sets):
    # Seven style pictures, batches of two: three steps an epoch.
    assert vars(plan(SMALL, sets)) == {"epoch": 3, "initial": 3, "total": 9}
    assert vars(plan(SMALL, sets, 4)) == {"epoch": 3, "initial": 3, "total": 7}
    builtin = SMALL.model_copy(update={"init": "builtin"})
    assert vars(plan(builtin, sets)) == {"epoch": 3, "initial": 0, "total": 6}


def test_the_built_in_initialisation_is_the_default_with_vgg16_alone():
    assert Recipe().initialisation_epochs() == 0
    assert Recipe(init="scratch").initialisation_epochs() == 1
    assert Recipe(features="vgg19").initialisation_epochs() == 1
    assert Recipe(features="vgg19", init="builtin").initialisation_epochs() == 0


def test_the_papers_recipe_is_the_default():
    recipe = Recipe()
    assert (recipe.adversarial, recipe.content, recipe.gram, recipe.colour) == (300, 1.5, 3, 10)
    assert (recipe.smooth, recipe.batch, recipe.size, recipe.epochs) == (0.1, 4, 256, 100)
    assert (recipe.init_lr, recipe.generator_lr, recipe.discriminator_lr) == (1e-4, 8e-5, 1.6e-4)
    assert (recipe.beta1, recipe.init_epochs) == (0.5, 1)


def test_a_steps_losses_are_the_papers_sums_of_their_terms(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    terms = trainer.step(batch)
    assert terms["g"] == pytest.approx(
        300 * terms["adversarial"]
        + 1.5 * terms["content"]
        + 3 * terms["gram"]
        + 10 * terms["colour"],
        rel=1e-4,
    )
    assert terms["d"] == pytest.approx(
        300 * (terms["real"] + terms["fake"] + terms["gray"] + 0.1 * terms["smooth"]), rel=1e-4
    )


def test_a_steps_terms_are_those_of_the_loss_functions(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    with torch.no_grad():
        painted = trainer.generator(batch.photo)
        expected = {
            "content": losses.content_loss(features(batch.photo), features(painted)),
            "gram": losses.style_loss(features(batch.gray), features(painted)),
            "colour": losses.colour_loss(batch.photo, painted),
        }
    terms = trainer.step(batch)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(float(value), rel=1e-3), name


def test_the_discriminator_sees_a_painted_x_and_y_in_this_order(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    seen = []
    trainer.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    with torch.no_grad():
        painted = trainer.generator(batch.photo)
    trainer.step(batch)
    together, again = seen
    parts = together.chunk(4)
    for part, expected in zip(
        parts, (batch.anime, painted, batch.gray, batch.smooth_gray), strict=True
    ):
        torch.testing.assert_close(part, expected, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(again, painted, atol=1e-4, rtol=1e-3)


def test_one_generator_forward_a_step(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    calls = []
    trainer.generator.register_forward_hook(lambda *_: calls.append(1))
    trainer.step(batch)
    assert len(calls) == 1


@pytest.mark.parametrize("term", ["adversarial", "content", "gram", "colour"])
def test_each_term_alone_moves_the_generator(features, batch, term):
    alone = dict.fromkeys(("adversarial", "content", "gram", "colour"), 0.0)
    alone[term] = 1.0
    trainer = Trainer(SMALL.model_copy(update=alone), features, CPU)
    before = weights(trainer)
    trainer.step(batch)
    moved = [not torch.equal(before[name], value) for name, value in weights(trainer).items()]
    assert all(moved)


def test_the_generators_step_leaves_no_gradient_in_the_discriminator(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    painted = trainer.generator(batch.photo)
    trainer.discriminator.zero_grad(set_to_none=True)
    trainer._generator_step(batch, painted)
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_the_discriminators_step_leaves_no_gradient_in_the_generator(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    painted = trainer.generator(batch.photo)
    trainer._discriminator_step(batch, painted.detach())
    assert all(p.grad is None for p in trainer.generator.parameters())
    assert all(p.grad is not None for p in trainer.discriminator.parameters())


def test_the_initialisation_learns_content_and_nothing_else(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    before = {n: v.clone() for n, v in trainer.discriminator.state_dict().items()}
    first = trainer.initialise_step(batch)["content"]
    last = [trainer.initialise_step(batch) for _ in range(8)][-1]
    assert set(last) == {"content"}
    assert last["content"] < 0.9 * first
    for name, value in trainer.discriminator.state_dict().items():
        assert torch.equal(before[name], value)


def test_learning_rates_follow_the_phases(features, batch):
    trainer = Trainer(SMALL, features, CPU)
    trainer.initialise_step(batch)
    assert trainer.adam_g.param_groups[0]["lr"] == SMALL.init_lr
    trainer.step(batch)
    assert trainer.adam_g.param_groups[0]["lr"] == SMALL.generator_lr
    assert trainer.adam_d.param_groups[0]["lr"] == SMALL.discriminator_lr
    assert trainer.adam_g.param_groups[0]["betas"] == (0.5, 0.999)


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path, sets, features):
    train(tmp_path / "whole", sets, features, steps=4)
    train(tmp_path / "parts", sets, features, steps=1)
    train(tmp_path / "parts", sets, features, steps=4)
    for name in (GENERATOR_FILE, STATE_FILE):
        whole, parts = (tmp_path / run / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name


def test_ctrl_c_saves_and_nothing_is_lost(tmp_path, sets, features, monkeypatch):
    run = tmp_path / "run"
    original = Trainer.step
    taken = []

    def stop_at_third(self, batch):
        taken.append(1)
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGINT)  # in the middle of the third step
        return original(self, batch)

    builtin = SMALL.model_copy(update={"init": "builtin"})
    monkeypatch.setattr(Trainer, "step", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        train(run, sets, features, recipe=builtin, steps=4)
    monkeypatch.setattr(Trainer, "step", original)
    assert [terms["step"] for terms in read_log(run)] == [1, 2, 3]
    resumed = train(run, sets, features, recipe=builtin, steps=4)
    train(tmp_path / "whole", sets, features, recipe=builtin, steps=4)
    assert resumed.step_done == 4
    assert [terms["step"] for terms in read_log(run)] == [1, 2, 3, 4]
    assert (run / STATE_FILE).read_bytes() == (tmp_path / "whole" / STATE_FILE).read_bytes()


def test_a_run_with_other_settings_is_not_continued(tmp_path, sets, features):
    train(tmp_path, sets, features, steps=0)
    other = SMALL.model_copy(update={"colour": 50.0})
    with pytest.raises(CheckpointError, match="started with colour 10"):
        Trainer(other, features, CPU).resume(tmp_path)
    longer = SMALL.model_copy(update={"epochs": 50})
    Trainer(longer, features, CPU).resume(tmp_path)


def test_not_a_number_stops_and_keeps_the_last_good_state(tmp_path, sets, features):
    trainer = train(tmp_path, sets, features, steps=1)
    saved = (tmp_path / STATE_FILE).read_bytes()
    with torch.no_grad():
        trainer.generator.to_rgb.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="not a number"):
        fit(trainer, sets, tmp_path, plan(SMALL, sets, 2), [])
    assert (tmp_path / STATE_FILE).read_bytes() == saved


def test_a_run_leaves_a_log_and_samples(tmp_path, sets, features, small_dataset):
    val = list_images(small_dataset.root / "val")
    train(tmp_path, sets, features, steps=1, val=val)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [terms["step"] for terms in log] == [1, 2, 3, 4]
    assert set(log[0]) == {"step", "content", "seconds"}
    assert {"real", "fake", "gray", "smooth", "adversarial", "gram", "colour"} < set(log[3])
    # Saved at the end of each epoch of three steps, and at the run's end.
    assert [path.name for path in list_images(tmp_path / "samples")] == [
        "0000003.jpg",
        "0000004.jpg",
    ]


@pytest.mark.slow
def test_training_moves_towards_what_it_is_asked(tmp_path, sets, features):
    # Colour alone, from random weights: the picture must come much closer to the photo.
    alone = {"adversarial": 0.0, "content": 0.0, "gram": 0.0, "colour": 1.0}
    recipe = SMALL.model_copy(update={**alone, "init_epochs": 0, "generator_lr": 3e-4})
    train(tmp_path, sets, features, recipe=recipe, steps=40)
    colour = [terms["colour"] for terms in read_log(tmp_path)]
    assert sum(colour[-5:]) < 0.75 * sum(colour[:5])
