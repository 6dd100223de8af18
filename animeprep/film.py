"""Films: what one is, and its pictures, counted exactly and in the right colours.

PyAV (FFmpeg inside the wheel) reads. A picture's index is its ordinal among the decoded pictures
in presentation order; nothing here seeks by a frame number, because that is exact nowhere. How a
film is decoded (colour matrix, pixel aspect, rotation, letterbox) is decided once, with a reason
for each decision.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.filter
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from animeprep.errors import FilmError
from animeprep.files import sha256
from animeprep.images import MAX_PIXELS, Box, Picture
from animeprep.letterbox import letterbox

#: FFmpeg's numbers of colour matrices → the names its scaler understands. 2 is "untagged".
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
_TRANSFER_HDR = {16: "PQ", 18: "HLG"}
_FULL_RANGE = 2

#: Untagged films are taken for BT.709 from this height up, for BT.601 below.
HD_HEIGHT = 720

#: Pictures that are looked at to decide on letterbox and interlacing.
SAMPLES = 16
#: With fewer distinct key pictures than this, the samples are taken by decoding the film once.
MIN_KEYS = 4
#: Undecodable packets in a row after which a film is given up.
MAX_CORRUPT_RUN = 300


@dataclass(frozen=True)
class Film:
    """What was found in a film, and how its pictures will be made.

    Attributes:
        path: the file.
        film_id: from its name and content, so that two films of one name differ.
        codec: FFmpeg's name.
        width, height: as stored, pixels.
        rate: average pictures a second, 0 where unknown.
        frames: how many the container announces, 0 where it does not; never relied upon.
        pixel_aspect: width by height of a stored pixel.
        matrix: name of the YUV matrix.
        full_range: whether luma is 0..255 rather than 16..235.
        orientation: what the display matrix asks for: (transpose, flip rows, flip columns).
        area: the picture inside letterbox bars, of the upright picture with square pixels; None
            for all of it.
        decisions: property → what will be done and why.
    """

    path: Path
    film_id: str
    codec: str
    width: int
    height: int
    rate: float
    frames: int
    pixel_aspect: Fraction
    matrix: str
    full_range: bool
    orientation: tuple[bool, bool, bool]
    area: Box | None
    decisions: dict[str, str]


@dataclass(frozen=True)
class FilmPicture:
    """One picture of a film.

    Attributes:
        index: its ordinal in presentation order, from 0.
        seconds: its presentation time, as the container has it.
        rgb: uint8 H×W×3, upright, square pixels, bars removed.
    """

    index: int
    seconds: float
    rgb: Picture


@dataclass
class Decoding:
    """What happened while a film was decoded: counts of pictures and of corrupt packets."""

    pictures: int = 0
    corrupt: int = 0


def probe(path: Path) -> Film:
    """Find out what a film is and decide how to make pictures of it.

    Raises:
        FilmError: missing, empty, not a film, without pictures, too large; or HDR or interlaced,
            which this version does not convert.
    """
    with _opened(path) as container:
        stream = _video_stream(container, path)
        first = next(_frames(container, stream, Decoding()), None)
        if first is None:
            raise FilmError(path, "no picture of it can be decoded", "check that it plays")
        film = _describe(path, stream, first)
    samples = _samples(film)
    if any(frame.interlaced_frame for frame in samples):
        raise FilmError(
            path, "the film is interlaced", "deinterlace it first (ffmpeg -i IN -vf bwdif OUT)"
        )
    converter = _Converter(film)
    area, reason = letterbox(converter(frame) for frame in samples)
    return replace(film, area=area, decisions={**film.decisions, "letterbox": reason})


def pictures(
    film: Film, wanted: Callable[[int], bool], decoding: Decoding | None = None
) -> Iterator[FilmPicture]:
    """The wanted pictures of a film, in order; memory does not grow with its length.

    Args:
        film: from `probe`.
        wanted: index → whether to yield that picture.
        decoding: is filled with the counts while the film is read.

    Raises:
        FilmError: too many undecodable packets in a row. What came before has been yielded.
    """
    decoding = decoding if decoding is not None else Decoding()
    converter = _Converter(film)
    with _opened(film.path) as container:
        stream = _video_stream(container, film.path)
        for index, frame in enumerate(_frames(container, stream, decoding)):
            decoding.pictures = index + 1
            if wanted(index):
                rgb = converter(frame)
                rgb = film.area.cut(rgb) if film.area else rgb
                yield FilmPicture(index, round(float(frame.time or 0.0), 6), rgb)


def _opened(path: Path) -> InputContainer:
    try:
        if path.stat().st_size == 0:
            raise FilmError(path, "the file is empty", "copy it again")
        # A relative name with a colon would be taken for the address of a server.
        return av.open(str(path.absolute()))
    except OSError as error:  # av's errors are among them
        if isinstance(error, av.error.FFmpegError):
            raise FilmError(
                path, f"not a film that can be read ({_reason(error)})", "check that it plays"
            ) from error
        raise FilmError(path, f"cannot be opened ({error.strerror})") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise FilmError(
            path, f"not a film that can be read ({_reason(error)})", "check that it plays"
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures; cover art is none."""
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover:
            if stream.width * stream.height > MAX_PIXELS:
                raise FilmError(path, f"{stream.width}×{stream.height} is too large")
            stream.thread_type = "AUTO"
            return stream
    raise FilmError(path, "there are no moving pictures in it", "name a film")


