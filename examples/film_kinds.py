"""Make a film of each awkward kind from the built-in one, and a sheet of what becomes of it.

    python examples/film_kinds.py [SHEET] [--films FOLDER]

In each row of the sheet: on the left the picture that `ffmpeg -i FILM picture.png` gives, on the
right the one that `animeprep frames` takes. The built-in film is encoded anew as
each kind by FFmpeg, through ffmpeg-python.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import ffmpeg
import imageio_ffmpeg
import numpy as np

from animeprep.boxes import Picture
from animeprep.files import write_atomic
from animeprep.film import Selection, pictures, probe
from animeprep.images import encode_jpeg, read_rgb, resize

ROOT = Path(__file__).parents[1]
FILM = ROOT / "animegan" / "assets" / "demo" / "film.mp4"
SPRITE = ROOT / "examples" / "art" / "sylvie_green_smile.png"
DEFAULT_SHEET = ROOT / "docs" / "films.jpg"

#: The stretch of the built-in film that is used: the camera shakes, then somebody speaks, seconds.
START, SECONDS = 14.1, 3.4
#: The picture that is shown: it is one of those in which telecine weaves two drawings.
INDEX = 13
#: Size of a picture on the sheet.
ROW, COLUMN = 200, 400

Stream = Any
"""One of ffmpeg-python's, which has no types."""


@dataclass(frozen=True)
class Kind:
    """An awkward kind of film.

    Attributes:
        name: of the file, with its suffix.
        title: on the sheet, ASCII.
        make: the source's stream → the filtered one.
        output: FFmpeg's options of the output.
        source: options of the input, in place of the built-in film's.
        detail: whether to show a part of the pictures, pixel by pixel.
    """

    name: str
    title: str
    make: Callable[[Stream], Stream]
    output: dict[str, Any]
    source: dict[str, Any] | None = None
    detail: bool = False


def _hdr(curve: str, brightness: int) -> Callable[[Stream], Stream]:
    def make(stream: Stream) -> Stream:
        return (
            stream.filter("zscale", t="linear", npl=brightness)
            .filter("format", "gbrpf32le")
            .filter("zscale", p="bt2020", t=curve, m="bt2020nc", r="tv", npl=brightness, agamma=0)
            .filter("format", "yuv420p10le")
        )

    return make


def _dvd(stream: Stream) -> Stream:
    """720x480 with the pixels of a wide DVD."""
    return (
        stream.filter("crop", w=1280, h=544).filter("scale", w=720, h=480).filter("setsar", "32/27")
    )


_X264 = {"vcodec": "libx264", "crf": 12, "preset": "fast"}
_DVD = {"vcodec": "mpeg2video", "qscale": 2, "flags": "+ildct+ilme", "pix_fmt": "yuv420p"}
_HDR = {"vcodec": "libx265", "crf": 12, "preset": "fast", "x265-params": "log-level=none"}
_BT2020 = {"color_primaries": "bt2020", "colorspace": "bt2020nc"}

KINDS = (
    Kind("pq.mkv", "HDR, PQ", _hdr("smpte2084", 203),
         {**_HDR, **_BT2020, "color_trc": "smpte2084"}),
    Kind("hlg.mkv", "HDR, HLG", _hdr("arib-std-b67", 203),
         {**_HDR, **_BT2020, "color_trc": "arib-std-b67"}),
    Kind("telecined.mkv", "telecined DVD", lambda s: _dvd(s).filter("telecine"), _DVD,
         detail=True),
    Kind("interlaced.mkv", "interlaced", lambda s: _dvd(s).filter("tinterlace", "interleave_top"),
         _DVD, detail=True),
    Kind("anamorphic.mp4", "wide pixels", _dvd, _X264),
    Kind("letterbox.mp4", "letterbox", lambda s: s, _X264),
    Kind("transparent.webm", "transparent", lambda s: s.filter("scale", w=-2, h=480),
         {"vcodec": "libvpx-vp9", "pix_fmt": "yuva420p", "crf": 12, "video_bitrate": 0},
         {"filename": str(SPRITE), "loop": 1, "framerate": 24, "t": SECONDS}),
)  # fmt: skip


def make_film(kind: Kind, folder: Path) -> Path:
    """Encode a film of a kind.

    Raises:
        RuntimeError: FFmpeg failed; the message holds what it said.
    """
    out = folder / kind.name
    source = kind.source or {"filename": str(FILM), "ss": START, "t": SECONDS}
    made = kind.make(ffmpeg.input(**source).video)
    command = (
        made.output(str(out), **kind.output)
        .global_args("-hide_banner", "-loglevel", "error")
        .overwrite_output()
        .compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())
    )
    _run(command)
    return out


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"ffmpeg failed: {done.stderr.strip()}")


def usual(film: Path, index: int) -> Picture:
    """A picture as FFmpeg's own program writes it, without being told anything."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "picture.png"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error"]
        command += ["-i", str(film), "-vf", rf"select=eq(n\,{index})", "-frames:v", "1", str(out)]
        _run(command)
        return read_rgb(out)


def ours(film: Path, index: int) -> Picture:
    """A picture as `animeprep frames` takes it."""
    return next(iter(pictures(probe(film), Selection(only=(index,))))).rgb


def row(kind: Kind, film: Path) -> Picture:
    """A row of the sheet: the name, both pictures."""
    # Of five telecined pictures there are four.
    index = INDEX * 4 // 5 if kind.name == "telecined.mkv" else INDEX
    label = np.full((ROW, 150, 3), 255, np.uint8)
    cv2.putText(label, kind.title, (8, ROW // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1, cv2.LINE_AA)
    cells = [label]
    for picture in (usual(film, INDEX), ours(film, index)):
        small = _detail(picture) if kind.detail else _whole(picture)
        cell = np.full((ROW, COLUMN + 10, 3), 255, np.uint8)
        cell[: small.shape[0], : small.shape[1]] = small
        cells.append(cell)
    return np.hstack(cells)


def _whole(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = min(ROW / height, COLUMN / width)
    return resize(picture, round(width * scale), round(height * scale))


def _detail(picture: Picture) -> Picture:
    """The middle, twice as large, with square pixels or without."""
    height, width = picture.shape[:2]
    top, left = height // 3, (width - COLUMN // 2) // 2
    middle = picture[top : top + ROW // 2, left : left + COLUMN // 2]
    return cv2.resize(middle, (COLUMN, ROW), interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def main() -> None:
    """Make the films and the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", nargs="?", type=Path, default=DEFAULT_SHEET, help="file to write")
    parser.add_argument("--films", type=Path, help="keep the films in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.films or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row(kind, make_film(kind, folder)) for kind in KINDS]
    write_atomic(arguments.sheet, encode_jpeg(np.vstack(rows), 85))
    print(f"{arguments.sheet}: ffmpeg on the left, animeprep on the right")


if __name__ == "__main__":
    main()
