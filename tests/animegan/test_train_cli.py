import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from animegan import photo_course, train_cli
from animegan.balance import Balanced
from animegan.measures import Interval
from animegan.recipes import Scaled, make_recipe
from animegan.run import read_lines
from animegan.sweep import STEPS
from animeprep.__main__ import main
from animeprep.folders import Summary
from animeprep.images import read_rgb

TINY = ["--batch", "2", "--size", "32", "--init", "scratch", "--init-epochs", "0", "--steps", "1"]


class StandInJudge:
    def __init__(self, sets, *_):
        self.photos = [read_rgb(path) for path in sets.val]
        self.problems = []

    def measure(self, painted):
        return {"style": Interval(*[float(np.mean(painted))] * 3)}


@pytest.fixture
def workdir(small_dataset, tiny_networks, monkeypatch):
    monkeypatch.chdir(small_dataset.root.parent)
    monkeypatch.setattr(photo_course, "Judge", StandInJudge)
    return small_dataset.root.parent


def told(capsys):
    return json.loads(capsys.readouterr().out)[0]


def test_a_run_is_made_and_gone_on_with_by_the_same_command(workdir, capsys):
    assert main(["train", *TINY, "--json"]) == 0
    summary = told(capsys)
    assert summary["counts"] == {"failed": 0, "steps made": 1}
    assert summary["run"] == "runs/dataset"
    assert summary["best step"] == 1
    assert "alarms" not in summary
    assert (workdir / summary["page"]).is_file()
    assert main(["train", *TINY]) == 0
    output = capsys.readouterr()
    assert "going on from step 1" in output.err
    assert output.out.startswith("train: nothing to do")
    assert main(["train", *TINY, "--steps", "3", "--every", "1", "--keep", "1"]) == 0
    assert [line["step"] for line in read_lines(workdir / "runs/dataset/metrics.jsonl")] == [
        0,
        1,
        2,
        3,
    ]
    assert len(list((workdir / "runs/dataset/checkpoints").glob("state_*"))) == 1


@pytest.mark.parametrize(
    ("arguments", "method", "preset", "without", "given"),
    [
        ([], "animegan", None, (), {}),
        (["--recipe", "animeganv2", "--preset", "paprika"], "animeganv2", "paprika", (), {}),
        (
            ["--recipe", "cartoongan", "--gan-loss", "lsgan"],
            "cartoongan",
            None,
            (),
            {"gan_loss": "lsgan"},
        ),
        (["--without", "gram", "--without", "gray"], "animegan", None, ("gram", "gray"), {}),
        # What is given stands as it is, even where it is the paper's value.
        (["--colour", "10", "--flip"], "animegan", None, (), {"colour": 10, "flip": True}),
    ],
)
def test_options_make_the_recipe(workdir, capsys, arguments, method, preset, without, given):
    given |= {"batch": 2}
    assert main(["train", *arguments, "--batch", "2", "--dry-run", "--json"]) == 0
    assert told(capsys)["recipe"] == make_recipe(method, preset, without, given).model_dump()


def test_a_dry_run_tells_length_and_recipe_and_writes_nothing(workdir, capsys):
    before = sorted(workdir.rglob("*"))
    assert main(["train", "--recipe", "animeganv2", "--batch", "2", "--dry-run"]) == 0
    assert sorted(workdir.rglob("*")) == before
    output = capsys.readouterr().out
    # Seven style pictures: three steps an epoch, 91 epochs from the built-in initialisation.
    assert output.startswith("train: 273 steps to make (dry run: nothing was done)\n")
    assert "steps 273" in output
    assert "  generator animeganv2\n" in output
    assert "  tv 1.0\n" in output


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["-d", "none"], 1, "run `animeprep exposure`"),
        (["--batch", "9"], 1, "fewer than a batch of 9"),
        (["--size", "33"], 2, "--size"),
        (["--accumulate", "8"], 2, "cannot be computed in 8 parts"),
        (["--recipe", "cartoongan", "--preset", "hayao"], 2, "cartoongan has no preset hayao"),
        (["--recipe", "other"], 2, "--recipe"),
        (["--without", "other"], 2, "--without"),
        (["--features", "vgg19", *TINY], 1, "--features-file"),
        (["--features", "vgg16", "--features-file", "none.npz", *TINY], 1, "no such file"),
        (["--sweep", "colour", *TINY], 2, "--sweep"),
        (["--sweep", "foo=1,2", "--dry-run"], 2, "--sweep foo=1,2"),
        (["--sweep", "col=1,2", "--keep", "2"], 2, "--keep: the runs of a --sweep"),
        (["--sweep", "col=1,2", "--every", "2", "--dry-run"], 2, "--every: the runs of a --sweep"),
        (["--keep", "0"], 2, "--keep"),
        *((["--name", name, *TINY], 2, "a plain name") for name in ("../x", "a/b", ".", "..", "/")),
        (["--device", "cuda", *TINY], 1, "no such device"),
    ],
)
def test_mistakes_in_training_are_one_line(workdir, capsys, arguments, code, line):
    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["train", *arguments]) == code
    errors = capsys.readouterr().err
    assert line in errors
    assert "Traceback" not in errors
    assert not (workdir / "runs").exists()


