"""What is rated: faces of several sources, drawn for the same words."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from animegan.faces.collection import Faces
from animegan.faces.evaluation import drawn_like, words_of
from animegan.faces.model import load_face_generator
from animegan.faces.sampling import Sampler
from animegan.faces.words import UNSAID, Words
from animegan.painter import find_model
from animeprep.boxes import Picture
from animeprep.errors import UsageError
from animeprep.files import sha256

#: The source of held-out faces.
REAL = "real"


@dataclass(frozen=True)
class Item:
    """A face to rate.

    Attributes:
        key: 16 hexadecimal digits that follow from picture and words alone.
        words: what it is to show.
        picture: uint8 RGB 64×64×3.
        source: a model, or `REAL`; never told to who rates.
    """

    key: str
    words: Words
    picture: Picture
    source: str


def gather(words: Sequence[Words], sources: Mapping[str, NDArray[np.uint8]]) -> dict[str, Item]:
    """What is rated, by key.

    Args:
        words: of N faces.
        sources: source → its faces of these words, uint8 RGB N×64×64×3. Of two that are equal the
            first source has it.
    """
    items: dict[str, Item] = {}
    for source, pictures in sources.items():
        for said, picture in zip(words, pictures, strict=True):
            key = sha256(str(said).encode() + b"\0" + picture.tobytes())[:16]
            items.setdefault(key, Item(key, said, picture, source))
    return items


def draw(
    models: Sequence[Path], held_out: Faces, prompts: int, seed: int, device: torch.device
) -> dict[str, Item]:
    """Some held-out faces, and as many of each model, drawn for the same words.

    Args:
        models: generators, as `load_face_generator` takes them.
        held_out: real faces that the models did not learn from.
        prompts: how many of them, at most.
        seed: which of them, and of the drawn faces.
        device: where to compute.

    Raises:
        CheckpointError: a model is missing or broken.
        UsageError: there are no held-out faces with words.
    """
    said = np.flatnonzero((held_out.hair != UNSAID) | (held_out.eyes != UNSAID))
    if not said.size:
        raise UsageError("no face is held out, so there is nothing to rate: raise --held-out")
    real = held_out.take(np.random.default_rng(seed).permutation(said)[:prompts])
    sources = {REAL: real.pictures}
    for model in models:
        generator, header = load_face_generator(model)
        # Whoever goes on may have named the same model otherwise.
        name = os.path.relpath(find_model(model, faces=True))
        sources[f"{name} (step {header.step})"] = drawn_like(real, Sampler(generator, device, seed))
    return gather(words_of(real), sources)
