"""Raw video through a pipe: pictures are painted as they come.

Nobody knows the rest of a shot here, so its norms are taken from its first second. YUV4MPEG2 is
answered in kind, NUT and Matroska with raw RGB in NUT.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, Any, cast

import av
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.video.frame import VideoFrame

from animegan.films.canvas import Canvas
from animegan.films.plan import samples
from animegan.films.settings import How
from animegan.films.shot import ShotPainter
from animeprep.boxes import Box, Picture
from animeprep.errors import FilmError
from animeprep.film.convert import linked
from animeprep.film.describe import HD_HEIGHT
from animeprep.film.shots import Cuts
from animeprep.film.source import MAX_FILM_PIXELS, reason_of
from animeprep.folders import MADE, Summary
from animeprep.progress import progress

#: A shot's norms are taken from so many pictures, which are kept meanwhile.
_AHEAD = 24
_BT709, _FULL_RANGE = 1, 2
_NAME = "standard input"


@dataclass(frozen=True)
class _Shown:
    """One picture of a stream: RGB, and its time in ticks; `begins` a shot or not."""

    rgb: Picture
    pts: int
    begins: bool


def paint_stream(source: IO[bytes], target: IO[bytes], answer: str, how: How) -> Summary:
    """Paint a stream of moving pictures.

    Args:
        source: YUV4MPEG2, NUT or Matroska.
        target: where to write.
        answer: the container, by `answer_to`.
        how: to paint it.

    Raises:
        FilmError: the stream cannot be read; what came before has been written.
        PaintingError: there is no room for a picture.
        BrokenPipeError: nobody reads on.
    """
    how.painter.prepare_steady()
    summary = Summary("stylize", figures=how.painter.described())
    painter = ShotPainter(how.painter)
    try:
        with (
            cast("InputContainer", av.open(source)) as given,
            av.open(target, "w", format=answer) as container,
        ):
            if not given.streams.video:
                raise FilmError(_NAME, "there are no moving pictures in it")
            stream = given.streams.video[0]
            stream.codec_context.options = {"max_pixels": str(MAX_FILM_PIXELS)}
            base, rate = stream.time_base or Fraction(1, 25), stream.average_rate or Fraction(25)
            writing: _Output | None = None
            with progress("stylize", None) as advance:
                for one, painted in _painted(_shown(given.decode(stream)), painter, how):
                    writing = writing or _Output(container, painted, base, rate)
                    writing.write(painted, one.pts)
                    summary.counts[MADE] += 1
                    advance()
            if writing is not None:
                writing.end()
    except av.error.BrokenPipeError as error:
        raise BrokenPipeError from error
    except av.error.FFmpegError as error:
        raise FilmError(_NAME, f"cannot be read ({reason_of(error)})") from error
    return summary


def _shown(frames: Iterable[VideoFrame]) -> Iterator[_Shown]:
    cuts, graphs = Cuts(), dict[Any, Graph]()
    for number, frame in enumerate(frames):
        pts = number if frame.pts is None else frame.pts
        yield _Shown(_to_rgb(frame, graphs), pts, cuts(frame))


def _to_rgb(frame: VideoFrame, graphs: dict[Any, Graph]) -> Picture:
    key = (frame.width, frame.height, frame.format.name)
    if key not in graphs:
        is_full = int(frame.color_range) == _FULL_RANGE
        known = {1: "bt709", 5: "smpte170m", 6: "smpte170m"}
        matrix = known.get(int(frame.colorspace), matrix_of(frame.height))
        scale = (
            f"flags=bilinear+accurate_rnd+full_chroma_int:sws_dither=none:in_color_matrix={matrix}"
            f":in_range={'pc' if is_full else 'tv'}:out_range=pc:in_chroma_loc=left"
        )
        graphs[key] = linked(frame, ("scale", scale), ("format", "pix_fmts=rgb24"))
    graphs[key].push(frame)
    return cast("VideoFrame", graphs[key].pull()).to_ndarray(format="rgb24")  # type: ignore[return-value]


def matrix_of(height: int) -> str:
    """The matrix that players take for that of untagged video, as YUV4MPEG2 always is.

    >>> matrix_of(480), matrix_of(1080)
    ('smpte170m', 'bt709')
    """
    return "bt709" if height >= HD_HEIGHT else "smpte170m"


def _painted(
    shown: Iterable[_Shown], painter: ShotPainter, how: How
) -> Iterator[tuple[_Shown, Picture]]:
    """Pictures and their paintings; the first second of a shot waits for its norms."""
    waiting: list[_Shown] = []
    is_begun = False
    for one in shown:
        if one.begins:
            yield from _begun(waiting, painter, how)
            waiting, is_begun = [], False
        if is_begun:
            yield one, _paint(one, painter, how)
            continue
        waiting.append(one)
        if len(waiting) == _AHEAD:
            yield from _begun(waiting, painter, how)
            waiting, is_begun = [], True
    yield from _begun(waiting, painter, how)


def _begun(
    waiting: list[_Shown], painter: ShotPainter, how: How
) -> Iterator[tuple[_Shown, Picture]]:
    if waiting:
        tellers = [waiting[index].rgb for index in samples((0, len(waiting)))]
        painter.begin(_canvas(one, how).fitted(one) for one in tellers)
    for one in waiting:
        yield one, _paint(one, painter, how)


def _paint(one: _Shown, painter: ShotPainter, how: How) -> Picture:
    canvas = _canvas(one.rgb, how)
    picture = canvas.fitted(one.rgb)
    return canvas.finished(picture, painter.paint(picture), how.settings)


def _canvas(rgb: Picture, how: How) -> Canvas:
    height, width = rgb.shape[:2]
    return Canvas((height, width), Box(0, 0, height, width)).scaled(how.settings.max_side)


class _Output:
    """The stream that is answered: YUV 4:2:0 or RGB, with the times that came."""

    def __init__(
        self, container: OutputContainer, like: Picture, base: Fraction, rate: Fraction
    ) -> None:
        self._container, self._base = container, base
        self._stream = container.add_stream("rawvideo", rate=rate)
        self._stream.height, self._stream.width = like.shape[:2]
        is_yuv = container.format.name == "yuv4mpegpipe"
        self._stream.pix_fmt = "yuv420p" if is_yuv else "rgb24"
        self._stream.codec_context.time_base = base
        matrix = matrix_of(like.shape[0])
        scale = (
            f"flags=bicubic+accurate_rnd+full_chroma_int:sws_dither=none:out_color_matrix={matrix}"
            f":in_range=pc:out_range=tv:out_chroma_loc=left"
        )
        frame = VideoFrame.from_ndarray(like, "rgb24")
        filters = [("scale", scale), ("format", "pix_fmts=yuv420p")] if is_yuv else []
        self._graph = linked(frame, *filters, time_base=str(base))

    def write(self, picture: Picture, pts: int) -> None:
        frame = VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = pts, self._base
        self._graph.push(frame)
        self._container.mux(self._stream.encode(cast("VideoFrame", self._graph.pull())))

    def end(self) -> None:
        self._container.mux(self._stream.encode(None))
