"""Drawn or photographed: areas without texture, and edges that are steep.

A blurred photo has flat areas and soft edges; a sharpened one has steep edges and no flat areas.
A drawing has both, so the two are read together.
"""

import cv2
import numpy as np

from animegan.measures.content import gradient
from animeprep.boxes import Picture
from animeprep.images import to_gray

#: A gradient below this many levels a pixel is no edge and no texture.
_FLAT = 2
#: Edges are where the 7×7 pixels around span this many levels.
_EDGE = 30


def flatness(picture: Picture) -> float:
    """Share of the pixels with hardly a gradient, 0..1. Picture: uint8 RGB H×W×3.

    >>> flatness(np.full((16, 16, 3), 90, np.uint8))
    1.0
    """
    return float((gradient(to_gray(picture).astype(np.float32), 0.5) < _FLAT).mean())


def sharpness(picture: Picture) -> float:
    """Steepness of edges: the largest gradient nearby over the levels that the edge spans.

    Args:
        picture: uint8 RGB H×W×3.

    Returns:
        A third for a step from one pixel to the next; 0.28 in sharp pictures, 0.2 in blurred ones;
        0 where there are no edges.
    """
    gray = to_gray(picture)
    around = np.ones((7, 7), np.uint8)
    span = cv2.dilate(gray, around).astype(np.float32) - cv2.erode(gray, around)
    edges = span > _EDGE
    if not edges.any():
        return 0.0
    across = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=1 / 8)
    steepest = cv2.dilate(np.hypot(across, down), np.ones((3, 3), np.uint8))
    return float((steepest[edges] / span[edges]).mean())
