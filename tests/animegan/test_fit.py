import errno
import io
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys

import filelock
import numpy as np
import pytest
import torch
from torch import nn

from animegan import gallery, state
from animegan.checkpoint import read_header
from animegan.data import Batches, find_sets
from animegan.errors import CheckpointError, TrainingError
from animegan.features import load_features
from animegan.fit import Plan, fit, plan
from animegan.measures import Interval
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.recipes import Recipe
from animegan.run import read_lines
from animegan.trainer import Trainer
from animegan.verdict import Choice
from animeprep.errors import OutputError
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


class Tiny(nn.Sequential):
    """A generator for tests that are not about networks."""

    multiple_of = 1

    def __init__(self):
        super().__init__(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())


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
    monkeypatch.setattr(gallery, "Judge", StandInJudge)
    monkeypatch.setattr(gallery, "choose", middle)
    monkeypatch.setattr(gallery, "alarms", lambda _lines: [])


@pytest.fixture
def tiny_networks(monkeypatch):
    monkeypatch.setitem(GENERATORS, "animegan", Tiny)
    monkeypatch.setitem(DISCRIMINATORS, "animegan", lambda: nn.Conv2d(3, 1, 4, 4))


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
        outcome = fit(trainer, sets, tmp_path / name, length, keep=keep, tell=told.append)
        return outcome, told

    return trained


@pytest.fixture
def same(tmp_path, snapshot):
    """Asserts that two runs are the same bytes."""

    def compare(one, other):
        one, other = (snapshot(tmp_path / name, *COMPARED) for name in (one, other))
        assert sorted(one) == sorted(other)
        assert [name for name, data in one.items() if data != other[name]] == []

    return compare


def steps_of(path):
    return [line["step"] for line in read_lines(path)]


def test_a_plan_counts_epochs_as_the_author(sets):
    recipe = RECIPE.model_copy(update={"batch": 2, "init_epochs": 1, "epochs": 2})
    # Seven style pictures, batches of two: three steps an epoch.
    assert vars(plan(recipe, sets)) == {"epoch": 3, "initial": 3, "total": 9, "every": None}
    assert vars(plan(recipe, sets, 4, 2)) == {"epoch": 3, "initial": 3, "total": 7, "every": 2}
    builtin = recipe.model_copy(update={"init": "builtin"})
    assert vars(plan(builtin, sets)) == {"epoch": 3, "initial": 0, "total": 6, "every": None}


@pytest.mark.parametrize(
    ("length", "due"),
    [
        # The paper's set: 1,664 steps an epoch, one of which is the initialisation phase.
        (
            Plan(epoch=1664, initial=1664, total=3400),
            [500, 1000, 1500, 1664, 2164, 2664, 3164, 3328],
        ),
        (Plan(epoch=200, initial=0, total=700), [200, 400, 600]),
        (Plan(epoch=200, initial=200, total=700, every=150), [150, 200, 300, 450, 600]),
    ],
)
def test_a_run_is_saved_at_epochs_ends_or_each_so_many_steps(length, due):
    steps = range(1, length.total + 1)
    assert [step for step in steps if length.is_due(step)] == due
    assert [step for step in steps if length.is_measured(step)] == [*due, length.total]


def test_a_set_smaller_than_a_batch_is_named(sets):
    with pytest.raises(TrainingError, match="photo: 5 pictures are fewer than a batch of 6"):
        plan(RECIPE.model_copy(update={"batch": 6}), sets)


def test_two_halves_of_a_run_are_the_whole(train, same):
    recipe = RECIPE.model_copy(update={"init_epochs": 1})  # seven steps
    train("whole", 5, recipe=recipe, every=3)
    train("halves", -1, recipe=recipe, every=3)
    train("halves", 2, recipe=recipe, every=3)
    train("halves", 5, recipe=recipe, every=3)
    same("whole", "halves")


