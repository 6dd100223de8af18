import numpy as np
import pytest
import torch

from animegan.measures.content import edge_agreement, unlike


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((8, 8, 1), np.uint8)) for one in coarse]


def test_edges_agree_with_themselves_in_any_colours(pictures):
    photo, _ = pictures
    assert edge_agreement(photo, photo) == pytest.approx(1)
    assert edge_agreement(photo, 255 - photo) == pytest.approx(1, abs=1e-3)
    assert edge_agreement(photo, photo // 2) > 0.99


def test_edges_of_another_picture_agree_less(pictures, soften):
    photo, other = pictures
    assert edge_agreement(photo, soften(photo, 2)) > 0.7
    assert edge_agreement(photo, np.roll(photo, 4, axis=(0, 1))) < 0.3
    assert edge_agreement(photo, other) < 0.8


def test_a_picture_without_edges_agrees_with_none(pictures):
    flat = np.full((64, 64, 3), 120, np.uint8)
    assert edge_agreement(pictures[0], flat) == 0
    assert edge_agreement(flat, flat) == 0


def test_photos_that_do_not_differ_still_give_a_scale():
    one, other = torch.full((1, 2, 4, 4), 3.0), torch.full((1, 2, 4, 6), 5.0)
    assert unlike([one, other]) == 2
    assert unlike([one, one, other]) == 2
    halves = torch.cat((torch.zeros(1, 2, 4, 4), one), 3)
    assert unlike([halves]) == unlike([halves, halves]) == 3
    assert unlike([one, one]) == 3
    assert unlike([one * 0]) == 1
