import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from animeprep.lanczos import lanczos_gray


def pillow(picture, width, height):
    gray = Image.fromarray(picture).convert("L")
    return np.asarray(gray.resize((width, height), Image.Resampling.LANCZOS))


def noise(seed, height, width):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


SIDES = st.integers(1, 300)
SMALL = st.integers(1, 70)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 99), SIDES, SIDES, SMALL, SMALL)
def test_every_size_is_pillows(seed, rows, columns, width, height):
    picture = noise(seed, rows, columns)
    assert np.array_equal(lanczos_gray(picture, width, height), pillow(picture, width, height))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 99), SIDES, SIDES)
def test_black_beside_white_is_pillows(seed, rows, columns):
    picture = np.where(noise(seed, rows, columns) > 127, np.uint8(255), np.uint8(0))
    assert np.array_equal(lanczos_gray(picture, 64, 64), pillow(picture, 64, 64))


@pytest.mark.parametrize("shape", [(1080, 1920), (512, 947), (720, 720), (500, 4096), (9, 5000)])
@pytest.mark.parametrize("size", [(64, 64), (32, 32), (9, 8)])
def test_film_sizes_are_pillows(shape, size):
    picture = noise(0, *shape)
    assert np.array_equal(lanczos_gray(picture, *size), pillow(picture, *size))


def test_gray_of_all_colours_is_pillows():
    # Scaling by 1 leaves the gray values as they are.
    values = np.arange(256, dtype=np.uint8)
    green, blue = np.meshgrid(values, values, indexing="ij")
    for red in range(0, 256, 17):
        picture = np.stack([np.full_like(green, red), green, blue], axis=2)
        assert np.array_equal(lanczos_gray(picture, 256, 256), pillow(picture, 256, 256))


def test_a_part_of_a_picture_is_as_good_as_its_copy():
    whole = noise(1, 200, 300)
    part = whole[20:150, 30:250]
    assert np.array_equal(lanczos_gray(part, 64, 64), pillow(part.copy(), 64, 64))
