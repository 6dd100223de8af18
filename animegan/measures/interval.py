"""A value with the interval that the choice of photos leaves: the bootstrap.

Photos are drawn with replacement, as many as there are, a thousand times; what the middle 95 % of
those draws give is the interval. A measure is a function of how often each photo was drawn, so
that a mean, a ratio of sums and a distance between sets are treated alike.

Source: Efron & Tibshirani, "An introduction to the bootstrap" (1993), percentile interval.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
#: How often each photo was drawn, R×N → the measure in each of the R draws; NaN where a draw has
#: none.
Statistic = Callable[[Values], Values]

_ROUNDS = 1000


class Interval(NamedTuple):
    """A measured value, and the 95 % interval over the photos."""

    value: float
    low: float
    high: float


#: Name → what was measured.
Measures = dict[str, Interval]


def bootstrap(photos: int, statistic: Statistic, seed: int = 0) -> Interval:
    """The 95 % percentile interval of a measure over N photos.

    Args:
        photos: N, at least 1.
        statistic: the measure, given how often each photo is counted.
        seed: of the draws; the same seed draws the same photos for every measure.

    Returns:
        The value with every photo counted once; both bounds are that value where N is 1.

    >>> bootstrap(4, lambda times: times @ [1.0, 2.0, 3.0, 4.0] / 4).value
    2.5
    """
    value = float(statistic(np.ones((1, photos)))[0])
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(photos, np.full(photos, 1 / photos), _ROUNDS).astype(np.float64)
    drawn = statistic(draws)
    drawn = drawn[np.isfinite(drawn)]
    if photos == 1 or not drawn.size:
        return Interval(value, value, value)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value, float(low), float(high))


def mean(values: ArrayLike) -> Interval:
    """The mean over photos: N values, one a photo."""
    numbers = np.asarray(values, np.float64)
    return bootstrap(len(numbers), lambda times: times @ numbers / times.sum(1))


def ratio(values: ArrayLike, against: ArrayLike, least: float) -> Interval:
    """Mean over mean.

    Args:
        values: N numbers, one a photo.
        against: N that they are compared with.
        least: a mean below this counts as this, so that hardly anything over nothing stays 1.

    >>> ratio([1.0, 3.0], [4.0, 4.0], 0.1).value
    0.5
    """
    above, below = np.asarray(values, np.float64), np.asarray(against, np.float64)

    def over(times: Values) -> Values:
        means = ((times @ numbers) / times.sum(1) for numbers in (above, below))
        one, other = (np.maximum(numbers, least) for numbers in means)
        return np.asarray(one / other)

    return bootstrap(len(above), over)
