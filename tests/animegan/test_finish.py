import numpy as np
from skimage.color import rgb2ycbcr

from animegan.finish import beside, blend, keep_colours


def pictures(kind=np.uint8):
    rng = np.random.default_rng(0)
    limit = np.iinfo(kind).max
    photo = rng.integers(limit // 4, limit // 2, (20, 30, 3)).astype(kind)
    return photo, (photo * 0.6).astype(kind)[:, ::-1]


def test_the_photos_colours_stay_and_its_brightness():
    photo, painted = pictures()
    before, after = rgb2ycbcr(photo), rgb2ycbcr(keep_colours(photo, painted))
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=1)
    np.testing.assert_allclose(after[..., 0].mean(), before[..., 0].mean(), atol=0.5)
    np.testing.assert_allclose(after[..., 0].std(), before[..., 0].std(), atol=0.5)
    # The structure is the painting's.
    luma = rgb2ycbcr(painted)[..., 0]
    assert np.corrcoef(after[..., 0].ravel(), luma.ravel())[0, 1] > 0.99


def test_a_blend_lies_between():
    for kind in (np.uint8, np.uint16):
        photo, painted = pictures(kind)
        np.testing.assert_array_equal(blend(photo, painted, 0), photo)
        np.testing.assert_array_equal(blend(photo, painted, 1), painted)
        half = blend(photo, painted, 0.5)
        assert half.dtype == kind
        np.testing.assert_allclose(half, (photo.astype(float) + painted) / 2, atol=0.5)


def test_beside():
    photo, painted = pictures()
    both = beside(photo, painted)
    np.testing.assert_array_equal(both[:, :30], photo)
    np.testing.assert_array_equal(both[:, 30:], painted)
