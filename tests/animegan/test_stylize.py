import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from animegan import checkpoint, stylize
from animegan.checkpoint import Header
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.models.animegan import AnimeGANGenerator
from animegan.stylize import find_model, paint, write_picture
from animegan.tensors import to_tensor
from animeprep.errors import InputError, UsageError
from animeprep.images import read_rgb, write_png

CPU = torch.device("cpu")


class Identity(nn.Module):
    """Answers what it is given, and remembers its shape."""

    multiple_of = 4

    def forward(self, photo):
        self.shape = photo.shape
        return photo


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "generator.safetensors"
    weights = GENERATORS["animegan"]().state_dict()
    checkpoint.write(path, weights, Header("generator", "animegan", 1, {}))
    return path


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 64), (33, 34), (64, 64)])
def test_any_size_comes_back_as_it_was(size):
    network = Identity()
    picture = noise(*size)
    np.testing.assert_array_equal(paint(network, picture, CPU), picture)
    assert network.shape[2] % 4 == 0
    assert network.shape[3] % 4 == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 6), (30, 41)])
def test_the_real_generator_takes_any_size(size):
    generator = GENERATORS["animegan"]().eval()
    assert paint(generator, noise(*size), CPU).shape == (*size, 3)


def test_paint_equals_the_network_where_nothing_is_padded():
    generator = GENERATORS["animegan"]().eval()
    picture = noise(32, 40)
    with torch.inference_mode():
        expected = generator(to_tensor(picture))[0].permute(1, 2, 0).numpy()
    answer = paint(generator, picture, CPU) / 127.5 - 1
    assert np.abs(answer - expected).max() <= 1 / 127


def test_folders_keep_their_structure_and_a_broken_picture_is_told(tmp_path, model):
    source = tmp_path / "photos"
    write_picture(source / "a.jpg", noise(20, 24))
    write_png(source / "a.png", noise(16, 16))
    write_png(source / "deep" / "b.png", noise(18, 16))
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:300])
    out = tmp_path / "painted"
    summary = stylize.stylize([source], out, model, CPU)
    assert summary.counts == {"made": 3, "failed": 1}
    assert "broken.png" in summary.problems[0]
    sizes = {p.relative_to(out).as_posix(): read_rgb(p).shape for p in out.rglob("*.png")}
    assert sizes == {"a.png": (20, 24, 3), "a.png.png": (16, 16, 3), "deep/b.png": (18, 16, 3)}


def test_a_single_picture_may_name_its_file(tmp_path, model):
    write_png(tmp_path / "photo.png", noise(16, 20))
    stylize.stylize([tmp_path / "photo.png"], tmp_path / "out.jpg", model, CPU)
    assert (tmp_path / "out.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert read_rgb(tmp_path / "out.jpg").shape == (16, 20, 3)


def test_a_photo_is_never_overwritten(tmp_path, model):
    write_png(tmp_path / "photo.png", noise(16, 16))
    before = (tmp_path / "photo.png").read_bytes()
    with pytest.raises(InputError, match="would be overwritten"):
        stylize.stylize([tmp_path / "photo.png"], tmp_path, model, CPU)
    assert (tmp_path / "photo.png").read_bytes() == before


def test_wrong_inputs_are_one_clear_line(tmp_path, model):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no pictures in this folder"):
        stylize.stylize([empty], tmp_path / "out", model, CPU)
    with pytest.raises(InputError, match="no such file"):
        stylize.stylize([tmp_path / "none.jpg"], tmp_path / "out", model, CPU)
    with pytest.raises(UsageError, match="one file"):
        stylize.stylize([empty, empty], tmp_path / "out.png", model, CPU)


def test_a_picture_beyond_the_memory_is_refused(tmp_path, model, monkeypatch):
    write_png(tmp_path / "photo.png", noise(16, 16))
    monkeypatch.setattr(AnimeGANGenerator, "bytes_per_pixel", 2**40)
    summary = stylize.stylize([tmp_path / "photo.png"], tmp_path / "out", model, CPU)
    assert "scale it down" in summary.problems[0]


def test_the_newest_run_is_found(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no trained model"):
        find_model(None)
    for age, name in ((200, "old"), (100, "new")):
        path = tmp_path / "runs" / name / "generator.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(model.read_bytes())
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    assert find_model(None).parent.name == "new"
    for named in ("old", "runs/old", "runs/old/generator.safetensors"):
        assert find_model(Path(named)).parent.name == "old"
    with pytest.raises(CheckpointError, match="no such model"):
        find_model(Path("other"))


def test_the_chosen_checkpoint_of_a_run_comes_first(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    for name in ("generator.safetensors", "best.safetensors"):
        (run / name).write_bytes(model.read_bytes())
    for named in (None, Path("one"), Path("runs/one"), run):
        assert find_model(named).name == "best.safetensors"
    assert find_model(run / "generator.safetensors").name == "generator.safetensors"
    monkeypatch.chdir(run)
    assert find_model(Path()).name == "best.safetensors"


def test_a_tensorflow_checkpoint_is_found_by_what_its_files_share(tmp_path):
    index = tmp_path / "Hayao-60.ckpt.index"
    index.touch()
    assert find_model(tmp_path / "Hayao-60.ckpt") == index


@pytest.mark.parametrize("network", ["animeganv2-aligned", "animeganv2"])
def test_public_weights_paint(tmp_path, network):
    torch.manual_seed(0)
    state = GENERATORS["animeganv2"]().state_dict()
    torch.save(state, tmp_path / "paprika.pt")
    write_png(tmp_path / "photo.png", noise(18, 20))
    photo, out = tmp_path / "photo.png", tmp_path / "out.png"
    summary = stylize.stylize([photo], out, tmp_path / "paprika.pt", CPU, network=network)
    assert summary.figures["network"] == network
    assert "step" not in summary.figures
    generator = GENERATORS[network]().eval()
    generator.load_state_dict(state)
    expected = paint(generator, noise(18, 20), CPU)
    np.testing.assert_array_equal(read_rgb(tmp_path / "out.png"), expected)
