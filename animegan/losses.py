"""The terms of AnimeGAN's losses: tensors in, scalar out.

Source: AnimeGAN (ISICA 2019), equations 1 to 8. Pictures are float N×3×H×W RGB in [-1, 1];
features are what `models.vgg.VGGFeatures` answers, N×C×H×W.
"""

import torch
from torch import Tensor
from torch.nn import functional

#: Rows Y, U, V over columns R, G, B (BT.601), as in the paper's colour loss.
RGB_TO_YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)


def content_loss(photo_features: Tensor, painted_features: Tensor) -> Tensor:
    """L_con = mean |F(p) - F(G(p))|.

    >>> content_loss(torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2, 2), 3.0)).item()
    3.0
    """
    return functional.l1_loss(painted_features, photo_features)


def gram_matrix(features: Tensor) -> Tensor:
    """Gram = FᵀF / (H·W·C) of each picture: N×C×H×W → N×C×C.

    >>> gram_matrix(torch.ones(1, 2, 3, 3)).tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]
    """
    channels, height, width = features.shape[1:]
    flat = features.flatten(2)
    return flat @ flat.mT / (height * width * channels)


def style_loss(gray_style_features: Tensor, painted_features: Tensor) -> Tensor:
    """L_gra = mean |Gram(F(x)) - Gram(F(G(p)))|, x the gray style picture, G(p) in colour."""
    return functional.l1_loss(gram_matrix(painted_features), gram_matrix(gray_style_features))


def to_yuv(picture: Tensor) -> Tensor:
    """RGB in [-1, 1] → YUV of the picture in [0, 1]; Y in [0, 1], U and V around 0."""
    matrix = picture.new_tensor(RGB_TO_YUV)
    return torch.einsum("yc,nchw->nyhw", matrix, (picture + 1) / 2)


def colour_loss(photo: Tensor, painted: Tensor) -> Tensor:
    """L_col = mean |ΔY| + Huber(ΔU) + Huber(ΔV), delta 1, between p and G(p).

    >>> round(colour_loss(-torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2)).item(), 4)
    1.0
    """
    luma, *chromas = to_yuv(painted).unbind(1)
    photo_luma, *photo_chromas = to_yuv(photo).unbind(1)
    loss = functional.l1_loss(luma, photo_luma)
    for chroma, photo_chroma in zip(chromas, photo_chromas, strict=True):
        loss = loss + functional.huber_loss(chroma, photo_chroma)
    return loss


def adversarial_loss(logits: Tensor) -> Tensor:
    """L_adv of G (LSGAN): mean (D(G(p)) - 1)².

    >>> adversarial_loss(torch.zeros(1, 1, 2, 2)).item()
    1.0
    """
    return (logits - 1).square().mean()


def discriminator_terms(
    anime: Tensor, painted: Tensor, gray: Tensor, smooth_gray: Tensor
) -> dict[str, Tensor]:
    """The four squared distances of L_D (LSGAN), not weighted yet.

    Args:
        anime: D(a), which should be 1.
        painted: D(G(p)), which should be 0.
        gray: D(x), which should be 0: a picture without its colours is no anime.
        smooth_gray: D(y), which should be 0: one without its edges is none either.
    """
    return {
        "real": (anime - 1).square().mean(),
        "fake": painted.square().mean(),
        "gray": gray.square().mean(),
        "smooth": smooth_gray.square().mean(),
    }
