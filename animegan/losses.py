"""The terms of the papers' losses: tensors in, scalar out.

Source: AnimeGAN (ISICA 2019), equations 1 to 8; total variation from AnimeGANv2; log loss from
CartoonGAN (CVPR 2018), equation 2. Pictures are float N×3×H×W RGB in [-1, 1]; features are what
`models.vgg.VGGFeatures` answers, N×C×H×W. Every term is a mean over pictures, so that the mean over
equal parts of a batch is the batch's.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

GANLoss = Literal["lsgan", "log"]

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


def colour_loss(photo: Tensor, painted: Tensor, chroma: float = 1) -> Tensor:
    """L_col = mean |ΔY| + c·(Huber(ΔU) + Huber(ΔV)), delta 1, between p and G(p).

    Args:
        photo: p.
        painted: G(p).
        chroma: c, 1 in the paper; more where pictures turn gray.

    >>> round(colour_loss(-torch.ones(1, 3, 2, 2), torch.ones(1, 3, 2, 2)).item(), 4)
    1.0
    """
    ours, theirs = to_yuv(painted), to_yuv(photo)
    luma = functional.l1_loss(ours[:, 0], theirs[:, 0])
    # U and V have equally many pixels: twice the mean over both is the sum of the two means.
    return luma + 2 * chroma * functional.huber_loss(ours[:, 1:], theirs[:, 1:])


def tv_loss(painted: Tensor) -> Tensor:
    """L_tv = Σdh² / (2·N_dh) + Σdw² / (2·N_dw), dh and dw the steps from pixel to pixel.

    >>> tv_loss(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])).item()
    0.5
    """
    return (painted.diff(dim=2).square().mean() + painted.diff(dim=3).square().mean()) / 2


def adversarial_loss(logits: Tensor, target: float, kind: GANLoss = "lsgan") -> Tensor:
    """How far D's answers are from what one player wants them to be.

    D wants 1 for style pictures and 0 for all else; G wants 1 for G(p).

    Args:
        logits: D(v).
        target: what they should be, 0..1.
        kind: `lsgan`, mean (D(v) - t)²; or `log`, mean of -t·log σ(D(v)) - (1-t)·log(1-σ(D(v))).
            So G minimises -log σ(D(G(p))), whose gradient does not vanish when D wins.

    >>> adversarial_loss(torch.zeros(1, 1, 2, 2), 1).item()
    1.0
    >>> round(adversarial_loss(torch.zeros(1, 1, 2, 2), 1, "log").item(), 4)
    0.6931
    """
    if kind == "lsgan":
        return (logits - target).square().mean()
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def stability_loss(painted: Tensor, painted_noisy: Tensor) -> Tensor:
    """Mean |G(p + n) - G(p)|: what noise too small to see may change."""
    return functional.l1_loss(painted_noisy, painted)
