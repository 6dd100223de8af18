"""The verb `train`: parse, call, tell; no algorithm."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from animegan import fit
from animegan.balance import balance
from animegan.data import find_sets
from animegan.device import pick_device
from animegan.distributed import is_main, joined
from animegan.features import load_features
from animegan.options import DEVICE, NAME, tell_plans
from animegan.photo_course import PhotoCourse
from animegan.plan import plan
from animegan.recipes import METHODS, PRESETS, Recipe, Term, make_recipe
from animegan.run import run_folder
from animegan.run_settings import RunSettings
from animegan.sweep import STEPS, sweep, variants
from animegan.trainer import Trainer
from animeprep.dataset import Dataset
from animeprep.errors import UsageError
from animeprep.folders import Summary
from animeprep.options import (
    PATH,
    checked,
    fields_of,
    given,
    make_settings,
    recipe_options,
    settings_options,
    shared_options,
    tell,
)

#: What the recipe's method says and no user need say.
_FIXED = {"method", "generator", "discriminator", "scales"}


@click.command(epilog="Example: animeprep train --recipe animeganv2 --preset paprika")
@NAME
@click.option(
    "--recipe",
    "method",
    type=click.Choice(list(METHODS)),
    default="animegan",
    show_default=True,
    help="The paper to train by; it sets all that is not given below (--dry-run shows it).",
)
@click.option(
    "--preset",
    type=click.Choice(sorted({preset for presets in PRESETS.values() for preset in presets})),
    help="What the authors change for a film maker's style.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(get_args(Term)),
    help="Leave a term out; may be repeated.",
)
@click.option("--balance", "balanced", is_flag=True, help="Fit the weights to the feature network.")
@click.option(
    "--sweep",
    "sweeps",
    multiple=True,
    metavar="TERM=V,V…",
    help="Train a short run for each value, col=10,50 say, and compare them on one sheet.",
)
@settings_options(RunSettings)
@click.option("--features-file", type=PATH, help="Weights of the feature network.")
@click.option("--download-features", is_flag=True, help="Fetch VGG19's weights (548 MB).")
@DEVICE
@recipe_options(Recipe, _FIXED)
@shared_options
def train(
    name: str | None,
    method: Any,
    preset: Any,
    without: tuple[Any, ...],
    balanced: bool,
    sweeps: tuple[str, ...],
    features_file: Path | None,
    download_features: bool,
    device: str,
    dataset: Path,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Train a generator on the dataset folder.

    Everything goes to runs/NAME: the generators, what is measured on held-out photos, a page that
    shows it all. Running the same command again goes on where the run stands. Several GPUs:
    torchrun --nproc-per-node 2 -m animeprep train …
    """
    chosen = given(fields_of(Recipe, values))
    recipe = checked(Recipe, lambda: make_recipe(method, preset, without, chosen))
    wish = make_settings(RunSettings, fields_of(RunSettings, values))
    run = run_folder(name or dataset.resolve().name)
    recipes = variants(recipe, sweeps)
    if sweeps:
        _refuse(given({"every": wish.every, "keep": wish.keep}))
    short = STEPS if wish.steps is None else wish.steps
    if dry_run:
        asked = RunSettings(steps=short) if sweeps else wish
        plans = _foresee(recipes, Dataset(dataset), run, asked, balanced=balanced)
        return tell_plans(plans, as_json=as_json)

    def echo(line: str) -> None:
        if is_main() and not as_json:
            click.echo(line, err=True)

    sets = find_sets(Dataset(dataset), recipe)
    length = plan(recipe, sets, wish.steps, wish.every)
    features = load_features(recipe.features, features_file, download=download_features)
    with joined(pick_device(device)) as where:
        if balanced:
            scales = balance(recipe, sets, features, where).scales
            recipes = {
                name: one.model_copy(update={"scales": scales}) for name, one in recipes.items()
            }
            echo("balance: " + ", ".join(f"{name} × {scale:g}" for name, scale in scales.items()))
        if sweeps:
            done = sweep(Dataset(dataset), recipes, features, where, run, steps=short, tell=echo)
        else:
            (recipe,) = recipes.values()
            trainer = Trainer(recipe, features, where)
            outcome = fit.fit(PhotoCourse(trainer, sets), run, length, keep=wish.keep, tell=echo)
            done = outcome.summary("train", run)
        return tell([done], as_json=as_json) if is_main() else 0


def _refuse(options: Iterable[str]) -> None:
    """What a sweep has no use for.

    Raises:
        UsageError: it was given.
    """
    for name in options:
        raise UsageError(f"--{name}: the runs of a --sweep do without; leave it out")


def _foresee(
    recipes: Mapping[str, Recipe], dataset: Dataset, run: Path, wish: RunSettings, *, balanced: bool
) -> list[tuple[Summary, dict[str, Any]]]:
    """What each run would do, and its recipe spelled out."""
    plans = []
    for name, recipe in recipes.items():
        place = run.with_name(f"{run.name}-{name}") if name else run
        length = plan(recipe, find_sets(dataset, recipe), wish.steps, wish.every)
        told = recipe.model_dump(mode="json")
        if balanced:
            told["scales"] = "chosen when training begins"
        plans.append((fit.foresee("train", place, length), told))
    return plans
