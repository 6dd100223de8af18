"""What a film is: its file, its stream of moving pictures, and how pictures are made of it.

PyAV (FFmpeg inside the wheel) reads. Films are hostile: sizes and durations that no film has are
refused before a decoder is asked for memory.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, cast

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from pydantic import Field, InstanceOf, PlainSerializer, TypeAdapter

from animeprep.boxes import Box
from animeprep.errors import FilmError
from animeprep.files import sha256
from animeprep.film.packets import Packets
from animeprep.names import slug
from animeprep.settings import Settings

#: Larger films are refused: a decoder keeps a dozen pictures at once. 2^26 pixels are 8192×8192.
MAX_FILM_PIXELS = 2**26
#: Longer films are refused: such a header lies.
MAX_HOURS = 1000
#: The content of a film enters its identifier by this many blocks, spread evenly.
_BLOCKS, _BLOCK_BYTES = 64, 2**16

#: The libraries' decoders that see the transparency of WebM films; FFmpeg's own do not.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

PLAYS = "check that it plays"


class FilmSettings(Settings):
    """What to make of films where probing would decide otherwise."""

    matrix: Literal["auto", "bt601", "bt709", "bt2020"] = "auto"
    """matrix of the film's Y'CbCr"""

    range: Literal["auto", "limited", "full"] = "auto"
    """range of its luma: 16..235 or 0..255"""

    chroma: Literal["auto", "left", "center", "topleft"] = "auto"
    """where its colour samples sit among those of luma"""

    hdr: Literal["auto", "off", "pq", "hlg"] = "auto"
    """transfer curve to tone-map from; off takes the film for SDR"""

    tone_curve: Literal["mobius", "hable"] = "mobius"
    """how HDR highlights are compressed: mobius leaves mid-tones as they are, hable darkens them"""

    fields: Literal["auto", "progressive", "interlaced", "telecined"] = "auto"
    """what its pictures are made of; auto measures"""

    pixel_aspect: str = Field(default="auto", pattern=r"^(auto|[1-9]\d{0,4}:[1-9]\d{0,4})$")
    """width:height of a stored pixel, 32:27 say"""

    turn: Literal["auto", "none", "90", "180", "270", "mirror"] = "auto"
    """degrees to turn the pictures clockwise, or mirror them left to right"""

    letterbox: str = Field(default="auto", pattern=r"^(auto|off|\d+x\d+\+\d+\+\d+)$")
    """picture area inside black bars, WIDTHxHEIGHT+LEFT+TOP of the upright picture with square
    pixels"""

    background: str = Field(default="#ffffff", pattern=r"^#[0-9a-fA-F]{6}$")
    """colour behind transparent pictures"""

    patience: float = Field(default=60, gt=0)
    """seconds that a decoder may show no sign of life before its film is given up"""

    def look(self) -> str:
        """Twelve hexadecimal digits that change with anything that changes pixels."""
        return sha256(self.model_dump_json(exclude={"patience"}).encode())[:12]


class FilmRules(Settings):
    """The settings of all films, and those of single ones."""

    common: FilmSettings = FilmSettings()
    """of films that are not named"""

    named: dict[str, FilmSettings] = Field(default={})
    """by file name or identifier"""

    def of(self, file_name: str, film_id: str) -> FilmSettings:
        """The settings of one film."""
        return self.named.get(film_id) or self.named.get(file_name) or self.common


@dataclass(frozen=True)
class Finding:
    """One property of a film: what was found, and what will be done and why."""

    what: str
    found: str
    done: str


#: (transpose, flip rows, flip columns), in this order.
Orientation = tuple[bool, bool, bool]


@dataclass(frozen=True)
class Film:
    """A film that was probed, and how its pictures will be made.

    Attributes:
        path: the file.
        film_id: from its name and content, so that two films of one name differ.
        content: SHA-256 of the parts of the content that the identifier is made from.
        codec: FFmpeg's name of the decoder.
        width, height: as stored, pixels.
        rate: average pictures a second, 0 where unknown.
        start: when the first of its streams begins, seconds; times are counted from here.
        seconds: how long it lasts, as its header has it; 0 where unknown.
        pictures: how many, before fields are undone; exact where `by_timestamps`.
        timed: whether all pictures have timestamps, in order.
        by_timestamps: whether pictures are numbered by their timestamps, so that unwanted ones
            need not be decoded; else by counting what the decoder gives.
        alpha: whether its pictures have transparent parts.
        pixel_aspect: width by height of a stored pixel.
        matrix: name of the YUV matrix, as FFmpeg's scaler has it.
        full_range: whether luma is 0..255 rather than 16..235.
        chroma: where colour samples sit among those of luma: `left`, `center` or `topleft`.
        light: `sdr`, `pq` or `hlg`; `wide` is SDR in BT.2020's primaries.
        peak: of HDR, the brightest light that was seen, in units of white (203 cd/m²); else 1.
        fields: `progressive`, `interlaced` or `telecined`.
        field_order: `tff` or `bff` where fields are undone.
        orientation: how to turn pictures upright.
        areas: stored size `WxH` → the picture inside letterbox bars, of the upright picture with
            square pixels; sizes without bars are not in it.
        settings: what the user decided.
        findings: everything that was found and decided, for people.
        packets: its packets; too many to travel as JSON.
    """

    path: Path
    film_id: str
    content: str
    codec: str
    width: int
    height: int
    rate: float
    start: float
    seconds: float
    pictures: int
    timed: bool
    by_timestamps: bool
    alpha: bool
    pixel_aspect: Annotated[Fraction, PlainSerializer(str)]
    matrix: str
    full_range: bool
    chroma: Literal["left", "center", "topleft"]
    light: Literal["sdr", "wide", "pq", "hlg"]
    peak: float
    fields: Literal["progressive", "interlaced", "telecined"]
    field_order: Literal["tff", "bff"]
    orientation: Orientation
    areas: dict[str, Box]
    settings: FilmSettings
    findings: tuple[Finding, ...]
    packets: Annotated[InstanceOf[Packets], Field(exclude=True)]

    def seconds_at(self, position: int) -> float | None:
        """When the picture of a packet is shown, from the film's beginning; None where unknown."""
        seconds = self.packets.seconds_at(position)
        return None if seconds is None else round(seconds - self.start, 6)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its pictures upright, with square pixels, bars and all."""
        height, width = self.height, max(1, round(self.width * self.pixel_aspect))
        return (width, height) if self.orientation[0] else (height, width)

    @property
    def area(self) -> Box | None:
        """The picture inside letterbox bars, for pictures of the first one's size."""
        return self.areas.get(f"{self.width}x{self.height}")


