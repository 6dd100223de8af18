"""What is left of the photo in its painting: its edges, its features."""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from animeprep.boxes import Picture
from animeprep.images import to_gray

#: Below this deviation of the gradient (levels a pixel) a picture has no edges to agree with.
_FLAT = 0.1
#: Features nearer than this share of their mean are those of one photo, twice.
_SAME = 0.01


def gradient(luma: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Length of the gradient of a gray picture blurred by `sigma` pixels, levels a pixel: H×W."""
    blurred = cv2.GaussianBlur(luma, (0, 0), sigma)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.hypot(across, down), np.float32)


def edge_agreement(photo: Picture, painted: Picture) -> float:
    """Correlation of both pictures' gradients (σ 1): 1 for the same edges, about 0 for others.

    Args:
        photo: uint8 RGB H×W×3.
        painted: the same H×W×3; where either has no edges at all, the answer is 0.

    >>> step = np.repeat(np.repeat([[0, 255]], 8, 1), 16, 0).astype(np.uint8)[..., None]
    >>> round(edge_agreement(step.repeat(3, 2), 255 - step.repeat(3, 2)), 3)
    1.0
    """
    one, other = (gradient(to_gray(p).astype(np.float32), 1.0) for p in (photo, painted))
    one, other = one - one.mean(), other - other.mean()
    spread = float(one.std() * other.std())
    if min(one.std(), other.std()) < _FLAT:
        return 0.0
    return float((one * other).mean()) / spread


def apart(one: Tensor, other: Tensor) -> float:
    """Mean |F(p) - F(p')|, features N×C×H×W, where both have pixels."""
    height, width = (min(pair) for pair in zip(one.shape[2:], other.shape[2:], strict=True))
    return float((one[..., :height, :width] - other[..., :height, :width]).abs().mean())


def unlike(seen: Sequence[Tensor]) -> float:
    """How far two different photos are apart: the mean over neighbours of a list.

    Args:
        seen: F's responses to at least one photo.

    Returns:
        Above 0. A photo that comes twice is not compared with itself; where all are one, it is
        compared with itself upside down, and where that changes nothing, with none at all.

    >>> import torch
    >>> unlike([torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)])
    1.0
    """
    size = float(np.mean([float(one.abs().mean()) for one in seen]))
    neighbours = [apart(*pair) for pair in pairwise(seen)]
    turned = [apart(one, one.flip(2, 3)) for one in seen]
    for distances in (neighbours, turned):
        told_apart = [distance for distance in distances if distance > _SAME * size]
        if told_apart:
            return float(np.mean(told_apart))
    return size or 1.0
