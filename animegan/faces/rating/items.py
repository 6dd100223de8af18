"""What is rated: faces of several sources, drawn for the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animegan.faces.words import Words
from animeprep.boxes import Picture
from animeprep.files import sha256

#: The source of faces that nobody drew by a network; no model can be called so.
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
