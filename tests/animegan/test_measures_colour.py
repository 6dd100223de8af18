import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from animegan.measures.colour import compare_colours, to_lab
from animeprep.images import to_gray


@pytest.fixture(scope="module")
def photo():
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def test_lab_and_difference_are_those_of_scikit_image():
    one = np.full((96, 96, 3), (200, 40, 90), np.uint8)
    other = np.full((96, 96, 3), (30, 160, 90), np.uint8)
    assert to_lab(one)[0, 0] == pytest.approx(rgb2lab(one)[0, 0], abs=0.2)
    wanted = deltaE_ciede2000(rgb2lab(one), rgb2lab(other)).mean()
    assert compare_colours(one, other).difference == pytest.approx(wanted, abs=0.2)


def test_a_gray_picture_has_lost_its_chroma_and_no_contrast(photo):
    gray = np.repeat(to_gray(photo)[..., None], 3, axis=2)
    found = compare_colours(photo, gray)
    assert found.chroma < 0.02 * found.photo_chroma
    assert found.contrast == pytest.approx(found.photo_contrast, rel=0.25)


def test_a_washed_picture_has_lost_contrast(photo):
    washed = (photo // 4 + 150).astype(np.uint8)
    found = compare_colours(photo, washed)
    assert found.contrast < 0.4 * found.photo_contrast
    assert found.difference > 15


def test_a_turned_hue_is_a_difference_without_loss_of_chroma(photo):
    found = compare_colours(photo, np.roll(photo, 1, axis=2))
    assert found.difference > 20
    assert found.chroma == pytest.approx(found.photo_chroma, rel=0.2)


def test_a_cast_moves_the_mean_colour(photo):
    warm = np.clip(photo + np.array((40, 10, -30)), 0, 255).astype(np.uint8)
    assert np.hypot(*compare_colours(photo, photo).shift) == 0
    assert compare_colours(photo, warm).shift[1] > 10
