"""Backends beside torch as one would write it, and beside what the machine can compute.

    OMP_NUM_THREADS=1 python benchmarks/backends.py [--network animegan] [--size 960x540]

All in turns, in one process. Times are the process's own, so other programs disturb them little;
with one thread they are seconds. `plain` is our network in torch's default layout, float32, without
settings. `bound` is what its convolutions would take at the pace of a large matrix product, the
best of those between the turns.
"""

import argparse
import functools
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from painting import load, photo
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from animegan.backends.alike import psnr
from animegan.backends.wish import Wish
from animegan.memory import keep_freed_memory
from animegan.models import GENERATORS
from animegan.painter import Painter
from animegan.steady import survey
from animegan.tensors import to_tensor

SIDE = 2048


def seconds(run: Callable[[], object]) -> float:
    """Processor time."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def peak(kind: torch.dtype) -> float:
    """Operations a second of a large matrix product."""
    one, other = torch.rand(2, SIDE, SIDE).to(kind)
    return 2 * SIDE**3 / min(seconds(lambda: one @ other) for _ in range(3))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="animegan")
    parser.add_argument("--size", default="960x540")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=["torch", "openvino"])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    width, height = (int(side) // 4 * 4 for side in arguments.size.split("x"))
    image = to_tensor(photo(width, height))

    painter = load(arguments.network)
    plain = GENERATORS[arguments.network]().eval()
    plain.load_state_dict(
        {name: one.contiguous() for name, one in painter.generator.state_dict().items()}
    )
    with FlopCounterMode(display=False) as counter:
        reference = plain(image).numpy()
    norms = survey(plain, [image])
    keep_freed_memory()
    ways: dict[str, Callable[[], Tensor]] = {"plain": functools.partial(plain, image)}
    for wish in itertools.starmap(
        Wish, itertools.product(arguments.backends, arguments.precisions)
    ):
        told = Painter(painter.generator, painter.device, wish)
        whole, steady = told.prepare(), told.prepare_steady()
        ways[whole.name] = functools.partial(whole, image)
        ways[f"{steady.name}, given norms"] = functools.partial(steady, image, norms)

    print(f"{arguments.network}, {width}×{height}, {torch.get_num_threads()} threads")
    for run in ways.values():
        run()  # the second time is for compiling
    alike = {name: psnr(run().numpy(), reference) for name, run in ways.items()}
    compare(ways, alike, counter.get_total_flops(), arguments.turns)


def compare(
    ways: dict[str, Callable[[], Tensor]], alike: dict[str, float], work: int, turns: int
) -> None:
    """Measure in turns and print."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for _ in range(turns):
        for kind, paces in peaks.items():
            paces.append(peak(kind))
        for name, run in ways.items():
            taken[name].append(seconds(run))
    medians = {name: statistics.median(some) for name, some in taken.items()}
    bound = work / max(peaks[torch.float32])
    print(f"{work / 1e9:.0f} GFLOP; a matrix product computes", end=" ")
    print(", ".join(f"{max(some) / 1e9:.0f} GFLOP/s in {kind}" for kind, some in peaks.items()))
    for name, median in medians.items():
        ratios = (one / other for one, other in zip(taken["plain"], taken[name], strict=True))
        print(
            f"{name:34} {median:7.2f} s  {statistics.median(ratios):5.2f}× plain  "
            f"{bound / median:4.0%} of the bound  {alike[name]:6.1f} dB",
            flush=True,
        )


if __name__ == "__main__":
    main()
