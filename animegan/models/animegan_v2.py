"""The generator of AnimeGANv2. 2,143,552 parameters.

The tensors are named as in the PyTorch checkpoints that are shared in public
(`block_a.0.1.weight`): files of either go into the other.

Source: Chen, Liu, "AnimeGANv2" (github.com/TachibanaYoshino/AnimeGANv2, 2020).
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from animegan.models.blocks import LEAKY_SLOPE, Generator, he
from animegan.models.norms import LayerNorm
from animegan.models.resampling import Enlarge

Resize = Callable[[], nn.Module]


class ConvLNLReLU(nn.Sequential):
    """Convolution without bias, layer norm, LReLU. C_in×H×W → C_out×(H/stride)×(W/stride).

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        size: side of the square kernel, odd.
        stride: 1, padded on all sides, or 2, padded at the bottom and right alone.
        epsilon: of the norm.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        size: int = 3,
        stride: int = 1,
        *,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__(
            _reflect(size, stride),
            nn.Conv2d(channels_in, channels_out, size, stride, bias=False),
            LayerNorm(channels_out, epsilon),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        )


def _reflect(size: int, stride: int = 1) -> nn.Module:
    if stride == 2:
        return nn.ReflectionPad2d((0, size // 2, 0, size // 2))
    return nn.ReflectionPad2d(size // 2) if size > 1 else nn.Identity()


class InvertedResidual(nn.Module):
    """IRB: 1×1 widening, depthwise 3×3, linear 1×1, plus the input where the shapes agree.

    Source: Sandler et al., MobileNetV2 (CVPR 2018), with layer norm and LReLU.
    """

    def __init__(
        self, channels_in: int, channels_out: int, expansion: int = 2, *, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        wide = channels_in * expansion
        depthwise = nn.Sequential(
            _reflect(3),
            nn.Conv2d(wide, wide, 3, groups=wide),
            LayerNorm(wide, epsilon),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        )
        self.layers = nn.Sequential(
            ConvLNLReLU(channels_in, wide, 1, epsilon=epsilon),
            depthwise,
            nn.Conv2d(wide, channels_out, 1, bias=False),
            LayerNorm(channels_out, epsilon),
        )
        self.adds_input = channels_in == channels_out

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×H×W."""
        answer: Tensor = self.layers(features)
        return features + answer if self.adds_input else answer


class AnimeGANv2Generator(Generator):
    """G of AnimeGANv2, fully convolutional: A and B go down to H/4, C stays, D and E go up.

    Args:
        resize: doubles features.
        epsilon: of all norms.
    """

    multiple_of = 4
    bytes_per_pixel = 1700

    def __init__(self, resize: Resize = Enlarge, epsilon: float = 1e-5) -> None:
        super().__init__()
        conv = partial(ConvLNLReLU, epsilon=epsilon)
        residual = partial(InvertedResidual, channels_out=256, epsilon=epsilon)
        self.block_a = nn.Sequential(conv(3, 32, 7), conv(32, 64, stride=2), conv(64, 64))
        self.block_b = nn.Sequential(conv(64, 128, stride=2), conv(128, 128))
        self.block_c = nn.Sequential(
            conv(128, 128),
            residual(128),
            *(residual(256) for _ in range(3)),
            conv(256, 128),
        )
        self.block_d = nn.Sequential(conv(128, 128), conv(128, 128))
        self.block_e = nn.Sequential(conv(128, 64), conv(64, 64), conv(64, 32, 7))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())
        self.resize = resize()
        self.apply(he)

    def forward(self, photo: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            photo: p, N×3×H×W RGB in [-1, 1], H and W multiples of 4.

        Returns:
            G(p), N×3×H×W RGB in [-1, 1].
        """
        features = self.block_c(self.block_b(self.block_a(photo)))
        features = self.block_d(self.resize(features))
        painted: Tensor = self.out_layer(self.block_e(self.resize(features)))
        return painted
