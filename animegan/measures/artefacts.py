"""High-frequency artefacts: noise, and the checkerboards of upsampling.

Where a picture is smooth, the diagonal differences of neighbouring pixels are noise alone. Their
median passes over edges, which are few.

Source: Donoho & Johnstone, "Ideal spatial adaptation by wavelet shrinkage" (Biometrika 1994).
"""

import numpy as np

from animeprep.boxes import Picture
from animeprep.images import to_gray

#: The median of |n| for normal n of deviation 1.
_MEDIAN = 0.6745


def artefacts(picture: Picture) -> float:
    """σ = median |HH| / 0.6745, HH the diagonal detail of 2×2 pixels (Haar); levels 0..255.

    Args:
        picture: uint8 RGB H×W×3, H and W at least 2.

    Returns:
        0 without any; the deviation for white noise; about 3 a for a checkerboard of ±a.

    >>> board = (np.indices((8, 8)).sum(0) % 2 * 20 + 100).astype(np.uint8)
    >>> round(artefacts(np.repeat(board[..., None], 3, 2)), 2)
    29.65
    """
    luma = to_gray(picture).astype(np.float64)
    height, width = (length // 2 * 2 for length in luma.shape)
    even, odd = luma[:height:2, :width], luma[1:height:2, :width]
    diagonal = (even[:, ::2] - even[:, 1::2] - odd[:, ::2] + odd[:, 1::2]) / 2
    return float(np.median(np.abs(diagonal))) / _MEDIAN
