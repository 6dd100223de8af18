"""The sieve of `prepare`: examines pictures in memory, so that only what is kept is encoded."""

import numpy as np

from animeprep.boxes import Picture
from animeprep.curation import KEEP, REJECT, decisions
from animeprep.dataset import Dataset
from animeprep.dedup import (
    STAGE,
    DedupSettings,
    examine,
    hash_of,
    keep_thumbnail,
    preference,
)
from animeprep.folders import KEPT
from animeprep.gates import judge
from animeprep.hamming import distances
from animeprep.records import Record


class Examiner:
    """Examines sampled pictures and foresees what dedup will leave out.

    Args:
        dataset: its records say what was examined before.
        settings: of dedup.
    """

    def __init__(self, dataset: Dataset, settings: DedupSettings) -> None:
        self.dataset = dataset
        self.settings = settings
        self.records = dataset.records(STAGE)
        self._by_hand = decisions(dataset)
        self._passed: list[Record] = []
        # Of those passed, and room for more.
        self._hashes = np.zeros((1024, int(settings.hash.rpartition("-")[2]) // 8), np.uint8)
        self._last: tuple[Picture, Record] | None = None
        for record in self.records:
            rejected = self._by_hand.get(record["file_name"]) == REJECT
            if self._is_current(record) and not judge(record["gates"], settings) and not rejected:
                self._pass(record)

    def _is_current(self, record: Record) -> bool:
        return "hash" in record and record.get("settings") == self.settings.looked_at()

    def knows(self, name: str) -> bool:
        """Whether a picture was examined before."""
        return any(self._is_current(record) for record in self.records.of(name))

    def judge(self, name: str, picture: Picture) -> bool:
        """Examine a picture, and say whether to write it."""
        record: Record = {
            "file_name": name,
            "status": KEPT,
            **_origin(name),
            **self._examine(picture),
            "source": name,
            "settings": self.settings.looked_at(),
        }
        passes = not judge(record["gates"], self.settings)
        wanted = passes and not self._has_better(record)
        if name in self._by_hand:
            wanted = self._by_hand[name] == KEEP
        self.records.put(name, [record])
        if passes and self._by_hand.get(name) != REJECT:
            self._pass(record)
        if not wanted:
            keep_thumbnail(self.dataset, name, picture)
        return wanted

    def _examine(self, picture: Picture) -> Record:
        """What was measured on the picture before, if this is the same: anime is drawn on twos."""
        if self._last is not None and _same(picture, self._last[0]):
            return self._last[1]
        self._last = picture, examine(picture, self.settings)
        return self._last[1]

    def _pass(self, record: Record) -> None:
        """Remember a picture that no gate left out."""
        if len(self._passed) == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[len(self._passed)] = hash_of(record)
        self._passed.append(record)

    def _has_better(self, record: Record) -> bool:
        """Whether a copy that is preferred was seen already: then this one will hardly win."""
        apart = distances(hash_of(record), self._hashes[: len(self._passed)])
        near = np.flatnonzero(apart <= self.settings.bits())
        return any(preference(self._passed[one]) < preference(record) for one in near)

    def written(self, name: str, digest: str) -> None:
        """Note the file of an examined picture."""
        examined = [{**record, "source_sha256": digest} for record in self.records.of(name)]
        self.records.put(name, examined)


def _same(one: Picture, other: Picture) -> bool:
    """Whether two pictures are equal; a few rows tell most that are not."""
    return np.array_equal(one[::16], other[::16]) and np.array_equal(one, other)


def _origin(name: str) -> Record:
    """Film and index of a sampled picture, from its name."""
    film_id, _, index = name.removeprefix("frames/").removesuffix(".png").rpartition("_")
    if film_id and len(index) == 7 and index.isdigit():
        return {"film_id": film_id, "index": int(index)}
    return {}
