"""Edge smoothing beside the per-pixel loop that everybody else uses.

    python benchmarks/edges.py [PICTURE...]

Where the time must go: Canny, and two passes of a five-tap filter. Target: 50× the loop.
"""

import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from animeprep.boxes import Picture
from animeprep.edges import EdgeSettings, smooth_edges
from animeprep.images import read_rgb, to_gray

FILM_ART = Path(__file__).parent.parent / "examples" / "art"
RUNS = 3


def per_pixel(picture: Picture) -> Picture:
    """The loop over edge pixels of the published scripts: a 5×5 Gaussian, pixel by pixel."""
    edges = cv2.Canny(to_gray(picture), 100, 200)
    widened = cv2.dilate(edges, np.ones((5, 5), np.uint8))
    line = cv2.getGaussianKernel(5, 0)
    kernel = line @ line.T
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    smooth = picture.copy()
    for row, column in zip(*np.nonzero(widened), strict=True):
        window = padded[row : row + 5, column : column + 5]
        for channel in range(3):
            smooth[row, column, channel] = np.sum(window[..., channel] * kernel)
    return smooth


def crops(paths: list[Path]) -> list[Picture]:
    """The middle 256×256 of each picture."""
    found = []
    for path in paths:
        picture = read_rgb(path)
        top, left = (picture.shape[0] - 256) // 2, (picture.shape[1] - 256) // 2
        found.append(np.ascontiguousarray(picture[top : top + 256, left : left + 256]))
    return found


def main() -> None:
    """Time both in turns on the same crops and print the ratio."""
    cv2.setNumThreads(1)
    named = [Path(name) for name in sys.argv[1:]]
    pictures = crops(named or sorted(FILM_ART.glob("*.jpg")))
    settings = EdgeSettings()
    ratios = []
    for _ in range(RUNS):
        for picture in pictures:
            started = time.perf_counter()
            slow = per_pixel(picture)
            between = time.perf_counter()
            fast = smooth_edges(picture, settings)
            ended = time.perf_counter()
            if not np.array_equal(slow, fast):
                raise SystemExit("the two differ")
            ratios.append((between - started) / (ended - between))
            milliseconds = (ended - between) * 1000
    print(f"{len(pictures)} crops, bit-identical; last one {milliseconds:.2f} ms")
    print(
        f"per-pixel loop / ours: median {statistics.median(ratios):.0f}×, least {min(ratios):.0f}×"
    )


if __name__ == "__main__":
    main()
