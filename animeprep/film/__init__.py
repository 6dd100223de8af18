"""Films: what one is, and its pictures, counted exactly and in the right colours.

`probe` finds out what a film is and decides how pictures are made of it; `pictures` yields the
wanted ones; `shots` tells where shots begin, `contents` what else is in the file. Each works in
processes of its own.
"""

from animeprep.film.decode import Decoding, FilmPicture
from animeprep.film.process import contents, pictures, probe, shots
from animeprep.film.sampling import Selection
from animeprep.film.source import FILM, Film, FilmRules, FilmSettings, identify
from animeprep.film.streams import Contents, Stream
from animeprep.film.team import Tick

__all__ = [
    "FILM",
    "Contents",
    "Decoding",
    "Film",
    "FilmPicture",
    "FilmRules",
    "FilmSettings",
    "Selection",
    "Stream",
    "Tick",
    "contents",
    "identify",
    "pictures",
    "probe",
    "shots",
]
