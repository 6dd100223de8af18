import numpy as np
import pytest

from animegan.measures.artefacts import artefacts


def _gray(values):
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("sigma", [2.0, 6.0, 15.0])
def test_white_noise_is_its_deviation(sigma):
    noise = np.random.default_rng(0).normal(128, sigma, (256, 256))
    assert artefacts(_gray(noise)) == pytest.approx(sigma, rel=0.1, abs=0.25)


def test_a_checkerboard_is_seen_and_edges_are_not(scene):
    board = np.indices((128, 128)).sum(0) % 2
    assert artefacts(_gray(100 + 10 * board)) == pytest.approx(10 / 0.6745)
    drawing = scene(0)
    assert artefacts(drawing) < 2
    added = np.indices(drawing.shape[:2]).sum(0)[..., None] % 2 * 12 - 6
    boarded = np.clip(drawing + added, 0, 255).astype(np.uint8)
    assert artefacts(boarded) > artefacts(drawing) + 10


def test_odd_sizes_and_flat_pictures():
    assert artefacts(np.full((33, 35, 3), 50, np.uint8)) == 0
