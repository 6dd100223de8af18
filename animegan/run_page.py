"""A run's page: how far it is, the chosen step and why, sections on what it learns, its recipe.

One self-contained file; while training goes on it loads itself anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animegan.course import Standing
from animegan.run import LOG_FILE, PAGE, SPEED_FILE, read_lines, sample_file
from animeprep.files import write_atomic
from animeprep.images import read_rgb, thumbnail
from animeprep.page import Figure, Section, Table, script, templates
from animeprep.settings import Settings


@dataclass(frozen=True)
class Photo:
    """A held-out photo and its paintings as data URLs."""

    number: int
    width: int
    height: int
    source: str
    painted: Sequence[str]


@dataclass(frozen=True)
class Slides:
    """Photos that a slider leads through the steps of a run.

    Attributes:
        steps: what each is called.
        photos: with a painting for each step.
    """

    steps: Sequence[str] = ()
    photos: Sequence[Photo] = ()


def write_run_page(
    run: Path,
    title: str,
    recipe: Settings,
    standing: Standing,
    sections: Sequence[Section | None],
    slides: Slides | None = None,
) -> None:
    """Write `index.html`.

    Args:
        run: the run's folder.
        title: what the run learns.
        recipe: what it is trained with.
        standing: how far it is.
        sections: on what it learns; None is left out.
        slides: stand before all sections.

    Raises:
        OutputError: it cannot be written.
    """
    environment = templates("animegan", "animeprep")
    page = environment.get_template("run.html").render(
        title=f"{run.resolve().name}: {title}",
        lead=_lead(run, standing),
        chosen=f"step {standing.best:,}: {standing.choice.why}" if standing.choice else "",
        alarms=standing.alarms,
        running=standing.step < standing.length.total,
        slides=slides or Slides(),
        sections=[one for one in sections if one is not None] + [_facts(run, recipe, standing)],
        scripts=[script(environment, name) for name in ("page.js", "run.js")],
    )
    write_atomic(run / PAGE, page.encode(errors="replace"))


def figures(folder: Path, steps: Sequence[int], best: int | None, side: int) -> list[Figure]:
    """The samples of some steps, in order; the best one is framed.

    Args:
        folder: holds them.
        steps: at least one; the last is the latest.
        best: the chosen one.
        side: the longer one of each, pixels.
    """
    return [
        Figure(
            thumbnail(read_rgb(sample_file(folder, step)), side),
            called(step, best, steps[-1]),
            chosen=step == best,
        )
        for step in steps
    ]


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


def _lead(run: Path, standing: Standing) -> str:
    """How far a run is and how fast it goes."""
    told = standing.length.told(standing.step).capitalize()
    speeds = list(read_lines(run / SPEED_FILE))
    if speeds:
        told += f"; {speeds[-1]['pictures_per_second']:.3g} pictures a second"
    return f"{told}."


def _facts(run: Path, recipe: Settings, standing: Standing) -> Section:
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
