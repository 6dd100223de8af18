import json

import filelock
import numpy as np
import pytest

from animegan import photo_course, state
from animegan.checkpoint import read_header
from animegan.errors import TrainingError
from animegan.fit import Plan, plan
from animegan.run import read_lines
from animegan.verdict import Choice


def test_a_plan_counts_epochs_as_the_author(sets, recipe):
    recipe = recipe.model_copy(update={"batch": 2, "init_epochs": 1, "epochs": 2})
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


def test_a_set_smaller_than_a_batch_is_named(sets, recipe):
    with pytest.raises(TrainingError, match="photo: 5 pictures are fewer than a batch of 6"):
        plan(recipe.model_copy(update={"batch": 6}), sets)


def test_a_run_leaves_what_it_says(tmp_path, train, recipe, steps_of):
    outcome, told = train("run", 5)
    run = tmp_path / "run"
    assert (outcome.made, outcome.choice, outcome.problems) == (
        5,
        Choice(4, "it is in the middle."),
        [],
    )
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
    assert json.loads((run / "recipe.json").read_text()) == recipe.model_dump()
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
    monkeypatch.setattr(
        photo_course, "choose", lambda lines: Choice(lines[-1]["step"], "the last.")
    )
    train("run", 6, keep=1)
    monkeypatch.setattr(
        photo_course, "choose", lambda lines: Choice(lines[0]["step"], "the first.")
    )
    outcome, _ = train("run", 8, keep=1)
    # Steps 2 and 4 went while others were better; 6 was the best when 8 came.
    assert outcome.choice.step == 6
    assert read_header(tmp_path / "run" / "best.safetensors").step == 6


def test_two_trainings_do_not_share_a_run(tmp_path, train):
    train("run", 0)
    with (
        filelock.FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(TrainingError, match="another training is at work"),
    ):
        train("run", 2)


def test_alarms_are_told_once_each(tmp_path, train, monkeypatch):
    monkeypatch.setattr(photo_course, "alarms", lambda _lines: ["colours fade; raise --colour"])
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


def test_the_initialisation_is_not_judged(tmp_path, train, monkeypatch, recipe, steps_of):
    seen = []

    def watched(lines):
        seen.append(lines)
        return []

    monkeypatch.setattr(photo_course, "alarms", watched)
    train("run", 2, recipe=recipe.model_copy(update={"init_epochs": 1}))
    assert steps_of(tmp_path / "run" / "metrics.jsonl") == [0, 2, 4, 6, 7, 8, 9]
    assert [[line["step"] for line in lines] for lines in seen] == [[8], [8, 9]]
