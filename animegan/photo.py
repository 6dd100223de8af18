"""A photo with all that its file holds: pixels of 8 or 16 bits, transparency, profile, metadata.

What the network sees is sRGB. A photo with another colour profile is converted for it, and its
painting back, so that the file keeps its profile. Profiles are converted with 8 bits; a painting
of 16 bits with another profile than sRGB is therefore written as sRGB, which its file says.

Pillow reads and writes; what it cannot, 16 bits a channel and all of TIFF, OpenCV and tifffile do.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from animegan.tensors import Pixels
from animegan.xmp import marked
from animeprep.images import BROKEN, opened

#: What can be written, by the suffix of its files.
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF", "avif": "AVIF"}
_SUFFIX = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif",
           "AVIF": ".avif"}  # fmt: skip
_DEEP = {"PNG", "TIFF"}
#: EXIF tags that describe how a TIFF file's pixels lie, not the photo.
_LAYOUT = {254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320,
           322, 323, 324, 325, 330, 332, 338, 339, 347, 512, 513, 514, 529, 530, 531, 532,
           700, 34675}  # fmt: skip
#: Maker, model, date, artist and copyright.
_TEXTS = (271, 272, 306, 315, 33432)
_ORIENTATION = 274
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True)
class Photo:
    """A photo.

    Attributes:
        pixels: uint8 or uint16 sRGB H×W×3, upright; what is transparent stands over white.
        alpha: opacity H×W of the same type, or None.
        kind: what Pillow calls the file's format.
        profile: the ICC profile its file holds.
        foreign: whether that is another than sRGB, to which a painting is taken back.
        exif: metadata, without orientation.
        xmp: its XMP packet.
        animated: whether the file holds more pictures, of which this is the first.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    kind: str = "PNG"
    profile: bytes | None = None
    foreign: bool = False
    exif: bytes = b""
    xmp: bytes | None = None
    animated: bool = False

    @property
    def suffix(self) -> str:
        """What a painting's file is called by default: as the photo's, else .png."""
        return _SUFFIX.get(self.kind, ".png")


def decode(data: bytes, name: Path | str) -> Photo:
    """Decode a picture file's bytes.

    Args:
        data: the whole file.
        name: for the error.

    Raises:
        PictureError: empty, truncated, not a picture, or too large.
    """
    with opened(data, name) as image:
        return _photo(image, data)


def _photo(image: Image.Image, data: bytes) -> Photo:
    kind = image.format or "PNG"
    animated = getattr(image, "n_frames", 1) > 1 and kind != "MPO"
    is_deep = _is_deep(image)
    image.load()  # Pillow tells what is broken, before OpenCV complains on the terminal
    deep = _read_deep(image, data) if is_deep else None
    ImageOps.exif_transpose(image, in_place=True)
    profile, foreign = _profile(image)
    alpha = np.array(image.getchannel("A")) if image.mode in {"RGBA", "LA"} else None
    if alpha is None and image.has_transparency_data:
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    pixels = np.array(_over_white(_to_srgb(image, profile if foreign else None)))
    if deep is not None and not foreign:
        pixels, alpha = deep
    elif deep is not None:
        pixels = pixels.astype(np.uint16) * 257
        alpha, profile, foreign = deep[1], _SRGB.tobytes(), False
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return Photo(
        pixels,
        alpha,
        kind,
        profile,
        foreign,
        _metadata(image),
        xmp.encode() if isinstance(xmp, str) else xmp,
        animated,
    )


def _is_deep(image: Image.Image) -> bool:
    """Whether the file says 16 bits a channel."""
    tiles = getattr(image, "tile", None)
    tags = getattr(image, "tag_v2", {})
    return bool(tiles and ";16" in str(tiles[0].args)) or 16 in (tags.get(258) or ())


def _read_deep(image: Image.Image, data: bytes) -> tuple[Pixels, Pixels | None] | None:
    """Colours over white and opacity, upright, of a file with 16 bits a channel; else None."""
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        return None
    stored = _upright(stored, image.getexif().get(_ORIENTATION, 1))
    if stored.ndim == 2:
        stored = np.repeat(stored[..., None], 3, axis=2)
    pixels = np.ascontiguousarray(stored[..., 2::-1])
    if stored.shape[2] == 3:
        return pixels, None
    alpha = np.ascontiguousarray(stored[..., 3])
    opacity = alpha[..., None] / 65535
    return (pixels * opacity + 65535 * (1 - opacity)).round().astype(np.uint16), alpha


def _without_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """The colours that over white, as opaque as `alpha` says, look like `pixels`."""
    white, opaque = (float(np.iinfo(one.dtype).max) for one in (pixels, alpha))
    opacity = alpha[..., None] / opaque
    colours = white - (white - pixels) / np.maximum(opacity, 1 / opaque)
    return np.asarray(colours.round().clip(0, white).astype(pixels.dtype))


