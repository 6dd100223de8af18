"""What becomes of a painting before it is a picture of the film: colours, strength, bars, size."""

from dataclasses import dataclass

import numpy as np

from animegan.finish import beside, blend, keep_colours
from animegan.stylize import PaintSettings
from animegan.tensors import Pixels
from animeprep.boxes import Box, Picture
from animeprep.film import Film
from animeprep.images import resize


@dataclass(frozen=True)
class Canvas:
    """The film's pictures.

    Attributes:
        size: height and width of a picture, bars and all.
        area: what of it is painted, inside of the bars.
    """

    size: tuple[int, int]
    area: Box

    @classmethod
    def of(cls, film: Film, max_side: int | None) -> "Canvas":
        """As large as the film's pictures, or so that the longer side is `max_side` pixels."""
        return cls(film.size, film.area or Box(0, 0, *film.size)).scaled(max_side)

    def scaled(self, max_side: int | None) -> "Canvas":
        """The longer side is no more than `max_side` pixels."""
        (height, width), area = self.size, self.area
        scale = min(1.0, (max_side or np.inf) / max(height, width))
        if scale == 1:
            return self
        top, left = round(area.top * scale), round(area.left * scale)
        bottom = round((area.top + area.height) * scale)
        right = round((area.left + area.width) * scale)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        return Canvas(size, Box(top, left, max(1, bottom - top), max(1, right - left)))

    def fitted(self, picture: Picture) -> Picture:
        """A picture of the film as large as the area; those of another size are scaled to it."""
        if picture.shape[:2] == (self.area.height, self.area.width):
            return picture
        return resize(picture, self.area.width, self.area.height)

    def finished(self, picture: Picture, painted: Pixels, settings: PaintSettings) -> Picture:
        """The picture to encode: height and width are even, which 4:2:0 asks for.

        Args:
            picture: from `fitted`.
            painted: its painting.
            settings: what is asked of paintings.
        """
        if settings.keep_colours:
            painted = keep_colours(picture, painted)
        painted = self.framed(blend(picture, painted, settings.strength))
        if settings.compare:
            painted = beside(self.framed(picture), painted)
        height, width = painted.shape[:2]
        return np.pad(painted, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

    def framed(self, picture: Pixels) -> Pixels:
        """Between the film's black bars."""
        if picture.shape[:2] == self.size:
            return picture
        whole = np.zeros((*self.size, 3), picture.dtype)
        area = self.area
        whole[area.top : area.top + area.height, area.left : area.left + area.width] = picture
        return whole
