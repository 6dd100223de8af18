"""Noise and words → faces as pictures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from animegan.faces.networks import FaceGenerator

#: Faces that are drawn together; always so many, for the last bits of sums may depend on it.
_TOGETHER = 25


@torch.inference_mode()
def draw(generator: FaceGenerator, z: Tensor, condition: Tensor) -> NDArray[np.uint8]:
    """Draw faces; what a face looks like does not depend on the others.

    Args:
        generator: G, in evaluation mode.
        z: noise N×Z.
        condition: N×23.

    Returns:
        uint8 RGB N×64×64×3.
    """
    device = next(generator.parameters()).device
    count = len(z)
    spare = -count % _TOGETHER
    z, condition = (functional.pad(part, (0, 0, 0, spare)) for part in (z, condition))
    parts = [
        ((generator(*(part.to(device) for part in pair)) + 1) * 127.5).round().byte().cpu()
        for pair in zip(z.split(_TOGETHER), condition.split(_TOGETHER), strict=True)
    ]
    faces: NDArray[np.uint8] = torch.cat(parts)[:count].permute(0, 2, 3, 1).contiguous().numpy()
    return faces
