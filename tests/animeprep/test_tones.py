# mypy: allow-untyped-calls
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab
from skimage.exposure import match_histograms

from animeprep.exposure.figures import flat_windows, hue_shift
from animeprep.exposure.tones import METHODS, Scene, change_of, compensate
from animeprep.light import (
    LINEAR,
    Light,
    from_lightness,
    log_average,
    measure,
    to_levels,
    to_lightness,
    to_linear,
)

ALL = sorted(METHODS)
POINTWISE = sorted(set(METHODS) - {"lab"})


def exposed(picture, stops):
    """The picture with another exposure, as a camera would make it."""
    return to_levels(np.clip(to_linear(picture) * 2.0**stops, 0, 1))


def alone(picture):
    """A picture of which neither shot nor film are known."""
    light = measure(picture)
    return Scene(light, light, light)


def aim_at(method, picture):
    return METHODS[method].aim([measure(picture)])


def tone(method, scene, reference, strength=1.0, clamp=1.0):
    return METHODS[method].tone(scene, reference, strength, clamp)


def changed(method, picture, reference, strength=1.0, clamp=1.0):
    return compensate(picture, change_of(tone(method, alone(picture), reference, strength, clamp)))


def stops_between(one, other):
    return math.log2(log_average(other) / log_average(one))


@pytest.fixture(scope="module")
def muted(scene):
    """A small drawing with room above, so that no exposure within 1 EV clips it."""
    return lambda seed: (40 + scene(seed, 96, 128) * 0.3).astype(np.uint8)


@pytest.mark.parametrize("stops", [-0.7, -0.3, 0.3, 0.7])
def test_key_recovers_a_known_change_of_exposure(muted, stops):
    for seed in range(4):
        original = muted(seed)
        found = tone("key", alone(exposed(original, stops)), aim_at("key", original))
        assert found.stops == pytest.approx(-stops, abs=0.05)
        back = changed("key", exposed(original, stops), aim_at("key", original))
        assert abs(stops_between(original, back)) < 0.05
        assert np.abs(back.astype(int) - original).max() <= 4


@pytest.mark.parametrize("method", ["gamma", "histogram", "film", "lab"])
@pytest.mark.parametrize("stops", [-0.6, 0.6])
def test_other_methods_recover_most_of_it(muted, method, stops):
    original = muted(1)
    back = changed(method, exposed(original, stops), aim_at(method, original))
    assert abs(stops_between(original, back)) < 0.05


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("stops", [-0.9, -0.7, 0.7])
def test_compensating_the_result_again_changes_next_to_nothing(muted, method, stops):
    reference = aim_at(method, muted(1))
    once = changed(method, exposed(muted(1), stops), reference)
    twice = changed(method, once, reference)
    # One level more or less of a dark picture is 0.02 EV, and gamma knows L alone.
    assert abs(stops_between(once, twice)) < (0.04 if method == "gamma" else 0.02)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(-1, 1))
def test_the_share_that_is_not_compensated_remains(strength, deviation):
    light = Light(0.2 * 2.0**deviation, 200)
    scene = Scene(light, light, light)
    for method in ("key", "gamma"):
        stops = tone(method, scene, (0.2,), strength).stops
        assert deviation + stops == pytest.approx((1 - strength) * deviation, abs=1e-9)


@pytest.mark.parametrize("method", ["key", "gamma"])
@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_pictures_keep_the_share_of_their_deviation(muted, method, strength):
    original = muted(1)
    result = changed(method, exposed(original, 0.8), aim_at(method, original), strength)
    assert stops_between(original, result) == pytest.approx(0.8 * (1 - strength), abs=0.03)


