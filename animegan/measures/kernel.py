"""The kernel distance between two sets of pictures: 0 for two halves of one set.

Each picture is a handful of patches, each patch a vector of features. The squared maximum mean
discrepancy with a cubic kernel is zero in the mean where both sets are drawn from one source, for
sets of any size, because no picture is ever compared with itself; so it may come out a little
below 0.

Source: Gretton et al., "A kernel two-sample test" (JMLR 2012), lemma 6; with the kernel of
Bińkowski et al., "Demystifying MMD GANs" (ICLR 2018).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from animegan.measures.interval import Statistic, Values

#: Features of a picture's patches: P×D.
Patches = NDArray[np.float64]


def cubic(one: Patches, other: Patches) -> Values:
    """k(x, y) = (x·y / D + 1)³ of every pair: P×D, Q×D → P×Q.

    >>> cubic(np.array([[1.0, 1.0]]), np.array([[1.0, 1.0], [-1.0, -1.0]])).tolist()
    [[8.0, 0.0]]
    """
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)


def kernel_distance(painted: Sequence[Patches], style: Sequence[Patches]) -> Statistic:
    """MMD² = mean k(x, x') - 2 mean k(x, y) + mean k(y, y'), over pairs of different pictures.

    Args:
        painted: for each of N pictures its patches; at least one picture.
        style: the same of the style pictures.

    Returns:
        The distance as a function of how often each painted picture is counted. A set of one
        picture is taken apart: different patches of it are its pairs.
    """
    within = _between(painted, painted)
    across = _between(painted, style).mean(1)
    style_within = float(_pairs(_between(style, style))(np.ones((1, len(style))))[0])
    pairs = _pairs(within)
    return lambda times: pairs(times) - 2 * (times @ across) / times.sum(1) + style_within


def _between(one: Sequence[Patches], other: Sequence[Patches]) -> Values:
    """Mean kernel between the patches of every two pictures; one picture with itself: N×M.

    A patch is not compared with itself, where a picture is.
    """
    kernels = cubic(np.concatenate(one), np.concatenate(other))
    same = one is other
    if same:
        np.fill_diagonal(kernels, 0)
    rows, columns = (np.array([len(patches) for patches in pictures]) for pictures in (one, other))
    tops, lefts = (np.cumsum(lengths) - lengths for lengths in (rows, columns))
    pairs = np.outer(rows, columns) - (np.diag(rows) if same else 0)
    sums = np.add.reduceat(np.add.reduceat(kernels, tops, 0), lefts, 1)
    return np.asarray(sums / np.maximum(1, pairs))


def _pairs(within: Values) -> Statistic:
    """The mean over pairs of different pictures; NaN where a draw has but one picture."""
    if len(within) == 1:
        return lambda times: np.full(len(times), within[0, 0])
    others = within - np.diag(np.diag(within))

    def mean(times: Values) -> Values:
        pairs = times.sum(1) ** 2 - (times**2).sum(1)
        total = ((times @ others) * times).sum(1)
        return np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)

    return mean