#: Films travel between processes as JSON.
FILM = TypeAdapter(Film)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A film's container.

    Raises:
        FilmError: missing, empty, or nothing that FFmpeg reads.
    """
    try:
        if path.stat().st_size == 0:
            raise FilmError(path, "the file is empty", "copy it again")
        # A relative name with a colon would be taken for the address of a server.
        container = av.open(str(path.absolute()), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise FilmError(path, f"not a film that can be read ({reason_of(error)})", PLAYS) from error
    except OSError as error:
        raise FilmError(path, f"cannot be opened ({error.strerror})") from error
    with container:
        yield container


def reason_of(error: Exception) -> str:
    """What FFmpeg says, without its numbers."""
    return str(getattr(error, "strerror", None) or error)


def moving_pictures(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures; cover art is none.

    Raises:
        FilmError: there is none, or it claims a size or a duration that no film has.
    """
    hours = (container.duration or 0) / av.time_base / 3600
    if hours > MAX_HOURS:
        raise FilmError(path, f"claims to last {hours:,.0f} hours", "repair its header")
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover:
            if stream.width * stream.height > MAX_FILM_PIXELS:
                raise FilmError(path, f"{stream.width}×{stream.height} is too large", "scale it")
            return stream
    raise FilmError(path, "there are no moving pictures in it", "name a film")


def has_alpha_layer(stream: VideoStream) -> bool:
    """Whether transparency lies beside the pictures, as in WebM."""
    return stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name in _ALPHA_DECODERS


def decoder_of(stream: VideoStream, *, threaded: bool = False) -> VideoCodecContext:
    """The decoder of a stream; it refuses pictures that are too large later on, too.

    Args:
        stream: from `moving_pictures`.
        threaded: whether to use all cores. What threads make up for damage differs from run to run,
            so whoever wants the same pixels each time does without.
    """
    context = stream.codec_context
    if has_alpha_layer(stream):
        context = cast(
            "VideoCodecContext", av.CodecContext.create(_ALPHA_DECODERS[context.name], "r")
        )
        context.extradata = stream.codec_context.extradata
    context.options = {"max_pixels": str(MAX_FILM_PIXELS)}
    context.thread_type = "AUTO"
    context.thread_count = 0 if threaded else 1
    return context


def identify(path: Path) -> tuple[str, str]:
    """A film's identifier, `<name>-<8 hexadecimal digits>`, and the SHA-256 the digits are of.

    The content enters by its length and 64 blocks of 64 KiB from all over it.

    Raises:
        FilmError: it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise FilmError(path, "is no file", "name a film")
        size = path.stat().st_size
        with path.open("rb") as file:
            blocks = [size.to_bytes(8, "big")]
            step = max(_BLOCK_BYTES, (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            for number in range(_BLOCKS):
                file.seek(number * step)
                blocks.append(file.read(_BLOCK_BYTES))
    except OSError as error:
        raise FilmError(path, f"cannot be opened ({error.strerror})") from error
    digest = sha256(b"".join(blocks))
    return f"{slug(path.stem)}-{digest[:8]}", digest
