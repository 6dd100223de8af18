"""Photo in, painted picture out, at its own size."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from animegan.checkpoint import load_generator
from animegan.errors import CheckpointError
from animegan.models.blocks import Generator
from animegan.public.tensorflow import index_of
from animegan.tensors import place, to_picture, to_tensor
from animeprep.boxes import Picture
from animeprep.errors import InputError, PictureError, UsageError
from animeprep.files import write_atomic
from animeprep.folders import FAILED, MADE, Summary
from animeprep.images import encode_jpeg, encode_png, list_images, read_rgb
from animeprep.progress import progress

RUNS = Path("runs")
#: What a run leaves to paint with: the chosen generator, and the latest.
BEST_FILE = "best.safetensors"
GENERATOR_FILE = "generator.safetensors"


def pick_device(name: str = "auto") -> torch.device:
    """The device to compute on: the named one, else CUDA, MPS or the CPU, whichever is there.

    Raises:
        CheckpointError: a named device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    available = {"cpu": True, "cuda": torch.cuda.is_available(),
                 "mps": torch.backends.mps.is_available()}  # fmt: skip
    if not available.get(name, False):
        raise CheckpointError(name, "there is no such device here", "leave out --device")
    return torch.device(name)


def find_model(model: Path | None) -> Path:
    """The generator file that `--model` names: a file or a run; by default the newest run's.

    A run's `best.safetensors` comes before its latest generator. A file may also be one that others
    published, as `public.read` takes them.

    Raises:
        CheckpointError: there is none.
    """
    if model is None:
        found = sorted(RUNS.glob(f"*/{GENERATOR_FILE}"), key=lambda p: (p.stat().st_mtime, p))
        if not found:
            raise CheckpointError(
                RUNS, "there is no trained model here", "run `animeprep train`, or name a --model"
            )
        model = found[-1].parent
    files = (
        folder / name for folder in (model, RUNS / model) for name in (BEST_FILE, GENERATOR_FILE)
    )
    for candidate in (model, index_of(model), *files):
        if candidate is not None and candidate.is_file():
            return candidate
    raise CheckpointError(model, "there is no such model or run", "see the names in runs/")


def paint(generator: nn.Module, picture: Picture, device: torch.device) -> Picture:
    """Paint one picture with G.

    Args:
        generator: in evaluation mode, on `device`; its `multiple_of` says what H and W must be
            multiples of, for which the picture is mirrored at the bottom and right.
        picture: uint8 RGB H×W×3 of any size.
        device: where to compute.

    Returns:
        uint8 RGB of the same H×W×3.
    """
    height, width = picture.shape[:2]
    multiple = int(getattr(generator, "multiple_of", 1))
    bottom, right = -height % multiple, -width % multiple
    # The deepest 3×3 reflection needs two pixels there.
    bottom += multiple * (height + bottom < 2 * multiple)
    right += multiple * (width + right < 2 * multiple)
    padded = np.pad(picture, ((0, bottom), (0, right), (0, 0)), mode="symmetric")
    photo = to_tensor(padded).to(device, memory_format=torch.channels_last)
    with torch.inference_mode():
        painted = to_picture(generator(photo))
    return painted[:height, :width]


def stylize(
    inputs: list[Path],
    out: Path,
    model: Path,
    device: torch.device,
    *,
    network: str | None = None,
    dry_run: bool = False,
) -> Summary:
    """Paint pictures, and folders of pictures with their subfolders.

    Args:
        inputs: pictures and folders.
        out: a folder; or, for a single picture, a file ending in .png, .jpg or .jpeg.
        model: a generator file, as `checkpoint.load_generator` takes them.
        device: where to compute.
        network: what to build in place of what the file says.
        dry_run: count only.

    Returns:
        Counts; a broken picture is a problem and the others go on.

    Raises:
        InputError: the model cannot be used, or none of the inputs.
        OutputError: a picture cannot be written.
    """
    generator, header = load_generator(model, network)
    summary = Summary("stylize", dry_run=dry_run)
    summary.figures = {"model": str(model), "network": header.generator}
    if header.step:
        summary.figures["step"] = header.step
    jobs = list(_jobs(inputs, out))
    if dry_run:
        summary.counts["to do"] = len(jobs)
        return summary
    place(generator, device)
    with progress("stylize", len(jobs)) as advance:
        for source, target in jobs:
            try:
                write_picture(target, paint(generator, _affordable(source, generator), device))
                summary.counts[MADE] += 1
            except PictureError as error:
                summary.counts[FAILED] += 1
                summary.problems.append(str(error))
            advance()
    summary.figures["to"] = str(out)
    return summary


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture as JPEG or PNG, whichever the name says, atomically."""
    jpeg = path.suffix.lower() in {".jpg", ".jpeg"}
    write_atomic(path, encode_jpeg(picture, 95) if jpeg else encode_png(picture))


def _affordable(path: Path, generator: Generator) -> Picture:
    """Read a picture that fits the memory there is."""
    picture = read_rgb(path)
    needed = picture.shape[0] * picture.shape[1] * generator.bytes_per_pixel
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return picture  # not told here; then the allocator speaks
    if needed > free:
        raise PictureError(
            path,
            f"{picture.shape[1]}×{picture.shape[0]} takes {needed / 2**30:.1f} GiB of memory, "
            f"{free / 2**30:.1f} are free",
            "scale it down",
        )
    return picture


def _jobs(inputs: list[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Source and target of every picture; subfolders are kept.

    Raises:
        InputError: an input is missing or empty, or a target would overwrite its source.
    """
    if out.suffix.lower() in {".png", ".jpg", ".jpeg"}:
        if len(inputs) != 1 or inputs[0].is_dir():
            raise UsageError(f"{out} is one file; name a folder for several pictures")
        wanted = [(_existing(inputs[0]), out)]
    else:
        wanted = [(source, out / name) for path in inputs for source, name in _inside(path)]
    taken: set[Path] = set()
    for source, target in wanted:
        # a.jpg and a.png beside each other: the second keeps its whole name.
        unique = target.with_name(f"{source.name}.png") if target in taken else target
        if unique.resolve() == source.resolve():
            raise InputError(source, "would be overwritten", "name another folder with -o")
        taken.add(unique)
        yield source, unique


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(path, "there is no such file", "check the name")
    return path


def _inside(path: Path) -> Iterator[tuple[Path, Path]]:
    """The pictures of an input, each with the name of its painting below the output folder."""
    if not _existing(path).is_dir():
        yield path, Path(path.with_suffix(".png").name)
        return
    found = list_images(path, recursive=True)
    if not found:
        raise InputError(path, "there are no pictures in this folder", "name another")
    for picture in found:
        yield picture, picture.relative_to(path).with_suffix(".png")
