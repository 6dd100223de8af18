"""Square crops of the kept frames, clear of logos, subtitles and bars. Verb: crop.

Cropping rather than squashing keeps lines sharp; the report on reproducing CartoonGAN blames its
blurred lines on resizing. Each picture has a random generator of its own, seeded by its name, so
that neither the number of workers nor the other pictures change a crop.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from animeprep.boxes import Box, Picture
from animeprep.dataset import CROPS, Dataset, stem
from animeprep.files import sha256
from animeprep.film_overlays import STAGE as OVERLAYS
from animeprep.film_overlays import overlays_in, overlays_of_films
from animeprep.folders import SKIPPED, Made, Summary, run_stage
from animeprep.images import resize, scale_short_side, to_gray
from animeprep.light import measure
from animeprep.settings import Settings

STAGE = "crop"
#: Pictures with a smaller part of the crop's size are not enlarged: they would be a blur.
_MOST_ENLARGED = 8
#: Nor strips to more pixels: looking for lettering there takes up to 30 bytes a pixel.
_MAX_ENLARGED = 2**26
#: Contrast is measured at so many rows and columns of places at once, to bound the memory.
_BLOCK = 1024

_Map = NDArray[np.bool_]


class CropSettings(Settings):
    """How crops are drawn."""

    size: int = Field(default=256, ge=32, le=1024)
    """side of a crop, pixels"""
    mode: Literal["random", "grid", "resize"] = "random"
    """random: drawn; grid: all side by side that fit, evenly spread; resize: the whole picture
    squashed, as the reproduction of CartoonGAN does, for comparison"""
    count: int = Field(default=2, ge=1, le=64)
    """with random: crops of each picture, where that many fit"""
    short_side: int = Field(default=512, ge=0)
    """scale pictures down to this short side before cropping, pixels; 0 leaves them as they are"""
    overlap: float = Field(default=0.25, ge=0, le=1)
    """with random: greatest share of a crop that another of the same picture may cover"""
    contrast: float = Field(default=12, ge=0, le=128)
    """no crop's luma has a standard deviation (0-128) below this"""
    avoid: bool = True
    """keep clear of logos, subtitles and other lettering, and dark bars, where they are found"""
    seed: int = Field(default=0, ge=0)
    """another seed draws other crops"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 0 < self.short_side < self.size:
            raise ValueError(f"short side {self.short_side} is less than the size {self.size}")
        return self

    @property
    def avoids(self) -> bool:
        """Whether overlays are looked for; a squashed picture has them all."""
        return self.avoid and self.mode != "resize"


def prepare_size(picture: Picture, settings: CropSettings) -> Picture:
    """Scale down to the short side, or up to the crop's size where the picture is smaller."""
    short = min(picture.shape[:2])
    if settings.short_side and short > settings.short_side:
        return scale_short_side(picture, settings.short_side)
    if short < settings.size:
        return scale_short_side(picture, settings.size)
    return picture


def draw_crops(
    picture: Picture, name: str, settings: CropSettings, avoided: Sequence[Box] = ()
) -> Iterator[Box]:
    """Draw boxes with content that hardly overlap and touch no avoided area.

    Every place has a random number, and of those that are left the place with the smallest is
    next: as if drawn again and again until one fits. So what is avoided in one part of a picture
    moves no crop in another.

    Args:
        picture: uint8 RGB H×W×3, at least `size` in both directions.
        name: seeds the draw, together with the settings' seed.
        settings: how many, how large.
        avoided: areas of the picture.

    Yields:
        Up to `count` boxes; fewer where they do not fit or there is no content. With the mode
        `grid`, all of the grid that are clear and have content.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.integers(0, 255, (512, 512, 3), dtype=np.uint8)
    >>> [(box.height, box.width) for box in draw_crops(noise, "a", CropSettings(count=1))]
    [(256, 256)]
    """
    side = settings.size
    places = clear_places(picture.shape, side, avoided)
    _leave_out_flat(places, to_gray(picture), side, settings.contrast)
    if settings.mode == "grid":
        corners = grid(picture.shape[0], picture.shape[1], side)
        yield from (Box(*corner, side, side) for corner in corners if places[corner])
        return
    # Names of files that are no UTF-8 keep their bytes.
    seed = f"{settings.seed}/{name}".encode(errors="surrogateescape")
    digest = hashlib.sha256(seed).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    numbers = rng.random(places.shape, np.float32)
    np.copyto(numbers, np.inf, where=np.logical_not(places, out=places))
    for _ in range(settings.count):
        top, left = map(int, np.unravel_index(numbers.argmin(), numbers.shape))
        if np.isinf(numbers[top, left]):
            return
        yield Box(top, left, side, side)
        _leave_out_near(numbers, top, left, settings)


