"""Workers' processes and the watchdog over them: what hangs or crashes ends its own film only.

A worker (`worker`) shows a sign of life for each packet. One that shows none for
`FilmSettings.patience` seconds is killed. What comes back is JSON and pixels, checked, and nothing
that is executed; a worker is no sandbox, though. Starting one takes a third of a second, so it
stays for the next job on the same film, and ends when another film comes.
"""

import atexit
import contextlib
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from animeprep.errors import FilmError
from animeprep.film.worker import Answer, read_message, write_message

#: Pictures that wait between a worker and whoever asked.
_WAITING = 4
#: Nobody looked after the workers for longer than this, seconds: whoever asked was away.
_AWAY = 1.0
_NONSENSE = "its decoder answered nonsense"

#: -P and the explicit path: no module is taken from the folder the user happens to be in.
PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from animeprep.film.worker import main; main()"
)

#: Is told the number of packets read since the last time.
Tick = Callable[[int], None]
Message = tuple[dict[str, Any], bytearray]

#: Whatever reading something that is no message may end in.
_NO_MESSAGE = (
    OSError, ValueError, LookupError, TypeError, OverflowError, MemoryError, RecursionError,
    AttributeError,
)  # fmt: skip


class Team:
    """Workers on one film, one for each job.

    Args:
        path: the film.
        jobs: what each is told.
        patience: seconds of silence after which one is ended.
        tick: is told the number of packets read since the last time.
    """

    def __init__(self, path: Path, jobs: list[Answer], patience: float, tick: Tick) -> None:
        self.path = path
        self.patience = patience
        self.tick = tick
        self._inbox: _Inbox = queue.Queue(_WAITING)
        self._workers = [_hired(path) for _ in jobs]
        for worker, (header, blob) in zip(self._workers, jobs, strict=True):
            worker.begin(header, blob, self._inbox)
        self._running = set(self._workers)
        self._problem: FilmError | None = None
        self._looked = time.monotonic()

    def answers(self) -> Iterator[Message]:
        """What the workers answer, as it comes.

        Raises:
            FilmError: the first problem of any, when all have ended.
        """
        try:
            while self._running:
                yield from self._next()
        finally:
            self._end()
        if self._problem is not None:
            raise self._problem

    def only_answer(self) -> Message:
        """The answer of one worker that gives one.

        Raises:
            FilmError: as `answers`.
        """
        answers = list(self.answers())
        if len(answers) != 1:
            raise FilmError(self.path, _NONSENSE)
        return answers[0]

    def _next(self) -> Iterator[Message]:
        """An answer, if one comes soon."""
        if time.monotonic() - self._looked > _AWAY:
            # This process slept, so its workers may have slept, too.
            for worker in self._running:
                worker.forgive()
        self._looked = time.monotonic()
        for worker in self._running:
            worker.end_if_silent(self.patience)
        try:
            worker, message = self._inbox.get(timeout=0.2)
        except queue.Empty:
            return
        header, blob = message or ({"problem": worker.epitaph(self.patience)}, bytearray())
        if "packets" in header:
            with sensible(self.path):
                self.tick(int(header["packets"]) - worker.packets)
                worker.packets = int(header["packets"])
        elif "done" in header:
            self._running.discard(worker)
            _IDLE.setdefault(self.path, []).append(worker)
        elif "problem" in header:
            self._running.discard(worker)
            self._problem = self._problem or _error(self.path, header)
        else:
            yield header, blob

    def _end(self) -> None:
        """End the workers that did not come to the end of their jobs."""
        stuck = [w for w in self._workers if w not in _IDLE.get(self.path, ())]
        for worker in stuck:
            worker.kill()
        while any(worker.reader.is_alive() for worker in stuck):
            with contextlib.suppress(queue.Empty):
                # A reader may wait to hand over what nobody wants any more.
                self._inbox.get(timeout=0.01)
        for worker in stuck:
            worker.close()


@contextlib.contextmanager
def sensible(path: Path) -> Iterator[None]:
    """Turn what a worker should not have said into a FilmError."""
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise FilmError(path, _NONSENSE) from error


