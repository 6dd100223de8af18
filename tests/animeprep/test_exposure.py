# mypy: allow-untyped-calls
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from animeprep.crop import CropSettings, crop
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.exposure import (
    ExposureSettings,
    Key,
    compensate,
    exposure,
    gain_of,
    hue_shift,
    level_table,
    to_levels,
    to_linear,
)
from animeprep.gates import log_average
from animeprep.images import read_rgb, write_png

FULL = ExposureSettings(strength=1.0)
ONE_EACH = CropSettings(count=1, contrast=0)


def exposed(picture, stops):
    """The picture with another exposure, as a camera would make it."""
    return to_levels(np.clip(to_linear(picture) * 2.0**stops, 0, 1))


def key_of(picture):
    return Key(log_average(picture), int(np.percentile(picture.max(axis=2), 99.9)))


def stops_between(one, other):
    return math.log2(log_average(other) / log_average(one))


@pytest.fixture
def muted(scene):
    """A drawing with room above, so that no exposure within 1 EV clips it."""
    return lambda seed, **size: (40 + scene(seed, **size) * 0.3).astype(np.uint8)


def test_linear_light_follows_the_standard():
    # IEC 61966-2-1: level 188 is half of the light, 10 lies on the straight part.
    linear = to_linear(np.array([0, 10, 188, 255], np.uint8))
    assert linear == pytest.approx([0, 10 / 255 / 12.92, 0.5029, 1], abs=1e-4)


def test_levels_outside_of_the_range_are_clipped():
    assert to_levels(np.array([-1.0, 0.0, 1.0, 7.0])).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("stops", [-0.7, -0.3, 0.3, 0.7])
def test_full_strength_recovers_a_known_change_of_exposure(muted, stops):
    for seed in range(4):
        original, changed = muted(seed), exposed(muted(seed), stops)
        key = key_of(changed)
        gain = gain_of(key, log_average(original), FULL)
        assert math.log2(gain) == pytest.approx(-stops, abs=0.05)
        back = compensate(changed, gain, key.peak)
        assert abs(stops_between(original, back)) < 0.05
        assert np.abs(back.astype(int) - original).max() <= 4


@pytest.mark.parametrize("stops", [-0.9, -0.7, 0.7])
def test_compensating_the_result_again_changes_next_to_nothing(muted, stops):
    target = log_average(muted(1))
    once = exposed(muted(1), stops)
    once = compensate(once, gain_of(key_of(once), target, FULL), key_of(once).peak)
    assert abs(math.log2(gain_of(key_of(once), target, FULL))) < 0.02


@given(st.floats(0, 1), st.floats(-1, 1))
def test_the_share_that_is_not_compensated_remains(strength, deviation):
    target = 0.2
    settings = ExposureSettings(strength=strength)
    stops = math.log2(gain_of(Key(target * 2.0**deviation, 200), target, settings))
    assert deviation + stops == pytest.approx((1 - strength) * deviation, abs=1e-9)


@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_pictures_keep_the_share_of_their_deviation(muted, strength):
    original, changed = muted(1), exposed(muted(1), 0.8)
    key = key_of(changed)
    gain = gain_of(key, log_average(original), ExposureSettings(strength=strength))
    result = compensate(changed, gain, key.peak)
    assert stops_between(original, result) == pytest.approx(0.8 * (1 - strength), abs=0.03)


@pytest.mark.parametrize(("light", "stops"), [(0.01, 1), (0.9, -1), (0.2, 0)])
def test_gains_are_clamped(light, stops):
    assert math.log2(gain_of(Key(light, 200), 0.2, FULL)) == pytest.approx(stops)
    wider = ExposureSettings(strength=1, clamp=4)
    assert gain_of(Key(light, 200), 0.2, wider) == pytest.approx(
        0.2 / light if light > 0.0125 else 16
    )


def test_the_method_none_changes_nothing(scene):
    assert gain_of(Key(0.01, 200), 0.2, ExposureSettings(method="none")) == 1
    assert (compensate(scene(1), 1.0, 255) == scene(1)).all()


@given(st.floats(0.5, 2), st.integers(0, 255))
def test_tables_rise_and_keep_black(gain, peak):
    table = level_table(gain, peak).astype(int)
    assert (np.diff(table) >= 0).all()
    assert table[0] == 0


