import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from animegan.checkpoint import load_generator
from animegan.models import GENERATORS
from animeprep.film import Decoding, Selection, pictures, probe
from animeprep.images import read_rgb, write_png

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module(name)


def test_the_initialisation_trains_and_is_a_generator(tmp_path, monkeypatch):
    train_init = load("train_init", monkeypatch)
    rng = np.random.default_rng(0)
    write_png(tmp_path / "pictures" / "a.png", rng.integers(0, 256, (80, 90, 3), dtype=np.uint8))
    phases = (
        train_init.Phase(steps=1, size=32, permuted=1.0, rate=1e-4),
        train_init.Phase(steps=1, size=40, permuted=0.0, rate=1e-4, flat=True, content=False),
    )
    out = tmp_path / "init.safetensors"
    train_init.train(tmp_path / "pictures", out, phases, "animeganv2-lite")
    assert load_generator(out)[1].step == 2
    train_init.train(tmp_path / "pictures", out, phases[-1:], "animeganv2-lite", out)


@pytest.mark.parametrize(
    ("network", "likeness"), [("animegan", 0.98), ("cartoongan", 0.98), ("animeganv2", 0.9)]
)
def test_a_generator_redraws_before_any_training(network, likeness, monkeypatch):
    identity = load("identity", monkeypatch)
    torch.manual_seed(0)
    generator = GENERATORS[network]()
    identity.start_as_identity(generator)
    photo = torch.nn.functional.interpolate(
        torch.rand(1, 3, 3, 3) - 0.5, size=(48, 48), mode="bicubic"
    )
    with torch.no_grad():
        painted = generator(photo).atanh()
    for channel in range(3):
        pair = torch.stack([photo[0, channel, 8:-8].ravel(), painted[0, channel, 8:-8].ravel()])
        assert torch.corrcoef(pair)[0, 1] > likeness


def test_painting_takes_three_lines(tmp_path, monkeypatch, capsys):
    paint = load("paint", monkeypatch)
    photo, painted = tmp_path / "photo.png", tmp_path / "painted.png"
    write_png(photo, np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8))
    model = EXAMPLES.parent / "animegan" / "assets" / "animeganv2_lite_init.safetensors"
    monkeypatch.setattr(sys, "argv", ["paint.py", str(photo), str(painted), str(model)])
    paint.main()
    assert read_rgb(painted).shape == (30, 41, 3)
    assert "whole" in capsys.readouterr().out


def test_a_film_is_painted_from_python(tmp_path, monkeypatch, write_film, scene):
    paint_film = load("paint_film", monkeypatch)
    film = write_film(tmp_path / "a.mkv", [scene(seed, 48, 64) for seed in range(3)])
    model = EXAMPLES.parent / "animegan" / "assets" / "animeganv2_lite_init.safetensors"
    monkeypatch.setattr(sys, "argv", ["paint_film.py", str(film), str(tmp_path), str(model)])
    paint_film.main()
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["000.000.png", "000.040.png", "000.080.png"]
    assert read_rgb(tmp_path / names[0]).shape == (48, 64, 3)


@pytest.mark.slow
def test_the_film_is_what_the_demo_ships(tmp_path, monkeypatch):
    make_film = load("make_film", monkeypatch)
    out = tmp_path / "film.mp4"
    monkeypatch.setattr(sys, "argv", ["make_film.py", str(out)])
    make_film.main()
    made, shipped = probe(out), probe(EXAMPLES.parent / "animegan" / "assets" / "demo" / "film.mp4")
    decisions = [
        [(one.what, one.done) for one in film.findings if one.what != "numbering"]
        for film in (made, shipped)
    ]
    assert decisions[0] == decisions[1]
    assert (made.width, made.height, made.rate) == (1280, 720, 24.0)
    decoding = Decoding()
    wanted = Selection(only=tuple(range(7, 790, 100)))
    ours, theirs = (
        {p.index: p.rgb.astype(int) for p in pictures(film, wanted, decoding=decoding)}
        for film in (made, shipped)
    )
    assert (decoding.pictures, len(ours)) == (790, 8)
    for index, one in ours.items():
        assert np.abs(one - theirs[index]).mean() < 2  # another x264 may code a little differently


@pytest.mark.slow
def test_a_film_of_each_kind_becomes_a_picture_of_the_built_in_film(tmp_path, monkeypatch):
    kinds = load("film_kinds", monkeypatch)
    found = {}
    for kind in kinds.KINDS:
        film = probe(kinds.make_film(kind, tmp_path))
        found[kind.name] = (film.light, film.fields, film.alpha, film.area is not None)
    assert found == {
        "pq.mkv": ("pq", "progressive", False, True),
        "hlg.mkv": ("hlg", "progressive", False, True),
        "telecined.mkv": ("sdr", "telecined", False, False),
        "interlaced.mkv": ("sdr", "interlaced", False, False),
        "anamorphic.mp4": ("sdr", "progressive", False, False),
        "letterbox.mp4": ("sdr", "progressive", False, True),
        "transparent.webm": ("sdr", "progressive", True, False),
    }
    monkeypatch.setattr(sys, "argv", ["film_kinds.py", str(tmp_path / "sheet.jpg")])
    kinds.main()
    assert read_rgb(tmp_path / "sheet.jpg").shape[0] == len(kinds.KINDS) * kinds.ROW
