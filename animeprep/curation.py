"""What was chosen by hand: `curation.jsonl`, honoured by every stage.

A picture that is kept by hand passes whatever would leave it out; one that is rejected is left out
by all later stages. Pictures are frames or crops, by their name in records.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.records import Records

STAGE = "curation"
KEEP, REJECT = "keep", "reject"

#: name → `keep`, `reject`, or None where nothing is decided by hand
Choices = Mapping[str, str | None]


def decisions(dataset: Dataset) -> dict[str, str]:
    """What was decided by hand: name → `keep` or `reject`.

    Raises:
        DatasetError: a record says something else.
    """
    return _decided(dataset.records(STAGE))


def decide(dataset: Dataset, names: Iterable[str], decision: str | None) -> None:
    """Keep or reject pictures by hand; None takes a decision back.

    Raises:
        DatasetError: a record that is there says neither.
        OutputError: it cannot be written.
    """
    change(dataset, dict.fromkeys(names, decision))


def change(dataset: Dataset, choices: Choices) -> tuple[dict[str, str | None], dict[str, str]]:
    """Write decisions, all or none of them, over what the file says now.

    Returns:
        What was decided on these pictures before, and all decisions now.

    Raises:
        DatasetError: a record that is there says neither keep nor reject.
        OutputError: it cannot be written.
    """
    records = dataset.records(STAGE)
    decided = _decided(records)
    before = {name: decided.get(name) for name in choices}
    for name, decision in choices.items():
        if decision is None:
            records.drop(name)
            decided.pop(name, None)
        else:
            records.update(name, [{"file_name": name, "status": decision}])
            decided[name] = decision
    if before != choices:
        records.tidy()
    return before, decided


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
        self._dataset = dataset
        self._revision = 0
        self._undone_by: list[Choices] = []
        self._lock = threading.Lock()

    def state(self) -> State:
        """What is decided now.

        Raises:
            DatasetError: as `decisions` does.
        """
        with self._lock:
            return State(self._revision, decisions(self._dataset))

    def decide(self, names: Iterable[str], decision: str | None) -> State:
        """Decide on pictures.

        Raises:
            DatasetError, OutputError: as `change` does; then nothing is decided.
        """
        choices = dict.fromkeys(names, decision)
        with self._lock:
            before, decided = change(self._dataset, choices)
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
            _, decided = change(self._dataset, choices)
            if choices:
                self._undone_by.pop()
                self._revision += 1
            return State(self._revision, decided, tuple(choices))


def _decided(records: Records) -> dict[str, str]:
    decided: dict[str, str] = {one["file_name"]: one.get("status", "") for one in records}
    for name, decision in decided.items():
        if decision not in {KEEP, REJECT}:
            raise DatasetError(
                records.path,
                f"{name} is neither kept nor rejected but {decision!r}",
                f"write {KEEP!r} or {REJECT!r}, or remove the line",
            )
    return decided
