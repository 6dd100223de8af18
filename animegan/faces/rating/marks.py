"""The marks of all raters, a line each in a CSV file."""

import csv
import io
import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from animegan.faces.rating.items import Item
from animegan.measures import Interval, interval
from animeprep.errors import InputError
from animeprep.files import sha256, write_atomic
from animeprep.folders import Summary

Mark = Literal[1, 2, 3, 4, 5]
#: What is marked.
ASPECTS = ("text", "realism")
#: No list that people made is longer, bytes.
_MAX_BYTES = 2**24
#: Names of raters and models that are no UTF-8 keep their bytes.
_FOREIGN = "surrogateescape"
_REMEDY = "name another file, or repair it"


class Row(BaseModel):
    """A line of the file.

    Attributes:
        rater: who marked.
        item: an item's key.
        prompt: its words.
        text: how well it shows them, 1 to 5.
        realism: how real it looks, 1 to 5.
        time: when, UTC.
        source: what drew it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rater: str
    item: str
    prompt: str
    text: Mark
    realism: Mark
    time: str
    source: str


class Marks:
    """The marks of one rater in a file of several; threads may share it.

    Args:
        path: the CSV file; there need not be one yet.
        rater: whose they are.
        items: what there is to rate.

    Raises:
        InputError: the file is none of ours.
    """

    def __init__(self, path: Path, rater: str, items: Mapping[str, Item]) -> None:
        self.path, self.rater = path, rater
        # Every rater has another order, and the same one in each sitting.
        self._items = dict(sorted(items.items(), key=lambda i: self._rank(i[0])))
        self._given: list[str] = []
        self._lock = threading.Lock()
        read_rows(path)

    def _rank(self, key: str) -> str:
        return sha256(f"{self.rater} {key}".encode(errors=_FOREIGN))

    def left(self) -> list[Item]:
        """What is not marked yet, in this rater's order."""
        with self._lock:
            done = self._done(read_rows(self.path))
            return [item for key, item in self._items.items() if key not in done]

    def give(self, key: str, text: Mark, realism: Mark) -> None:
        """Mark an item; earlier marks of it by this rater go.

        Raises:
            KeyError: there is no such item.
            InputError, OutputError: the file cannot be read or written.
        """
        item = self._items[key]
        time = datetime.now(UTC).isoformat(timespec="seconds")
        row = Row(rater=self.rater, item=key, prompt=str(item.words), text=text, realism=realism,
                  time=time, source=item.source)  # fmt: skip
        with self._lock:
            self._write([*self._others(key), row])
            self._given = [*(one for one in self._given if one != key), key]

    def take_back(self) -> Item | None:
        """Forget the latest marks of this sitting; None where there are none."""
        with self._lock:
            if not self._given:
                return None
            key = self._given[-1]
            self._write(self._others(key))
            self._given.pop()
            return self._items[key]

    def summary(self, *, dry_run: bool = False) -> Summary:
        """How much this rater marked and left, and the mean marks of each source by all raters."""
        left = len(self.left())
        summary = Summary("faces rate", figures={"marks": str(self.path)}, dry_run=dry_run)
        summary.counts["rated"] = len(self._items) - left
        summary.counts["left"] = left
        summary.figures |= {
            source: {aspect: [round(value, 2) for value in mean] for aspect, mean in means.items()}
            for source, means in summarise(read_rows(self.path)).items()
        }
        return summary

    def _done(self, rows: list[Row]) -> set[str]:
        return {row.item for row in rows if row.rater == self.rater}

    def _others(self, key: str) -> list[Row]:
        """All marks but this rater's of an item, as the file has them now."""
        return [row for row in read_rows(self.path) if (row.rater, row.item) != (self.rater, key)]

    def _write(self, rows: list[Row]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(Row.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.model_dump() for row in rows)
        write_atomic(self.path, text.getvalue().encode(errors=_FOREIGN))


def read_rows(path: Path) -> list[Row]:
    """The lines of a file of marks; none where there is no file.

    Raises:
        InputError: it cannot be read, or is none of ours.
    """
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(_lines(path), 2):
        try:
            marks = {aspect: _number(line.get(aspect)) for aspect in ASPECTS}
            rows.append(Row.model_validate(line | marks))
        except ValidationError as error:
            raise InputError(path, f"line {number} holds no marks", _REMEDY) from error
    return rows


def _lines(path: Path) -> list[dict[str, str]]:
    """Column → text, of each line."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        reader = csv.DictReader(io.StringIO(data.decode(errors=_FOREIGN), newline=""), strict=True)
        lines = list(reader) if len(data) <= _MAX_BYTES else []
    except (OSError, csv.Error) as error:
        problem = f"is no file of marks that can be read ({error})"
        raise InputError(path, problem, _REMEDY) from error
    if len(data) > _MAX_BYTES or reader.fieldnames != list(Row.model_fields):
        raise InputError(path, "is no file of marks", _REMEDY)
    return lines


def _number(text: str | None) -> int | str | None:
    return int(text) if text in set(map(str, get_args(Mark))) else text


def summarise(rows: list[Row]) -> dict[str, dict[str, Interval]]:
    """Source → aspect → the mean of all its marks, with the 95 % interval over them."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.source].append(row)
    return {
        source: {
            aspect: interval.mean([getattr(row, aspect) for row in some]) for aspect in ASPECTS
        }
        for source, some in sorted(found.items())
    }
