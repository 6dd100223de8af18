"""Faces that belong beside each other: the grid of the assignment, all words, interpolations.

Interpolations follow White, "Sampling generative networks" (2016): noise moves over the sphere,
for a straight line would lead through noise that is shorter than any that was trained with.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from animegan.faces.prompts import Prompt
from animegan.faces.sampling import Point, Sampler
from animegan.faces.words import EYES, HAIR, Words
from animegan.sheets import sheet
from animeprep.boxes import Picture

#: Pictures of a strip, both ends included.
STEPS = 9
#: Words that no prompt has; their noise is what faces of different words share.
_ANY = Words()


@dataclass(frozen=True)
class Arrangement:
    """Points in rows and columns.

    Attributes:
        rows: a point for each column.
        columns: the label above each.
        labels: the label left of each row.
    """

    rows: list[list[Point]]
    columns: list[str]
    labels: list[str]


def grid(sampler: Sampler, prompts: Sequence[Prompt], count: int) -> Arrangement:
    """A row for each prompt, with its first faces; the assignment's has 5 of 5."""
    rows = [[sampler.point(one.words, number) for number in range(count)] for one in prompts]
    columns = [str(number + 1) for number in range(count)]
    return Arrangement(rows, columns, [str(one.words) for one in prompts])


def table(sampler: Sampler) -> Arrangement:
    """All hair × all eyes, of one noise: only the words differ."""
    rows = [[sampler.point(Words(hair, eyes), 0, _ANY) for eyes in EYES] for hair in HAIR]
    return Arrangement(rows, [f"{eyes} eyes" for eyes in EYES], [f"{hair} hair" for hair in HAIR])


def strip(
    sampler: Sampler, prompts: Sequence[Prompt], count: int, *, move_noise: bool = False
) -> Arrangement:
    """Rows that lead from one face to another in even steps.

    Args:
        sampler: draws them.
        prompts: of two, a row leads from the first's words to the second's; of one, from one of its
            faces to the next.
        count: rows.
        move_noise: with two prompts: from the k-th face of the first to the k-th of the second;
            otherwise both ends have one noise, and only the words move.
    """
    first, last = prompts[0].words, prompts[-1].words
    shared = None if move_noise or len(prompts) == 1 else _ANY
    following = 1 if len(prompts) == 1 else 0
    rows = []
    for number in range(count):
        ends = (
            sampler.point(first, number, shared),
            sampler.point(last, number + following, shared),
        )
        rows.append([interpolate(*ends, step / (STEPS - 1)) for step in range(STEPS)])
    label = str(first) if len(prompts) == 1 else f"{first} → {last}"
    return Arrangement(
        rows, [f"{step / (STEPS - 1):.0%}" for step in range(STEPS)], [label] * count
    )


def interpolate(first: Point, last: Point, share: float) -> Point:
    """The point between two: words on the straight line, noise on the great circle.

    Args:
        first: where share 0 is.
        last: where share 1 is.
        share: of the way, 0 to 1.
    """
    condition = torch.lerp(first.condition, last.condition, share)
    return Point(_slerp(first.noise, last.noise, share), condition)


def _slerp(first: Tensor, last: Tensor, share: float) -> Tensor:
    cosine = torch.nn.functional.cosine_similarity(first, last, 0).clamp(-1, 1).item()
    angle = math.acos(cosine)
    if math.sin(angle) < 1e-6:  # no circle is the one through them
        return torch.lerp(first, last, share)
    parts = math.sin((1 - share) * angle) * first + math.sin(share * angle) * last
    return parts / math.sin(angle)


def lay_out(arrangement: Arrangement, faces: Iterable[Picture], *, plain: bool = False) -> Picture:
    """Put faces on a sheet.

    Args:
        arrangement: what belongs where.
        faces: uint8 RGB squares of one size, row by row.
        plain: side by side without labels and gaps.

    Returns:
        uint8 RGB H×W×3.
    """
    faces = iter(faces)
    rows = [list(islice(faces, len(arrangement.columns))) for _ in arrangement.rows]
    if plain:
        return np.vstack([np.hstack(row) for row in rows])
    return sheet(rows, arrangement.columns, len(rows[0][0]), arrangement.labels)
