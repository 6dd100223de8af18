"""Training pictures: decoded once and kept, cut anew each time they are drawn."""

import threading
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from animegan.device import free_memory
from animegan.recipes import Recipe
from animeprep.boxes import Box, Picture
from animeprep.errors import PictureError
from animeprep.images import read_rgb, resize, to_gray

#: Decoded pictures take up to this share of the free memory, and up to so many bytes.
_SHARE, _BYTES = 0.25, 8 * 2**30


class Source(NamedTuple):
    """A picture file as training sees it.

    Attributes:
        path: the file.
        gray: whether it is made gray, whatever the file holds.
    """

    path: Path
    gray: bool = False


class PictureStore:
    """Reads pictures and keeps them decoded as far as there is room; safe for threads.

    Args:
        room: bytes it may take. What does not fit is read anew each time.

    Attributes:
        broken: what is wrong with each picture that cannot be read; it is not tried again.
    """

    def __init__(self, room: int) -> None:
        self.broken: dict[Path, str] = {}
        self._room = room
        self._kept: dict[Source, Picture] = {}
        self._lock = threading.Lock()

    def read(self, source: Source) -> Picture | None:
        """A picture, uint8 RGB H×W×3 or gray H×W, not to be changed; None where it is broken."""
        if source in self._kept or source.path in self.broken:
            return self._kept.get(source)
        try:
            picture = read_rgb(source.path)
        except PictureError as error:
            self.broken[source.path] = str(error)
            return None
        picture = to_gray(picture) if source.gray else picture
        with self._lock:
            if source not in self._kept and picture.nbytes <= self._room:
                self._room -= picture.nbytes
                self._kept[source] = picture
        return picture


def random_square(picture: Picture, recipe: Recipe, draws: NDArray[np.float64]) -> Picture:
    """A random square of a picture at the training size.

    Args:
        picture: uint8 H×W×3 or H×W of any size; the larger ones are cropped, the smaller enlarged.
        recipe: says size, flip and jitter; jitter takes the picture larger or smaller by up to that
            share, but never so small that the square would not fit.
        draws: four numbers in [0, 1): top, left, scale, and whether the square is mirrored.

    Returns:
        uint8 RGB size×size×3, maybe a view.
    """
    height, width = picture.shape[:2]
    scale = 1 + recipe.jitter * (2 * draws[2] - 1)
    # Cut, then scaled: to enlarge what is long and thin would take any amount of memory.
    side = min(height, width, round(recipe.size / scale))
    top, left = int(draws[0] * (height - side + 1)), int(draws[1] * (width - side + 1))
    square = resize(Box(top, left, side, side).cut(picture), recipe.size, recipe.size)
    # OpenCV does both thirty times faster than NumPy.
    if recipe.flip and draws[3] < 0.5:
        square = cast("Picture", cv2.flip(square, 1))
    if square.ndim == 2:
        square = cast("Picture", cv2.cvtColor(square, cv2.COLOR_GRAY2RGB))
    return square


def room_for_pictures() -> int:
    """Bytes that decoded pictures may take: a quarter of the free memory, 8 GiB at most."""
    return min(int(_SHARE * free_memory(torch.device("cpu"))), _BYTES)
