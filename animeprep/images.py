"""Pictures: list, read, write, scale, to gray. The only file that codes picture files.

A picture is uint8 RGB H×W×3; a gray picture is uint8 H×W. Pillow reads, because it refuses a
truncated file without a word on the terminal; OpenCV writes and scales, because it is faster.
"""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageOps

from animeprep.boxes import Picture
from animeprep.errors import PictureError
from animeprep.files import write_atomic

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".gif"})
#: What files of these suffixes hold, by Pillow's names. What else it knows is not opened, whatever
#: a file is called: for EPS, say, it would start another program on a stranger's file.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "AVIF", "GIF")

#: Larger pictures are refused before memory is taken: 2^28 pixels are 0.8 GB as RGB.
MAX_PIXELS = 2**28

#: Pillow and its plug-ins report broken files by all of these.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    struct.error,
)

#: Half the time of level 1 as it comes, a sixth of level 6, at fewer bytes on film pictures.
PNG_SETTINGS = (
    cv2.IMWRITE_PNG_COMPRESSION, 1,
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
    cv2.IMWRITE_PNG_ZLIBBUFFER_SIZE, 2**20,
)  # fmt: skip


def is_image(path: Path) -> bool:
    """Whether the name says that a file is a picture; hidden files are not.

    >>> is_image(Path("a/B.JPG")), is_image(Path("a/.b.png"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def list_images(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files of a folder, ordered by name whatever the file system says.

    A folder that does not exist has none.
    """
    if not folder.is_dir():
        return []
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(path for path in found if is_image(path) and path.is_file())


def decode_rgb(data: bytes, path: Path) -> Picture:
    """Decode a picture file's bytes.

    The EXIF orientation is applied, transparent parts stand over white, 16-bit gray is scaled to
    8 bits, and of an animation the first picture is taken.

    Args:
        data: the whole file.
        path: its name, for the error.

    Returns:
        uint8 RGB H×W×3.

    Raises:
        PictureError: empty, truncated, not a picture, or more than `MAX_PIXELS`.
    """
    with opened(data, path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image)


def claimed_size(data: bytes, path: Path) -> tuple[int, int]:
    """Width and height as a picture file's header has them; nothing is decoded, nor turned by EXIF.

    Args:
        data: the whole file.
        path: its name, for the error.

    Raises:
        PictureError: empty, not a picture, or more than `MAX_PIXELS`.
    """
    with opened(data, path) as image:
        return image.size


@contextlib.contextmanager
def opened(data: bytes, path: Path | str) -> Iterator[Image.Image]:
    """A picture file's bytes as Pillow opens them; what goes wrong in the block is told.

    Args:
        data: the whole file.
        path: its name, for the error.

    Raises:
        PictureError: empty, truncated, not a picture, or more than `MAX_PIXELS`.
    """
    if not data:
        raise PictureError(path, "the file is empty", "remove it or copy it again")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=FORMATS) as image,
        ):
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(
                    path, f"{image.width}×{image.height} is too large", "scale it down"
                )
            yield image
    except Image.DecompressionBombError as error:
        raise PictureError(path, "the picture is too large", "scale it down") from error
    except BROKEN as error:
        reason = str(error).split("(")[0].strip() or "broken"
        if "cannot identify" in reason:
            reason = "not a picture that can be read"
        raise PictureError(path, reason, "remove it or copy it again") from error


def _to_rgb(image: Image.Image) -> Picture:
    if image.mode.startswith("I;16") or image.mode == "I":
        gray = np.asarray(image).astype(np.float64) / 257
        return np.repeat(np.clip(gray.round(), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def read_rgb(path: Path) -> Picture:
    """Read a picture file as `decode_rgb` does.

    Raises:
        PictureError: it is missing, cannot be opened, or `decode_rgb` refuses it.
    """
    return decode_rgb(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        PictureError: it is missing or cannot be opened.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(path, f"cannot be opened ({error.strerror})") from error


def encode_png(picture: Picture) -> bytes:
    """PNG bytes of an RGB or gray picture; the same picture gives the same bytes."""
    return _encode(".png", picture, PNG_SETTINGS)


def encode_jpeg(picture: Picture, quality: int = 90) -> bytes:
    """JPEG bytes of an RGB or gray picture; quality 1 to 100."""
    return _encode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))


def _encode(suffix: str, picture: Picture, settings: tuple[int, ...]) -> bytes:
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    return cv2.imencode(suffix, stored, settings)[1].tobytes()


def write_png(path: Path, picture: Picture) -> None:
    """Write a PNG file atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomic(path, encode_png(picture))


def to_gray(picture: Picture) -> Picture:
    """0.299 R + 0.587 G + 0.114 B, rounded: H×W×3 → H×W.

    >>> to_gray(np.full((1, 1, 3), (255, 0, 0), np.uint8)).tolist()
    [[76]]
    """
    return cast("Picture", cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def resize(picture: Picture, width: int, height: int) -> Picture:
    """Scale: area filter down, Lanczos up."""
    if (height, width) == picture.shape[:2]:
        return picture
    smaller = width * height < picture.shape[0] * picture.shape[1]
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return cast("Picture", cv2.resize(picture, (width, height), interpolation=kernel))


def scale_short_side(picture: Picture, short_side: int) -> Picture:
    """Scale a picture so that its shorter side has `short_side` pixels.

    >>> scale_short_side(np.zeros((200, 300, 3), np.uint8), 100).shape
    (100, 150, 3)
    """
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    return resize(
        picture, max(short_side, round(width * scale)), max(short_side, round(height * scale))
    )


def thumbnail(picture: Picture, side: int = 160) -> Picture:
    """Scale a picture down so that its longer side is at most `side`; never up."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))
