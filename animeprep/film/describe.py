"""What a film's tags say, and what is done about each: the decisions that one picture allows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from animeprep.errors import FilmError
from animeprep.film.packets import Packets
from animeprep.film.source import (
    MAX_FILM_PIXELS,
    FilmSettings,
    Finding,
    Orientation,
    has_alpha_layer,
)

#: FFmpeg's numbers of colour matrices → the names its scaler understands. 2 is "untagged".
_MATRICES = {
    1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc",
    10: "bt2020nc",
}  # fmt: skip
_CHOSEN_MATRICES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
_FULL_RANGE = 2
_UNTAGGED = 2
_BT2020_PRIMARIES = 9

Light = Literal["sdr", "wide", "pq", "hlg"]
Chroma = Literal["left", "center", "topleft"]
#: Codecs whose colour samples sit between those of luma.
_CENTRED = {"mjpeg", "mpeg1video"}
_LIGHTS: dict[int, Light] = {16: "pq", 18: "hlg"}
_LIGHT_NAMES = {
    "sdr": "SDR",
    "wide": "SDR, BT.2020 primaries",
    "pq": "PQ (HDR)",
    "hlg": "HLG (HDR)",
}

#: Sample entries of Dolby Vision without a base layer that other decoders can show.
_DOLBY_TAGS = {"dvh1", "dvhe", "dva1", "dvav", "dav1"}
_DOLBY_DATA = {SideDataType.DOVI_METADATA, SideDataType.DOVI_RPU_BUFFER}

#: Untagged films are taken for BT.709 from this height up, for BT.601 below.
HD_HEIGHT = 720
#: Gaps between pictures that differ by less than this share, or than a millisecond, are equal.
_SAME_GAP, _ROUNDING = 0.1, 0.0011

CHOSEN = "as you chose"


@dataclass
class Facts:
    """A film's header, its list of packets and its first picture; collects findings.

    Attributes:
        path: the film.
        settings: what the user decided.
        container, stream: open.
        packets: of the stream.
        first: its first picture.
        findings: everything that was found so far.
    """

    path: Path
    settings: FilmSettings
    container: InputContainer
    stream: VideoStream
    packets: Packets
    first: VideoFrame
    findings: list[Finding] = field(default_factory=list)

    def note(self, what: str, found: str, done: str) -> None:
        """Keep a finding."""
        self.findings.append(Finding(what, found, done))


def note_codec(facts: Facts) -> None:
    """Codec, size and depth."""
    first, context = facts.first, facts.stream.codec_context
    depth = max(component.bits for component in first.format.components)
    profile = f" ({context.profile})" if context.profile else ""
    done = "decoded by FFmpeg"
    if depth > 8:
        done += "; rounded to 8 bits, without dither"
    what = f"{context.codec.canonical_name}{profile}, {first.width}×{first.height}"
    facts.note("codec", f"{what}, {depth} bits, {first.format.name}", done)


def note_rate(facts: Facts) -> None:
    """Constant or variable rate, and the beginning of time."""
    done = "pictures are counted: the rate does not matter"
    gaps = np.diff(facts.packets.times) if facts.packets.timed else np.zeros(0)
    rate = facts.stream.average_rate
    found = f"{float(rate):.3f} a second" if rate else "unknown"
    if len(gaps):
        middle = float(np.median(gaps))
        same = np.abs(gaps - middle) <= max(_SAME_GAP * middle, _ROUNDING)
        if same.all():
            found += ", constant"
        else:
            found += f", variable: {gaps.min():.3f} to {gaps.max():.3f} s between pictures"
    facts.note("rate", found, done)
    start = start_of(facts.container)
    if start:
        facts.note("beginning", f"at {start:.3f} s", "times are counted from there")


def start_of(container: InputContainer) -> float:
    """When the first of a film's streams begins, seconds."""
    return (container.start_time or 0) / av.time_base


def pixel_aspect(facts: Facts) -> Fraction:
    """Width by height of a stored pixel.

    Raises:
        FilmError: the user's choice makes pictures that are too large.
    """
    chosen = facts.settings.pixel_aspect
    if chosen != "auto":
        aspect = Fraction(*map(int, chosen.split(":")))
        found, why = "not looked at", f", {CHOSEN}"
    else:
        aspect = Fraction(facts.stream.sample_aspect_ratio or 1)
        found, why = f"{aspect.numerator}:{aspect.denominator}", ""
    fits = facts.first.width * aspect * facts.first.height <= MAX_FILM_PIXELS
    if not (fits and Fraction(1, 10) <= aspect <= 10):
        if chosen != "auto":
            raise FilmError(facts.path, f"no film has pixels of {chosen}", "name 1:10 to 10:1")
        aspect, why = Fraction(1), ": no film has that"
    width = round(facts.first.width * aspect)
    done = f"width {facts.first.width} → {width}, for square pixels{why}"
    facts.note("pixel aspect", found, f"as stored{why}" if aspect == 1 else done)
    return aspect


def matrix(facts: Facts) -> str:
    """Name of the YUV matrix."""
    tagged = _MATRICES.get(int(facts.first.colorspace))
    found = f"tagged {tagged}" if tagged else "untagged"
    if facts.settings.matrix != "auto":
        name, done = _CHOSEN_MATRICES[facts.settings.matrix], CHOSEN
    elif facts.first.format.is_rgb:
        name, found, done = "bt709", "RGB", "there is nothing to convert"
    elif tagged:
        name, done = tagged, "as tagged"
    else:
        name = "bt709" if facts.first.height >= HD_HEIGHT else "smpte170m"
        side = "from" if facts.first.height >= HD_HEIGHT else "below"
        done = f"usual {side} {HD_HEIGHT} rows"
    facts.note("colour matrix", found, done if found == "RGB" else f"{name}: {done}")
    return name


