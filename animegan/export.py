"""A generator for other programs: ONNX, OpenVINO's IR, safetensors.

What is written takes pictures of any size that is a multiple of `multiple_of`: `photo`, float32
1×3×H×W RGB in [-1, 1] → `painted`, the same. It says in its metadata what it is. Before a file is
there, its painting of a real photo is compared with torch's.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.backends import onnxruntime, openvino
from animegan.backends.alike import psnr, real_photo
from animegan.backends.library import library
from animegan.checkpoint import Header, load_generator, write
from animegan.models.blocks import Generator
from animeprep.errors import InputError, OutputError, UsageError
from animeprep.files import write_atomic

#: What is written must paint like torch, dB; rounding alone leaves more than 90.
ALIKE = 60.0

Values = NDArray[np.float32]


def export(model: Path, out: Path, network: str | None = None) -> dict[str, str | float]:
    """Write a generator in the format that the suffix names.

    Args:
        model: a generator file, as `load_generator` takes them.
        out: .onnx, .xml (OpenVINO, with a .bin beside it) or .safetensors.
        network: what to build in place of what the file says.

    Returns:
        What was written, and `dB`: how alike it paints.

    Raises:
        UsageError: another suffix, or a library is missing.
        CheckpointError: the model cannot be used.
        OutputError: it cannot be written, or does not paint as torch does.
    """
    if out.suffix not in _WRITERS:
        raise UsageError(f"{out}: name a file ending in {', '.join(_WRITERS)}")
    generator, header = load_generator(model, network)
    if out.resolve() == model.resolve():
        raise InputError(out, "would be overwritten", "name another file with -o")
    photo = real_photo(generator.multiple_of, 160)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        draft = Path(folder) / out.name
        painted = _WRITERS[out.suffix](generator, header, photo, draft)
        alike = psnr(painted, generator(photo).numpy())
        if not alike >= ALIKE:
            raise OutputError(out, f"its painting is only {alike:.0f} dB like torch's", "")
        # What belongs to it goes first, so that the file that is named is never alone.
        for part in sorted(Path(folder).iterdir(), key=lambda path: path.name == out.name):
            write_atomic(out.with_name(part.name), part.read_bytes())
    return {"to": str(out), "network": header.generator, "dB": round(alike, 1)}


def describe(generator: Generator, header: Header) -> str:
    """What metadata says of a generator, JSON."""
    told = {
        "network": header.generator,
        "step": header.step,
        "recipe": header.recipe,
        "multiple_of": generator.multiple_of,
        "photo": "float32 1×3×H×W, RGB in [-1, 1]",
    }
    return json.dumps(told, sort_keys=True, ensure_ascii=False)


def write_onnx(generator: Generator, header: Header, photo: Tensor, out: Path) -> Values:
    """Write ONNX, one file; answers what ONNX Runtime paints with it."""
    runtime = library("onnxruntime", "onnx")
    model = onnxruntime.convert(generator, (photo,))
    entry = model.metadata_props.add()
    entry.key, entry.value = "animeprep", describe(generator, header)
    library("onnx", "onnx").checker.check_model(model)
    out.write_bytes(model.SerializeToString())
    session = runtime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    painted: Values = session.run(None, {"photo": photo.numpy()})[0]
    return painted


def write_openvino(generator: Generator, header: Header, photo: Tensor, out: Path) -> Values:
    """Write OpenVINO's IR in float32; answers what OpenVINO paints with it."""
    model = openvino.convert(generator, (photo,))
    model.set_rt_info(describe(generator, header), ["animeprep"])
    openvino.save(model, out)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = library("openvino", "openvino").Core().compile_model(str(out), "CPU", exact)
    painted: Values = next(iter(compiled(photo.numpy()).values()))
    return painted


def write_safetensors(generator: Generator, header: Header, photo: Tensor, out: Path) -> Values:
    """Write our own format, public weights too; answers what it paints when it is read again."""
    write(out, generator.state_dict(), header)
    again, _ = load_generator(out)
    painted: Values = again(photo).numpy()
    return painted


_WRITERS: dict[str, Callable[[Generator, Header, Tensor, Path], Values]] = {
    ".onnx": write_onnx,
    ".xml": write_openvino,
    ".safetensors": write_safetensors,
}
