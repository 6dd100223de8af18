# mypy: allow-untyped-calls
import math

import numpy as np
import pytest
from pydantic import ValidationError

from animeprep.film import Selection, pictures, probe
from animeprep.gates import GateSettings, judge, log_average, measure


def gate(picture, **bounds):
    return judge(measure(picture), GateSettings(**bounds))


def columns(*levels):
    """Equal columns of gray levels, 100 rows."""
    row = np.repeat(np.array(levels, np.uint8), 12)
    return np.repeat(np.broadcast_to(row, (100, row.size))[..., None], 3, axis=2)


def test_ordinary_drawings_pass(scene):
    assert [gate(scene(seed)) for seed in range(10)] == [None] * 10


@pytest.mark.parametrize(("brightest", "verdict"), [(39, "black"), (40, "flat")])
def test_black(brightest, verdict):
    assert gate(columns(*range(brightest - 19, brightest + 1))) == verdict


def test_a_few_bright_specks_do_not_hide_black():
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[:1] = 255
    assert gate(picture) == "black"
    picture[:3] = 255
    assert gate(picture) != "black"


@pytest.mark.parametrize(("darkest", "verdict"), [(226, "white"), (225, "flat")])
def test_white(darkest, verdict):
    assert gate(columns(*range(darkest, darkest + 20))) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.74, None), (0.76, "plain")])
def test_plain(share, verdict):
    picture = np.full((100, 100, 3), 100, np.uint8)
    rest = round(100 * (1 - share))
    picture[:rest] = np.linspace(120, 255, 100).astype(np.uint8)[None, :, None]
    assert gate(picture) == verdict


def test_plain_counts_levels_near_the_commonest():
    assert measure(columns(100, 100, 104, 96, 105, 95))["plain"] == pytest.approx(4 / 6, abs=1e-4)


@pytest.mark.parametrize(("contrast", "verdict"), [(11, "flat"), (13, None)])
def test_flat(contrast, verdict):
    picture = columns(*[120 - contrast, 120 + contrast] * 5)
    assert measure(picture)["flat"] == pytest.approx(contrast)
    assert gate(picture) == verdict


@pytest.mark.parametrize(("share_of_bound", "verdict"), [(0.9, "night"), (1.1, None)])
def test_night(share_of_bound, verdict):
    dark, light = 10, 70
    lights = [
        (level / 255 / 12.92, ((level / 255 + 0.055) / 1.055) ** 2.4) for level in (dark, light)
    ]
    low, high = lights[0][0], lights[1][1]
    average = math.exp((math.log(low + 1e-4) + math.log(high + 1e-4)) / 2)
    picture = columns(*[dark, light] * 5)
    assert measure(picture)["night"] == pytest.approx(average, abs=1e-5)
    assert gate(picture, night=average / share_of_bound) == verdict


def test_log_average_leaves_out_the_extremes():
    levels = np.full((100, 100, 3), 128, np.uint8)
    plain = log_average(levels)
    levels[0], levels[1] = 0, 255
    assert log_average(levels) == pytest.approx(plain)
    levels[2] = 0
    assert log_average(levels) < 0.96 * plain


def test_log_average_weighs_channels_as_bt709():
    def of(colour):
        return log_average(np.full((8, 8, 3), colour, np.uint8))

    assert of((255, 0, 0)) == pytest.approx(0.2126, abs=2e-4)
    assert of((0, 255, 0)) == pytest.approx(0.7152, abs=2e-4)
    assert of((0, 0, 255)) == pytest.approx(0.0722, abs=2e-4)


def test_measures_do_not_depend_on_the_size_of_the_film(scene):
    large = measure(scene(1, 1080, 1920))
    small = measure(
        scene(1, 1080, 1920).reshape(540, 2, 960, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    )
    for name, value in large.items():
        assert small[name] == pytest.approx(value, rel=0.02)


def test_the_first_gate_not_passed_is_told():
    assert gate(np.zeros((90, 160, 3), np.uint8)) == "black"
    assert gate(np.full((90, 160, 3), 255, np.uint8)) == "white"
    assert gate(np.full((90, 160, 3), 128, np.uint8)) == "plain"


@pytest.mark.parametrize("bounds", [{"black": 300}, {"plain": 1.5}, {"night": -1}])
def test_bounds_out_of_range_are_refused(bounds):
    with pytest.raises(ValidationError):
        GateSettings(**bounds)


@pytest.mark.slow
def test_the_demo_film_is_judged_as_it_was_made(demo_film):
    wanted = {30: None, 150: None, 245: "black", 246: "black", 440: "night", 765: "plain"}
    selection = Selection(only=tuple(wanted))
    found = {p.index: gate(p.rgb) for p in pictures(probe(demo_film), selection)}
    assert found == wanted
