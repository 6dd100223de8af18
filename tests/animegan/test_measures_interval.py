import numpy as np
import pytest

from animegan.measures import interval


def test_mean_has_the_interval_of_the_central_limit():
    values = np.random.default_rng(1).normal(5, 2, 400)
    value, low, high = interval.mean(values)
    assert value == pytest.approx(values.mean())
    assert low == pytest.approx(value - 1.96 * 2 / 20, abs=0.03)
    assert high == pytest.approx(value + 1.96 * 2 / 20, abs=0.03)


def test_intervals_are_the_same_each_time_and_differ_by_seed():
    values = np.arange(10.0)
    assert interval.mean(values) == interval.mean(values)
    first, other = (interval.bootstrap(10, lambda t: t @ values / 10, seed) for seed in (0, 1))
    assert first.value == other.value
    assert first != other


def test_one_photo_and_equal_photos_leave_no_doubt():
    assert interval.mean([3.0]) == (3.0, 3.0, 3.0)
    assert interval.mean([2.0] * 5) == (2.0, 2.0, 2.0)


def test_ratio_is_sum_over_sum():
    value, low, high = interval.ratio([1.0, 1.0], [1.0, 3.0], 0.1)
    assert value == 0.5
    assert low == pytest.approx(1 / 3)
    assert high == 1.0


def test_draws_without_a_value_are_left_out():
    def without_first(times):
        return np.where(times[:, 0] > 0, 1.0, np.nan)

    assert interval.bootstrap(4, without_first) == (1.0, 1.0, 1.0)


def test_nothing_over_nothing_is_one():
    assert interval.ratio([0.0, 0.0], [0.0, 0.0], 1) == (1, 1, 1)
    assert interval.ratio([4.0, 0.0], [0.0, 0.0], 1)[0] == 2
    assert interval.ratio([4.0, 4.0], [0.0, 8.0], 1)[2] == 4
