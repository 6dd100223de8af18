"""Faces of words, each a function of seed, words and number alone.

What a face is drawn from is a point: noise and a condition. The k-th face of a prompt has noise of
its own seed, made of the user's seed, the words and k. So it is the same whatever else is asked
for, in whatever order, and under whatever id.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.augment import generator_of
from animegan.faces.networks import FaceGenerator
from animegan.faces.words import Words, conditions
from animegan.memory import keep_freed_memory
from animegan.tensors import place, to_picture
from animeprep.boxes import Picture

#: Faces that are computed at once, padded where there are fewer: in batches of one size the sums
#: of a face are rounded the same, whatever stands beside it.
BATCH = 8


class Point(NamedTuple):
    """What a face is drawn from.

    Attributes:
        noise: z, normal, 100.
        condition: 23, as `words.conditions` has it.
    """

    noise: Tensor
    condition: Tensor


class Sampler:
    """Draws faces with one generator.

    Args:
        generator: G; it is put on `device`, in evaluation mode.
        device: where to compute.
        seed: 0 or more; another one gives other faces.
    """

    def __init__(self, generator: FaceGenerator, device: torch.device, seed: int = 0) -> None:
        place(generator.eval(), device)
        if device.type == "cpu":
            keep_freed_memory()
        self._generator, self._device, self._seed = generator, device, seed

    def point(self, words: Words, number: int, noise_of: Words | None = None) -> Point:
        """What a face is drawn from.

        Args:
            words: what it is asked for by.
            number: k, from 0 on.
            noise_of: words whose k-th face has the noise; by default the same.
        """
        key = (words if noise_of is None else noise_of).places()
        seeded = generator_of(self._seed, *(place + 1 for place in key), number)
        noise = torch.randn(self._generator.noise, generator=seeded)
        hair, eyes = torch.tensor(words.places())
        return Point(noise, conditions(hair[None], eyes[None])[0])

    def faces(self, words: Sequence[Words], count: int) -> NDArray[np.uint8]:
        """Several faces for each words.

        Args:
            words: N of them.
            count: the first so many of each.

        Returns:
            uint8 RGB (N·count)×64×64×3, those of the same words one after the other.
        """
        points = (self.point(one, number) for one in words for number in range(count))
        return np.stack(list(self.draw(points)))

    def draw(self, points: Iterable[Point]) -> Iterator[Picture]:
        """The face of each point, uint8 RGB 64×64×3; some points are taken ahead."""
        points = iter(points)
        while batch := list(islice(points, BATCH)):
            yield from self._draw(batch)

    @torch.inference_mode()
    def _draw(self, batch: list[Point]) -> list[Picture]:
        padded = [*batch, *[batch[0]] * (BATCH - len(batch))]
        noise, condition = (
            torch.stack(part).to(self._device) for part in zip(*padded, strict=True)
        )
        faces = self._generator(noise, condition).cpu()
        return [to_picture(face[None]) for face in faces[: len(batch)]]
