"""The painted parts and everything else of the source, into one film.

Sound and subtitles are copied, not encoded anew. What a container can hold is asked of FFmpeg: each
stream is tried on its first second. Text subtitles that cannot be copied are rewritten in the form
that the container has.
"""

import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from animegan.films.encode import complaint, run_by
from animegan.films.formats import CONTAINERS, Codec
from animegan.xmp import DIGITAL_SOURCE_TYPE
from animeprep.files import writing
from animeprep.film import Stream

#: The form of text subtitles that each has.
_TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_LETTERS = {"audio": "a", "subtitle": "s", "attachment": "t", "cover": "v"}


@dataclass(frozen=True)
class Cut:
    """The stretch of the source, in seconds from its beginning; `end` is None for all the rest."""

    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Carried:
    """A stream of the source that goes into the film.

    Attributes:
        stream: which.
        codec: `copy`, or the form it is rewritten in.
    """

    stream: Stream
    codec: str = "copy"


def carried(source: Path, streams: list[Stream], container: str) -> tuple[list[Carried], list[str]]:
    """What of a film a container can hold, and names of what it cannot."""
    held, others = [], []
    for stream in streams:
        codecs = ["copy", *([_TEXT[container]] if stream.kind == "subtitle" else [])]
        fitting = next((c for c in codecs if _fits(source, Carried(stream, c), container)), None)
        if fitting is None:
            others.append(str(stream))
        else:
            held.append(Carried(stream, fitting))
    return held, others


def _fits(source: Path, one: Carried, container: str) -> bool:
    given = _source(source, Cut(), t=1)
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "trial")
        graph = ffmpeg.output(
            given[str(one.stream.index)], out, format=container, **_codecs([one], 0)
        )
        done = subprocess.run(run_by(graph), check=False, capture_output=True)  # noqa: S603 - ours
    return done.returncode == 0


@dataclass(frozen=True)
class Rest:
    """What a film has beside its painted pictures.

    Attributes:
        source: the film that was painted: its sound, chapters, tags.
        cut: the stretch of it.
        streams: of the source, from `carried`.
        gap: seconds between its pictures, on average.
        comment: a tag to write in place of the source's; empty to leave it.
        codec: of the painted pictures.
    """

    source: Path
    cut: Cut
    streams: list[Carried]
    gap: float
    comment: str
    codec: Codec


def join(parts: list[tuple[Path, float]], rest: Rest, target: Path) -> None:
    """Write the film.

    Args:
        parts: painted parts, all in one folder, and the second of the cut at which each begins.
        rest: what else goes into it.
        target: the file; its suffix is one of `CONTAINERS`.

    Raises:
        OutputError: it cannot be written.
    """
    listed = parts[0][0].with_name("parts.txt")
    lines = ["ffconcat version 1.0"]
    for number, (part, begin) in enumerate(parts):
        lines.append(f"file {part.name}")
        if number + 1 < len(parts):
            lines.append(f"duration {parts[number + 1][1] - begin:.6f}")
    listed.write_text("\n".join(lines) + "\n")
    draft = target.with_name(f".{target.name}.part")
    painted = ffmpeg.input(str(listed), format="concat", itsoffset=f"{parts[0][1]:.6f}")
    given = _source(rest.source, rest.cut)
    graph = ffmpeg.output(
        painted["v:0"],
        # No stream: so that it is an input, for its tags and chapters, though it holds no other.
        given["d:999?"],
        *(given[str(one.stream.index)] for one in rest.streams),
        str(draft),
        format=CONTAINERS[target.suffix.lower()],
        # How long the last picture is shown would be a guess, and with it the film's rate.
        **{"c:v:0": "copy", "bsf:v:0": f"setts=pts=PTS:dts=DTS:duration={rest.gap:.9f}/TB"},
        **_codecs(rest.streams, 1),
        **_tags(rest, target),
    )
    try:
        with writing(target):
            done = subprocess.run(run_by(graph), check=False, capture_output=True)  # noqa: S603
            if done.returncode:
                raise complaint(target, done.stderr)
            draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _source(path: Path, cut: Cut, **options: Any) -> Any:  # noqa: ANN401 - no types
    """The film as FFmpeg's input, which opens no other file and no address that it may name."""
    if cut.start:
        options["ss"] = f"{cut.start:.6f}"
    if cut.end is not None:
        options["to"] = f"{cut.end:.6f}"
    return ffmpeg.input(f"file:{path.absolute()}", protocol_whitelist="file", **options)


def _codecs(streams: list[Carried], covers: int) -> dict[str, str]:
    """Options that say what becomes of each stream.

    Args:
        streams: in the order in which they are written.
        covers: number of the first cover among the streams of pictures.
    """
    options: dict[str, str] = {}
    count = Counter({"v": covers})
    for one in streams:
        letter = _LETTERS[one.stream.kind]
        where = f"{letter}:{count[letter]}"
        count[letter] += 1
        options[f"c:{where}"] = one.codec
        if one.stream.kind == "cover":
            options[f"disposition:{where}"] = "attached_pic"
    return options


def marked(comment: str) -> str:
    """A comment that says, too, that a network painted the film; not every container has XMP.

    >>> marked(marked("By hand")) == marked("By hand")
    True
    """
    if DIGITAL_SOURCE_TYPE in comment:
        return comment
    return f"{comment}; DigitalSourceType: {DIGITAL_SOURCE_TYPE}".removeprefix("; ")


def _tags(rest: Rest, target: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"map_metadata": 1, "map_chapters": 1}
    if rest.cut.start:
        options["copypriorss"] = 0  # else sound begins at the key picture before
    if rest.comment:
        options["metadata"] = f"comment={rest.comment}"
    if CONTAINERS[target.suffix.lower()] in {"mp4", "mov"}:
        options["movflags"] = "+faststart"
        if rest.codec.tag:
            options["tag:v:0"] = rest.codec.tag
    return options
