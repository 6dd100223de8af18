# mypy: allow-untyped-calls
import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from animeprep.boxes import Picture
from animeprep.errors import PictureError
from animeprep.images import (
    FORMATS,
    MAX_PIXELS,
    claimed_size,
    decode_rgb,
    encode_jpeg,
    encode_png,
    list_images,
    read_rgb,
    resize,
    scale_short_side,
    thumbnail,
    to_gray,
    write_png,
)


def pillow_bytes(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width, height):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_refused(tmp_path, scene, kind, share):
    data = pillow_bytes(Image.fromarray(scene(1)), kind)
    path = tmp_path / "cut.png"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PictureError, match=r"cut\.png: .*truncated.*; remove it or copy it again"):
        read_rgb(path)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(PictureError, match="the file is empty"):
        read_rgb(tmp_path / "a.png")


def test_a_text_named_png_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("this is no picture at all\n" * 40)
    with pytest.raises(PictureError, match="not a picture that can be read"):
        read_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["EPS", "PPM", "PCX", "ICO"])
def test_kinds_that_no_suffix_stands_for_are_refused(tmp_path, scene, kind):
    data = pillow_bytes(Image.fromarray(scene(1)), kind)
    with pytest.raises(PictureError, match="not a picture that can be read"):
        decode_rgb(data, tmp_path / "a.png")


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n%%EOF\n"
    with pytest.raises(PictureError):
        decode_rgb(data, tmp_path / "a.png")
    assert not (tmp_path / "started").exists()


def test_every_kind_is_read_whatever_a_file_is_called(tmp_path):
    level = np.full((16, 16, 3), 100, np.uint8)
    for kind in (*FORMATS, "MPO"):
        picture = decode_rgb(pillow_bytes(Image.fromarray(level), kind), tmp_path / "a.png")
        assert np.abs(picture.astype(int) - 100).max() <= 2


@pytest.mark.parametrize("path", ["missing.png", "."])
def test_a_missing_picture_or_a_folder_is_refused(tmp_path, path):
    with pytest.raises(PictureError, match="cannot be opened"):
        read_rgb(tmp_path / path)


@pytest.mark.parametrize(
    ("width", "height"), [(17_000, 17_000), (100_000, 100_000), (2**31 - 1, 9)]
)
def test_absurd_dimensions_are_refused_by_the_header_alone(tmp_path, width, height):
    assert width * height > MAX_PIXELS
    (tmp_path / "a.png").write_bytes(png_header(width, height))
    with pytest.raises(PictureError, match="too large; scale it down"):
        read_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_damaged_bytes_give_a_picture_or_a_picture_error(tmp_path, scene, kind):
    rng = np.random.default_rng(5)
    image = Image.fromarray(scene(2, 40, 60))
    whole = np.frombuffer(pillow_bytes(image, kind, exif=exif_of(6)), np.uint8)
    for _ in range(150):
        damaged = whole.copy()
        # Headers break in more ways than pixels do.
        reach = 200 if rng.random() < 0.7 else damaged.size
        where = rng.integers(0, min(reach, damaged.size), 4)
        damaged[where] = rng.integers(0, 256, 4)
        try:
            picture = decode_rgb(damaged.tobytes(), tmp_path / "a")
        except PictureError:
            continue
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# Stored → upright, by the standard's figure of the eight orientations.
UPRIGHT: dict[int, Callable[[Picture], Picture]] = {
    1: np.copy,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, scene, orientation):
    stored = scene(3, 20, 30)
    data = pillow_bytes(Image.fromarray(stored), exif=exif_of(orientation))
    assert (decode_rgb(data, tmp_path) == UPRIGHT[orientation](stored)).all()


def test_16_bit_gray_is_scaled(tmp_path):
    levels = np.array([[0, 257, 128 * 257, 65_535, 385, 386]], np.uint16)
    picture = decode_rgb(pillow_bytes(Image.fromarray(levels)), tmp_path)
    assert picture[0, :, 0].tolist() == [0, 1, 128, 255, 1, 2]
    assert (picture == picture[..., :1]).all()


