"""Exposure compensation of the whole set: `crops/` → `style/`. Verb: exposure."""

from animeprep.exposure.stage import STORED, ExposureSettings, exposure

__all__ = ["STORED", "ExposureSettings", "exposure"]
