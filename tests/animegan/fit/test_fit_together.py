import os
import subprocess
import sys

import pytest

from animegan.run import read_lines

TOGETHER = """
import os, signal, sys
from pathlib import Path
import numpy as np
import torch
from torch import nn
from animegan import photo_course
from animegan.data import find_sets
from animegan.distributed import joined, rank, world
from animegan.fit import fit, plan
from animegan.measures import Interval
from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.photo_course import PhotoCourse
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

photo_course.Judge = Judge
photo_course.choose = lambda lines: Choice(lines[-1]["step"], "")
photo_course.alarms = lambda lines: []
class Tiny(nn.Sequential):
    multiple_of, bytes_per_pixel = 1, 100

GENERATORS["animegan"] = lambda: Tiny(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
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
        course = PhotoCourse(trainer, sets)
        outcome = fit(course, folder / name, plan(recipe, sets, 6, 2), tell=print)
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
