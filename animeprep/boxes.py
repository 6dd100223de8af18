"""What a picture is, and a part of one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: uint8 RGB H×W×3; a gray one is H×W.
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """A part of a picture: pixels from the top left corner."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, picture: Picture) -> Picture:
        """That part of H×W×3."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]
