import json

import numpy as np
import pytest
from torch import nn
from torch.nn import functional

from animegan import evaluate, judge
from animegan.evaluate import find_photos, parse_methods, read_pictures
from animegan.measures.classifier import Classifier
from animeprep.__main__ import main
from animeprep.errors import InputError, UsageError
from animeprep.images import read_rgb, resize, write_png


def _picture(seed, height=64, width=64):
    coarse = np.random.default_rng(seed).integers(30, 226, (4, 4, 3), dtype=np.uint8)
    return resize(coarse, width, height)


class _Blurs(nn.Module):
    """A stand-in for F: three channels at H/8."""

    def forward(self, picture):
        return functional.avg_pool2d(picture, 8)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(evaluate, "load_features", lambda _network: _Blurs())
    monkeypatch.setattr(judge, "train_classifier", lambda *_pictures: Classifier().eval())


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Six photos, two methods' paintings of four of them, and a style set."""
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        write_png(tmp_path / "photos" / f"p{number}.png", _picture(number))
        write_png(tmp_path / "style" / f"s{number}.png", _picture(10 + number))
    for number in range(4):
        photo = _picture(number)
        write_png(tmp_path / "ours" / f"p{number}.png", photo // 2 + 60)
        write_png(tmp_path / "peer" / f"p{number}.png", resize(255 - photo, 96, 48))
    return tmp_path


_COMMAND = ["evaluate", "ours=ours", "peer", "--photos", "photos", "--style", "style"]


def test_paintings_are_paired_by_name(folders):
    methods = parse_methods(["ours=ours", "peer"])
    found = find_photos(methods, folders / "photos")
    assert [photo.stem for photo in found.measured] == ["p0", "p2"]
    assert [photo.stem for photo in found.learned] == ["p1", "p3", "p4", "p5"]
    assert found.problems == []
    write_png(folders / "photos" / "p6.png", _picture(6))
    write_png(folders / "photos" / "p7.png", _picture(7))
    found = find_photos(methods, folders / "photos")
    assert [photo.stem for photo in found.measured] == ["p0", "p1", "p2", "p3"]
    (folders / "peer" / "p1.png").unlink()
    found = find_photos(methods, folders / "photos")
    assert [photo.stem for photo in found.measured] == ["p0", "p2", "p3"]
    assert found.problems == [f"{folders / 'photos' / 'p1.png'}: no painting by peer"]


def test_photos_of_one_stem_have_paintings_of_their_own(folders):
    (folders / "photos" / "p0.jpg").write_bytes((folders / "photos" / "p0.png").read_bytes())
    write_png(folders / "ours" / "p0.jpg.png", _picture(0))
    found = find_photos({"ours": folders / "ours"}, folders / "photos").measured
    pairs = {photo.name: painted["ours"].name for photo, painted in found.items()}
    assert pairs["p0.jpg"] == "p0.jpg.png"


@pytest.mark.parametrize("given", [["a=x", "a=y"], ["photo=x"], ["style"], ["=x"]])
def test_names_that_cannot_be_told_apart(given):
    with pytest.raises(UsageError, match="cannot name this method"):
        parse_methods(given)


def test_a_table_a_sheet_and_a_page(folders, quick, capsys):
    assert main(_COMMAND) == 0
    told = capsys.readouterr().out
    assert "saturation" in told
    assert "2 measured" in told
    out = folders / "evaluation"
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html",
        "judge.safetensors",
        "sheet.png",
    ]
    sheet = read_rgb(out / "sheet.png")
    assert sheet.shape == (24 + 2 * (256 + 6), 3 * (256 + 6) - 6, 3)
    assert "ours: p0" in (out / "index.html").read_text()


def test_json_tells_every_measure_and_what_was_left_out(folders, quick, capsys):
    (folders / "ours" / "p3.png").unlink()
    assert main([*_COMMAND, "--json", "-o", "here"]) == 1
    (told,) = json.loads(capsys.readouterr().out)
    measures = told["measures"]
    assert list(measures) == ["photo", "ours", "peer", "style"]
    assert measures["photo"]["edges"] == pytest.approx([1, 1, 1])
    assert measures["photo"]["colour"] == [0, 0, 0]
    assert measures["ours"]["contrast"][0] < 0.7
    assert measures["peer"]["colour"][0] > 20
    assert "colour" not in measures["style"]
    assert told["counts"]["failed"] == 1
    assert "no painting by ours" in told["problems"][0]


def test_photos_as_style_are_told_of(folders, quick, capsys):
    assert main([*_COMMAND[:-1], "photos"]) == 0
    assert "the style is not measured" in capsys.readouterr().out
    page = (folders / "evaluation" / "index.html").read_text()
    assert "the style is not measured" in page


def test_broken_pictures_leave_their_photo_out(folders):
    (folders / "peer" / "p0.png").write_bytes(b"broken")
    problems: list[str] = []
    found = find_photos(parse_methods(["ours=ours", "peer"]), folders / "photos")
    pictures = read_pictures(found.measured, problems)
    assert [photo.stem for photo in pictures] == ["p2"]
    (row,) = pictures.values()
    assert {name: picture.shape for name, picture in row.items()} == dict.fromkeys(
        ["photo", "ours", "peer"], (64, 64, 3)
    )
    assert len(problems) == 1
    assert "p0.png" in problems[0]


def test_a_dry_run_counts_and_writes_nothing(folders, capsys):
    before = sorted(folders.rglob("*"))
    assert main([*_COMMAND, "--dry-run"]) == 0
    assert "2 measured" in capsys.readouterr().out
    assert sorted(folders.rglob("*")) == before


def test_folders_that_cannot_be_used(folders, capsys):
    (folders / "empty").mkdir()
    with pytest.raises(InputError, match="there are no pictures"):
        find_photos({"ours": folders / "empty"}, folders / "photos")
    with pytest.raises(InputError, match="there is no such folder"):
        find_photos({"ours": folders / "nowhere"}, folders / "photos")
    with pytest.raises(InputError, match="called like a photo"):
        find_photos({"ours": folders / "style"}, folders / "photos")
    for path in (folders / "peer").glob("p[01].png"):
        path.unlink()
    for path in (folders / "ours").glob("p[23].png"):
        path.unlink()
    assert main(_COMMAND) == 1
    assert "no photo that every method painted" in capsys.readouterr().err
    assert main(["evaluate", "ours=ours", "--photos", "photos"]) == 2
