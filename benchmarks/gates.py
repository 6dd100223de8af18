"""The gates beside the eye: hits, misses and false alarms on labelled pictures, as Markdown.

    python benchmarks/gates.py FOLDER [--sheet PICTURE.png]

FOLDER holds `films/` and `anime_frames/`. The labels in `labels/gates.json` were given by eye:
film → index of the picture → labels, and likewise for stills and for pictures that are made here of
stills (blurred, darkened, faded, with credits or subtitles). A picture labelled "ok" or "subtitle"
alone should pass. A gate that leaves out what is labelled with another gate is not counted.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from animeprep.boxes import Picture
from animeprep.film import Selection, pictures, probe
from animeprep.gates import GATES, GateSettings, judge, measure
from animeprep.images import read_rgb, resize, thumbnail, write_png
from animeprep.lettering import lettering

LABELS = Path(__file__).parent / "labels" / "gates.json"
MADE = "made"
HARMLESS = {"ok", "subtitle"}
CREDITS = ("Directed by", "ANNA EXAMPLE", "Written by", "JOHN SAMPLE", "Music", "THE ORCHESTRA")
SUBTITLE = "I never said that I would go."
COLUMNS = 12


def as_picture(levels: NDArray[np.floating]) -> Picture:
    """Rounded to whole levels."""
    return np.asarray(np.rint(levels), np.uint8)


def tiles(picture: Picture) -> Picture:
    """Six tiles of one tone each."""
    few = resize(picture, 3, 2)
    return np.asarray(cv2.resize(few, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST))


class Row(NamedTuple):
    """A picture and what is known about it.

    Attributes:
        name: film and index, or file.
        labels: given by eye.
        measured: what `measure` says.
        low: whether lettering was found where subtitles stand.
        cell: its thumbnail.
    """

    name: str
    labels: set[str]
    measured: dict[str, float]
    low: bool
    cell: Picture

    @property
    def fine(self) -> bool:
        """Whether it should pass all gates."""
        return self.labels <= HARMLESS


Wrong = tuple[str, str, Row]


def blend(picture: Picture, level: int, share: float) -> Picture:
    """Faded into one level."""
    return as_picture(picture * (1 - share) + level * share)


def darken(picture: Picture, stops: float) -> Picture:
    """So many stops less light, roughly: gamma 2.2."""
    return as_picture(255 * ((picture / 255) ** 2.2 / 2**stops) ** (1 / 2.2))


def blur(picture: Picture, sigma: float) -> Picture:
    """Out of focus, sigma in pixels at 512 rows."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma * picture.shape[0] / 512), np.uint8)


def pan(picture: Picture, length: int) -> Picture:
    """Smeared along the rows, pixels."""
    return np.asarray(cv2.blur(picture, (length, 1)), np.uint8)


def write(picture: Picture, line: str, foot: float, size: float) -> Picture:
    """A centred line of white type with a dark rim; foot and size in parts of the height."""
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    font = ImageFont.load_default(round(size * height))
    place, rim = (width / 2, foot * height), max(1, round(0.08 * size * height))
    drawing = ImageDraw.Draw(image)
    drawing.text(place, line, "white", font, "ms", stroke_width=rim, stroke_fill="black")
    return np.array(image)


def credit(picture: Picture, light: float) -> Picture:
    """A roll of credits over the picture, which is left so much light."""
    roll = as_picture(picture * light)
    for number, line in enumerate(CREDITS):
        roll = write(roll, line, 0.15 + 0.14 * number, 0.05)
    return roll


#: What is made of a still.
MAKERS: dict[str, Callable[[Picture], Picture]] = {
    "blur 1": partial(blur, sigma=1),
    "blur 3": partial(blur, sigma=3),
    "blur 5": partial(blur, sigma=5),
    "pan 25": partial(pan, length=25),
    "fade to black": partial(blend, level=0, share=0.9),
    "fade to white": partial(blend, level=255, share=0.93),
    "fade to gray": partial(blend, level=128, share=0.85),
    "one tone": lambda picture: np.full_like(picture, picture[5, 5]),
    "six tiles": tiles,
    "dusk": partial(darken, stops=5),
    "credits on black": partial(credit, light=0),
    "credits": partial(credit, light=0.8),
    "title": partial(write, line="THE LONG WAY HOME", foot=0.5, size=0.09),
    "subtitle": partial(write, line=SUBTITLE, foot=0.94, size=0.055),
    "two subtitles": lambda picture: write(
        write(picture, SUBTITLE, 0.87, 0.05), "Not by night.", 0.95, 0.05
    ),
}