def grid(height: int, width: int, side: int) -> list[tuple[int, int]]:
    """Top left corners of all squares that fit side by side, evenly spread from edge to edge.

    >>> grid(512, 910, 256)
    [(0, 0), (0, 327), (0, 654), (256, 0), (256, 327), (256, 654)]
    >>> grid(300, 256, 256)
    [(22, 0)]
    """

    def spread(length: int) -> list[int]:
        room, last = length - side, length // side - 1
        return [room * number // last for number in range(last + 1)] if last else [room // 2]

    return [(top, left) for top in spread(height) for left in spread(width)]


def clear_places(shape: tuple[int, ...], side: int, avoided: Sequence[Box]) -> _Map:
    """Where the top left corner of a square may be that touches no avoided area.

    Args:
        shape: of the picture, height and width first.
        side: of the square, pixels.
        avoided: areas of the picture.

    Returns:
        bool, (height - side + 1)×(width - side + 1).

    >>> clear_places((4, 6), 3, [Box(0, 0, 1, 2)]).astype(int).tolist()
    [[0, 0, 1, 1], [1, 1, 1, 1]]
    """
    clear = np.ones((shape[0] - side + 1, shape[1] - side + 1), bool)
    for box in avoided:
        top, left = max(0, box.top - side + 1), max(0, box.left - side + 1)
        clear[top : box.top + box.height, left : box.left + box.width] = False
    return clear


def _leave_out_near(
    numbers: NDArray[np.float32], top: int, left: int, settings: CropSettings
) -> None:
    """Put what a drawn square rules out, itself and those it covers too much, out of the draw."""
    side = settings.size
    # Squares farther away do not overlap.
    first = max(0, top - side + 1), max(0, left - side + 1)
    around = numbers[first[0] : top + side, first[1] : left + side]
    rows, columns = (
        side - np.abs(np.arange(length) + start - place)
        for length, start, place in zip(around.shape, first, (top, left), strict=True)
    )
    around[np.outer(rows, columns) > settings.overlap * side**2] = np.inf
    numbers[top, left] = np.inf


def _leave_out_flat(places: _Map, gray: Picture, side: int, contrast: float) -> None:
    """Clear the places of squares whose luma's standard deviation is below the contrast."""
    for top in range(0, places.shape[0], _BLOCK):
        for left in range(0, places.shape[1], _BLOCK):
            block = gray[top : top + _BLOCK + side - 1, left : left + _BLOCK + side - 1]
            mean, square = (
                (one[side:, side:] - one[:-side, side:] - one[side:, :-side] + one[:-side, :-side])
                / side**2
                for one in cv2.integral2(block, sdepth=cv2.CV_64F, sqdepth=cv2.CV_64F)
            )
            deviation = np.sqrt(np.maximum(0, square - mean**2)).astype(np.float32)
            places[top : top + _BLOCK, left : left + _BLOCK] &= deviation >= contrast


def crops_of(
    picture: Picture,
    name: str,
    folder: str,
    settings: CropSettings,
    of_film: Sequence[Box] | None = None,
) -> list[Made]:
    """The crops of one picture, with what the exposure stage needs to know of the whole of it.

    Args:
        picture: uint8 RGB H×W×3, any size.
        name: the source's name in records; seeds the draw and names the crops.
        folder: where the crops belong.
        settings: how they are drawn.
        of_film: what lies over the pictures of its film; None for a still.
    """
    if settings.mode == "resize":
        scaled = resize(picture, settings.size, settings.size)
    elif reason := _unfit(picture, settings.size):
        return [Made(name, None, SKIPPED, {"reason": reason})]
    else:
        scaled = prepare_size(picture, settings)
    avoided = overlays_in(picture, scaled, of_film) if settings.avoids else []
    light = measure(picture)
    whole = {
        "scaled_size": [scaled.shape[1], scaled.shape[0]],
        "avoided": [_as_list(box) for box in avoided],
        "log_average": light.log_average,
        "peak": light.peak,
    }
    own_name = stem(name)
    made = [
        Made(
            f"{folder}/{own_name}_{number}.png",
            np.ascontiguousarray(box.cut(scaled)),
            fields={"box": _as_list(box), **whole},
        )
        for number, box in enumerate(draw_crops(scaled, own_name, settings, avoided))
    ]
    if made:
        return made
    has_room = clear_places(scaled.shape, settings.size, avoided).any()
    reason = "no part has content" if has_room else "lettering, logo and bars leave no room"
    return [Made(name, None, SKIPPED, {"reason": reason, "avoided": whole["avoided"]})]


def _unfit(picture: Picture, size: int) -> str:
    """Why a picture cannot be enlarged to the size of a crop; empty where it can or need not."""
    short, long = sorted(picture.shape[:2])
    if short * _MOST_ENLARGED < size:
        return f"smaller than {size // _MOST_ENLARGED} pixels: too small to be enlarged"
    if short < size and long * size**2 > _MAX_ENLARGED * short:
        return f"a strip {long / short:.0f} times as long as wide: too large when enlarged"
    return ""


def _as_list(box: Box) -> list[int]:
    return [box.left, box.top, box.width, box.height]


def crop(dataset: Dataset, settings: CropSettings, *, dry_run: bool = False) -> Summary:
    """Crop the kept frames into `crops/`.

    Raises:
        DatasetError: there are no frames.
        OutputError: a crop cannot be written.
    """
    frames = dataset.kept_frames()
    told = dataset.records(OVERLAYS).told() if settings.avoids else []
    of_films = {}
    if settings.avoids:
        # Also of frames that were not chosen: more scenes tell more surely what stays put.
        of_films = overlays_of_films(dataset, dataset.judged_frames(), dry_run=dry_run)

    def fingerprint(name: str) -> str:
        over = of_films.get(name)
        return settings.fingerprint() + (f" {sha256(repr(over).encode())[:12]}" if over else "")

    summary = run_stage(
        dataset,
        STAGE,
        frames,
        lambda name, picture: crops_of(picture, name, CROPS, settings, of_films.get(name)),
        fingerprint,
        dry_run=dry_run,
    )
    summary.problems[:0] = told
    return summary
