"""Which backend is fastest on this machine, what memory it takes, and how true it is.

Each backend and precision is measured in a process of its own, for what it takes at most to be its
own.
"""

import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from animegan.backends.alike import psnr, real_photo
from animegan.backends.wish import Backend, Precision, Wish
from animegan.checkpoint import built_in, load_generator
from animegan.device import is_out_of_memory, memory_at_most
from animegan.painter import Painter, find_model, trained_runs
from animegan.table import device_text, finish
from animeprep.errors import AnimeprepError
from animeprep.progress import progress

#: Width and height of what is painted, by default.
SIZES = ((256, 256), (512, 512), (960, 540), (1920, 1080))

_CASES: dict[str, list[tuple[Backend, Precision]]] = {
    "cpu": [
        ("torch", "fp32"),
        ("torch", "bf16"),
        ("onnxruntime", "fp32"),
        ("openvino", "fp32"),
        ("openvino", "bf16"),
        ("openvino", "fp16"),
    ],
    "cuda": [("torch", "fp32"), ("torch", "bf16"), ("torch", "fp16")],
    "mps": [("torch", "fp32"), ("torch", "fp16")],
}
#: A size is painted until so many times or seconds; the first two are not measured, for then
#: networks are made ready for it.
_TIMES, _SECONDS = 7, 2.0
_PLAIN_WIDTH = 160


class Case(NamedTuple):
    """What one process measures.

    Attributes:
        file: the generator.
        network: what to build in place of what the file says.
        device: where to compute.
        sizes: (width, height) in pixels.
        wish: backend and precision.
    """

    file: Path
    network: str | None
    device: str
    sizes: tuple[tuple[int, int], ...]
    wish: Wish


@dataclass(frozen=True)
class Row:
    """What was measured of a backend at a size.

    Attributes:
        backend, precision: which.
        size: `960x540`; empty where nothing was measured.
        ms: median time to paint one picture.
        mb: what its process, or the GPU, took at most up to this size, millions of bytes.
        db: how alike it paints to torch in float32.
        ready: seconds to build it, or to read it where it was built before.
        problem: why nothing was measured.
    """

    backend: str
    precision: str
    size: str = ""
    ms: float | None = None
    mb: float | None = None
    db: float | None = None
    ready: float | None = None
    problem: str = ""


def model_to_measure(model: Path | None, network: str | None) -> Path:
    """The model, or else the newest run's, or else an initialisation, which is as fast.

    Raises:
        CheckpointError: there is none.
    """
    initial = built_in(network or "animeganv2")
    if model is None and not trained_runs() and initial.is_file():
        return initial
    return find_model(model)


def bench(
    file: Path,
    network: str | None,
    device: torch.device,
    sizes: tuple[tuple[int, int], ...] = SIZES,
) -> list[Row]:
    """Measure all backends and precisions, one after the other.

    Args:
        file: the generator.
        network: what to build in place of what the file says.
        device: where torch computes.
        sizes: (width, height) in pixels.

    Raises:
        CheckpointError: the generator cannot be used.
    """
    load_generator(file, network)
    wishes = [Wish(*case) for case in _CASES[device.type]]
    ascending = tuple(sorted(sizes, key=lambda size: size[0] * size[1]))
    rows: list[Row] = []
    with progress("bench", len(wishes)) as advance:
        for wish in wishes:
            rows += _apart(Case(file, network, device.type, ascending, wish))
            advance()
    return rows


def _apart(case: Case) -> list[Row]:
    """Measure in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(measure, case).result()
        except BrokenProcessPool:
            return [Row(*_names(case), problem="its process ended; there may be too little memory")]


def _names(case: Case) -> tuple[str, str]:
    return case.wish.backend, case.wish.precision


def measure(case: Case) -> list[Row]:
    """Measure one backend in this process; what goes wrong is in the last row."""
    rows: list[Row] = []
    try:
        rows.extend(_measure(case))  # those before a failure stay
    except AnimeprepError as error:
        rows.append(Row(*_names(case), problem=str(error)))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        rows.append(Row(*_names(case), problem="out of memory"))
    return rows


def _measure(case: Case) -> Iterator[Row]:
    generator, _ = load_generator(case.file, case.network)
    painter = Painter(generator, torch.device(case.device), case.wish)
    begun = time.perf_counter()
    engine = painter.prepare()
    ready = time.perf_counter() - begun
    photo = real_photo(generator.multiple_of, 256).to(painter.device)
    alike = None
    if _names(case) != ("torch", "fp32"):
        plain = Painter(generator, painter.device).prepare()
        alike = psnr(engine(photo).cpu().numpy(), plain(photo).cpu().numpy())
    for width, height in case.sizes:
        sides = [
            -(-side // generator.multiple_of) * generator.multiple_of for side in (height, width)
        ]
        scaled = functional.interpolate(photo, sides, mode="bilinear")
        taken: list[float] = []
        while len(taken) < 3 or (len(taken) < _TIMES and sum(taken[2:]) < _SECONDS):
            begun = time.perf_counter()
            engine(scaled)
            finish(painter.device)
            taken.append(time.perf_counter() - begun)
        most = memory_at_most(painter.device)
        yield Row(
            *_names(case),
            f"{width}x{height}",
            ms=round(statistics.median(taken[2:]) * 1000, 1),
            mb=most and round(most / 1e6),
            db=alike and round(alike, 1),
            ready=round(ready, 2),
        )


def as_json(rows: list[Row], device: torch.device) -> dict[str, Any]:
    """The rows as JSON values, and what they were measured on."""
    return {"device": device_text(device), "cores": os.cpu_count(), "rows": list(map(asdict, rows))}


def show(rows: list[Row], device: torch.device) -> None:
    """Print a table; in plain, whole lines where no terminal reads."""
    terminal = Console().is_terminal
    console = Console(width=None if terminal else _PLAIN_WIDTH)
    table = Table(box=SIMPLE_HEAD if terminal else None)
    for name in ("backend", "precision", "size", f"ms ({device_text(device)})"):
        table.add_column(name, justify="right" if name.startswith("ms") else "left")
    for name in ("MB", "dB", "ready in s"):
        table.add_column(name, justify="right")
    for row in rows:
        if row.problem:
            table.add_row(row.backend, row.precision, row.problem)
        else:
            figures = (row.ms, row.mb, row.db, row.ready)
            texts = ("" if figure is None else f"{figure:g}" for figure in figures)
            table.add_row(row.backend, row.precision, row.size, *texts)
    console.print(table)
    console.print(
        "- MB: what the process, or the GPU, took at most. dB: beside torch fp32.",
        soft_wrap=not terminal,
        highlight=False,
    )
