"""How good a generator's faces are: drawn for the words of held-out ones, measured beside them.

What judges is the examiner, which no generator learns from, and a network that learned nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from animegan.faces import measures
from animegan.faces.answers import Answers, compare
from animegan.faces.collection import Faces
from animegan.faces.looks import Looks, Sees, look
from animegan.faces.measures import Accuracy, Features, Memorising, Nearest, both
from animegan.faces.sampling import Point, Sampler
from animegan.faces.words import EYES, HAIR, UNSAID, Words, conditions
from animegan.measures import Interval
from animeprep.boxes import Picture
from animeprep.images import resize
from animeprep.progress import Advance, progress

#: What is compared: what the examiner makes of a face, and its pixels at this side.
FEATURES, PIXELS = "features", "pixels"
_SMALL = 16
#: What distances are measured on.
JOINT, EXAMINER, UNTRAINED = "joint", "examiner", "untrained"
#: How often the held-out faces are halved, by lot.
_HALVINGS = 10
#: Fewer held-out faces say nothing.
FEWEST = 4


@dataclass(frozen=True)
class Evaluation:
    """What was measured of the faces of one generator.

    Attributes:
        drawn: the faces, with the words that they were drawn for.
        accuracy: `hair`, `eyes` and `both` → how often they show what was asked for; without what
            no held-out face says.
        ceiling: the same of the held-out faces themselves.
        answers: what is seen in the drawn faces for each colour of hair, then of eyes.
        real_answers: the same of the held-out faces.
        diversity: `FEATURES` and `PIXELS` → how far apart faces of the same words are, over real
            ones; None where no words come twice.
        memorising: likewise, whether they are nearer to training faces than held-out ones are.
        nearest: likewise, the nearest training face of each.
        distances: `JOINT`, `EXAMINER`, `UNTRAINED` → `drawn`, `real` (one half of the held-out
            faces to the other, least, mean and largest of several halvings) and, where words count,
            `shuffled` (that half with others' words).
    """

    drawn: Faces
    accuracy: dict[str, Accuracy]
    ceiling: dict[str, Accuracy]
    answers: list[Answers]
    real_answers: list[Answers]
    diversity: dict[str, Interval | None]
    memorising: dict[str, Memorising]
    nearest: dict[str, Nearest]
    distances: dict[str, dict[str, Interval]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: intervals are [value, low, high]."""
        return {
            "faces": len(self.drawn),
            "accuracy": {
                name: {**found._asdict(), "ceiling": self.ceiling[name].right}
                for name, found in self.accuracy.items()
            },
            "colours": {
                one.attribute: {"right": one.recall, "confusion": one.confusion}
                for one in self.answers
            },
            "diversity": self.diversity,
            "memorising": {name: found._asdict() for name, found in self.memorising.items()},
            "distances": self.distances,
        }


def some_of(faces: Faces, most: int) -> Faces:
    """So many of the faces at most, by lot, always the same ones; their order stays."""
    return faces.take(np.sort(np.random.default_rng(0).permutation(len(faces))[:most]))


def words_of(faces: Faces) -> list[Words]:
    """What is said of each face."""
    return [Words.of(*places) for places in zip(faces.hair, faces.eyes, strict=True)]


def drawn_like(
    faces: Faces, sampler: Sampler, advance: Advance = lambda *_note, **_by: None
) -> NDArray[np.uint8]:
    """A face for the words of each, uint8 RGB N×64×64×3; no two of the same noise.

    Args:
        faces: at least one.
        sampler: draws.
        advance: is called after each face.
    """
    drawn = []
    for picture in sampler.draw(_points(sampler, words_of(faces))):
        drawn.append(picture)
        advance()
    return np.stack(drawn)


def _points(sampler: Sampler, words: Sequence[Words]) -> Iterator[Point]:
    numbers: Counter[Words] = Counter()
    for one in words:
        yield sampler.point(one, numbers[one])
        numbers[one] += 1


def grid_words(faces: Faces, count: int = 5) -> list[Words]:
    """The commonest colours of hair, each with another of the commonest of eyes."""
    pairs = zip(_commonest(faces.hair, HAIR), _commonest(faces.eyes, EYES), strict=False)
    return [Words(*pair) for pair in pairs][:count]


def _commonest(places: measures.Places, colours: Sequence[str]) -> list[str]:
    counts = Counter(places[places != UNSAID].tolist())
    return [colours[place] for place in sorted(counts, key=lambda place: (-counts[place], place))]


def measure(
    drawn: Faces, held_out: Faces, train: Faces, examiner: Sees, device: torch.device
) -> Evaluation:
    """Measure faces that were drawn for the words of held-out ones.

    Args:
        drawn: N faces, as `drawn_like` draws them.
        held_out: N faces, at least 2.
        train: what the generator learned from.
        examiner: in evaluation mode, on `device`.
        device: where to compute.
    """
    with progress("looking at faces", len(train) + 4 * len(held_out)) as advance:
        ours, real = (_Seen(faces, examiner, device, advance) for faces in (drawn, held_out))
        learned = _views(train, look(examiner, train.pictures, device, advance))
    nearest, memorising = {}, {}
    for name, faces in learned.items():
        nearest[name], usual = (
            measures.nearest(one.views[name], one.mirrored[name], faces) for one in (ours, real)
        )
        memorising[name] = measures.memorising(nearest[name].distances, usual.distances)
    return Evaluation(
        drawn,
        _accuracy(ours.looks, drawn, train),
        _accuracy(real.looks, held_out, train),
        compare("examiner", ours.looks[:2], drawn, train),
        compare("examiner", real.looks[:2], held_out, train),
        _diversity(ours, real, both(drawn.hair, drawn.eyes)),
        memorising,
        nearest,
        _distances(ours.looks, real.looks, conditions_of(drawn)),
    )


class _Seen:
    """Faces as they are looked at, and mirrored."""

    def __init__(
        self, faces: Faces, examiner: Sees, device: torch.device, advance: Advance
    ) -> None:
        turned = replace(faces, pictures=faces.pictures[:, :, ::-1])
        self.looks, mirrored = (
            look(examiner, one.pictures, device, advance) for one in (faces, turned)
        )
        self.views, self.mirrored = _views(faces, self.looks), _views(turned, mirrored)


def _views(faces: Faces, looks: Looks) -> dict[str, Features]:
    return {FEATURES: looks.features, PIXELS: _thumbnails(faces.pictures)}


def _thumbnails(pictures: Sequence[Picture] | Picture) -> Features:
    """N×768, 0 to 1."""
    small = [resize(np.ascontiguousarray(one), _SMALL, _SMALL) for one in pictures]
    return np.stack(small).reshape(len(small), -1) / 255


def _accuracy(looks: Looks, faces: Faces, train: Faces) -> dict[str, Accuracy]:
    """Of each attribute, and of both together, where something is said of a face."""
    triples = {
        "hair": (looks.hair, faces.hair, train.hair),
        "eyes": (looks.eyes, faces.eyes, train.eyes),
        "both": (
            both(looks.hair, looks.eyes),
            both(faces.hair, faces.eyes),
            both(train.hair, train.eyes),
        ),
    }
    return {
        name: measures.accuracy(*triple)
        for name, triple in triples.items()
        if (triple[1] != UNSAID).any()
    }


def _diversity(ours: _Seen, real: _Seen, words: measures.Places) -> dict[str, Interval | None]:
    return {
        name: measures.diversity(ours.views[name], words, real.views[name], words)
        for name in ours.views
    }


def conditions_of(faces: Faces) -> Features:
    """What is said of N faces as conditions, N×23."""
    return conditions(torch.from_numpy(faces.hair), torch.from_numpy(faces.eyes)).double().numpy()


def _distances(ours: Looks, real: Looks, words: Features) -> dict[str, dict[str, Interval]]:
    """To the held-out faces; what their own halves are from each other tells what is none."""
    drawn, theirs = ours.all_features, real.all_features
    rng = np.random.default_rng(0)
    halves = [np.array_split(rng.permutation(len(words)), 2) for _ in range(_HALVINGS)]
    found = {
        JOINT: {
            "drawn": measures.joint_distance(drawn, words, theirs, words),
            "real": _mean(
                measures.joint_distance(theirs[one], words[one], theirs[other], words[other])
                for one, other in halves
            ),
            "shuffled": _mean(
                measures.joint_distance(
                    theirs[one], words[rng.permutation(one)], theirs[other], words[other]
                )
                for one, other in halves
            ),
        }
    }
    for name, (faces, held_out) in {
        EXAMINER: (ours.features, real.features),
        UNTRAINED: (ours.untrained, real.untrained),
    }.items():
        found[name] = {
            "drawn": measures.distance(faces, held_out),
            "real": _mean(
                measures.distance(held_out[one], held_out[other]) for one, other in halves
            ),
        }
    return found


def _mean(found: Iterable[Interval]) -> Interval:
    """The mean of values, and the least and the largest."""
    values = [one.value for one in found]
    return Interval(float(np.mean(values)), min(values), max(values))
