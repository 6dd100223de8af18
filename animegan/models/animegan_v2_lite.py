"""The generator of AnimeGANv2-lite. 698,240 parameters.

Source: Chen, Liu, "AnimeGANv2" (github.com/TachibanaYoshino/AnimeGANv2, 2020).
"""

from functools import partial

from torch import Tensor, nn

from animegan.models.animegan_v2 import ConvLNLReLU, Resize
from animegan.models.blocks import Generator, he
from animegan.models.resampling import Enlarge

RESIDUAL_BLOCKS = 4


class Bottleneck(nn.Module):
    """Residual block: 1×1 to 32 channels, 3×3, linear 1×1 back, plus the input."""

    def __init__(self, channels: int, narrow: int = 32, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvLNLReLU(channels, narrow, 1, epsilon=epsilon),
            ConvLNLReLU(narrow, narrow, epsilon=epsilon),
            nn.Conv2d(narrow, channels, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        residual: Tensor = self.layers(features)
        return features + residual


class AnimeGANv2LiteGenerator(Generator):
    """G of AnimeGANv2-lite, fully convolutional: a narrow network with skip connections.

    Args:
        resize: doubles features.
        epsilon: of all norms.
    """

    multiple_of = 8
    bytes_per_pixel = 750

    def __init__(self, resize: Resize = Enlarge, epsilon: float = 1e-5) -> None:
        super().__init__()
        conv = partial(ConvLNLReLU, epsilon=epsilon)
        self.full = conv(3, 32, 7)
        self.down1 = nn.Sequential(conv(32, 32, stride=2), conv(32, 64))
        self.down2 = nn.Sequential(conv(64, 64, stride=2), conv(64, 128))
        self.down3 = nn.Sequential(conv(128, 64, stride=2), conv(64, 128))
        self.bottleneck = nn.Sequential(
            *(Bottleneck(128, epsilon=epsilon) for _ in range(RESIDUAL_BLOCKS))
        )
        self.up3 = conv(128, 128)
        self.narrow2 = conv(128, 64)
        self.up2 = conv(64, 64)
        self.narrow1 = conv(64, 32)
        self.up1 = conv(32, 32)
        self.last = conv(32, 32, 7)
        self.to_rgb = nn.Conv2d(32, 3, 1, bias=False)
        self.resize = resize()
        self.apply(he)

    def forward(self, photo: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            photo: p, N×3×H×W RGB in [-1, 1], H and W multiples of 8.

        Returns:
            G(p), N×3×H×W RGB in [-1, 1].
        """
        x0 = self.full(photo)  # 32×H×W
        x1 = self.down1(x0)  # 64×H/2×W/2
        x2 = self.down2(x1)  # 128×H/4×W/4
        features = self.bottleneck(self.down3(x2))  # 128×H/8×W/8
        features = self.narrow2(self.up3(self.resize(features)) + x2)
        features = self.narrow1(self.up2(self.resize(features)) + x1)
        painted: Tensor = self.to_rgb(self.last(self.up1(self.resize(features)) + x0))
        return painted.tanh()
