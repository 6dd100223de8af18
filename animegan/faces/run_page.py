"""The page of a run that learns faces: faces through time, measures, losses, the classifiers."""

from collections.abc import Sequence
from pathlib import Path

from animegan.course import Standing
from animegan.faces.recipe import FaceRecipe
from animegan.run import METRICS_FILE, SAMPLES, read_lines, sampled
from animegan.run_charts import losses_section, measures_section
from animegan.run_page import figures, spread, write_run_page
from animeprep.page import Section

#: Sheets that are shown, and the side of one.
_SHOWN, _THUMBNAIL = 8, 480

#: Measure → what it says.
MEANINGS = {
    "hair": "share of faces with the hair that was asked for",
    "eyes": "share of faces with the eyes that were asked for",
    "both": "share of faces with both",
    "distance": "joint distance to held-out faces with their words: 0 none",
    "diversity": "of faces of the same words, over real ones",
}
_MEASURED = (
    "The examiner, which no generator learns from, sees faces drawn for the words of held-out ones"
)


def write_face_page(
    run: Path, recipe: FaceRecipe, standing: Standing, more: Sequence[Section]
) -> None:
    """Write `index.html` from what lies in the run's folder.

    Args:
        run: the run's folder.
        recipe: what it is trained with.
        standing: how far it is.
        more: sections on the classifiers.

    Raises:
        OutputError: it cannot be written.
    """
    best = standing.best
    # Untrained faces are so far off that beside them nothing could be seen of the others.
    metrics = [line for line in read_lines(run / METRICS_FILE) if line["step"]]
    players = {
        "Generator": {"adversarial": 1.0, "hair": recipe.hair, "eyes": recipe.eyes},
        "Critic": {"real": -1.0, **recipe.negatives(), "penalty": recipe.penalty},
    }
    sections = [
        _through_time(run, best),
        measures_section(metrics, best, MEANINGS, _MEASURED),
        losses_section(run, players, standing.length.total, log_scale=False),
        *more,
    ]
    write_run_page(run, "faces from words", recipe, standing, sections)


def _through_time(run: Path, best: int | None) -> Section | None:
    steps = spread(sorted(sampled(run / SAMPLES)), _SHOWN, best)
    if not steps:
        return None
    sheets = figures(run / SAMPLES, steps, best, _THUMBNAIL)[::-1]
    text = (
        "Faces for the same words from the same noise, the latest first. Rows share their noise, "
        "columns their words. The framed step is the chosen one."
    )
    return Section("Through time", text, figures=sheets, size="large", anchor="time-rows")
