"""What a film holds beside its moving pictures: sound, subtitles, cover art, attachments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import av
from pydantic import TypeAdapter

from animeprep.film.source import moving_pictures, opened

Kind = Literal["audio", "subtitle", "attachment", "cover"]


@dataclass(frozen=True)
class Stream:
    """One stream.

    Attributes:
        index: its number in the file, as FFmpeg counts.
        kind: what it is.
        codec: FFmpeg's name of it; empty where it has none.
        language: as the file says it, empty where it does not.
    """

    index: int
    kind: Kind
    codec: str
    language: str

    def __str__(self) -> str:
        """As people read it.

        >>> str(Stream(3, "subtitle", "ass", "jpn"))
        'subtitle 3 (ass, jpn)'
        """
        told = ", ".join(word for word in (self.codec, self.language) if word)
        return f"{self.kind} {self.index}" + (f" ({told})" if told else "")


@dataclass(frozen=True)
class Contents:
    """What a film holds beside its moving pictures.

    Attributes:
        streams: all but data and what FFmpeg does not know.
        comment: what its tag of that name says.
    """

    streams: list[Stream]
    comment: str


#: Contents travel between processes as JSON.
CONTENTS = TypeAdapter(Contents)


def find_contents(path: Path) -> Contents:
    """What a film holds; in this process.

    Raises:
        FilmError: it cannot be read.
    """
    found: list[Stream] = []
    with opened(path) as container:
        pictures = moving_pictures(container, path)
        for stream in container.streams:
            kind: str = stream.type
            if stream.index == pictures.index:
                continue
            if kind == "video":
                is_cover = stream.disposition & av.stream.Disposition.attached_pic
                kind = "cover" if is_cover else "video"
            if kind in get_args(Kind):
                codec = getattr(stream.codec_context, "name", "") or ""
                language = stream.metadata.get("language", "")
                found.append(Stream(stream.index, cast("Kind", kind), codec, language))
        tags = {name.lower(): text for name, text in container.metadata.items()}
        return Contents(found, tags.get("comment", ""))
