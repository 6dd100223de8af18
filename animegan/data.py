"""The sets as a seeded stream of batches that a training step never waits for.

Three independent shuffles run side by side: p, (a, x) with x the gray of that very a, and y or e.
Which pictures a step sees, and which part of them, depends on the seed and the step's number
alone: not on threads, on what is cached, or on how many processes share a batch. So a resumed run
sees what an uninterrupted one would have seen.
"""

import functools
import os
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from animegan.errors import TrainingError
from animegan.pictures import PictureStore, Source, random_square, room_for_pictures
from animegan.recipes import Recipe
from animegan.tensors import to_batch
from animeprep.boxes import Picture
from animeprep.dataset import (
    GRAY,
    PHOTO,
    SMOOTH,
    SMOOTH_GRAY,
    STYLE,
    STYLE_VAL,
    VAL,
    VERB_OF,
    Dataset,
    made_name,
)
from animeprep.errors import DatasetError
from animeprep.files import sha256
from animeprep.images import list_images

#: Reading threads at most.
_READERS = 8
#: Steps that are read ahead beside those that the threads are at.
_AHEAD = 2


@dataclass(frozen=True)
class Sets:
    """The training sets as files.

    Attributes:
        photo: p.
        style: a, and for each its x, or None where the recipe needs none.
        smooth: y, or e where the recipe shows D edge-smoothed pictures in colour; empty where it
            shows none.
        val: held-out photos; there may be none.
        style_val: held-out style pictures; there may be none.
    """

    photo: list[Path]
    style: list[tuple[Path, Path | None]]
    smooth: list[Path]
    val: list[Path]
    style_val: list[Path]

    def fingerprint(self) -> str:
        """12 hex digits over names and sizes of all files, wherever they lie.

        Of held-out ones, too: measures of other pictures could not be compared.
        """
        style = [path for pair in self.style for path in pair if path is not None]
        files = [*self.photo, *style, *self.smooth, *self.val, *self.style_val]
        lines = (f"{path.parent.name}/{path.name} {path.stat().st_size}\n" for path in files)
        return sha256("".join(lines).encode(errors="surrogateescape"))[:12]


@dataclass(frozen=True)
class Batch:
    """One step's pictures on the device, each float N×3×size×size in [-1, 1], channels last.

    Attributes:
        photo: p.
        anime: a.
        gray: x, its three channels equal; None where the recipe needs none.
        smooth: y, its three channels equal; or e, in colour; None where the recipe needs none.
    """

    photo: Tensor
    anime: Tensor
    gray: Tensor | None = None
    smooth: Tensor | None = None

    def parts(self, n: int) -> list["Batch"]:
        """The batch in n parts of equal size but for the last; fewer where there are fewer."""
        kept = {name: pictures for name, pictures in vars(self).items() if pictures is not None}
        chunks = zip(*(pictures.chunk(n) for pictures in kept.values()), strict=True)
        return [Batch(**dict(zip(kept, chunk, strict=True))) for chunk in chunks]


def find_sets(dataset: Dataset, recipe: Recipe) -> Sets:
    """The sets of a dataset folder that a recipe trains on; those of terms without weight are not.

    Raises:
        DatasetError: one is missing or incomplete; the message names the verb that makes it.
    """
    style = dataset.pictures(STYLE)
    smooth = _smooth(dataset, style, recipe) if recipe.discriminator_weights().get("smooth") else []
    photo = dataset.pictures(PHOTO)
    gray: Sequence[Path | None] = [None] * len(style)
    if recipe.discriminator_weights().get("gray") or recipe.gram:
        gray = _partners(dataset, style, GRAY)
    val, style_val = (list_images(dataset.root / folder) for folder in (VAL, STYLE_VAL))
    return Sets(photo, list(zip(style, gray, strict=True)), smooth, val, style_val)


def _smooth(dataset: Dataset, style: list[Path], recipe: Recipe) -> list[Path]:
    """Edge-smoothed pictures as the recipe shows them to D."""
    smooth = dataset.pictures(SMOOTH)
    _partners(dataset, style, SMOOTH)
    return _partners(dataset, smooth, SMOOTH_GRAY) if recipe.smooth_set == "gray" else smooth


def _partners(dataset: Dataset, pictures: list[Path], folder: str) -> list[Path]:
    """The pictures that a verb made of others."""
    made = [dataset.path(made_name(folder, dataset.file_name(path))) for path in pictures]
    missing = [path for path in made if not path.exists()]
    if missing:
        raise DatasetError(
            dataset.root / folder,
            f"{len(missing)} of {len(made)} pictures are missing, {missing[0].name} first",
            f"run `animeprep {VERB_OF[folder]}`",
        )
    return made


def steps_per_epoch(sets: Sets, batch: int) -> int:
    """floor(max(#p, #a) / batch), as the author's trainer counts.

    Raises:
        TrainingError: a set has fewer pictures than a batch.
    """
    for name, pictures in (("photo", sets.photo), ("style", sets.style)):
        if len(pictures) < batch:
            raise TrainingError(
                name,
                f"{len(pictures)} pictures are fewer than a batch of {batch}",
                "add pictures, or lower --batch",
            )
    return max(len(sets.photo), len(sets.style)) // batch


