"""The generator of AnimeGAN: photo in, anime picture out.

Source: Chen, Liu, Chen, "AnimeGAN: a novel lightweight GAN for photo animation" (ISICA 2019),
figure 2. 3,956,096 parameters, which is the number in the paper's table 1.
"""

from torch import Tensor, nn

from animegan.models.blocks import (
    ConvBlock,
    DownConv,
    DSConv,
    InvertedResidual,
    UpConv,
    convolution,
    glorot,
)

RESIDUAL_BLOCKS = 8


class AnimeGANGenerator(nn.Module):
    """G of AnimeGAN, fully convolutional.

    The names `encoder`, `bottleneck` and `decoder` are the paper's three parts: full size to H/4,
    eight inverted residual blocks there, and back.
    """

    #: H and W of the input must be multiples of this.
    multiple_of = 4

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            ConvBlock(3, 64),
            ConvBlock(64, 64),
            DownConv(64, 128),
            ConvBlock(128, 128),
            DSConv(128, 128),
            DownConv(128, 256),
            ConvBlock(256, 256),
        )
        self.bottleneck = nn.Sequential(*(InvertedResidual(256) for _ in range(RESIDUAL_BLOCKS)))
        self.decoder = nn.Sequential(
            ConvBlock(256, 256),
            UpConv(256, 128),
            DSConv(128, 128),
            ConvBlock(128, 128),
            # The paper's figure prints 64 here; only 128 gives the paper's parameter count.
            UpConv(128, 128),
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
