"""The page of an evaluation: what was measured, and the faces to look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from animegan.faces.answers import Answers, shown
from animegan.faces.collection import Faces
from animegan.faces.evaluation import (
    EXAMINER,
    FEATURES,
    JOINT,
    PIXELS,
    UNTRAINED,
    Evaluation,
    words_of,
)
from animegan.faces.measures import PERCENTILES
from animegan.faces.words import Words
from animegan.measures import Interval
from animeprep.boxes import Picture
from animeprep.page import Figure, Section, Table, write_page

#: Drawn faces that are shown with the nearest training faces.
_SHOWN = 8
_LEAD = (
    "Faces that a generator drew for the words of held-out faces, of which training had no copy, "
    "measured beside those. Ranges are 95 % intervals over the drawn faces."
)
_FOLLOWING = (
    "What the examiner sees in a face, against what was asked for; no generator learns from the "
    "examiner. Faces that do not heed their words would be right as often as drawn faces are "
    "against another face's words; the examiner's own share of right answers on the held-out faces "
    "is the most that can be expected."
)
_DISTANCES = (
    "Kernel distances to the held-out faces: near 0 is none. The joint one takes face and words "
    "together, so that it grows with faces that look wrong, are too much alike, or show another's "
    "words. The others see faces alone, by the examiner's features and by those of a network that "
    "learned nothing, which favours nothing that a training could aim at. Beside them, how far one "
    "half of the held-out faces is from the other, and how far with the words of others: the mean, "
    "least and largest of several halvings."
)
_COPIES = (
    "Diversity is how far apart faces of the same words are, over real faces of the same words: 1 "
    "is as various, 0 one picture. Distances to the nearest training face, mirrored or not, are "
    "over those of held-out faces in the median: near 0 are copies; blurred faces are somewhat "
    "near to many. The last columns are the drawn faces that are nearer to one than the nearest "
    "1 % and 5 % of held-out faces are: of new real faces, as many would be."
)
_NAMES = {
    JOINT: "joint: faces with their words",
    EXAMINER: "the examiner's features",
    UNTRAINED: "an untrained network's features",
    FEATURES: "in the examiner's features",
    PIXELS: "in pixels of 16×16",
}


@dataclass(frozen=True)
class Shown:
    """Faces that the page shows beside the measures.

    Attributes:
        words: of the grid's rows.
        grid: their faces, as many in each row.
        table: a sheet of all hair × all eyes.
        found: in how many of the grid a face detector finds a face; None without one.
    """

    words: Sequence[Words]
    grid: Sequence[Sequence[Picture]]
    table: Picture
    found: int | None = None


def write_evaluation(
    path: Path, title: str, evaluation: Evaluation, train: Faces, faces: Shown
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        title: plain text.
        evaluation: what was measured.
        train: the training faces that `evaluation` names.
        faces: what to show.

    Raises:
        OutputError: it cannot be written.
    """
    sections = [
        Section("Do faces show their words?", _FOLLOWING, tables=[_following(evaluation)]),
        Section("How far are they from real faces?", _DISTANCES, tables=[_distances(evaluation)]),
        Section("Are they various, are they copies?", _COPIES, tables=[_copies(evaluation)]),
        Section("Five faces of five prompts", _found(faces), rows=_grid(faces), size="small"),
        Section(
            "All words",
            "Hair from row to row, eyes from column to column, all of one noise: what else "
            "differs, the words have changed.",
            rows=[[Figure(faces.table, alt="A table of all colours of hair and eyes")]],
        ),
        Section(
            "The nearest training faces",
            "Those drawn faces that are nearest to a training face, each beside it.",
            parts=list(_nearest(evaluation, train)),
        ),
        Section(
            "Colour by colour",
            parts=[
                _colours(*both)
                for both in zip(evaluation.answers, evaluation.real_answers, strict=True)
            ],
        ),
    ]
    write_page(path, title, _LEAD, sections)


def _following(evaluation: Evaluation) -> Table:
    head = ("shown rightly", "drawn faces", "against others' words", "always the commonest",
            "held-out faces")  # fmt: skip
    rows = [
        (name, shown(found.right), _percent(found.shuffled), _percent(found.majority),
         shown(evaluation.ceiling[name].right))
        for name, found in evaluation.accuracy.items()
    ]  # fmt: skip
    return Table(head, rows)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _distances(evaluation: Evaluation) -> Table:
    head = ("kernel distance", "drawn faces", "real faces", "real faces, others' words")
    rows = [
        (_NAMES[name], *(told(found.get(kind), 3) for kind in ("drawn", "real", "shuffled")))
        for name, found in evaluation.distances.items()
    ]
    return Table(head, rows)


def _copies(evaluation: Evaluation) -> Table:
    below = [f"nearer than held-out faces' nearest {percent} %" for percent in PERCENTILES]
    head = ("", "diversity", "distance to the nearest", *below)
    rows = [
        (_NAMES[name], told(evaluation.diversity[name]), told(found.ratio),
         *(shown(found.nearer[percent]) for percent in PERCENTILES))
        for name, found in evaluation.memorising.items()
    ]  # fmt: skip
    return Table(head, rows)


def told(value: Interval | None, digits: int = 2) -> str:
    """A number with its interval.

    >>> told(Interval(0.5, 0.25, 0.751))
    '0.50 (0.25 to 0.75)'
    """
    if value is None:
        return "–"
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(*value, d=digits)


def _found(faces: Shown) -> str:
    if faces.found is None:
        return ""
    count = sum(len(row) for row in faces.grid)
    return f"The face detector finds a face in {faces.found} of the {count}."


def _grid(faces: Shown) -> list[list[Figure]]:
    return [
        [Figure(picture, str(words)) for picture in row]
        for words, row in zip(faces.words, faces.grid, strict=True)
    ]


def _nearest(evaluation: Evaluation, train: Faces) -> Iterator[Section]:
    """Drawn beside training faces, those nearest to one first, each training face once."""
    words, learned = words_of(evaluation.drawn), words_of(train)
    for name, found in evaluation.nearest.items():
        shown_with: dict[int, int] = {}
        for place in found.distances.argsort(kind="stable").tolist():
            shown_with.setdefault(int(found.places[place]), place)
        figures = []
        for near, place in list(shown_with.items())[:_SHOWN]:
            figures += [
                Figure(evaluation.drawn.pictures[place], f"drawn: {words[place]}", chosen=True),
                Figure(train.pictures[near], f"{train.names[near]}: {learned[near]}"),
            ]
        yield Section(f"Nearest {_NAMES[name]}", figures=figures, size="small")


def _colours(drawn: Answers, real: Answers) -> Section:
    rows = [
        (colour, sum(counts), shown(drawn.recall[colour]), shown(real.recall[colour]))
        for colour, counts in zip(drawn.colours, drawn.confusion, strict=True)
    ]
    matrix = [
        (colour, *(number or "" for number in counts))
        for colour, counts in zip(drawn.colours, drawn.confusion, strict=True)
    ]
    return Section(
        drawn.attribute.capitalize(),
        tables=[
            Table(("asked for", "faces", "drawn faces right", "held-out faces right"), rows),
            Table(("asked ↓ seen →", *drawn.colours), matrix, "What is seen for what", folded=True),
        ],
    )
