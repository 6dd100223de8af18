"""A film or clip that was dropped on the page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from animegan.errors import PaintingError
from animegan.films.jobs import film_jobs
from animegan.films.paint import paint_film
from animegan.films.settings import How
from animegan.painter import Painter
from animegan.stylize import PaintSettings
from animegan.ui.dropped import Advance, Dropped, Painting, facts_of, preview_of
from animeprep.boxes import Picture
from animeprep.errors import FilmError
from animeprep.film import Film, FilmSettings, Selection, pictures, probe
from animeprep.times import clock

#: What is shown of a film is as large as the film.
_WITH_BARS = FilmSettings(letterbox="off")


class DroppedClip(Dropped):
    """A film, painted as `stylize` paints it; a cancelled painting is gone on with.

    Args:
        path: its file.
        name: what the user calls it.

    Raises:
        FilmError: it is not a film, or broken.
    """

    at_once = False

    def __init__(self, path: Path, name: str) -> None:
        self.name, self._path = name, path
        with self._called():
            film = probe(path, _WITH_BARS)
            shown = _middle(film)
        self.size = film.size[1], film.size[0]
        self.preview = preview_of(shown)
        self.facts = [clock(film.seconds)] if film.seconds else []

    def paint(
        self, painter: Painter, settings: PaintSettings, file: Path, advance: Advance
    ) -> Painting:
        """See `Dropped`. What is painted already stays beside the clip's file."""
        name = film_jobs([Path(self.name)], Path(), settings.suffix)[0].target.name
        draft = self._path.with_name(f"{self._path.name}{Path(name).suffix}")
        with self._called():
            summary = paint_film(self._path, draft, How(painter, settings), advance=advance)
            draft.replace(file)
            painted = _middle(probe(file, _WITH_BARS))
        shots = summary.figures["shots"]
        notes = [f"{shots} shot{'s' * (shots != 1)}"]
        notes += [
            f"{key}: {', '.join(v)}" for key, v in summary.figures.items() if isinstance(v, list)
        ]
        notes += [problem.replace(str(self._path), self.name) for problem in summary.problems]
        return Painting(file, name, preview_of(painted), facts_of(painter, painted) + notes)

    @contextlib.contextmanager
    def _called(self) -> Iterator[None]:
        """Errors name the clip as the user does."""
        try:
            yield
        except (FilmError, PaintingError) as error:
            raise type(error)(self.name, error.problem, error.remedy) from error


def _middle(film: Film) -> Picture:
    """A picture from the middle, else the first.

    Raises:
        FilmError: there is none.
    """
    for index in (film.pictures // 2, 0):
        found = pictures(film, Selection(only=(index,)), in_order=True)
        with contextlib.closing(found):  # type: ignore[type-var]  # a generator has it
            one = next(found, None)
        if one is not None:
            return one.rgb
    raise FilmError(film.path, "none of its pictures could be decoded", "check that it plays")