def test_8_bit_gray_becomes_three_equal_channels(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = decode_rgb(pillow_bytes(Image.fromarray(levels)), tmp_path)
    assert (picture == levels[..., None]).all()
    assert picture.shape == (16, 16, 3)


def test_transparent_parts_stand_over_white(tmp_path):
    rgba = np.array([[(10, 20, 30, 0), (10, 20, 30, 255), (0, 0, 0, 128)]], np.uint8)
    picture = decode_rgb(pillow_bytes(Image.fromarray(rgba)), tmp_path)
    assert picture[0].tolist() == [[255, 255, 255], [10, 20, 30], [127, 127, 127]]


def test_palettes_are_looked_up(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    opaque = decode_rgb(pillow_bytes(image), tmp_path)
    assert opaque[0].tolist() == [[255, 0, 0], [0, 0, 255]]
    see_through = decode_rgb(pillow_bytes(image, transparency=0), tmp_path)
    assert see_through[0].tolist() == [[255, 255, 255], [0, 0, 255]]


def test_cmyk_jpeg_and_bilevel_become_rgb(tmp_path):
    cyan = decode_rgb(pillow_bytes(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG"), tmp_path)
    assert np.abs(cyan.astype(int) - (0, 255, 255)).max() <= 3
    white = decode_rgb(pillow_bytes(Image.new("1", (4, 4), 1)), tmp_path)
    assert (white == 255).all()


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    red, blue = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    data = pillow_bytes(red, "GIF", save_all=True, append_images=[blue])
    assert (decode_rgb(data, tmp_path) == (255, 0, 0)).all()


def test_a_size_is_read_from_the_header_alone(tmp_path):
    assert claimed_size(png_header(4000, 3000), tmp_path / "a.png") == (4000, 3000)
    with pytest.raises(PictureError, match="not a picture"):
        claimed_size(b"4000 3000", tmp_path / "a.png")


def test_listing_does_not_depend_on_the_order_of_creation(tmp_path):
    names = ["b.png", "a.JPG", "c.webp", "10.png", "9.png"]
    for folder, order in (("one", names), ("two", names[::-1])):
        (tmp_path / folder).mkdir()
        for name in order:
            (tmp_path / folder / name).touch()
    listed = [[p.name for p in list_images(tmp_path / folder)] for folder in ("one", "two")]
    assert listed == [["10.png", "9.png", "a.JPG", "b.png", "c.webp"]] * 2


def test_listing_passes_over_other_files_and_folders(tmp_path):
    for name in ("a.png", ".hidden.png", "notes.txt", "sub/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [tmp_path / "a.png"]
    assert list_images(tmp_path, recursive=True) == [tmp_path / "a.png", tmp_path / "sub/b.png"]
    assert list_images(tmp_path / "nowhere") == []


def test_gray_is_the_weighted_sum():
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    plain = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    assert np.abs(to_gray(picture) - plain).max() <= 0.51


def test_gray_of_gray_is_the_same():
    levels = np.arange(256, dtype=np.uint8)
    assert (to_gray(np.repeat(levels[None, :, None], 3, axis=2))[0] == levels).all()


def test_png_is_lossless_for_other_readers_and_deterministic(scene):
    picture = scene(4)
    data = encode_png(picture)
    assert data == encode_png(picture.copy())
    assert (np.array(Image.open(io.BytesIO(data))) == picture).all()


def test_gray_png_has_one_channel(scene):
    gray = to_gray(scene(4))
    image = Image.open(io.BytesIO(encode_png(gray)))
    assert image.mode == "L"
    assert (np.array(image) == gray).all()


def test_jpeg_keeps_the_order_of_channels():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    shown = np.array(Image.open(io.BytesIO(encode_jpeg(red, 95)))).astype(int)
    assert np.abs(shown - red).max() <= 3


def test_written_pictures_read_back(tmp_path, scene):
    write_png(tmp_path / "täst ☃.png", scene(5))
    assert (read_rgb(tmp_path / "täst ☃.png") == scene(5)).all()


def test_scaling_down_averages_areas():
    picture = np.random.default_rng(1).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    plain = picture.reshape(4, 2, 6, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize(picture, 6, 4) - plain).max() <= 0.51


def test_scaling_to_the_same_size_changes_nothing(scene):
    assert (resize(scene(6), 480, 270) == scene(6)).all()


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (333, 250), (256, 257), (100, 1000)])
def test_short_side_is_exact_and_the_shape_is_kept(height, width):
    scaled = scale_short_side(np.zeros((height, width, 3), np.uint8), 128)
    assert min(scaled.shape[:2]) == 128
    assert max(scaled.shape[:2]) == round(128 * max(height, width) / min(height, width))


def test_thumbnails_are_never_larger_than_the_picture():
    assert thumbnail(np.zeros((1080, 1920, 3), np.uint8)).shape == (90, 160, 3)
    assert thumbnail(np.zeros((30, 20, 3), np.uint8)).shape == (30, 20, 3)
    assert thumbnail(np.zeros((1, 4000, 3), np.uint8)).shape == (1, 160, 3)


def test_reading_agrees_with_opencv(tmp_path, scene):
    write_png(tmp_path / "a.png", scene(7))
    peer = cv2.imdecode(np.fromfile(tmp_path / "a.png", np.uint8), cv2.IMREAD_COLOR_RGB)
    assert (read_rgb(tmp_path / "a.png") == peer).all()
