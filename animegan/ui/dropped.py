"""Something that was dropped on the page, and its painting: what all kinds have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from animegan.painter import Painter
from animegan.stylize import PaintSettings
from animegan.tensors import Pixels
from animeprep.images import encode_jpeg, thumbnail

#: Told the share that is done, 0 to 1; what it raises ends the painting.
Advance = Callable[[float], None]

#: Longer side of what the page shows, pixels.
_SHOWN = 2048


@dataclass(frozen=True)
class Painting:
    """What came of painting.

    Attributes:
        file: to download.
        name: what it is called then.
        preview: a JPEG for the page.
        facts: what there is to know of it, in words.
    """

    file: Path
    name: str
    preview: bytes
    facts: list[str]


class Dropped(ABC):
    """Something to paint.

    Attributes:
        name: of its file.
        size: width and height of what is painted, pixels.
        preview: a JPEG for the page.
        at_once: whether it is painted without being asked, because that is quick.
        facts: what there is to know of it beside its size, in words.
    """

    name: str
    size: tuple[int, int]
    preview: bytes
    at_once: bool
    facts: Sequence[str] = ()

    @abstractmethod
    def paint(
        self, painter: Painter, settings: PaintSettings, file: Path, advance: Advance
    ) -> Painting:
        """Paint into a file.

        Args:
            painter: paints.
            settings: how.
            file: where the painting goes, whatever its format.
            advance: follows it.

        Raises:
            PaintingError: it cannot be painted.
            OutputError: the file cannot be written.
        """


def preview_of(pixels: Pixels) -> bytes:
    """A JPEG for the page, of uint8 or uint16 RGB H×W×3."""
    small = thumbnail(pixels, _SHOWN)
    if small.dtype == np.uint16:
        small = (small // 257).astype(np.uint8)
    return encode_jpeg(small)


def facts_of(painter: Painter, painted: Pixels) -> list[str]:
    """What there is to know of any painting H×W×3: its size, and what painted it."""
    described = painter.described()
    height, width = painted.shape[:2]
    facts = [f"{width:,} × {height:,} pixels", str(described["network"])]
    return facts + ([f"step {described['step']:,}"] if "step" in described else [])
