# mypy: allow-untyped-calls
import itertools

import cv2
import numpy as np
import pytest

from animeprep.exposure.figures import (
    compare,
    data_mean,
    figures,
    flat_windows,
    hue_shift,
    measure_set,
    neutral_gains,
)
from animeprep.exposure.tones import Change, compensate
from animeprep.images import thumbnail, to_gray, write_png
from animeprep.light import level_table, log_average, to_levels, to_linear

SIZE = (48, 64)


def same(light):
    return light


def exposed(picture, stops):
    """The picture with another exposure, as a camera would make it."""
    return to_levels(np.clip(to_linear(picture) * 2.0**stops, 0, 1))


@pytest.fixture(scope="module")
def flats(scene):
    """A drawing of blocks, with flat windows in it."""
    return lambda seed: np.kron(scene(seed, 6, 8), np.ones((8, 8, 1), np.uint8))


def plain_figures(pairs):
    """Every measure of crops by loops over pixels."""
    clipped = flat = lost = edges = edges_now = 0
    pixels = sum(before.shape[0] * before.shape[1] for before, _ in pairs)
    for before, after in pairs:
        height, width, _ = before.shape
        for y, x in itertools.product(range(height), range(width)):
            one, other = before[y, x], after[y, x]
            clipped += (max(other) >= 253 > max(one)) or (not other.any() and bool(one.any()))
        for y, x in itertools.product(range(height - 4), range(width - 4)):
            was, now = (
                len({tuple(pixel) for row in picture[y : y + 5, x : x + 5] for pixel in row}) == 1
                for picture in (before, after)
            )
            flat, lost = flat + was, lost + (was and not now)
        edges += int((cv2.Canny(to_gray(before), 100, 200) > 0).sum())
        edges_now += int((cv2.Canny(to_gray(after), 100, 200) > 0).sum())
    return {
        "newly_clipped": clipped / pixels,
        "flat_changed": lost / flat,
        "edges_changed": edges_now / edges - 1,
        "hue_shift": np.mean([hue_shift(*pair) for pair in pairs]),
    }


def test_figures_are_those_of_a_slow_plain_reference(flats):
    rng = np.random.default_rng(0)
    pairs = []
    for seed, stops in enumerate((1.5, -3, 0.4)):
        after = exposed(flats(seed), stops)
        after[:20] ^= rng.integers(0, 2, after[:20].shape, dtype=np.uint8)  # what dither does
        after[30:34] = 0
        pairs.append((flats(seed), after))
    found = figures([compare(*pair) for pair in pairs], [(0.1, 0.2), (0.4, 0.3)])
    for name, value in plain_figures(pairs).items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-4), name
    assert found.flat_changed > 0.1
    assert found.newly_clipped > 0.05
    assert found.compared == 3
    assert found.spread_before_ev == 1
    assert found.spread_after_ev == pytest.approx(np.log2(1.5) / 2, abs=1e-4)


def test_histograms_are_of_all_pictures_alike(flats):
    pairs = [(flats(1), exposed(flats(1), -1)), (flats(2), exposed(flats(2), -1))]
    found = figures([compare(*pair) for pair in pairs], []).histograms
    assert sorted(found) == ["blue", "green", "luma", "red"]
    for place in (0, 1):
        together = np.concatenate([pair[place] for pair in pairs])
        layers = {"luma": to_gray(together), "green": together[..., 1], "blue": together[..., 2]}
        for name, layer in layers.items():
            counts = np.histogram(layer, 32, (0, 256))[0] / layer.size
            shares = (found[name].before, found[name].after)[place]
            assert shares == pytest.approx(counts, abs=1e-5)


def test_pictures_are_counted_by_their_light(flats):
    pair = compare(flats(1), flats(1))
    # In EV from the mean after: far darker, -1.2, +0.3 and far brighter; then half an EV each way.
    before = [2.0**stops for stops in (-9, -1.2, 0.3, 5)]
    after = [2.0**stops for stops in (-0.5, -0.5, 0.5, 0.5)]
    found = figures([pair], list(zip(before, after, strict=True))).histograms["stops"]
    assert {n: share for n, share in enumerate(found.before) if share} == dict.fromkeys(
        (0, 5, 8, 15), 0.25
    )
    assert {n: share for n, share in enumerate(found.after) if share} == {7: 0.5, 9: 0.5}


