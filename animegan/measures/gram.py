"""The grayscale style distance of the training's own feature network, between sets.

It is what L_gra lowers, so it says how the training goes, not how well: that is for the kernel
distance to say, which the training cannot please.
"""

import numpy as np
from numpy.typing import NDArray

from animegan.measures.interval import Statistic, Values

#: Gram matrices, one a picture: N×C×C.
Grams = NDArray[np.float32]

_AT_ONCE = 32


def gram_distance(painted: Grams, style: Grams) -> Statistic:
    """The mean of |mean Gram of the painted - mean Gram of the style|, given the photos drawn.

    >>> apart = gram_distance(np.zeros((2, 3, 3), np.float32), np.ones((1, 3, 3), np.float32))
    >>> apart(np.ones((1, 2))).tolist()
    [1.0]
    """
    rows, columns = np.triu_indices(painted.shape[1])
    # Gram matrices are symmetric: each pair of channels once, those off the diagonal weigh double.
    weights = np.where(rows == columns, 1, 2).astype(np.float32) / painted[0].size
    apart = painted[:, rows, columns] - style[:, rows, columns].mean(0)

    def distance(times: Values) -> Values:
        shares = (times / times.sum(1, keepdims=True)).astype(np.float32)
        # A few draws at once: all of them would take a thousand matrices.
        blocks = np.array_split(shares, -(-len(shares) // _AT_ONCE))
        return np.concatenate([np.abs(block @ apart) @ weights for block in blocks]).astype(float)

    return distance
