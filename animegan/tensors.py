"""Pictures ↔ tensors: the only crossing.

A picture is uint8 RGB H×W×3, in painting also uint16; a tensor is float32 N×3×H×W in [-1, 1],
v / 127.5 - 1.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

#: RGB H×W×3 of 8 or 16 bits.
Pixels = NDArray[Any]

_BYTE = np.dtype(np.uint8)


def to_tensor(picture: NDArray[Any]) -> Tensor:
    """One picture, uint8 or uint16, RGB H×W×3 or gray H×W → float32 1×3×H×W in [-1, 1].

    >>> to_tensor(np.full((4, 4, 3), 255, np.uint8)).max().item()
    1.0
    >>> to_tensor(np.zeros((4, 4), np.uint8)).shape
    torch.Size([1, 3, 4, 4])
    """
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    half = np.iinfo(picture.dtype).max / 2
    if picture.dtype != np.uint8:
        picture = picture.astype(np.float32)  # torch computes with bytes, but not with uint16
    values = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)
    return values[None].float() / half - 1


def to_batch(pictures: Tensor, device: torch.device) -> Tensor:
    """A batch of pictures on its way to a device, where it becomes float: a quarter of the bytes.

    Args:
        pictures: uint8 RGB N×H×W×3; from pinned memory the copy does not wait.
        device: where to compute.

    Returns:
        float32 N×3×H×W in [-1, 1], channels last, on `device`.

    >>> to_batch(torch.full((2, 4, 4, 3), 255, dtype=torch.uint8), torch.device("cpu")).shape
    torch.Size([2, 3, 4, 4])
    """
    values = pictures.to(device, non_blocking=True).permute(0, 3, 1, 2)
    return values.float().div_(127.5).sub_(1)


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, channels last: the layout in which convolutions are fastest."""
    placed: nn.Module = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    return placed


def to_picture(tensor: Tensor, kind: np.dtype[Any] = _BYTE) -> NDArray[Any]:
    """One picture of a batch: float 1×3×H×W in [-1, 1] → uint8 or uint16 RGB H×W×3, rounded.

    >>> to_picture(to_tensor(np.full((2, 2, 3), 77, np.uint8)))[0, 0].tolist()
    [77, 77, 77]
    """
    limit = int(np.iinfo(kind).max)
    values = ((tensor[0].float() + 1) * (limit / 2)).round().clamp(0, limit).permute(1, 2, 0)
    if kind == _BYTE:
        values = values.byte()
    return np.ascontiguousarray(values.cpu().numpy()).astype(kind, copy=False)
