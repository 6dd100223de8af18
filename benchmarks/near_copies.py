"""Whether near copies of a picture are nearer than other pictures: the descriptor beside pHash.

    python benchmarks/near_copies.py STILLS [--pictures 90]

Of each still the left 85 % of the width is taken, and changed as films change a picture: the camera
pans or zooms, the light changes, a figure comes in. The folder must hold different pictures only.
AUC: the chance that a near copy is nearer than the nearest other still is. Prints Markdown.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from animeprep.boxes import Picture
from animeprep.descriptor import describe, hellinger, squared
from animeprep.hashes import hash_picture
from animeprep.images import list_images, read_rgb

Table = NDArray[np.uint8]


def exposed(picture: Picture, stops: float) -> Picture:
    """A gain of linear light, clipped."""
    share = np.arange(256) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    linear = np.minimum(linear * 2**stops, 1)
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: Picture = np.rint(coded * 255).astype(np.uint8)[picture]
    return table


def near_copies(still: Picture, other: Picture) -> dict[str, Picture]:
    """Name of the change → the picture; `base` is unchanged."""
    height, whole = still.shape[:2]
    width = round(whole * 0.85)
    copies = {"base": still[:, :width]}
    for share in (1, 2, 5, 10):
        left = round(width * share / 100)
        copies[f"pan {share} %"] = still[:, left : left + width]
    top, left = round(height * 0.05), round(width * 0.05)
    copies["zoom 11 %"] = still[top : height - top, left : width - left]
    copies["+0.5 EV"] = exposed(copies["base"], 0.5)
    copies["-0.5 EV"] = exposed(copies["base"], -0.5)
    with_figure = copies["base"].copy()
    part = other[: height // 3, : width // 4]
    with_figure[-part.shape[0] :, width // 3 : width // 3 + part.shape[1]] = part
    copies["another twelfth"] = with_figure
    return {name: np.ascontiguousarray(copy) for name, copy in copies.items()}


def descriptor_distances(ones: Table, others: Table) -> NDArray[np.float64]:
    """M×N Hellinger distances."""
    return hellinger(squared(ones, others))


def hash_distances(ones: Table, others: Table) -> NDArray[np.float64]:
    """M×N distances in bits."""
    apart: NDArray[np.float64] = np.bitwise_count(ones[:, None] ^ others).sum(axis=2, dtype=float)
    return apart


def report(
    stills: list[Picture],
    count: int,
    name: str,
    measure: Callable[[Picture], Table],
    between: Callable[[Table, Table], NDArray[np.float64]],
) -> None:
    """Print the rows of one measure."""
    sets = [near_copies(still, stills[n - 1]) for n, still in enumerate(stills)]
    base = np.stack([measure(one["base"]) for one in sets])
    apart = between(base, base)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    chosen = np.random.default_rng(0).permutation(len(stills))[:count]
    pooled = []
    for change in list(sets[0])[1:]:
        table = np.stack([measure(sets[n][change]) for n in chosen])
        pooled.append(np.diag(between(table, base[chosen])))
        print(row(name, change, pooled[-1], nearest))
    print(row(name, "**all changes**", np.concatenate(pooled), nearest))
    low = " | ".join(f"{value:.3g}" for value in np.percentile(nearest, [0, 1, 50]))
    print(f"| {name} | nearest other still: least, 1 %, median | {low} | |")


def row(name: str, change: str, found: NDArray[np.float64], nearest: NDArray[np.float64]) -> str:
    """Median, 95th percentile, greatest; AUC."""
    values = " | ".join(f"{value:.3g}" for value in np.percentile(found, [50, 95, 100]))
    wins = (found[:, None] < nearest).mean() + (found[:, None] == nearest).mean() / 2
    return f"| {name} | {change} | {values} | {wins:.4f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stills", type=Path)
    parser.add_argument("--pictures", type=int, default=90)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    stills = [read_rgb(path) for path in list_images(given.stills)]
    print("| measure | change | median | 95 % | greatest | AUC |\n|---|---|---|---|---|---|")
    report(stills, given.pictures, "descriptor", describe, descriptor_distances)
    report(stills, given.pictures, "pHash, bits of 256", hash_picture, hash_distances)


if __name__ == "__main__":
    main()
