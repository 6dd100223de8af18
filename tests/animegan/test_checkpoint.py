import json

import pytest
import torch
from safetensors.torch import save_file

from animegan import checkpoint
from animegan.checkpoint import Header, load_generator
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.trainer import BUILTIN_INIT

HEADER = Header("generator", "animegan", 7, {"batch": 4})


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return GENERATORS["animegan"]()


def test_a_generator_comes_back_as_it_was(tmp_path, generator):
    path = tmp_path / "g.safetensors"
    checkpoint.write(path, generator.state_dict(), HEADER)
    again, header = load_generator(path)
    assert header == HEADER
    assert not again.training
    for name, value in generator.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_reading_never_writes(tmp_path, generator):
    path = tmp_path / "g.safetensors"
    checkpoint.write(path, generator.state_dict(), HEADER)
    before = path.read_bytes(), path.stat().st_mtime_ns
    load_generator(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_the_same_network_gives_the_same_bytes(tmp_path, generator):
    for name in "ab":
        checkpoint.write(tmp_path / name, generator.state_dict(), HEADER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_checkpoint_of_another_network_is_refused(tmp_path, generator):
    tensors = dict(generator.state_dict())
    tensors["to_rgb.weight"] = torch.zeros(3, 32, 1, 1)
    checkpoint.write(tmp_path / "g", tensors, HEADER)
    with pytest.raises(CheckpointError, match=r"another network: to_rgb.weight is \(3, 32, 1, 1\)"):
        load_generator(tmp_path / "g")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"kind": "state"}, "holds a state of animegan"),
        ({"generator": "os.system"}, "holds a generator of os.system"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path, header, problem):
    path = tmp_path / "g"
    metadata = {"animeprep": json.dumps({**vars(HEADER), **header})}
    save_file({"a": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match=problem):
        load_generator(path)


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "empty").touch()
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    torch.save({"a": torch.zeros(1)}, tmp_path / "pickle.pt")
    for name in ("text", "empty", "pickle.pt"):
        with pytest.raises(CheckpointError, match="not a safetensors file"):
            load_generator(tmp_path / name)
    with pytest.raises(CheckpointError, match="not a checkpoint of animeprep"):
        load_generator(tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="no such file"):
        load_generator(tmp_path / "none")


def test_the_built_in_initialisation_is_a_generator_in_half_precision():
    generator, header = load_generator(BUILTIN_INIT)
    assert header.generator == "animegan"
    assert next(generator.parameters()).dtype == torch.float32
    assert BUILTIN_INIT.stat().st_size < 8.5e6
