"""A training step beside a plain loop written as the papers' code does it.

    python benchmarks/training.py [--method animegan] [--size 128] [--batch 4]
    python benchmarks/training.py --size 256 --tflops 989 --gbps 4800     # on a GPU

All in one process, in turns: seconds a step, pictures a second, the ratio to the plain loop; on a
GPU for each number format, with peak memory and the share of the arithmetic limit (`--tflops`).
Then where the time goes, the arithmetic of a step, the memory it must move (with `--gbps` the
time that takes at least), and how long training waits for pictures.
"""

import argparse
import functools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from plain_loop import PlainLoop
from step_costs import Step, Traffic, arithmetic, where_time_goes

from animegan.data import Batch, Batches, Sets
from animegan.device import pick_device
from animegan.features import load_features
from animegan.memory import keep_freed_memory
from animegan.recipes import Recipe, make_recipe
from animegan.table import device_text, finish
from animegan.trainer import Trainer
from animeprep.images import scale_short_side, write_png

#: The paper's set of photos; an epoch of it in 40 s is the aim on a GPU.
EPOCH = 6656
VARIANTS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "bf16+compile": {"precision": "bf16", "compile": True},
}
#: Steps in a turn: on a CPU, on a GPU.
_EACH = (1, 20)


@dataclass(frozen=True)
class Run:
    """Times of one kind of step.

    Attributes:
        seconds: a step, once for each turn.
        peak: memory at most, bytes; 0 where the device does not tell.
    """

    seconds: list[float]
    peak: int

    @property
    def median(self) -> float:
        """The median step, seconds."""
        return statistics.median(self.seconds)


def random_batch(recipe: Recipe, device: torch.device, layout: torch.memory_format) -> Batch:
    """A batch of noise."""
    rng = torch.Generator().manual_seed(0)
    shape = (recipe.batch, 3, recipe.size, recipe.size)
    sets = [torch.rand(shape, generator=rng) * 2 - 1 for _ in range(4)]
    return Batch(*(one.to(device).contiguous(memory_format=layout) for one in sets))


def in_turns(
    steps: dict[str, Step], device: torch.device, turns: int, clock: Callable[[], float]
) -> dict[str, Run]:
    """Time every kind of step in each turn, after two turns to warm up."""
    each = _EACH[device.type == "cuda"]
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    peaks: Counter[str] = Counter()
    for turn in range(-2, turns):
        for name, step in steps.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            finish(device)
            started = clock()
            for _ in range(each):
                step()
            finish(device)
            if turn >= 0:
                seconds[name].append((clock() - started) / each)
            if device.type == "cuda":
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated(device))
    return {name: Run(some, peaks[name]) for name, some in seconds.items()}


def waiting(trainer: Trainer, device: torch.device) -> tuple[float, float]:
    """Share of the time that training waits for pictures: the first epoch, and later.

    The sets are PNG files twice as large as the crops; the first epoch decodes them.
    """
    epoch = 4 * _EACH[device.type == "cuda"]
    recipe = trainer.recipe
    with tempfile.TemporaryDirectory() as folder:
        files = _noise_pictures(Path(folder), epoch * recipe.batch, 2 * recipe.size)
        sets = Sets(files, [(file, file) for file in files], files, [], [])
        shares = []
        with Batches(sets, recipe, device) as batches:
            for _epoch in range(2):
                before, started = batches.waited, time.perf_counter()
                for _ in range(epoch):
                    trainer.step(next(batches))
                finish(device)
                shares.append((batches.waited - before) / (time.perf_counter() - started))
    return shares[0], shares[1]


def _noise_pictures(folder: Path, count: int, side: int) -> list[Path]:
    rng = np.random.default_rng(0)
    files = [folder / f"{number:03}.png" for number in range(count)]
    for file in files:
        small = rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        write_png(file, scale_short_side(small, side))
    return files