def _upright(stored: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation, 1 to 8."""
    if orientation in {5, 6, 7, 8}:
        stored = stored.swapaxes(0, 1)
    if orientation in {2, 3, 6, 7}:
        stored = stored[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        stored = stored[::-1]
    return stored


def _profile(image: Image.Image) -> tuple[bytes | None, bool]:
    """The ICC profile, and whether it is another than sRGB; one that is broken is none."""
    data = image.info.get("icc_profile")
    if not data:
        return None, False
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        foreign = "srgb" not in ImageCms.getProfileDescription(profile).lower()
        spaces = {"RGB": "RGB", "CMYK": "CMYK"}
        fits = spaces.get(profile.profile.xcolor_space.strip()) == _plain_mode(image)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None, False
    return (data, foreign) if fits else (None, False)


def _plain_mode(image: Image.Image) -> str:
    return "CMYK" if image.mode == "CMYK" else "RGB"


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB or RGBA."""
    if image.mode == "CMYK" and profile is not None:
        return _converted(image, profile, None)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // 257).clip(0, 255).astype(np.uint8))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image if profile is None else _converted(image, profile, None)


def _converted(image: Image.Image, of: bytes | None, to: bytes | None) -> Image.Image:
    """Colours from one profile to another; None is sRGB."""
    source, target = (
        _SRGB if data is None else ImageCms.ImageCmsProfile(io.BytesIO(data)) for data in (of, to)
    )
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    converted = ImageCms.profileToProfile(image, source, target, outputMode=mode)
    if converted is None:
        raise ValueError("its colour profile cannot be used")
    return converted


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _metadata(image: Image.Image) -> bytes:
    """EXIF without what describes how the pixels lie."""
    exif = image.getexif()
    for tag in _LAYOUT.intersection(exif):
        del exif[tag]
    return exif.tobytes() if len(exif) else b""


@dataclass(frozen=True)
class Encoding:
    """How a painting is written.

    Attributes:
        kind: what Pillow calls the format.
        quality: 1 to 100, where the format loses something.
        mark: say in the metadata that a network painted it.
    """

    kind: str = "PNG"
    quality: int = 95
    mark: bool = True


def encode(photo: Photo, painted: Pixels, encoding: Encoding) -> bytes:
    """The bytes of a painting's file, with the metadata, profile and transparency of its photo.

    Args:
        photo: what was painted.
        painted: uint8 or uint16 sRGB H×W×3, the photo's size or another.
        encoding: how.

    Raises:
        ValueError: the format cannot hold it.
    """
    xmp = marked(photo.xmp) if encoding.mark else photo.xmp
    alpha = None if encoding.kind == "JPEG" else photo.alpha
    if alpha is not None:
        alpha = cv2.resize(alpha, painted.shape[1::-1], interpolation=cv2.INTER_AREA)
        painted = _without_white(painted, alpha)
    profile = photo.profile
    if encoding.kind not in _DEEP or photo.foreign:
        painted, alpha = _to_8_bits(painted), None if alpha is None else _to_8_bits(alpha)
    if photo.foreign:
        painted, profile = _back(painted, profile)
    if alpha is not None:
        painted = np.dstack([painted, alpha.astype(painted.dtype)])
    if encoding.kind == "TIFF":
        return _encode_tiff(painted, photo.exif, profile, xmp)
    if painted.dtype == np.uint16:
        return _encode_deep_png(painted, photo.exif, profile, xmp)
    return _encode(painted, encoding, photo.exif, profile, xmp)


def _to_8_bits(values: Pixels) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _back(painted: Pixels, profile: bytes | None) -> tuple[Pixels, bytes | None]:
    """From sRGB to a profile; where that is impossible, to a printer's say, it stays sRGB."""
    try:
        return np.array(_converted(Image.fromarray(painted), None, profile)), profile
    except (ImageCms.PyCMSError, ValueError):
        return painted, None


def _encode(
    painted: Pixels, encoding: Encoding, exif: bytes, profile: bytes | None, xmp: bytes | None
) -> bytes:
    """8 bits, as JPEG, PNG, WebP or AVIF."""
    options: dict[str, Any] = {"quality": encoding.quality}
    if encoding.kind == "JPEG":
        options["subsampling"] = 0  # drawn lines suffer from halved colours
    if encoding.kind == "PNG":
        options = {"compress_level": 3, "pnginfo": PngInfo()}
    if xmp and encoding.kind == "PNG":
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    elif xmp:
        options["xmp"] = xmp
    if exif:
        options["exif"] = exif
    if profile is not None:
        options["icc_profile"] = profile
    file = io.BytesIO()
    try:
        Image.fromarray(painted).save(file, encoding.kind, **options)
    except BROKEN as error:
        raise ValueError(f"cannot be written as {encoding.kind} ({error})") from error
    return file.getvalue()


def _encode_tiff(painted: Pixels, exif: bytes, profile: bytes | None, xmp: bytes | None) -> bytes:
    """8 or 16 bits. Of EXIF only the texts that TIFF has tags for."""
    tags: list[tuple[int, str, int, Any, bool]] = []
    if xmp:
        tags.append((700, "B", len(xmp), xmp, True))
    known = Image.Exif()
    known.load(exif)
    tags += [(tag, "s", 0, known[tag], True) for tag in _TEXTS if isinstance(known.get(tag), str)]
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        painted,
        photometric="rgb",
        compression="zlib",
        extrasamples=["unassalpha"] if painted.shape[2] == 4 else None,
        iccprofile=profile,
        extratags=tags,
        metadata=None,
        software=False,
    )
    return file.getvalue()


def _encode_deep_png(
    painted: Pixels, exif: bytes, profile: bytes | None, xmp: bytes | None
) -> bytes:
    """16 bits."""
    blocks = {
        cv2.IMAGE_METADATA_EXIF: exif.removeprefix(b"Exif\0\0"),
        # OpenCV 5.0 writes all that stands in memory up to the next zero.
        cv2.IMAGE_METADATA_XMP: xmp and xmp + b"\0",
        cv2.IMAGE_METADATA_ICCP: profile,
    }
    present = {kind: np.frombuffer(data, np.uint8) for kind, data in blocks.items() if data}
    order = (2, 1, 0) if painted.shape[2] == 3 else (2, 1, 0, 3)
    stored = np.ascontiguousarray(painted[..., order])
    _, written = cv2.imencodeWithMetadata(".png", stored, list(present), list(present.values()))
    return written.tobytes()
