import cv2
import numpy as np
import pytest

from animeprep.descriptor import BINS, LENGTH, describe, distances, from_text, squared, to_text
from animeprep.images import list_images, read_rgb


def apart(one, other):
    return distances(describe(one), describe(other)[None])[0]


def gained(picture, stops):
    """A photographer's exposure: a gain of linear light."""
    share = picture / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear * 2**stops, 0, 1)
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(coded * 255).astype(np.uint8)


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05, 0.1])
def test_steps_of_a_pan_are_nearer_than_other_paintings(scene, share):
    wide = scene(1, 270, 528)
    step = round(480 * share)
    others = min(apart(wide[:, :480], scene(seed)) for seed in range(2, 12))
    assert apart(wide[:, :480], wide[:, step : step + 480]) < others / 2


def test_a_zoom_a_figure_and_exposure_are_nearer_than_other_paintings(scene):
    painting = scene(1)
    others = min(apart(painting, scene(seed)) for seed in range(2, 12))
    zoomed = cv2.resize(painting[13:257, 24:456], (480, 270), interpolation=cv2.INTER_AREA)
    with_figure = cv2.circle(painting.copy(), (300, 200), 40, (210, 60, 60), -1)
    for changed in (zoomed, with_figure, gained(painting, -0.5), gained(painting // 2, 0.5)):
        assert apart(changed, painting) < others


def test_brightness_alone_changes_nearly_nothing(scene):
    dark = (scene(1) * 0.6).astype(np.uint8)
    assert apart(gained(dark, 0.5), dark) < 0.06 < apart(dark[..., ::-1], dark)


def test_size_and_places_do_not_matter(scene):
    painting = scene(1)
    large = cv2.resize(painting, (960, 540), interpolation=cv2.INTER_CUBIC)
    assert apart(painting, large) < 0.02
    small = cv2.resize(painting, (320, 180), interpolation=cv2.INTER_AREA)
    assert (describe(small[::-1, ::-1].copy()) == describe(small)).all()


def test_one_colour_fills_the_bins_around_it_and_probabilities_add_up():
    gray = describe(np.full((40, 60, 3), 128, np.uint8)).reshape(BINS).astype(float) / 255
    assert (gray**2).sum() == pytest.approx(1, abs=0.02)
    # a* = b* = 0 lies on the border between the two bins in the middle.
    assert (gray[:, 2:4, 2:4] ** 2).sum() == pytest.approx((gray**2).sum())


def test_bytes_are_known_and_survive_records(scene):
    one = describe(scene(1))
    assert one.dtype == np.uint8
    assert one.shape == (LENGTH,)
    assert (describe(scene(1)) == one).all()
    assert (from_text(to_text(one)) == one).all()


def test_extreme_pictures_have_descriptors():
    for level in (0, 255):
        flat = np.full((1, 1, 3), level, np.uint8)
        assert distances(describe(flat), describe(flat)[None])[0] == 0
    assert describe(np.zeros((4000, 1, 3), np.uint8)).any()


def test_squared_distances_are_exact(scene):
    table = np.stack([describe(scene(seed)) for seed in range(8)])
    whole = table.astype(int)
    slow = ((whole[:, None] - whole[None]) ** 2).sum(-1)
    assert (squared(table[:3], table) == slow[:3]).all()
    assert distances(table[0], table) == pytest.approx(np.sqrt(slow[0] / 2) / 255)


@pytest.mark.slow
def test_different_stills_are_farther_apart_than_near_copies(shared):
    paths = list_images(shared / "data" / "anime_frames")
    stills = [read_rgb(path) for path in paths]
    table = np.stack([describe(still) for still in stills])
    between = np.sqrt(squared(table, table) / 2) / 255
    assert between[np.triu_indices(len(table), 1)].min() > 0.2
    pans = []
    for still in stills[::6]:
        width = round(still.shape[1] / 1.1)
        pans.append(apart(still[:, :width], still[:, -width:]))
    assert np.percentile(pans, 95) < 0.17