def full_range(facts: Facts) -> bool:
    """Whether luma is 0..255 rather than 16..235."""
    tag = int(facts.first.color_range)
    full = tag == _FULL_RANGE or facts.first.format.name.startswith("yuvj")
    found, why = ("tagged full" if full else "tagged limited" if tag else "untagged"), "as tagged"
    if not tag and not full:
        why = "usual"
    if facts.settings.range != "auto":
        full, why = facts.settings.range == "full", CHOSEN
    levels = "0..255" if full else "16..235"
    facts.note("range", found, f"{levels}: {why}")
    return full


def chroma(facts: Facts) -> Chroma:
    """Where colour samples sit among those of luma; FFmpeg's scaler would take them for centred."""
    codec = facts.stream.codec_context.codec.canonical_name
    place: Chroma = "left"
    why = "usual"
    if codec in _CENTRED:
        place, why = "center", f"usual of {codec}"
    elif _LIGHTS.get(int(facts.first.color_trc)) == "pq":
        place, why = "topleft", "usual of HDR10"
    if facts.settings.chroma != "auto":
        place, why = facts.settings.chroma, CHOSEN
    facts.note("chroma samples", facts.first.format.name, f"{place}: {why}")
    return place


def light(facts: Facts) -> Light:
    """SDR, or what to tone-map from.

    Raises:
        FilmError: Dolby Vision without a base layer that others can show.
    """
    tag = int(facts.first.color_trc)
    kind = _LIGHTS.get(tag, "sdr")
    if kind == "sdr" and int(facts.first.color_primaries) == _BT2020_PRIMARIES:
        kind = "wide"
    _note_dolby(facts, tag)
    found, why = _LIGHT_NAMES[kind], ""
    if facts.settings.hdr != "auto":
        chosen = facts.settings.hdr
        kind, why = ("sdr" if chosen == "off" else chosen), f", {CHOSEN}"
    done = f"tone-mapped to SDR by the {facts.settings.tone_curve} curve, white at 203 cd/m²"
    if kind == "wide":
        done = "colours brought to BT.709"
    facts.note("light", found, ("nothing to do" if kind == "sdr" else done) + why)
    return kind


def _note_dolby(facts: Facts, transfer: int) -> None:
    """Dolby Vision beside a base layer is a finding; without one it is refused."""
    tag = facts.stream.codec_context.codec_tag.strip("\0 ")
    sides = cast("Iterable[SideData]", facts.first.side_data)
    if tag not in _DOLBY_TAGS and not any(side.type in _DOLBY_DATA for side in sides):
        return
    if transfer == _UNTAGGED and facts.settings.hdr == "auto":
        raise FilmError(
            facts.path,
            "Dolby Vision without a base layer: its colours cannot be known",
            "convert it to HDR10 first, or say --hdr pq to try",
        )
    facts.note("Dolby Vision", "metadata beside a base layer", "the base layer is used")


def orientation(facts: Facts) -> Orientation:
    """How to turn pictures upright."""
    turns: dict[str, Orientation] = {
        "none": (False, False, False),
        "90": (True, False, True),
        "180": (False, True, True),
        "270": (True, True, False),
        "mirror": (False, False, True),
    }
    tagged = _display_matrix(facts.first)
    names = {turn: name for name, turn in turns.items()}
    name = names.get(tagged, "turned and mirrored")
    found = {"none": "upright", "mirror": "mirrored"}.get(name, name)
    found += "°" if found.isdigit() else ""
    if facts.settings.turn != "auto":
        facts.note("orientation", found, f"{facts.settings.turn}, {CHOSEN}")
        return turns[facts.settings.turn]
    facts.note("orientation", found, "as the display matrix says" if any(tagged) else "as stored")
    return tagged


def _display_matrix(frame: VideoFrame) -> Orientation:
    """(transpose, flip rows, flip columns) of the display matrix; quarter turns and mirrors only.

    The matrix maps a stored point (p, q) to (a·p + c·q, b·p + d·q), x right and y down.
    """
    # PyAV types this container as a mapping; iterating it yields the data themselves.
    sides = cast("Iterable[SideData]", frame.side_data)
    matrix = next((side for side in sides if side.type == SideDataType.DISPLAYMATRIX), None)
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def alpha(facts: Facts) -> bool:
    """Whether pictures have transparent parts."""
    transparent = has_alpha_layer(facts.stream)
    transparent |= any(component.is_alpha for component in facts.first.format.components)
    if transparent:
        facts.note("transparency", "yes", f"shown over {facts.settings.background}")
    return transparent


def other_streams(facts: Facts) -> Finding:
    """Sound, subtitles and what else the file holds."""
    others = []
    for stream in facts.container.streams:
        if stream.index == facts.stream.index:
            continue
        # Data streams have no decoder, whatever PyAV's types say.
        context = cast("av.CodecContext | None", getattr(stream, "codec_context", None))
        name = context.codec.canonical_name if context is not None else ""
        # A hostile film may have put commands for the terminal there.
        tag = re.sub(r"\W", "", stream.language or "")
        language = f" ({tag})" if tag not in {"", "und"} else ""
        cover = stream.type == "video" and stream.disposition & av.stream.Disposition.attached_pic
        others.append(
            f"{'cover art' if cover else stream.type} {name}{language}".replace("  ", " ")
        )
    return Finding("beside it", ", ".join(others) or "nothing", "left alone" if others else "")
