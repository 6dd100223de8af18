from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from animegan import judge as module
from animegan.checkpoint import Header, read_header, write
from animegan.data import Sets
from animegan.errors import TrainingError
from animegan.judge import FILE, MEANINGS, Judge, as_measured, hold_back, spread
from animegan.measures import classifier
from animeprep.images import to_gray, write_png

_CPU = torch.device("cpu")


class _Blurs(nn.Module):
    """A stand-in for F: three channels at H/8."""

    def forward(self, picture):
        return functional.avg_pool2d(picture, 8)


def _drawing(rng, side=128):
    coarse = rng.integers(30, 226, (side // 16, side // 16, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


def _photo(rng, side=128):
    noise = rng.normal(0, 18, (side, side, 1))
    return np.clip(_drawing(rng, side) + noise, 0, 255).astype(np.uint8)


def _folder(path, draw, count, seed):
    rng = np.random.default_rng(seed)
    for number in range(count):
        write_png(path / f"{number}.png", draw(rng))
    return sorted(path.glob("*.png"))


@pytest.fixture(scope="module")
def quick():
    """A classifier that learns for a moment only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "_FEWEST", 48)
        patch.setattr(classifier, "_STEPS", 30)
        yield patch


@pytest.fixture
def untrained(judge, monkeypatch):
    """One that has not learned; `judge` has learned before."""

    def random(style, photos):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(style) + len(photos))
            return classifier.Classifier().eval()

    monkeypatch.setattr(module, "train_classifier", random)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    anime: list[tuple[Path, Path | None]] = [
        (path, None) for path in _folder(root / "style", _drawing, 4, 1)
    ]
    photo = _folder(root / "photo", _photo, 4, 2)
    val = _folder(root / "val", _photo, 3, 3)
    return Sets(photo, anime, [], val, _folder(root / "style_val", _drawing, 4, 4))


@pytest.fixture(scope="module")
def features():
    return _Blurs()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def judge(quick, sets, features, run):
    return Judge(sets, features, _CPU, run)


def test_photos_measured_as_they_are(judge):
    assert [photo.shape for photo in judge.photos] == [(128, 128, 3)] * 3
    assert judge.tells_style
    found = judge.measure(judge.photos)
    assert list(found) == list(MEANINGS)
    exact = {"style": 1, "gram": 1, "content": 0, "edges": 1, "colour": 0, "saturation": 1}
    exact |= {"contrast": 1, "cast": 0, "artefacts": 0}
    assert {name: found[name].value for name in exact} == pytest.approx(exact, abs=1e-4)
    assert found["flatness"].value < 0.8
    assert all(low <= value <= high for value, low, high in found.values())


def test_drawings_come_nearer_and_collapses_are_seen(judge):
    photos = judge.photos
    drawn = [_drawing(np.random.default_rng(n)) for n in range(3)]
    gray = [np.repeat(to_gray(photo)[..., None], 3, axis=2) for photo in photos]
    board = np.indices((128, 128)).sum(0)[..., None] % 2 * 40 - 20
    boarded = [np.clip(photo + board, 0, 255).astype(np.uint8) for photo in photos]
    near, lost, coarse = (judge.measure(pictures) for pictures in (drawn, gray, boarded))
    assert near["style"].value < 0.5
    assert near["content"].value > 0.5
    assert near["edges"].value < 0.6
    assert lost["saturation"].value < 0.1
    assert lost["style"].value == pytest.approx(1, abs=0.05)
    assert coarse["artefacts"].value > 10


def test_one_half_of_the_style_is_near_the_other(judge):
    found = judge.measure_style()
    assert abs(found["style"].value) < 0.4
    assert found["gram"].value < 0.9
    assert found["flatness"].value == pytest.approx(1)
    assert set(found) < set(MEANINGS)


def test_the_classifier_is_kept_for_its_pictures_only(untrained, judge, sets, features, run):
    kept = (run / FILE).read_bytes()
    again = Judge(sets, features, _CPU, run)
    assert (run / FILE).read_bytes() == kept
    assert again.measure(again.photos) == judge.measure(judge.photos)
    pictures = read_header(run / FILE).recipe["pictures"]
    fewer = Sets(sets.photo[1:], sets.style, [], sets.val, sets.style_val)
    Judge(fewer, features, _CPU, run)
    assert read_header(run / FILE).recipe["pictures"] != pictures


@pytest.mark.parametrize("kind", ["torn", "other"])
def test_a_broken_classifier_is_made_again(untrained, sets, features, tmp_path, run, kind):
    if kind == "torn":
        (tmp_path / FILE).write_bytes((run / FILE).read_bytes()[:1000])
    else:
        recipe = read_header(run / FILE).recipe
        write(tmp_path / FILE, {"head.weight": torch.zeros(2)}, Header("judge", "", 0, recipe))
    Judge(sets, features, _CPU, tmp_path)
    assert read_header(tmp_path / FILE).kind == "judge"


def test_without_held_out_pictures_a_tenth_is_held_back(untrained, sets, features, tmp_path):
    judge = Judge(Sets(sets.photo, sets.style, [], [], []), features, _CPU, tmp_path)
    assert len(judge.photos) == len(judge.style) == 1
    found = judge.measure(judge.photos)
    assert all(np.isfinite(found[name]).all() for name in found)


def test_broken_pictures_are_named_and_passed_over(untrained, sets, features, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    some = Sets(sets.photo, sets.style, [], [broken, *sets.val], sets.style_val)
    judge = Judge(some, features, _CPU, tmp_path)
    assert len(judge.photos) == 3
    assert len(judge.problems) == 1
    assert "broken.png" in judge.problems[0]
    torn = Sets([broken, sets.photo[0]], sets.style, [], sets.val * 5, sets.style_val)
    assert len(Judge(torn, features, _CPU, tmp_path).problems) == 1
    with pytest.raises(TrainingError, match="none that can be read"):
        Judge(Sets(sets.photo, sets.style, [], [broken], []), features, _CPU, tmp_path)


def test_what_is_held_back(tmp_path):
    pictures = [tmp_path / str(number) for number in range(25)]
    assert hold_back(pictures, []) == (
        [pictures[0], pictures[10], pictures[20]],
        [path for number, path in enumerate(pictures) if number % 10],
    )
    assert hold_back(pictures[:1], []) == (pictures[:1], pictures[:1])
    assert hold_back(pictures, pictures[:2]) == (pictures[:2], pictures)
    assert spread(pictures, 3) == [pictures[0], pictures[8], pictures[16]]


@pytest.mark.parametrize("kind", ["twice", "one", "black"])
def test_content_is_small_where_held_out_photos_do_not_differ(
    untrained, sets, features, tmp_path, kind
):
    black = np.zeros((128, 128, 3), np.uint8)
    write_png(tmp_path / "a.png", black if kind == "black" else _photo(np.random.default_rng(7)))
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    val = [tmp_path / "a.png", tmp_path / "b.png"][: 1 if kind == "one" else 2]
    photo = val if kind == "black" else sets.photo
    judge = Judge(Sets(photo, sets.style, [], val, sets.style_val), features, _CPU, tmp_path)
    brighter = [np.clip(one + 4.0, 0, 255).astype(np.uint8) for one in judge.photos]
    found = judge.measure(brighter)
    assert 0 < found["content"].value < 0.3
    assert all(np.abs(measured).max() < 1000 for measured in found.values())


def test_a_style_that_photos_have_too_is_not_measured(untrained, sets, features, tmp_path):
    photos: list[tuple[Path, Path | None]] = [(path, None) for path in sets.val]
    judge = Judge(Sets(sets.photo, photos, [], sets.val, sets.val), features, _CPU, tmp_path)
    assert not judge.tells_style
    assert "style" not in judge.measure(judge.photos)
    assert "style" not in judge.measure_style()


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(40, 50, (64, 80)), (90, 100, (90, 100)), (900, 600, (384, 256)), (1, 1, (64, 64)),
     (3, 999, (64, 128)), (999, 300, (512, 256))],
)  # fmt: skip
def test_pictures_are_never_scaled_up(height, width, shape):
    assert as_measured(np.zeros((height, width, 3), np.uint8)).shape == (*shape, 3)


def test_of_a_long_thin_photo_the_middle_is_measured(untrained, sets, features, tmp_path):
    write_png(tmp_path / "thin.png", np.zeros((4, 2000, 3), np.uint8))
    some = Sets(sets.photo, sets.style, [], [tmp_path / "thin.png"], sets.style_val)
    assert [p.shape for p in Judge(some, features, _CPU, tmp_path).photos] == [(64, 128, 3)]


def test_paintings_of_another_size_are_scaled(judge):
    large = [np.repeat(np.repeat(photo, 2, 0), 2, 1) for photo in judge.photos]
    assert judge.measure(large) == judge.measure(judge.photos)
