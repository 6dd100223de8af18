"""The generator of AnimeGAN: photo in, anime picture out.

Its layers carry the paper's names: Conv-Block, DSConv (depthwise separable convolution), IRB
(inverted residual block), Down-Conv and Up-Conv.

Source: Chen, Liu, Chen, "AnimeGAN: a novel lightweight GAN for photo animation" (ISICA 2019),
figure 2. 3,956,096 parameters, which is the number in the paper's table 1.
"""

from torch import Tensor, nn
from torch.nn import functional

from animegan.models.blocks import LEAKY_SLOPE, Generator, convolution, glorot
from animegan.models.norms import InstanceNorm
from animegan.models.resampling import Enlarge, EnlargeLegacy, Shrink, ShrinkLegacy

RESIDUAL_BLOCKS = 8


def _norm_and_lrelu(channels: int, epsilon: float = 1e-5) -> list[nn.Module]:
    return [InstanceNorm(channels, epsilon), nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]


class ConvBlock(nn.Sequential):
    """Conv-Block: convolution, instance norm, LReLU. C_in×H×W → C_out×H×W."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(convolution(channels_in, channels_out), *_norm_and_lrelu(channels_out))


class PadsOneSide(nn.Conv2d):
    """A 3×3 convolution that reflects the bottom row and the right column alone."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, groups: int) -> None:
        super().__init__(channels_in, channels_out, 3, stride, groups=groups, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C_out×(H/stride)×(W/stride)."""
        return super().forward(functional.pad(features, (0, 1, 0, 1), mode="reflect"))


class DSConv(nn.Sequential):
    """DSConv: depthwise 3×3 straight into pointwise 1×1, then one instance norm and LReLU.

    C_in×H×W → C_out×(H/stride)×(W/stride). Nothing stands between the two convolutions: with a
    norm there it would be another network than the paper's.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        stride: 1 or 2.
        legacy: as TensorFlow 1 computes it: a stride of 2 pads at the bottom and right alone, and
            the norm's epsilon is 1e-6.
    """

    def __init__(
        self, channels_in: int, channels_out: int, stride: int = 1, *, legacy: bool = False
    ) -> None:
        strided = PadsOneSide if legacy and stride == 2 else convolution
        super().__init__(
            strided(channels_in, channels_in, stride=stride, groups=channels_in),
            convolution(channels_in, channels_out, size=1),
            *_norm_and_lrelu(channels_out, 1e-6 if legacy else 1e-5),
        )


class DownConv(nn.Module):
    """Down-Conv: a DSConv of stride 2 plus a DSConv of the halved input. H×W → H/2×W/2."""

    def __init__(self, channels_in: int, channels_out: int, *, legacy: bool = False) -> None:
        super().__init__()
        self.strided = DSConv(channels_in, channels_out, stride=2, legacy=legacy)
        self.resized = DSConv(channels_in, channels_out, legacy=legacy)
        self.shrink = ShrinkLegacy() if legacy else Shrink()

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×H/2×W/2; H and W even."""
        summed: Tensor = self.strided(features) + self.resized(self.shrink(features))
        return summed


class UpConv(nn.Module):
    """Up-Conv: the input doubled by bilinear resize, then a DSConv. H×W → 2H×2W."""

    def __init__(self, channels_in: int, channels_out: int, *, legacy: bool = False) -> None:
        super().__init__()
        self.conv = DSConv(channels_in, channels_out, legacy=legacy)
        self.enlarge = EnlargeLegacy() if legacy else Enlarge()

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×2H×2W."""
        convolved: Tensor = self.conv(self.enlarge(features))
        return convolved


class InvertedResidual(nn.Module):
    """IRB: 1×1 widening, depthwise 3×3, linear 1×1 back, plus the input.

    Source: Sandler et al., MobileNetV2 (CVPR 2018), with instance norm and LReLU as in AnimeGAN.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        wide = channels * expansion
        self.widen = nn.Sequential(convolution(channels, wide, size=1), *_norm_and_lrelu(wide))
        self.widen.apply(glorot)
        depthwise = convolution(wide, wide, groups=wide)
        nn.init.trunc_normal_(depthwise.weight, std=0.02, a=-0.04, b=0.04)
        self.depthwise = nn.Sequential(depthwise, *_norm_and_lrelu(wide))
        self.project = nn.Sequential(convolution(wide, channels, size=1), InstanceNorm(channels))
        self.project.apply(glorot)

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        residual: Tensor = self.project(self.depthwise(self.widen(features)))
        return features + residual


class AnimeGANGenerator(Generator):
    """G of AnimeGAN, fully convolutional.

    The names `encoder`, `bottleneck` and `decoder` are the paper's three parts: full size to H/4,
    eight inverted residual blocks there, and back.

    Args:
        legacy: resample and pad as the authors' TensorFlow 1 does, for weights trained there.
    """

    multiple_of = 4
    bytes_per_pixel = 2300

    def __init__(self, *, legacy: bool = False) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            ConvBlock(3, 64),
            ConvBlock(64, 64),
            DownConv(64, 128, legacy=legacy),
            ConvBlock(128, 128),
            DSConv(128, 128, legacy=legacy),
            DownConv(128, 256, legacy=legacy),
            ConvBlock(256, 256),
        )
        self.bottleneck = nn.Sequential(*(InvertedResidual(256) for _ in range(RESIDUAL_BLOCKS)))
        self.decoder = nn.Sequential(
            ConvBlock(256, 256),
            UpConv(256, 128, legacy=legacy),
            DSConv(128, 128, legacy=legacy),
            ConvBlock(128, 128),
            # The paper's figure prints 64 here; only 128 gives the paper's parameter count.
            UpConv(128, 128, legacy=legacy),
            ConvBlock(128, 64),
            ConvBlock(64, 64),
        )
        self.to_rgb = convolution(64, 3, size=1)
        for part in (self.encoder, self.decoder, self.to_rgb):
            part.apply(glorot)

    def forward(self, photo: Tensor) -> Tensor:
        """Paint a batch.

        Args:
            photo: p, N×3×H×W RGB in [-1, 1], H and W multiples of 4.

        Returns:
            G(p), N×3×H×W RGB in [-1, 1].
        """
        painted: Tensor = self.to_rgb(self.decoder(self.bottleneck(self.encoder(photo))))
        return painted.tanh()
