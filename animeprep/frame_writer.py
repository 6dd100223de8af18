"""Writing sampled pictures while the film is read on: in the background, recorded in order."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from animeprep.boxes import Picture
from animeprep.dataset import Dataset
from animeprep.files import sha256, write_atomic, writing
from animeprep.folders import DROPPED, MADE, Summary
from animeprep.images import encode_png
from animeprep.records import Record, Records

_ENCODERS = 2

#: Status of a film whose pictures are being taken, and of a picture that is being written: what a
#: killed run leaves is known, and taken anew or removed.
BEGUN = "begun"


class Sieve(Protocol):
    """Decides, while a film is read, which of the sampled pictures are written."""

    def knows(self, name: str) -> bool:
        """Whether a picture was judged before, so that it need not be seen again."""
        ...

    def judge(self, name: str, picture: Picture) -> bool:
        """Look at a picture and say whether to write it."""
        ...

    def written(self, name: str, digest: str) -> None:
        """Told once a picture lies in its file, with the file's SHA-256."""
        ...


@dataclass
class FrameWriter:
    """Writes sampled pictures in the background and records each.

    Attributes:
        dataset: where to.
        records: of the stage.
        summary: counts what was done.
        sieve: leaves pictures out; None writes every one.
        waiting: pictures that are being written, in order.
        encoders: the threads that write.
    """

    dataset: Dataset
    records: Records
    summary: Summary
    sieve: Sieve | None
    waiting: deque[Future[Record]] = field(default_factory=deque)
    encoders: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_ENCODERS, thread_name_prefix="png")
    )

    def is_done(self, name: str, look: str | None = None) -> bool:
        """Whether an earlier run wrote the picture, or looked at it and left it out.

        Args:
            name: of the frame.
            look: fingerprint of what decides on the pixels of a film's pictures.
        """
        for record in self.records.of(name):
            if record.get("settings") != look:
                return False
            if record["status"] == MADE:
                return self.dataset.path(name).exists()
            if record["status"] == DROPPED:
                return self.sieve is not None and self.sieve.knows(name)
        return False

    def take(self, name: str, picture: Picture, origin: dict[str, Any]) -> None:
        """Have a picture written in the background, or recorded as left out."""
        record: Record = {"file_name": name, "status": MADE, **origin}
        if self.sieve is not None and not self.sieve.judge(name, picture):
            _unwrite(self.dataset.path(name), picture)
            self.finish({**record, "status": DROPPED})
            return
        self.records.put(name, [{**record, "status": BEGUN}])
        self.waiting.append(
            self.encoders.submit(write_frame, self.dataset.path(name), picture, record)
        )
        while len(self.waiting) > 2 * _ENCODERS:
            self.finish(self.waiting.popleft().result())

    def finish(self, record: Record) -> None:
        """Record a picture."""
        name = record["file_name"]
        if self.sieve is not None and record["status"] == MADE:
            self.sieve.written(name, record["sha256"])
        self.records.put(name, [record])
        self.summary.counts[record["status"]] += 1

    def drain(self) -> None:
        """Wait for the pictures that are being written."""
        while self.waiting:
            self.finish(self.waiting.popleft().result())


def write_frame(path: Path, picture: Picture, record: Record) -> Record:
    """Write a picture; returns the record with its file's SHA-256.

    Args:
        path: where to.
        picture: uint8 RGB H×W×3.
        record: of it.

    Raises:
        OutputError: it cannot be written.
    """
    data = encode_png(picture)
    write_atomic(path, data)
    return {**record, "sha256": sha256(data)}


def _unwrite(path: Path, picture: Picture) -> None:
    """Remove a picture that a killed run wrote and had no time to record."""
    if path.exists() and path.read_bytes() == encode_png(picture):
        with writing(path):
            path.unlink()
