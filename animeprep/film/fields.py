"""Interlaced and telecined films: measured by FFmpeg's `idet`, undone by its filters.

An interlaced picture holds two fields of different moments, which comb where something moves. Hard
telecine spreads four pictures of 24 a second over ten fields, so that in every five pictures one
top and one bottom field repeat; inverse telecine finds the pairs (`fieldmatch`) and drops the
fifth picture (`decimate`). What a film's flags say is often wrong, so it is measured.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, cast

import av
import av.filter
from av.video.frame import VideoFrame

from animeprep.film.convert import linked

Fields = Literal["progressive", "interlaced", "telecined"]
Order = Literal["tff", "bff"]

#: Pictures in which something must move before anything is said.
MIN_MOVING = 12
#: Share of moving pictures that comb, from which a film is interlaced; and share of those that
#: agree on which field comes first, which chance does not.
MIN_COMBED, MIN_AGREED = 0.3, 0.8
#: Interlaced formats have at least this many rows: 480 less what cropping takes.
MIN_ROWS = 400
#: Only a strip of this many columns is looked at, the middle one: half the time at 1080 rows.
STRIP = 640
#: Share of pictures that repeat a field, of each parity, in telecined films: one in five.
TELECINE_REPEATS = (0.12, 0.28)
#: Share from which a closer look is worth while.
SUSPICIOUS = 0.1


@dataclass
class FieldMeter:
    """Counts how the pictures of a film comb and repeat fields.

    Attributes:
        seen: what `idet` said of each picture: `tff`, `bff`, `progressive`, `undetermined`.
        repeats: which field it repeats: `top`, `bottom`, `neither`.
        flagged: pictures that the film itself calls interlaced.
        pictures: all that were looked at.
        rows: of the tallest.
    """

    seen: Counter[str] = field(default_factory=Counter)
    repeats: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    pictures: int = 0
    rows: int = 0

    def watch(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Pass consecutive pictures on and count them."""
        graph: av.filter.Graph | None = None
        size = (0, 0)
        for frame in frames:
            self.pictures += 1
            self.flagged += frame.interlaced_frame
            self.rows = max(self.rows, frame.height)
            if graph is None or size != (frame.width, frame.height):
                strip = ("crop", f"w={min(frame.width, STRIP)}:h={frame.height}")
                graph, size = linked(frame, strip, ("idet", "")), (frame.width, frame.height)
            graph.push(frame)
            self._count(graph)
            yield frame
        if graph is not None:
            graph.push(None)
            self._count(graph)

    def _count(self, graph: av.filter.Graph) -> None:
        for frame in pulled(graph):
            self.seen[frame.metadata["lavfi.idet.single.current_frame"]] += 1
            self.repeats[frame.metadata["lavfi.idet.repeated.current_frame"]] += 1

    @property
    def moving(self) -> int:
        """Pictures of which `idet` could tell anything."""
        return self.seen["tff"] + self.seen["bff"] + self.seen["progressive"]

    @property
    def combed(self) -> float:
        """Share of the moving pictures that comb, 0..1."""
        return (self.seen["tff"] + self.seen["bff"]) / max(1, self.moving)

    @property
    def agreed(self) -> float:
        """Share of the combing pictures that have the same field first, 0..1."""
        return max(self.seen["tff"], self.seen["bff"]) / max(1, self.seen["tff"] + self.seen["bff"])

    @property
    def order(self) -> Order:
        """The field that is shown first."""
        return "bff" if self.seen["bff"] > self.seen["tff"] else "tff"

    @property
    def suspicious(self) -> bool:
        """Whether there are signs of fields."""
        return self.flagged > 0 or self.combed >= SUSPICIOUS

    def verdict(self) -> tuple[Fields, str]:
        """What the film is made of, and the measurement in words."""
        words = f"{self.combed:.0%} of {self.moving} moving pictures comb"
        if self.moving < MIN_MOVING:
            return "progressive", f"too little moves to tell ({self.moving} pictures)"
        if self.combed < MIN_COMBED or self.agreed < MIN_AGREED or self.rows < MIN_ROWS:
            return "progressive", words
        total = max(1, sum(self.repeats.values()))
        shares = [self.repeats[parity] / total for parity in ("top", "bottom")]
        words += f", {shares[0]:.0%} repeat the top field, {shares[1]:.0%} the bottom one"
        low, high = TELECINE_REPEATS
        if all(low <= share <= high for share in shares):
            return "telecined", words
        return "interlaced", words


def pulled(graph: av.filter.Graph) -> Iterator[VideoFrame]:
    """The pictures that a chain of filters has ready."""
    while True:
        try:
            yield cast("VideoFrame", graph.pull())
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def undone(
    frames: Iterable[VideoFrame], fields: Fields, order: Order, rate: str
) -> Iterator[VideoFrame]:
    """Progressive pictures of an interlaced or telecined film.

    Args:
        frames: all pictures of it, in order.
        fields: what they are made of; `progressive` ones pass as they are.
        order: the field that is shown first.
        rate: pictures a second, as FFmpeg writes it.
    """
    if fields == "progressive":
        yield from frames
        return
    graph: av.filter.Graph | None = None
    size = (0, 0)
    for frame in frames:
        if graph is None or size != (frame.width, frame.height):
            if graph is not None:
                yield from _rest(graph)
            size = (frame.width, frame.height)
            base = str(frame.time_base)
            graph = linked(frame, *_filters(fields, order), time_base=base, rate=rate)
        graph.push(frame)
        yield from pulled(graph)
    if graph is not None:
        yield from _rest(graph)


def _rest(graph: av.filter.Graph) -> Iterator[VideoFrame]:
    graph.push(None)
    yield from pulled(graph)


def _filters(fields: Fields, order: Order) -> list[tuple[str, str]]:
    if fields == "interlaced":
        return [("bwdif", f"mode=send_frame:parity={order}:deint=all")]
    return [
        ("fieldmatch", f"order={order}:combmatch=full"),
        # What fieldmatch found no partner for: it flags such pictures as interlaced.
        ("bwdif", f"mode=send_frame:parity={order}:deint=interlaced"),
        ("decimate", ""),
    ]
