"""Films: what one is, and its pictures, counted exactly and in the right colours.

`probe` finds out what a film is and decides how pictures are made of it; `pictures` yields the
wanted ones; `shots` tells where shots begin. Each works in processes of its own.
"""

from animeprep.film.decode import Decoding, FilmPicture
from animeprep.film.process import pictures, probe, shots
from animeprep.film.sampling import Selection
from animeprep.film.source import FILM, Film, FilmRules, FilmSettings, identify
from animeprep.film.team import Tick

__all__ = [
    "FILM",
    "Decoding",
    "Film",
    "FilmPicture",
    "FilmRules",
    "FilmSettings",
    "Selection",
    "Tick",
    "identify",
    "pictures",
    "probe",
    "shots",
]
