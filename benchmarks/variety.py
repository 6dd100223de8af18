"""Choosing the most different pictures beside sampling every M-th and beside chance.

    python benchmarks/variety.py FILM... [--stills FOLDER] [--every 3] [--share 0.1 0.25]

Of each FILM every few pictures are taken, gated and freed of copies as always; of what is left,
and of the FOLDER's pictures, some are chosen in three ways. How well they stand for all is told by
the distance of each picture to its nearest chosen one: by the descriptor that chooses, and by
another measure that has no part in it, 1 - cosine of VGG16's mean features. A chosen picture is a
near copy when that is below 0.02 to another chosen one. Of films in `labels/cuts.json` the shots
that are covered are counted. Prints Markdown.
"""

import argparse
import json
import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from animegan.features import load_features
from animeprep.alike import groups_of
from animeprep.boxes import Picture
from animeprep.choose import farthest_first, quota_of
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings, dedup
from animeprep.descriptor import describe, hellinger, squared
from animeprep.film import FilmRules
from animeprep.frames import FrameSettings, frames
from animeprep.images import list_images, read_rgb, scale_short_side
from animeprep.records import Record

LABELS = Path(__file__).with_name("labels") / "cuts.json"
NEAR_COPY = 0.02
DRAWS = 50


@dataclass
class Pool:
    """Pictures to choose from.

    Attributes:
        name: for the table.
        descriptors: N×D.
        features: unit vectors, N×512.
        origins: where each came from.
        shots: the true ones, as numbers; each picture's own where they are unknown.
    """

    name: str
    descriptors: NDArray[np.uint8]
    features: NDArray[np.float64]
    origins: list[Record]
    shots: list[int]


def features(pictures: list[Picture]) -> NDArray[np.float64]:
    """Mean VGG16 features of pictures at height 144, as unit vectors."""
    network = load_features("vgg16")
    rows = []
    with torch.inference_mode():
        for picture in pictures:
            small = torch.from_numpy(scale_short_side(picture, 144)).permute(2, 0, 1)[None]
            rows.append(network(small / 127.5 - 1).relu().mean((2, 3))[0].double().numpy())
    table = np.stack(rows)
    unit: NDArray[np.float64] = table / np.linalg.norm(table, axis=1, keepdims=True)
    return unit


def pool_of(name: str, paths: list[Path], origins: list[Record], cuts: list[int] | None) -> Pool:
    """Describe pictures."""
    pictures = [scale_short_side(read_rgb(path), 180) for path in paths]
    numbers = range(len(paths))
    shots = (
        [*numbers] if cuts is None else [bisect_right(cuts, origins[n]["index"]) for n in numbers]
    )
    table = np.stack([describe(picture) for picture in pictures])
    return Pool(name, table, features(pictures), origins, shots)


def film_pool(film: Path, every: int, folder: Path) -> Pool:
    """What a dataset of one film would choose from."""
    label = json.loads(LABELS.read_text()).get(film.name)
    dataset = Dataset(folder)
    frames(dataset, [film], FrameSettings(every=every), FilmRules())
    dedup(dataset, DedupSettings())
    origin = dataset.records("frames").named()
    paths = sorted(
        dataset.judged_frames(), key=lambda path: origin[dataset.file_name(path)]["index"]
    )
    places = [origin[dataset.file_name(path)] for path in paths]
    cuts = label and sorted(label["cuts"] + [end for _, end in label["fades"]])
    return pool_of(film.name, paths, places, cuts)


def measure(pool: Pool, chosen: list[int]) -> list[float]:
    """Shots covered; near copies; mean and greatest distance, twice; mean over shots of the last.

    Near copies are a share of the chosen.
    """
    ours = hellinger(squared(pool.descriptors, pool.descriptors[chosen])).min(axis=1)
    cosine = pool.features @ pool.features[chosen].T
    theirs = 1 - cosine.max(axis=1)
    others = cosine[chosen] - 2 * np.eye(len(chosen))
    shots = np.array(pool.shots)
    of_shots = [theirs[shots == shot].mean() for shot in np.unique(shots)]
    return [
        len({pool.shots[one] for one in chosen}),
        float((others.max(axis=1) > 1 - NEAR_COPY).mean()),
        float(ours.mean()),
        float(ours.max()),
        float(theirs.mean()),
        float(theirs.max()),
        float(np.mean(of_shots)),
    ]


def ways(pool: Pool, count: int) -> Iterator[tuple[str, list[float]]]:
    """Each way of choosing and what came of it."""
    total = len(pool.shots)
    yield "every M-th", measure(pool, [n * total // count for n in range(count)])
    draws = np.random.default_rng(0)
    chance = [measure(pool, draws.permutation(total)[:count].tolist()) for _ in range(DRAWS)]
    yield f"chance, mean of {DRAWS}", np.mean(chance, axis=0).tolist()
    known = [
        {**origin, "shot": shot} if "film_id" in origin else origin
        for origin, shot in zip(pool.origins, pool.shots, strict=True)
    ]
    for name, origins in (("farthest first", pool.origins), ("the same, shots known", known)):
        groups = groups_of(origins, pool.descriptors)
        quota = quota_of(groups, count)
        yield name, measure(pool, farthest_first(pool.descriptors, count, groups, quota))


def table(pools: Iterator[Pool], shares: list[float]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| pictures | chosen | by | shots | near copies | mean | max | VGG mean | max | by shot |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for pool in pools:
        total = len(pool.shots)
        for share in shares:
            count = max(2, round(share * total))
            for name, (shots, copies, *apart) in ways(pool, count):
                covered = f"{shots:.1f} of {len(set(pool.shots))} | {100 * copies:.0f} %"
                cells = " | ".join(f"{value:.3f}" for value in apart)
                yield f"| {pool.name}, {total} | {count} | {name} | {covered} | {cells} |"


def pools_of(films: list[Path], stills: Path | None, every: int) -> Iterator[Pool]:
    """All that there is to choose from."""
    for film in films:
        with tempfile.TemporaryDirectory() as folder:
            yield film_pool(film, every, Path(folder))
    if stills:
        paths = list_images(stills)
        yield pool_of("stills", paths, [{} for _ in paths], None)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="*")
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--share", type=float, nargs="+", default=[0.1, 0.25])
    given = parser.parse_args()
    cv2.setNumThreads(1)
    for line in table(pools_of(given.films, given.stills, given.every), given.share):
        print(line, flush=True)


if __name__ == "__main__":
    main()
