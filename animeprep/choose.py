"""Chooses the most different pictures, farthest first, with a quota for each shot. Verb: choose.

Perceptual hashes see copies of a drawing, but take every step of a pan for a new one. Here each
picture is described by what it shows (`descriptor`), and the next choice is always the picture
that is farthest from all chosen so far: of all choices of that size the greatest distance of a
picture left out to its nearest chosen one is at most twice the smallest possible (without quota).

Source: Gonzalez, "Clustering to minimize the maximum intercluster distance" (1985).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from animeprep.alike import groups_of
from animeprep.curation import KEEP, decisions
from animeprep.dataset import Dataset
from animeprep.descriptor import from_text, hellinger, squared
from animeprep.errors import DatasetError
from animeprep.files import sha256
from animeprep.folders import DROPPED, KEPT, Summary
from animeprep.records import Record
from animeprep.settings import Settings

STAGE = "choose"
NOT_CHOSEN = "not chosen"
TRAINING, VALIDATION = "train", "val"
#: A shot may give this many times its even share of the target.
_SHARE = 2

_BLOCK = 256


class ChooseSettings(Settings):
    """How many pictures to choose."""

    target: int = Field(default=0, ge=0)
    """choose this many pictures, the most different ones; 0 for as many as there are"""

    per_shot: int = Field(default=0, ge=0)
    """choose at most this many pictures of a shot, also where the target is not reached; 0 for
    twice an even share, or more where the target needs it"""

    held_out: float = Field(default=0.05, ge=0, lt=1)
    """share of the shots, and of pictures that look alike, that validation gets: style_val/"""


def farthest_first(
    descriptors: NDArray[np.uint8],
    target: int,
    groups: Sequence[int],
    quota: int,
    first: Sequence[int] = (),
) -> list[int]:
    """Choose the most different points: each the farthest from those before, ties to the lower.

    The first one is the most typical, nearest to the mean of all. N·`target` distances in whole
    numbers, so that processors and libraries agree.

    Args:
        descriptors: N×D.
        target: how many to choose.
        groups: of each point, from 0.
        quota: at most so many of a group; `first` may be more.
        first: are chosen before all others, even if they are more than `target`.

    Returns:
        The chosen positions in order; fewer than `target` where the quota leaves no more.

    >>> line = np.array([[0], [1], [5], [9], [10]], np.uint8)
    >>> farthest_first(line, 3, groups=[0, 0, 0, 0, 1], quota=2)
    [2, 0, 4]
    >>> farthest_first(line, 3, groups=[0, 0, 0, 1, 1], quota=1)
    [2, 4]
    """
    points = descriptors.astype(np.float32)
    norms = np.einsum("nd,nd->n", points, points)
    group_of = np.asarray(groups)
    room = Counter(dict.fromkeys(groups, quota))
    # Squared distance to the nearest chosen point; -1 for what is chosen or whose group is full.
    apart = np.full(len(points), np.inf, np.float32)
    starts = list(first) or [_most_typical(descriptors)]
    order: list[int] = []
    while len(order) < max(target, len(first)):
        one = starts[len(order)] if len(order) < len(starts) else int(apart.argmax())
        if apart[one] < 0 and len(order) >= len(starts):
            break
        order.append(one)
        apart = np.minimum(apart, norms + norms[one] - 2 * (points @ points[one]))
        apart[one] = -1
        room[groups[one]] -= 1
        if room[groups[one]] <= 0:
            apart[group_of == groups[one]] = -1
    return order


def _most_typical(descriptors: NDArray[np.uint8]) -> int:
    """The point nearest to the mean of all; of equally near ones the first."""
    points = descriptors.astype(np.int64)
    # N² times the squared distance, but for what is the same for all.
    return int((len(points) * (points * points).sum(1) - 2 * (points @ points.sum(0))).argmin())


def quota_of(groups: Sequence[int], target: int) -> int:
    """How many pictures a group may give: twice its even share, or as many as the target needs.

    >>> quota_of([0, 0, 0, 0, 1, 1, 2, 2], target=3)
    2
    >>> quota_of([0] * 9 + [1, 2], target=9)
    7
    """
    sizes = np.array(list(Counter(groups).values()))
    quota = -(-_SHARE * target // len(sizes))
    while np.minimum(sizes, quota).sum() < min(target, sizes.sum()):
        quota += 1
    return quota


def hold_out(
    names: Sequence[str], groups: Sequence[int], share: float, before: Mapping[str, bool]
) -> list[bool]:
    """Which pictures validation gets: whole groups, so that nothing of them is trained on.

    A group with a picture that was held out before is held out, one whose others were not is not;
    new ones follow from the hash of their first name. Where the share is half a group or more at
    least one is held out, and never are all.

    Args:
        names: of the pictures.
        groups: of each.
        share: of the groups to hold out, 0..1.
        before: what was held out, and what was not.

    >>> hold_out(["a", "b", "c"], [0, 1, 0], 0.5, {"a": True})
    [True, False, True]
    """
    members: dict[int, list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        members.setdefault(group, []).append(name)
    known = {g: any(before.get(n, False) for n in own) for g, own in members.items()
             if any(n in before for n in own)}  # fmt: skip
    rank = {g: sha256(min(own).encode(errors="surrogateescape")) for g, own in members.items()}
    fresh = sorted((g for g in members if g not in known), key=rank.__getitem__)
    count = sum(int(rank[g][:8], 16) < share * 2**32 for g in fresh)
    if not count and not any(known.values()) and share * len(members) >= 0.5:
        count = 1
    held = {g for g, was in known.items() if was} | set(fresh[:count])
    if held == members.keys():
        held.discard(max(held.intersection(fresh) or held, key=rank.__getitem__))
    return [group in held for group in groups]


def choose(dataset: Dataset, settings: ChooseSettings, *, dry_run: bool = False) -> Summary:
    """Decide which of the frames that dedup kept the later stages take, and for what.

    What dedup measured is enough: no picture is read. Frames that it never saw are kept.

    Raises:
        DatasetError: there are no frames, or dedup has not looked at them.
        OutputError: the records cannot be written.
    """
    examined = dataset.records("dedup").named()
    names = [dataset.file_name(path) for path in dataset.judged_frames()]
    described = [name for name in names if "descriptor" in examined.get(name, {})]
    if not described:
        raise DatasetError(
            dataset.root, "no frame was looked at yet", "run `animeprep dedup` first"
        )
    old = dataset.records(STAGE)
    fresh = [
        {"file_name": name, "status": KEPT, "descriptor": examined[name]["descriptor"]}
        for name in described
    ]
    origin = dataset.records("frames").named()
    summary = Summary(STAGE, problems=old.told(), dry_run=dry_run)
    summary.figures = decide(
        fresh, [origin.get(name, {}) for name in described], settings, decisions(dataset)
    )
    before = {
        record["file_name"]: record["split"] == VALIDATION
        for record in old
        if record["share"] == settings.held_out
    }
    groups = [record["group"] for record in fresh]
    held = hold_out(described, groups, settings.held_out, before)
    for record, is_held in zip(fresh, held, strict=True):
        record["split"] = VALIDATION if is_held else TRAINING
    return _settle(dataset, fresh, settings, summary)


def _settle(
    dataset: Dataset, fresh: list[Record], settings: ChooseSettings, summary: Summary
) -> Summary:
    """Write the records and count them."""
    records = dataset.records(STAGE)
    for name in records.sources():
        records.drop(name)
    for record in fresh:
        del record["descriptor"]
        records.update(record["file_name"], [{**record, "share": settings.held_out}])
    if summary.dry_run:
        dataset.foreseen[STAGE] = records
    else:
        records.tidy()
    summary.counts = Counter(record["status"] for record in fresh)
    summary.reasons = Counter(record["reason"] for record in fresh if "reason" in record)
    summary.figures["held_out"] = sum(
        r["status"] == KEPT and r["split"] == VALIDATION for r in fresh
    )
    return summary


def decide(
    records: Sequence[Record],
    origins: Sequence[Record],
    settings: ChooseSettings,
    by_hand: Mapping[str, str],
) -> dict[str, Any]:
    """Set status and group of every described picture; of those left out, whom they resemble.

    Args:
        records: their descriptors; changed in place.
        origins: where each came from, as far as that is known.
        settings: how many to choose.
        by_hand: name → what was decided by hand; who is kept so is chosen first.

    Returns:
        groups: how many; where there is a choice also per_shot: the quota; farthest: the greatest
        distance of a picture that is left out to its nearest chosen one, 0..1.
    """
    descriptors = np.stack([from_text(record["descriptor"]) for record in records])
    groups = groups_of(origins, descriptors)
    for record, group in zip(records, groups, strict=True):
        record["group"] = group
    figures: dict[str, Any] = {"groups": len(set(groups))}
    if not settings.target and not settings.per_shot:
        return figures
    target = settings.target or len(records)
    quota = settings.per_shot or quota_of(groups, target)
    first = [n for n, record in enumerate(records) if by_hand.get(record["file_name"]) == KEEP]
    chosen = sorted(farthest_first(descriptors, target, groups, quota, first))
    left = sorted(set(range(len(records))).difference(chosen))
    farthest = 0.0
    for n, (keeper, distance) in zip(left, nearest(descriptors, left, chosen), strict=True):
        known = {"keeper": records[chosen[keeper]]["file_name"], "distance": distance}
        records[n].update(status=DROPPED, reason=NOT_CHOSEN, **known)
        farthest = max(farthest, distance)
    return {**figures, "per_shot": quota, "farthest": farthest}


def nearest(
    descriptors: NDArray[np.uint8], ones: Sequence[int], others: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """For each of some points, which of the others is nearest, and its Hellinger distance."""
    for start in range(0, len(ones), _BLOCK):
        block = list(ones[start : start + _BLOCK])
        apart = squared(descriptors[block], descriptors[list(others)])
        at = apart.argmin(axis=1)
        distances = hellinger(apart[np.arange(len(block)), at]).round(4)
        yield from zip(at.tolist(), distances.tolist(), strict=True)
