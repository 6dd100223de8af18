import importlib
import json

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch

from animegan import export as exporting
from animegan.checkpoint import Header, built_in, load_generator, write
from animegan.errors import CheckpointError
from animegan.export import export
from animegan.models import GENERATORS
from animeprep.__main__ import main
from animeprep.errors import InputError, OutputError, UsageError

LITE = built_in("animeganv2-lite")


def noise(height, width):
    torch.manual_seed(1)
    return torch.rand(1, 3, height, width) * 2 - 1


@pytest.mark.slow
@pytest.mark.parametrize("network", GENERATORS)
def test_onnx_paints_as_torch_does_at_any_size(network, tmp_path):
    torch.manual_seed(0)
    model, out = tmp_path / "model.safetensors", tmp_path / "model.onnx"
    write(model, GENERATORS[network]().state_dict(), Header("generator", network, 7, {"a": 1}))
    told = export(model, out)
    assert float(told["dB"]) > 90
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    generator = load_generator(model)[0]
    for size in ((16, 24), (72, 40)):
        photo = noise(*size)
        with torch.inference_mode():
            expected = generator(photo).numpy()
        painted = session.run(["painted"], {"photo": photo.numpy()})[0]
        np.testing.assert_allclose(painted, expected, atol=1e-3)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    said = json.loads(metadata["animeprep"])
    assert (said["network"], said["step"], said["recipe"]) == (network, 7, {"a": 1})


@pytest.mark.slow
def test_openvino_paints_as_torch_does_at_any_size(tmp_path):
    out = tmp_path / "model.xml"
    assert float(export(LITE, out)["dB"]) > 90
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    core = openvino.Core()
    compiled = core.compile_model(str(out), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    generator = load_generator(LITE)[0]
    for size in ((24, 32), (72, 40)):
        photo = noise(*size)
        with torch.inference_mode():
            expected = generator(photo).numpy()
        painted = next(iter(compiled(photo.numpy()).values()))
        np.testing.assert_allclose(painted, expected, atol=1e-3)
    said = json.loads(core.read_model(str(out)).get_rt_info(["animeprep"]).astype(str))
    assert said["network"] == "animeganv2-lite"


def test_public_weights_become_safetensors(tmp_path):
    torch.manual_seed(0)
    state = GENERATORS["animeganv2"]().state_dict()
    torch.save(state, tmp_path / "public.pt")
    out = tmp_path / "ours.safetensors"
    told = export(tmp_path / "public.pt", out, "animeganv2-aligned")
    assert told["network"] == "animeganv2-aligned"
    again, header = load_generator(out)
    assert header.generator == "animeganv2-aligned"
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_what_paints_otherwise_is_not_written(tmp_path, monkeypatch):
    def spoilt(_generator, _header, photo, out):
        out.write_bytes(b"spoilt")
        return 0.9 * photo.numpy()

    monkeypatch.setitem(exporting._WRITERS, ".onnx", spoilt)
    with pytest.raises(OutputError, match="dB like torch's"):
        export(LITE, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys):
    with pytest.raises(UsageError, match="name a file ending in"):
        export(LITE, tmp_path / "out.pb")
    with pytest.raises(CheckpointError):
        export(tmp_path / "none.safetensors", tmp_path / "out.onnx")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(LITE.read_bytes())
    with pytest.raises(InputError, match="would be overwritten"):
        export(copy, copy)

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install 'animeprep\[onnx\]'"):
        export(LITE, tmp_path / "out.onnx")


def test_the_verb_writes_safetensors(tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    assert main(["export", "--model", str(LITE), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["to"] == str(out)
    assert told["dB"] > 100
