"""Finding out what a film is, and deciding how pictures are made of it.

Each decision is made once, with a reason: from the film's tags where it has any, from measurements
where tags are often wrong (fields, letterbox), or by the user (`FilmSettings`).
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from animeprep.boxes import Box
from animeprep.errors import FilmError
from animeprep.film import describe
from animeprep.film.convert import Converter, luma, upright_box
from animeprep.film.decode import Decoding, Reading
from animeprep.film.describe import CHOSEN, Facts
from animeprep.film.fields import FieldMeter
from animeprep.film.letterbox import Bars
from animeprep.film.packets import Packets, demuxed, everything, scan
from animeprep.film.source import (
    PLAYS,
    Film,
    FilmSettings,
    Finding,
    decoder_of,
    identify,
    moving_pictures,
    opened,
)
from animeprep.film.tone import WHITE

#: Places in a film that are looked at to decide on fields and letterbox.
WINDOWS = 10
#: Consecutive pictures looked at in each; and where fields are suspected.
GLANCE, LOOK = 4, 30
#: Every how many of them one is looked at for letterbox; and of a film that is decoded whole.
BAR_STEP, BAR_STEP_WHOLE = 2, 12
#: With fewer key pictures than this to start at, the whole film is decoded instead.
MIN_KEYS = 4


def examine(path: Path, settings: FilmSettings, alive: Callable[[], None] = lambda: None) -> Film:
    """Find out what a film is and decide how to make pictures of it, in this process.

    Args:
        path: the film.
        settings: what the user decided.
        alive: is called for each packet that was read.

    Raises:
        FilmError: missing, empty, not a film, without pictures, absurd, or encoded so that its
            colours cannot be known.
    """
    film_id, content = identify(path)
    with opened(path) as container:
        packets = scan(container, moving_pictures(container, path), alive)
    with opened(path) as container:
        stream = moving_pictures(container, path)
        reading = Reading(container, stream, packets, alive=alive)
        first = next(reading.frames(everything(packets), Decoding()), None)
        if first is None:
            raise FilmError(path, "no picture of it can be decoded", PLAYS)
        facts = Facts(path, settings, container, stream, packets, first)
        film = _described(facts, film_id, content)
    return _measured(film, alive)


def _described(facts: Facts, film_id: str, content: str) -> Film:
    """Everything that tags and the first picture say."""
    describe.note_codec(facts)
    describe.note_rate(facts)
    return Film(
        path=facts.path,
        film_id=film_id,
        content=content,
        codec=facts.stream.codec_context.codec.canonical_name,
        width=facts.first.width,
        height=facts.first.height,
        rate=float(facts.stream.average_rate or 0),
        start=describe.start_of(facts.container),
        seconds=(facts.container.duration or 0) / av.time_base,
        pictures=int(facts.packets.shown.sum()),
        timed=facts.packets.timed,
        by_timestamps=False,
        alpha=describe.alpha(facts),
        pixel_aspect=describe.pixel_aspect(facts),
        matrix=describe.matrix(facts),
        full_range=describe.full_range(facts),
        chroma=describe.chroma(facts),
        light=describe.light(facts),
        peak=1.0,
        fields="progressive",
        field_order="tff",
        orientation=describe.orientation(facts),
        areas={},
        settings=facts.settings,
        findings=(*facts.findings, describe.other_streams(facts)),
        packets=facts.packets,
    )


def _measured(film: Film, alive: Callable[[], None]) -> Film:
    """Fields, letterbox and numbering, from pictures all over the film."""
    packets = film.packets
    seen = _Seen(film)
    for window in _windows(film, GLANCE, alive):
        seen.watch(window)
    if seen.meter.suspicious and not seen.whole:
        seen.meter = FieldMeter()
        for window in _windows(film, LOOK, alive):
            seen.watch(window)
    fields, measured = seen.meter.verdict()
    how = CHOSEN if film.settings.fields != "auto" else "as measured"
    fields = fields if film.settings.fields == "auto" else film.settings.fields
    areas, letterbox = seen.areas()
    why = packets.why_counting() or seen.why_counting()
    if fields != "progressive":
        why = "fields are undone"
    length = f"{film.pictures} pictures, {timedelta(seconds=round(film.seconds))}"
    numbered = Finding("numbering", length, _numbering(packets, why))
    flagged = f"{measured}; flagged: {seen.meter.flagged} of {seen.meter.pictures}"
    undone = Finding("fields", flagged, f"{_UNDOING[fields]}: {fields}, {how}")
    found = (undone, *letterbox, numbered)
    if film.light in {"pq", "hlg"}:
        brightest = Finding("brightest", f"{seen.peak * WHITE:.0f} cd/m²", "brought to white")
        found = (brightest, *found)
    return replace(
        film,
        peak=seen.peak,
        fields=fields,
        field_order=seen.meter.order,
        areas=areas,
        timed=film.timed and not seen.disordered,
        by_timestamps=why is None,
        findings=(*film.findings[:-1], *found, film.findings[-1]),
    )


_UNDOING = {
    "progressive": "as they are",
    "interlaced": "deinterlaced by bwdif",
    "telecined": "inverse telecine by fieldmatch and decimate",
}


def _numbering(packets: Packets, why: str | None) -> str:
    if why is not None:
        return f"counted while everything is decoded: {why}"
    share = packets.disposable.mean()
    return f"by timestamps; {share:.0%} need not be decoded when unwanted, and what ends a group"


@dataclass
class _Seen:
    """What the pictures that were looked at say.

    Attributes:
        film: as its tags describe it.
        meter: of fields.
        bars: (width, height) as stored → what is bar in pictures of that size.
        strange: whether a picture came whose timestamp no packet has.
        disordered: whether timestamps went back from one picture to the next.
        peak: brightest light, in units of white.
        whole: whether all of the film was looked at.
    """

    film: Film
    meter: FieldMeter = field(default_factory=FieldMeter)
    bars: dict[tuple[int, int], Bars] = field(default_factory=dict)
    strange: bool = False
    disordered: bool = False
    peak: float = 1.0
    whole: bool = False

    def __post_init__(self) -> None:
        self._converter = Converter(self.film)
        self._times = frozenset(self.film.packets.pts.tolist())

    def watch(self, frames: Iterator[VideoFrame]) -> None:
        """Look at consecutive pictures."""
        count, last = 0, None
        for count, frame in enumerate(self.meter.watch(frames), 1):
            self.strange |= frame.pts not in self._times
            # FFmpeg makes times up for pictures in AVI, in the order of decoding.
            self.disordered |= last is not None and frame.pts is not None and frame.pts <= last
            last = frame.pts
            if count % BAR_STEP_WHOLE == 1:
                self.peak = max(self.peak, round(self._converter.peak(frame), 2))
            step = BAR_STEP if count <= GLANCE else BAR_STEP_WHOLE
            if (count - 1) % step == 0 and self.film.settings.letterbox == "auto":
                gray, full_range = luma(frame)
                full_range |= self.film.full_range
                bars = self.bars.setdefault((frame.width, frame.height), Bars())
                bars.add(gray, full_range=full_range)
        self.whole |= count > GLANCE

    def areas(self) -> tuple[dict[str, Box], list[Finding]]:
        """Stored size → picture area, and what was found."""
        size = f"{self.film.width}x{self.film.height}"
        chosen = self.film.settings.letterbox
        if chosen == "auto" and self.film.alpha:
            # What is transparent is black below.
            return {}, [Finding("letterbox", "not looked for", "kept, since it is transparent")]
        if chosen == "off":
            return {}, [Finding("letterbox", "not looked for", f"kept, {CHOSEN}")]
        if chosen != "auto":
            width, height, left, top = map(int, chosen.replace("x", "+").split("+"))
            area = Box(top, left, height, width)
            whole = Box(0, 0, self.film.height, self.film.width)
            upright = upright_box(whole, self.film.width, self.film.height, self.film)
            if not (0 < height <= upright.height - top and 0 < width <= upright.width - left):
                size = f"{upright.width}×{upright.height}"
                raise FilmError(self.film.path, f"the letterbox {chosen} is not within {size}")
            return {size: area}, [Finding("letterbox", "not looked for", f"{chosen}, {CHOSEN}")]
        areas, found = {}, []
        for (width, height), bars in sorted(self.bars.items()):
            box, reason = bars.box()
            if box is not None:
                areas[f"{width}x{height}"] = upright_box(box, width, height, self.film)
            where = "" if len(self.bars) == 1 else f"pictures of {width}×{height}: "
            found.append(Finding("letterbox", f"{where}{reason}", "cut" if box else "kept"))
        return areas, found

    def why_counting(self) -> str | None:
        """Why pictures cannot be numbered by timestamps."""
        if self.disordered:
            return "timestamps are not in order"
        return "pictures are not those of the packets" if self.strange else None


def _windows(film: Film, length: int, alive: Callable[[], None]) -> Iterator[Iterator[VideoFrame]]:
    """Runs of consecutive pictures from all over a film: from key pictures by seeking.

    With too few key pictures there is one run, of the whole film.
    """
    if film.packets.keys.sum() >= MIN_KEYS:
        found = 0
        for window in _sought(film, length, alive):
            found += 1
            yield window
        if found >= MIN_KEYS:
            return
    with opened(film.path) as container:
        stream = moving_pictures(container, film.path)
        reading = Reading(container, stream, film.packets, alive=alive)
        yield reading.frames(everything(film.packets), Decoding())


def _sought(film: Film, length: int, alive: Callable[[], None]) -> Iterator[Iterator[VideoFrame]]:
    begun: set[int | None] = set()
    with opened(film.path) as container:
        stream = moving_pictures(container, film.path)
        decoder = decoder_of(stream)
        duration = container.duration or 0
        for number in range(WINDOWS if duration else 0):
            offset = int(film.start * av.time_base + duration * (number + 0.5) / WINDOWS)
            try:
                container.seek(offset)
            except av.error.FFmpegError:
                continue
            if decoder.is_open:
                decoder.flush_buffers()
            frames = _following(demuxed(container, stream, lambda _: None), decoder, alive)
            # What an open group shows before its key picture is damaged here.
            window = itertools.dropwhile(lambda frame: not frame.key_frame, frames)
            first = next(window, None)
            if first is None or first.pts in begun:
                continue
            begun.add(first.pts)
            yield itertools.islice(itertools.chain([first], window), length)


def _following(
    packets: Iterator["Packet[VideoStream]"], decoder: VideoCodecContext, alive: Callable[[], None]
) -> Iterator[VideoFrame]:
    for packet in itertools.chain(packets, [None]):
        alive()
        with contextlib.suppress(av.error.FFmpegError):
            yield from decoder.decode(packet)
