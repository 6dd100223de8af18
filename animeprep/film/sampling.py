"""Which pictures of a film are wanted, asked of each in presentation order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from animeprep.film.packets import Mask, Packets
from animeprep.film.source import Film

#: Containers round times to milliseconds.
_TOLERANCE = 0.0005


@dataclass(frozen=True)
class Selection:
    """Which pictures to take; all conditions hold at once.

    Attributes:
        every: pictures 0, N, 2N, ….
        every_seconds: instead, the first picture of each S seconds.
        keys: only key pictures.
        only: only these indexes.
        start, end: only pictures in [start, end), seconds from the film's beginning.
        limit: no more than this many, the first ones.
    """

    every: int = 1
    every_seconds: float | None = None
    keys: bool = False
    only: tuple[int, ...] | None = None
    start: float | None = None
    end: float | None = None
    limit: int | None = None


#: Selections travel between processes as JSON.
SELECTION = TypeAdapter(Selection)


class Chooser:
    """Applies a selection to pictures that come one by one in presentation order.

    >>> chooser = Chooser(Selection(every_seconds=1.0))
    >>> [n for n in range(60) if chooser(n, n / 25, key=False)]
    [0, 25, 50]
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._only = None if selection.only is None else frozenset(selection.only)
        self._last = max(selection.only or (), default=-1)
        self._slot = -1
        self._taken = 0

    def __call__(self, index: int, seconds: float, *, key: bool) -> bool:
        """Whether a picture is wanted.

        Args:
            index: its ordinal.
            seconds: its time from the film's beginning.
            key: whether it is a key picture.
        """
        wanted = (
            not self.finished(index, seconds)
            and (not self.selection.keys or key)
            and (self._only is None or index in self._only)
            and seconds >= (self.selection.start or -np.inf) - _TOLERANCE
            and self._is_in_step(index, seconds)
        )
        self._taken += wanted
        return wanted

    def finished(self, index: int, seconds: float) -> bool:
        """Whether neither this picture nor any later one is wanted."""
        selection = self.selection
        return (
            (selection.limit is not None and self._taken >= selection.limit)
            or (selection.end is not None and seconds >= selection.end - _TOLERANCE)
            or (self._only is not None and index > self._last)
        )

    def _is_in_step(self, index: int, seconds: float) -> bool:
        if self.selection.every_seconds is None:
            return index % self.selection.every == 0
        since = seconds - (self.selection.start or 0) + _TOLERANCE
        slot = int(since // self.selection.every_seconds)
        if slot <= self._slot:
            return False
        self._slot = slot
        return True


def indexes(film: Film, selection: Selection) -> NDArray[np.intp]:
    """The wanted indexes of a film.

    Exact where its pictures are numbered by timestamps; of others about what there will be.
    """
    chooser, packets = Chooser(selection), film.packets
    keys = packets.keys[packets.order]
    times = packets.times - film.start
    if not film.timed:
        times = np.arange(len(keys)) / (film.rate or 1)
    return np.array(
        [i for i in range(len(times)) if chooser(i, float(times[i]), key=bool(keys[i]))], np.intp
    )


def positions(packets: Packets, wanted: NDArray[np.intp]) -> Mask:
    """For each packet, whether it holds one of these pictures."""
    mask = np.zeros(len(packets), bool)
    mask[packets.order[wanted]] = True
    return mask
