"""Do the measures rank known cases rightly? Photos spoilt and improved on purpose.

    python benchmarks/judges.py STYLE PHOTOS

STYLE and PHOTOS are folders; a tenth of each is held out and measured, the rest teaches the
classifier. Prints a table as Markdown, then each expected order with whether it holds.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from animegan.data import Sets
from animegan.features import load_features
from animegan.judge import MEANINGS, Judge, spread
from animegan.measures import Measures
from animeprep.boxes import Picture
from animeprep.images import list_images, to_gray

Change = Callable[[Picture], Picture]


def clipped(values: np.ndarray) -> Picture:
    """Rounded and kept within 0..255."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def blurred(sigma: float) -> Change:
    """A Gaussian blur."""
    return lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), sigma))


def noisy(sigma: float) -> Change:
    """White noise."""
    return lambda p: clipped(p + np.random.default_rng(0).normal(0, sigma, p.shape))


def checkered(step: int) -> Change:
    """A checkerboard of ±step."""
    return lambda p: clipped(p + step * (np.indices(p.shape[:2]).sum(0) % 2 * 2 - 1)[..., None])


def gray(picture: Picture) -> Picture:
    """Its gray, in three channels."""
    return np.repeat(to_gray(picture)[..., None], 3, axis=2)


def paled(share: float) -> Change:
    """So much of its gray mixed in."""
    return lambda p: clipped((1 - share) * p + share * gray(p).astype(float))


def washed(picture: Picture) -> Picture:
    """Less contrast over a veil."""
    return clipped(picture * 0.45 + 110)


def tinted(picture: Picture) -> Picture:
    """A yellow cast."""
    return clipped(picture + np.array((25, 8, -35)))


def turned(picture: Picture) -> Picture:
    """Red, green and blue change places."""
    return np.ascontiguousarray(np.roll(picture, 1, axis=2))


def sharpened(picture: Picture) -> Picture:
    """Unsharp masking by 1.5."""
    return clipped(picture * 2.5 - 1.5 * blurred(1)(picture).astype(float))


def smoothed(picture: Picture) -> Picture:
    """Mean shift: flat areas between steep edges."""
    return np.asarray(cv2.pyrMeanShiftFiltering(picture, 8, 20))


def cartoon(picture: Picture) -> Picture:
    """Bilateral filter and drawn lines."""
    for _ in range(3):
        picture = np.asarray(cv2.bilateralFilter(picture, 9, 30, 7))
    luma = np.asarray(blurred(1)(to_gray(picture)))
    lines = cv2.adaptiveThreshold(luma, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 6)
    return np.where(lines[..., None] == 0, picture // 3, picture).astype(np.uint8)


CASES: dict[str, Change] = {
    "photo": lambda p: p,
    "blur 0.6": blurred(0.6),
    "blur 1.5": blurred(1.5),
    "blur 3": blurred(3),
    "median 7": lambda p: np.asarray(cv2.medianBlur(p, 7)),
    "mean shift": smoothed,
    "cartoon": cartoon,
    "half gray": paled(0.5),
    "gray": gray,
    "washed": washed,
    "tinted": tinted,
    "turned hue": turned,
    "noise 8": noisy(8),
    "checker 6": checkered(6),
    "sharpened": sharpened,
    "one gray": lambda p: np.full_like(p, 128),
}

#: Measure → cases that must come in this order, by value, and where no two may be equal.
ORDERS = [
    ("style", ["style set", "mean shift", "median 7", "blur 1.5", "photo"]),
    ("style", ["style set", "cartoon", "photo", "checker 6"]),
    ("style", ["photo", "one gray"]),
    ("style", ["style set", "mean shift", "noise 8", "sharpened"]),
    ("gram", ["style set", "mean shift", "photo"]),
    # This one does not hold, which is why nothing is chosen by it.
    ("gram", ["mean shift", "gray"]),
    ("content", ["photo", "blur 0.6", "blur 1.5", "blur 3", "one gray"]),
    ("edges", ["one gray", "blur 3", "blur 1.5", "photo"]),
    ("colour", ["photo", "half gray", "gray", "turned hue"]),
    ("saturation", ["gray", "half gray", "photo"]),
    ("contrast", ["one gray", "washed", "photo"]),
    ("cast", ["photo", "tinted"]),
    ("sharpness", ["blur 3", "blur 1.5", "photo", "style set"]),
    ("sharpness", ["blur 1.5", "photo", "mean shift"]),
    ("flatness", ["noise 8", "sharpened", "photo", "mean shift"]),
    ("flatness", ["photo", "style set"]),
    ("artefacts", ["blur 1.5", "photo", "sharpened", "noise 8", "checker 6"]),
]


def measure(judge: Judge) -> Iterator[tuple[str, Measures]]:
    """All cases, and the style set."""
    for name, change in CASES.items():
        yield name, judge.measure([change(photo) for photo in judge.photos])
    yield "style set", judge.measure_style()


def main() -> None:
    """Measure, and print."""
    style, photo = (list_images(Path(folder)) for folder in sys.argv[1:3])
    val = spread(photo[::10], 16)
    sets = Sets([p for n, p in enumerate(photo) if n % 10], [(p, None) for p in style], [], val, [])
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        judge = Judge(sets, load_features("vgg16"), torch.device("cpu"), Path(folder))
        trained = time.perf_counter()
        judge.measure(judge.photos)
        measured = time.perf_counter()
    print(f"{len(val)} photos; classifier and references {trained - begun:.1f} s, "
          f"one measurement {measured - trained:.1f} s\n", flush=True)  # fmt: skip
    names = list(MEANINGS)
    print("| case |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    found: dict[str, Measures] = {}
    for case, measures in measure(judge):
        found[case] = measures
        cells = (f"{m.value:.2f} [{m.low:.2f}, {m.high:.2f}]" if (m := measures.get(n)) else "–"
                 for n in names)  # fmt: skip
        print(f"| {case} |", " | ".join(cells), "|", flush=True)
    print()
    for name, order in ORDERS:
        values = [found[case][name].value for case in order]
        holds = all(a < b for a, b in pairwise(values))
        print(f"{'holds' if holds else 'FAILS'}  {name}: {' < '.join(order)}")


if __name__ == "__main__":
    main()
