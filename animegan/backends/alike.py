"""Whether something else paints as torch does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.models.blocks import Generator
from animegan.steady import Steady
from animegan.tensors import to_tensor
from animeprep.errors import OutputError
from animeprep.images import read_rgb, scale_short_side

#: What is built: N×3×H×W in [-1, 1], and for `Steady` norms → N×3×H×W in [-1, 1].
Module = Generator | Steady
#: The same function, built.
Network = Callable[..., Tensor]
#: Gives what a module takes: a real photo, and norms.
Sample = Callable[[], tuple[Tensor, ...]]

_PHOTO = Path(__file__).parents[1] / "assets" / "demo" / "photos" / "life_by_Aitzol_Berasategi.jpg"
#: dB that must be reached: by float32, of which rounding alone leaves more than 90, and by halves.
_ALIKE, _HALF_ALIKE = 45.0, 35.0


def real_photo(multiple: int, short_side: int = 64) -> Tensor:
    """A real photo, float32 1×3×H×W in [-1, 1], its sides such multiples."""
    rgb = scale_short_side(read_rgb(_PHOTO), short_side)
    height, width = (side // multiple * multiple for side in rgb.shape[:2])
    return to_tensor(rgb[:height, :width])


def psnr(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of pictures in [-1, 1], dB; not a number where one is not."""
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * float(np.log10(4 / max(error, 1e-15)))


def check(network: Network, module: Module, inputs: tuple[Tensor, ...], name: str) -> float:
    """Compare a network with the module in torch, float32.

    Args:
        network: what is to paint as the module does.
        module: the same in torch.
        inputs: what both paint, a real photo.
        name: backend and precision.

    Returns:
        How alike they paint, dB.

    Raises:
        OutputError: not alike enough: 45 dB for fp32, 35 for others.
    """
    with torch.inference_mode():
        expected = module(*inputs).cpu().numpy()
    alike = psnr(network(*inputs).cpu().numpy(), expected)
    if not alike >= (_ALIKE if name.endswith("fp32") else _HALF_ALIKE):
        raise OutputError(name, f"its painting is only {alike:.0f} dB like torch's", "")
    return alike
