"""The generator and the critic: sizes of the report, words that meet pictures."""

from typing import Any

import pytest
import torch

from animegan.faces.networks import FaceCritic, FaceGenerator
from animegan.faces.words import WIDTH
from animegan.models.blocks import count_parameters
from benchmarks.plain_faces import judge

SMALL: dict[str, Any] = {"start": 8, "filters": 2}


def pictures(count=3):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def words(count=3):
    return torch.eye(WIDTH)[:count]


def test_the_networks_have_the_reports_parameters():
    with torch.device("meta"):
        assert count_parameters(FaceGenerator()) == 19_245_315
        assert count_parameters(FaceCritic()) == 17_304_705


def test_batch_norms_add_two_numbers_a_channel():
    plain, normed = (count_parameters(FaceGenerator(norm=n, **SMALL)) for n in ("none", "batch"))
    assert normed - plain == 2 * (8 + 8 + 4 + 2)


def test_faces_are_pictures_of_64_pixels_in_range():
    faces = FaceGenerator(**SMALL)(torch.randn(3, 100), words())
    assert faces.shape == (3, 3, 64, 64)
    assert float(faces.detach().abs().max()) <= 1


def test_words_that_are_convolved_once_are_words_tiled_over_the_picture():
    critic = FaceCritic(4)
    condition = torch.rand(3, WIDTH)
    expected = judge(critic, pictures(), condition)
    assert torch.allclose(critic(pictures(), condition), expected, atol=1e-6)


@pytest.mark.parametrize("joined", ["input", "features", "head"])
def test_only_words_joined_before_the_head_can_be_a_mismatch(joined):
    critic = FaceCritic(4, joined)
    one, other = pictures(2).split(1)
    first, second = words(2).split(1)
    # f(x) + h(c) gains the same by other words, whatever the picture.
    gains = [critic(face, second) - critic(face, first) for face in (one, other)]
    assert torch.allclose(gains[0], gains[1], atol=1e-6) == (joined == "head")
