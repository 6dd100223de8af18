"""A generator for other programs: ONNX, OpenVINO's IR, safetensors.

What is written takes pictures of any size that is a multiple of `multiple_of`: `photo`, float32
1×3×H×W RGB in [-1, 1] → `painted`, the same. It says in its metadata what it is. Before a file is
there, its painting of a real photo is compared with torch's.
"""

import contextlib
import importlib
import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.checkpoint import Header, load_generator, write
from animegan.errors import CheckpointError
from animegan.models.blocks import Generator
from animegan.tensors import to_tensor
from animeprep.errors import InputError, OutputError, UsageError
from animeprep.files import write_atomic
from animeprep.images import read_rgb, scale_short_side

PHOTO = Path(__file__).parent / "assets" / "demo" / "photos" / "life_by_Aitzol_Berasategi.jpg"
#: What is written must paint like torch, dB; rounding alone leaves more than 90.
ALIKE = 60.0
#: Largest side, in multiples of what the network takes.
_LARGEST = 4096

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
    photo = _real_photo(generator)
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


def _real_photo(generator: Generator) -> Tensor:
    """A real photo, 1×3×H×W in [-1, 1], of another size and shape than what is traced."""
    rgb = scale_short_side(read_rgb(PHOTO), 160)
    multiple = generator.multiple_of
    height, width = (side // multiple * multiple for side in rgb.shape[:2])
    return to_tensor(rgb[:height, :width])


def psnr(one: Values, other: Values) -> float:
    """Of pictures in [-1, 1], dB; not a number where one is not."""
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * float(np.log10(4 / max(error, 1e-15)))


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
    onnx, onnxruntime = _library("onnx", "onnx"), _library("onnxruntime", "onnx")
    _library("onnxscript", "onnx")
    multiple = generator.multiple_of
    example = torch.zeros(1, 3, 16 * multiple, 20 * multiple)
    rows, columns = (torch.export.Dim(name, min=2, max=_LARGEST) for name in ("rows", "columns"))
    with warnings.catch_warnings(action="ignore"), _quiet(), torch.no_grad():
        program = torch.onnx.export(
            generator,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["photo"],
            output_names=["painted"],
            dynamic_shapes={"photo": {2: multiple * rows, 3: multiple * columns}},
        )
    if program is None:
        raise CheckpointError(out, "torch made no ONNX program of it")
    model = program.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = "animeprep", describe(generator, header)
    onnx.checker.check_model(model)
    out.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    painted: Values = session.run(None, {"photo": photo.numpy()})[0]
    return painted


def write_openvino(generator: Generator, header: Header, photo: Tensor, out: Path) -> Values:
    """Write OpenVINO's IR in float32; answers what OpenVINO paints with it."""
    openvino = _library("openvino", "openvino")
    with tempfile.TemporaryDirectory() as folder:
        between = Path(folder) / "generator.onnx"
        write_onnx(generator, header, photo, between)
        model = openvino.convert_model(str(between))
    model.set_rt_info(describe(generator, header), ["animeprep"])
    openvino.save_model(model, str(out), compress_to_fp16=False)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(out), "CPU", exact)
    painted: Values = next(iter(compiled(photo.numpy()).values()))
    return painted


def write_safetensors(generator: Generator, header: Header, photo: Tensor, out: Path) -> Values:
    """Write our own format, public weights too; answers what it paints when it is read again."""
    write(out, generator.state_dict(), header)
    again, _ = load_generator(out)
    painted: Values = again(photo).numpy()
    return painted


def _library(name: str, extra: str) -> Any:  # noqa: ANN401 - libraries without types
    """A library that comes with an extra.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"this needs {name}, which is not installed: pip install 'animeprep[{extra}]'"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter logs about libraries that it would like to have."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


_WRITERS: dict[str, Callable[[Generator, Header, Tensor, Path], Values]] = {
    ".onnx": write_onnx,
    ".xml": write_openvino,
    ".safetensors": write_safetensors,
}
