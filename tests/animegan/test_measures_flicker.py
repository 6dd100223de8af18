import numpy as np
import pytest

from animegan.measures.flicker import static_change, warping_error


@pytest.fixture
def pan(scene):
    """Two pictures of a pan of 3 pixels."""
    wide = scene(4, 160, 259)
    return wide[:, :256], wide[:, 3:]


def test_paintings_that_move_with_the_film_do_not_flicker(pan):
    painted = tuple(255 - picture for picture in pan)
    assert warping_error(pan, painted) < 4
    assert warping_error(pan, (painted[0], painted[0])) > 12


def test_a_change_of_brightness_is_the_error(pan):
    painted = tuple((picture // 2 + 60).astype(np.uint8) for picture in pan)
    brighter = painted[0], painted[1] + np.uint8(10)
    assert warping_error(pan, brighter) == pytest.approx(10, abs=1)


def test_only_what_stands_still_counts(scene):
    before = scene(1, 64, 128)
    after = before.copy()
    after[:, 64:] = 255 - after[:, 64:]
    painted = np.full_like(before, 100)
    changed = painted.copy()
    changed[:, :64] += 4
    changed[:, 64:] += 90
    assert static_change((before, after), (painted, changed)) == 4
    assert np.isnan(static_change((before, 255 - before), (painted, changed)))
