"""A run's page: held-out photos through time, measures, loss curves, the chosen step and why.

One self-contained file; while training goes on it loads itself anew.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animegan.course import Standing
from animegan.judge import MEANINGS
from animegan.recipes import Recipe
from animegan.run import LOG_FILE, METRICS_FILE, PAGE, SAMPLES, SPEED_FILE, read_lines
from animegan.run_charts import losses_section, measures_section
from animeprep.files import write_atomic
from animeprep.images import read_rgb, thumbnail
from animeprep.page import Figure, Section, Table, script, templates
from animeprep.settings import Settings

#: Steps that the slider goes through, and that are shown beside each other, at most.
_SHOWN, _BESIDE = 24, 6
#: Side of the small pictures.
_THUMBNAIL = 200


@dataclass(frozen=True)
class _Photo:
    """A held-out photo and its paintings as data URLs."""

    number: int
    width: int
    height: int
    source: str
    painted: Sequence[str]


def write_run_page(run: Path, recipe: Recipe, standing: Standing) -> None:
    """Write `index.html` from what lies in the run's folder.

    Args:
        run: the run's folder.
        recipe: what it is trained with.
        standing: how far it is.

    Raises:
        OutputError: it cannot be written.
    """
    best = standing.choice.step if standing.choice else None
    metrics = list(read_lines(run / METRICS_FILE))
    painted = _painted_steps(run)
    shown = spread(painted, _SHOWN, best)
    players = {
        "Generator": recipe.generator_weights(),
        "Discriminator": recipe.discriminator_weights(),
    }
    sections = [
        _through_time(run, spread(painted, _BESIDE, best), best),
        measures_section(metrics, best, MEANINGS, "On the held-out photos, painted at each save"),
        losses_section(run, players, standing.length.total),
        facts_section(run, recipe, standing),
    ]
    environment = templates("animegan", "animeprep")
    page = environment.get_template("run.html").render(
        title=f"{run.resolve().name}: {recipe.method}",
        lead=lead(run, standing),
        chosen=f"step {best:,}: {standing.choice.why}" if standing.choice else "",
        alarms=standing.alarms,
        running=standing.step < standing.length.total,
        photos=_photos(run, shown),
        steps=[called(step, best, shown[-1]) for step in shown],
        shown=max(0, len(shown) - 1),
        sections=[one for one in sections if one is not None],
        scripts=[script(environment, name) for name in ("page.js", "run.js")],
    )  # fmt: skip
    write_atomic(run / PAGE, page.encode(errors="replace"))


def lead(run: Path, standing: Standing) -> str:
    """How far a run is and how fast it goes."""
    told = standing.length.told(standing.step).capitalize()
    speeds = list(read_lines(run / SPEED_FILE))
    if speeds:
        told += f"; {speeds[-1]['pictures_per_second']:.3g} pictures a second"
    return f"{told}."


def _folders(run: Path) -> list[Path]:
    """One folder for each held-out photo that is shown."""
    found = [path for path in (run / SAMPLES).glob("photo_*") if path.is_dir()]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _painted_steps(run: Path) -> list[int]:
    """The steps for which there are samples of every photo."""
    steps = [
        {int(path.stem) for path in folder.glob("*.jpg") if path.stem.isdecimal()}
        for folder in _folders(run)
    ]
    return sorted(set.intersection(*steps)) if steps else []


def spread(steps: Sequence[int], most: int, best: int | None) -> list[int]:
    """So many of the steps at most, evenly; with the first, the last and the best.

    >>> spread([0, 10, 20, 30, 40, 50, 60], 4, 50)
    [0, 30, 50, 60]
    """
    if len(steps) <= most:
        return list(steps)
    places = most - (best is not None)
    chosen = {steps[round(part * (len(steps) - 1) / (places - 1))] for part in range(places)}
    return sorted(chosen | {step for step in steps if step == best})


def called(step: int, best: int | None, last: int) -> str:
    """What a step is called below its pictures."""
    words = [word for word, fits in (("chosen", step == best), ("latest", step == last)) if fits]
    return f"step {step:,}" + (f" ({', '.join(words)})" if words else "")


def _photos(run: Path, steps: Sequence[int]) -> list[_Photo]:
    photos = []
    for number, folder in enumerate(_folders(run), 1):
        height, width = read_rgb(folder / "photo.jpg").shape[:2]
        painted = [_url(folder / f"{step:07d}.jpg") for step in steps]
        photos.append(_Photo(number, width, height, _url(folder / "photo.jpg"), painted))
    return photos if steps else []


def _url(path: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _through_time(run: Path, steps: Sequence[int], best: int | None) -> Section | None:
    rows = [
        [
            Figure(thumbnail(read_rgb(folder / "photo.jpg"), _THUMBNAIL), "photo"),
            *(
                Figure(
                    thumbnail(read_rgb(folder / f"{step:07d}.jpg"), _THUMBNAIL),
                    called(step, best, steps[-1]),
                    chosen=step == best,
                )
                for step in steps
            ),
        ]
        for folder in _folders(run)
    ]
    text = "The same photos, painted as training went on. The framed step is the chosen one."
    return Section("Through time", text, rows=rows, anchor="time-rows") if steps else None


def facts_section(run: Path, recipe: Settings, standing: Standing) -> Section:
    """The recipe, what went wrong, files that were passed over."""
    tables = [
        Table(
            ["setting", "value"],
            [[name, str(value)] for name, value in recipe.model_dump().items()],
            "Recipe",
            folded=True,
        )
    ]
    rollbacks = [line for line in read_lines(run / LOG_FILE) if "rate_factor" in line]
    if rollbacks:
        rows: list[list[Any]] = [
            [line["step"], f"× {line['rate_factor']:g}", line["problem"]] for line in rollbacks
        ]
        table = Table(["back to step", "learning rates", "what happened"], rows, "Rolled back")
        tables.insert(0, table)
    if standing.problems:
        broken = Table(["file"], [[line] for line in standing.problems], "Files passed over")
        tables.insert(0, broken)
    return Section("Recipe and events", tables=tables, anchor="facts")
