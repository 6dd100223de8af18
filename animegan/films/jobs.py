"""Which inputs of `stylize` are films, and where their paintings go."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from animegan.films.formats import CONTAINERS
from animegan.stylize import PIPE, Job
from animeprep.errors import UsageError
from animeprep.images import FORMATS, is_image


def is_film(path: Path, out: Path) -> bool:
    """Whether an input is painted as a film, not as a picture.

    Args:
        path: an input that is there.
        out: where to; a film's name makes a film of an animated picture, too.
    """
    if path == PIPE or not path.is_file():
        return False
    if out.suffix.lower() in CONTAINERS:
        return True
    return not is_image(path) and not _is_picture(path)


def _is_picture(path: Path) -> bool:
    """Whether its content says so."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


def film_jobs(films: Iterable[Path], out: Path, suffix: str) -> list[Job]:
    """Source and target of every film; what cannot be written becomes Matroska.

    Args:
        films: inputs.
        out: a folder, or a film's name for a single one.
        suffix: text to add to names in a folder.

    Raises:
        UsageError: one name for several films.
    """
    films = list(films)
    if out.suffix.lower() in CONTAINERS:
        if len(films) > 1:
            raise UsageError(f"{out} is one film; name a folder for several")
        return [Job(film, out) for film in films]
    jobs: list[Job] = []
    for film in films:
        ending = film.suffix if film.suffix.lower() in CONTAINERS else ".mkv"
        target = out / f"{film.stem}{suffix}{ending}"
        if any(job.target == target for job in jobs):
            target = out / f"{film.name}{ending}"
        jobs.append(Job(film, target))
    return jobs
