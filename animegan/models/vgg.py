"""The feature networks of the content and style losses: VGG16 conv4_3 and VGG19 conv4_4.

Both answer with the responses **before** the last ReLU: 512 channels at H/8. The papers use VGG19;
VGG16, whose trained weights lie in this package, is its nearest neighbour.

Source: Simonyan & Zisserman, "Very deep convolutional networks" (ICLR 2015).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Convention = Literal["caffe", "torchvision"]

#: Convolutions in each stage up to the feature layer; a max pool stands between two stages.
STAGES: dict[str, tuple[int, ...]] = {"vgg16": (2, 2, 3, 3), "vgg19": (2, 2, 4, 4)}
CHANNELS = (64, 128, 256, 512)

_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
_IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


def layer_shapes(network: str) -> dict[str, tuple[int, ...]]:
    """The tensors of a feature network: name → shape, in order.

    >>> list(layer_shapes("vgg16").items())[:2]
    [('conv1_1.weight', (64, 3, 3, 3)), ('conv1_1.bias', (64,))]
    """
    shapes: dict[str, tuple[int, ...]] = {}
    channels_in = 3
    for stage, (count, channels) in enumerate(zip(STAGES[network], CHANNELS, strict=True), 1):
        for layer in range(1, count + 1):
            shapes[f"conv{stage}_{layer}.weight"] = (channels, channels_in, 3, 3)
            shapes[f"conv{stage}_{layer}.bias"] = (channels,)
            channels_in = channels
    return shapes


class VGGFeatures(nn.Module):
    """F: the frozen feature network.

    Args:
        network: `vgg16` (conv4_3) or `vgg19` (conv4_4).
        weights: tensors named and shaped as `layer_shapes` says.
        convention: what the weights expect; `caffe` is BGR in 0..255 minus the mean, `torchvision`
            is RGB in 0..1, normalised by ImageNet's mean and deviation.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, network: str, weights: dict[str, Tensor], convention: Convention = "caffe"
    ) -> None:
        super().__init__()
        self.network = network
        self.convention = convention
        for name in layer_shapes(network):
            self.register_buffer(name.replace(".", "_"), weights[name].float(), persistent=False)
        scale, shift = self._input_transform()
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def _input_transform(self) -> tuple[Tensor, Tensor]:
        """Per channel, RGB: the affine map from [-1, 1] to what the weights expect."""
        if self.convention == "caffe":
            scale = torch.full((3,), 127.5)
            shift = 127.5 - torch.tensor(_CAFFE_MEAN_BGR[::-1])
        else:
            std = torch.tensor(_IMAGENET_STD_RGB)
            scale = 0.5 / std
            shift = (0.5 - torch.tensor(_IMAGENET_MEAN_RGB)) / std
        return scale.view(1, 3, 1, 1), shift.view(1, 3, 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """F(v): responses of the feature layer before its ReLU.

        Args:
            picture: v, N×3×H×W RGB in [-1, 1]; H and W at least 8.

        Returns:
            N×512×(H/8)×(W/8), not bounded.
        """
        features = picture * self.scale + self.shift
        if self.convention == "caffe":
            features = features.flip(1)
        stages = STAGES[self.network]
        for stage, count in enumerate(stages, 1):
            for layer in range(1, count + 1):
                weight = getattr(self, f"conv{stage}_{layer}_weight")
                bias = getattr(self, f"conv{stage}_{layer}_bias")
                features = functional.conv2d(features, weight, bias, padding=1)
                if (stage, layer) != (len(stages), count):
                    features = features.relu()
            if stage < len(stages):
                features = functional.max_pool2d(features, 2)
        return features
