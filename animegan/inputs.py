"""What `stylize` is given: pictures, folders, films, pipes; each goes its own way."""

import io
import mimetypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from animegan.films.formats import CONTAINERS, answer_to
from animegan.films.jobs import film_jobs, is_film
from animegan.films.settings import How
from animegan.stylize import PIPE, Job, expanded, stylize
from animeprep.errors import FilmError, UsageError
from animeprep.folders import FAILED, Summary


def paint(inputs: list[Path], out: Path, how: How, *, dry_run: bool = False) -> Iterator[Summary]:
    """Paint pictures, folders of pictures, and films.

    Args:
        inputs: pictures, folders, films, patterns like `trip/*.jpg`; or `-` for a picture or raw
            video from standard input.
        out: a folder; for a single picture or film also a file, or `-` for standard output.
        how: to paint.
        dry_run: count only.

    Yields:
        Counts: of all pictures, and of each film. What is broken is a problem, the others go on.

    Raises:
        AnimeprepError: as `stylize` and `paint_film`.
    """
    if inputs == [PIPE] and (answer := answer_to(_head())):
        from animegan.films.stream import paint_stream

        yield paint_stream(sys.stdin.buffer, sys.stdout.buffer, answer, how)
        return
    found = expanded(inputs)
    films = [path for path in found if is_film(path, out)]
    pictures = [path for path in found if path not in films]
    _check(pictures, films, out, how)
    jobs = film_jobs(films, out, how.settings.suffix)
    if pictures:
        yield stylize(pictures, out, how.painter, how.settings, dry_run=dry_run)
    for job in jobs:
        yield _film(job, how, dry_run=dry_run)


def _check(pictures: list[Path], films: list[Path], out: Path, how: How) -> None:
    """Raise UsageError where the output does not go with the inputs."""
    if pictures and out.suffix.lower() in CONTAINERS:
        raise UsageError(f"{out} is a film, and {pictures[0]} is none")
    if how.film.preview and not films:
        raise UsageError("--preview is for films; there is none among these")
    is_film = (mimetypes.guess_type(out.name)[0] or "").startswith("video/")
    if films and is_film and out.suffix.lower() not in CONTAINERS:
        raise UsageError(f"{out}: painted films end in {', '.join(CONTAINERS)}")


def _head() -> bytes:
    """The first bytes of standard input, which stay there."""
    return cast("io.BufferedReader", sys.stdin.buffer).peek()


def _film(job: Job, how: How, *, dry_run: bool) -> Summary:
    """Paint one film, or some of its pictures."""
    # Only films need the libraries that read and write them.
    from animegan.films.paint import paint_film
    from animegan.films.preview import preview_film

    try:
        if how.film.preview:
            sheet = job.target.with_name(f"{job.target.stem}_preview.jpg")
            return preview_film(job.source, sheet, how, how.film.preview, dry_run=dry_run)
        return paint_film(job.source, job.target, how, dry_run=dry_run)
    except FilmError as error:
        summary = Summary("stylize", dry_run=dry_run, problems=[str(error)])
        summary.counts[FAILED] = 1
        return summary
