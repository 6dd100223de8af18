"""The page of a run that paints photos: held-out ones through time, measures, losses."""

import base64
from collections.abc import Sequence
from pathlib import Path

from animegan.course import Standing
from animegan.judge import MEANINGS
from animegan.recipes import Recipe
from animegan.run import METRICS_FILE, SAMPLES, read_lines, sample_file, sampled
from animegan.run_charts import losses_section, measures_section
from animegan.run_page import (
    Photo,
    Slides,
    called,
    figures,
    spread,
    write_run_page,
)
from animeprep.images import read_rgb, thumbnail
from animeprep.page import Figure, Section

#: Steps that the slider goes through, and that are shown beside each other, at most.
_SHOWN, _BESIDE = 24, 6
#: Side of the small pictures.
_THUMBNAIL = 200


def write_photo_page(run: Path, recipe: Recipe, standing: Standing) -> None:
    """Write `index.html` from what lies in the run's folder.

    Args:
        run: the run's folder.
        recipe: what it is trained with.
        standing: how far it is.

    Raises:
        OutputError: it cannot be written.
    """
    best, folders = standing.best, _folders(run)
    painted = sorted(set.intersection(*map(sampled, folders))) if folders else []
    metrics = list(read_lines(run / METRICS_FILE))
    players = {
        "Generator": recipe.generator_weights(),
        "Discriminator": recipe.discriminator_weights(),
    }
    sections = [
        _through_time(folders, spread(painted, _BESIDE, best), best),
        measures_section(metrics, best, MEANINGS, "On the held-out photos, painted at each save"),
        losses_section(run, players, standing.length.total),
    ]
    slides = _slides(folders, spread(painted, _SHOWN, best), best)
    write_run_page(run, recipe.method, recipe, standing, sections, slides)


def _folders(run: Path) -> list[Path]:
    """One folder for each held-out photo that is shown."""
    found = [path for path in (run / SAMPLES).glob("photo_*") if path.is_dir()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _slides(folders: Sequence[Path], steps: Sequence[int], best: int | None) -> Slides | None:
    if not steps:
        return None
    photos = []
    for number, folder in enumerate(folders, 1):
        height, width = read_rgb(folder / "photo.jpg").shape[:2]
        painted = [_url(sample_file(folder, step)) for step in steps]
        photos.append(Photo(number, width, height, _url(folder / "photo.jpg"), painted))
    return Slides([called(step, best, steps[-1]) for step in steps], photos)


def _url(path: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _through_time(
    folders: Sequence[Path], steps: Sequence[int], best: int | None
) -> Section | None:
    if not steps:
        return None
    rows = [
        [
            Figure(thumbnail(read_rgb(folder / "photo.jpg"), _THUMBNAIL), "photo"),
            *figures(folder, steps, best, _THUMBNAIL),
        ]
        for folder in folders
    ]
    text = "The same photos, painted as training went on. The framed step is the chosen one."
    return Section("Through time", text, rows=rows, anchor="time-rows")