@given(st.floats(0.25, 4), st.integers(0, 255))
def test_tables_reach_white_where_the_light_does_and_not_below(gain, peak):
    table = level_table(gain, peak)
    if gain * to_linear(np.array([peak], np.uint8))[0] > 1:
        assert table[peak] == 255
    elif gain <= 1:
        assert (table <= np.arange(256)).all()


@given(st.floats(0.25, 4), st.integers(0, 255))
def test_below_the_knee_the_gain_applies_as_it_is(gain, peak):
    light = gain * to_linear(np.arange(256, dtype=np.uint8))
    below = light <= 0.7
    assert (level_table(gain, peak)[below] == to_levels(light[below])).all()


@given(st.integers(0, 255))
def test_a_gain_of_one_is_the_identity(peak):
    assert (level_table(1.0, peak) == np.arange(256)).all()


def test_the_shoulder_is_smooth_and_keeps_highlights_apart():
    table = level_table(2.0, 255).astype(int)
    high = table[150:]
    assert len(np.unique(high)) > 0.85 * (256 - high[0])
    assert np.diff(table).max() <= 3
    assert (table == 255).sum() < 12


def test_flat_windows_stay_exactly_flat(scene):
    blocks = np.repeat(np.repeat(scene(1, 12, 16), 5, axis=0), 5, axis=1)
    result = compensate(blocks, 1.6, 255)
    assert (result == np.repeat(np.repeat(result[::5, ::5], 5, axis=0), 5, axis=1)).all()


def test_a_pure_gain_shifts_no_hue_and_a_turned_hue_does(muted):
    picture = muted(1)
    for stops in (-0.5, 0.5):
        assert hue_shift(picture, exposed(picture, stops)) < 1
    assert hue_shift(picture, picture) == 0
    assert hue_shift(picture, picture[..., [1, 2, 0]]) > 5
    gammas = np.clip(255 * (picture / 255) ** (0.6, 1.0, 1.5), 0, 255).astype(np.uint8)
    assert hue_shift(picture, gammas) > 3


# --- on folders -------------------------------------------------------------------------------

STOPS = (-0.7, -0.2, 0.0, 0.4, 0.7)


@pytest.fixture
def uneven(dataset, put, muted):
    """Crops of one drawing in five exposures."""
    put("frames", **{f"f{n}": exposed(muted(1), stops) for n, stops in enumerate(STOPS)})
    crop(dataset, ONE_EACH)
    return dataset


def gains(dataset):
    return [record["gain_ev"] for record in dataset.records("exposure")]


def test_a_set_is_brought_to_its_median(uneven, muted):
    summary = exposure(uneven, FULL)
    assert summary.counts == {"made": 5}
    assert gains(uneven) == pytest.approx([-stops for stops in STOPS], abs=0.05)
    target = json.loads((uneven.root / "exposure.json").read_text())["target"]
    assert target == pytest.approx(log_average(muted(1)), rel=0.02)
    assert summary.figures["spread_before_ev"] == pytest.approx(np.std(STOPS), abs=0.05)
    assert summary.figures["spread_after_ev"] < 0.05
    assert summary.figures["newly_clipped"] == 0
    assert summary.figures["hue_shift"] < 1


def test_style_is_the_compensated_crop(uneven):
    exposure(uneven, FULL)
    for record in uneven.records("crop"):
        before = read_rgb(uneven.path(record["file_name"]))
        gain = gain_of(
            Key(record["log_average"], record["peak"]),
            json.loads((uneven.root / "exposure.json").read_text())["target"],
            FULL,
        )
        after = read_rgb(uneven.path(record["file_name"].replace("crops/", "style/")))
        assert (after == compensate(before, gain, record["peak"])).all()


def test_half_strength_halves_the_spread(uneven):
    figures = exposure(uneven, ExposureSettings()).figures
    share = figures["spread_after_ev"] / figures["spread_before_ev"]
    assert share == pytest.approx(0.5, abs=0.03)


def test_all_crops_of_a_picture_get_one_gain(dataset, put, scene):
    put("frames", a=scene(1, 300, 900), b=exposed(scene(2, 300, 900), -0.6))
    crop(dataset, CropSettings())
    exposure(dataset, FULL)
    found = gains(dataset)
    assert len(found) == 4
    assert found[0] == found[1] != found[2] == found[3]


