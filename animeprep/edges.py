"""Pictures with smoothed edges, the "fake" anime e. Verb: smooth-edges.

Canny finds the edges, dilation widens them, and only there a Gaussian blur replaces the picture:
the discriminator learns from such pairs that clear edges make anime.
Source: Chen, Lai, Liu, "CartoonGAN" (CVPR 2018), section 3.2.1.
"""

from pathlib import Path
from typing import cast

import cv2
import numpy as np
from pydantic import Field

from animeprep.boxes import Box, Picture
from animeprep.dataset import SMOOTH, STYLE, Dataset, made_name
from animeprep.folders import Made, Summary, run_stage
from animeprep.images import read_rgb, to_gray, write_png
from animeprep.settings import Settings

STAGE = "smooth-edges"
PREVIEW = "smooth-preview.png"
#: The binomial [1 4 6 4 1] / 16, which is what `cv2.getGaussianKernel(5, 0)` returns.
_BINOMIAL = (1, 4, 6, 4, 1)
#: Largest side of a picture in a preview, and height of the line with the labels, pixels.
_LARGEST, _HEADER = 512, 28


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
    return _steps(picture, settings)[2]


def preview(picture: Picture, settings: EdgeSettings) -> Picture:
    """What is done to a picture, side by side: anime, edges, dilated, smoothed.

    Args:
        picture: uint8 RGB H×W×3.
        settings: thresholds and width.

    Returns:
        uint8 RGB H×4W×3.

    >>> preview(np.full((9, 7, 3), 7, np.uint8), EdgeSettings()).shape
    (9, 28, 3)
    """
    edges, widened, smoothed = _steps(picture, settings)
    white = [cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB) for mask in (edges, widened)]
    return np.hstack([picture, *white, smoothed])


def _steps(picture: Picture, settings: EdgeSettings) -> tuple[Picture, Picture, Picture]:
    """Edges and widened edges, 0 or 255, H×W, and the smoothed picture, H×W×3."""
    edges = cv2.Canny(to_gray(picture), settings.low, settings.high)
    widened = cv2.dilate(edges, np.ones((settings.dilate, settings.dilate), np.uint8))
    smoothed = np.where(widened[..., None] > 0, _binomial_blur(picture), picture)
    return cast("Picture", edges), cast("Picture", widened), smoothed


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


def preview_sheet(
    dataset: Dataset, settings: EdgeSettings, name: str = PREVIEW, count: int = 6
) -> Path:
    """Write a sheet of previews of style pictures, evenly chosen by name; nothing else.

    Of pictures larger than `_LARGEST` the middle is shown.

    Args:
        dataset: where `style/` is, and the sheet goes.
        settings: what to try.
        name: of the sheet in the dataset folder.
        count: pictures at most, one a row.

    Returns:
        Where the sheet is.

    Raises:
        DatasetError: there is no style set.
        PictureError: one of the pictures cannot be read.
        OutputError: the sheet cannot be written.
    """
    paths = dataset.pictures(STYLE)
    count = min(count, len(paths))
    chosen = [_middle(read_rgb(paths[number * len(paths) // count])) for number in range(count)]
    height, width = (max(picture.shape[axis] for picture in chosen) for axis in (0, 1))
    header = np.full((_HEADER, 4 * width, 3), 255, np.uint8)
    for column, label in enumerate(("anime", "edges", "dilated", "smoothed")):
        where = (column * width + 6, _HEADER - 8)
        cv2.putText(header, label, where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    rows = [preview(_padded(picture, height, width), settings) for picture in chosen]
    path = dataset.path(name)
    write_png(path, np.vstack([header, *rows]))
    return path


def _middle(picture: Picture) -> Picture:
    height, width = (min(_LARGEST, side) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return Box(top, left, height, width).cut(picture)


def _padded(picture: Picture, height: int, width: int) -> Picture:
    """With its last row and column repeated, which adds no edge."""
    missing = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, missing, mode="edge")
