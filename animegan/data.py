"""The sets as a seeded stream of batches.

Three independent shuffles run side by side: p, (a, x) with x the gray of that very a, and y. Which
pictures a step sees depends on the seed and the step's number alone, so that a resumed run sees
what an uninterrupted one would have seen.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from animegan.errors import TrainingError
from animegan.tensors import to_tensor
from animeprep.boxes import Box
from animeprep.dataset import GRAY, PHOTO, SMOOTH, SMOOTH_GRAY, STYLE, VERB_OF, Dataset, made_name
from animeprep.errors import DatasetError
from animeprep.images import read_rgb, scale_short_side

_READERS = 2
_AHEAD = 4
_PHOTO, _STYLE, _SMOOTH = range(3)


@dataclass(frozen=True)
class Sets:
    """The training sets as files.

    Attributes:
        photo: p.
        style: a, and for each its x.
        smooth_gray: y.
    """

    photo: list[Path]
    style: list[tuple[Path, Path]]
    smooth_gray: list[Path]


@dataclass(frozen=True)
class Batch:
    """One step's pictures, each N×3×size×size in [-1, 1]; x and y have three equal channels."""

    photo: Tensor
    anime: Tensor
    gray: Tensor
    smooth_gray: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on another device, channels last."""
        tensors = (getattr(self, field.name) for field in fields(self))
        return Batch(*(t.to(device, memory_format=torch.channels_last) for t in tensors))


def find_sets(dataset: Dataset) -> Sets:
    """The sets of a dataset folder.

    Raises:
        DatasetError: one is missing or incomplete; the message names the verb that makes it.
    """
    style = dataset.pictures(STYLE)
    smooth = dataset.pictures(SMOOTH)
    photo = dataset.pictures(PHOTO)
    x = _partners(dataset, style, GRAY)
    _partners(dataset, style, SMOOTH)
    y = _partners(dataset, smooth, SMOOTH_GRAY)
    return Sets(photo, list(zip(style, x, strict=True)), y)


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


class _Shuffle:
    """An endless sequence over n items: one random order after the other."""

    def __init__(self, items: int, seed: int, stream: int) -> None:
        self.items, self.seed, self.stream = items, seed, stream
        self._round, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, position: int) -> int:
        turn, place = divmod(position, self.items)
        if turn != self._round:
            rng = np.random.default_rng((self.seed, self.stream, turn))
            self._round, self._order = turn, rng.permutation(self.items)
        return int(self._order[place])


def batches(sets: Sets, batch: int, size: int, seed: int, start: int = 0) -> Iterator[Batch]:
    """The batches of steps start, start + 1, … without end, read ahead by threads.

    Args:
        sets: the files.
        batch: pictures of each set in a batch.
        size: side of the pictures; larger ones are cropped at random, smaller ones enlarged.
        seed: another seed gives another order.
        start: the first step.

    Raises:
        PictureError: a picture cannot be read.
    """
    photo = _Shuffle(len(sets.photo), seed, _PHOTO)
    style = _Shuffle(len(sets.style), seed, _STYLE)
    smooth = _Shuffle(len(sets.smooth_gray), seed, _SMOOTH)

    def files(step: int) -> list[tuple[Path, tuple[int, ...]]]:
        """Twelve files for a batch of four, each with the seed of its crop."""
        found: list[tuple[Path, tuple[int, ...]]] = []
        for position in range(step * batch, (step + 1) * batch):
            anime, gray = sets.style[style[position]]
            found += [
                (sets.photo[photo[position]], (seed, _PHOTO, position)),
                (anime, (seed, _STYLE, position)),
                (gray, (seed, _STYLE, position)),
                (sets.smooth_gray[smooth[position]], (seed, _SMOOTH, position)),
            ]
        return found

    with ThreadPoolExecutor(_READERS, thread_name_prefix="batch") as readers:
        waiting: deque[Future[Batch]] = deque()
        step = start
        while True:
            while len(waiting) < _AHEAD:
                waiting.append(readers.submit(_load, files(step), size))
                step += 1
            yield waiting.popleft().result()


def _load(files: list[tuple[Path, tuple[int, ...]]], size: int) -> Batch:
    tensors = [_read(path, seed, size) for path, seed in files]
    return Batch(*(torch.cat(tensors[kind::4]) for kind in range(4)))


def _read(path: Path, seed: tuple[int, ...], size: int) -> Tensor:
    """One picture at the training size; the same seed crops x where it crops a."""
    picture = read_rgb(path)
    if min(picture.shape[:2]) < size:
        picture = scale_short_side(picture, size)
    height, width = picture.shape[:2]
    if (height, width) != (size, size):
        rng = np.random.default_rng(seed)
        top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
        picture = Box(int(top), int(left), size, size).cut(picture)
    return to_tensor(picture)
