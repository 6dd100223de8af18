"""The patch discriminator of all the papers. 1,128,800 parameters.

Source: AnimeGAN (ISICA 2019), figure 2; spectral normalisation of Miyato et al. (ICLR 2018) with
one power iteration on every convolution. AnimeGANv2 has layer norm in place of instance norm,
CartoonGAN no spectral norm.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from animegan.models.blocks import LEAKY_SLOPE
from animegan.models.norms import InstanceNorm, LayerNorm


class _Convolution(nn.Conv2d):
    """A convolution whose weight is computed in full precision, whatever it convolves in.

    For spectral norm's vectors are part of a run's state, and sigma divides every weight.
    """

    def forward(self, features: Tensor) -> Tensor:
        """N×C_in×H×W → N×C_out×H×W (divided by the stride)."""
        with torch.autocast(features.device.type, enabled=False):
            weight = self.weight
        return functional.conv2d(features, weight, None, self.stride, self.padding)


class PatchDiscriminator(nn.Module):
    """D: one logit for each 4×4 patch of the picture, without a sigmoid.

    Args:
        norm: the normalisation of three of the layers.
        spectral: spectral norm on every convolution.
    """

    def __init__(
        self, norm: type[InstanceNorm | LayerNorm] = InstanceNorm, *, spectral: bool = True
    ) -> None:
        super().__init__()

        def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Module:
            plain = _Convolution(channels_in, channels_out, 3, stride, padding=1, bias=False)
            nn.init.normal_(plain.weight, std=0.02)
            return spectral_norm(plain) if spectral else plain

        def lrelu() -> nn.Module:
            return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

        self.layers = nn.Sequential(
            *(conv(3, 32), lrelu()),
            *(conv(32, 64, stride=2), lrelu()),
            *(conv(64, 128), norm(128), lrelu()),
            *(conv(128, 128, stride=2), lrelu()),
            *(conv(128, 256), norm(256), lrelu()),
            *(conv(256, 256), norm(256), lrelu()),
            conv(256, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Judge a batch.

        Args:
            picture: N×3×H×W in [-1, 1].

        Returns:
            Logits N×1×(H/4)×(W/4): high is anime, low is not.
        """
        logits: Tensor = self.layers(picture)
        return logits
