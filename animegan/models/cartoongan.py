"""The generator of CartoonGAN. 11,124,352 parameters; 11,129,667 with the authors' biases.

Source: Chen, Lai, Liu, "CartoonGAN: generative adversarial networks for photo cartoonization"
(CVPR 2018), figure 2; padding as in the authors' published network.
"""

from functools import partial

from torch import Tensor, nn

from animegan.models.blocks import Generator, normal
from animegan.models.norms import InstanceNorm

RESIDUAL_BLOCKS = 8


def _norm_and_relu(channels: int, epsilon: float) -> tuple[nn.Module, nn.Module]:
    return InstanceNorm(channels, epsilon), nn.ReLU(inplace=True)


class ResidualBlock(nn.Module):
    """3×3, instance norm, ReLU, 3×3, instance norm, plus the input; padded by reflection."""

    def __init__(self, channels: int, *, bias: bool, epsilon: float) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, channels, channels, 3, padding=1, padding_mode="reflect")
        self.layers = nn.Sequential(
            conv(bias=bias),
            *_norm_and_relu(channels, epsilon),
            conv(bias=bias),
            InstanceNorm(channels, epsilon),
        )

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        residual: Tensor = self.layers(features)
        return features + residual


class CartoonGANGenerator(Generator):
    """G of CartoonGAN, fully convolutional: flat, down to H/4, eight residual blocks, and up.

    Args:
        bias: convolutions with biases, as in the authors' weights.
        epsilon: of all norms; 1e-9 in the authors' network.
    """

    multiple_of = 4
    bytes_per_pixel = 700

    def __init__(self, *, bias: bool = False, epsilon: float = 1e-5) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, bias=bias)
        wide = partial(nn.Conv2d, kernel_size=7, padding=3, padding_mode="reflect", bias=bias)
        transposed = partial(
            nn.ConvTranspose2d, kernel_size=3, stride=2, padding=1, output_padding=1, bias=bias
        )
        norm_and_relu = partial(_norm_and_relu, epsilon=epsilon)
        self.flat = nn.Sequential(wide(3, 64), *norm_and_relu(64))
        # No norm and no ReLU stand between the two convolutions of a pair.
        self.down = nn.Sequential(
            *(conv(64, 128, stride=2), conv(128, 128), *norm_and_relu(128)),
            *(conv(128, 256, stride=2), conv(256, 256), *norm_and_relu(256)),
        )
        self.residual = nn.Sequential(
            *(ResidualBlock(256, bias=bias, epsilon=epsilon) for _ in range(RESIDUAL_BLOCKS))
        )
        self.up = nn.Sequential(
            *(transposed(256, 128), conv(128, 128), *norm_and_relu(128)),
            *(transposed(128, 64), conv(64, 64), *norm_and_relu(64)),
        )
        self.to_rgb = wide(64, 3)
        self.apply(normal)

    def forward(self, photo: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            photo: p, N×3×H×W RGB in [-1, 1], H and W multiples of 4.

        Returns:
            G(p), N×3×H×W RGB in [-1, 1].
        """
        painted: Tensor = self.to_rgb(self.up(self.residual(self.down(self.flat(photo)))))
        return painted.tanh()