def test_another_recipe_for_the_same_run_is_named(workdir, capsys):
    assert main(["train", *TINY]) == 0
    assert main(["train", *TINY, "--without", "gram"]) == 1
    assert "started with gram" in capsys.readouterr().err
    assert main(["train", *TINY, "--without", "gram", "--name", "other"]) == 0


def test_a_dry_run_counts_the_steps_that_are_left(workdir, capsys):
    assert main(["train", *TINY]) == 0
    capsys.readouterr()
    assert main(["train", *TINY, "--steps", "3", "--dry-run", "--json"]) == 0
    assert told(capsys)["counts"] == {"steps to make": 2}
    assert main(["train", *TINY, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("train: nothing to do")


def test_a_dry_run_of_a_sweep_tells_each_run(workdir, capsys):
    arguments = ["train", *TINY, "--sweep", "col=10,50", "--dry-run"]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "run runs/dataset-col=10, steps 1," in output
    assert "run runs/dataset-col=50, steps 1," in output
    assert "  colour 10.0, 50.0\n" in output
    assert "  gram 3.0\n" in output
    assert main([*arguments, "--json"]) == 0
    summaries = json.loads(capsys.readouterr().out)
    assert [one["recipe"]["colour"] for one in summaries] == [10, 50]


def test_a_dry_run_says_that_scales_are_yet_to_be_chosen(workdir, capsys):
    assert main(["train", *TINY, "--balance", "--dry-run"]) == 0
    assert "  scales chosen when training begins\n" in capsys.readouterr().out


def test_a_run_goes_on_with_the_scales_it_was_started_with_or_not_at_all(
    workdir, capsys, monkeypatch
):
    scales: dict[Scaled, float] = {"content": 0.5, "gram": 0.25, "colour": 0.125}
    monkeypatch.setattr(train_cli, "balance", lambda *_: Balanced(scales, {}))
    for _ in range(2):
        assert main(["train", *TINY, "--balance"]) == 0
        assert "balance: content × 0.5, gram × 0.25, colour × 0.125" in capsys.readouterr().err
    saved = json.loads((workdir / "runs" / "dataset" / "recipe.json").read_text())
    assert saved["scales"] == scales
    assert saved["colour"] == 10
    assert main(["train", *TINY]) == 1
    assert "other weights for its feature network (--balance)" in capsys.readouterr().err
    assert main(["train", *TINY, "--name", "plain"]) == 0
    assert main(["train", *TINY, "--name", "plain", "--balance"]) == 1


def test_a_sweep_is_balanced_once_for_all(workdir, monkeypatch):
    seen: list[Any] = []

    def stand_in(_dataset, recipes, *_, **__):
        seen.extend(recipes.values())
        return Summary("sweep")

    monkeypatch.setattr(train_cli, "sweep", stand_in)
    monkeypatch.setattr(train_cli, "balance", lambda *_: Balanced({"colour": 9.0}, {}))
    assert main(["train", *TINY, "--sweep", "col=10,50", "--balance"]) == 0
    assert [(one.colour, one.scales) for one in seen] == [(10, {"colour": 9}), (50, {"colour": 9})]


def test_a_sweep_is_handed_its_recipes(workdir, capsys, monkeypatch):
    seen: dict[str, Any] = {}

    def stand_in(dataset, recipes, features, device, run, *, steps, tell):
        seen.update(recipes=recipes, run=run, steps=steps)
        return Summary("sweep")

    monkeypatch.setattr(train_cli, "sweep", stand_in)
    assert main(["train", "--batch", "2", "--sweep", "col=10,50"]) == 0
    assert [recipe.colour for recipe in seen["recipes"].values()] == [10, 50]
    assert str(seen["run"]) == "runs/dataset"
    assert seen["steps"] == STEPS


def test_training_needs_no_film_libraries(workdir):
    code = (
        "import sys; sys.modules.update(av=None, ffmpeg=None)\n"
        "from animeprep.__main__ import main\n"
        f"raise SystemExit(main({['train', *TINY, '--dry-run']!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
