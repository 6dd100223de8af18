"""How fast sets are made, beside what others use: ratios, in one run.

    python benchmarks/sets.py --pictures FOLDER --film FILM [--rows hashes files ...]

FOLDER holds JPEG stills of anime; FILM is a long one, 1080p. Two programs that are compared take
turns. What runs in this process is timed in processor time, so that other work on the machine
counts less; whole programs by the clock. Rows: hashes, files, edges, clusters, workers, prepare.
"""

import argparse
import multiprocessing
import multiprocessing.connection
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import imagehash
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from peers import imagededup_phash
from PIL import Image

from animeprep.boxes import Picture
from animeprep.clusters import leaders
from animeprep.crop import CropSettings, crop
from animeprep.dataset import Dataset
from animeprep.edges import EdgeSettings, edges, smooth_edges
from animeprep.exposure import ExposureSettings, exposure
from animeprep.film import Selection, pictures, probe
from animeprep.gray import gray
from animeprep.hashes import THRESHOLDS, HashKind, HashMethod, hash_file, hash_picture
from animeprep.images import list_images, read_rgb, to_gray, write_png

ROUNDS = 5
THRESHOLD = THRESHOLDS["phash-256"]["normal"]
PEERS: dict[HashKind, Callable[[Image.Image], Any]] = {
    "phash-256": lambda image: imagehash.phash(image, hash_size=16),
    "phash-64": imagehash.phash,
    "dhash-64": imagehash.dhash,
}
TARGETS: dict[HashMethod, str] = {"exact": "≥ 1.5", "fast": "≥ 5"}


def told(*cells: object) -> None:
    """One row of the table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def in_turns(
    name: str, items: Sequence[Any], ours: Callable[[Any], Any], theirs: Callable[[Any], Any],
    target: str,
) -> None:  # fmt: skip
    """Milliseconds an item of processor time, best of the rounds, and their ratio."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for what, times in zip((ours, theirs), spent, strict=True):
            started = time.process_time()
            for item in items:
                what(item)
            times.append((time.process_time() - started) * 1000 / len(items))
    fast, slow = min(spent[0]), min(spent[1])
    told(name, f"{fast:.2f} ms", f"{slow:.2f} ms", f"{slow / fast:.2f}×", target)


def from_memory(peer: Callable[[Image.Image], Any], picture: Picture) -> object:
    """What a user of `imagehash` does with an array."""
    return peer(Image.fromarray(picture))


