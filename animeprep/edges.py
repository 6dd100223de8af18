"""Pictures with smoothed edges, the "fake" anime e. Verb: smooth-edges.

Canny finds the edges, dilation widens them, and only there a Gaussian blur replaces the picture:
the discriminator learns from such pairs that clear edges make anime.
Source: Chen, Lai, Liu, "CartoonGAN" (CVPR 2018), section 3.2.1.
"""

import cv2
import numpy as np
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.dataset import SMOOTH, STYLE, Dataset, made_name
from animeprep.folders import Made, Summary, run_stage
from animeprep.images import to_gray
from animeprep.settings import Settings

STAGE = "smooth-edges"
#: The binomial [1 4 6 4 1] / 16, which is what `cv2.getGaussianKernel(5, 0)` returns.
_BINOMIAL = (1, 4, 6, 4, 1)


class EdgeSettings(Settings):
    """How edges are found and how far they are smoothed."""

    low: float = Field(default=100, ge=0)
    """Canny's lower threshold on the L1 gradient"""
    high: float = Field(default=200, ge=0)
    """Canny's upper threshold on the L1 gradient"""
    dilate: int = Field(default=5, ge=1, le=31)
    """side of the square that widens the edges, pixels"""


def smooth_edges(picture: Picture, settings: EdgeSettings) -> Picture:
    """Blur a picture along its edges, and nowhere else.

    Args:
        picture: uint8 RGB H×W×3.
        settings: thresholds and width.

    Returns:
        e, uint8 RGB H×W×3.

    >>> plain = np.full((9, 9, 3), 7, np.uint8)
    >>> bool((smooth_edges(plain, EdgeSettings()) == plain).all())
    True
    """
    edges = cv2.Canny(to_gray(picture), settings.low, settings.high)
    widened = cv2.dilate(edges, np.ones((settings.dilate, settings.dilate), np.uint8))
    return np.where(widened[..., None] > 0, _binomial_blur(picture), picture)


def _binomial_blur(picture: Picture) -> Picture:
    """Exact sums of the 5×5 binomial kernel, truncated to 8 bits; borders reflect-101.

    256 times the blurred value fits an integer, so that nothing depends on float rounding.
    """
    kernel = np.array(_BINOMIAL, np.float32)
    # Sums of products of integers below 2^24 are exact in float32.
    sums = cv2.sepFilter2D(picture, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    return (sums.astype(np.int32) >> 8).astype(np.uint8)


def edges(dataset: Dataset, settings: EdgeSettings, *, dry_run: bool = False) -> Summary:
    """Smooth the edges of `style/` into `smooth/`.

    Raises:
        DatasetError: there is no style set.
        OutputError: a picture cannot be written.
    """
    return run_stage(
        dataset,
        STAGE,
        dataset.pictures(STYLE),
        lambda name, picture: [Made(made_name(SMOOTH, name), smooth_edges(picture, settings))],
        lambda _: settings.fingerprint(),
        dry_run=dry_run,
    )