def _error(path: Path, header: dict[str, Any]) -> FilmError:
    error = FilmError(path, str(header["problem"]), str(header.get("remedy", "")))
    if "trace" in header:
        error.add_note(str(header["trace"]))
    return error


#: (worker, what it said; None when it ended) of all workers of a film.
_Inbox = queue.Queue[tuple["_Worker", Message | None]]


class _Worker:
    """A worker's process, and the thread that talks with it."""

    def __init__(self) -> None:
        self.packets = 0
        self.hung = False
        self._jobs: queue.SimpleQueue[tuple[dict[str, Any], bytes | memoryview, _Inbox] | None] = (
            queue.SimpleQueue()
        )
        self._heard = time.monotonic()
        self._listening = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Ctrl-C is for the parent, which then ends its workers.
            start_new_session=True,
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self._output = cast("IO[bytes]", self._process.stdout)
        self.reader = threading.Thread(target=self._talk, daemon=True)
        self.reader.start()

    def begin(self, job: dict[str, Any], blob: bytes | memoryview, inbox: _Inbox) -> None:
        """Give it a job; what it says goes to the inbox."""
        self.packets = 0
        self._heard = time.monotonic()
        self._jobs.put((job, blob, inbox))

    def _talk(self) -> None:
        """Hand over jobs and pass on what comes back; runs in the thread."""
        while (task := self._jobs.get()) is not None:
            job, blob, inbox = task
            with contextlib.suppress(BrokenPipeError):
                write_message(self._input, job, blob)
            message: Message | None = ({}, bytearray())
            while message is not None and not message[0].keys() & {"done", "problem"}:
                self._heard = time.monotonic()
                self._listening = True
                message = _message(self._output)
                # While nobody takes what was read, silence is not the worker's fault.
                self._listening = False
                inbox.put((self, message))
            if message is None:
                return

    def forgive(self) -> None:
        """Take it for heard just now."""
        self._heard = time.monotonic()

    def end_if_silent(self, patience: float) -> None:
        """Kill a worker that has shown no sign of life for too long."""
        if self._listening and time.monotonic() - self._heard > patience:
            self.hung = True
            self._process.kill()

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def epitaph(self, patience: float) -> str:
        """Why a worker ended before its work was done."""
        if self.hung:
            return f"its decoder gave no sign of life for {patience:g} s and was ended"
        if self._process.poll() is None:
            # It closed its output or said nonsense; a crash takes a moment to be seen.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        if self._process.poll() is None:
            self._process.kill()
            return _NONSENSE
        code = self._process.wait()
        end = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"its decoder ended {end}" + (f" ({said[-1][:200]})" if said else "")

    def kill(self) -> None:
        """End the process, whatever it does, and have the thread end."""
        self._process.kill()
        self._process.wait()
        self._jobs.put(None)

    def close(self) -> None:
        """Close its pipes; the thread must be about to end."""
        self.reader.join()
        for stream in (self._input, self._output, self._errors):
            with contextlib.suppress(OSError):
                stream.close()


def _message(stream: IO[bytes]) -> Message | None:
    """The next message; None where there is none, or nothing like one."""
    try:
        return read_message(stream)
    except _NO_MESSAGE:
        return None


#: Workers that wait for another job on their film.
_IDLE: dict[Path, list[_Worker]] = {}


def prepare_workers(path: Path, count: int) -> None:
    """Start workers for a film that will be asked for next."""
    _IDLE.setdefault(path, []).extend(_Worker() for _ in range(count))


def _hired(path: Path) -> _Worker:
    """A worker for a film; those that wait for another film end."""
    for other in _IDLE.keys() - {path}:
        _dismiss(other)
    waiting = _IDLE.get(path, [])
    while waiting:
        worker = waiting.pop()
        if worker.lives:
            return worker
        worker.kill()
        worker.close()
    return _Worker()


def _dismiss(path: Path) -> None:
    for worker in _IDLE.pop(path, []):
        worker.kill()
        worker.close()


@atexit.register
def dismiss_all() -> None:
    """End the workers that wait."""
    for path in list(_IDLE):
        _dismiss(path)
