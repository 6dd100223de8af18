"""Paintings in the order they were asked for, one at a time; each can be watched and cancelled."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Generic, TypeVar

from animegan.memory import share_one_heap
from animegan.ui.dropped import Advance, Painting
from animeprep.errors import AnimeprepError

Item = TypeVar("Item")

#: Seconds after which the time that is left can be told.
_WARM = 2.0


class State(StrEnum):
    """How far a painting is."""

    WAITING = "waiting"
    PAINTING = "painting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancelled(Exception):  # noqa: N818 - a wish rather than an error
    """Nobody wants it any more."""


class Job:
    """One painting.

    Args:
        of: the key of what is painted.
        work: paints; it calls what it is given with the share that is done, 0 to 1, and lets
            `Cancelled` pass when that raises it.

    Attributes:
        key: names it, and cannot be guessed.
        painting: what came of it, once it is done.
    """

    def __init__(self, of: str, work: Callable[[Advance], Painting]) -> None:
        self.of, self.key = of, secrets.token_urlsafe(12)
        self.painting: Painting | None = None
        self._work = work
        self._state, self._share, self._problem = State.WAITING, 0.0, ""
        #: When it first was beyond 0, and how far.
        self._begun: tuple[float, float] | None = None
        self._cancelled = threading.Event()

    def run(self) -> None:
        """Paint."""
        try:
            self._advance(0.0)
            self._state = State.PAINTING
            self.painting = self._work(self._advance)
            self._state = State.DONE
        except Cancelled:
            self._state = State.CANCELLED
        except AnimeprepError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - else the page would wait for ever
            self._fail(f"{type(error).__name__}: {error}")

    def cancel(self) -> None:
        """Ask it to stop; what is done stays done."""
        self._cancelled.set()

    def told(self) -> dict[str, Any]:
        """How far it is, for the page; `seconds_left` is None while nobody knows."""
        told: dict[str, Any] = {"job": self.key, "state": self._state, "share": self._share}
        if self._state == State.PAINTING:
            told["seconds_left"] = self._left()
        if self._problem:
            told["error"] = self._problem
        if self.painting is not None:
            told["painting"] = {"name": self.painting.name, "facts": self.painting.facts}
        return told

    def _advance(self, share: float) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        self._share = share
        if share > 0 and self._begun is None:
            self._begun = time.monotonic(), share

    def _fail(self, problem: str) -> None:
        self._problem, self._state = problem, State.FAILED

    def _left(self) -> float | None:
        if self._begun is None:
            return None
        taken, done = time.monotonic() - self._begun[0], self._share - self._begun[1]
        return round(taken * (1 - self._share) / done, 1) if done > 0 and taken > _WARM else None


class Latest(Generic[Item]):
    """The latest few of something, by key.

    Args:
        most: how many.
        forget: called with what must make room.
    """

    def __init__(self, most: int, forget: Callable[[str, Item], None]) -> None:
        self._most, self._forget = most, forget
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, item: Item) -> None:
        """Keep one more."""
        with self._lock:
            self._items[key] = item
            old = [self._items.popitem(last=False) for _ in range(len(self._items) - self._most)]
        for one in old:
            self._forget(*one)

    def get(self, key: str) -> Item | None:
        """The one with that key."""
        return self._items.get(key)

    def all(self) -> list[Item]:
        """All that are kept, the oldest first."""
        with self._lock:
            return list(self._items.values())


class Jobs:
    """Paints in a thread of its own.

    Args:
        most: paintings that are kept.
        forget: called with the key of one that is not kept any longer.
    """

    def __init__(self, most: int, forget: Callable[[str], None]) -> None:
        share_one_heap()  # else painting takes half as long again (docs/benchmarks.md)
        self._forget = forget
        self._kept: Latest[Job] = Latest(most, self._drop)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="painting")

    def submit(self, job: Job) -> None:
        """Paint when its turn comes; earlier ones of the same picture are cancelled."""
        self.cancel(job.of)
        self._kept.put(job.key, job)
        self._thread.submit(job.run)

    def cancel(self, of: str) -> None:
        """Cancel all of one picture."""
        for job in self._kept.all():
            if job.of == of:
                job.cancel()

    def get(self, key: str) -> Job | None:
        """The one with that key."""
        return self._kept.get(key)

    def close(self) -> None:
        """Cancel all, and wait for the one that is being painted to notice."""
        for job in self._kept.all():
            job.cancel()
        self._thread.shutdown()

    def _drop(self, key: str, job: Job) -> None:
        job.cancel()
        self._forget(key)
