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
from animegan.faces.words import conditions
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
        other: as many, each with other words than the real one at its place.
    """

    real: Spoken
    other: Spoken


class FaceBatches:
    """An endless iterator over the batches of a run.

    Args:
        faces: at least a batch of them, with at least two different sets of words.
        recipe: says batch, flips and seed.
        device: where the batches go.
        start: step that the first batch is for.

    Attributes:
        waited: seconds that steps waited for pictures: none, they are in memory.
        problems: of files: none, they have been read.

    Raises:
        TrainingError: too few faces, or all have the same words.
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
        groups = np.unique(said, return_inverse=True)[1]
        if groups.max() == 0:
            raise TrainingError("all faces", "have the same words", "give faces of several colours")
        # Faces with other words than a group are all that stand outside its run in this order.
        self._by_words = np.argsort(groups, kind="stable")
        self._group = groups
        self._ends = np.cumsum(np.bincount(groups))

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
        """For each face one with other words, each such face alike."""
        ends = self._ends[self._group[real]]
        starts = np.where(self._group[real] == 0, 0, self._ends[self._group[real] - 1])
        count = len(self._faces) - (ends - starts)
        outside = np.minimum((rng.random(len(real)) * count).astype(np.int64), count - 1)
        chosen: Places = self._by_words[outside + np.where(outside < starts, 0, ends - starts)]
        return chosen

    def _spoken(self, places: Places, mirrored: NDArray[np.bool_]) -> Spoken:
        faces = self._faces.take(places)
        pictures = np.where(mirrored[:, None, None, None], faces.pictures[:, :, ::-1],
                            faces.pictures)  # fmt: skip
        hair, eyes = (torch.from_numpy(x).to(self._device) for x in (faces.hair, faces.eyes))
        picture = to_batch(torch.from_numpy(pictures), self._device)
        return Spoken(picture, conditions(hair, eyes), hair, eyes)
