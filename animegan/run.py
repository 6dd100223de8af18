"""What a run leaves in its folder beside the weights: the log of all terms, sample sheets.

runs/<name>/generator.safetensors   to paint with
runs/<name>/state.safetensors       to go on from
runs/<name>/log.jsonl               every term of every step, not weighted
runs/<name>/samples/                held-out photos before and after
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from animegan.stylize import paint
from animeprep.boxes import Picture
from animeprep.files import write_atomic, writing
from animeprep.images import encode_jpeg, read_rgb, scale_short_side

STATE_FILE = "state.safetensors"
LOG_FILE = "log.jsonl"
SAMPLES = "samples"
#: Held-out photos in a sample sheet, and their short side.
_SAMPLES, _SAMPLE_SIDE = 4, 256

Terms = dict[str, float]


def read_log(run: Path) -> list[dict[str, Any]]:
    """The terms of every step of a run; a torn last line is passed over."""
    path = run / LOG_FILE
    terms = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            terms.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return terms


def truncate_log(run: Path, step: int) -> list[dict[str, Any]]:
    """Drop the lines after the step that a run goes on from; answer the rest."""
    kept = [terms for terms in read_log(run) if terms["step"] <= step]
    write_atomic(run / LOG_FILE, "".join(json.dumps(terms) + "\n" for terms in kept).encode())
    return kept


def append_log(run: Path, terms: Terms) -> None:
    """Add the terms of a step.

    Raises:
        OutputError: the file cannot be written.
    """
    path = run / LOG_FILE
    with writing(path), path.open("a") as file:
        file.write(json.dumps({name: round(value, 6) for name, value in terms.items()}) + "\n")


def means(log: list[Terms]) -> Terms:
    """The mean of each term over some steps.

    >>> means([{"step": 1, "g": 2.0}, {"step": 2, "g": 4.0}])
    {'g': 3.0}
    """
    names = sorted({name for terms in log for name in terms} - {"step"})
    values = {name: [terms[name] for terms in log if name in terms] for name in names}
    return {name: round(float(np.mean(some)), 4) for name, some in values.items()}


def write_samples(generator: nn.Module, device: torch.device, val: list[Path], path: Path) -> None:
    """A sheet of the first held-out photos, before above after.

    Args:
        generator: G on `device`; it is left in training mode.
        device: where to compute.
        val: held-out photos; without any, no sheet is written.
        path: the JPEG file.

    Raises:
        PictureError: a photo cannot be read.
        OutputError: the sheet cannot be written.
    """
    pictures = [scale_short_side(read_rgb(photo), _SAMPLE_SIDE) for photo in val[:_SAMPLES]]
    if not pictures:
        return
    generator.eval()
    pairs = [np.vstack((picture, paint(generator, picture, device))) for picture in pictures]
    generator.train()
    height = max(pair.shape[0] for pair in pairs)
    sheet: Picture = np.hstack([_pad_to(pair, height) for pair in pairs])
    write_atomic(path, encode_jpeg(sheet, 92))


def _pad_to(picture: Picture, height: int) -> Picture:
    missing = height - picture.shape[0]
    return np.pad(picture, ((0, missing), (0, 0), (0, 0)), constant_values=255)
