"""Films painted: flicker beside painting picture by picture, and speed beside the network alone.

    python benchmarks/painting_films.py flicker FILM [--model RUN] [--start 20] [--end 25]
    python benchmarks/painting_films.py speed FILM [--model RUN] [--pictures 48] [--side 960]

`flicker` paints a stretch twice, with norms of the shot and with those of each picture, and
measures neighbours within shots (`animegan/measures/flicker.py`). `speed` paints the first
pictures of a film end to end, and lets the network alone paint as many of the same size, in turns.
"""

import argparse
import contextlib
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from animegan.films.canvas import Canvas
from animegan.films.in_order import InOrder
from animegan.films.paint import paint_film
from animegan.films.painting import paint_pictures
from animegan.films.plan import stretch
from animegan.films.settings import FilmSettings, How
from animegan.measures.flicker import static_change, warping_error
from animegan.painter import Painter
from animegan.stylize import PaintSettings
from animeprep.boxes import Picture
from animeprep.film import probe


def flicker(given: argparse.Namespace) -> None:
    """Print what changes between neighbours that should not."""
    painter = Painter.load(given.model)
    film = FilmSettings(start=given.start, end=given.end)
    found: dict[str, list[tuple[float, float]]] = {}
    pairs = itertools.pairwise(
        (one.part.shot, one.picture, one.painting, painter.paint(one.picture))
        for one in paint_pictures(
            given.film, How(painter, PaintSettings(max_side=given.side), film)
        )
    )
    for (shot, *before), (next_shot, *after) in pairs:
        if shot != next_shot:
            continue
        pictures: tuple[Picture, Picture] = before[0], after[0]
        for name, one, other in zip(("the film", "ours", "each alone"), before, after, strict=True):
            measured = warping_error(pictures, (one, other)), static_change(pictures, (one, other))
            found.setdefault(name, []).append(measured)
    print(f"{given.film.name}, {given.side} pixels, {len(found['ours'])} pairs")
    print("| | warping error, levels | change of what stands still, levels |\n|---|---|---|")
    for name in ("the film", "each alone", "ours"):
        errors, changes = (np.array(values) for values in zip(*found[name], strict=True))
        still = f"{np.nanmean(changes):.2f}" if np.isfinite(changes).any() else "–"
        print(f"| {name} | {np.nanmean(errors):.2f} | {still} |")


def speed(given: argparse.Namespace) -> None:
    """Print how fast films are painted beside the network alone."""
    painter = Painter.load(given.model)
    film = probe(given.film)
    end = given.start + given.pictures / film.rate
    first, last = stretch(film, given.start, end)
    canvas = Canvas.of(film, given.side)
    with contextlib.closing(InOrder(film, list(range(first, last)))) as found:
        shown = [canvas.fitted(one.rgb) for one in found.before(last)]
    settings = FilmSettings(start=given.start, end=end)
    how = How(painter, PaintSettings(max_side=given.side), settings)
    norms = painter.survey(shown[:1])
    painter.paint(shown[0], norms=norms)
    ratios = []
    for _turn in range(given.turns):
        begun = time.perf_counter()
        for picture in shown:
            painter.paint(picture, norms=norms)
        alone = (time.perf_counter() - begun) / len(shown)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            summary = paint_film(given.film, Path(folder) / "out.mp4", how)
            painted = summary.counts["made"] - summary.reasons["repeated"]
            whole = (time.perf_counter() - begun) / painted
        ratios.append(alone / whole)
        print(f"network {alone:.3f} s, film {whole:.3f} s a picture: {ratios[-1]:.2f}")
        print(f"  {summary.figures['pictures a second']} a second while painting")
    print(f"median {statistics.median(ratios):.2f} of the network's own speed")


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("flicker", "speed"))
    parser.add_argument("film", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--end", type=float)
    parser.add_argument("--side", type=int, default=480)
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    (flicker if given.what == "flicker" else speed)(given)


if __name__ == "__main__":
    main()
