"""What a user may ask of `faces sample`; it needs no torch, so that help is quick."""

from typing import Literal

from pydantic import Field

from animeprep.settings import Settings

Form = Literal["single", "grid", "table", "strip"]


class SampleSettings(Settings):
    """How faces are drawn."""

    count: int = Field(5, ge=1, le=10_000)
    """faces of each prompt; of a strip, rows"""
    seed: int = Field(0, ge=0, lt=2**32)
    """another one gives other faces"""
    scale: int = Field(1, ge=1, le=8)
    """times as large, 1 to 8"""
    plain: bool = False
    """sheets without labels and gaps"""
    move_noise: bool = False
    """strips between two prompts: from one's face to the other's, not the words alone"""
