"""What is known of a dataset, for its report: records, whatever of them can be read.

Nothing here raises because of a broken file: it is noted as a problem, and the rest is shown.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from animeprep.boxes import Picture
from animeprep.choose import NOT_CHOSEN
from animeprep.curation import KEEP, REJECT, in_force
from animeprep.dataset import FRAMES, LEFT_OUT, Dataset, stem
from animeprep.dedup import COPY, NOT_HASHED, REJECTED
from animeprep.errors import InputError
from animeprep.gates import GateSettings
from animeprep.images import list_images, read_rgb, thumbnail
from animeprep.page import Figure
from animeprep.records import Record
from animeprep.settings import Settings
from animeprep.times import clock

BROKEN = "cannot be read"
#: Longest side of small frames, pixels.
_SIDE = 200
_Item = TypeVar("_Item")


@dataclass
class Facts:
    """A dataset's records, and thumbnails of its pictures.

    Attributes:
        dataset: the dataset.
        settings: table of the recipe → its settings.
        problems: what could not be read, one line each.
    """

    dataset: Dataset
    settings: Mapping[str, Settings]
    problems: list[str] = field(default_factory=list)
    _records: dict[str, list[Record]] = field(default_factory=dict)
    _names: dict[str, list[str]] = field(default_factory=dict)

    def records(self, stage: str) -> list[Record]:
        """The records of a stage; none where the file cannot be read."""
        if stage not in self._records:
            self._records[stage] = self._read(stage)
        return self._records[stage]

    def _read(self, stage: str) -> list[Record]:
        try:
            found = list(self.dataset.records(stage))
        except (InputError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            self.problems.append(f"{stage}.jsonl: cannot be read ({error})")
            return []
        whole = [r for r in found if _is_text(r, "file_name") and _is_text(r, "status")]
        if len(whole) < len(found):
            odd = len(found) - len(whole)
            self.problems.append(f"{stage}.jsonl: records without name or status: {odd}")
        return whole

    @cached_property
    def sampled(self) -> dict[str, Record]:
        """Every frame that was sampled or dropped in by hand, by name; empty for the latter."""
        frames = {r["file_name"]: r for r in self.records("frames") if r["status"] != "begun"}
        known = {*frames, *self.judged, *self.names(FRAMES)}
        return {name: frames.get(name, {}) for name in sorted(known)}

    @cached_property
    def judged(self) -> dict[str, Record]:
        """What dedup measured and decided, by name."""
        return {r["file_name"]: r for r in self.records("dedup")}

    @cached_property
    def by_hand(self) -> dict[str, str]:
        """`keep` or `reject`, by name of a frame or crop."""
        crops = {r["file_name"]: r for r in self.records("crop")}
        return in_force(self.dataset, self.records("curation"), crops)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Why a frame is left out, by name; those that are kept are not here."""
        chosen = {r["file_name"]: r for r in self.records("choose")}
        reasons: dict[str, str] = {}
        for name in self.sampled:
            judged = self.judged.get(name, {})
            if self.by_hand.get(name) == KEEP:
                continue
            if self.by_hand.get(name) == REJECT:
                reasons[name] = REJECTED
            elif judged.get("status") == "failed":
                reasons[name] = BROKEN
            elif judged.get("status") == "dropped":
                reasons[name] = _reason_of(judged)
            elif chosen.get(name, {}).get("status") == "dropped":
                reasons[name] = NOT_CHOSEN
        return reasons

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Why frames are left out → how many, in the order in which that is decided."""
        counts = Counter(self.left_out.values())
        gates, last = list(GateSettings.model_fields), [BROKEN, REJECTED, COPY, NOT_CHOSEN]
        others = sorted(counts.keys() - {*gates, *last})
        return {name: counts[name] for name in (*gates, *others, *last) if counts[name]}

    def names(self, folder: str) -> list[str]:
        """The pictures in a folder, by their names in records."""
        if folder not in self._names:
            paths = list_images(self.dataset.root / folder)
            self._names[folder] = [self.dataset.file_name(path) for path in paths]
        return self._names[folder]

    def frame(self, name: str, side: int, caption: str, alt: str) -> Figure:
        """A frame, or the thumbnail that is left of it."""
        places = (name, f"{LEFT_OUT}/{stem(name)}.jpg")
        place = next((one for one in places if self._is_there(one)), name)
        return Figure(self.picture(place, side), caption, alt)

    def small_frame(self, name: str, caption: str, more: str = "") -> Figure:
        """A frame among others; film, time and what more there is to say for a closer look."""
        alt = ": ".join(filter(None, (self.origin(name), more)))
        return self.frame(name, _SIDE, caption, alt)

    def picture(self, name: str, side: int) -> Picture | None:
        """A picture, its longer side at most `side` pixels; None where it cannot be read."""
        try:
            return thumbnail(read_rgb(self.dataset.path(name)), side)
        except InputError as error:
            self.problems.append(f"{name}: {error.problem}")
        except (OSError, ValueError):
            self.problems.append(f"{name}: no name of a file")
        return None

    def _is_there(self, name: str) -> bool:
        try:
            return self.dataset.path(name).exists()
        except (InputError, OSError, ValueError):
            return False

    def origin(self, name: str) -> str:
        """Where a frame is from: film and time, or the still's name."""
        record = self.sampled.get(name, {})
        if "film" in record:
            return f"{record['film']} at {self.moment(name)}"
        return str(record.get("still") or name)

    def moment(self, name: str) -> str:
        """When a frame is shown in its film, empty for stills."""
        seconds = self.sampled.get(name, {}).get("seconds")
        if not isinstance(seconds, (int, float)) or not 0 <= seconds < math.inf:
            return ""
        return clock(seconds)


def _reason_of(judged: Record) -> str:
    """Why a frame was dropped; earlier versions called it a copy where no keeper was known."""
    reason, keeper = judged.get("reason", "left out"), judged.get("keeper")
    return (
        NOT_HASHED if reason == COPY and not (keeper and isinstance(keeper, str)) else str(reason)
    )


def anchor_of(reason: str) -> str:
    """Where what was left out for this reason is shown.

    >>> anchor_of("not chosen")
    'left-out-not-chosen'
    """
    return "left-out-" + "".join(char if char.isalnum() else "-" for char in reason)


def evenly(items: Iterable[_Item], most: int) -> list[_Item]:
    """At most so many of the items, evenly spread over them.

    >>> evenly(range(10), 3)
    [0, 3, 6]
    """
    every = list(items)
    count = min(most, len(every))
    return [every[number * len(every) // count] for number in range(count)]


def _is_text(record: Record, key: str) -> bool:
    return isinstance(record.get(key), str)


def plural(count: int, one: str, many: str) -> str:
    """A count with its word.

    >>> plural(1, "copy", "copies"), plural(1200, "copy", "copies")
    ('1 copy', '1,200 copies')
    """
    return f"{count:,} {one if count == 1 else many}"


def shown(some: Sequence[object], every: int) -> str:
    """How many are shown of how many.

    >>> shown([1, 2], 9), shown([1], 1)
    ('2 of 9 shown, evenly spread.', '')
    """
    return f"{len(some)} of {every:,} shown, evenly spread." if len(some) < every else ""