@pytest.mark.parametrize(
    ("light", "stops", "clamped"),
    [(0.01, 1, True), (0.9, -1, True), (0.2, 0, False), (0.1, 1, False)],
)
def test_gains_are_clamped_and_say_so(light, stops, clamped):
    one = Light(light, 200)
    found = tone("key", Scene(one, one, one), (0.2,))
    assert (found.stops, found.clamped) == (pytest.approx(stops), clamped)
    wider = tone("key", Scene(one, one, one), (0.2,), clamp=5)
    assert (wider.stops, wider.clamped) == (pytest.approx(math.log2(0.2 / light)), False)


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"none"}))
def test_no_method_goes_beyond_its_clamp(muted, method):
    dark = exposed(muted(1), -3)
    reference = aim_at(method, muted(1))
    found = tone(method, alone(dark), reference, clamp=0.5)
    assert found.clamped
    assert abs(found.stops) <= 0.5 + 1e-9
    if method != "film":  # Its black point comes on top of its gain.
        assert abs(stops_between(dark, changed(method, dark, reference, clamp=0.5))) < 0.6
    assert not tone(method, alone(muted(1)), reference).clamped


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_nothing_changes_where_nothing_is_to_be_done(scene, method, strength):
    picture = scene(1, 96, 128)
    reference = aim_at(method, scene(2, 96, 128) if strength == 0 or method == "none" else picture)
    difference = np.abs(changed(method, picture, reference, strength).astype(int) - picture)
    # Lab and back, in OpenCV's floats.
    assert difference.max() <= (1 if method == "lab" else 0)
    assert difference.mean() < 0.001


@pytest.mark.parametrize("method", ALL)
def test_flat_windows_stay_exactly_flat(scene, method):
    blocks = np.repeat(np.repeat(scene(1, 12, 16), 5, axis=0), 5, axis=1)
    result = changed(method, blocks, aim_at(method, scene(2, 96, 128)))
    assert (result == np.repeat(np.repeat(result[::5, ::5], 5, axis=0), 5, axis=1)).all()
    assert not (flat_windows(blocks) & ~flat_windows(result)).any()


@pytest.mark.parametrize("method", POINTWISE)
@settings(deadline=None, max_examples=12)
@given(seeds=st.tuples(st.integers(0, 40), st.integers(0, 40)), strength=st.floats(0, 1))
def test_tables_rise_and_leave_white_to_white(scene, method, seeds, strength):
    one, other = (scene(seed, 24, 32) for seed in seeds)
    found = tone(method, alone(one), aim_at(method, other), strength)
    levels = change_of(found, (0.9, 1.0, 1.1)).levels.astype(int)
    assert (np.diff(levels, axis=0) >= 0).all()
    assert levels[:255].max() < 255


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 40), st.floats(0, 1))
def test_lightness_rises(scene, seed, strength):
    one, other = scene(seed, 24, 32), scene(seed + 1, 24, 32)
    found = tone("lab", alone(one), aim_at("lab", other), strength)
    lightness = np.array(change_of(found).lightness)
    assert (np.diff(lightness) >= 0).all()
    assert 0 <= lightness.min() <= lightness.max() <= 100


def test_key_shifts_no_hue(muted):
    for stops in (-0.7, 0.7):
        result = changed("key", exposed(muted(1), stops), aim_at("key", muted(1)))
        assert hue_shift(exposed(muted(1), stops), result) < 1


def test_grays_stay_gray(scene):
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 8, 3))
    for method in ALL:
        result = changed(method, ramp, aim_at(method, scene(2, 96, 128))).astype(int)
        assert np.ptp(result, axis=2).max() <= (1 if method == "lab" else 0)


def test_gamma_moves_neither_black_nor_white(muted):
    reference = aim_at("gamma", exposed(muted(1), 0.5))
    levels = change_of(tone("gamma", alone(muted(1)), reference)).levels[:, 0]
    exponent = math.log(reference[0]) / math.log(log_average(muted(1)))
    assert (levels[0], levels[255]) == (0, 255)
    assert np.abs(levels.astype(int) - to_levels(LINEAR**exponent)).max() <= 1


def test_histograms_are_matched_as_skimage_does(scene):
    picture, reference = scene(1, 96, 128), scene(2, 96, 128)
    gray, gray_reference = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (picture, reference))
    theirs = match_histograms(gray, gray_reference)
    result = changed("histogram", np.dstack([gray] * 3), aim_at("histogram", reference), clamp=4.0)
    inner = gray > 30  # Near black, 4 EV are few levels.
    assert np.abs(result[..., 0].astype(int) - theirs)[inner].max() <= 1


def test_lab_brings_mean_and_spread_and_keeps_colours(muted):
    picture, other = muted(1), exposed(muted(2), 0.4)
    result = changed("lab", picture, aim_at("lab", other))
    light, wanted = rgb2lab(result)[..., 0], rgb2lab(other)[..., 0]
    # The measures come from luma in 256 levels, not from each pixel's luminance.
    assert light.mean() == pytest.approx(wanted.mean(), abs=1)
    assert light.std() == pytest.approx(wanted.std(), abs=1)
    assert np.abs(rgb2lab(result)[..., 1:] - rgb2lab(picture)[..., 1:]).mean() < 0.5


