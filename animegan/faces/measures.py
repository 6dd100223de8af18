"""What is measured of drawn faces: arrays in, numbers out.

accuracy        share of the faces in which a classifier sees the colour that was asked for
diversity       how far apart faces of the same words are, over real ones of the same words
nearest         how near the nearest training face is, beside how near held-out faces have one
kernel distance to real faces, of what the faces show; jointly: of that together with the words

The joint distance tells realism and following in one number, so a training can choose its best
step by it: it is 0 for real faces with their words, above 0 for real faces with others' words, for
unreal faces, and where few faces stand for many.

Source: the kernel distance as in `animegan.measures.kernel`; joined with the condition after
DeVries et al., "On the evaluation of conditional GANs" (2019), who do so with the Fréchet distance.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from animegan.faces.words import EYES, UNSAID
from animegan.measures import interval
from animegan.measures.interval import Interval, Values
from animegan.measures.kernel import kernel_distance

#: Features or pixels of N faces, N×D.
Features = NDArray[np.float64]
#: Colours of N faces as their places in `words`, `UNSAID` where nothing is said.
Places = NDArray[np.int64]

#: Standardised features are squeezed to ± this, so that no face outweighs all others.
_BOUND = 4.0
#: Deviations below this share of the mean one count as that: a feature that is hardly ever there.
_LEAST = 1e-3
_TINY = 1e-12
#: Training faces that are compared at once.
_PART = 4096
#: Percentiles of the held-out faces' distances that drawn faces are counted below.
PERCENTILES = (1, 5)


class Accuracy(NamedTuple):
    """How often what is seen is what was asked for.

    Attributes:
        right: the share, 0 to 1, over the faces of which something was asked.
        shuffled: the same with each face against the words of another one, in the mean over all
            pairs of two: what faces reach that do not heed their words. None for a single face.
        majority: what the one answer reaches that is said most often of training faces.
    """

    right: Interval
    shuffled: float | None
    majority: float


def accuracy(seen: Places, asked: Places, learned: Places | None = None) -> Accuracy:
    """How often what is seen is what was asked for.

    Args:
        seen: what a classifier says of N faces.
        asked: what they were drawn for; something is said of one at least.
        learned: what is said of the training faces; by default what was asked.

    >>> found = accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]))
    >>> found.right.value, round(found.shuffled, 3), found.majority
    (0.75, 0.25, 0.5)
    """
    said = asked != UNSAID
    seen, asked = seen[said], asked[said]
    count, right = len(asked), seen == asked
    most = int(max(seen.max(), asked.max())) + 1
    of_seen, of_asked = (np.bincount(places, minlength=most) for places in (seen, asked))
    pairs = count * (count - 1)
    shuffled = (int(of_seen @ of_asked) - int(right.sum())) / pairs if pairs else None
    learned = asked if learned is None else learned[learned != UNSAID]
    commonest = np.bincount(learned, minlength=1).argmax()
    return Accuracy(interval.mean(right), shuffled, float((asked == commonest).mean()))


def both(hair: Places, eyes: Places) -> Places:
    """One place for both colours; `UNSAID` where nothing is said of one of them."""
    said = (hair != UNSAID) & (eyes != UNSAID)
    return np.where(said, hair * len(EYES) + eyes, UNSAID)


def diversity(
    drawn: Features, words: Places, real: Features, real_words: Places
) -> Interval | None:
    """How far apart faces of the same words are, over real faces of the same words.

    Args:
        drawn: N×D.
        words: of these faces, as `both` numbers them.
        real: M×D.
        real_words: of these.

    Returns:
        The mean distance of two faces of the same words over that of real ones, with the interval
        over those words that two of both kinds have: 1 is as various as real faces, 0 one picture.
        None where there are no such words.
    """
    ours, theirs = (_apart(*one) for one in ((drawn, words), (real, real_words)))
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    return interval.ratio([ours[one] for one in shared], [theirs[one] for one in shared], _TINY)


def _apart(features: Features, words: Places) -> dict[int, float]:
    """Words → the mean distance of two of their faces, where there are two."""
    found = {}
    for one in np.unique(words[words != UNSAID]):
        faces = features[words == one]
        if len(faces) > 1:
            distances = np.sqrt(_squares(faces, faces))
            found[int(one)] = float(distances[np.triu_indices(len(faces), 1)].mean())
    return found


def _squares(one: Features, other: Features) -> Values:
    """Squared distance of every pair: N×D, M×D → N×M."""
    lengths = (one**2).sum(1)[:, None] + (other**2).sum(1)
    return np.asarray(np.maximum(lengths - 2 * (one @ other.T), 0))


class Nearest(NamedTuple):
    """The nearest training face of each of N faces.

    Attributes:
        distances: how far it is.
        places: which it is.
    """

    distances: Values
    places: Places


def nearest(faces: Features, mirrored: Features, train: Features) -> Nearest:
    """The nearest training face, a mirrored one as well.

    Args:
        faces: N×D.
        mirrored: the same faces, mirrored; N×D.
        train: M×D.
    """
    rows = np.arange(len(faces))
    least, places = np.full(len(faces), np.inf), np.zeros(len(faces), np.int64)
    for first in range(0, len(train), _PART):
        part = train[first : first + _PART]
        squares = np.minimum(_squares(faces, part), _squares(mirrored, part))
        here = squares.argmin(1)
        nearer = squares[rows, here] < least
        least[nearer], places[nearer] = squares[rows, here][nearer], first + here[nearer]
    return Nearest(np.sqrt(least), places)


class Memorising(NamedTuple):
    """Whether drawn faces are nearer to the training set than faces that it does not hold.

    Attributes:
        ratio: median distance to the nearest training face over that of held-out faces; 0 for
            copies. A blurred face is near to many, so a low one alone proves no copies.
        nearer: percentile of the held-out faces' distances → the share of drawn faces below it,
            which that percentage of new real faces is.
    """

    ratio: Interval
    nearer: dict[int, Interval]


def memorising(drawn: Values, held_out: Values) -> Memorising:
    """Compare distances to the nearest training face: of N drawn faces, of M held-out ones."""
    usual = float(_median(held_out, np.ones((1, len(held_out))))[0])
    ratio = interval.bootstrap(len(drawn), lambda times: _median(drawn, times) / max(usual, _TINY))
    bounds = {percent: np.percentile(held_out, percent) for percent in PERCENTILES}
    return Memorising(ratio, {percent: interval.mean(drawn < b) for percent, b in bounds.items()})


def _median(values: Values, times: Values) -> Values:
    """The lower median of values, each counted so many times: N, R×N → R."""
    order = np.argsort(values, kind="stable")
    counted = times[:, order].cumsum(1)
    return np.asarray(values[order][(counted >= counted[:, -1:] / 2).argmax(1)])


def distance(drawn: Features, real: Features) -> Interval:
    """The kernel distance of drawn faces to real ones, on their features.

    Args:
        drawn: N×D.
        real: M×D, by whose mean and deviation features are standardised.

    Returns:
        About 0 where both are real, with the interval over the drawn faces.
    """
    return _distance(*_standard(drawn, real))


def joint_distance(
    features: Features, conditions: Features, real_features: Features, real_conditions: Features
) -> Interval:
    """The kernel distance of drawn faces with their words to real faces with theirs.

    Words weigh as much as features: their one-hot vectors, less the mean of the real ones, are
    scaled to the length of the real faces' standardised features.

    Args:
        features: N×D, of faces drawn for `conditions`.
        conditions: N×23 as `words.conditions` makes them; as frequent as among the real faces.
        real_features: M×D.
        real_conditions: M×23.

    Returns:
        About 0 for real faces with their own words, with the interval over the drawn faces.
    """
    drawn, real = _standard(features, real_features)
    middle = real_conditions.mean(0)
    said, real_said = conditions - middle, real_conditions - middle
    weight = np.sqrt((real**2).sum() / max(float((real_said**2).sum()), _TINY))
    return _distance(np.hstack((drawn, weight * said)), np.hstack((real, weight * real_said)))


def _standard(drawn: Features, real: Features) -> tuple[Features, Features]:
    """Both with mean 0 and deviation 1 over the real faces, then bounded softly."""
    spread = real.std(0)
    spread = np.maximum(spread, max(_LEAST * float(spread.mean()), _TINY))
    scaled = ((one - real.mean(0)) / spread / _BOUND for one in (drawn, real))
    one, other = (np.tanh(values) * _BOUND for values in scaled)
    return one, other


def _distance(drawn: Features, real: Features) -> Interval:
    """A face is a picture of one patch."""
    statistic = kernel_distance(list(drawn[:, None]), list(real[:, None]))
    return interval.bootstrap(len(drawn), statistic)
