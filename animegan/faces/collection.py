"""Tagged faces in memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animegan.faces.words import EYES, HAIR
from animeprep.files import sha256

#: Side of a face, pixels.
SIDE = 64


@dataclass(frozen=True)
class Faces:
    """Faces with their words.

    Attributes:
        names: N names, as the tags have them.
        pictures: uint8 RGB N×64×64×3.
        hair: int64 N, places in `HAIR`; `UNSAID` where nothing is said.
        eyes: int64 N, places in `EYES`, likewise.
    """

    names: tuple[str, ...]
    pictures: NDArray[np.uint8]
    hair: NDArray[np.int64]
    eyes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, places: NDArray[np.int64]) -> "Faces":
        """Those at some places, in that order."""
        names = tuple(self.names[place] for place in places)
        return Faces(names, self.pictures[places], self.hair[places], self.eyes[places])

    def places(self, attribute: str) -> NDArray[np.int64]:
        """`hair` or `eyes`."""
        return {"hair": self.hair, "eyes": self.eyes}[attribute]

    def balance(self) -> dict[str, dict[str, int]]:
        """How many faces there are of each colour, colours without any included."""
        return {
            attribute: {colour: int((places == n).sum()) for n, colour in enumerate(colours)}
            for attribute, places, colours in (
                ("hair", self.hair, HAIR),
                ("eyes", self.eyes, EYES),
            )
        }

    def fingerprint(self) -> str:
        """12 hex digits over names, words and pixels."""
        parts = ("\n".join(self.names).encode(), self.hair, self.eyes, self.pictures)
        return sha256(b"".join(bytes(part) for part in parts))[:12]


def fingerprint(*halves: Faces) -> str:
    """12 hex digits over the faces to learn from and those held out."""
    return sha256("".join(half.fingerprint() for half in halves).encode())[:12]
