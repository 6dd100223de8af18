"""Tagged faces as a seeded stream of batches.

Which faces a step sees is a function of seed and step alone, so a resumed run sees what an
uninterrupted one would have seen.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.errors import TrainingError
from animegan.faces.collection import Faces
from animegan.faces.recipe import FaceRecipe
from animegan.faces.words import UNSAID, conditions
from animegan.tensors import to_batch

Places = NDArray[np.int64]
#: Numbers that random draws of the same step differ by.
_ORDER, _OTHER, _MIRROR = range(3)


@dataclass(frozen=True)
class Spoken:
    """Faces with words, on the device.

    Attributes:
        picture: x, N×3×64×64 RGB in [-1, 1].
        condition: c, N×23.
        hair: int64 N, places in `HAIR`; `UNSAID` where nothing is said.
        eyes: int64 N, places in `EYES`, likewise.
    """

    picture: Tensor
    condition: Tensor
    hair: Tensor
    eyes: Tensor


@dataclass(frozen=True)
class FaceBatch:
    """What a step sees.

    Attributes:
        real: faces with their words.
        other: as many, each with words that contradict those of the real one at its place in hair
            or in eyes; the real one itself where no face has such words.
    """

    real: Spoken
    other: Spoken


class FaceBatches:
    """An endless iterator over the batches of a run.

    Args:
        faces: at least a batch of them; the words of some contradict those of others.
        recipe: says batch, flips and seed.
        device: where the batches go.
        start: step that the first batch is for.

    Attributes:
        waited: seconds that steps waited for pictures: none, they are in memory.
        problems: of files: none, they have been read.

    Raises:
        TrainingError: too few faces, or no words contradict others.
    """

    def __init__(
        self, faces: Faces, recipe: FaceRecipe, device: torch.device, start: int = 0
    ) -> None:
        if len(faces) < recipe.batch:
            raise TrainingError(
                f"{len(faces)} faces", f"are fewer than a batch of {recipe.batch}", "lower --batch"
            )
        self.waited = 0.0
        self.problems: tuple[str, ...] = ()
        self._faces, self._recipe, self._device = faces, recipe, device
        self._step = start
        said = faces.hair * 100 + faces.eyes
        _, first, groups, sizes = np.unique(
            said, return_index=True, return_inverse=True, return_counts=True
        )
        words = np.stack((faces.hair[first], faces.eyes[first]), 1)
        # Faces with the same words are a group. For each, how many faces contradict it up to the
        # end of each other group, G×G.
        self._against = np.cumsum(_contradict(words) * sizes, 1)
        if not self._against.any():
            raise TrainingError(
                "no two faces", "differ in a colour told of both", "give faces of several colours"
            )
        self._by_words = np.argsort(groups, kind="stable")
        self._group = groups
        self._ends = np.cumsum(sizes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FaceBatch:
        real = self._drawn(self._step)
        other = self._others(real, self._rng(self._step, _OTHER))
        mirror = self._rng(self._step, _MIRROR).random((2, len(real))) < 0.5 * self._recipe.flip
        self._step += 1
        return FaceBatch(self._spoken(real, mirror[0]), self._spoken(other, mirror[1]))

    def _rng(self, number: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self._recipe.seed, number, purpose))

    def _drawn(self, step: int) -> Places:
        """The places of a step's faces, in one random order after the other."""
        size = self._recipe.batch
        positions = np.arange(step * size, (step + 1) * size)
        turns, places = np.divmod(positions, len(self._faces))
        orders = {turn: self._rng(turn, _ORDER).permutation(len(self._faces))
                  for turn in set(turns.tolist())}  # fmt: skip
        return np.array([orders[turn][place] for turn, place in zip(turns, places, strict=True)])

    def _others(self, real: Places, rng: np.random.Generator) -> Places:
        """For each face one whose words contradict its own, each such face alike.

        Where an attribute is unsaid of one of two faces, the words of each may be true of the other
        as well, and D would learn that true words are wrong. A face that none contradicts stands
        for itself: as its own negative it teaches nothing of words, be it right or wrong.
        """
        against = self._against[self._group[real]]
        count = against[:, -1]
        drawn = np.minimum((rng.random(len(real)) * count).astype(np.int64), count - 1)
        group = (against <= drawn[:, None]).sum(1)
        beyond = against[np.arange(len(real)), group] - drawn
        chosen: Places = self._by_words[self._ends[group] - beyond]
        return np.where(count > 0, chosen, real)

    def _spoken(self, places: Places, mirrored: NDArray[np.bool_]) -> Spoken:
        faces = self._faces.take(places)
        pictures = np.where(mirrored[:, None, None, None], faces.pictures[:, :, ::-1],
                            faces.pictures)  # fmt: skip
        hair, eyes = (torch.from_numpy(x).to(self._device) for x in (faces.hair, faces.eyes))
        picture = to_batch(torch.from_numpy(pictures), self._device)
        return Spoken(picture, conditions(hair, eyes), hair, eyes)


def _contradict(words: Places) -> NDArray[np.bool_]:
    """Which words contradict which, in hair or eyes that both say: places G×2 → G×G."""
    one, other = words[:, None], words[None]
    found: NDArray[np.bool_] = ((one != other) & (one != UNSAID) & (other != UNSAID)).any(2)
    return found