def test_film_maps_black_and_white_points_of_the_film(muted):
    light = Light(0.1, 200, (), 0.02, 0.42)
    found = tone("film", Scene(light, light, light), (0.01, 0.61))
    assert found.stops == pytest.approx(math.log2(0.6 / 0.4))
    assert found.curve(np.array([0.02, 0.42])) == pytest.approx([0.01, 0.61])
    half = tone("film", Scene(light, light, light), (0.01, 0.61), strength=0.5)
    assert half.curve(np.array([0.02, 0.42])) == pytest.approx([0.015, math.sqrt(0.42 * 0.61)])


def test_film_gives_all_pictures_of_a_film_one_curve(muted):
    whole = measure(muted(1))
    lights = [measure(exposed(muted(seed), 0.2 * seed)) for seed in range(3)]
    levels = [
        change_of(tone("film", Scene(light, light, whole), (0.0, 0.9))).levels for light in lights
    ]
    assert (levels[0] == levels[1]).all()
    assert (levels[0] == levels[2]).all()


@pytest.mark.parametrize(("share", "to"), [(0.45, 0.0), (0.6, 0.0), (0.6, 1.0)])
def test_film_brings_a_fade_back_to_its_shot(muted, share, to):
    picture = muted(1)
    shot = measure(picture)
    faded = to_levels(share * to_linear(picture) + (1 - share) * to)
    scene = Scene(measure(faded), shot, shot)
    found = tone("film", scene, (shot.black, shot.white), clamp=2.0)
    assert found.stops == pytest.approx(-math.log2(share), abs=0.2)
    back = compensate(faded, change_of(found))
    assert abs(stops_between(picture, back)) < 0.1
    assert np.abs(back.astype(int) - picture).mean() < 4


def test_a_gain_of_each_channel_comes_before_the_tone(muted):
    picture = muted(1)
    gains = (0.9, 1.0, 1.2)
    found = tone("key", alone(picture), aim_at("key", exposed(picture, 0.5)))
    result = compensate(picture, change_of(found, gains))
    wanted = to_levels(to_linear(picture) * gains * 2.0**found.stops)
    assert (result == wanted).all()
    on_lightness = compensate(picture, change_of(tone("lab", alone(picture), (50, 9)), gains))
    balanced = to_levels(to_linear(picture) * gains)
    plain = changed("lab", picture, (50, 9))
    assert np.abs(on_lightness.astype(int) - plain).max() > 5
    a_and_b = (rgb2lab(one)[..., 1:] for one in (on_lightness, balanced))
    assert np.abs(np.subtract(*a_and_b)).mean() < 1


def test_references_are_those_of_the_set():
    lights = [
        Light(0.1, 9, (4, *[0] * 254, 4), 0.0, 0.5),
        Light(0.2, 9, (0, 8, *[0] * 254), 0.1, 0.7),
        Light(0.4, 9, (*[0] * 255, 8), 0.3, 0.9),
    ]
    assert METHODS["key"].aim(lights) == METHODS["gamma"].aim(lights) == (0.2,)
    assert METHODS["film"].aim(lights) == (0.1, 0.7)
    assert METHODS["histogram"].aim(lights) == (0, 8, *[0] * 254)
    assert METHODS["none"].aim(lights) == ()
    black = float(to_lightness(to_linear(np.array(1, np.uint8))))
    mean, spread = METHODS["lab"].aim(lights)
    assert mean == pytest.approx((50 + black + 100) / 3, abs=1e-4)
    assert spread == pytest.approx((50 + 1 + 1) / 3, abs=1e-4)
    assert float(from_lightness(np.array(100.0))) == pytest.approx(1)


def test_digests_tell_changes_apart(muted):
    scene = alone(muted(1))
    changes = [
        change_of(tone("key", scene, (0.1,))),
        change_of(tone("key", scene, (0.11,))),
        change_of(tone("key", scene, (0.1,)), (1.1, 1.0, 1.0)),
        change_of(tone("lab", scene, (50, 9))),
        change_of(tone("lab", scene, (50, 8))),
    ]
    assert len({change.digest() for change in changes}) == 5
    assert changes[0].digest() == change_of(tone("key", scene, (0.1,))).digest()
