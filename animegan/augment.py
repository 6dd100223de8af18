"""What is random within a step: DiffAugment's shifts and holes, and noise on photos.

Source: Zhao et al., "Differentiable augmentation for data-efficient GAN training" (NeurIPS 2020),
without its colour part: colours are what D has to judge here.

Every picture of every step has random numbers of its own, a function of seed, step and the
picture's place in the batch. So they are the same after a resume, in however many parts or on
however many GPUs a batch is computed.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

#: Pictures are shifted by up to this share of their sides; holes have this share of their sides.
SHIFT, HOLE = 1 / 8, 1 / 2
#: Standard deviation of the noise on photos, in [-1, 1]: four gray levels of 255.
NOISE = 0.03


def generator_of(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator that is a function of some numbers, 0 or more each.

    >>> torch.rand(1, generator=generator_of(1, 2)) == torch.rand(1, generator=generator_of(1, 2))
    tensor([True])
    """
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(seed)


def diffaugment(pictures: Tensor, keys: list[tuple[int, ...]]) -> Tensor:
    """Shift each picture and cut a hole into it; what comes in is mid-gray, 0.

    Args:
        pictures: N×3×H×W in [-1, 1].
        keys: for each picture what its random numbers are a function of.

    Returns:
        The same shape and layout; gradients flow to the pixels that are left.
    """
    height, width = pictures.shape[2:]
    changed = []
    for picture, key in zip(pictures, keys, strict=True):
        shift_y, shift_x, hole_y, hole_x = torch.rand(4, generator=generator_of(*key)).tolist()
        down = round((2 * shift_y - 1) * SHIFT * height)
        right = round((2 * shift_x - 1) * SHIFT * width)
        shifted = functional.pad(picture, (right, -right, down, -down))
        keep = torch.ones((height, width), dtype=picture.dtype)
        keep[_hole(hole_y, height), _hole(hole_x, width)] = 0
        changed.append(shifted * keep.to(picture.device, non_blocking=True))
    return torch.stack(changed).contiguous(memory_format=torch.channels_last)


def _hole(place: float, side: int) -> slice:
    """The hole's rows or columns; its middle lies anywhere in the picture."""
    length = int(side * HOLE)
    start = int(place * side) - length // 2
    return slice(max(0, start), start + length)


def noisy(photos: Tensor, keys: list[tuple[int, ...]]) -> Tensor:
    """Photos under normal noise of deviation `NOISE`: p + n.

    Args:
        photos: N×3×H×W in [-1, 1].
        keys: as for `diffaugment`.
    """
    device = photos.device
    noise = [
        torch.randn(photos.shape[1:], generator=generator_of(*key, device=device), device=device)
        for key in keys
    ]
    return photos + NOISE * torch.stack(noise)
