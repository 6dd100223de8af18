"""All methods of exposure compensation side by side on one set.

    python benchmarks/exposure.py FOLDER-OR-FILM... [--every N] [--sheets FOLDER]

Makes crops in a temporary dataset, compensates them by each method and strength, and prints the
measures as a Markdown table. `--sheets` writes the same crops under each method as a PNG: one row
for a method at full strength, the first one as they were.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from animeprep.boxes import Picture
from animeprep.crop import CropSettings, crop
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings, dedup
from animeprep.exposure import STORED, ExposureSettings, exposure
from animeprep.exposure.tones import METHODS
from animeprep.frames import FrameSettings, frames
from animeprep.images import read_rgb, resize, write_png

STRENGTHS = (0.5, 1.0)
HEAD = (
    "method", "strength", "spread, EV", "less by", "newly clipped", "flat changed",
    "hue, ΔE00", "edges", "clamped", "cast B G R", "seconds",
)  # fmt: skip
SHOWN, SIDE = 10, 160


def make_crops(dataset: Dataset, inputs: list[Path], every: int) -> None:
    """Frames and crops of films and of folders of stills."""
    frames(dataset, inputs, FrameSettings(every=every, shots=True))
    dedup(dataset, DedupSettings())
    crop(dataset, CropSettings())


def run(dataset: Dataset, settings: ExposureSettings) -> tuple[dict[str, Any], float]:
    """The figures of one method on the whole set, and its seconds with measuring."""
    for name in (STORED, "light.jsonl"):
        (dataset.root / name).unlink(missing_ok=True)
    started = time.perf_counter()
    exposure(dataset, settings)
    seconds = time.perf_counter() - started
    figures: dict[str, Any] = json.loads((dataset.root / STORED).read_text())["figures"]
    return figures, seconds


def row(settings: ExposureSettings, figures: dict[str, Any], seconds: float) -> str:
    """One line of the table."""
    before, after = figures["spread_before_ev"], figures["spread_after_ev"]
    cells = (
        settings.method + (" neutralise" if settings.neutralise else ""),
        f"{settings.strength:g}",
        f"{before:.2f} → {after:.2f}",
        f"{1 - after / max(1e-9, before):.0%}",
        f"{figures['newly_clipped']:.3%}",
        f"{figures['flat_changed']:.2%}",
        f"{figures['hue_shift']:.2f}",
        f"{figures['edges_changed']:+.1%}",
        str(figures["clamped"]),
        " ".join(f"{value:+.1f}" for value in figures["data_mean"]),
        f"{seconds:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def strip(dataset: Dataset, folder: str) -> Picture:
    """Some crops side by side."""
    paths = dataset.pictures(folder)
    chosen = [paths[place] for place in np.linspace(0, len(paths) - 1, SHOWN).astype(int)]
    return np.hstack([resize(read_rgb(path), SIDE, SIDE) for path in chosen])


def main() -> None:
    """Make the crops once, then compensate them again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=12)
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset(Path(folder))
        make_crops(dataset, options.inputs, options.every)
        print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
        strips = [strip(dataset, "crops")]
        cases = [(method, False) for method in METHODS if method != "none"]
        for method, neutralise in [*cases, ("key", True), ("none", False)]:
            for strength in STRENGTHS if method != "none" else (1.0,):
                values = {"method": method, "strength": strength, "neutralise": neutralise}
                settings = ExposureSettings.model_validate(values)
                print(row(settings, *run(dataset, settings)), flush=True)
            strips.append(strip(dataset, "style"))
        if options.sheets:
            write_png(options.sheets / "exposure.png", np.vstack(strips))


if __name__ == "__main__":
    main()
