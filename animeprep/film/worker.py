"""The process in which a film is decoded: takes one job on standard input, answers on output.

A decoder that meets a hostile film may hang, crash, or be taken over; so it works here, and only
JSON and pixels come out (see `team`).
"""

import json
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np

from animeprep.boxes import Picture
from animeprep.errors import FilmError
from animeprep.film.decode import DECODING, Decoding, Job, decode
from animeprep.film.packets import Packets
from animeprep.film.probe import examine
from animeprep.film.sampling import SELECTION
from animeprep.film.shots import find_shots
from animeprep.film.source import FILM, Film, FilmSettings
from animeprep.film.streams import CONTENTS, find_contents

#: Signs of life come at least this often, seconds, while packets do.
HEARTBEAT = 0.2
#: No message is longer, bytes: the largest picture has 200 MB, the longest list of packets 500 MB.
MAX_MESSAGE = 2**30

Answer = tuple[dict[str, Any], bytes | memoryview]


def write_message(
    stream: IO[bytes], header: dict[str, Any], blob: bytes | memoryview = b""
) -> None:
    """Write one message: the header's length in 4 bytes, the header as JSON, the blob."""
    data = json.dumps({**header, "bytes": len(blob)}).encode()
    stream.write(len(data).to_bytes(4, "little") + data)
    stream.write(blob)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], bytearray] | None:
    """Read one message; None at the end, even in the midst of one.

    Raises:
        ValueError: it is no message, or too long for one.
    """
    length = stream.read(4)
    if len(length) < 4:
        return None
    expected = int.from_bytes(length, "little")
    data = stream.read(min(expected, MAX_MESSAGE))
    if len(data) < expected:
        return None
    header: dict[str, Any] = json.loads(data)
    if not 0 <= header["bytes"] <= MAX_MESSAGE:
        raise ValueError("a message of absurd size")
    blob = bytearray(header["bytes"])
    if stream.readinto(blob) < len(blob):  # type: ignore[attr-defined]  # buffered files have it
        return None
    return header, blob


def pack(film: Film) -> Answer:
    """A film as a message."""
    packets = film.packets
    header = {
        "film": FILM.dump_python(film, mode="json"),
        "time_base": str(packets.time_base),
        "known": packets.known,
    }
    return header, packets.pts.tobytes() + packets.marks.tobytes()


def unpack(header: dict[str, Any], blob: bytes | bytearray) -> Film:
    """What `pack` packed.

    Raises:
        ValueError: it did not.
    """
    count = len(blob) // 10
    packets = Packets(
        Fraction(header["time_base"]),
        np.frombuffer(blob, np.int64, count),
        np.frombuffer(blob, np.uint16, count, offset=8 * count),
        bool(header["known"]),
    )
    return FILM.validate_python({**header["film"], "packets": packets})


def _probe(job: dict[str, Any], _: bytearray, alive: Callable[[], None]) -> Iterator[Answer]:
    settings = FilmSettings.model_validate(job["settings"])
    yield pack(examine(Path(job["path"]), settings, alive))


def _pictures(job: dict[str, Any], blob: bytearray, alive: Callable[[], None]) -> Iterator[Answer]:
    decoding = Decoding()
    todo = Job(
        unpack(job, blob),
        SELECTION.validate_python(job["selection"]),
        tuple(job["part"]) if job["part"] else None,
        frozenset(job["skip"]),
        alive,
    )
    for picture in decode(todo, decoding):
        header = {"index": picture.index, "seconds": picture.seconds}
        yield {**header, "shape": picture.rgb.shape}, _bytes_of(picture.rgb)
    yield {"decoding": DECODING.dump_python(decoding, mode="json")}, b""


def _bytes_of(picture: Picture) -> memoryview:
    return np.ascontiguousarray(picture).reshape(-1).data


def _shots(job: dict[str, Any], blob: bytearray, alive: Callable[[], None]) -> Iterator[Answer]:
    part = tuple(job["part"]) if job["part"] else None
    begins, total = find_shots(unpack(job, blob), alive, part)
    yield {"begins": begins, "total": total}, b""


def _contents(job: dict[str, Any], _: bytearray, __: Callable[[], None]) -> Iterator[Answer]:
    yield {"contents": CONTENTS.dump_python(find_contents(Path(job["path"])), mode="json")}, b""


JOBS = {"probe": _probe, "pictures": _pictures, "shots": _shots, "contents": _contents}


def main() -> None:
    """Do jobs until the parent is gone."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # What libraries print must not get between the messages.
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[tuple[dict[str, Any], bytearray]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        _work(*jobs.get(), answers)


def _listen(jobs: "queue.SimpleQueue[tuple[dict[str, Any], bytearray]]") -> None:
    """Pass jobs on; end everything when the parent is gone, which a hung decoder would outlive."""
    # Not through sys.stdin, whose lock would be held when this process ends.
    with os.fdopen(os.dup(0), "rb") as given:
        while (message := read_message(given)) is not None:
            jobs.put(message)
    os._exit(1)


def _work(job: dict[str, Any], blob: bytearray, answers: IO[bytes]) -> None:
    """Do one job."""
    alive = _Heart(answers).beat
    try:
        for header, data in JOBS[job["job"]](job, blob, alive):
            write_message(answers, header, data)
        write_message(answers, {"done": True})
    except FilmError as error:
        trace = traceback.format_exc()
        write_message(answers, {"problem": error.problem, "remedy": error.remedy, "trace": trace})
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - told to the parent, which makes it one line
        problem = f"cannot be decoded ({type(error).__name__}: {error})"
        write_message(answers, {"problem": problem, "trace": traceback.format_exc()})


class _Heart:
    """Tells the parent how many packets were read, now and then."""

    def __init__(self, answers: IO[bytes]) -> None:
        self._answers = answers
        self._told = time.monotonic()
        self._packets = 0

    def beat(self) -> None:
        self._packets += 1
        if time.monotonic() - self._told >= HEARTBEAT:
            self._told = time.monotonic()
            write_message(self._answers, {"packets": self._packets})
