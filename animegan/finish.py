"""What is done to a painting beside its photo: strength, the photo's colours, before and after.

Pictures are RGB H×W×3 of 8 or 16 bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from animegan.tensors import Pixels

#: Luma and the two colour differences of ITU-R BT.601.
_TO_YUV = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YUV).astype(np.float32)


def keep_colours(photo: Pixels, painted: Pixels) -> Pixels:
    """The photo's chroma under the painting's luma, whose mean and deviation become the photo's.

    >>> photo = np.full((2, 2, 3), (200, 40, 40), np.uint8)
    >>> keep_colours(photo, np.full((2, 2, 3), 30, np.uint8))[0, 0].tolist()
    [200, 40, 40]
    """
    before, after = (values.astype(np.float32) @ _TO_YUV.T for values in (photo, painted))
    luma, aim = after[..., 0], before[..., 0]
    scale = aim.std() / luma.std() if luma.std() > 0 else 0.0
    before[..., 0] = (luma - luma.mean()) * scale + aim.mean()
    return _as(before @ _TO_RGB.T, painted)


def blend(photo: Pixels, painted: Pixels, strength: float) -> Pixels:
    """Photo + strength · (painted - photo); 0 is the photo, 1 the painting.

    >>> blend(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 200, np.uint8), 0.25).max()
    np.uint8(50)
    """
    if strength == 1:
        return painted
    mixed = photo + strength * (painted.astype(np.float32) - photo)
    return _as(mixed, painted)


def beside(photo: Pixels, painted: Pixels) -> Pixels:
    """Photo and painting side by side, H×2W×3."""
    return np.hstack([photo, painted])


def _as(values: NDArray[np.floating[Any]], like: Pixels) -> Pixels:
    limit = np.iinfo(like.dtype).max
    return np.asarray(values.round().clip(0, limit).astype(like.dtype))
