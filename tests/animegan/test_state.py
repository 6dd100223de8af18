import errno
import hashlib
import os

import pytest
import torch
from safetensors import safe_open
from torch import nn

from animegan import state
from animegan.checkpoint import load_generator, read_header
from animegan.data import Batches, find_sets
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.recipes import Recipe
from animegan.trainer import Trainer
from animeprep.errors import OutputError

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("tiny_networks")
RECIPE = Recipe(init="scratch", init_epochs=0, batch=1, size=32, ema=0.9, colour=50)


class FullDisk:
    """A file whose disk takes the first hundred bytes."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def features():
    return nn.Conv2d(3, 8, 4, stride=8).requires_grad_(requires_grad=False)


@pytest.fixture
def train(small_dataset, features):
    """A trainer after so many steps."""
    sets = find_sets(small_dataset, RECIPE)

    def trained(steps, trainer=None, recipe=RECIPE):
        trainer = trainer or Trainer(recipe, features, CPU)
        with Batches(sets, recipe, CPU, start=trainer.step_done) as batches:
            for _ in range(steps):
                trainer.step(next(batches))
        return trainer

    return trained


def digest(trainer):
    tensors = sorted(trainer.state().items())
    return hashlib.sha256(b"".join(n.encode() + v.numpy().tobytes() for n, v in tensors)).digest()


def test_a_resumed_trainer_is_the_saved_one(tmp_path, train):
    trainer = train(3)
    trainer.rate_factor = 0.25
    state.save(trainer, tmp_path, "sets")
    other = train(1)
    assert digest(other) != digest(trainer)
    assert state.resume(other, tmp_path, "sets")
    assert digest(other) == digest(trainer)
    assert (other.step_done, other.rate_factor) == (3, 0.25)
    assert digest(train(2, other)) == digest(train(2, trainer))


def test_without_a_state_there_is_nothing_to_resume(tmp_path, train):
    assert not state.resume(train(0), tmp_path, "sets")


def test_the_generator_files_hold_what_paints(tmp_path, train):
    trainer = train(2)
    state.save(trainer, tmp_path, "sets")
    for path in (state.generator_file(tmp_path, 2), tmp_path / "generator.safetensors"):
        generator, header = load_generator(path)
        assert (header.step, header.kind) == (2, "generator")
        for name, value in trainer.painter.state_dict().items():
            assert torch.equal(generator.state_dict()[name], value)
    assert not torch.equal(trainer.painter[0].weight, trainer.generator[0].weight)


def test_a_state_tells_the_recipe_and_the_sets(tmp_path, train):
    state.save(train(0), tmp_path, "abc")
    header = read_header(state.state_file(tmp_path, 0))
    assert header.recipe == {**RECIPE.model_dump(), "dataset": "abc"}
    assert header.kind == "state"


@pytest.mark.parametrize(
    ("change", "fingerprint", "message"),
    [
        ({"colour": 60.0}, "sets", "started with colour 50.0, not 60.0"),
        ({"generator_lr": 1.0}, "sets", "started with generator-lr 8e-05, not 1.0"),
        ({}, "other", "started with other pictures, or other held-out ones, than the dataset"),
        ({"scales": {"gram": 2.0}}, "sets", r"other weights for its feature network \(--balance\)"),
    ],
)
def test_another_recipe_or_other_pictures_are_named(tmp_path, train, change, fingerprint, message):
    state.save(train(0), tmp_path, "sets")
    before = digest(train(0))
    other = train(0, recipe=RECIPE.model_copy(update=change))
    with pytest.raises(CheckpointError, match=message):
        state.resume(other, tmp_path, fingerprint)
    assert digest(other) == before


def test_length_and_how_a_step_is_computed_may_change(tmp_path, train):
    state.save(train(1), tmp_path, "sets")
    free = {"epochs": 7, "accumulate": 1, "precision": "bf16"}
    assert state.resume(train(0, recipe=RECIPE.model_copy(update=free)), tmp_path, "sets")


def test_a_state_of_another_network_is_refused(tmp_path, train, monkeypatch):
    state.save(train(0), tmp_path, "sets")
    tiny = GENERATORS["animegan"]
    monkeypatch.setitem(GENERATORS, "animegan", lambda: nn.Sequential(tiny()))
    with pytest.raises(CheckpointError, match="another network"):
        state.resume(train(0), tmp_path, "sets")


def test_a_torn_state_gives_way_to_the_one_before(tmp_path, train):
    told: list[str] = []
    trainer = train(1)
    state.save(trainer, tmp_path, "sets")
    first = digest(trainer)
    state.save(train(1, trainer), tmp_path, "sets")
    last = state.state_file(tmp_path, 2)
    last.write_bytes(last.read_bytes()[:-100])
    other = train(0)
    assert state.resume(other, tmp_path, "sets", told.append)
    assert digest(other) == first
    assert len(told) == 1
    assert str(last) in told[0]
    assert "going back" in told[0]


def test_where_all_states_are_torn_nothing_is_begun_anew(tmp_path, train):
    state.save(train(0), tmp_path, "sets")
    state.state_file(tmp_path, 0).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        state.resume(train(0), tmp_path, "sets")


def test_the_last_states_and_the_best_generator_are_kept(tmp_path, train):
    trainer = train(0)
    for step in (10, 20, 30, 40, 50):
        trainer.step_done = step
        state.save(trainer, tmp_path, "sets")
    state.sweep(tmp_path, keep=2, best=20)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == [
        "generator_0000020.safetensors",
        "generator_0000040.safetensors",
        "generator_0000050.safetensors",
        "state_0000040.safetensors",
        "state_0000050.safetensors",
    ]
    assert state.saved_steps(tmp_path) == [40, 50]


def test_a_state_that_is_not_due_takes_no_others_place(tmp_path, train):
    trainer = train(0)
    for step in (10, 15, 20, 30, 35):
        trainer.step_done = step
        state.save(trainer, tmp_path, "sets")
    state.sweep(tmp_path, lambda step: step % 10 == 0, keep=2)
    assert state.saved_steps(tmp_path) == [20, 30, 35]


def test_what_is_later_or_half_written_is_removed(tmp_path, train):
    trainer = train(0)
    for step in (10, 20):
        trainer.step_done = step
        state.save(trainer, tmp_path, "sets")
    (tmp_path / "checkpoints" / ".x.part").write_text("half")
    (tmp_path / "checkpoints" / "state_notes.safetensors").write_text("the user's own")
    state.forget_after(tmp_path, 10)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "generator_0000010.safetensors",
        "state_0000010.safetensors",
        "state_notes.safetensors",
    ]


def test_a_state_that_does_not_fit_the_disk_leaves_the_others(tmp_path, train, monkeypatch):
    trainer = train(0)
    state.save(trainer, tmp_path, "sets")
    saved = state.state_file(tmp_path, 0).read_bytes()
    open_file = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *args: FullDisk(open_file(*args)))
    with pytest.raises(OutputError, match="No space left"):
        state.save(train(1, trainer), tmp_path, "sets")
    assert state.state_file(tmp_path, 0).read_bytes() == saved
    assert [path.name for path in (tmp_path / "checkpoints").glob("state*")] == [
        "state_0000000.safetensors"
    ]
    assert not list((tmp_path / "checkpoints").glob(".*.part"))


def test_a_state_is_one_file_of_plain_tensors(tmp_path, train):
    state.save(train(1), tmp_path, "sets")
    with safe_open(state.state_file(tmp_path, 1), framework="pt") as file:
        names = set(file.keys())
    assert {"rate_factor", "generator.0.weight", "discriminator.weight", "ema.0.weight"} <= names
    assert any(name.startswith("adam_d.") for name in names)
