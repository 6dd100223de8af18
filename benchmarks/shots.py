"""Where shots begin, beside PySceneDetect's detectors, on films whose cuts were marked by eye.

    python benchmarks/shots.py FILM...

FILM is one of those in `labels/cuts.json`. A cut counts as found within one picture of its place.
What a detector says inside a fade is neither right nor wrong for cuts; a fade counts as found when
a detector says anything inside it. Prints Markdown.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import scenedetect  # type: ignore[import-untyped]

from animeprep.film import probe, shots

LABELS = Path(__file__).with_name("labels") / "cuts.json"
TOLERANCE = 1
DETECTORS = ("ContentDetector", "AdaptiveDetector", "ThresholdDetector")


@dataclass
class Score:
    """What was found in some films.

    Attributes:
        found, missed, wrong: cuts.
        fades, all_fades: found, and how many there are.
        seconds: the time it took.
    """

    found: int = 0
    missed: int = 0
    wrong: int = 0
    fades: int = 0
    all_fades: int = 0
    seconds: float = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def row(self) -> str:
        """Cells of the table."""
        precision = share(self.found, self.found + self.wrong)
        recall = share(self.found, self.found + self.missed)
        f1 = share(2 * self.found, 2 * self.found + self.wrong + self.missed)
        cuts = f"{self.found} | {self.missed} | {self.wrong} | {precision} | {recall} | {f1}"
        return f"{cuts} | {self.fades} of {self.all_fades} | {self.seconds:.1f}"


def share(part: int, whole: int) -> str:
    """Part by whole; a dash where there is nothing.

    >>> share(1, 4), share(0, 0)
    ('0.250', '-')
    """
    return f"{part / whole:.3f}" if whole else "-"


def score(said: list[int], label: dict[str, Any], seconds: float) -> Score:
    """Compare what a detector said with what was marked.

    >>> label = {"cuts": [10, 20], "fades": [[40, 50]], "unclear": []}
    >>> score([11, 30, 45], label, 0)
    Score(found=1, missed=1, wrong=1, fades=1, all_fades=1, seconds=0)
    """

    def is_at(place: int, index: int) -> bool:
        return abs(place - index) <= TOLERANCE

    def within(fade: list[int], index: int) -> bool:
        return fade[0] - TOLERANCE <= index <= fade[1] + TOLERANCE

    cuts, fades = label["cuts"], label["fades"]
    found = sum(any(is_at(cut, index) for index in said) for cut in cuts)
    wrong = [
        index
        for index in said
        if not any(is_at(place, index) for place in (*cuts, *label["unclear"]))
        and not any(within(fade, index) for fade in fades)
    ]
    faded = sum(
        any(within(fade, i) and not any(is_at(cut, i) for cut in cuts) for i in said)
        for fade in fades
    )
    return Score(found, len(cuts) - found, len(wrong), faded, len(fades), seconds)


def ours(path: Path, pictures: int) -> list[int]:
    """Where `animeprep` says that shots begin."""
    begins, total = shots(probe(path))
    if total != pictures:
        raise ValueError(f"{path} has {total} pictures, not {pictures}")
    return begins[1:]


def theirs(name: str) -> Callable[[Path, int], list[int]]:
    """The same by a detector of PySceneDetect as it comes, on pictures it reads itself."""

    def detect(path: Path, pictures: int) -> list[int]:
        video = scenedetect.open_video(str(path))
        if video.duration.frame_num != pictures:
            raise ValueError(f"{path} has {video.duration.frame_num} pictures, not {pictures}")
        manager = scenedetect.SceneManager()
        manager.add_detector(getattr(scenedetect, name)())
        manager.detect_scenes(video)
        return [int(begin.frame_num) for begin, _ in manager.get_scene_list()[1:]]

    return detect


def table(films: list[Path]) -> Iterator[str]:
    """Lines of Markdown."""
    labels = json.loads(LABELS.read_text())
    ways = {"animeprep": ours, **{name: theirs(name) for name in DETECTORS}}
    yield "| film | detector | found | missed | wrong | precision | recall | F1 | fades | seconds |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    totals = {name: Score() for name in ways}
    for path in films:
        label = labels[path.name]
        for name, way in ways.items():
            started = time.perf_counter()
            said = way(path, label["pictures"])
            one = score(said, label, time.perf_counter() - started)
            totals[name] += one
            yield f"| {path.name} | {name} | {one.row()} |"
    for name, total in totals.items():
        yield f"| **all** | {name} | {total.row()} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="+")
    for line in table(parser.parse_args().films):
        print(line, flush=True)


if __name__ == "__main__":
    main()
