"""What a user may ask of the verbs of faces; no torch is needed, so that help is quick."""

from typing import Literal

from pydantic import Field

from animeprep.settings import Settings

Policy = Literal["drop", "null"]
Form = Literal["single", "grid", "table", "strip"]


class SampleSettings(Settings):
    """How faces are drawn."""

    count: int = Field(default=5, ge=1, le=10_000)
    """faces of each prompt; of a strip, rows"""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """another one gives other faces"""
    scale: int = Field(default=1, ge=1, le=8)
    """times as large, 1 to 8"""
    plain: bool = False
    """sheets without labels and gaps"""
    move_noise: bool = False
    """strips between two prompts: from one's face to the other's, not the words alone"""
    mark: bool = True
    """say in the metadata that a network drew it"""


class Reading(Settings):
    """How a set of faces is read."""

    no_colour: Policy = "drop"
    """what becomes of a face with no colour for hair or for eyes: drop it, or null for keeping it
    with nothing said"""
    several_colours: Policy = "drop"
    """what becomes of a face with several colours for hair or for eyes: drop it, or null for
    keeping it with nothing said"""
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    """share of the faces that is kept from training, to measure with"""
    split_seed: int = Field(default=0, ge=0)
    """which faces are held out"""
