"""Decoding exactly the wanted pictures of a film, in this process.

A picture's index is its ordinal in presentation order; nothing here seeks by a frame number,
because that is exact nowhere. What the shortcut of `packets.plan` does not deliver, for whatever
reason, is looked for again by decoding everything.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from pydantic import TypeAdapter

from animeprep.boxes import Picture
from animeprep.errors import FilmError
from animeprep.film.convert import Converter
from animeprep.film.fields import undone
from animeprep.film.packets import (
    MAX_CORRUPT_RUN,
    Packets,
    Plan,
    demuxed,
    everything,
    plan,
    whole_groups,
)
from animeprep.film.sampling import Chooser, Selection, positions
from animeprep.film.source import Film, decoder_of, moving_pictures, opened, reason_of

#: Stands for a picture that the caller has.
NO_PIXELS: Picture = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class FilmPicture:
    """One picture of a film.

    Attributes:
        index: its ordinal in presentation order, from 0.
        seconds: its presentation time from the film's beginning.
        rgb: uint8 H×W×3, upright, square pixels, bars removed; 0×0×3 where the caller has it.
    """

    index: int
    seconds: float
    rgb: Picture


@dataclass
class Decoding:
    """What happened while a film was decoded.

    Attributes:
        pictures: how many it showed, as far as it was read.
        decoded: packets that a decoder was given.
        corrupt: positions of the packets that could not be decoded.
        lost: wanted pictures that did not come, or that the decoder calls damaged.
    """

    pictures: int = 0
    decoded: int = 0
    corrupt: set[int] = field(default_factory=set)
    lost: int = 0

    def add(self, other: "Decoding") -> None:
        """Add what happened in another part of the film."""
        self.pictures += other.pictures
        self.decoded += other.decoded
        self.corrupt |= other.corrupt
        self.lost += other.lost


#: What happened travels between processes as JSON.
DECODING = TypeAdapter(Decoding)


@dataclass
class Job:
    """What one process decodes.

    Attributes:
        film: from `probe.examine`.
        selection: which pictures.
        part: begin and end among the packets; of films that are numbered by timestamps.
        skip: wanted pictures that need not be converted.
        alive: is called for each packet that was read.
    """

    film: Film
    selection: Selection
    part: tuple[int, int] | None = None
    skip: frozenset[int] = frozenset()
    alive: Callable[[], None] = lambda: None


def decode(job: Job, decoding: Decoding) -> Iterator[FilmPicture]:
    """The wanted pictures, in order; memory does not grow with the film's length.

    Args:
        job: what to decode.
        decoding: is filled while the film is read.

    Raises:
        FilmError: too many undecodable packets in a row. What came before has been yielded.
    """
    if job.film.by_timestamps:
        yield from _by_timestamps(job, decoding)
    else:
        yield from _by_counting(job, decoding)


def _by_timestamps(job: Job, decoding: Decoding) -> Iterator[FilmPicture]:
    packets = job.film.packets
    begin, end = job.part or (0, len(packets))
    wanted = positions(packets, np.array(job.selection.only or (), np.intp))
    wanted[:begin] = wanted[end:] = False
    decoding.pictures = int(packets.shown[begin:end].sum())
    index_of = {
        int(packets.pts[packets.order[index]]): index
        for index in job.selection.only or ()
        if wanted[packets.order[index]]
    }
    if index_of:
        yield from _delivered(job, plan(packets, wanted), index_of, decoding, seek=True)
    if index_of:
        missing = positions(packets, np.array(list(index_of.values()), np.intp))
        yield from _delivered(job, whole_groups(packets, missing), index_of, decoding, seek=False)
    decoding.lost = len(index_of)


def _delivered(
    job: Job, attempt: Plan, index_of: dict[int, int], decoding: Decoding, *, seek: bool
) -> Iterator[FilmPicture]:
    """Pictures that an attempt gives; they are struck off the list of what is awaited."""
    converter = Converter(job.film)
    with opened(job.film.path) as container:
        stream = moving_pictures(container, job.film.path)
        reading = Reading(container, stream, job.film.packets, alive=job.alive)
        for frame in reading.frames(attempt, decoding, seek=seek):
            if frame.pts in index_of and not frame.is_corrupt:
                index = index_of.pop(frame.pts)
                yield _picture(job, converter, frame, index, _seconds(job.film, frame, index))


def _picture(
    job: Job, converter: Converter, frame: VideoFrame, index: int, seconds: float
) -> FilmPicture:
    """The picture of a frame, as whoever asked wants it."""
    if index in job.skip:
        return FilmPicture(index, seconds, NO_PIXELS)
    return FilmPicture(index, seconds, converter.area(frame, converter(frame)))


def _seconds(film: Film, frame: VideoFrame, index: int) -> float:
    """From the film's beginning; by the average rate where timestamps are missing or disordered."""
    if frame.pts is None or not film.timed:
        return round(index / film.rate, 6) if film.rate else 0.0
    return round(frame.time - film.start, 6)


