"""The page of a run that learns faces: faces through time, measures, losses, the classifiers."""

from collections.abc import Sequence
from pathlib import Path

from animegan.course import Standing
from animegan.faces.recipe import FaceRecipe
from animegan.run import METRICS_FILE, PAGE, SAMPLES, read_lines
from animegan.run_charts import losses_section, measures_section
from animegan.run_page import called, facts_section, lead, spread
from animeprep.files import write_atomic
from animeprep.images import read_rgb, thumbnail
from animeprep.page import Figure, Section, script, templates

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
    best = standing.choice.step if standing.choice else None
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
        facts_section(run, recipe, standing),
    ]
    environment = templates("animegan", "animeprep")
    page = environment.get_template("run.html").render(
        title=f"{run.resolve().name}: faces from words",
        lead=lead(run, standing),
        chosen=f"step {best:,}: {standing.choice.why}" if standing.choice else "",
        alarms=standing.alarms,
        running=standing.step < standing.length.total,
        photos=[],
        sections=[one for one in sections if one is not None],
        scripts=[script(environment, name) for name in ("page.js", "run.js")],
    )
    write_atomic(run / PAGE, page.encode(errors="replace"))


def _through_time(run: Path, best: int | None) -> Section | None:
    steps = sorted(int(path.stem) for path in (run / SAMPLES).glob("*.jpg")
                   if path.stem.isdecimal())  # fmt: skip
    if not steps:
        return None
    figures = [
        Figure(
            thumbnail(read_rgb(run / SAMPLES / f"{step:07d}.jpg"), _THUMBNAIL),
            called(step, best, steps[-1]),
            chosen=step == best,
        )
        for step in reversed(spread(steps, _SHOWN, best))
    ]
    text = (
        "Faces for the same words from the same noise, the latest first. Rows share their noise, "
        "columns their words. The framed step is the chosen one."
    )
    return Section("Through time", text, figures=figures, size="large", anchor="time-rows")
