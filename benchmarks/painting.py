"""Painting: in tiles beside whole, folders beside the network alone, and the first picture.

    python benchmarks/painting.py tiles [--network animegan] [--width 1920] [--height 1080]
    python benchmarks/painting.py large [--network animegan] [--side 8192] [--memory 4]
    python benchmarks/painting.py folder [--network animeganv2] [--photos 100] [--side 512]
    python benchmarks/painting.py startup [--network animeganv2] [--side 512]

All in turns and in one process but for the start, which is one. `large` holds its free memory to
`--memory` GiB, whatever the machine has, and prints what the process took at most.
"""

import argparse
import ctypes
import functools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from animegan import painter as painting
from animegan.demo import ASSETS
from animegan.memory import keep_freed_memory
from animegan.painter import Painter
from animegan.scratch import Scratch
from animegan.streaming import TILE, Streaming
from animegan.stylize import stylize
from animegan.tensors import Pixels
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg, read_rgb

GIB = 2**30
PHOTO = ASSETS / "photos" / "life_by_Aitzol_Berasategi.jpg"


def photo(width: int, height: int) -> Pixels:
    """A real photo, mirrored side by side until it is large enough, at its own sharpness."""
    picture = read_rgb(PHOTO)
    wide = [-(-width // picture.shape[1]), -(-height // picture.shape[0])]
    tiled = np.concatenate([picture[:, :: (-1) ** n] for n in range(wide[0])], axis=1)
    tiled = np.concatenate([tiled[:: (-1) ** n] for n in range(wide[1])], axis=0)
    return np.ascontiguousarray(tiled[:height, :width])


def load(network: str) -> Painter:
    """The built-in initialisation of a network."""
    file = ASSETS.parent / f"{network.replace('-', '_')}_init.safetensors"
    return Painter.load(file)


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_turns(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """The median seconds of each way, after a turn to warm up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            took = seconds(run)
            if turn:
                times[name].append(took)
    return {name: statistics.median(taken) for name, taken in times.items()}


def psnr(one: Pixels, other: Pixels) -> float:
    """Of 16-bit pictures, dB."""
    error = np.square(one.astype(float) - other).mean()
    return float(10 * np.log10(65535**2 / max(error, 1e-9)))


class Cost(NamedTuple):
    """What a painting took: seconds of the processor and of the clock, bytes at most."""

    processor: float
    clock: float
    memory: int


def cost(run: Callable[[], object]) -> Cost:
    """What it takes, with what ran before it forgotten."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the most memory begins anew
    processor, clock = time.process_time(), time.perf_counter()
    run()
    return Cost(time.process_time() - processor, time.perf_counter() - clock, memory_at_most())


def tiles(arguments: argparse.Namespace) -> None:
    """Whole and in tiles, with room for features from plenty to none."""
    network = load(arguments.network)
    picture = photo(arguments.width, arguments.height).astype(np.uint16) * 257
    multiple = network.generator.multiple_of
    picture = picture[: arguments.height // multiple * multiple]
    pixels = picture.shape[0] * picture.shape[1]
    made: dict[str, Pixels] = {}
    arithmetic = {"whole": 1.0}

    def whole() -> None:
        made["whole"] = network.paint(picture, in_tiles=False)

    def tiled(name: str, memory: int, disk: int) -> None:
        scratch = Scratch(memory * pixels, network.device, disk=disk * pixels)
        streaming = Streaming(network.generator, network.device, arguments.tile)
        made[name] = streaming.paint(picture, scratch)
        arithmetic[name] = streaming.arithmetic

    ways: dict[str, Callable[[], object]] = {"whole": whole}
    rooms = {"plenty, in memory": (2000, 0), "plenty, in files": (0, 2000),
             "28 + 192 bytes a pixel": (28, 192), "64 bytes a pixel": (64, 0)}  # fmt: skip
    for name, (memory, disk) in rooms.items():
        ways[name] = functools.partial(tiled, name, memory, disk)
    network.paint(photo(512, 512), in_tiles=False)
    turns = [{name: cost(run) for name, run in ways.items()} for _ in range(arguments.turns)]
    print(f"{arguments.network}, {picture.shape[1]}×{picture.shape[0]}, tiles of {arguments.tile}")
    for name in ways:
        processor, clock, most = (
            statistics.median(turn[name][n] for turn in turns) for n in range(3)
        )
        ratios = [
            statistics.median(turn[name][n] / turn["whole"][n] for turn in turns) for n in range(2)
        ]
        print(
            f"{name:24} {processor:7.2f} s of processor {ratios[0]:5.2f}×, {clock:7.2f} s "
            f"{ratios[1]:5.2f}×, arithmetic {arithmetic[name]:5.2f}×, {most / GIB:5.2f} GiB, "
            f"{psnr(made[name], made['whole']):6.1f} dB",
            flush=True,
        )


def large(arguments: argparse.Namespace) -> None:
    """One picture that never fits whole."""
    network = load(arguments.network)
    limit = int(arguments.memory * GIB) - memory_at_most()
    painting.free_memory = lambda _device: limit  # what the machine has is no matter here
    picture = photo(arguments.side, arguments.side)

    def tell(share: float) -> None:
        took = time.perf_counter() - begun
        print(f"\r{share:6.1%} {took:6.0f} s", end="", file=sys.stderr, flush=True)

    small = photo(512, 512)
    before = in_turns({"whole": lambda: network.paint(small, in_tiles=False)}, 3)["whole"]
    begun = time.perf_counter()
    network.paint(picture, in_tiles=True, advance=tell)
    took = time.perf_counter() - begun
    after = in_turns({"whole": lambda: network.paint(small, in_tiles=False)}, 3)["whole"]
    whole = (before + after) / 2 * (arguments.side / 512) ** 2
    print(
        f"\n{arguments.network}, {arguments.side}²: {took:.0f} s, {took / whole:.2f} times "
        f"{whole:.0f} s for as many pixels in pieces of 512² before and after, "
        f"at most {memory_at_most() / GIB:.2f} GiB of memory"
    )


def memory_at_most() -> int:
    """What this process has taken at most until now, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def folder(arguments: argparse.Namespace) -> None:
    """Files in, files out, beside the network alone on pictures in memory."""
    network = load(arguments.network)
    picture = photo(arguments.side, arguments.side)
    with tempfile.TemporaryDirectory() as place:
        photos = Path(place) / "photos"
        for number in range(arguments.photos):
            turned = np.roll(picture, 7 * number, axis=1)
            write_atomic(photos / f"{number:04}.jpg", encode_jpeg(turned, 95))
        decoded = [read_rgb(path) for path in sorted(photos.iterdir())]
        ways: dict[str, Callable[[], object]] = {
            "network alone": lambda: [network.paint(one) for one in decoded],
            "folder": lambda: stylize([photos], Path(place) / "painted", network),
        }
        times = in_turns(ways, arguments.turns)
    for name, took in times.items():
        ratio = took / times["network alone"]
        print(f"{name:14} {took:7.2f} s  {took / arguments.photos * 1e3:6.1f} ms  {ratio:.3f}×")


def startup(arguments: argparse.Namespace) -> None:
    """The verb from its start to the first painting on disk."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "photo.jpg"
        write_atomic(source, encode_jpeg(photo(arguments.side, arguments.side), 95))
        model = ASSETS.parent / f"{arguments.network}_init.safetensors"
        command = [sys.executable, "-m", "animeprep", "stylize", str(source)]
        command += ["--model", str(model), "-o", str(Path(place) / "out.jpg")]
        run = functools.partial(subprocess.run, command, check=True, capture_output=True)
        took = in_turns({"start": run}, arguments.turns)["start"]
    print(f"{arguments.network}, {arguments.side}²: {took:.2f} s from the start to the first file")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(required=True)
    for measure, network in (
        (tiles, "animegan"), (large, "animegan"), (folder, "animeganv2"), (startup, "animeganv2"),
    ):  # fmt: skip
        verb = verbs.add_parser(measure.__name__, help=measure.__doc__)
        verb.set_defaults(measure=measure)
        verb.add_argument("--network", default=network)
        verb.add_argument("--turns", type=int, default=3)
        verb.add_argument("--width", type=int, default=1920)
        verb.add_argument("--height", type=int, default=1080)
        verb.add_argument("--side", type=int, default=8192 if measure is large else 512)
        verb.add_argument("--tile", type=int, default=TILE)
        verb.add_argument("--memory", type=float, default=4)
        verb.add_argument("--photos", type=int, default=100)
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_grad_enabled(False)
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