def _by_counting(job: Job, decoding: Decoding) -> Iterator[FilmPicture]:
    film, chooser, converter = job.film, Chooser(job.selection), Converter(job.film)
    with opened(film.path) as container:
        stream = moving_pictures(container, film.path)
        reading = Reading(container, stream, job.film.packets, alive=job.alive)
        frames = reading.frames(everything(job.film.packets), decoding, seek=False)
        rate = str(stream.average_rate or 25)
        for index, frame in enumerate(undone(frames, film.fields, film.field_order, rate)):
            seconds = _seconds(film, frame, index)
            if chooser.finished(index, seconds):
                return
            decoding.pictures = index + 1
            if chooser(index, seconds, key=bool(frame.key_frame)):
                if frame.is_corrupt:
                    decoding.lost += 1
                else:
                    yield _picture(job, converter, frame, index, seconds)


@dataclass
class Reading:
    """An opened film and its decoder."""

    container: InputContainer
    stream: VideoStream
    packets: Packets
    threaded: bool = False
    alive: Callable[[], None] = lambda: None

    def frames(self, todo: Plan, decoding: Decoding, *, seek: bool = False) -> Iterator[VideoFrame]:
        """What the decoder makes of the planned packets; corrupt ones are skipped and counted.

        Args:
            todo: which packets to decode.
            decoding: is filled on the way.
            seek: whether to go to the first of them directly.

        Raises:
            FilmError: too many in a row could not be decoded.
        """
        decoder = decoder_of(self.stream, threaded=self.threaded)
        damage = _Damage(self.container.name, decoding)
        fed = np.flatnonzero(todo.feed)
        last = int(fed[-1]) if len(fed) else -1
        for position, packet in self._located(int(fed[0]) if seek and len(fed) else 0, damage):
            self.alive()
            if position > last:
                break
            if not todo.feed[position]:
                continue
            decoding.decoded += 1
            damage.position = position
            yield from self._decoded(decoder, packet, damage)
            if todo.drain[position]:
                yield from self._decoded(decoder, None, damage)
                decoder.flush_buffers()
        yield from self._decoded(decoder, None, damage)

    def _decoded(
        self, decoder: VideoCodecContext, packet: "Packet[VideoStream] | None", damage: "_Damage"
    ) -> Iterator[VideoFrame]:
        """What a packet brings to light; None for what the decoder still holds."""
        with damage:
            for frame in decoder.decode(packet):
                # A decoder that is being emptied forgets it.
                frame.time_base = self.packets.time_base
                yield frame

    def _located(
        self, begin: int, damage: "_Damage"
    ) -> Iterator[tuple[int, "Packet[VideoStream]"]]:
        """Packets and their positions, from the wanted one or from earlier on."""
        if not begin:
            yield from enumerate(demuxed(self.container, self.stream, damage.complain))
            return
        # A second earlier: transport streams are sought by the time of decoding.
        goal = int(self.packets.pts[begin] - 1 / self.packets.time_base)
        with contextlib.suppress(av.error.FFmpegError):
            self.container.seek(goal, stream=self.stream)
        found = demuxed(self.container, self.stream, damage.complain)
        first = next(found, None)
        pts = self.packets.pts
        if first is None or first.pts is None:
            return  # the full attempt reads from the start
        at = np.flatnonzero(pts == first.pts)
        if len(at) != 1 or at[0] > begin:
            return
        for position, packet in enumerate(itertools.chain([first], found), int(at[0])):
            if position >= len(pts) or (packet.pts is not None and packet.pts != pts[position]):
                return
            yield position, packet


class _Damage:
    """Notes what cannot be decoded, and gives up when nothing else comes.

    Attributes:
        position: of the packet that is being decoded.
    """

    def __init__(self, name: str, decoding: Decoding) -> None:
        self.name = name
        self.decoding = decoding
        self.position = 0
        self._run = 0

    def complain(self, error: Exception) -> None:
        """Note one.

        Raises:
            FilmError: too many in a row.
        """
        self.decoding.corrupt.add(self.position)
        self._run += 1
        if self._run > MAX_CORRUPT_RUN:
            raise FilmError(
                self.name,
                f"gave up after {self._run} undecodable packets in a row ({reason_of(error)})",
                "what came before is kept",
            ) from error

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        if isinstance(error, av.error.EOFError):
            return True
        if isinstance(error, av.error.FFmpegError):
            self.complain(error)
            return True
        if error is None:
            self._run = 0
        return False
