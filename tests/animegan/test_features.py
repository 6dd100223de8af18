import hashlib
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from animegan.errors import CheckpointError
from animegan.features import BUILTIN_VGG16, fetch, load_features
from animegan.models.vgg import VGGFeatures, layer_shapes

TORCHVISION_INDEXES = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21),
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25),
}


@pytest.fixture(scope="module")
def weights():
    rng = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=rng) / 40
        for name, shape in layer_shapes("vgg19").items()
    }


@pytest.fixture(scope="module")
def picture():
    return torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def write_torchvision(path, weights):
    names = [name.split(".")[0] for name in weights if name.endswith("weight")]
    state = {}
    for index, name in zip(TORCHVISION_INDEXES["vgg19"], names, strict=True):
        state[f"features.{index}.weight"] = weights[f"{name}.weight"]
        state[f"features.{index}.bias"] = weights[f"{name}.bias"]
    # What the real file holds behind the layers that are used.
    state["features.28.weight"] = torch.zeros(1)
    state["classifier.0.weight"] = torch.zeros(1)
    torch.save(state, path, _use_new_zipfile_serialization=False)


def hwio(weights):
    return {
        name.split(".")[0]: [
            weights[name].numpy().transpose(2, 3, 1, 0),
            weights[name.replace("weight", "bias")].numpy(),
        ]
        for name in weights
        if name.endswith("weight")
    }


def test_a_torchvision_file_is_read_in_its_convention(tmp_path, weights, picture):
    write_torchvision(tmp_path / "vgg19.pth", weights)
    network = load_features("vgg19", tmp_path / "vgg19.pth")
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    responses = ((picture + 1) / 2 - mean) / std
    for name in [name for name in weights if name.endswith("weight")]:
        if name != "conv1_1.weight" and name.endswith("_1.weight"):
            responses = torch.nn.functional.max_pool2d(responses, 2)
        bias = weights[name.replace("weight", "bias")]
        responses = torch.nn.functional.conv2d(responses, weights[name], bias, padding=1)
        if name != "conv4_4.weight":
            responses = responses.relu()
    torch.testing.assert_close(network(picture), responses, atol=1e-5, rtol=1e-4)


def test_the_caffe_files_agree_with_each_other(tmp_path, weights, picture):
    save_file(weights, tmp_path / "vgg19.safetensors")
    arrays = hwio(weights)
    np.save(tmp_path / "vgg19.npy", np.array(arrays, dtype=object), allow_pickle=True)
    flat = {
        f"{n}_{kind}": a for n, pair in arrays.items() for kind, a in zip("Wb", pair, strict=True)
    }
    np.savez(tmp_path / "vgg19.npz", **flat)
    expected = VGGFeatures("vgg19", weights, "caffe")(picture)
    for suffix in ("safetensors", "npy", "npz"):
        answer = load_features("vgg19", tmp_path / f"vgg19.{suffix}")(picture)
        torch.testing.assert_close(answer, expected)


def test_the_caffe_convention_is_bgr_minus_mean():
    network = load_features("vgg16")
    seen = (
        torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1) * network.scale + network.shift
    ).flatten()
    assert seen.tolist() == pytest.approx([255 - 123.68, 127.5 - 116.779, -103.939], abs=1e-3)


def test_no_gradient_reaches_the_feature_network():
    assert not list(load_features("vgg16").parameters())


class Runs:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_that_runs_something_is_refused(tmp_path, capsys):
    arrays = np.array([None], dtype=object)
    arrays[0] = Runs()
    np.save(tmp_path / "a.npy", arrays.reshape(()), allow_pickle=True)
    torch.save(Runs(), tmp_path / "b.pth")
    for name in ("a.npy", "b.pth"):
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_features("vgg19", tmp_path / name)
    assert capsys.readouterr().out == ""


def test_an_npz_that_grows_when_unpacked_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", conv1_1_W=np.zeros((3, 3, 3, 2**20), np.float32))
    tracemalloc.start()
    with pytest.raises(CheckpointError, match=r"conv1_1_W is \(3, 3, 3, 1048576\), not"):
        load_features("vgg19", tmp_path / "bomb.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_weights_of_another_network_are_named(tmp_path):
    save_file(load_file(BUILTIN_VGG16), tmp_path / "vgg16.safetensors")
    with pytest.raises(CheckpointError, match=r"not vgg19: conv3_4.weight is missing"):
        load_features("vgg19", tmp_path / "vgg16.safetensors")


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("animegan.features.CACHE", tmp_path)
    with pytest.raises(CheckpointError, match="--features-file"):
        load_features("vgg19")
    with pytest.raises(CheckpointError, match="no such file"):
        load_features("vgg19", tmp_path / "none.pth")


def test_a_text_file_is_said_to_be_of_another_kind(tmp_path):
    (tmp_path / "x.mkv").write_text("hi\n")
    with pytest.raises(CheckpointError, match="damaged, or of another kind"):
        load_features("vgg19", tmp_path / "x.mkv")


def test_a_download_is_taken_only_with_the_right_hash(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"weights")
    file = tmp_path / "cache" / "file.pth"
    with pytest.raises(CheckpointError, match="SHA-256"):
        fetch(source.as_uri(), file, "00000000")
    assert not list(file.parent.iterdir())
    digest = hashlib.sha256(b"weights").hexdigest()
    fetch(source.as_uri(), file, digest[:8])
    assert file.read_bytes() == b"weights"


def test_a_failed_download_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be downloaded"):
        fetch((tmp_path / "none").as_uri(), tmp_path / "file", "0")
