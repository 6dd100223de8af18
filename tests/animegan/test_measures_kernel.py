import numpy as np
import pytest

from animegan.measures.interval import bootstrap
from animegan.measures.kernel import kernel_distance


def _set(pictures, rng, shift=0.0, patches=6):
    return [rng.normal(shift, 1, (patches, 8)) for _ in range(pictures)]


def _plain(one, other):
    """MMD² over pairs of different pictures, patch by patch."""

    def kernel(x, y):
        return (x @ y / len(x) + 1) ** 3

    def mean(first, second, *, same):
        return np.mean(
            [
                np.mean([kernel(x, y) for x in a for y in b])
                for i, a in enumerate(first)
                for j, b in enumerate(second)
                if not (same and i == j)
            ]
        )

    within = mean(one, one, same=True) + mean(other, other, same=True)
    return within - 2 * mean(one, other, same=False)


def test_it_is_the_plain_sum_over_pairs():
    rng = np.random.default_rng(0)
    one, other = _set(4, rng), _set(3, rng, 0.4, patches=5)
    value = kernel_distance(one, other)(np.ones((1, 4)))[0]
    assert value == pytest.approx(_plain(one, other))


def test_a_picture_counted_twice_is_not_compared_with_itself():
    rng = np.random.default_rng(0)
    one, other = _set(3, rng), _set(3, rng)
    distance = kernel_distance(one, other)
    assert np.isnan(distance(np.array([[3.0, 0, 0]]))[0])
    assert distance(np.array([[1.0, 1, 0]]))[0] == pytest.approx(_plain(one[:2], other))


def test_two_halves_of_one_source_have_no_distance_and_other_sources_do():
    rng = np.random.default_rng(3)
    style = _set(24, rng)
    halves = bootstrap(12, kernel_distance(style[::2], style[1::2]))
    near = bootstrap(12, kernel_distance(_set(12, rng, 0.3), style))
    far = bootstrap(12, kernel_distance(_set(12, rng, 1.0), style))
    assert halves.low < 0 < halves.high
    assert 0 < near.low < near.high < far.low


def test_a_single_picture_is_compared_patch_by_patch():
    rng = np.random.default_rng(0)
    (one,), other = _set(1, rng), _set(3, rng)
    value = kernel_distance([one], other)(np.ones((1, 1)))[0]
    assert value == pytest.approx(_plain([patch[None] for patch in one], other), abs=0.2)
    assert np.isfinite(value)
