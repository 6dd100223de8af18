"""What is asked for: which pictures of a film, how they are painted, how the film is encoded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from animegan.films.formats import CODECS, CONTAINERS, Codec
from animegan.painter import Painter
from animegan.stylize import PaintSettings
from animeprep.errors import UsageError
from animeprep.settings import Settings
from animeprep.times import Time


class FilmSettings(Settings):
    """Which pictures of films are painted, and how they are encoded."""

    start: Time | None = None
    """films: paint from here on, seconds or 1:30"""
    end: Time | None = None
    """films: paint up to here"""
    codec: Literal["h264", "hevc", "av1", "vp9", "prores", "ffv1"] | None = None
    """films: by default h264, in WebM vp9; prores is for editing, ffv1 loses nothing"""
    crf: int | None = Field(default=None, ge=0, le=63)
    """films: the lower, the better; by default what one hardly tells from the painting"""
    preview: int | None = Field(default=None, ge=1, le=64)
    """films: paint so many pictures from all over it onto one sheet, and no film"""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start, {self.start:g} s, is not before end, {self.end:g} s")
        if self.crf is not None and self.codec and CODECS[self.codec].crf is None:
            raise ValueError(f"{self.codec} has no crf")
        return self

    def codec_of(self, film: Path) -> Codec:
        """The codec of a film to be written.

        Raises:
            UsageError: its suffix is of no container that is written.
        """
        if film.suffix.lower() not in CONTAINERS:
            raise UsageError(f"{film}: painted films end in {', '.join(CONTAINERS)}")
        usual = "vp9" if film.suffix.lower() == ".webm" else "h264"
        return CODECS[self.codec or usual]


@dataclass(frozen=True)
class How:
    """How a film is painted.

    Attributes:
        painter: paints.
        settings: of pictures.
        film: which pictures, and how they are encoded.
    """

    painter: Painter
    settings: PaintSettings = field(default_factory=PaintSettings)
    film: FilmSettings = field(default_factory=FilmSettings)