def tell(runs: dict[str, Run], recipe: Recipe, operations: int, limit: float | None) -> None:
    """Print a Markdown row for each kind of step."""
    print("| step | s | pictures/s | × plain | peak GiB | TFLOP/s | of limit | epoch, s |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    plain = runs["plain"].median
    for name, run in runs.items():
        rate = operations / run.median / 1e12
        cells = [
            name,
            f"{run.median:.4f} ({min(run.seconds):.4f} to {max(run.seconds):.4f})",
            f"{recipe.batch / run.median:.2f}",
            f"{plain / run.median:.2f}",
            f"{run.peak / 2**30:.1f}" if run.peak else "",
            f"{rate:.3f}",
            f"{rate / limit:.0%}" if limit else "",
            f"{EPOCH / recipe.batch * run.median:.0f}",
        ]
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    """Measure and print."""
    arguments = parse()
    device = pick_device(arguments.device)
    keep_freed_memory()
    given = {"size": arguments.size, "batch": arguments.batch, "init": "scratch"}
    recipe = make_recipe(arguments.method, given={k: v for k, v in given.items() if v})
    tf32 = torch.backends.cudnn.allow_tf32 and device.type == "cuda"
    print(f"{device_text(device)}, torch {torch.__version__}, {recipe.method}, "
          f"{recipe.batch} × {recipe.size}², TF32 convolutions {tf32}\n")  # fmt: skip
    names = arguments.variants or (list(VARIANTS) if device.type == "cuda" else ["fp32"])
    features = load_features("vgg16")
    trainers = {
        name: Trainer(recipe.model_copy(update=VARIANTS[name]), features, device) for name in names
    }
    plain = PlainLoop(trainers[names[0]], features)
    steps = make_steps(plain, trainers, recipe, device)
    for name, step in steps.items():
        terms = step()  # the same weights and pictures: the same losses
        print(f"first step, {name}: d {terms['d']:.3f}, g {terms['g']:.3f}")
    clock = time.process_time if arguments.processor_time else time.perf_counter
    runs = in_turns(steps, device, arguments.turns, clock)
    counts = {name: arithmetic(steps[name]) for name in ("plain", names[0])}
    tell(runs, recipe, counts[names[0]], arguments.tflops)
    told = ", ".join(f"{name} {count / 1e9:.0f}" for name, count in counts.items())
    print(f"\nArithmetic of a step, GFLOP: {told}")
    tell_traffic(steps[names[0]], arguments.gbps)
    for name, step in steps.items():
        shares = where_time_goes(step, device)
        print(f"Time of {name}: " + ", ".join(f"{k} {v:.0%}" for k, v in shares.items()))
    early, late = waiting(trainers[names[-1]], device)
    print(f"Waiting for pictures: first epoch {early:.1%}, later {late:.1%}")


def make_steps(
    plain: PlainLoop, trainers: dict[str, Trainer], recipe: Recipe, device: torch.device
) -> dict[str, Step]:
    """One call for a step of each kind, each with pictures in its own layout."""
    batch = random_batch(recipe, device, torch.channels_last)
    contiguous = random_batch(recipe, device, torch.contiguous_format)
    steps: dict[str, Step] = {"plain": functools.partial(plain.step, contiguous)}
    return steps | {name: functools.partial(one.step, batch) for name, one in trainers.items()}


def tell_traffic(step: Step, gbps: float | None) -> None:
    """Print what memory a step moves, and the time that takes at a bandwidth in GB/s."""
    with Traffic() as traffic:
        step()
    for name, moved in (("all operations", traffic.all), ("convolutions", traffic.convolutions)):
        least = f", {moved / gbps / 1e9:.4f} s at least" if gbps else ""
        print(f"Memory moved by {name}: {moved / 1e9:.1f} GB{least}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="animegan")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, help="by default the recipe's")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--processor-time", action="store_true", help="not the clock's: for a busy CPU"
    )
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS))
    parser.add_argument("--tflops", type=float, help="the device's arithmetic limit")
    parser.add_argument("--gbps", type=float, help="the bandwidth of its memory, GB/s")
    return parser.parse_args()


if __name__ == "__main__":
    main()
