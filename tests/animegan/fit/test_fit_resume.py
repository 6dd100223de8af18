import itertools
import os
import signal
import subprocess
import sys

import pytest
import torch

from animegan import photo_course, state
from animegan.errors import CheckpointError, TrainingError
from animegan.features import load_features
from animegan.fit import fit, plan
from animegan.photo_course import PhotoCourse
from animegan.trainer import Trainer
from animegan.verdict import Choice


def test_two_halves_of_a_run_are_the_whole(train, same, recipe):
    recipe = recipe.model_copy(update={"init_epochs": 1})  # seven steps
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
    monkeypatch.setattr(photo_course, "choose", ends_first)
    train("whole", 9, every=3, keep=keep)
    for steps in (4, 8, 9):
        train("halves", steps, every=3, keep=keep)
    same("whole", "halves")


@pytest.mark.slow
@pytest.mark.parametrize("generator", ["animegan", "animeganv2-lite"])
def test_real_networks_go_on_to_the_same_bytes(tmp_path, sets, same, generator, recipe):
    features = load_features("vgg16")
    recipe = recipe.model_copy(
        update={"generator": generator, "batch": 2, "training_rate": 2, "accumulate": 2}
    )
    for name, parts in (("whole", [4]), ("halves", [2, 4])):
        for steps in parts:
            trainer = Trainer(recipe, features, torch.device("cpu"))
            fit(PhotoCourse(trainer, sets), tmp_path / name, plan(recipe, sets, steps, 2))
    same("whole", "halves")


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


def test_what_a_kill_left_undone_is_done_at_the_next_start(tmp_path, train, bytes_of):
    train("run", 4)
    run = tmp_path / "run"
    whole = bytes_of("run")
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
    assert bytes_of("run") == whole
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


def test_a_run_is_not_continued_with_another_recipe_or_other_pictures(train, sets, recipe):
    train("run", 0)
    with pytest.raises(CheckpointError, match=r"started with colour 10\.0, not 50.0"):
        train("run", 2, recipe=recipe.model_copy(update={"colour": 50.0}))
    sets.photo.pop()
    with pytest.raises(CheckpointError, match="started with other pictures"):
        train("run", 2)


def test_a_run_that_is_longer_than_asked_for_is_left_alone(tmp_path, train, snapshot):
    train("run", 4)
    before = snapshot(tmp_path)
    with pytest.raises(TrainingError, match="stands at step 4 of 2"):
        train("run", 2)
    assert snapshot(tmp_path) == before


KILLER = """
import os, random, signal, sys, time, traceback
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
import torch._dynamo  # or every child would load it
from animegan import photo_course
from animegan.data import find_sets
from animegan.features import load_features
from animegan.fit import fit, plan
from animegan.measures import Interval
from animegan.photo_course import PhotoCourse
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

photo_course.Judge = Judge
photo_course.choose = lambda lines: Choice(lines[len(lines) // 2]["step"], "")
photo_course.alarms = lambda lines: []
folder = Path(sys.argv[1])
recipe = Recipe(generator="animeganv2-lite", discriminator="animeganv2", init="scratch",
                init_epochs=0, batch=1, size=32, ema=0.9, diffaugment=True, jitter=0.1)
sets = find_sets(Dataset(folder / "dataset"), recipe)

def train(name):
    trainer = Trainer(recipe, load_features("vgg16"), torch.device("cpu"))
    fit(PhotoCourse(trainer, sets), folder / name, plan(recipe, sets, STEPS, 1))

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
