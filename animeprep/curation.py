"""What was chosen by hand: `curation.jsonl`, honoured by every stage.

A picture that is kept by hand passes whatever would leave it out; one that is rejected is left out
by all later stages. Pictures are frames or crops, by their name in records. Another seed or size
puts another crop under the same name: a decision on a crop holds for the file that was seen.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animeprep.dataset import CROPS, Dataset
from animeprep.errors import DatasetError
from animeprep.files import sha256
from animeprep.records import Record, Records

STAGE = "curation"
KEEP, REJECT = "keep", "reject"

#: name → `keep`, `reject`, or None where nothing is decided by hand
Choices = Mapping[str, str | None]


def decisions(dataset: Dataset) -> dict[str, str]:
    """What was decided by hand: name → `keep` or `reject`.

    Raises:
        DatasetError: a line cannot be read, or says something else.
    """
    return _File(dataset).decided()


def decide(dataset: Dataset, names: Iterable[str], decision: str | None) -> None:
    """Keep or reject pictures by hand; None takes a decision back.

    Raises:
        DatasetError, OutputError: as `change` does.
    """
    change(dataset, dict.fromkeys(names, decision))


def change(dataset: Dataset, choices: Choices) -> tuple[dict[str, str | None], dict[str, str]]:
    """Write decisions, all or none of them, over what the file says now.

    Returns:
        What was decided on these pictures before, and all decisions now.

    Raises:
        DatasetError: a line that is there cannot be read, or says neither keep nor reject.
        OutputError: it cannot be written.
    """
    return _File(dataset).change(choices)


def in_force(
    dataset: Dataset, decided: Iterable[Record], crops: Mapping[str, Record]
) -> dict[str, Any]:
    """The decisions that still hold, name → what was decided.

    Args:
        dataset: where the pictures are.
        decided: the records of decisions. One that has the `sha256` of the file that was seen
            holds while that file is there; one that has none, whatever is there.
        crops: the records of the crops that were made, by name.
    """
    return {
        one["file_name"]: one.get("status")
        for one in decided
        if "sha256" not in one or _holds(dataset, one, crops)
    }


@dataclass(frozen=True)
class State:
    """What is decided at one moment of a sitting.

    Attributes:
        revision: goes up by one with every change.
        decided: all decisions, name → `keep` or `reject`.
        touched: the pictures that the latest step was about.
    """

    revision: int
    decided: Mapping[str, str]
    touched: tuple[str, ...] = ()


class Sitting:
    """The decisions of one sitting; they can be undone one by one, the latest first.

    Threads may share it.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._file = _File(dataset)
        self._revision = 0
        self._undone_by: list[Choices] = []
        self._lock = threading.Lock()

    def state(self) -> State:
        """What is decided now.

        Raises:
            DatasetError: as `decisions` does.
        """
        with self._lock:
            return State(self._revision, self._file.decided())

    def decide(self, names: Iterable[str], decision: str | None) -> State:
        """Decide on pictures.

        Raises:
            DatasetError, OutputError: as `change` does; then nothing is decided.
        """
        choices = dict.fromkeys(names, decision)
        with self._lock:
            before, decided = self._file.change(choices)
            if before != choices:
                self._undone_by.append(before)
                self._revision += 1
            return State(self._revision, decided, tuple(choices))

    def undo(self) -> State:
        """Take the latest decision back; nothing is touched where none is left.

        Raises:
            DatasetError, OutputError: as `change` does; then nothing is undone.
        """
        with self._lock:
            choices = self._undone_by[-1] if self._undone_by else {}
            _, decided = self._file.change(choices)
            if choices:
                self._undone_by.pop()
                self._revision += 1
            return State(self._revision, decided, tuple(choices))


class _File:
    """`curation.jsonl`, read again only where another has written it."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._path = dataset.root / f"{STAGE}.jsonl"
        self._records: Records
        self._decided: dict[str, str]
        #: None where what is in memory counts for nothing.
        self._stamp: tuple[int, ...] | None = None

    def decided(self) -> dict[str, str]:
        """See `decisions`."""
        stamp = self._stamp_now()
        if self._stamp != stamp:
            self._records = self._dataset.records(STAGE)
            self._decided = _read(self._dataset, self._records)
            self._stamp = stamp
        return dict(self._decided)

    def change(self, choices: Choices) -> tuple[dict[str, str | None], dict[str, str]]:
        """See `change`."""
        decided = self.decided()
        before = {name: decided.get(name) for name in choices}
        if before == choices:
            return before, decided
        self._stamp = None
        for name, decision in choices.items():
            if decision is None:
                self._records.drop(name)
                decided.pop(name, None)
            else:
                self._records.update(name, [_record(self._dataset, name, decision)])
                decided[name] = decision
        self._records.tidy()
        self._decided, self._stamp = dict(decided), self._stamp_now()
        return before, decided

    def _stamp_now(self) -> tuple[int, ...]:
        """What is another one as soon as the file is; empty where there is none."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read(dataset: Dataset, records: Records) -> dict[str, str]:
    if records.torn:
        raise DatasetError(
            records.path,
            f"{records.torn} line{'s' * (records.torn > 1)} cannot be read",
            "repair or remove what is no whole record: its decision would be lost",
        )
    every = list(records)
    for one in every:
        if one["status"] not in {KEEP, REJECT}:
            raise DatasetError(
                records.path,
                f"{one['file_name']} is neither kept nor rejected but {one['status']!r}",
                f"write {KEEP!r} or {REJECT!r}, or remove the line",
            )
    on_crops = any("sha256" in one for one in every)
    return in_force(dataset, every, dataset.records("crop").named() if on_crops else {})


def _record(dataset: Dataset, name: str, decision: str) -> Record:
    """A decision; on a crop with the `sha256` of its file, or of what was made if that is gone."""
    record: Record = {"file_name": name, "status": decision}
    if name.startswith(f"{CROPS}/"):
        digest = _digest(dataset, name)
        if digest is None:
            digest = dataset.records("crop").named().get(name, {}).get("sha256")
        record |= {"sha256": digest} if digest else {}
    return record


def _holds(dataset: Dataset, one: Record, crops: Mapping[str, Record]) -> bool:
    """Whether a crop is still the one that was decided on; the file is read where need be."""
    name, seen = one["file_name"], str(one["sha256"])
    return seen == crops.get(name, {}).get("sha256") or seen == _digest(dataset, name)


def _digest(dataset: Dataset, name: str) -> str | None:
    """The SHA-256 of a file of the dataset; None where it cannot be had."""
    try:
        return sha256(dataset.path(name).read_bytes())
    except (DatasetError, OSError, ValueError):
        return None


def kept_crops(dataset: Dataset) -> list[Path]:
    """The pictures in `crops/` that were not rejected by hand.

    Raises:
        DatasetError: there are none, or `curation.jsonl` cannot be read.
    """
    by_hand = decisions(dataset)
    found = dataset.pictures(CROPS)
    kept = [path for path in found if by_hand.get(dataset.file_name(path)) != REJECT]
    if not kept:
        raise DatasetError(
            dataset.root / CROPS,
            f"all {len(found)} pictures are rejected",
            "keep some with `animeprep review`",
        )
    return kept
