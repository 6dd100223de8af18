import os
from pathlib import Path

import pytest
import torch

from animegan import checkpoint
from animegan.checkpoint import Header, built_in, load_generator
from animegan.errors import CheckpointError
from animegan.faces.model import load_face_generator
from animegan.faces.networks import FaceGenerator
from animegan.painter import find_model, trained_runs
from animegan.ui.choices import Models

SHAPE = {"noise": 10, "start": 8, "filters": 4, "norm": "batch"}


def _write(path, step=7, *, half=False, kind="generator", **recipe):
    """A small generator's file; `recipe` is what its header says otherwise."""
    generator = FaceGenerator(noise=10, start=8, filters=4, norm="batch")
    tensors = generator.state_dict()
    if half:
        tensors = {name: value.half() for name, value in tensors.items()}
    header = Header(kind, "faces", step, {"seed": 0, **SHAPE, **recipe})
    checkpoint.write(path, tensors, header)
    return generator


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a run of photos, the newest, and two of faces."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("photos", "newer", "older")):
        path = Path("runs") / name / "generator.safetensors"
        path.parent.mkdir(parents=True)
        if name == "photos":
            path.write_bytes(built_in("animegan").read_bytes())
        else:
            _write(path, step=age)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return tmp_path


def test_the_weights_of_a_file(tmp_path):
    written = _write(tmp_path / "g.safetensors")
    read, header = load_face_generator(tmp_path / "g.safetensors")
    assert not read.training
    assert (header.generator, header.step, header.recipe["seed"]) == ("faces", 7, 0)
    assert written.state_dict().keys() == read.state_dict().keys()
    for name, value in read.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, written.state_dict()[name])


def test_half_precision_becomes_single(tmp_path):
    _write(tmp_path / "g.safetensors", half=True)
    read, _ = load_face_generator(tmp_path / "g.safetensors")
    assert read.start.weight.dtype == torch.float32


def test_the_newest_run_of_faces(here):
    assert load_face_generator()[1].step == 1
    for named in ("older", "runs/older", "runs/older/generator.safetensors"):
        assert load_face_generator(Path(named))[1].step == 2
    _write(Path("runs/newer/best.safetensors"), step=5)
    assert load_face_generator()[1].step == 5


def test_faces_and_photos_pass_each_other_over(here):
    assert trained_runs() == [Path("runs/photos")]
    assert trained_runs(faces=True) == [Path("runs/newer"), Path("runs/older")]
    os.utime("runs/newer/generator.safetensors")
    assert find_model(None).parent.name == "photos"
    assert [choice.label for choice in Models(None, "cpu").choices()] == ["photos"]


def test_a_broken_run_is_told_of_as_before(here):
    Path("runs/photos/generator.safetensors").write_bytes(b"broken")
    os.utime("runs/photos/generator.safetensors")
    assert find_model(None).parent.name == "photos"


def test_without_a_run_of_faces(here):
    for name in ("newer", "older"):
        Path(f"runs/{name}/generator.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no trained model here; run `animeprep faces train`"):
        load_face_generator()


def test_each_kind_names_the_verb_of_the_other(here):
    with pytest.raises(CheckpointError, match=r"paints photos .*; use `animeprep stylize`"):
        load_face_generator(Path("photos"))
    with pytest.raises(CheckpointError, match=r"draws faces .*; use `animeprep faces sample`"):
        load_generator(Path("runs/newer/generator.safetensors"))
    with pytest.raises(CheckpointError, match="use `animeprep faces sample`"):
        Models(Path("newer"), "cpu")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"start": 10**12}, "'start'"),
        ({"filters": -1}, "'filters'"),
        ({"noise": "many"}, "'noise'"),
        ({"noise": None}, "'noise'"),
        ({"norm": "spectral"}, "'norm'"),
        # 1 GB, which is not taken before the file is seen not to hold it.
        ({"start": 4096, "filters": 512}, "of another network: layers.0.bias is"),
        ({"norm": "none"}, "of another network: norms.0.bias is"),
        ({"kind": "state"}, "holds a state of faces, not a generator"),
    ],
)
def test_headers_that_lie(tmp_path, told, message):
    _write(tmp_path / "g.safetensors", **told)
    with pytest.raises(CheckpointError, match=message) as raised:
        load_face_generator(tmp_path / "g.safetensors")
    assert str(raised.value).startswith(str(tmp_path / "g.safetensors"))


def test_a_header_that_says_nothing(tmp_path):
    path = tmp_path / "g.safetensors"
    checkpoint.write(
        path, FaceGenerator(10, 8, 4).state_dict(), Header("generator", "faces", 0, {})
    )
    with pytest.raises(CheckpointError, match="'noise'"):
        load_face_generator(path)


def test_files_that_are_no_checkpoints(tmp_path):
    (tmp_path / "text").write_text("blue hair")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_face_generator(tmp_path / "text")
    with pytest.raises(CheckpointError, match="no such model or run"):
        load_face_generator(tmp_path / "none")