def _frames(
    container: InputContainer, stream: VideoStream, decoding: Decoding
) -> Iterator[VideoFrame]:
    """All decodable pictures in presentation order; corrupt packets are skipped and counted."""
    run = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
            run = 0
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            decoding.corrupt += 1
            run += 1
            if run > MAX_CORRUPT_RUN:
                raise FilmError(
                    container.name,
                    f"gave up after {run} undecodable packets in a row ({_reason(error)})",
                    "what came before is kept",
                ) from error
            continue
        yield from frames


def _describe(path: Path, stream: VideoStream, first: VideoFrame) -> Film:
    """All decisions that one picture allows."""
    if first.color_trc in _TRANSFER_HDR:
        kind = _TRANSFER_HDR[first.color_trc]
        raise FilmError(
            path, f"the film is HDR ({kind})", "tone-map it to SDR first; this version does not"
        )
    matrix = _MATRICES.get(int(first.colorspace))
    decisions = {"matrix": f"{matrix}, as tagged"}
    if matrix is None:
        matrix = "bt709" if first.height >= HD_HEIGHT else "smpte170m"
        decisions["matrix"] = f"{matrix}: untagged, {first.height} rows"
    full_range = int(first.color_range) == _FULL_RANGE or first.format.name.startswith("yuvj")
    decisions["range"] = "full, as tagged" if full_range else "limited"
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if not Fraction(1, 10) <= aspect <= 10:
        aspect = Fraction(1)
    decisions["pixel aspect"] = (
        "square" if aspect == 1 else f"{aspect}: width resampled to square pixels"
    )
    orientation = _orientation(first)
    decisions["orientation"] = (
        "turned as the display matrix says" if any(orientation) else "as stored"
    )
    return Film(
        path=path,
        film_id=film_id(path),
        codec=stream.codec_context.name,
        width=first.width,
        height=first.height,
        rate=float(stream.average_rate or 0),
        frames=stream.frames,
        pixel_aspect=aspect,
        matrix=matrix,
        full_range=full_range,
        orientation=orientation,
        area=None,
        decisions=decisions,
    )


def film_id(path: Path) -> str:
    """An identifier from a file's name and content: `<name>-<8 hexadecimal digits>`.

    The content enters by its length and its first and last mebibyte.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(2**20)
        file.seek(max(0, size - 2**20))
        tail = file.read()
    return f"{slug(path.stem)}-{sha256(size.to_bytes(8, 'big') + head + tail)[:8]}"


def slug(name: str) -> str:
    """A name that every file system takes.

    >>> slug("Spirited Away (2001) [1080p]")
    'Spirited_Away_2001_1080p'
    """
    return re.sub(r"[^\w-]+", "_", name).strip("_")[:40] or "film"


def _orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
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


def _samples(film: Film) -> list[VideoFrame]:
    """Pictures from all over a film: key pictures by seeking, else by decoding it once."""
    found: dict[int, VideoFrame] = {}
    with _opened(film.path) as container:
        stream = _video_stream(container, film.path)
        duration = container.duration or 0
        for number in range(SAMPLES if duration else 0):
            try:
                container.seek(int(duration * (number + 0.5) / SAMPLES))
                frame = next(_frames(container, stream, Decoding()), None)
            except (av.error.FFmpegError, FilmError):
                continue
            if frame is not None:
                found[frame.pts or 0] = frame
    if len(found) >= MIN_KEYS:
        return list(found.values())
    with _opened(film.path) as container:
        stream = _video_stream(container, film.path)
        return _spread(_frames(container, stream, Decoding()))


def _spread(frames: Iterator[VideoFrame]) -> list[VideoFrame]:
    """Between SAMPLES and twice as many of a sequence of unknown length, evenly spread."""
    kept: list[VideoFrame] = []
    step = 1
    for index, frame in enumerate(frames):
        if index % step == 0:
            kept.append(frame)
        if len(kept) > 2 * SAMPLES:
            kept = kept[::2]
            step *= 2
    return kept


class _Converter:
    """Decoded pictures → upright RGB with square pixels, by FFmpeg's scaler.

    The scaler is told the matrix and range explicitly, rounds accurately and does not dither:
    dither would put noise on flat cels.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self._graphs: dict[tuple[int, int, str], av.filter.Graph] = {}

    def __call__(self, frame: VideoFrame) -> Picture:
        """uint8 RGB H×W×3."""
        key = (frame.width, frame.height, frame.format.name)
        if key not in self._graphs:
            self._graphs[key] = self._graph(*key)
        graph = self._graphs[key]
        graph.push(frame)
        converted = cast("VideoFrame", graph.pull())
        picture = converted.to_ndarray(format="rgb24")
        transpose, flip_rows, flip_columns = self.film.orientation
        if transpose:
            picture = picture.swapaxes(0, 1)
        if flip_rows:
            picture = picture[::-1]
        if flip_columns:
            picture = picture[:, ::-1]
        return np.ascontiguousarray(picture)

    def _graph(self, width: int, height: int, pixel_format: str) -> av.filter.Graph:
        film = self.film
        square = max(1, round(width * film.pixel_aspect))
        graph = av.filter.Graph()
        source = graph.add(
            "buffer",
            f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base=1/1000:pixel_aspect=1/1",
        )
        scale = graph.add(
            "scale",
            f"w={square}:h={height}:flags=bilinear+accurate_rnd+full_chroma_int"
            f":sws_dither=none:in_color_matrix={film.matrix}"
            f":in_range={'pc' if film.full_range else 'tv'}:out_range=pc",
        )
        rgb = graph.add("format", "pix_fmts=rgb24")
        sink = graph.add("buffersink")
        for one, other in ((source, scale), (scale, rgb), (rgb, sink)):
            one.link_to(other)
        graph.configure()
        return graph
