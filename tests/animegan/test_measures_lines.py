import numpy as np
import pytest

from animegan.measures.lines import flatness, sharpness


def _flat(colour=90):
    return np.full((64, 64, 3), colour, np.uint8)


@pytest.fixture(scope="module")
def drawing():
    """Flat areas between crisp edges."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


@pytest.fixture(scope="module")
def textured(drawing):
    noise = np.random.default_rng(1).normal(0, 12, drawing.shape)
    return np.clip(drawing + noise, 0, 255).astype(np.uint8)


def test_texture_takes_flatness_and_blur_takes_sharpness(drawing, textured, soften):
    assert flatness(drawing) > 2.5 * flatness(textured)
    assert sharpness(drawing) > 1.2 * sharpness(soften(drawing, 1.5))
    assert sharpness(soften(drawing, 1.5)) > sharpness(soften(drawing, 3))


def test_a_step_is_as_steep_as_can_be():
    step = _flat()
    step[:, 32:] = 190
    # Of the six columns whose surroundings span the step, four lie beside its gradient of one half.
    assert sharpness(step) == pytest.approx(4 * 0.5 / 6)
    assert sharpness(_flat()) == 0
    assert flatness(_flat()) == 1
