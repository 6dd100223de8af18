"""Perceptual hashes: pictures that look alike get nearly the same bits.

pHash: a small gray picture, two-dimensional DCT, its lowest frequencies compared with their median.
dHash: a gray picture of 9×8, each pixel compared with its left neighbour. Both in two ways:

- `exact`: bit for bit what the `imagehash` package answers (`phash(hash_size=16)`, `phash()`,
  `dhash()`) for the same RGB picture.
- `fast`: a bilinear sample of 384×192, then its areas; of a JPEG file, only a reduced picture is
  decoded. Bits beside `exact`, median and most: on 330 stills of 947×512 phash-256 2 and 10,
  phash-64 0 and 4, dhash-64 5 and 15; on film pictures phash-256 up to 4 and 18, phash-64 0 and
  4, dhash-64 5 and 15; of the stills' files phash-256 2 and 8, phash-64 0 and 4, dhash-64 5 and
  14.

The two ways differ, so a dataset keeps to one.
Source: Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), and
Krawetz, "Kind of Like That" (2013) for dHash.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image, ImageOps

from animeprep.boxes import Picture
from animeprep.images import BROKEN, MAX_PIXELS, decode_rgb, read_bytes
from animeprep.lanczos import lanczos_gray

Hash = NDArray[np.uint8]
HashKind = Literal["phash-256", "phash-64", "dhash-64"]
HashMethod = Literal["exact", "fast"]
Alike = Literal["strict", "normal", "loose"]

#: Bits within which two pictures are the same drawing (see docs/benchmarks.md).
THRESHOLDS: dict[HashKind, dict[Alike, int]] = {
    "phash-256": {"strict": 16, "normal": 26, "loose": 40},
    "phash-64": {"strict": 2, "normal": 4, "loose": 8},
    "dhash-64": {"strict": 2, "normal": 4, "loose": 8},
}

#: Width and height of the gray picture that is hashed.
_SIZES: dict[HashKind, tuple[int, int]] = {
    "phash-256": (64, 64),
    "phash-64": (32, 32),
    "dhash-64": (9, 8),
}
#: pHash keeps this share of the frequencies of each direction.
_KEPT = 4
#: Width and height of the bilinear sample, several times that of the picture that is hashed.
_SAMPLE = (384, 192)
#: Short side of what is decoded of a JPEG file, at least; a power of two is the decoder's step.
_DECODED = 128
#: Gray pictures that are transformed at a time.
_BATCH = 256


def hash_pictures(
    pictures: Sequence[Picture], kind: HashKind = "phash-256", method: HashMethod = "exact"
) -> NDArray[np.uint8]:
    """The perceptual hashes of pictures of any sizes.

    Args:
        pictures: uint8 RGB H×W×3 each.
        kind: which hash, with its number of bits.
        method: `exact` or `fast`.

    Returns:
        N×bytes, most significant bit first, in rows of growing vertical frequency.

    >>> hash_pictures([np.zeros((9, 9, 3), np.uint8)] * 2, "dhash-64").shape
    (2, 8)
    """
    shrink = _shrunk if method == "fast" else lanczos_gray
    small = (shrink(picture, *_SIZES[kind]) for picture in pictures)
    return np.concatenate([_bits(batch, kind) for batch in _batches(small, kind)])


def hash_picture(
    picture: Picture, kind: HashKind = "phash-256", method: HashMethod = "exact"
) -> Hash:
    """The perceptual hash of one picture, as `hash_pictures` answers it."""
    first: Hash = hash_pictures([picture], kind, method)[0]
    return first


def hash_file(path: Path, kind: HashKind = "phash-256", method: HashMethod = "exact") -> Hash:
    """The perceptual hash of a picture file.

    Args:
        path: read as `images.read_rgb` reads.
        kind: which hash.
        method: `fast` decodes no more of a JPEG file than it needs.

    Raises:
        PictureError: `images.read_rgb` refuses the file.
    """
    data = read_bytes(path)
    reduced = _reduced_jpeg(data) if method == "fast" else None
    if reduced is None:
        return hash_picture(decode_rgb(data, path), kind, method)
    gray = np.asarray(cv2.resize(reduced, _SIZES[kind], interpolation=cv2.INTER_AREA), np.uint8)
    first: Hash = _bits(gray[None], kind)[0]
    return first


def _batches(small: Iterator[Picture], kind: HashKind) -> Iterator[Picture]:
    """Gray pictures, stacked: N×H×W at least once, so that no pictures give no hashes."""
    width, height = _SIZES[kind]
    while True:
        batch = list(islice(small, _BATCH))
        yield np.array(batch, np.uint8).reshape(-1, height, width)
        if len(batch) < _BATCH:
            return


def _bits(gray: Picture, kind: HashKind) -> NDArray[np.uint8]:
    """Hashes of small gray pictures, N×H×W → N×bytes."""
    if kind == "dhash-64":
        bits = gray[..., 1:] > gray[..., :-1]
        return np.packbits(bits.reshape(len(gray), bits.shape[1] * bits.shape[2]), axis=1)
    rows, columns = gray.shape[1] // _KEPT, gray.shape[2] // _KEPT
    # Down, then along: the order of `imagehash`, which decides the last bits of the sums.
    down = scipy.fft.dct(gray.astype(np.float64), axis=1)[:, :rows]
    low = scipy.fft.dct(down, axis=2)[..., :columns].reshape(len(gray), rows * columns)
    return np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)


def _shrunk(picture: Picture, width: int, height: int) -> Picture:
    """Gray and small, in far less time than with the Lanczos filter."""
    sample = picture
    if picture.shape[1] > _SAMPLE[0] and picture.shape[0] > _SAMPLE[1]:
        sample = np.asarray(cv2.resize(picture, _SAMPLE, interpolation=cv2.INTER_LINEAR), np.uint8)
    gray = cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _reduced_jpeg(data: bytes) -> Picture | None:
    """The gray picture of a JPEG file at a half, quarter or eighth of its size.

    None where that cannot be had; the way through `decode_rgb` finds out why.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=("JPEG",)) as image,
        ):
            usual = image.mode in {"L", "RGB"} and image.width * image.height <= MAX_PIXELS
            if not usual:
                return None
            image.draft("L", (_DECODED, _DECODED))
            return np.asarray(ImageOps.exif_transpose(image).convert("L"))
    except (*BROKEN, Image.DecompressionBombError):
        return None