def hashes(arguments: argparse.Namespace) -> None:
    """Perceptual hashes of pictures in memory."""
    stills = [read_rgb(path) for path in list_images(arguments.pictures)[:40]]
    film = probe(arguments.film)
    every = max(1, (film.pictures or 1000) // 12)
    frames = [frame.rgb for frame in pictures(film, Selection(every=every))]
    for batch in (stills, frames):
        size = f"{batch[0].shape[1]}×{len(batch[0])}"
        for kind, peer in PEERS.items():
            for method, target in TARGETS.items():
                in_turns(
                    f"{kind} {method}, {size}",
                    batch,
                    partial(hash_picture, kind=kind, method=method),
                    partial(from_memory, peer),
                    f"{target} imagehash",
                )


def files(arguments: argparse.Namespace) -> None:
    """Perceptual hashes of JPEG files."""
    peer = imagededup_phash()
    if peer is None:
        told("files", "", "imagededup is not installed", "", "≥ 2")
        return
    paths = list_images(arguments.pictures)[:60]
    for kind in PEERS:
        in_turns(
            f"files, {kind} fast",
            paths,
            partial(hash_file, kind=kind, method="fast"),
            lambda path: peer(image_file=str(path)),
            "≥ 2 imagededup",
        )


def per_pixel(picture: Picture) -> Picture:
    """The loop over edge pixels of the published scripts: a 5×5 Gaussian, pixel by pixel."""
    widened = cv2.dilate(cv2.Canny(to_gray(picture), 100, 200), np.ones((5, 5), np.uint8))
    line = cv2.getGaussianKernel(5, 0)
    kernel = line @ line.T
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    smooth = picture.copy()
    for row, column in zip(*np.nonzero(widened), strict=True):
        window = padded[row : row + 5, column : column + 5]
        for channel in range(3):
            smooth[row, column, channel] = np.sum(window[..., channel] * kernel)
    return smooth


def smoothing(arguments: argparse.Namespace) -> None:
    """Edge smoothing of the middle 256×256 of stills."""
    crops, settings = [], EdgeSettings()
    for path in list_images(arguments.pictures)[:330:16]:
        picture = read_rgb(path)
        top, left = (picture.shape[0] - 256) // 2, (picture.shape[1] - 256) // 2
        crops.append(np.ascontiguousarray(picture[top : top + 256, left : left + 256]))
    for one in crops:
        if not np.array_equal(per_pixel(one), smooth_edges(one, settings)):
            raise SystemExit("edge smoothing differs from the loop")
    in_turns(
        f"edge smoothing, {len(crops)} crops, bit-identical",
        crops,
        lambda one: smooth_edges(one, settings),
        per_pixel,
        "≥ 100 the loop",
    )


def apart(work: Callable[..., None], *given: object) -> tuple[float, float, float]:
    """Run in a fresh process: seconds by the clock, of processors, and its peak memory in GB."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sending, work, given))
    process.start()
    sending.close()
    answer: tuple[float, float, float] = receiving.recv()
    process.join()
    return answer


def _measured(
    sending: multiprocessing.connection.Connection,
    work: Callable[..., None],
    given: tuple[object, ...],
) -> None:
    begun, busy = time.perf_counter(), time.process_time()
    work(*given)
    wall, processor = time.perf_counter() - begun, time.process_time() - busy
    sending.send((wall, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))


def made_up(number: int, *, alone: bool) -> NDArray[np.uint8]:
    """Hashes of nothing: all far apart, or about four around each of many."""
    rng = np.random.default_rng(0)
    if alone:
        return rng.integers(0, 256, (number, 32), dtype=np.uint8)
    hashed = rng.integers(0, 256, (number // 4, 32), dtype=np.uint8)[
        rng.integers(0, number // 4, number)
    ]
    for _ in range(20):
        rows = np.flatnonzero(rng.random(number) < 0.5)
        bits = np.uint8(1) << rng.integers(0, 8, len(rows)).astype(np.uint8)
        hashed[rows, rng.integers(0, 32, len(rows))] ^= bits
    return hashed


def cluster(number: int, alone: bool) -> None:  # noqa: FBT001 - sent to a process
    """Cluster made-up hashes."""
    leaders(made_up(number, alone=alone), THRESHOLD)


def clusters(_: argparse.Namespace) -> None:
    """Exact leader clustering, in a process of its own."""
    for number in (50_000, 100_000, 200_000, 1_000_000):
        for alone, kind in ((True, "all different"), (False, "four alike")):
            wall, processor, memory = apart(cluster, number, alone)
            target = "≤ 30 s, ≤ 1.5 GB" if number == 200_000 else ""
            cells = f"{wall:.1f} s ({processor:.1f} s of processor)", f"{memory:.2f} GB"
            told(f"{number:,} hashes of 256 bits, {kind}", *cells, "", target)


def stages(folder: Path, name: str, cores: int) -> None:
    """One stage of a dataset that is ready for it."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    dataset = Dataset(folder)
    {
        "crop": lambda: crop(dataset, CropSettings()),
        "exposure": lambda: exposure(dataset, ExposureSettings()),
        "edges": lambda: edges(dataset, EdgeSettings()),
        "gray": lambda: gray(dataset),
    }[name]()


def workers(arguments: argparse.Namespace) -> None:
    """Each folder stage on one core and on two, in turns; the last round's files stay."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "set"
        for path in list_images(arguments.pictures):
            write_png(folder / "frames" / f"{path.stem}.png", read_rgb(path))
        made = {"crop": "crops", "exposure": "style", "edges": "smooth", "gray": "*gray"}
        records = {"edges": "smooth-edges"}
        for name, folders in made.items():
            seconds: tuple[list[float], list[float]] = ([], [])
            for _ in range(3):
                for cores in (1, 2):
                    for old in (
                        *folder.glob(f"{folders}/*"),
                        folder / f"{records.get(name, name)}.jsonl",
                    ):
                        old.unlink(missing_ok=True)
                    seconds[cores - 1].append(apart(stages, folder, name, cores)[0])
            one, two = map(min, seconds)
            told(
                f"{name}, two cores and one",
                f"{two:.2f} s",
                f"{one:.2f} s",
                f"{one / two:.2f}×",
                "≥ 1.7",
            )


def prepare(arguments: argparse.Namespace) -> None:
    """The whole program, beside FFmpeg that decodes and forgets."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    decode = [
        ffmpeg,
        "-nostdin",
        "-v",
        "error",
        "-i",
        arguments.film,
        "-map",
        "0:v:0",
        "-f",
        "null",
        "-",
    ]
    ratios, whole = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as place:
            ours = [sys.executable, "-m", "animeprep", "prepare", arguments.film, "-d", place]
            spent = list(_timed([decode, ours]))
        ratios.append(spent[1] / spent[0])
        whole.append(spent)
    theirs, mine = (statistics.median(side) for side in zip(*whole, strict=True))
    ratio = statistics.median(ratios)
    told(
        "prepare, long 1080p film",
        f"{mine:.1f} s",
        f"{theirs:.1f} s",
        f"{ratio:.2f} of it",
        "≤ 1.5 of decoding",
    )


def _timed(commands: list[list[Any]]) -> Iterator[float]:
    for command in commands:
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        yield time.perf_counter() - started


ROWS: dict[str, Callable[[argparse.Namespace], None]] = {
    "hashes": hashes,
    "files": files,
    "edges": smoothing,
    "clusters": clusters,
    "workers": workers,
    "prepare": prepare,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--film", type=Path, required=True)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    told("what", "ours", "theirs", "ratio", "target")
    told(*["---"] * 5)
    for row in arguments.rows:
        ROWS[row](arguments)


if __name__ == "__main__":
    main()