@pytest.mark.parametrize("keep", [1, 3])
def test_a_first_half_that_ends_anywhere_leaves_no_trace(train, same, monkeypatch, keep):
    def ends_first(lines):
        steps = [line["step"] for line in lines]
        return Choice(next((step for step in steps if step % 3), steps[0]), "it is an end.")

    # The end of a half is measured and chosen; the whole never measures there.
    monkeypatch.setattr(gallery, "choose", ends_first)
    train("whole", 9, every=3, keep=keep)
    for steps in (4, 8, 9):
        train("halves", steps, every=3, keep=keep)
    same("whole", "halves")


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["animegan", "animeganv2-lite"])
def test_real_networks_go_on_to_the_same_bytes(tmp_path, sets, same, generator):
    features = load_features("vgg16")
    recipe = RECIPE.model_copy(
        update={"generator": generator, "batch": 2, "training_rate": 2, "accumulate": 2}
    )
    for name, parts in (("whole", [4]), ("halves", [2, 4])):
        for steps in parts:
            trainer = Trainer(recipe, features, CPU)
            fit(trainer, sets, tmp_path / name, plan(recipe, sets, steps, 2))
    same("whole", "halves")


def test_a_run_leaves_what_it_says(tmp_path, train):
    outcome, told = train("run", 5)
    run = tmp_path / "run"
    assert (outcome.made, outcome.choice, outcome.problems) == (5, middle([{"step": 4}]), [])
    assert outcome.terms["g"] == pytest.approx(
        np.mean([line["g"] for line in read_lines(run / "log.jsonl")]), rel=1e-4
    )
    assert steps_of(run / "log.jsonl") == [1, 2, 3, 4, 5]
    assert steps_of(run / "metrics.jsonl") == [0, 2, 4, 5]
    assert steps_of(run / "speed.jsonl") == [2, 4, 5]
    assert all(line["measuring"] > 0 for line in read_lines(run / "speed.jsonl"))
    assert {"real", "fake", "gray", "smooth", "adversarial", "gram", "colour", "g", "d"} < set(
        next(read_lines(run / "log.jsonl"))
    )
    # The last three that are due, and the end.
    assert state.saved_steps(run) == [0, 2, 4, 5]
    for step in (0, 2, 4, 5):
        assert (run / "samples" / f"{step:07d}.jpg").is_file()
    # Of the measured steps 2, 4, 5 (0 knows no style yet) the one in the middle.
    assert read_header(run / "best.safetensors").step == 4
    assert read_header(run / "generator.safetensors").step == 5
    assert json.loads((run / "recipe.json").read_text()) == RECIPE.model_dump()
    assert [line.split(",")[0] for line in told] == ["step 2 of 5", "step 4 of 5", "step 5 of 5"]
    assert "Chosen" in (run / "index.html").read_text()


def test_the_best_generator_is_kept_for_painting(tmp_path, train):
    train("run", 10, keep=1)
    run = tmp_path / "run"
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    # Step 6 was the middle one of 2, 4, … 10.
    assert kept == [
        "generator_0000006.safetensors",
        "generator_0000010.safetensors",
        "state_0000010.safetensors",
    ]
    best = run / "checkpoints" / "generator_0000006.safetensors"
    assert (run / "best.safetensors").read_bytes() == best.read_bytes()


def test_a_choice_whose_generator_is_gone_falls_on_one_that_is_there(tmp_path, train, monkeypatch):
    monkeypatch.setattr(gallery, "choose", lambda lines: Choice(lines[-1]["step"], "the last."))
    train("run", 6, keep=1)
    monkeypatch.setattr(gallery, "choose", lambda lines: Choice(lines[0]["step"], "the first."))
    outcome, _ = train("run", 8, keep=1)
    # Steps 2 and 4 went while others were better; 6 was the best when 8 came.
    assert outcome.choice.step == 6
    assert read_header(tmp_path / "run" / "best.safetensors").step == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_is_saved_and_nothing_is_lost(tmp_path, train, same, monkeypatch, number):
    original, taken = Trainer.step, itertools.count(1)

    def stop_in_the_ninth(self, batch, progress):
        if next(taken) == 9:
            os.kill(os.getpid(), number)  # in the middle of the step
        return original(self, batch, progress)

    monkeypatch.setattr(Trainer, "step", stop_in_the_ninth)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train("stopped", 11, every=4, told=told)
    assert told[-1] == "saved at step 9: the same command goes on from there"
    monkeypatch.setattr(Trainer, "step", original)
    assert state.saved_steps(tmp_path / "stopped") == [0, 4, 8, 9]
    _, told = train("stopped", 11, every=4)
    assert told[0] == "going on from step 9"
    train("whole", 11, every=4)
    same("whole", "stopped")