class Batches:
    """The batches of steps start, start + 1, … without end, read ahead by threads.

    Larger pictures are cropped at random, smaller ones enlarged. A broken one is left out: the next
    in that set's order takes its place. Decoded pictures stay in memory as far as a quarter of what
    is free allows, 8 GiB at most; then nothing is decoded any more after the first epoch.

    Args:
        sets: the files.
        recipe: says batch, size, seed, flip and jitter.
        device: where the batches go.
        start: the first step.
        rank: which slice of each batch is this process's.
        world: how many processes share a batch.

    Attributes:
        waited: seconds that `next` has waited for readers so far.

    Raises:
        TrainingError: a batch cannot be shared evenly; or, from `next`, all pictures of a set are
            broken.
    """

    def __init__(
        self,
        sets: Sets,
        recipe: Recipe,
        device: torch.device,
        *,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if recipe.batch % world:
            raise TrainingError(
                "batch", f"{recipe.batch} cannot be shared by {world} processes", "change --batch"
            )
        self.waited = 0.0
        self._recipe, self._device, self._rank = recipe, device, rank
        self._pictures = recipe.batch // world
        self._store = PictureStore(room_for_pictures() // world)
        self._streams = [
            _Stream(name, sources, number, recipe, self._store)
            for number, (name, sources) in enumerate(_sources(sets, recipe).items())
            if sources
        ]
        gray = [x for _, x in sets.style if x is not None]
        kinds = {"photo": sets.photo, "anime": sets.style, "gray": gray, "smooth": sets.smooth}
        self._kinds = [kind for kind, files in kinds.items() if files]
        readers = min(_cores(), _READERS)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="batch")
        self._ahead = readers + _AHEAD
        self._waiting: deque[Future[Tensor]] = deque()
        self._step = start

    @property
    def problems(self) -> list[str]:
        """One line for each broken picture that was met, ordered."""
        return sorted(self._store.broken.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._readers.shutdown(cancel_futures=True)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        while len(self._waiting) < self._ahead:
            self._waiting.append(self._readers.submit(self._load, self._step))
            self._step += 1
        started = time.perf_counter()
        pictures = self._waiting.popleft().result()
        self.waited += time.perf_counter() - started
        kinds = to_batch(pictures, self._device).split(self._pictures)
        return Batch(**dict(zip(self._kinds, kinds, strict=True)))

    def _load(self, step: int) -> Tensor:
        """A step's pictures of this process, uint8 (sets·N)×size×size×3, set after set."""
        first = step * self._recipe.batch + self._rank * self._pictures
        cut: list[Picture] = []
        for stream in self._streams:
            drawn = (stream.draw(first + place) for place in range(self._pictures))
            cut += (picture for kind in zip(*drawn, strict=True) for picture in kind)
        side, pinned = self._recipe.size, self._device.type == "cuda"
        pictures = torch.empty((len(cut), side, side, 3), dtype=torch.uint8, pin_memory=pinned)
        for target, picture in zip(pictures.numpy(), cut, strict=True):
            target[:] = picture
        return pictures


def _sources(sets: Sets, recipe: Recipe) -> dict[str, list[list[Source]]]:
    """By set what is drawn together: p; a and its x; y or e, where there are any."""
    pairs = [(Source(anime), gray) for anime, gray in sets.style]
    return {
        "photo": [[Source(path)] for path in sets.photo],
        "style": [[a] if x is None else [a, Source(x, gray=True)] for a, x in pairs],
        "smooth": [[Source(path, gray=recipe.smooth_set == "gray")] for path in sets.smooth],
    }


class _Stream:
    """An endless sequence over a set: one random order after the other, a random square of each."""

    def __init__(
        self,
        name: str,
        sources: list[list[Source]],
        number: int,
        recipe: Recipe,
        store: PictureStore,
    ) -> None:
        self.name, self.sources, self.store, self.recipe = name, sources, store, recipe
        self.seed = (recipe.seed, number)
        self._order = functools.lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, turn: int) -> NDArray[np.int64]:
        return np.random.default_rng((*self.seed, turn)).permutation(len(self.sources))

    def draw(self, position: int) -> list[Picture]:
        """What is drawn together at a position, cut alike, size×size×3.

        Raises:
            TrainingError: all pictures of the set are broken.
        """
        turn, place = divmod(position, len(self.sources))
        for index in np.roll(self._order(turn), -place):
            found = [self.store.read(source) for source in self.sources[index]]
            pictures = [picture for picture in found if picture is not None]
            if len(pictures) == len(found):
                draws = np.random.default_rng((*self.seed, position, 1)).random(4)
                return [random_square(picture, self.recipe, draws) for picture in pictures]
        raise TrainingError(
            self.name, "none of its pictures can be read", "run `animeprep doctor` on the dataset"
        )


def _cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