def test_a_picture_without_anything_has_figures():
    black = np.zeros((3, 3, 3), np.uint8)
    found = figures([compare(black, black)], [])
    assert found.newly_clipped == found.flat_changed == found.edges_changed == 0
    assert found.data_mean == found.data_mean_before == (0, 0, 0)


def test_flat_windows_have_one_colour():
    picture = np.full((9, 12, 3), 7, np.uint8)
    assert flat_windows(picture).shape == (5, 8)
    assert flat_windows(picture).all()
    picture[4, 0, 2] = 8
    assert not flat_windows(picture)[:, 0].any()
    assert flat_windows(picture)[:, 1:].all()


def test_data_mean_is_that_of_the_authors_script(flats):
    pictures = [flats(1), flats(2) // 2]
    # Their loop: the mean of each picture's means, B, G, R; then the gray mean less each.
    blue, green, red = (
        np.mean([picture[..., 2 - channel].mean() for picture in pictures]) for channel in range(3)
    )
    gray = (blue + green + red) / 3
    found = figures([compare(picture, picture) for picture in pictures], []).data_mean
    assert found == pytest.approx([gray - blue, gray - green, gray - red], abs=1e-4)


def test_data_mean_of_a_warm_set_adds_blue():
    shares = np.zeros((4, 256))
    shares[(1, 2, 3), (150, 110, 100)] = 1
    assert data_mean(shares) == (20, 10, -30)


def test_neutral_gains_take_a_known_cast_away(flats):
    gray = [np.repeat(flats(seed)[..., 1:2], 3, axis=2) // 2 + 20 for seed in range(3)]
    cast = np.array((1.3, 1.0, 0.7))
    warm = [to_levels(to_linear(picture) * cast) for picture in gray]
    gains = np.array(neutral_gains(warm))
    assert gains * cast == pytest.approx(gains[1], rel=0.01)
    cooled = [compensate(picture, Change(level_table(same, 200, tuple(gains)))) for picture in warm]
    weights = np.array((0.2126, 0.7152, 0.0722))
    light, light_now = (np.mean([to_linear(p) @ weights for p in set_]) for set_ in (warm, cooled))
    assert light_now == pytest.approx(light, rel=0.01)
    assert np.abs(figures([compare(p, p) for p in cooled], []).data_mean).max() < 0.5
    assert np.abs(figures([compare(p, p) for p in warm], []).data_mean).max() > 10


def test_black_sets_can_be_neutralised():
    assert neutral_gains([np.zeros((4, 4, 3), np.uint8)]) == (1, 1, 1)


def test_pure_gains_shift_no_hue_and_turned_hues_do(scene):
    picture = (40 + scene(1, *SIZE) * 0.3).astype(np.uint8)
    for stops in (-0.5, 0.5):
        assert hue_shift(picture, exposed(picture, stops)) < 1
    assert hue_shift(picture, picture) == 0
    assert hue_shift(picture, picture[..., [1, 2, 0]]) > 5
    gammas = np.clip(255 * (picture / 255) ** (0.6, 1.0, 1.5), 0, 255).astype(np.uint8)
    assert hue_shift(picture, gammas) > 3


def test_large_sets_are_sampled_evenly(tmp_path, monkeypatch, flats):
    monkeypatch.setattr("animeprep.exposure.figures._MOST_CROPS", 3)
    monkeypatch.setattr("animeprep.exposure.figures._MOST_SOURCES", 2)
    unchanged = Change(level_table(same, 255))
    paths = []
    for number in range(7):
        paths.append(tmp_path / f"{number}.png")
        write_png(paths[-1], exposed(flats(1), -0.3 * number))
    found = measure_set([(path, path) for path in paths], [(path, unchanged) for path in paths])
    assert found
    assert found.compared == 3
    ends = [thumbnail(exposed(flats(1), stops), 320) for stops in (0, -1.8)]
    stops = np.log2([log_average(picture) for picture in ends])
    assert found.spread_before_ev == found.spread_after_ev
    assert found.spread_after_ev == pytest.approx(stops.std(), abs=1e-4)


def test_broken_and_missing_pictures_are_passed_over(tmp_path, flats):
    unchanged = Change(level_table(same, 255))
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    write_png(good, flats(1))
    broken.write_bytes(b"no picture")
    found = measure_set(
        [(good, good), (good, broken), (tmp_path / "none.png", good)],
        [(good, unchanged), (broken, unchanged), (tmp_path / "none.png", unchanged)],
    )
    assert found
    assert found.compared == 1
    assert measure_set([(broken, broken)], []) is None
