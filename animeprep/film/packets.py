"""The packets of a film, listed without decoding, and which of them the wanted pictures need.

One packet holds one picture. Where all timestamps are there, a picture's index is the rank of its
timestamp, and the list tells which packets can be kept from the decoder: pictures that nobody
refers to and nobody wants, and what follows the last wanted picture of a group whose successor
starts afresh. Measured on 1080p H.264 with three B-frames, every 50th of 3,759 pictures: 36 % of
the packets are decoded, in 0.37× the time of all.
"""

import itertools
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from animeprep.errors import FilmError
from animeprep.film.syntax import Kind, reader

#: Stands for a timestamp that is not there.
MISSING = np.iinfo(np.int64).min
#: Undecodable packets in a row after which a film is given up.
MAX_CORRUPT_RUN = 300
#: More packets than any film has: ten days at 60 pictures a second. They take 0.5 GB to list.
MAX_PACKETS = 50_000_000

_SHOWN, _CORRUPT, _LAYER_SHIFT = 16, 32, 8

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Packets:
    """The packets of a stream in decoding order.

    Attributes:
        time_base: seconds of one tick.
        pts: presentation times in ticks, int64; `MISSING` where there is none.
        marks: uint16: a `Kind`, whether the picture is shown, whether the packet is corrupt, and
            its temporal layer.
        known: whether the codec's syntax was read.
    """

    time_base: Fraction
    pts: NDArray[np.int64]
    marks: NDArray[np.uint16]
    known: bool

    def __len__(self) -> int:
        return len(self.pts)

    def _are(self, mark: int) -> Mask:
        return np.asarray(self.marks & mark, np.bool_)

    @cached_property
    def shown(self) -> Mask:
        """Those whose pictures an edit list does not cut away."""
        return self._are(_SHOWN)

    @cached_property
    def sync(self) -> Mask:
        """Those that start a group which refers to nothing before it."""
        return self._are(Kind.SYNC)

    @cached_property
    def keys(self) -> Mask:
        """Those whose pictures can be decoded alone."""
        return self._are(Kind.KEY)

    @cached_property
    def disposable(self) -> Mask:
        """Those whose pictures no other refers to: of the highest temporal layer only."""
        layer = self.marks >> _LAYER_SHIFT
        highest = np.asarray(layer == layer.max(initial=0), np.bool_)
        return self._are(Kind.DISPOSABLE) & highest

    @property
    def timed(self) -> bool:
        """Whether each shown picture has a timestamp."""
        return bool((self.pts[self.shown] != MISSING).all())

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Index of a picture → position of its packet."""
        shown = np.flatnonzero(self.shown)
        return shown[np.argsort(self.pts[shown], kind="stable")]

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Index of a picture → its presentation time, seconds."""
        return np.asarray(self.pts[self.order] * float(self.time_base), np.float64)

    def seconds_at(self, position: int) -> float | None:
        """Presentation time of the packet at a position; None where it has none."""
        pts = int(self.pts[position])
        return None if pts == MISSING else float(pts * self.time_base)

    def why_counting(self) -> str | None:
        """Why pictures cannot be numbered by their timestamps; None where they can."""
        pts = self.pts[self.shown]
        reasons = (
            (not self.known, "the syntax of this codec is not read"),
            (not len(pts), "there are no pictures"),
            (not self.timed, "timestamps are missing"),
            (len(np.unique(pts)) < len(pts), "timestamps repeat"),
            (self._are(Kind.BROKEN | _CORRUPT).any(), "packets are broken"),
        )
        reason = next((reason for holds, reason in reasons if holds), None)
        if reason is None and not self._starts_afresh():
            reason = "it does not start with a key picture"
        return reason

    def _starts_afresh(self) -> bool:
        """Whether everything that is shown can be decoded: nothing refers to what is not there."""
        first = int(np.argmax(self.shown))
        # What nobody refers to, after a key picture that others may precede, may never come.
        doubtful = not self.sync[0] and self.disposable[1:2].any()
        earliest = self.pts[self.shown].min() == self.pts[first]
        return bool(self.keys[0] and self.keys[first] and earliest and not doubtful)

    def groups(self) -> list[tuple[int, int]]:
        """Begin and end of each closed group."""
        begins = np.union1d([0], np.flatnonzero(self.sync)).tolist()
        return list(zip(begins, [*begins[1:], len(self)], strict=True))


