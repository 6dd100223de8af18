"""What tests of training whole runs share: tiny networks, a stand-in judge, a run to train."""

import numpy as np
import pytest
import torch
from torch import nn

from animegan import photo_course
from animegan.data import find_sets
from animegan.fit import fit, plan
from animegan.measures import Interval
from animegan.photo_course import PhotoCourse
from animegan.recipes import Recipe
from animegan.run import read_lines
from animegan.trainer import Trainer
from animegan.verdict import Choice
from animeprep.images import read_rgb

CPU = torch.device("cpu")


#: Everything on that has a state or draws random numbers.
RECIPE = Recipe(
    init="scratch",
    init_epochs=0,
    batch=1,
    size=32,
    ema=0.9,
    flip=True,
    jitter=0.2,
    diffaugment=True,
    stability=1,
    clip=1,
    label_smoothing=0.1,
)


#: What must not differ; wall-clock figures do.
COMPARED = ("checkpoints", "generator.safetensors", "best.safetensors", "log.jsonl",
            "metrics.jsonl", "recipe.json", "samples")  # fmt: skip


class StandInJudge:
    """Measures the mean level; draws random numbers when it is new, as a real one does."""

    def __init__(self, sets, _features, _device, folder):
        self.photos = [read_rgb(path) for path in sets.val]
        self.problems = []
        if not (folder / "judge.safetensors").exists():
            torch.rand(3)
            (folder / "judge.safetensors").write_text("trained")

    def measure(self, painted):
        level = float(np.mean(painted))
        return {"level": Interval(level, level - 1, level + 1)}


def middle(lines):
    """Chooses the step in the middle: neither the first nor the last."""
    return Choice(lines[len(lines) // 2]["step"], "it is in the middle.")


@pytest.fixture(scope="module")
def features():
    """A feature network for tests that are not about networks."""
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 4, stride=8).requires_grad_(requires_grad=False)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    monkeypatch.setattr(photo_course, "Judge", StandInJudge)
    monkeypatch.setattr(photo_course, "choose", middle)
    monkeypatch.setattr(photo_course, "alarms", lambda _lines: [])


@pytest.fixture
def sets(small_dataset):
    return find_sets(small_dataset, RECIPE)


@pytest.fixture
def train(tmp_path, sets, features, tiny_networks):
    """Trains the run of a name so far; answers the outcome and what was told."""

    def trained(name, steps, *, every=2, recipe=RECIPE, keep=3, told=None):
        told = [] if told is None else told
        trainer = Trainer(recipe, features, CPU)
        length = plan(recipe, sets, steps, every)
        outcome = fit(
            PhotoCourse(trainer, sets), tmp_path / name, length, keep=keep, tell=told.append
        )
        return outcome, told

    return trained


@pytest.fixture
def steps_of():
    """The steps of a file of lines."""
    return lambda path: [line["step"] for line in read_lines(path)]


@pytest.fixture
def bytes_of(tmp_path, snapshot):
    """All bytes of a run that must not differ."""
    return lambda name: snapshot(tmp_path / name, *COMPARED)


@pytest.fixture
def same(bytes_of):
    """Asserts that two runs are the same bytes."""

    def compare(one, other):
        one, other = bytes_of(one), bytes_of(other)
        assert sorted(one) == sorted(other)
        assert [name for name, data in one.items() if data != other[name]] == []

    return compare


@pytest.fixture
def recipe():
    return RECIPE
