"""Containers and codecs that films are written in."""

from dataclasses import dataclass, field
from typing import Any

#: Suffixes of films that can be written → FFmpeg's name of the container.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
#: What begins a stream → the container that it is answered in.
_ANSWERS = {b"YUV4MPEG2 ": "yuv4mpegpipe", b"nut/multimedia container": "nut",
            b"\x1a\x45\xdf\xa3": "nut"}  # fmt: skip


@dataclass(frozen=True)
class Codec:
    """A codec to write films with.

    Attributes:
        encoder: FFmpeg's name of it.
        pixels: FFmpeg's name of the format of pixels.
        crf: quality by default, the lower the better; None where there is no such scale.
        options: others of the encoder.
        tag: what MP4 and MOV call it; empty for FFmpeg's choice.
    """

    encoder: str
    pixels: str
    crf: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    tag: str = ""

    @property
    def is_rgb(self) -> bool:
        """Whether it keeps RGB as it is."""
        return self.pixels == "bgr0"


CODECS = {
    "h264": Codec("libx264", "yuv420p", 17),
    # Apple's players know only hvc1 of the two names of HEVC.
    "hevc": Codec("libx265", "yuv420p", 19, {"x265-params": "log-level=error"}, "hvc1"),
    "av1": Codec("libsvtav1", "yuv420p", 26, {"preset": 6}),
    "vp9": Codec("libvpx-vp9", "yuv420p", 24, {"b:v": 0, "cpu-used": 3, "row-mt": 1}),
    "prores": Codec("prores_ks", "yuv422p10le", None, {"profile:v": 3}),
    "ffv1": Codec("ffv1", "bgr0"),
}


def answer_to(head: bytes) -> str | None:
    """The container to answer a stream in; None where it is none of moving pictures.

    Args:
        head: its first bytes.
    """
    return next((name for mark, name in _ANSWERS.items() if head.startswith(mark)), None)
