import errno
import io
import os
import pathlib

import pytest
import torch

from animegan import gallery, state
from animegan.data import Batches
from animegan.errors import TrainingError
from animegan.run import read_lines
from animegan.trainer import Trainer
from animeprep.errors import OutputError


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
            lines = list(read_lines(tmp_path / "full" / "log.jsonl"))
            assert [line["step"] for line in lines[:3]] == [1, 2, 3]
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
