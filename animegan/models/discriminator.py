"""The patch discriminator of AnimeGAN. 1,128,800 parameters.

Source: AnimeGAN (ISICA 2019), figure 2; spectral normalisation of Miyato et al. (ICLR 2018) with
one power iteration on every convolution.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from animegan.models.blocks import LEAKY_SLOPE, convolution, norm_and_lrelu


def _spectral(channels_in: int, channels_out: int, stride: int = 1) -> nn.Module:
    conv = convolution(channels_in, channels_out, stride=stride, padding_mode="zeros")
    nn.init.normal_(conv.weight, std=0.02)
    return spectral_norm(conv)


class PatchDiscriminator(nn.Module):
    """D: one logit for each 4×4 patch of the picture, without a sigmoid (LSGAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _spectral(3, 32),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            _spectral(32, 64, stride=2),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            _spectral(64, 128),
            *norm_and_lrelu(128),
            _spectral(128, 128, stride=2),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            _spectral(128, 256),
            *norm_and_lrelu(256),
            _spectral(256, 256),
            *norm_and_lrelu(256),
            _spectral(256, 1),
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Judge a batch.

        Args:
            picture: N×3×H×W in [-1, 1].

        Returns:
            Logits N×1×(H/4)×(W/4): 1 is anime, 0 is not.
        """
        logits: Tensor = self.layers(picture)
        return logits
