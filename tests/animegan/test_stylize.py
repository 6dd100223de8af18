import numpy as np
import pytest
import torch

from animegan import painter, stylize
from animegan.models import GENERATORS
from animegan.painter import Painter
from animegan.stylize import write_picture
from animeprep.errors import InputError, UsageError
from animeprep.images import read_rgb, write_png


@pytest.fixture(scope="module")
def paints():
    torch.manual_seed(0)
    return Painter(GENERATORS["animegan"]().eval(), torch.device("cpu"))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_folders_keep_their_structure_and_a_broken_picture_is_told(tmp_path, paints):
    source = tmp_path / "photos"
    write_picture(source / "a.jpg", noise(20, 24))
    write_png(source / "a.png", noise(16, 16))
    write_png(source / "deep" / "b.png", noise(18, 16))
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:300])
    out = tmp_path / "painted"
    summary = stylize.stylize([source], out, paints)
    assert summary.counts == {"made": 3, "failed": 1}
    assert "broken.png" in summary.problems[0]
    sizes = {p.relative_to(out).as_posix(): read_rgb(p).shape for p in out.rglob("*.png")}
    assert sizes == {"a.png": (20, 24, 3), "a.png.png": (16, 16, 3), "deep/b.png": (18, 16, 3)}


def test_a_single_picture_may_name_its_file(tmp_path, paints):
    write_png(tmp_path / "photo.png", noise(16, 20))
    stylize.stylize([tmp_path / "photo.png"], tmp_path / "out.jpg", paints)
    assert (tmp_path / "out.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert read_rgb(tmp_path / "out.jpg").shape == (16, 20, 3)


def test_a_photo_is_never_overwritten(tmp_path, paints):
    write_png(tmp_path / "photo.png", noise(16, 16))
    before = (tmp_path / "photo.png").read_bytes()
    with pytest.raises(InputError, match="would be overwritten"):
        stylize.stylize([tmp_path / "photo.png"], tmp_path, paints)
    assert (tmp_path / "photo.png").read_bytes() == before


def test_wrong_inputs_are_one_clear_line(tmp_path, paints):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no pictures in this folder"):
        stylize.stylize([empty], tmp_path / "out", paints)
    with pytest.raises(InputError, match="no such file"):
        stylize.stylize([tmp_path / "none.jpg"], tmp_path / "out", paints)
    with pytest.raises(UsageError, match="one file"):
        stylize.stylize([empty, empty], tmp_path / "out.png", paints)


def test_what_does_not_fit_whole_is_painted_in_tiles_and_counted(tmp_path, paints, monkeypatch):
    write_png(tmp_path / "photo.png", noise(16, 16))
    monkeypatch.setattr(painter, "free_memory", lambda _device: 2300)
    summary = stylize.stylize([tmp_path / "photo.png"], tmp_path / "out", paints)
    assert summary.counts == {"made": 1, "in tiles": 1}
