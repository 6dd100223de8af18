import json

import numpy as np
import pytest

from animegan.checkpoint import built_in
from animeprep.__main__ import main
from animeprep.images import read_rgb, write_png

TINY = ["--batch", "2", "--size", "32", "--steps", "1"]


@pytest.fixture
def workdir(small_dataset, monkeypatch):
    monkeypatch.chdir(small_dataset.root.parent)
    return small_dataset.root.parent


@pytest.mark.slow
def test_train_then_stylize_without_further_arguments(workdir, capsys):
    assert main(["train", *TINY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["counts"]["steps made"] == 1
    assert told["best step"] == 1
    write_png(workdir / "photo.png", np.zeros((20, 30, 3), np.uint8))
    assert main(["stylize", "photo.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["model"] == "runs/dataset/best.safetensors"
    assert read_rgb(workdir / "painted" / "photo.png").shape == (20, 30, 3)
    # Once more: everything is done.
    assert main(["train", *TINY]) == 0
    assert "going on from step 1" in capsys.readouterr().err


def test_a_picture_is_painted_with_a_named_model(workdir):
    write_png(workdir / "photo.png", np.zeros((20, 30, 3), np.uint8))
    model = str(built_in("animegan"))
    assert main(["stylize", "photo.png", "--model", model, "-o", "out.png"]) == 0
    assert read_rgb(workdir / "out.png").shape == (20, 30, 3)


def test_a_dry_run_writes_nothing(workdir, capsys):
    before = sorted(workdir.rglob("*"))
    assert main(["train", *TINY, "--dry-run"]) == 0
    assert main(["demo", "--dry-run"]) == 0
    assert sorted(workdir.rglob("*")) == before
    assert "to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["stylize"], 2, "Missing argument"),
        (["stylize", "none.jpg"], 1, "no trained model"),
        (["stylize", "none.jpg", "--model", "none"], 1, "no such model"),
        (["stylize", "x", "--model", "text.safetensors"], 1, "text.safetensors"),
        (["evaluate", "ours"], 2, "--photos"),
    ],
)
def test_mistakes_are_one_line_with_an_exit_code(workdir, capsys, arguments, code, line):
    (workdir / "text.safetensors").write_text("text")
    assert main(arguments) == code
    errors = capsys.readouterr().err
    assert line in errors
    assert "Traceback" not in errors
