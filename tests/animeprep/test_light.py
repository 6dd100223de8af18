# mypy: allow-untyped-calls
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2xyz, xyz2lab

from animeprep.images import resize, to_gray
from animeprep.light import (
    LINEAR,
    Light,
    bent,
    decode,
    encode,
    from_lightness,
    level_table,
    log_average,
    measure,
    merge,
    to_levels,
    to_lightness,
    to_linear,
)

LEVELS = np.arange(256)


def gain(factor):
    return lambda light: light * factor


def test_linear_light_follows_the_standard():
    # IEC 61966-2-1: level 188 is half of the light, 10 lies on the straight part.
    linear = to_linear(np.array([0, 10, 188, 255], np.uint8))
    assert linear == pytest.approx([0, 10 / 255 / 12.92, 0.5029, 1], abs=1e-4)


def test_levels_outside_of_the_range_are_clipped():
    assert to_levels(np.array([-1.0, 0.0, 1.0, 7.0])).tolist() == [0, 0, 255, 255]


@settings(deadline=None)
@given(st.floats(0, 2))
def test_signal_and_lightness_have_inverses(value):
    light = np.array(value)
    assert float(decode(encode(light))) == pytest.approx(value, abs=1e-6)
    assert float(from_lightness(to_lightness(light))) == pytest.approx(value, abs=1e-12)


def test_lightness_is_that_of_skimage():
    grays = np.repeat(LEVELS[:, None], 3, axis=1).astype(np.uint8)[None]
    theirs = xyz2lab(rgb2xyz(grays))[0, :, 0]
    assert to_lightness(LINEAR) == pytest.approx(theirs, abs=1e-3)


def plain_log_average(picture):
    """IEC 61966-2-1 and BT.709, one pixel after the other."""
    found = []
    for pixel in picture.reshape(-1, 3) / 255:
        red, green, blue = (
            signal / 12.92 if signal <= 0.04045 else ((signal + 0.055) / 1.055) ** 2.4
            for signal in pixel
        )
        found.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    inner = sorted(found)[len(found) // 100 : len(found) - len(found) // 100]
    return math.prod((light + 1e-4) ** (1 / len(inner)) for light in inner)


def test_the_log_average_is_that_of_a_slow_plain_reference(scene):
    picture = scene(3, 96, 128)
    picture[:9, :9], picture[-9:, -9:] = 0, 255
    assert log_average(picture) == pytest.approx(plain_log_average(picture), rel=1e-9)


def test_light_is_measured_as_a_slow_plain_reference_does(scene):
    picture = scene(3, 96, 128)
    light = measure(picture)
    gray = np.sort(to_gray(picture).ravel())
    assert light.log_average == pytest.approx(plain_log_average(picture), abs=1e-6)
    assert light.peak == int(np.percentile(picture.max(axis=2), 99.9))
    assert light.counts == tuple(int((gray == level).sum()) for level in LEVELS)
    for point, share in ((light.black, 0.01), (light.white, 0.99)):
        level = gray[int(np.ceil(share * gray.size)) - 1]
        assert point == pytest.approx(LINEAR[level])


def test_large_pictures_are_measured_as_they_are_cropped(scene):
    large = scene(3, 768, 1024)
    assert measure(large) == measure(resize(large, 683, 512))


def test_black_pictures_have_some_light():
    light = measure(np.zeros((9, 9, 3), np.uint8))
    assert (light.log_average, light.peak, light.black, light.white) == (1e-4, 0, 0.0, 0.0)


def test_lights_are_merged_in_any_order(scene):
    lights = [measure(scene(seed, 64, 64)) for seed in range(5)]
    together = merge(lights)
    assert merge(lights[::-1]) == together
    assert together.log_average == pytest.approx(
        np.prod([light.log_average for light in lights]) ** 0.2, abs=1e-6
    )
    assert together.peak == max(light.peak for light in lights)
    assert sum(together.counts) == 5 * 64 * 64
    assert together.white == sorted(light.white for light in lights)[2]
    assert merge([Light(0.25, 7)]) == Light(0.25, 7)


@settings(deadline=None)
@given(st.floats(0.25, 4), st.integers(0, 255))
def test_tables_rise_and_keep_black(factor, peak):
    table = level_table(gain(factor), peak).astype(int)
    assert (np.diff(table, axis=0) >= 0).all()
    assert (table[0] == 0).all()


@settings(deadline=None)
@given(st.floats(0.25, 4), st.integers(0, 254))
def test_no_level_but_white_becomes_white(factor, peak):
    table = level_table(gain(factor), peak)
    assert table[:255].max() < 255
    if factor * LINEAR[peak] > 1:
        assert table[peak, 0] >= 253


@settings(deadline=None)
@given(st.floats(0.25, 4), st.integers(0, 255))
def test_below_the_knee_the_gain_applies_as_it_is(factor, peak):
    light = factor * LINEAR
    below = light <= 0.7
    below[-1] &= light[-1] < 0.69
    assert (level_table(gain(factor), peak)[below, 1] == to_levels(light[below])).all()


@settings(deadline=None)
@given(st.integers(0, 255))
def test_a_gain_of_one_is_the_identity(peak):
    assert (level_table(gain(1.0), peak) == LEVELS[:, None]).all()


def test_the_shoulder_is_smooth_and_keeps_highlights_apart():
    table = level_table(gain(2.0), 255)[:, 0].astype(int)
    high = table[150:]
    assert len(np.unique(high)) > 0.85 * (256 - high[0])
    assert np.diff(table).max() <= 3
    assert (table >= 254).sum() < 16


def test_the_shoulder_begins_with_the_slope_that_was():
    curve = bent(gain(2.0), 255)
    at = np.array([0.35 - 1e-6, 0.35, 0.35 + 1e-6])
    assert np.diff(curve(at)) == pytest.approx([2e-6, 2e-6], rel=1e-3)
    assert float(curve(np.array(1.0))) == pytest.approx(1.0)


def test_each_channel_has_its_gain():
    table = level_table(gain(1.0), 100, (0.8, 1.0, 1.25))
    for column, factor in enumerate((0.8, 1.0, 1.25)):
        assert (table[:100, column] == to_levels(LINEAR[:100] * factor)).all()
