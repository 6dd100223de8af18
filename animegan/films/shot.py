"""Painting the pictures of a shot: with norms that stay, and what repeats once."""

from collections.abc import Iterable

import cv2
import numpy as np
from torch import Tensor

from animegan.painter import Painter
from animegan.tensors import Pixels
from animeprep.boxes import Picture

#: Pictures no block of which changes by more than this mean, levels, look the same.
SAME = 2
#: Side of a block, pixels.
_BLOCK = 8


class ShotPainter:
    """Paints the pictures of a film, one after the other.

    Args:
        painter: paints.

    Attributes:
        repeated: how many pictures were not painted anew.
    """

    def __init__(self, painter: Painter) -> None:
        self.repeated = 0
        self._painter = painter
        self._norms: Tensor | None = None
        self._last: tuple[Picture, Pixels] | None = None

    def begin(self, pictures: Iterable[Picture]) -> None:
        """Begin a shot.

        Args:
            pictures: some of it, at least one.
        """
        self._norms = self._painter.survey(pictures)
        self._last = None

    def paint(self, picture: Picture) -> Pixels:
        """Paint one; a picture that looks like the one painted last is not painted anew."""
        blocks = _blocks(picture)
        if self._last is not None and _alike(blocks, self._last[0]):
            self.repeated += 1
            return self._last[1]
        painted = self._painter.paint(picture, norms=self._norms)
        self._last = blocks, painted
        return painted


def _blocks(picture: Picture) -> Picture:
    """Means of 8×8 pixels."""
    height, width = picture.shape[:2]
    size = max(1, width // _BLOCK), max(1, height // _BLOCK)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _alike(one: Picture, other: Picture) -> bool:
    return one.shape == other.shape and int(cv2.absdiff(one, other).max()) <= SAME
