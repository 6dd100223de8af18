"""A film's paintings from Python, one after the other, without writing a film.

python examples/paint_film.py movie.mkv paintings/             # by the newest run
python examples/paint_film.py movie.mkv paintings/ my_run      # or by any run or file
"""

import sys
from pathlib import Path

from animegan import Painter
from animegan.films.painting import paint_pictures
from animegan.films.settings import FilmSettings, How
from animeprep.images import write_png


def main() -> None:
    """Paint the film's first two seconds, each painting named by its time."""
    film, folder, *model = sys.argv[1:]
    how = How(Painter.load(*model), film=FilmSettings(end=2))
    for one in paint_pictures(Path(film), how):
        write_png(Path(folder) / f"{one.seconds:07.3f}.png", one.painting)


if __name__ == "__main__":
    main()
