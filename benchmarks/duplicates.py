"""Precision and recall of "the same drawing", on pairs whose truth is known.

    python benchmarks/duplicates.py --pictures FOLDER [--film FILM]... [--each 1] [--fast]

FOLDER holds stills that are all different; labels/duplicates.json tells, by eye, which pictures of
two films are different, which are one drawing, and which are neighbours in a moving shot.

The same: a picture and itself after each of `CHANGES`; two pictures of a held drawing.
Different: any two pictures; two windows that move over one still by 10 % of the window's width and
more; neighbours in a moving shot.

Precision counts every labelled pair once: of those called the same, how many are.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from io import BytesIO
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from peers import imagededup_phash

from animeprep.boxes import Picture
from animeprep.film import Selection, pictures, probe
from animeprep.hashes import THRESHOLDS, HashMethod, hash_picture
from animeprep.images import decode_rgb, encode_jpeg, list_images, read_rgb, resize

LABELS = Path(__file__).parent / "labels" / "duplicates.json"
STEPS = (10, 15, 20, 30)
#: imagededup's default for `max_distance_threshold`.
PEER, PEER_BITS = "imagededup PHash", 10


def recompressed(picture: Picture) -> Picture:
    """One key picture of x264 at CRF 30."""
    even = np.ascontiguousarray(picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2])
    stored = BytesIO()
    with av.open(stored, "w", format="matroska") as film:
        stream = film.add_stream("libx264", rate=25, options={"crf": "30", "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = even.shape[1], len(even), "yuv420p"
        stream.time_base = Fraction(1, 25)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(even)))
        film.mux(stream.encode())
    with av.open(BytesIO(stored.getvalue()), "r") as film:
        return np.asarray(next(film.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def exposed(picture: Picture, stops: float) -> Picture:
    """Brighter or darker in linear light, clipped."""
    linear = (np.arange(256) / 255) ** 2.2 * 2**stops
    table = np.round(255 * np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return table[picture]


def barred(picture: Picture) -> Picture:
    """Bars above and below, cut off again, but for 1 % left above and 1 % of the picture lost."""
    off = max(1, round(len(picture) / 100))
    return np.concatenate([np.zeros_like(picture[:off]), picture[: -2 * off]])


def subtitled(picture: Picture) -> Picture:
    """Two lines of white letters with black outlines."""
    height, width = picture.shape[:2]
    scale, drawn = height / 500, picture.copy()
    for line, text in enumerate(("What did you say to them", "when they came for the box?")):
        (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        place = ((width - wide) // 2, int(height * (0.88 + 0.07 * line)))
        for colour, thick in (((0, 0, 0), 6), ((255, 255, 255), 2)):
            thickness = max(1, round(thick * scale))
            cv2.putText(
                drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
            )
    return drawn


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 40": lambda picture: decode_rgb(encode_jpeg(picture, 40), Path("a.jpg")),
    "x264 CRF 30": recompressed,
    "half size": lambda picture: resize(picture, picture.shape[1] // 2, picture.shape[0] // 2),
    "bars 1 % off": barred,
    "+1 EV": lambda picture: exposed(picture, 1),
    "−1 EV": lambda picture: exposed(picture, -1),
    "subtitles": subtitled,
}
HELD, OTHERS, MOVED = "held", "others", "moving shot"
SAME = (*CHANGES, HELD)
DIFFERENT = (OTHERS, *(f"pan {step} %" for step in STEPS), MOVED)


def windows(picture: Picture) -> Iterator[tuple[str, Picture, Picture]]:
    """A window of 70 % of each side, and where a pan has moved it."""
    height, width = (round(side * 0.7) for side in picture.shape[:2])
    top = (picture.shape[0] - height) // 2
    for step in STEPS:
        left = round(width * step / 100)
        yield (
            f"pan {step} %",
            picture[top : top + height, :width],
            picture[top : top + height, left : left + width],
        )


def films(paths: list[Path]) -> Iterator[tuple[dict[int, Picture], dict[str, Any]]]:
    """The labelled pictures of each film, and its labels."""
    for path in paths:
        labels = json.loads(LABELS.read_text())[path.name]
        pairs = chain(labels["same"], labels["moved"])
        wanted = {*labels["pictures"], *chain.from_iterable(pairs)}
        every = int(np.gcd.reduce(sorted(wanted)))
        found = pictures(probe(path), Selection(every=every))
        yield {frame.index: frame.rgb for frame in found if frame.index in wanted}, labels


Hashed = dict[str, NDArray[np.uint8]]


def hasher(*, fast: bool) -> Callable[[Picture], Hashed]:
    """All hashes of a picture, by name."""
    peer = imagededup_phash()
    if peer is None:
        print("imagededup is not installed: left out")

    def hashed(picture: Picture) -> Hashed:
        whole = np.ascontiguousarray(picture)
        method: HashMethod = "fast" if fast else "exact"
        found: Hashed = {kind: hash_picture(whole, kind, method) for kind in THRESHOLDS}
        if peer is not None:
            found[PEER] = np.frombuffer(bytes.fromhex(peer(image_array=whole)), np.uint8)
        return found

    return hashed


class Pairs:
    """Distances of labelled pairs, by hash and by label."""

    def __init__(self) -> None:
        self.bits: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def add(self, label: str, one: Hashed, other: Hashed) -> None:
        """One pair."""
        for name in one:
            apart = int(np.bitwise_count(one[name] ^ other[name]).sum())
            self.bits[name, label].append(apart)

    def called(self, name: str, label: str, threshold: int) -> tuple[int, int]:
        """How many pairs are called the same, and of how many."""
        bits = self.bits[name, label]
        return sum(apart <= threshold for apart in bits), len(bits)

    def row(self, name: str, threshold: int) -> tuple[float, float, list[str]]:
        """Precision, recall, and the share called the same of each label."""
        counts = {label: self.called(name, label, threshold) for label in (*SAME, *DIFFERENT)}
        hits, positive = (sum(counts[label][part] for label in SAME) for part in (0, 1))
        wrong = sum(counts[label][0] for label in DIFFERENT)
        shares = [f"{100 * called / max(1, all_):.3g}" for called, all_ in counts.values()]
        return hits / max(1, hits + wrong), hits / max(1, positive), shares


def measured(arguments: argparse.Namespace) -> Pairs:
    """All labelled pairs."""
    hashed, pairs = hasher(fast=arguments.fast), Pairs()
    stills = [read_rgb(path) for path in list_images(arguments.pictures)[:: arguments.each]]
    originals = list(stills)
    for frames, labels in films(arguments.film):
        originals += [frames[index] for index in labels["pictures"]]
        for label, key in ((HELD, "same"), (MOVED, "moved")):
            for before, after in labels[key]:
                pairs.add(label, hashed(frames[before]), hashed(frames[after]))
    known = []
    for picture in originals:
        known.append(hashed(picture))
        for label, change in CHANGES.items():
            pairs.add(label, known[-1], hashed(change(picture)))
    for one, other in combinations(known, 2):
        pairs.add(OTHERS, one, other)
    for label, still, moved in chain.from_iterable(map(windows, stills)):
        pairs.add(label, hashed(still), hashed(moved))
    return pairs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--film", type=Path, action="append", default=[])
    parser.add_argument("--each", type=int, default=1, help="take every so-manieth still")
    parser.add_argument("--fast", action="store_true", help="our fast hashes, not the exact ones")
    parser.add_argument("--sweep", action="store_true", help="all thresholds, not the presets")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pairs = measured(arguments)
    print("| hash | bits | precision | recall |", " | ".join((*SAME, *DIFFERENT)), "|")
    print("|---|---|---|---|" + "---|" * len(SAME + DIFFERENT))
    counts = [str(len(pairs.bits["phash-256", label])) for label in (*SAME, *DIFFERENT)]
    print("| pairs | | | |", " | ".join(counts), "|")
    for name, preset, threshold in rows(sweep=arguments.sweep):
        if (name, OTHERS) in pairs.bits:
            precision, recall, shares = pairs.row(name, threshold)
            figures = f"{threshold} | {100 * precision:.2f} % | {100 * recall:.2f} %"
            print(f"| {name} {preset} | {figures} |", " | ".join(shares), "|")


def rows(*, sweep: bool) -> Iterator[tuple[str, str, int]]:
    """Name of a hash, of a preset, threshold."""
    for kind, presets in THRESHOLDS.items():
        if sweep:
            most = 81 if kind == "phash-256" else 17
            yield from ((kind, "", bits) for bits in range(0, most, 2))
        else:
            yield from ((kind, preset, bits) for preset, bits in presets.items())
    yield PEER, "default", PEER_BITS


if __name__ == "__main__":
    main()
