"""Exposure compensation of the whole set: `crops/` → `style/`. Verb: exposure."""

from animeprep.exposure.figures import STOPS, Figures
from animeprep.exposure.stage import (
    STORED,
    Aims,
    ExposureSettings,
    basis_of,
    exposure,
    stored_aims,
)

__all__ = [
    "STOPS",
    "STORED",
    "Aims",
    "ExposureSettings",
    "Figures",
    "basis_of",
    "exposure",
    "stored_aims",
]
