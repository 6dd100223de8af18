"""What a user may ask of a run beside its recipe."""

from pydantic import Field

from animeprep.settings import Settings

#: States of a run that are kept, where nobody says it.
KEEP = 3


class RunSettings(Settings):
    """How long a run is, and what is kept of it."""

    steps: int | None = Field(default=None, ge=0)
    """so many steps instead of the epochs"""
    every: int | None = Field(default=None, ge=1)
    """steps between two saves; by default they are at epochs' ends and at most 500 apart"""
    keep: int = Field(default=KEEP, ge=1)
    """states of the run that are kept"""
