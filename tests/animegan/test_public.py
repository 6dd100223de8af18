import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from animegan import public
from animegan.errors import CheckpointError
from animegan.models import GENERATORS
from animegan.public.layouts import shapes_of


@pytest.fixture(scope="module")
def state():
    """A public AnimeGANv2 state dict: our names are theirs."""
    torch.manual_seed(0)
    return GENERATORS["animeganv2"]().state_dict()


def same(tensors, state):
    return all(torch.equal(tensors[name], value) for name, value in state.items())


@pytest.mark.parametrize("new", [True, False])
def test_a_pytorch_state_dict_is_read_in_both_formats(tmp_path, state, new):
    torch.save(state, tmp_path / "paprika.pt", _use_new_zipfile_serialization=new)
    network, tensors = public.read(tmp_path / "paprika.pt")
    assert network == "animeganv2-aligned"
    assert same(tensors, state)


def test_safetensors_npz_and_npy_hold_the_same(tmp_path, state):
    arrays = {name: value.numpy() for name, value in state.items()}
    save_file(state, tmp_path / "a.safetensors")
    np.savez(tmp_path / "b.npz", **arrays)
    np.savez_compressed(tmp_path / "c.npz", **arrays)
    np.save(tmp_path / "d.npy", np.array(arrays, object), allow_pickle=True)
    for name in ("a.safetensors", "b.npz", "c.npz", "d.npy"):
        assert same(public.read(tmp_path / name)[1], state)


def test_the_content_tells_what_a_file_is_and_not_its_name(tmp_path, state):
    torch.save(state, tmp_path / "weights.npz")
    assert same(public.read(tmp_path / "weights.npz")[1], state)


def test_a_network_with_the_same_tensors_can_be_asked_for(tmp_path, state):
    save_file(state, tmp_path / "x")
    for network in ("animeganv2", "animeganv2-tf"):
        assert public.read(tmp_path / "x", network)[0] == network
    with pytest.raises(CheckpointError, match="weights of animeganv2-aligned, not of cartoongan"):
        public.read(tmp_path / "x", "cartoongan")


def test_half_precision_and_other_types_become_float32(tmp_path, state):
    torch.save({name: value.bfloat16() for name, value in state.items()}, tmp_path / "x.pt")
    assert {value.dtype for value in public.read(tmp_path / "x.pt")[1].values()} == {torch.float32}


class Runs:
    def __reduce__(self):
        return os.system, ("touch executed",)


def write_hostile(folder, state):
    """Files that run something, claim absurd sizes, or grow when unpacked; name → why refused."""
    torch.save({**state, "x": Runs()}, folder / "runs.pt")
    torch.save(Runs(), folder / "runs-old.pt", _use_new_zipfile_serialization=False)
    (folder / "runs.pickle").write_bytes(pickle.dumps(Runs()))
    np.save(folder / "runs.npy", np.array({"a": Runs()}, dtype=object), allow_pickle=True)
    np.savez(folder / "runs.npz", a=np.array([Runs()], dtype=object))
    torch.save({**state, "x": torch.zeros(1).expand(2**50)}, folder / "expanded-unused.pt")
    huge = {**state, "block_a.0.1.weight": torch.zeros(1).expand(2**40, 3, 7, 7)}
    torch.save(huge, folder / "expanded.pt")
    header = io.BytesIO()
    absurd = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 3, 7, 7)}
    np.lib.format.write_array_header_1_0(header, absurd)
    with zipfile.ZipFile(folder / "huge.npz", "w") as archive:
        for name, value in state.items():
            buffer = io.BytesIO()
            np.save(buffer, value.numpy())
            first = name == "block_a.0.1.weight"
            archive.writestr(f"{name}.npy", header.getvalue() if first else buffer.getvalue())
    with (
        zipfile.ZipFile(folder / "runs.pt") as source,
        zipfile.ZipFile(folder / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in source.namelist():
            bomb.writestr(name, source.read(name))
        bomb.writestr("archive/data/zeros", bytes(20 * 2**20))
    with zipfile.ZipFile(folder / "twice.npz", "w") as archive:
        for name, value in [*state.items(), ("block_a.0.1.weight", torch.zeros(2**10))]:
            buffer = io.BytesIO()
            np.save(buffer, value.numpy())
            honest = f"{name}.npy" not in archive.namelist()
            archive.writestr(f"{name}.npy" if honest else name, buffer.getvalue())
    return {
        "runs.pt": "cannot be used", "runs-old.pt": "cannot be used",
        "runs.pickle": "cannot be used", "runs.npy": "asks for", "runs.npz": "no network",
        "expanded.pt": "another network", "huge.npz": "another network", "bomb.pt": "compressed",
        "twice.npz": "two arrays of one name",
    }  # fmt: skip


def test_hostile_files_are_refused_in_one_line_and_nothing_runs(tmp_path, state, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, why in write_hostile(tmp_path, state).items():
        with pytest.raises(CheckpointError, match=why) as caught:
            public.read(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(tmp_path))
    assert not (tmp_path / "executed").exists()


def test_truncated_and_foreign_files_are_refused_in_one_line(tmp_path, state):
    torch.save(state, tmp_path / "a.pt")
    torch.save(state, tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "c.safetensors")
    arrays = {name: value.numpy() for name, value in state.items()}
    np.savez(tmp_path / "d.npz", **arrays)
    np.save(tmp_path / "e.npy", np.array(arrays, object), allow_pickle=True)
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        for size in (3, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            with pytest.raises(CheckpointError, match="cannot be used as weights") as caught:
                public.read(path)
            assert "\n" not in str(caught.value)
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no weights " * 100)
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    torch.save([1, 2], tmp_path / "list.pt")
    # A header that numpy's parser fails on with an error of its own.
    (tmp_path / "header.npy").write_bytes(b"\x93NUMPY\x01\x00\x0a\x00{'shape': (")
    for name in ("empty", "text", "numbers.npy", "list.pt", "header.npy", "absent"):
        with pytest.raises(CheckpointError, match="cannot be used as weights"):
            public.read(tmp_path / name)


def test_weights_of_another_network_are_named(tmp_path, state):
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"no network .* first tensor is 'conv1.weight'"):
        public.read(tmp_path / "a.pt")
    torch.save({"x\ny" * 100: torch.zeros(3)}, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match=r"first tensor is 'x\\ny") as caught:
        public.read(tmp_path / "b.pt")
    assert "\n" not in str(caught.value)
    less = {name: value for name, value in state.items() if name != "out_layer.0.weight"}
    torch.save(less, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=r"out_layer.0.weight is missing"):
        public.read(tmp_path / "c.pt")
    torch.save({**state, "block_a.0.2.bias": torch.zeros(33)}, tmp_path / "d.pt")
    with pytest.raises(CheckpointError, match=r"block_a.0.2.bias is \(33,\)"):
        public.read(tmp_path / "d.pt")


def test_a_reason_is_one_short_printable_line():
    assert public.reason(ValueError("one\x1b[31m\ntwo")) == "one?[31m"
    assert public.reason(MemoryError()) == "MemoryError"
    assert len(public.reason(ValueError("x" * 999))) == 120


def test_shapes_are_learnt_without_making_the_network():
    assert shapes_of("animeganv2")["block_a.0.1.weight"] == (32, 3, 7, 7)
