import pytest
import torch

from animegan.models.resampling import (
    Enlarge,
    EnlargeAligned,
    EnlargeLegacy,
    Shrink,
    ShrinkLegacy,
)


def line(*values):
    """One row of pixels, as a picture whose columns are alike."""
    return torch.tensor(values)[None, None, None, :].expand(1, 1, 2, -1)


def row(picture):
    return picture[0, 0, 0].tolist()


def test_doubling_in_all_three_ways():
    ramp = line(0.0, 1.0, 4.0)
    assert row(Enlarge()(ramp)) == pytest.approx([0, 0.25, 0.75, 1.75, 3.25, 4])
    assert row(EnlargeLegacy()(ramp)) == [0, 0.5, 1, 2.5, 4, 4]
    # Six results over two gaps: steps of 2/5 of a pixel.
    assert row(EnlargeAligned()(ramp)) == pytest.approx([0, 0.4, 0.8, 1.6, 2.8, 4])


def test_halving_in_both_ways():
    ramp = line(0.0, 1.0, 4.0, 8.0)
    assert row(Shrink()(ramp)) == [0.5, 6]
    assert row(ShrinkLegacy()(ramp)) == [0, 4]


@pytest.mark.parametrize("resize", [Enlarge, EnlargeAligned, EnlargeLegacy])
def test_rows_are_doubled_as_columns_are(resize):
    features = torch.randn(2, 3, 4, 5)
    assert resize()(features).shape == (2, 3, 8, 10)
    torch.testing.assert_close(resize()(features.mT).mT, resize()(features))
