"""How often a classifier is right about faces that it never saw, colour by colour."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from animegan.faces.collection import Faces
from animegan.faces.words import COLOURS, UNSAID
from animegan.measures.interval import Interval, mean
from animeprep.page import Section, Table

Network = Literal["classifier", "examiner"]
Attribute = Literal["hair", "eyes"]
Places = NDArray[np.int64]
#: Places of colours answered: in `HAIR` and in `EYES`, N each.
Given = tuple[Places, Places]

_WHAT = {
    "classifier": "the report's classifier, which teaches the generator",
    "examiner": "the examiner, which only judges",
}
_LEAD = (
    "Each network was asked about tagged faces that were kept from all training. What the examiner "
    "reaches here is the most that generated faces can be expected to reach when it judges them; "
    "always giving the colour most common in training is right as often as the last column says. "
    "Ranges are 95 % intervals over the faces."
)


class Answers(BaseModel):
    """One network's answers about one attribute of held-out faces.

    Attributes:
        network: `classifier`, the report's, or `examiner`.
        attribute: `hair` or `eyes`.
        faces: how many were asked about: those of which a colour is said.
        accuracy: share of right answers; None where there are no faces.
        commonest: the colour most common in training.
        majority: share of right answers if that were always the answer; None without faces.
        recall: colour → share of its faces that were recognised; None for colours without faces.
        confusion: rows are the colours said, columns the colours answered, in the order of
            `COLOURS`; numbers of faces.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Network
    attribute: Attribute
    faces: int
    accuracy: Interval | None
    commonest: str
    majority: float | None
    recall: dict[str, Interval | None]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def colours(self) -> Sequence[str]:
        """All that could be answered."""
        return COLOURS[self.attribute]


def compare(network: Network, given: Given, held_out: Faces, train: Faces) -> list[Answers]:
    """Compare answers with what is said.

    Args:
        network: whose they are.
        given: places of the colours answered, in `HAIR` and in `EYES`, one for each held-out face.
        held_out: the faces asked about; those of which nothing is said do not count.
        train: what was learned from, for the majority.

    Returns:
        Those about hair, and those about eyes.
    """
    hair, eyes = given
    return [
        _compare(network, "hair", hair, held_out.hair, train.hair),
        _compare(network, "eyes", eyes, held_out.eyes, train.eyes),
    ]


def _compare(
    network: Network, attribute: Attribute, given: Places, said: Places, learned: Places
) -> Answers:
    colours = COLOURS[attribute]
    asked = said != UNSAID
    said, given = said[asked], given[asked]
    confusion = np.zeros((len(colours),) * 2, np.int64)
    np.add.at(confusion, (said, given), 1)
    commonest = int(np.bincount(learned[learned != UNSAID], minlength=len(colours)).argmax())
    right = said == given
    return Answers(
        network=network,
        attribute=attribute,
        faces=len(said),
        accuracy=_share(right),
        commonest=colours[commonest],
        majority=float((said == commonest).mean()) if said.size else None,
        recall={colour: _share(right[said == place]) for place, colour in enumerate(colours)},
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def _share(right: NDArray[np.bool_]) -> Interval | None:
    return mean(right) if right.size else None


def classifier_sections(report: Sequence[Answers]) -> list[Section]:
    """What a page shows of them: how often each is right, by colour, and what it mixes up."""
    overall = [
        (_WHAT[one.network], one.attribute, one.faces, shown(one.accuracy), _majority(one))
        for one in report
    ]
    head = ("network", "of", "faces", "right", "always the commonest")
    parts = [_by_colour(one) for one in report]
    table = Table(head, overall)
    return [Section("The classifiers", _LEAD, tables=[table], parts=parts, anchor="classifiers")]


def _majority(one: Answers) -> str:
    return "–" if one.majority is None else f"{one.majority:.1%} ({one.commonest})"


def _by_colour(one: Answers) -> Section:
    rows = [
        (colour, sum(row), shown(one.recall[colour]), _mistaken(one, place))
        for place, (colour, row) in enumerate(zip(one.colours, one.confusion, strict=True))
    ]
    matrix = [
        (colour, *(number or "" for number in row))
        for colour, row in zip(one.colours, one.confusion, strict=True)
    ]
    return Section(
        f"{one.attribute.capitalize()}: {_WHAT[one.network]}",
        tables=[
            Table(("colour", "faces", "right", "taken for"), rows, "By colour", folded=True),
            Table(
                ("said ↓ answered →", *one.colours), matrix, "What is taken for what", folded=True
            ),
        ],
    )


def _mistaken(one: Answers, place: int) -> str:
    """What else a colour is taken for, the most frequent first."""
    others = [
        (-number, colour)
        for other, (number, colour) in enumerate(
            zip(one.confusion[place], one.colours, strict=True)
        )
        if number and other != place
    ]
    return ", ".join(f"{colour} {-number}" for number, colour in sorted(others)[:3])


def shown(share: Interval | None) -> str:
    """A share with its interval, as percentages.

    >>> shown(Interval(0.5, 0.25, 0.75))
    '50.0 % (25.0–75.0)'
    """
    if share is None:
        return "–"
    value, low, high = (100 * part for part in share)
    return f"{value:.1f} % ({low:.1f}–{high:.1f})"
