import numpy as np
import pytest
import torch

from animegan.measures import classifier as module
from animegan.measures.classifier import PATCH, Classifier, cut, train_classifier, varied
from animegan.measures.interval import bootstrap
from animegan.measures.kernel import kernel_distance
from animeprep.images import to_gray


def _blocks(rng, side=96):
    coarse = rng.integers(30, 226, (side // 16, side // 16, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


def _textured(rng, side=96):
    noise = rng.normal(0, 18, (side, side, 1))
    return np.clip(_blocks(rng, side) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEWEST", 48)
        patch.setattr(module, "_STEPS", 30)
        return train_classifier(
            [_blocks(rng) for _ in range(4)], [_textured(rng) for _ in range(4)]
        )


def test_it_tells_drawings_from_textured_pictures(trained):
    rng = np.random.default_rng(1)
    with torch.inference_mode():
        drawn = torch.cat([trained(cut(_blocks(rng))) for _ in range(6)])
        photographed = torch.cat([trained(cut(_textured(rng))) for _ in range(6)])
    assert (drawn > 0).float().mean() > 0.9
    assert (photographed < 0).float().mean() > 0.9


def test_features_rank_sets_and_hold_two_halves_together(trained):
    rng = np.random.default_rng(2)
    style = [trained.features(_blocks(rng)) for _ in range(12)]
    photos = [trained.features(_textured(rng)) for _ in range(6)]
    mixed = [trained.features(_blocks(rng) // 2 + _textured(rng) // 2) for _ in range(6)]
    far = bootstrap(6, kernel_distance(photos, style)).value
    halves = bootstrap(6, kernel_distance(style[::2], style[1::2])).value
    assert abs(halves) < 0.2 * far
    assert halves < bootstrap(6, kernel_distance(mixed, style)).value
    assert all(np.abs(patches).max() <= 4 for patches in photos)


def test_colours_have_no_say(trained):
    picture = np.full((96, 96, 3), 128, np.uint8)
    picture[32:, 16:] = (200, 200, 200)
    assert trained.features(picture).shape == (1, 64)
    gray = np.repeat(np.repeat([[100, 180]], 48, 1), 96, 0).astype(np.uint8)
    red = np.stack((gray, gray // 2, gray // 3), 2)
    luma = to_gray(red)
    same = np.repeat(luma[..., None], 3, 2)
    assert np.array_equal(trained.features(red), trained.features(same))


def test_the_same_pictures_and_seed_give_the_same_weights(monkeypatch):
    monkeypatch.setattr(module, "_FEWEST", 16)
    monkeypatch.setattr(module, "_STEPS", 3)
    rng = np.random.default_rng(0)
    sets = [_blocks(rng)], [_textured(rng)]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (train_classifier(*sets, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_patches_cover_a_picture_from_edge_to_edge():
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (64, 200, 3))
    patches = cut(np.ascontiguousarray(ramp))
    assert patches.shape == (3, 1, PATCH, PATCH)
    assert patches[0].min() == 0
    assert patches[-1].max() == 199


def test_a_patch_to_learn_from_differs_in_all_but_its_drawing():
    picture = _blocks(np.random.default_rng(0))
    drawn = [varied(picture, np.random.default_rng(seed)) for seed in range(4)]
    assert {one.shape for one in drawn} == {(PATCH, PATCH)}
    assert len({one.tobytes() for one in drawn}) == 4


def test_flat_pictures_have_finite_features():
    network = Classifier()
    assert np.isfinite(network.features(np.zeros((64, 64, 3), np.uint8))).all()