def test_style_is_never_compensated_twice(uneven, times_of):
    exposure(uneven, FULL)
    before = times_of(uneven.root / "style")
    assert exposure(uneven, FULL).counts == {"unchanged": 5}
    assert times_of(uneven.root / "style") == before


def test_another_strength_starts_from_the_crops_again(tmp_path, uneven, snapshot):
    exposure(uneven, FULL)
    exposure(uneven, ExposureSettings())
    twice = snapshot(uneven.root, "style")
    for path in (uneven.root / "style").iterdir():
        path.unlink()
    exposure(uneven, ExposureSettings())
    assert snapshot(uneven.root, "style") == twice


def test_the_target_is_stored_for_films_that_come_later(uneven, put, muted):
    exposure(uneven, FULL)
    target = json.loads((uneven.root / "exposure.json").read_text())["target"]
    put("frames", g=exposed(muted(1), 0.9), h=exposed(muted(1), 0.9), i=exposed(muted(1), 0.9))
    crop(uneven, ONE_EACH)
    assert exposure(uneven, FULL).counts == {"made": 3, "unchanged": 5}
    assert json.loads((uneven.root / "exposure.json").read_text())["target"] == target
    assert gains(uneven)[-1] == pytest.approx(-0.9, abs=0.05)


def test_a_target_can_be_set(uneven, muted):
    wanted = round(log_average(muted(1)) * 2**0.2, 6)
    exposure(uneven, ExposureSettings(strength=1, target=wanted))
    assert gains(uneven) == pytest.approx([0.2 - stops for stops in STOPS], abs=0.05)


def test_the_method_none_copies_the_crops(uneven):
    exposure(uneven, ExposureSettings(method="none"))
    for path in sorted((uneven.root / "crops").iterdir()):
        assert (read_rgb(path) == read_rgb(uneven.root / "style" / path.name)).all()


def test_crops_dropped_in_are_compensated_by_their_own_light(uneven, put, muted):
    picture = exposed(muted(1), 0.5)
    put("crops", own=picture)
    exposure(uneven, FULL)
    target = json.loads((uneven.root / "exposure.json").read_text())["target"]
    own = uneven.records("exposure").of("crops/own.png")[0]
    assert own["gain_ev"] == pytest.approx(np.log2(target / log_average(picture)), abs=0.01)


def test_crops_alone_are_made_into_a_set(dataset, put, muted):
    put("crops", a=muted(1), b=exposed(muted(1), 0.5))
    exposure(dataset, FULL)
    style = sorted((dataset.root / "style").iterdir())
    assert [path.name for path in style] == ["a.png", "b.png"]
    dark, bright = (log_average(read_rgb(path)) for path in style)
    assert np.log2(bright / dark) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"target": "high"}', '{"target": 7.0}'])
def test_a_damaged_target_is_found_anew(tmp_path, uneven, content):
    exposure(uneven, FULL)
    whole = (uneven.root / "exposure.json").read_bytes()
    (uneven.root / "exposure.json").write_text(content)
    exposure(uneven, FULL)
    assert (uneven.root / "exposure.json").read_bytes() == whole


def test_a_dry_run_writes_nothing(uneven, snapshot):
    before = snapshot(uneven.root)
    assert exposure(uneven, FULL, dry_run=True).counts == {"to do": 5}
    assert snapshot(uneven.root) == before


def test_black_crops_do_no_harm(tmp_path, scene):
    dataset = Dataset(tmp_path)
    write_png(dataset.path("crops/black.png"), np.zeros((64, 64, 3), np.uint8))
    write_png(dataset.path("crops/white.png"), np.full((64, 64, 3), 255, np.uint8))
    assert exposure(dataset, ExposureSettings(target=0.2)).counts == {"made": 2}
    assert read_rgb(dataset.path("style/black.png")).max() == 0


@pytest.mark.parametrize("values", [{"strength": 1.5}, {"clamp": -1}, {"method": "lab"}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValidationError):
        ExposureSettings(**values)


def test_without_crops_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match="run `animeprep crop` first"):
        exposure(dataset, FULL)
