"""The generator of a run or file, with its weights."""

from pathlib import Path

import torch
from pydantic import Field, ValidationError

from animegan.checkpoint import FACES, Header, check_tensors, load_tensors, read_header
from animegan.errors import CheckpointError
from animegan.faces.networks import FaceGenerator, Norm
from animegan.models import GENERATORS
from animegan.painter import find_model
from animeprep.settings import Settings


class _Shape(Settings):
    """What of a recipe the generator is built by; larger ones are nobody's."""

    noise: int = Field(ge=1, le=4096)
    start: int = Field(ge=1, le=4096)
    filters: int = Field(ge=1, le=512)
    norm: Norm


def load_face_generator(path: Path | None = None) -> tuple[FaceGenerator, Header]:
    """Build the generator that a checkpoint describes, with its weights, in evaluation mode.

    Args:
        path: a file, a run's folder, or a run's name; by default the newest run that draws faces.
            A run's `best.safetensors` comes before its latest generator.

    Returns:
        The generator on the CPU, and what the file says of itself.

    Raises:
        CheckpointError: missing, broken, or the weights are of another network; where they paint
            photos, it says what does that.
    """
    file = find_model(path, faces=True)
    header = read_header(file)
    if header.kind == "generator" and header.generator in GENERATORS:
        raise CheckpointError(
            file, "paints photos and draws no faces", "use `animeprep stylize`, or another --model"
        )
    if (header.kind, header.generator) != ("generator", FACES):
        what = f"{header.kind} of {header.generator}"
        raise CheckpointError(file, f"holds a {what}, not a generator of faces")
    # Without memory, until the file is seen to hold that much.
    with torch.device("meta"):
        generator = FaceGenerator(**_shape(file, header).model_dump())
    check_tensors(generator, file)
    generator.to_empty(device="cpu")
    load_tensors(generator, file)
    return generator.eval(), header


def _shape(file: Path, header: Header) -> _Shape:
    told = {name: header.recipe[name] for name in _Shape.model_fields if name in header.recipe}
    try:
        return _Shape(**told)
    except ValidationError as error:
        field = error.errors()[0]["loc"][0]
        raise CheckpointError(
            file, f"its header does not say a usable {field!r} of the generator", "train it again"
        ) from error
