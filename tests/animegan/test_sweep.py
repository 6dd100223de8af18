import json

import numpy as np
import pytest
import torch

from animegan import sweep as module
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.fit import fit
from animegan.measures import Interval
from animegan.recipes import Recipe, make_recipe
from animegan.run import LOG_FILE
from animegan.sweep import SHEET_FILE, sweep, variants
from animeprep.errors import UsageError
from animeprep.images import read_rgb

CPU = torch.device("cpu")


def test_variants_differ_in_what_is_swept_and_in_nothing_else():
    recipe = make_recipe("animegan", "shinkai")
    found = variants(recipe, ["col=10,50.5"])
    assert list(found) == ["col=10", "col=50.5"]
    expected = [recipe.model_copy(update={"colour": value}) for value in (10.0, 50.5)]
    assert list(found.values()) == expected


def test_several_sweeps_multiply():
    found = variants(Recipe(), ["con=1,2", "flip=true,false", "batch = 6"])
    assert list(found) == [
        f"con={content},flip={flip},batch=6" for content in (1, 2) for flip in ("true", "false")
    ]
    last = found["con=2,flip=false,batch=6"]
    assert (last.content, last.flip, last.batch) == (2.0, False, 6)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour", "name values"),
        ("col=", "name values"),
        ("col=1,,2", "name values"),
        ("kol=1", "'kol' is no number of a recipe"),
        ("features=vgg19", "'features' is no number of a recipe"),
        ("col=many", "colour: .*number"),
        ("col=-1", "colour: .*greater than or equal to 0"),
        ("col=nan", "colour: "),
        ("size=100", "size: .*multiple of 8"),
        ("col=../../x", "colour: .*number"),
    ],
)
def test_what_cannot_be_swept_is_a_usage_error(text, problem):
    with pytest.raises(UsageError, match=problem):
        variants(Recipe(), [text])


class Quick:
    """Stands in for the judge, which learns to judge for seconds."""

    def __init__(self, *_):
        self.photos = [np.zeros((32, 32, 3), np.uint8)]
        self.problems: list[str] = []

    def measure(self, painted):
        assert len(painted) == len(self.photos)
        return {"style": Interval(0.5, 0.25, 1.0)}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("animegan.photo_course.Judge", Quick)
    monkeypatch.setattr(module, "_MEASURED", 1)
    monkeypatch.setattr(module, "_SIDE", 64)
    return variants(make_recipe(given={"size": 32, "batch": 1}), ["col=10,5000"])


def test_a_sweep_leaves_runs_a_sheet_and_a_page(small_dataset, tiny, tmp_path, monkeypatch):
    run, features = tmp_path / "runs" / "film", load_features("vgg16")
    folder = tmp_path / "runs" / "film-sweep"
    told: list[str] = []

    def stopping(*args, **more):
        if len(told) > 1 and told[-1] == "sweep: col=5000":
            raise KeyboardInterrupt
        return fit(*args, **more)

    monkeypatch.setattr(module, "fit", stopping)
    with pytest.raises(KeyboardInterrupt):
        sweep(small_dataset, tiny, features, CPU, run, steps=1, tell=told.append)
    # What is done is shown: columns of 64 pixels for the photo and one run, a gap between them.
    assert read_rgb(folder / SHEET_FILE).shape[1] == 2 * 64 + 6

    monkeypatch.setattr(module, "fit", fit)
    summary = sweep(small_dataset, tiny, features, CPU, run, steps=1)
    assert dict(summary.counts) == {"unchanged": 1, "made": 1}
    assert summary.figures["sheet"] == str(folder / SHEET_FILE)
    assert summary.figures["col=10"] == {"style": [0.5, 0.25, 1.0]}
    assert read_rgb(folder / SHEET_FILE).shape[1] == 3 * 64 + 2 * 6
    page = (folder / "index.html").read_text()
    assert all(
        text in page for text in ("col=5000", "Steps of each run: 1,", "adversarial", "[0.25, 1]")
    )
    # Only the colour weight differs, so the first step's terms are the same.
    logs = [tmp_path / "runs" / f"film-{name}" / LOG_FILE for name in tiny]
    first, second = (json.loads(log.read_text()) for log in logs)
    assert {**first, "g": 0} == {**second, "g": 0}
    assert first["g"] < second["g"]


def test_without_held_out_photos_there_is_nothing_to_compare(small_dataset, tiny, tmp_path):
    (small_dataset.root / "val" / "v.png").write_bytes(b"broken")
    with pytest.raises(TrainingError, match="no held-out photos"):
        sweep(small_dataset, tiny, load_features("vgg16"), CPU, tmp_path / "film", steps=1)
    assert list(tmp_path.glob("film*")) == []


def test_a_missing_measure_leaves_its_place_empty():
    table = module._table("t", ["a", "b"], [{"x": "1"}, {"x": "2", "y": "3"}])
    assert table.rows == [["x", "1", "2"], ["y", "", "3"]]
    assert np.array_equal(table.head, ["", "a", "b"])
