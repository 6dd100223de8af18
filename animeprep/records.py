"""The manifest: for every picture and stage one record, as JSON lines.

While a stage runs, each finished source appends one line, so that a killed run knows what is
done; when it ends, the file is written anew, ordered by file name. No times are recorded: the
same inputs and settings give the same bytes.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from animeprep.files import make_folder, write_changed, writing

#: `file_name` (relative to the dataset) and `status` are always there; `reason`, `source`,
#: `source_sha256`, `sha256` and `settings` where they apply; the rest is the stage's own.
Record = dict[str, Any]


#: Names of files that are no UTF-8 keep their bytes.
_FOREIGN = "surrogateescape"
_FIRST = ("file_name", "status")


class Records:
    """The records of one stage.

    Args:
        path: the `.jsonl` file; it need not exist. Lines that were cut off, by a killed run or a
            full disk, are passed over.

    Attributes:
        torn: how many lines were.
        begun: sources that a killed run was at work on: files of theirs may lie there unrecorded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._appended = False
        self._lock = threading.Lock()
        self._groups, self.begun, self.torn = _read(path)

    def __iter__(self) -> Iterator[Record]:
        for source in sorted(self._groups):
            yield from self._groups[source]

    def sources(self) -> list[str]:
        """The sources that have records, ordered."""
        return sorted(self._groups)

    def of(self, source: str) -> list[Record]:
        """What a source became; empty where nothing is known."""
        return self._groups.get(source, [])

    def named(self) -> dict[str, Record]:
        """All records by their file name."""
        return {record["file_name"]: record for record in self}

    def told(self) -> list[str]:
        """One line where lines were cut off; nothing otherwise."""
        lost = f"{self.path}: {self.torn} line{'s' * (self.torn > 1)} cut off, by a crash maybe"
        return [f"{lost}; what they told is looked at again"] if self.torn else []

    def put(self, source: str, records: list[Record]) -> None:
        """Replace the records of a source, and append them to the file in one line.

        Raises:
            OutputError: the file cannot be written.
        """
        self.update(source, records)
        self._append({"source": source, "records": records})

    def begin(self, source: str) -> None:
        """Note in the file that files of a source are about to be written.

        Raises:
            OutputError: the file cannot be written.
        """
        self._append({"begun": source})

    def _append(self, entry: Record) -> None:
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        with self._lock, writing(self.path):
            if not self._appended:
                make_folder(self.path.parent)
                # The empty line before it keeps a torn line of a killed run apart.
                line = "\n" + line
            with self.path.open("a", encoding="utf-8", errors=_FOREIGN) as file:
                file.write(line)
            self._appended = True

    def update(self, source: str, records: list[Record]) -> None:
        """Replace the records of a source in memory; `tidy` writes them."""
        self._groups[source] = records

    def drop(self, source: str) -> None:
        """Forget a source; `tidy` writes that."""
        self._groups.pop(source, None)

    def tidy(self) -> None:
        """Write the file anew: one record a line, ordered by file name.

        Raises:
            OutputError: the file cannot be written.
        """
        ordered = sorted(self, key=lambda record: str(record["file_name"]))
        lines = (json.dumps(_in_order(record), ensure_ascii=False) + "\n" for record in ordered)
        write_changed(self.path, "".join(lines).encode(errors=_FOREIGN))


def _in_order(record: Record) -> Record:
    """The same with its keys in one order, whichever way it came about."""
    return {key: record[key] for key in sorted(record, key=lambda key: (key not in _FIRST, key))}


def _source(record: Record) -> str:
    return str(record.get("source") or record["file_name"])


def _read(path: Path) -> tuple[dict[str, list[Record]], set[str], int]:
    """Records by source, the latest where it stands twice; what was begun; lines cut off."""
    groups: dict[str, list[Record]] = {}
    begun: set[str] = set()
    torn = 0
    if not path.exists():
        return groups, begun, torn
    # Not splitlines(): names may hold what Unicode calls the end of a line.
    for line in filter(None, path.read_text(encoding="utf-8", errors=_FOREIGN).split("\n")):
        entry = _parse(line)
        if "begun" in entry:
            begun.add(entry["begun"])
        elif "records" in entry:
            groups[entry["source"]] = list(entry["records"])
            begun.discard(entry["source"])
        elif all(isinstance(entry.get(key), str) for key in _FIRST):
            groups.setdefault(_source(entry), []).append(entry)
        else:
            torn += 1
    return groups, begun, torn


def _parse(line: str) -> Record:
    """A line's object; empty where it holds none."""
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return entry if isinstance(entry, dict) else {}
