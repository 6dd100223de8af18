"""Random square crops of the kept frames. Verb: crop.

Cropping rather than squashing keeps lines sharp; the report on reproducing CartoonGAN blames its
blurred lines on resizing. Each picture has a random generator of its own, seeded by its name, so
that neither the number of workers nor the other pictures change a crop.
"""

import hashlib
from collections.abc import Iterator
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from animeprep.boxes import Box, Picture
from animeprep.dataset import CROPS, Dataset, stem
from animeprep.folders import SKIPPED, Made, Summary, run_stage
from animeprep.gates import log_average
from animeprep.images import scale_short_side, to_gray
from animeprep.settings import Settings

STAGE = "crop"
_DRAWS = 40


class CropSettings(Settings):
    """How crops are drawn."""

    size: int = Field(default=256, ge=32, le=1024)
    """side of a crop, pixels"""
    count: int = Field(default=2, ge=1, le=64)
    """crops of each picture, where that many fit"""
    short_side: int = Field(default=512, ge=0)
    """scale pictures down to this short side before cropping, pixels; 0 leaves them as they are"""
    overlap: float = Field(default=0.25, ge=0, le=1)
    """greatest share of a crop that another crop of the same picture may cover"""
    contrast: float = Field(default=12, ge=0, le=128)
    """draw again where the standard deviation of a crop's luma (0-128) is below this"""
    seed: int = Field(default=0, ge=0)
    """another seed draws other crops"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 0 < self.short_side < self.size:
            raise ValueError(f"short side {self.short_side} is less than the size {self.size}")
        return self


def prepare_size(picture: Picture, settings: CropSettings) -> Picture:
    """Scale down to the short side, or up to the crop's size where the picture is smaller."""
    short = min(picture.shape[:2])
    if settings.short_side and short > settings.short_side:
        return scale_short_side(picture, settings.short_side)
    if short < settings.size:
        return scale_short_side(picture, settings.size)
    return picture


def draw_crops(picture: Picture, name: str, settings: CropSettings) -> Iterator[Box]:
    """Draw boxes with content that hardly overlap.

    Args:
        picture: uint8 RGB H×W×3, at least `size` in both directions.
        name: seeds the draw, together with the settings' seed.
        settings: how many, how large.

    Yields:
        Up to `count` boxes; fewer where they do not fit or there is no content.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.integers(0, 255, (512, 512, 3), dtype=np.uint8)
    >>> [(box.height, box.width) for box in draw_crops(noise, "a", CropSettings(count=1))]
    [(256, 256)]
    """
    digest = hashlib.sha256(f"{settings.seed}/{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    gray = to_gray(picture)
    side = settings.size
    drawn: list[Box] = []
    for _ in range(_DRAWS * settings.count):
        if len(drawn) == settings.count:
            return
        top = int(rng.integers(gray.shape[0] - side + 1))
        left = int(rng.integers(gray.shape[1] - side + 1))
        box = Box(top, left, side, side)
        apart = all(_shared(box, other) <= settings.overlap for other in drawn)
        if apart and box.cut(gray).std() >= settings.contrast:
            drawn.append(box)
            yield box


def _shared(one: Box, other: Box) -> float:
    """The share of one square that another of the same size covers."""
    rows = max(0, one.height - abs(one.top - other.top))
    columns = max(0, one.width - abs(one.left - other.left))
    return rows * columns / (one.height * one.width)


def crops_of(picture: Picture, name: str, folder: str, settings: CropSettings) -> list[Made]:
    """The crops of one picture, with what the exposure stage needs to know of the whole of it.

    Args:
        picture: uint8 RGB H×W×3, any size.
        name: the source's name in records; seeds the draw and names the crops.
        folder: where the crops belong.
        settings: how they are drawn.
    """
    scaled = prepare_size(picture, settings)
    own_name = stem(name)
    whole = {
        "scaled_size": [scaled.shape[1], scaled.shape[0]],
        "log_average": round(log_average(picture), 6),
        "peak": int(np.percentile(picture.max(axis=2), 99.9)),
    }
    made = [
        Made(
            f"{folder}/{own_name}_{number}.png",
            np.ascontiguousarray(box.cut(scaled)),
            fields={"box": [box.left, box.top, box.width, box.height], **whole},
        )
        for number, box in enumerate(draw_crops(scaled, own_name, settings))
    ]
    return made or [Made(name, None, SKIPPED, {"reason": "no part has content"})]


def crop(dataset: Dataset, settings: CropSettings, *, dry_run: bool = False) -> Summary:
    """Crop the kept frames into `crops/`.

    Raises:
        DatasetError: there are no frames.
        OutputError: a crop cannot be written.
    """
    return run_stage(
        dataset,
        STAGE,
        dataset.kept_frames(),
        lambda name, picture: crops_of(picture, name, CROPS, settings),
        lambda _: settings.fingerprint(),
        dry_run=dry_run,
    )
