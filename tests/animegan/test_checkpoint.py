import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from animegan import checkpoint
from animegan.checkpoint import Header, load_generator, read_header
from animegan.errors import CheckpointError
from animegan.models import GENERATORS

INIT = Path(checkpoint.__file__).parent / "assets" / "animegan_init.safetensors"
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
    torch.save({"a": torch.zeros(1)}, tmp_path / "pickle.pt")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    for name in ("text", "empty", "pickle.pt", "foreign"):
        with pytest.raises(CheckpointError, match="cannot be used as weights"):
            load_generator(tmp_path / name)
    for name in ("text", "empty", "pickle.pt"):
        with pytest.raises(CheckpointError, match="not a safetensors file"):
            read_header(tmp_path / name)
    with pytest.raises(CheckpointError, match="not a checkpoint of animeprep"):
        read_header(tmp_path / "foreign")
    for reader in (load_generator, read_header):
        with pytest.raises(CheckpointError, match="no such file"):
            reader(tmp_path / "none")


def test_a_truncated_checkpoint_is_one_clear_line(tmp_path, generator):
    path = tmp_path / "g.safetensors"
    checkpoint.write(path, generator.state_dict(), HEADER)
    whole = path.read_bytes()
    for size in (5, 300, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="cannot be used as weights") as caught:
            load_generator(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    ["[]", "{", "{}", '{"kind": "generator"}', "[" * 10**5,
     '{"kind": "generator", "generator": ["a"], "step": 0, "recipe": {}}',
     '{"kind": "generator", "generator": "animegan", "step": "x", "recipe": {}}'],
)  # fmt: skip
def test_a_header_that_makes_no_sense_is_refused(tmp_path, header):
    save_file({"a": torch.zeros(1)}, tmp_path / "g", {"animeprep": header})
    with pytest.raises(CheckpointError, match="header cannot be understood"):
        load_generator(tmp_path / "g")


def test_a_public_file_is_a_generator_too(tmp_path):
    state = GENERATORS["animeganv2"]().state_dict()
    torch.save(state, tmp_path / "paprika.pt")
    generator, header = load_generator(tmp_path / "paprika.pt")
    assert header == Header("generator", "animeganv2-aligned", 0, {})
    assert not generator.training
    assert torch.equal(generator.state_dict()["block_d.0.1.weight"], state["block_d.0.1.weight"])


def test_another_network_of_the_same_tensors_can_be_asked_for(tmp_path, generator):
    checkpoint.write(tmp_path / "g", generator.state_dict(), HEADER)
    again, header = load_generator(tmp_path / "g", "animegan-tf")
    assert header.generator == "animegan-tf"
    photo = torch.rand(1, 3, 16, 16)
    assert not torch.allclose(again(photo), generator(photo))
    with pytest.raises(CheckpointError, match="another network"):
        load_generator(tmp_path / "g", "cartoongan")
    with pytest.raises(CheckpointError, match="no such network; known: animegan, "):
        load_generator(tmp_path / "g", "os.system")


def test_the_built_in_initialisation_is_a_generator_in_half_precision():
    generator, header = load_generator(INIT)
    assert header.generator == "animegan"
    assert next(generator.parameters()).dtype == torch.float32
    assert INIT.stat().st_size < 8.5e6
