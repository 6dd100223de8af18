"""Short runs that differ in a setting or two, and one sheet of what they paint.

The paper chose its colour weight this way (AnimeGAN, figure 4): photos down, weights across. Each
run has its own folder and goes on where it stands, so a sweep that was stopped goes on, too.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import ValidationError

from animegan.balance import gradient_norms
from animegan.data import Batches, Sets, find_sets
from animegan.distributed import is_main, rank, world
from animegan.errors import TrainingError
from animegan.fit import fit
from animegan.gallery import evaluating
from animegan.judge import MEANINGS
from animegan.models.vgg import VGGFeatures
from animegan.painter import Painter
from animegan.photo_course import PhotoCourse
from animegan.plan import plan
from animegan.recipes import Recipe
from animegan.run import METRICS_FILE, PAGE, read_lines
from animegan.sheets import sheet
from animegan.trainer import Trainer
from animeprep.boxes import Picture
from animeprep.dataset import Dataset
from animeprep.errors import PictureError, UsageError
from animeprep.files import write_atomic
from animeprep.folders import MADE, Summary
from animeprep.images import encode_jpeg, read_rgb, scale_short_side
from animeprep.page import Figure, Section, Table, write_page
from animeprep.settings import problem_of

#: Steps of each run where nobody says it: enough to see where the colours go.
STEPS = 300
SHEET_FILE = "sheet.jpg"
#: The papers' short names of fields.
SHORT = {"con": "content", "gra": "gram", "col": "colour", "adv": "adversarial"}
#: Held-out photos on the sheet, their short side, and batches whose gradients are averaged.
_PHOTOS, _SIDE, _MEASURED = 4, 256, 4


class _Result(NamedTuple):
    """What a run came to: its paintings, measures [value, low, high], pulls of its terms."""

    painted: list[Picture]
    measures: dict[str, list[float]]
    norms: dict[str, float]


def variants(recipe: Recipe, texts: Sequence[str]) -> dict[str, Recipe]:
    """The recipes that a sweep asks for, by what they are called.

    Args:
        recipe: what they have in common.
        texts: `name=value,value…` each; with several all combinations are taken. A name is a field
            of `Recipe` that is a number, or short for one.

    Raises:
        UsageError: a name or value is not understood.

    >>> found = variants(Recipe(), ["col=10,50", "tv=0,1"])
    >>> [(name, one.colour, one.tv) for name, one in found.items()][1:3]
    [('col=10,tv=1', 10.0, 1.0), ('col=50,tv=0', 50.0, 0.0)]
    """
    axes = [_axis(text) for text in texts]
    return {
        ",".join(f"{name}={value}" for name, value in chosen): _changed(recipe, dict(chosen))
        for chosen in itertools.product(*axes)
    }


def _axis(text: str) -> list[tuple[str, str]]:
    """Name and value for each value that a text names."""
    name, _, values = text.replace(" ", "").partition("=")
    field = Recipe.model_fields.get(SHORT.get(name, name))
    if field is None or field.annotation not in {float, int, bool}:
        known = ", ".join(SHORT)
        raise UsageError(f"--sweep {text}: {name!r} is no number of a recipe, as {known}, tv are")
    if not all(values.split(",")):
        raise UsageError(f"--sweep {text}: name values, as in col=10,50")
    return [(name, value) for value in values.split(",")]


def _changed(recipe: Recipe, chosen: dict[str, str]) -> Recipe:
    values = {SHORT.get(name, name): value for name, value in chosen.items()}
    try:
        return Recipe.model_validate({**recipe.model_dump(), **values})
    except ValidationError as error:
        name, problem = problem_of(Recipe, error)
        raise UsageError(f"--sweep: {name or 'recipe'}: {problem}") from error


def sweep(  # noqa: PLR0913 - what training takes, for several recipes
    dataset: Dataset,
    recipes: Mapping[str, Recipe],
    features: VGGFeatures,
    device: torch.device,
    run: Path,
    *,
    steps: int = STEPS,
    tell: Callable[[str], None] = lambda _line: None,
) -> Summary:
    """Train each recipe for some steps and paint the same held-out photos with all.

    Args:
        dataset: the sets.
        recipes: what differs → the recipe, as `variants` answers.
        features: F.
        device: where to compute.
        run: `runs/<name>`; the runs are `<name>-<what differs>` beside it, sheet and page
            `<name>-sweep/`.
        steps: of each run, after its initialisation phase.
        tell: is called with a line at each save.

    Returns:
        Where the sheet and the page are, and each run's measures.

    Raises:
        TrainingError: there is no held-out photo, or as `fit`.
    """
    photos = _held_out(find_sets(dataset, next(iter(recipes.values()))))
    folder = run.with_name(f"{run.name}-sweep")
    summary = Summary("sweep")
    summary.figures = {"sheet": str(folder / SHEET_FILE), "page": str(folder / PAGE)}
    results: dict[str, _Result] = {}
    for name, recipe in recipes.items():
        tell(f"sweep: {name}")
        trainer, sets = Trainer(recipe, features, device), find_sets(dataset, recipe)
        place = run.with_name(f"{run.name}-{name}")
        outcome = fit(
            PhotoCourse(trainer, sets), place, plan(recipe, sets, steps), keep=1, tell=tell
        )
        summary.counts[MADE if outcome.made else "unchanged"] += 1
        summary.problems += [one for one in outcome.problems if one not in summary.problems]
        results[name] = _look(trainer, sets, place, photos)
        summary.figures[name] = results[name].measures
        if is_main():
            _write(folder, photos, results, steps)
    return summary


def _held_out(sets: Sets) -> list[Picture]:
    """The first held-out photos that can be read."""
    photos: list[Picture] = []
    for path in itertools.islice(sets.val, _PHOTOS):
        try:
            photos.append(scale_short_side(read_rgb(path), _SIDE))
        except PictureError:
            continue  # `fit` names it
    if not photos:
        raise TrainingError(
            "val", "there are no held-out photos to compare on", "run `animeprep photos`"
        )
    return photos


def _look(trainer: Trainer, sets: Sets, place: Path, photos: list[Picture]) -> _Result:
    """What a finished run came to."""
    with Batches(
        sets, trainer.recipe, trainer.device, start=trainer.step_done, rank=rank(), world=world()
    ) as batches:
        norms = gradient_norms(trainer, list(itertools.islice(batches, _MEASURED)))
    with evaluating(trainer.painter) as generator:
        painter = Painter(generator, trainer.device)
        painted = [painter.paint(photo) for photo in photos]
    lines = [line["measures"] for line in read_lines(place / METRICS_FILE)]
    return _Result(painted, lines[-1] if lines else {}, norms)


def _write(folder: Path, photos: list[Picture], results: Mapping[str, _Result], steps: int) -> None:
    """The sheet and the page of the runs that are done.

    Raises:
        OutputError: they cannot be written.
    """
    rows = zip(photos, *(result.painted for result in results.values()), strict=True)
    drawn = sheet([list(row) for row in rows], ["photo", *results], _SIDE)
    write_atomic(folder / SHEET_FILE, encode_jpeg(drawn, 92))
    measures = [
        {
            f"{name}: {MEANINGS.get(name, '')}": f"{value:.3g} [{low:.3g}, {high:.3g}]"
            for name, (value, low, high) in result.measures.items()
        }
        for result in results.values()
    ]
    norms = [
        {name: f"{norm:.3g}" for name, norm in result.norms.items()} for result in results.values()
    ]
    tables = [
        _table("Measures on held-out photos, with 95 % intervals", list(results), measures),
        _table("Lengths of the weighted terms' gradients at the picture", list(results), norms),
    ]
    lead = f"Steps of each run: {steps:,}, from the same start on the same pictures."
    figure = Figure(drawn, "photos that none of them saw")
    sections = [Section("Sheet", figures=[figure], size="large"), Section("Figures", tables=tables)]
    write_page(folder / PAGE, " · ".join(results), lead, sections)


def _table(title: str, names: list[str], columns: list[dict[str, str]]) -> Table:
    """A row for each key, a column for each run."""
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = [[key, *(column.get(key, "") for column in columns)] for key in keys]
    return Table(["", *names], rows, title=title)