def test_what_a_kill_left_undone_is_done_at_the_next_start(tmp_path, train, snapshot):
    train("run", 4)
    run = tmp_path / "run"
    whole = snapshot(run, *COMPARED)
    # As if it had been killed right after the state took its place.
    for path in (state.generator_file(run, 4), run / "generator.safetensors"):
        path.unlink()
    (run / "samples" / "0000004.jpg").unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:-1]) + lines[-1][:9])
    (run / "best.safetensors").unlink()
    (run / "checkpoints" / ".abc.part").write_text("half a state")
    (run / "index.html").unlink()
    outcome, _ = train("run", 4)
    assert outcome.made == 0
    assert snapshot(run, *COMPARED) == whole
    assert (run / "index.html").exists()


def test_what_was_logged_after_the_state_is_cut_off(tmp_path, train, same):
    train("whole", 6)
    train("cut", 4)
    with (tmp_path / "cut" / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "g": 1.0}\n{"step": 6, "g"')
    train("cut", 6)
    same("whole", "cut")


def test_a_torn_state_costs_the_steps_since_the_one_before(tmp_path, train, same):
    train("whole", 6)
    train("torn", 4)
    last = state.state_file(tmp_path / "torn", 4)
    last.write_bytes(last.read_bytes()[:-1])
    _, told = train("torn", 6)
    assert "going back" in told[0]
    assert told[1] == "going on from step 2"
    same("whole", "torn")


def test_a_run_is_not_continued_with_another_recipe_or_other_pictures(train, sets):
    train("run", 0)
    with pytest.raises(CheckpointError, match=r"started with colour 10\.0, not 50.0"):
        train("run", 2, recipe=RECIPE.model_copy(update={"colour": 50.0}))
    sets.photo.pop()
    with pytest.raises(CheckpointError, match="started with other pictures"):
        train("run", 2)


def test_a_run_that_is_longer_than_asked_for_is_left_alone(tmp_path, train, snapshot):
    train("run", 4)
    before = snapshot(tmp_path)
    with pytest.raises(TrainingError, match="stands at step 4 of 2"):
        train("run", 2)
    assert snapshot(tmp_path) == before


def test_two_trainings_do_not_share_a_run(tmp_path, train):
    train("run", 0)
    with (
        filelock.FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(TrainingError, match="another training is at work"),
    ):
        train("run", 2)


@pytest.fixture
def explode(monkeypatch):
    """Makes a term of the step not finite, as long as learning rates are above a bound."""
    original = Trainer.step

    def at(step, *, above):
        def explosive(self, batch, progress):
            terms = original(self, batch, progress)
            if self.step_done == step and self.rate_factor > above:
                with torch.no_grad():
                    self.generator[0].weight.fill_(float("nan"))
                terms["gram"] = float("nan")
            return terms

        monkeypatch.setattr(Trainer, "step", explosive)

    return at


def test_not_a_number_rolls_back_to_lower_learning_rates(tmp_path, train, explode):
    explode(5, above=0.3)
    outcome, told = train("run", 6)
    run = tmp_path / "run"
    back = "step 5: gram is not a number any more: back to step 4, learning rates × "
    assert [line for line in told if "back" in line] == [back + "0.5", back + "0.25"]
    assert steps_of(run / "log.jsonl") == [1, 2, 3, 4, 4, 4, 5, 6]
    events = [line for line in read_lines(run / "log.jsonl") if "problem" in line]
    assert events == [
        {"step": 4, "rate_factor": rate, "problem": "step 5: gram is not a number any more"}
        for rate in (0.5, 0.25)
    ]
    assert "Rolled back" in (run / "index.html").read_text()
    assert outcome.made == 6


def test_rolling_back_lowers_the_rates_of_both_networks(tmp_path, train, explode, monkeypatch):
    explode(1, above=0.5)
    rates = []
    step = Trainer.step

    def watched(self, batch, progress):
        terms = step(self, batch, progress)
        rates.append([adam.param_groups[0]["lr"] for adam in (self.adam_g, self.adam_d)])
        return terms

    monkeypatch.setattr(Trainer, "step", watched)
    train("run", 1)
    full = [RECIPE.generator_lr, RECIPE.discriminator_lr]
    assert rates == [pytest.approx(full), pytest.approx([rate / 2 for rate in full])]


def test_a_rolled_back_run_goes_on_to_the_same_bytes(train, same, explode):
    explode(3, above=0.5)
    train("whole", 6)
    train("parts", 2)
    train("parts", 4)
    train("parts", 6)
    same("whole", "parts")


def test_a_kill_between_rolling_back_and_saving_changes_nothing(
    tmp_path, train, same, explode, monkeypatch
):
    explode(3, above=0.5)
    train("whole", 4)
    save = state.save

    def killed(trainer, run, fingerprint):
        if trainer.rate_factor < 1:
            raise KeyboardInterrupt
        save(trainer, run, fingerprint)

    monkeypatch.setattr(state, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train("killed", 4)
    monkeypatch.setattr(state, "save", save)
    train("killed", 4)
    same("whole", "killed")


def test_a_run_that_keeps_failing_stops_with_advice(tmp_path, train, explode):
    train("run", 2)
    saved = state.state_file(tmp_path / "run", 2)
    explode(4, above=0)
    with pytest.raises(TrainingError, match=r"even with learning rates × 0\.125; .*--clip 1"):
        train("run", 6)
    assert state.saved_steps(tmp_path / "run") == [0, 2]
    assert read_header(saved).step == 2


def test_weights_that_are_not_finite_are_never_saved(tmp_path, train, monkeypatch):
    original = Trainer.step

    def overflow(self, batch, progress):
        terms = original(self, batch, progress)
        if self.step_done == 4 and self.rate_factor == 1:
            with torch.no_grad():
                self.discriminator.bias.fill_(float("inf"))
        return terms

    monkeypatch.setattr(Trainer, "step", overflow)
    _, told = train("run", 4)
    assert "step 4: discriminator.bias is not a number any more: back to step 2" in told[1]
    assert state.saved_steps(tmp_path / "run") == [0, 2, 4]


class Disk:
    """A disk that takes so many bytes from now on."""

    def __init__(self):
        self.free = float("inf")

    def file(self, *args):
        disk = self

        class File(io.FileIO):
            def write(self, data):
                if len(data) > disk.free:
                    super().write(data[: int(disk.free)])
                    disk.free = 0
                    raise OSError(errno.ENOSPC, "No space left on device")
                disk.free -= len(data)
                return super().write(data)

        return File(*args)


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    opened = pathlib.Path.open
    monkeypatch.setattr(os, "fdopen", disk.file)
    monkeypatch.setattr(
        pathlib.Path,
        "open",
        lambda path, mode="r", *args, **more: (
            disk.file(path, mode) if mode == "r+b" else opened(path, mode, *args, **more)
        ),
    )
    return disk


@pytest.mark.parametrize("free", [0, 1000, 40_000])
def test_a_full_disk_in_between_does_not_end_training(
    tmp_path, train, same, disk, monkeypatch, free
):
    train("whole", 8)
    original = Trainer.step

    def fill(self, batch, progress):
        if self.step_done == 3:
            disk.free = free
        if self.step_done == 5:
            disk.free = float("inf")
            assert steps_of(tmp_path / "full" / "log.jsonl")[:3] == [1, 2, 3]
            assert 2 in state.saved_steps(tmp_path / "full")
        return original(self, batch, progress)

    monkeypatch.setattr(Trainer, "step", fill)
    outcome, told = train("full", 8, keep=9)
    trouble = [line for line in told if "is not saved" in line]
    assert len(trouble) == 1
    assert trouble[0].startswith("step 4 is not saved: ")
    assert "No space left on device" in trouble[0]
    assert "training goes on" in trouble[0]
    assert outcome.made == 8
    for name in ("log.jsonl", "generator.safetensors", "checkpoints/state_0000008.safetensors"):
        assert (tmp_path / "full" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_disk_that_stays_full_ends_training_cleanly(tmp_path, train, same, disk, monkeypatch):
    train("whole", 4)
    original = Trainer.step

    def fill(self, batch, progress):
        disk.free = 100
        return original(self, batch, progress)

    train("full", 2)
    saved = state.state_file(tmp_path / "full", 2).read_bytes()
    monkeypatch.setattr(Trainer, "step", fill)
    with pytest.raises(OutputError, match="No space left"):
        train("full", 4)
    assert state.state_file(tmp_path / "full", 2).read_bytes() == saved
    disk.free = float("inf")
    monkeypatch.setattr(Trainer, "step", original)
    train("full", 4)
    same("whole", "full")


def test_a_run_does_not_begin_on_a_full_disk(train, disk):
    disk.free = 0
    with pytest.raises(OutputError, match="No space left"):
        train("run", 2)


def test_out_of_memory_leaves_the_last_state(tmp_path, train, same, monkeypatch):
    train("whole", 4)
    original = Trainer.step

    def exhausted(self, batch, progress):
        if self.step_done == 3:
            raise TrainingError("step 4", "out of memory", "raise --accumulate")
        return original(self, batch, progress)

    monkeypatch.setattr(Trainer, "step", exhausted)
    with pytest.raises(TrainingError, match="raise --accumulate"):
        train("run", 4)
    assert state.saved_steps(tmp_path / "run") == [0, 2]
    monkeypatch.setattr(Trainer, "step", original)
    train("run", 4)
    same("whole", "run")


@pytest.mark.parametrize("at", ["next", "show"])
def test_out_of_memory_beside_the_steps_names_the_knobs_too(tmp_path, train, monkeypatch, at):
    train("run", 2)

    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    place = {"next": (Batches, "__next__"), "show": (gallery.Gallery, "show")}[at]
    monkeypatch.setattr(*place, exhausted)
    with pytest.raises(TrainingError, match="out of memory with 1 pictures of 32 pixels"):
        train("run", 4)
    assert state.saved_steps(tmp_path / "run")[:2] == [0, 2]


def test_alarms_are_told_once_each(tmp_path, train, monkeypatch):
    monkeypatch.setattr(gallery, "alarms", lambda _lines: ["colours fade; raise --colour"])
    outcome, told = train("run", 6)
    assert [line for line in told if "alarm" in line] == ["alarm: colours fade; raise --colour"]
    assert outcome.alarms == ["colours fade; raise --colour"]
    assert "colours fade" in (tmp_path / "run" / "index.html").read_text()


def test_a_broken_picture_is_told_once_and_passed_over(tmp_path, train, sets):
    sets.photo[1].write_bytes(b"broken")
    outcome, told = train("run", 12, every=6)
    assert len(outcome.problems) == 1
    assert str(sets.photo[1]) in outcome.problems[0]
    assert [line for line in told if "passed over" in line] == [
        f"passed over: {outcome.problems[0]}"
    ]


def test_the_initialisation_is_not_judged(tmp_path, train, monkeypatch):
    seen = []

    def watched(lines):
        seen.append(lines)
        return []

    monkeypatch.setattr(gallery, "alarms", watched)
    train("run", 2, recipe=RECIPE.model_copy(update={"init_epochs": 1}))
    assert steps_of(tmp_path / "run" / "metrics.jsonl") == [0, 2, 4, 6, 7, 8, 9]
    assert [[line["step"] for line in lines] for lines in seen] == [[8], [8, 9]]


KILLER = """
import os, random, signal, sys, time, traceback
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
import torch._dynamo  # or every child would load it
from animegan import gallery
from animegan.data import find_sets
from animegan.features import load_features
from animegan.fit import fit, plan
from animegan.measures import Interval
from animegan.recipes import Recipe
from animegan.trainer import Trainer
from animegan.verdict import Choice
from animeprep.dataset import Dataset
from animeprep.images import read_rgb

class Judge:
    def __init__(self, sets, features, device, folder):
        self.photos = [read_rgb(path) for path in sets.val]
        self.problems = []
    def measure(self, painted):
        level = float(np.mean(painted))
        return {"level": Interval(level, level, level)}

gallery.Judge = Judge
gallery.choose = lambda lines: Choice(lines[len(lines) // 2]["step"], "")
gallery.alarms = lambda lines: []
folder = Path(sys.argv[1])
recipe = Recipe(generator="animeganv2-lite", discriminator="animeganv2", init="scratch",
                init_epochs=0, batch=1, size=32, ema=0.9, diffaugment=True, jitter=0.1)
sets = find_sets(Dataset(folder / "dataset"), recipe)

def train(name):
    trainer = Trainer(recipe, load_features("vgg16"), torch.device("cpu"))
    fit(trainer, sets, folder / name, plan(recipe, sets, STEPS, 1))

def start(name):
    child = os.fork()
    if child:
        return child
    try:
        train(name)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def was_killed(name, delay, saving):
    # After some seconds; if `saving`, as soon as a file is half written then.
    child = start(name)
    time.sleep(delay)
    checkpoints = folder / name / "checkpoints"
    while saving and not list(checkpoints.glob(".*.part")):
        time.sleep(0.0005)
        if not alive(child):
            break
    os.kill(child, signal.SIGKILL)  # a child that has ended waits for us, and takes no notice
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 1:
        sys.exit("training failed")
    log = folder / name / "log.jsonl"
    steps = len(log.read_text().splitlines()) if log.exists() else 0
    if code:
        print(len(list(checkpoints.glob(".*.part"))), steps, flush=True)
    return code != 0

def alive(child):
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

STEPS = 8
begun = time.monotonic()
os.waitpid(start("whole"), 0)
whole = time.monotonic() - begun
chance, kills, run = random.Random(1), 0, 0
while kills < 20:
    if was_killed(f"killed{run}", chance.uniform(0, 0.5 * whole), saving=kills % 3 == 2):
        kills += 1
    else:
        run += 1  # it came to its end: another one
os.waitpid(start(f"killed{run}"), 0)
"""


@pytest.mark.slow
def test_twenty_kills_change_nothing(tmp_path, small_dataset, same):
    command = [sys.executable, "-c", KILLER, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kills = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(kills) == 20
    assert sum(half > 0 for half, _ in kills) >= 3  # in the midst of writing a state or generator
    assert len({steps for _, steps in kills}) >= 4
    for run in tmp_path.glob("killed*"):
        same("whole", run.name)


TOGETHER = """
import os, signal, sys
from pathlib import Path
import numpy as np
import torch
from torch import nn
from animegan import gallery
from animegan.data import find_sets
from animegan.distributed import joined, rank, world
from animegan.fit import fit, plan
from animegan.measures import Interval
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.recipes import Recipe
from animegan.trainer import Trainer
from animegan.verdict import Choice
from animeprep.dataset import Dataset
from animeprep.images import read_rgb

class Judge:
    def __init__(self, sets, *_):
        self.photos, self.problems = [read_rgb(path) for path in sets.val], []
    def measure(self, painted):
        return {"level": Interval(*[float(np.mean(painted))] * 3)}

gallery.Judge = Judge
gallery.choose = lambda lines: Choice(lines[-1]["step"], "")
gallery.alarms = lambda lines: []
GENERATORS["animegan"] = lambda: nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
DISCRIMINATORS["animegan"] = lambda: nn.Conv2d(3, 1, 4, 4)
folder, name, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
recipe = Recipe(init="scratch", init_epochs=0, batch=2, size=32)
sets = find_sets(Dataset(folder / "dataset"), recipe)
for path in sets.photo[:2]:
    path.write_bytes(b"broken")  # one process meets the one, one the other
original = Trainer.step

def step(self, batch, progress):
    last = rank() == world() - 1
    if last and self.step_done == 2 and self.rate_factor == 1:
        batch.photo.fill_(float("nan"))  # in one process alone
    if last and self.step_done == stop:
        os.kill(os.getpid(), signal.SIGTERM)  # likewise
    return original(self, batch, progress)

Trainer.step = step
torch.manual_seed(0)
features = nn.Conv2d(3, 8, 4, stride=8).requires_grad_(False)
with joined(torch.device("cpu")) as device:
    trainer = Trainer(recipe, features, device)
    try:
        outcome = fit(trainer, sets, folder / name, plan(recipe, sets, 6, 2), tell=print)
        print("broken:", len(outcome.problems))
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.slow
def test_processes_roll_back_stop_and_go_on_together(tmp_path, small_dataset):
    script = tmp_path / "train.py"
    script.write_text(TOGETHER)

    def run(processes, *arguments):
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", processes]
        command = [sys.executable, "-m", *torchrun, script, tmp_path, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    told = run("2", "both", "4")
    assert told.count("learning rates × 0.5") == 1
    assert told.count("passed over") == 2
    # The other process met both in its first step; the one that tells may not have yet.
    assert told.rindex("passed over") < told.index("step 2 of 6")
    assert told.count("saved at step 5") == 1
    told = run("2", "both", "-1")
    assert "going on from step 5" in told
    run("1", "alone", "-1")
    both, alone = (list(read_lines(tmp_path / name / "log.jsonl")) for name in ("both", "alone"))
    assert [line["step"] for line in both] == [1, 2, 2, 3, 4, 5, 6]
    for one, other in zip(both, alone, strict=True):
        assert one.pop("problem", "") == other.pop("problem", "")
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
