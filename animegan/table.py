"""Size, arithmetic and speed of the networks, beside what the AnimeGAN paper prints.

Everything is taken from the networks themselves. The two rows of the paper's table 1 do not count
alike, so they stand beside a recount by the rules that give them:

- Parameters: CartoonGAN's row counts generator and discriminator, AnimeGAN's the generator.
- FLOPs: TensorFlow's profiler also counts norms, activations and sums, and nothing whose shape is
  not known beforehand. AnimeGAN resizes to a size read at run time, so its resized branches and
  everything from the first Up-Conv on are missing. CartoonGAN is counted whole.

A multiply-accumulate is two FLOPs. Source: Chen, Liu, Chen, "AnimeGAN" (ISICA 2019), table 1.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from animegan.models import DISCRIMINATORS, GENERATORS
from animegan.tensors import place

SIDE = 256
NETWORKS = ("cartoongan", "animegan", "animeganv2", "animeganv2-lite")
_RUNS, _WARM_UP = 7, 2
_PLAIN_WIDTH = 200

#: Operations an element as TensorFlow's profiler has them. A norm is two means, a squared
#: difference (2), a product and a sum; LReLU a product and a maximum; a block adds its input.
_ELEMENTWISE = {
    "InstanceNorm": 6,
    "LeakyReLU": 2,
    "ReLU": 1,
    "DownConv": 1,
    "InvertedResidual": 1,
    "ResidualBlock": 1,
}
#: What stands behind a resize in AnimeGAN's generator.
_RESIZED = (
    "encoder.2.resized",
    "encoder.5.resized",
    *(f"decoder.{index}" for index in range(1, 7)),
    "to_rgb",
)


@dataclass(frozen=True)
class Figures:
    """Size and speed of a network.

    Attributes:
        parameters: how many numbers it learns.
        mib: their size in float32, MiB.
        gflop: 10⁹ floating-point operations for a picture of 256×256.
        ms: milliseconds for such a picture; None where the rules say nothing of it.
    """

    parameters: int
    mib: float
    gflop: float
    ms: float | None = None


@dataclass(frozen=True)
class Row:
    """A generator.

    Attributes:
        network: its name in `models.GENERATORS`.
        ours: all generators alike: convolutions, one picture on this device.
        published: the row of the paper's table 1.
        recount: the network by the rules of that row.
    """

    network: str
    ours: Figures
    published: Figures | None = None
    recount: Figures | None = None


PUBLISHED = {
    "cartoongan": Figures(12_253_152, 46.74, 108.98, 51),
    "animegan": Figures(3_956_096, 15.09, 38.66, 43),
}

REASONS = (
    "Published parameters and size: CartoonGAN's with its discriminator, AnimeGAN's without.",
    (
        "Published FLOPs: TensorFlow's profiler also counts norms, activations and sums; and of "
        "AnimeGAN nothing behind a resize, whose size is known only at run time."
    ),
    "In brackets: our networks by those rules. A multiply-accumulate is two FLOPs.",
    "Published times are another machine's; only times of one column compare.",
)


def measure(device: torch.device, networks: Sequence[str] = NETWORKS) -> list[Row]:
    """The table's rows, timed in turns on a device.

    Args:
        device: where to paint.
        networks: names in `models.GENERATORS`.
    """
    times = milliseconds(networks, device)
    return [
        Row(name, _size(name, flops(name) / 1e9, times[name]), PUBLISHED.get(name), recount(name))
        for name in networks
    ]


def _size(network: str, gflop: float, ms: float | None, *, both: bool = False) -> Figures:
    built = [GENERATORS[network]] + ([DISCRIMINATORS[network]] if both else [])
    with torch.device("meta"):
        parameters = sum(value.numel() for new in built for value in new().parameters())
    return Figures(parameters, parameters * 4 / 2**20, gflop, ms)


def flops(network: str) -> int:
    """Operations of a generator's convolutions for a picture of 256×256.

    >>> flops("animegan")
    62115545088
    """
    convolutions, _ = _count(network)
    return convolutions[""]


def recount(network: str) -> Figures | None:
    """A network by the rules of its row in the paper; None where it has no row."""
    if network not in PUBLISHED:
        return None
    convolutions, elementwise = _count(network)
    resized = _RESIZED if network == "animegan" else ()
    unseen = sum(convolutions[path] for path in resized)
    seen = sum(
        operations
        for path, operations in elementwise.items()
        if not f"{path}.".startswith(tuple(f"{one}." for one in resized))
    )
    gflop = (convolutions[""] - unseen + seen) / 1e9
    return _size(network, gflop, None, both=network == "cartoongan")


def _count(network: str) -> tuple[dict[str, int], dict[str, int]]:
    """Operations by module for a picture of 256×256: of convolutions, and elementwise ones.

    The whole network's name is empty. All is done on the meta device: shapes, no arithmetic.
    """
    with torch.device("meta"):
        generator = GENERATORS[network]().eval()
        photo = torch.empty(1, 3, SIDE, SIDE)
    elementwise: dict[str, int] = {}

    def noting(path: str, each: int) -> Callable[..., None]:
        def note(_module: nn.Module, _inputs: object, answer: torch.Tensor) -> None:
            elementwise[path] = each * answer.numel()

        return note

    for path, module in generator.named_modules():
        if each := _ELEMENTWISE.get(type(module).__name__):
            module.register_forward_hook(noting(path, each))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        generator(photo)
    counts = counter.get_flop_counts().items()
    return {name.partition(".")[2]: sum(of.values()) for name, of in counts}, elementwise


def milliseconds(networks: Sequence[str], device: torch.device) -> dict[str, float]:
    """Median time to paint one picture of 256×256, the networks in turns."""
    built = {name: place(GENERATORS[name](), device).eval() for name in networks}
    photo = torch.zeros(1, 3, SIDE, SIDE, device=device).to(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for run in range(-_WARM_UP, _RUNS):
            for name, network in built.items():
                finish(device)
                started = time.perf_counter()
                network(photo)
                finish(device)
                if run >= 0:
                    taken[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(some) for name, some in taken.items()}


def finish(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_text(device: torch.device) -> str:
    """What the times were measured on: `NVIDIA H200`, or `cpu, 2 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' * (threads > 1)}"


def as_json(rows: list[Row], device: torch.device) -> dict[str, Any]:
    """The table as JSON values."""
    measured = {"device": device_text(device), "batch": 1, "side": SIDE, "runs": _RUNS}
    return {"measured": measured, "rows": [asdict(row) for row in rows], "reasons": list(REASONS)}


def cells(rows: list[Row], device: torch.device) -> list[list[str]]:
    """The table as text: the head, then a row for each network.

    The paper's figures stand as `published (recount)`.
    """
    where = device_text(device)
    head = ["network", "parameters", "MiB", "GFLOP at 256²", f"ms ({where})"]
    head += ["paper: parameters", "MiB", "GFLOP", "ms"]
    return [head, *(_row_cells(row) for row in rows)]


def _row_cells(row: Row) -> list[str]:
    ours, paper, again = row.ours, row.published, row.recount
    text = [row.network, f"{ours.parameters:,}", f"{ours.mib:.2f}", f"{ours.gflop:.2f}"]
    text.append(f"{ours.ms:.1f}")
    if paper is None or again is None:
        return [*text, "", "", "", ""]
    text.append(f"{paper.parameters:,} ({again.parameters:,})")
    text += [f"{getattr(paper, x):.2f} ({getattr(again, x):.2f})" for x in ("mib", "gflop")]
    return [*text, f"{paper.ms:.0f}"]


def show(rows: list[Row], device: torch.device) -> None:
    """Print the table and its reasons; in plain, whole lines where no terminal reads."""
    terminal = Console().is_terminal
    console = Console(width=None if terminal else _PLAIN_WIDTH)
    head, *body = cells(rows, device)
    table = Table(box=SIMPLE_HEAD if terminal else None)
    for name in head:
        table.add_column(name, justify="left" if name == "network" else "right")
    for line in body:
        table.add_row(*line)
    console.print(table)
    for reason in REASONS:
        console.print(f"- {reason}", soft_wrap=not terminal, highlight=False)


def as_markdown(rows: list[Row], device: torch.device) -> str:
    """The table and its reasons as Markdown."""
    head, *body = cells(rows, device)
    rule = ["---"] + ["---:"] * (len(head) - 1)
    lines = ["| " + " | ".join(line) + " |" for line in (head, rule, *body)]
    return "\n".join([*lines, "", *(f"- {reason}" for reason in REASONS)])
