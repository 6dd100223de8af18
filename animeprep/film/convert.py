"""Decoded pictures → upright RGB with square pixels, by FFmpeg's scaler.

The scaler is told matrix and range explicitly, rounds accurately and does not dither: dither would
put noise on flat cels.
"""

from typing import Any, cast

import av
import av.filter
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from animeprep.boxes import Box, Picture
from animeprep.film.source import Film
from animeprep.film.tone import ToneMapper

#: Formats whose first plane is luma in 8 bits, limited range where the film does not say otherwise.
_LUMA_FIRST = {"yuv420p", "yuv422p", "yuv444p", "nv12", "yuva420p"}


class Converter:
    """Converts the pictures of one film, whatever their size and format.

    Args:
        film: says how.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        self._graphs: dict[tuple[int, int, str, str], av.filter.Graph] = {}
        self._tone: ToneMapper | None = None
        if film.light != "sdr":
            self._tone = ToneMapper(film.light, film.settings.tone_curve, film.peak)
        digits = film.settings.background.removeprefix("#")
        self._background = np.array(list(bytes.fromhex(digits)), np.uint16)

    def __call__(self, frame: VideoFrame) -> Picture:
        """uint8 RGB H×W×3, with any bars still there."""
        alpha = any(component.is_alpha for component in frame.format.components)
        output = "rgba" if alpha else "rgb24" if self._tone is None else "gbrp16le"
        converted = self._scaled(frame, output)
        if alpha:
            converted = self._over_background(converted)
        elif self._tone is not None:
            converted = self._tone(converted)
        return upright(converted, self.film)

    def peak(self, frame: VideoFrame) -> float:
        """Brightest light of an HDR picture but for a thousandth, in units of white; else 1."""
        if self._tone is None or self.film.light == "wide":
            return 1.0
        signal = self._scaled(frame, "gbrp16le")[::2, ::2]
        return float(np.percentile(self._tone.linear(signal).max(axis=2), 99.9))

    def area(self, frame: VideoFrame, picture: Picture) -> Picture:
        """The picture without the bars that pictures of this size have."""
        box = self.film.areas.get(f"{frame.width}x{frame.height}")
        return box.cut(picture) if box else picture

    def _scaled(self, frame: VideoFrame, output: str) -> NDArray[Any]:
        key = (frame.width, frame.height, frame.format.name, output)
        if key not in self._graphs:
            self._graphs[key] = self._graph(frame, output)
        graph = self._graphs[key]
        graph.push(frame)
        return cast("VideoFrame", graph.pull()).to_ndarray(format=output)

    def _over_background(self, rgba: Picture) -> Picture:
        opaque = rgba[..., 3:].astype(np.uint16)
        mixed = rgba[..., :3] * opaque + self._background * (255 - opaque)
        return ((mixed + 127) // 255).astype(np.uint8)

    def _graph(self, frame: VideoFrame, output: str) -> av.filter.Graph:
        film = self.film
        square = max(1, round(frame.width * film.pixel_aspect))
        scale = (
            f"w={square}:h={frame.height}:flags=bilinear+accurate_rnd+full_chroma_int"
            f":sws_dither=none:in_color_matrix={film.matrix}:in_chroma_loc={film.chroma}"
            f":in_range={'pc' if film.full_range else 'tv'}:out_range=pc"
        )
        return linked(frame, ("scale", scale), ("format", f"pix_fmts={output}"))


def luma(frame: VideoFrame) -> tuple[Picture, bool]:
    """The luma of a stored picture, uint8 H×W, and whether it is full range.

    Nothing is converted where it lies there in 8 bits, as in most films.
    """
    if frame.format.name in _LUMA_FIRST:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width], False
    graph = linked(frame, ("format", "pix_fmts=gray"))
    graph.push(frame)
    gray = cast("VideoFrame", graph.pull()).to_ndarray(format="gray")
    return cast("Picture", gray), True


def upright_box(box: Box, width: int, height: int, film: Film) -> Box:
    """Where a part of a stored picture lies in the converted one.

    Args:
        box: of a stored picture.
        width: of that picture.
        height: of that picture.
        film: says how it is converted.
    """
    transpose, flip_rows, flip_columns = film.orientation
    square = max(1, round(width * film.pixel_aspect))
    left = -(-box.left * square // width)
    right = (box.left + box.width) * square // width
    rows, columns = (box.top, box.top + box.height, height), (left, right, square)
    if transpose:
        rows, columns = columns, rows
    if flip_rows:
        rows = (rows[2] - rows[1], rows[2] - rows[0], rows[2])
    if flip_columns:
        columns = (columns[2] - columns[1], columns[2] - columns[0], columns[2])
    return Box(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])


def upright(picture: Picture, film: Film) -> Picture:
    """A stored picture turned and mirrored as the film asks for."""
    transpose, flip_rows, flip_columns = film.orientation
    if transpose:
        picture = picture.swapaxes(0, 1)
    if flip_rows:
        picture = picture[::-1]
    if flip_columns:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def linked(
    frame: VideoFrame, *filters: tuple[str, str], time_base: str = "1/1000", rate: str = "25"
) -> av.filter.Graph:
    """A chain of FFmpeg's filters for pictures like this one.

    Args:
        frame: of the size and format that will come.
        filters: name and arguments of each.
        time_base: seconds of a tick, of the pictures that will come.
        rate: pictures a second; of no effect on most filters.
    """
    graph = av.filter.Graph()
    source = (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base={time_base}:pixel_aspect=1/1:frame_rate={rate}"
    )
    last = graph.add("buffer", source)
    for name, arguments in (*filters, ("buffersink", "")):
        following = graph.add(name, arguments or None)
        last.link_to(following)
        last = following
    graph.configure()
    return graph
