"""Do the distances of faces rank known cases rightly? Real faces spoilt on purpose.

    python benchmarks/face_judges.py FACES EXAMINER

FACES is a set of tagged faces, EXAMINER a run's examiner.safetensors that learned from it. One half
of the held-out faces, spoilt, is measured against the other. Prints a table as Markdown, then each
expected order with whether it holds.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animegan.faces.collection import Faces
from animegan.faces.evaluation import conditions_of
from animegan.faces.looks import Looks, look
from animegan.faces.measures import both, distance, diversity, joint_distance
from animegan.faces.reading import Reading, read_faces
from animegan.faces.teachers import load_examiner
from animegan.measures import Interval
from animeprep.images import to_gray

Pictures = NDArray[np.uint8]
COLUMNS = ("joint", "joint, examiner alone", "joint, untrained alone", "examiner", "untrained",
           "diversity")  # fmt: skip
#: Column → cases that must come in this order, by value.
ORDERS = [
    ("joint", ["real", "eyes of others", "words of others"]),
    ("joint", ["real", "hair of others", "words of others"]),
    ("joint", ["real", "blur 1", "blur 2"]),
    ("joint", ["real", "noise 30"]),
    ("joint", ["real", "halves of two faces"]),
    ("joint", ["real", "one face for each words", "one face"]),
    ("joint", ["real", "gray"]),
    ("diversity", ["one face", "real"]),
]


def clipped(values: NDArray[np.float64]) -> Pictures:
    """Rounded and kept within 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def each(change: Callable[[Pictures], NDArray[np.uint8]], faces: Pictures) -> Pictures:
    """Every face changed."""
    return np.stack([change(face) for face in faces])


def cases(faces: Faces, rng: np.random.Generator) -> Iterator[tuple[str, Faces]]:
    """Faces with their words, spoilt one way after the other."""
    names, pictures, hair, eyes = faces.names, faces.pictures, faces.hair, faces.eyes
    order = rng.permutation(len(faces))
    yield "real", faces
    yield "hair of others", Faces(names, pictures, hair[order], eyes)
    yield "eyes of others", Faces(names, pictures, hair, eyes[order])
    yield "words of others", Faces(names, pictures, hair[order], eyes[order])
    words = both(hair, eyes)
    first = np.array([np.flatnonzero(words == one)[0] for one in words])
    changed = {
        "blur 1": each(lambda face: np.asarray(cv2.GaussianBlur(face, (0, 0), 1)), pictures),
        "blur 2": each(lambda face: np.asarray(cv2.GaussianBlur(face, (0, 0), 2)), pictures),
        "noise 10": clipped(pictures + rng.normal(0, 10, pictures.shape)),
        "noise 30": clipped(pictures + rng.normal(0, 30, pictures.shape)),
        "gray": each(lambda face: np.repeat(to_gray(face)[..., None], 3, 2), pictures),
        "halves of two faces": np.concatenate((pictures[:, :32], pictures[order][:, 32:]), 1),
        "one face for each words": pictures[first],
        "one face": np.repeat(pictures[:1], len(faces), 0),
    }
    for name, spoilt in changed.items():
        yield name, Faces(names, spoilt, hair, eyes)


def measure(faces: Faces, ours: Looks, other: Faces, real: Looks) -> list[Interval]:
    """All columns of a case."""
    pairs = [(one, the_other) for one, the_other in (
        (ours.all_features, real.all_features),
        (ours.features, real.features),
        (ours.untrained, real.untrained),
    )]  # fmt: skip
    joint = [
        joint_distance(one, conditions_of(faces), two, conditions_of(other)) for one, two in pairs
    ]
    alone = [distance(one, two) for one, two in pairs[1:]]
    words = both(faces.hair, faces.eyes), both(other.hair, other.eyes)
    various = diversity(ours.features, words[0], real.features, words[1])
    return [*joint, *alone, various or Interval(np.nan, np.nan, np.nan)]


def main() -> None:
    """Measure, and print."""
    rng = np.random.default_rng(0)
    held_out = read_faces(Path(sys.argv[1]), Reading(held_out=0.1)).held_out
    examiner = load_examiner(Path(sys.argv[2]))
    order = rng.permutation(len(held_out))
    one, other = (held_out.take(half) for half in np.array_split(order, 2))
    real = look(examiner, other.pictures)
    begun = time.perf_counter()
    joint_distance(real.all_features, conditions_of(other), real.all_features, conditions_of(other))
    print(f"{len(one)} against {len(other)} faces; the joint distance takes "
          f"{time.perf_counter() - begun:.2f} s\n")  # fmt: skip
    print("| case |", " | ".join(COLUMNS), "|")
    print("|---|" + "---|" * len(COLUMNS))
    found: dict[str, dict[str, float]] = {}
    for name, faces in cases(one, rng):
        measured = measure(faces, look(examiner, faces.pictures), other, real)
        cells = (f"{m.value:.2f} [{m.low:.2f}, {m.high:.2f}]" for m in measured)
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
        found[name] = {column: m.value for column, m in zip(COLUMNS, measured, strict=True)}
    print()
    for column, expected in ORDERS:
        values = [found[name][column] for name in expected]
        holds = all(a < b for a, b in pairwise(values))
        print(f"{'holds' if holds else 'FAILS'}  {column}: {' < '.join(expected)}")


if __name__ == "__main__":
    main()