def scan(container: InputContainer, stream: VideoStream, alive: Callable[[], None]) -> Packets:
    """List a stream's packets; reads the file once and decodes nothing.

    Args:
        container: freshly opened.
        stream: of it.
        alive: is called for each packet.

    Raises:
        FilmError: more packets than any film has.
    """
    codec = stream.codec_context
    read = reader(codec.codec.canonical_name, bytes(codec.extradata or b""))
    pts, marks = array("q"), array("H")
    for packet in demuxed(container, stream, lambda _: None):
        alive()
        # Of a codec that is not read nothing is known but what the container says.
        kind, layer = read(bytes(packet)) if read is not None else (Kind.KEY, 0)
        if not packet.is_keyframe:
            kind &= ~(Kind.KEY | Kind.SYNC)
        pts.append(MISSING if packet.pts is None else packet.pts)
        mark = int(kind) | max(0, layer) << _LAYER_SHIFT
        mark |= 0 if packet.is_discard else _SHOWN
        marks.append(mark | (_CORRUPT if packet.is_corrupt else 0))
        if len(pts) > MAX_PACKETS:
            raise FilmError(container.name, f"has over {MAX_PACKETS:,} packets", "cut it in parts")
    return Packets(
        Fraction(stream.time_base or 1),
        np.frombuffer(pts, np.int64) if pts else np.zeros(0, np.int64),
        np.frombuffer(marks, np.uint16) if marks else np.zeros(0, np.uint16),
        read is not None,
    )


def demuxed(
    container: InputContainer, stream: VideoStream, complain: Callable[[Exception], None]
) -> Iterator["Packet[VideoStream]"]:
    """A stream's packets in decoding order, without the empty ones that end it.

    Args:
        container: where to read.
        stream: of it.
        complain: is told of what cannot be read; it may raise.
    """
    for _ in range(MAX_CORRUPT_RUN):
        try:
            yield from (packet for packet in container.demux(stream) if packet.size)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            complain(error)
        else:
            return


@dataclass(frozen=True)
class Plan:
    """What to decode.

    Attributes:
        feed: for each packet, whether the decoder gets it.
        drain: packets after which the decoder is emptied: each group is decoded afresh, so that
            what a decoder makes up for damage does not depend on how the film is split.
    """

    feed: Mask
    drain: Mask


def plan(packets: Packets, wanted: Mask) -> Plan:
    """The fewest packets that give the wanted pictures exactly as decoding all of them does.

    Args:
        packets: of a film that is numbered by timestamps.
        wanted: for each packet, whether its picture is wanted.
    """
    feed, drain = np.zeros(len(packets), bool), np.zeros(len(packets), bool)
    for begin, end in packets.groups():
        positions = begin + np.flatnonzero(wanted[begin:end])
        if not len(positions):
            continue
        if packets.keys[positions].all():
            feed[positions] = drain[positions] = True
            continue
        last = int(positions[-1])
        part = slice(begin, last + 1)
        feed[part] = wanted[part] | ~packets.disposable[part]
        drain[last] = True
    return Plan(feed, drain)


def everything(packets: Packets) -> Plan:
    """The plan of decoding all."""
    return Plan(np.ones(len(packets), bool), np.zeros(len(packets), bool))


def whole_groups(packets: Packets, wanted: Mask) -> Plan:
    """The plan of decoding all of the groups in which pictures are wanted."""
    feed, drain = np.zeros(len(packets), bool), np.zeros(len(packets), bool)
    for begin, end in packets.groups():
        feed[begin:end] = drain[end - 1] = bool(wanted[begin:end].any())
    return Plan(feed, drain)


def work(packets: Packets, wanted: Mask) -> NDArray[np.float64]:
    """For each packet, the work it makes: decoding one is 1, a wanted picture's pixels are 3 more.

    Args:
        packets: of a film that is numbered by timestamps.
        wanted: for each packet, whether its picture is wanted.
    """
    return plan(packets, wanted).feed + 3.0 * wanted


def parts(packets: Packets, wanted: Mask, count: int) -> list[tuple[int, int]]:
    """Cut a film at key pictures into parts of like work: (begin, end) positions.

    Args:
        packets: of a film that is numbered by timestamps.
        wanted: for each packet, whether its picture is wanted.
        count: parts at most.
    """
    done = np.concatenate([[0], np.cumsum(work(packets, wanted))])
    begins = [begin for begin, _ in packets.groups()]
    cuts = {0, len(packets)}
    for number in range(1, count):
        goal = done[-1] * number / count
        cuts.add(min(begins, key=lambda begin: abs(done[begin] - goal)))
    ordered = sorted(cuts)
    return [(begin, end) for begin, end in itertools.pairwise(ordered) if wanted[begin:end].any()]
