"""Pictures into a part of a film, by FFmpeg in a process of its own.

Pictures reach it as NUT, so that each keeps its own time. They become limited-range BT.709, and the
stream says so; colour samples sit as players take them to, left between two rows.
"""

import contextlib
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, cast

import av
import ffmpeg
import imageio_ffmpeg
from av.video.frame import VideoFrame

from animegan.films.formats import Codec
from animeprep.boxes import Picture
from animeprep.errors import OutputError

#: Ticks of a second. The usual rates, those of 1001 too, and milliseconds are whole numbers of it.
TICKS = 120_000

_BT709 = {"color_primaries": "bt709", "color_trc": "bt709"}


class Encoder:
    """Writes one file; it is whole once `close` has returned.

    Args:
        out: the file, NUT.
        size: height and width of the pictures, even numbers.
        codec: how to encode.
        crf: quality; None for the codec's own.
    """

    def __init__(self, out: Path, size: tuple[int, int], codec: Codec, crf: int | None) -> None:
        self._out = out
        # What ffmpeg says goes to a file: a pipe that nobody reads would fill up and block it.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        command = run_by(_graph(out, codec, codec.crf if crf is None else crf))
        self._process = subprocess.Popen(  # noqa: S603 - the command is all ours
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said
        )
        self._pipe = cast("IO[bytes]", self._process.stdin)
        self._container = av.open(self._pipe, "w", format="nut")
        self._stream = self._container.add_stream("rawvideo")
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "rgb24"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._is_open, self._words = True, b""

    def write(self, picture: Picture, seconds: float) -> None:
        """Add a picture, uint8 RGB H×W×3, and when it is shown, in seconds from the file's start.

        Raises:
            OutputError: FFmpeg gave up.
        """
        if not self._is_open:  # PyAV crashes where a closed container is written to
            raise self._complaint()
        frame = VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.error.FFmpegError) as error:
            self._let_go()
            self._process.wait()
            raise self._complaint() from error

    def close(self) -> None:
        """End the file.

        Raises:
            OutputError: FFmpeg could not write it.
        """
        if self._is_open:
            with contextlib.suppress(OSError, av.error.FFmpegError):
                self._container.mux(self._stream.encode(None))
            self._let_go()
        failed = self._process.wait() != 0
        complaint = self._complaint()
        if failed:
            raise complaint

    def abort(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._let_go()
        self._complaint()

    def _let_go(self) -> None:
        if self._is_open:
            self._is_open = False
            for end in (self._container.close, self._pipe.close):
                with contextlib.suppress(OSError, av.error.FFmpegError):
                    end()

    def _complaint(self) -> OutputError:
        """What FFmpeg said, when it has ended."""
        if not self._said.closed:
            with self._said:
                self._said.seek(0)
                self._words = self._said.read()
        return complaint(self._out, self._words)


def run_by(graph: Any) -> list[str]:  # noqa: ANN401 - ffmpeg-python has no types
    """The command line of FFmpeg for a graph."""
    quiet = graph.global_args("-hide_banner", "-loglevel", "error").overwrite_output()
    return cast("list[str]", quiet.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe()))


def complaint(out: Path, said: bytes) -> OutputError:
    """What FFmpeg said, as an error."""
    lines = said.decode(errors="replace").strip().splitlines() or ["it did not say why"]
    # The first line is the reason, the later ones what follows from it.
    reason = lines[0].split("] ", 1)[-1]
    return OutputError(out, f"FFmpeg could not write it: {reason}", "check the disk, or --codec")


def _graph(out: Path, codec: Codec, crf: int | None) -> Any:  # noqa: ANN401 - as above
    options = dict(codec.options)
    if codec.crf is not None:
        options["crf"] = crf
    pictures = ffmpeg.input("pipe:", format="nut")
    if not codec.is_rgb:
        pictures = pictures.filter(
            "scale",
            in_range="pc",
            out_range="tv",
            out_color_matrix="bt709",
            flags="bicubic+accurate_rnd+full_chroma_int",
            sws_dither="none",
            # 4:2:0 of films: beside the left one of two columns, between two rows.
            out_h_chr_pos=0,
            out_v_chr_pos=128,
        ).filter("setparams", colorspace="bt709", range="tv", **_BT709)
        options |= {"colorspace": "bt709", "color_range": "tv"}
    return pictures.output(
        str(out),
        format="nut",
        vcodec=codec.encoder,
        pix_fmt=codec.pixels,
        fps_mode="passthrough",
        enc_time_base="demux",
        **_BT709,
        **options,
    )
