"""Halving and doubling of features, as torch does it and as TensorFlow 1 did.

Weights belong to the way they were trained with: another one shifts features by half a pixel.
All of these take and give float NCHW, and learn nothing.
"""

from torch import Tensor, nn
from torch.nn import functional


class Shrink(nn.Module):
    """Bilinear resize by one half, which is the mean of each 2×2. H and W even."""

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H/2×W/2."""
        return functional.avg_pool2d(features, 2)


class ShrinkLegacy(nn.Module):
    """TensorFlow 1's bilinear resize by one half: every other pixel. H and W even."""

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H/2×W/2."""
        return features[..., ::2, ::2]


class Enlarge(nn.Module):
    """Bilinear resize by two."""

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×2H×2W."""
        return functional.interpolate(features, scale_factor=2.0, mode="bilinear")


class EnlargeAligned(nn.Module):
    """Bilinear resize by two that leaves the corner pixels where they are (`align_corners`)."""

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×2H×2W."""
        return functional.interpolate(
            features, scale_factor=2.0, mode="bilinear", align_corners=True
        )


class EnlargeLegacy(nn.Module):
    """TensorFlow 1's bilinear resize by two: y[2i] = x[i], y[2i+1] = (x[i] + x[i+1]) / 2.

    The last row and column have no successor and are repeated.
    """

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×2H×2W."""
        height, width = features.shape[-2:]
        # With one more row and column, aligned corners put every other result onto an input pixel.
        longer = functional.pad(features, (0, 1, 0, 1), mode="replicate")
        size = (2 * height + 1, 2 * width + 1)
        doubled = functional.interpolate(longer, size, mode="bilinear", align_corners=True)
        return doubled[..., :-1, :-1]
