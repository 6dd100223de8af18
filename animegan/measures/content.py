"""What is left of the photo in its painting: its edges, its features."""

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.images import to_gray

#: Below this deviation of the gradient (levels a pixel) a picture has no edges to agree with.
_FLAT = 0.1


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