def labelled(folder: Path) -> Iterator[tuple[str, Picture, set[str]]]:
    """Name, picture and labels of everything that is labelled."""
    for source, labels in json.loads(LABELS.read_text()).items():
        if source.endswith(".mp4"):
            film = probe(folder / "films" / source)
            wanted = Selection(only=tuple(map(int, labels)))
            for found in pictures(film, wanted):
                yield f"{source} {found.index}", found.rgb, set(labels[str(found.index)])
        else:
            for name, given in labels.items():
                maker, _, still = name.rpartition("/")
                picture = read_rgb(folder / "anime_frames" / still)
                yield name, MAKERS[maker](picture) if source == MADE else picture, set(given)


def look(name: str, picture: Picture, labels: set[str]) -> Row:
    """Everything about one picture."""
    foot = 0.7 * picture.shape[0]
    low = any(box.top + box.height / 2 >= foot for box in lettering(picture))
    return Row(name, labels, measure(picture), low, thumbnail(picture))


def gates_table(rows: list[Row], settings: GateSettings) -> list[Wrong]:
    """Print a line for each gate; return what it judges wrongly."""
    print("| gate | looks at | passes | labelled | hits | misses | false alarms |")
    print("|---|---|---|---|---|---|---|")
    wrong: list[Wrong] = []
    for gate, rule in GATES.items():
        bound = getattr(settings, gate)
        out = [row for row in rows if not rule.passes(row.measured[gate], bound)]
        names = {row.name for row in out}
        hits = sum(gate in row.labels for row in out)
        alarms = [row for row in out if row.fine]
        misses = [row for row in rows if gate in row.labels and row.name not in names]
        print(
            f"| {gate} | {rule.measure} | {'≥' if rule.least else '≤'} {bound:g} "
            f"| {hits + len(misses)} | {hits} | {len(misses)} | {len(alarms)} |"
        )
        wrong += [(gate, "miss", row) for row in misses]
        wrong += [(gate, "false alarm", row) for row in alarms]
    return wrong


def subtitles(rows: list[Row]) -> list[Wrong]:
    """Print how many subtitles are found; return what is found wrongly."""
    subtitled = [row for row in rows if "subtitle" in row.labels]
    others = [row for row in rows if row.labels == {"ok"}]
    missed = [row for row in subtitled if not row.low]
    alarms = [row for row in others if row.low]
    print(f"\nSubtitles found: {len(subtitled) - len(missed)} of {len(subtitled)}; lettering found")
    print(f"where subtitles stand, without any: {len(alarms)} of {len(others)}.\n")
    return [("subtitle", "miss", row) for row in missed] + [
        ("subtitle", "false alarm", row) for row in alarms
    ]


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sheet", type=Path, help="write what is judged wrongly to this picture")
    given = parser.parse_args()
    settings = GateSettings()
    rows = [look(*found) for found in labelled(given.folder)]
    wrong = gates_table(rows, settings) + subtitles(rows)
    fine = [row for row in rows if row.fine]
    poor = [row for row in rows if not row.fine]
    stay = sum(judge(row.measured, settings) is None for row in poor)
    go = sum(judge(row.measured, settings) is not None for row in fine)
    print(f"All gates together: of {len(poor)} pictures to leave out {stay} stay;")
    print(f"of {len(fine)} to keep {go} go.\n")
    for gate, kind, row in wrong:
        value = f"{row.measured[gate]:.4g}; " if gate in GATES else ""
        print(f"- {gate}, {kind}: {row.name} ({value}judged {judge(row.measured, settings)})")
    if given.sheet and wrong:
        write_sheet(given.sheet, [row.cell for *_, row in wrong])


def write_sheet(path: Path, cells: list[Picture]) -> None:
    """All cells in rows."""
    sheet = np.zeros((-(-len(cells) // COLUMNS) * 110, COLUMNS * 162, 3), np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // COLUMNS * 110, number % COLUMNS * 162
        cell = cell[:108]  # noqa: PLW2901  # a tall one would cover the next row
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    write_png(path, sheet)


if __name__ == "__main__":
    main()
