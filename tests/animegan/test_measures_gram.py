import numpy as np
import pytest

from animegan.measures.gram import gram_distance


def test_it_is_the_distance_of_the_means_over_the_photos_drawn():
    painted = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 3.0)]).astype(np.float32)
    style = np.full((5, 2, 2), 1.5, np.float32)
    distance = gram_distance(painted, style)
    draws = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    assert distance(draws).tolist() == pytest.approx([0.5, 0.5, 1.5])


def test_every_entry_of_the_symmetric_matrices_counts_once():
    rng = np.random.default_rng(0)
    painted, style = (rng.random((4, 5, 5), dtype=np.float32) for _ in range(2))
    painted, style = painted + painted.mT, style + style.mT
    times = rng.multinomial(4, [0.25] * 4, 70).astype(float)
    means = np.einsum("rn,nij->rij", times / 4, painted)
    wanted = np.abs(means - style.mean(0)).mean((1, 2))
    assert gram_distance(painted, style)(times) == pytest.approx(wanted, rel=1e-5)
