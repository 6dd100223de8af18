import io
import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from animegan.photo import FORMATS, Encoding, decode, encode
from animegan.xmp import DIGITAL_SOURCE_TYPE
from animeprep.errors import PictureError

MARK = DIGITAL_SOURCE_TYPE.encode()


@pytest.fixture(scope="module")
def pixels():
    """Soft shapes, 50×70."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(small, (70, 50), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def deep(pixels):
    noise = np.random.default_rng(1).integers(0, 257, pixels.shape)
    return (pixels.astype(np.uint16) * 256 + noise).astype(np.uint16)


def file_of(pixels, kind, **more):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **more)
    return file.getvalue()


def stored(pixels, suffix):
    """A file of 16 bits a channel, by OpenCV."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(pixels[..., order]))[1].tobytes()


def exif(orientation=1):
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "a maker", orientation
    tags.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return tags


def profile_of_swapped_primaries():
    """A colour profile in which the first channel is green and the second red: ICC.1:2001-04."""

    def fixed(*values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"swapped\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": fixed(0.3851, 0.7169, 0.0971),
        b"gXYZ": fixed(0.4361, 0.2225, 0.0139),
        b"bXYZ": fixed(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body = struct.pack(">I", len(tags)), b""
    begin = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", begin + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s", begin + len(body), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">iii", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("kind", FORMATS.values())
def test_a_painting_keeps_what_its_photo_said(kind, pixels):
    photo = decode(file_of(pixels, "JPEG", exif=exif(6), quality=95), "photo")
    assert photo.pixels.shape == (70, 50, 3)  # upright
    written = decode(encode(photo, photo.pixels, Encoding(kind, 95)), "painted")
    assert written.kind == kind
    assert np.abs(written.pixels.astype(int) - photo.pixels).mean() < 3
    assert MARK in (written.xmp or b"")
    tags = Image.Exif()
    tags.load(written.exif)
    assert tags[0x010F] == "a maker"
    assert tags.get(0x0112, 1) == 1
    if kind != "TIFF":
        assert tags.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


@pytest.mark.parametrize("kind", FORMATS.values())
def test_without_a_mark_nothing_is_said(kind, pixels):
    photo = decode(file_of(pixels, "PNG"), "photo")
    assert MARK not in encode(photo, photo.pixels, Encoding(kind, mark=False))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_stay(suffix, kind, deep):
    photo = decode(stored(deep, suffix), "deep")
    np.testing.assert_array_equal(photo.pixels, deep)
    data = encode(photo, photo.pixels, Encoding(kind))
    np.testing.assert_array_equal(decode(data, "again").pixels, deep)
    assert MARK in data


def test_nothing_but_the_metadata_goes_into_a_file_of_sixteen_bits(deep):
    # OpenCV takes what stands behind it in memory along, up to the next zero.
    for length in range(400, 430):
        other = bytes([65]) * (2 * length)
        packet = b"<rdf:RDF></rdf:RDF>" + other[:length]
        photo = replace(decode(stored(deep, ".png"), "deep"), xmp=bytes(bytearray(packet)))
        with Image.open(io.BytesIO(encode(photo, deep, Encoding(mark=False)))) as image:
            assert image.info["XML:com.adobe.xmp"].encode() == packet


def test_sixteen_bits_become_eight_where_there_is_no_room(deep):
    photo = decode(stored(deep, ".png"), "deep")
    written = decode(encode(photo, photo.pixels, Encoding("WEBP", 100)), "again")
    assert np.abs(written.pixels - deep / 257).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("sixteen", [False, True])
def test_transparency_stays(kind, sixteen, pixels, deep):
    colours = deep if sixteen else pixels
    limit = np.iinfo(colours.dtype).max
    alpha = np.tile(np.linspace(0, limit, 70).astype(colours.dtype), (50, 1))
    both = np.dstack([colours, alpha])
    photo = decode(stored(both, ".png") if sixteen else file_of(both, "PNG"), "photo")
    np.testing.assert_array_equal(photo.alpha, alpha)
    share = alpha[..., None] / limit
    np.testing.assert_allclose(
        photo.pixels, colours * share + limit * (1 - share), atol=1
    )  # over white
    written = decode(encode(photo, photo.pixels, Encoding(kind, 100)), "again")
    assert written.alpha is not None
    scale = np.iinfo(written.alpha.dtype).max / limit
    assert np.abs(written.alpha - alpha * scale).max() < 2
    assert np.abs(written.pixels - photo.pixels * scale).mean() < 2 * max(1, scale)


def test_a_jpeg_of_a_transparent_photo_stands_over_white():
    photo = decode(file_of(np.zeros((8, 8, 4), np.uint8), "PNG"), "photo")
    assert decode(encode(photo, photo.pixels, Encoding("JPEG")), "again").pixels.min() > 250


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_colour_profile_is_used_and_kept(kind):
    red = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    profile = profile_of_swapped_primaries()
    photo = decode(file_of(red, "PNG", icc_profile=profile), "photo")
    # Its first channel is green.
    assert np.abs(photo.pixels[0, 0].astype(int) - (0, 255, 0)).max() <= 2
    data = encode(photo, photo.pixels, Encoding(kind, 100))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == profile
        assert np.abs(np.array(image.convert("RGB"))[0, 0].astype(int) - (255, 0, 0)).max() <= 4


def test_sixteen_bits_with_a_profile_are_written_as_srgb(deep):
    red = np.full((16, 16, 3), (65535, 0, 0), np.uint16)
    blocks = [np.frombuffer(profile_of_swapped_primaries(), np.uint8)]
    _, data = cv2.imencodeWithMetadata(
        ".png", np.ascontiguousarray(red[..., ::-1]), [cv2.IMAGE_METADATA_ICCP], blocks
    )
    photo = decode(data.tobytes(), "photo")
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels[0, 0].astype(int) - (0, 65535, 0)).max() < 700
    again = decode(encode(photo, photo.pixels, Encoding("PNG")), "again")
    np.testing.assert_array_equal(again.pixels, photo.pixels)


def test_a_broken_profile_is_none(pixels):
    photo = decode(file_of(pixels, "PNG", icc_profile=b"not a profile"), "photo")
    assert photo.profile is None
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sixteen_bits_are_turned_as_eight_are(orientation, deep):
    blocks = [np.frombuffer(exif(orientation).tobytes().removeprefix(b"Exif\0\0"), np.uint8)]
    _, data = cv2.imencodeWithMetadata(
        ".png", np.ascontiguousarray(deep[..., ::-1]), [cv2.IMAGE_METADATA_EXIF], blocks
    )
    eight = file_of((deep // 256).astype(np.uint8), "PNG", exif=exif(orientation))
    turned = decode(data.tobytes(), "deep").pixels
    np.testing.assert_array_equal(turned // 256, decode(eight, "eight").pixels)


def test_gray_and_palettes_become_rgb():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(
        decode(file_of(gray, "PNG"), "gray").pixels, np.repeat(gray[..., None], 3, axis=2)
    )
    deep_gray = cv2.imencode(".png", gray.astype(np.uint16) * 1000)[1].tobytes()
    assert decode(deep_gray, "deep").pixels[0, 3].tolist() == [3000] * 3
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), (0, 200, 0), np.uint8)).quantize(4).save(file, "GIF")
    photo = decode(file.getvalue(), "palette")
    assert photo.pixels[0, 0].tolist() == [0, 200, 0]
    assert (photo.suffix, photo.animated) == (".png", False)


def test_of_an_animation_the_first_picture(pixels):
    file = io.BytesIO()
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    first.save(file, "PNG", save_all=True, append_images=[second])
    photo = decode(file.getvalue(), "animation")
    assert photo.animated
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_what_a_format_cannot_hold_is_told():
    photo = decode(file_of(np.zeros((4, 20_000, 3), np.uint8), "PNG"), "panorama")
    with pytest.raises(ValueError, match="cannot be written as WEBP"):
        encode(photo, photo.pixels, Encoding("WEBP"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"", "empty"), (b"text", "not a picture"), (b"\x89PNG\r\n\x1a\n", "not a picture")],
)
def test_what_is_no_picture_is_one_line(data, problem):
    with pytest.raises(PictureError, match=problem):
        decode(data, "x.png")


@given(st.integers(0, 2**31), st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP"]))
@settings(max_examples=40)
def test_damaged_files_are_pictures_or_told(seed, kind):
    rng = np.random.default_rng(seed)
    data = bytearray(file_of(np.zeros((16, 16, 3), np.uint8), kind, exif=exif(5)))
    for place in rng.integers(0, len(data), 8):
        data[place] = rng.integers(256)
    try:
        photo = decode(bytes(data[: rng.integers(1, len(data) + 1)]), "damaged")
    except PictureError:
        pass
    else:
        encode(photo, photo.pixels, Encoding("PNG"))
