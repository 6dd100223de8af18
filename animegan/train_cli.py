"""The verb `train`: parse, call, tell; no algorithm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from animegan import fit, state
from animegan.balance import balance
from animegan.data import find_sets
from animegan.device import pick_device
from animegan.distributed import is_main, joined
from animegan.features import load_features
from animegan.photo_course import PhotoCourse
from animegan.plan import plan
from animegan.recipes import METHODS, PRESETS, Recipe, Term, make_recipe
from animegan.run import run_folder
from animegan.sweep import STEPS, sweep, variants
from animegan.trainer import Trainer
from animeprep.dataset import Dataset
from animeprep.errors import UsageError
from animeprep.folders import Summary
from animeprep.options import PATH, checked, given, recipe_options, shared_options, tell

#: What the recipe's method says and no user need say.
_FIXED = {"method", "generator", "discriminator", "scales"}


@click.command(epilog="Example: animeprep train --recipe animeganv2 --preset paprika")
@click.option("--name", help="The run's name in runs/; by default the dataset folder's.")
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
@click.option("--steps", type=click.IntRange(0), help="So many steps instead of the epochs.")
@click.option(
    "--every",
    type=click.IntRange(1),
    help="Steps between two saves; by default they are at epochs' ends and at most 500 apart.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    help=f"States of the run that are kept; by default {state.KEEP}.",
)
@click.option("--features-file", type=PATH, help="Weights of the feature network.")
@click.option("--download-features", is_flag=True, help="Fetch VGG19's weights (548 MB).")
@click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
@recipe_options(Recipe, _FIXED)
@shared_options
def train(
    name: str | None,
    method: Any,
    preset: Any,
    without: tuple[Any, ...],
    balanced: bool,
    sweeps: tuple[str, ...],
    steps: int | None,
    every: int | None,
    keep: int | None,
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
    recipe = checked(Recipe, lambda: make_recipe(method, preset, without, given(values)))
    run = run_folder(name or dataset.resolve().name)
    recipes = variants(recipe, sweeps)
    if sweeps:
        _refuse(every=every, keep=keep)
    if dry_run:
        asked = (STEPS if sweeps and steps is None else steps, every)
        return _tell_plan(recipes, Dataset(dataset), run, asked, balanced=balanced, as_json=as_json)

    def echo(line: str) -> None:
        if is_main() and not as_json:
            click.echo(line, err=True)

    sets = find_sets(Dataset(dataset), recipe)
    length = plan(recipe, sets, steps, every)
    features = load_features(recipe.features, features_file, download=download_features)
    with joined(pick_device(device)) as where:
        if balanced:
            scales = balance(recipe, sets, features, where).scales
            recipes = {
                name: one.model_copy(update={"scales": scales}) for name, one in recipes.items()
            }
            echo("balance: " + ", ".join(f"{name} × {scale:g}" for name, scale in scales.items()))
        if sweeps:
            done = sweep(
                Dataset(dataset),
                recipes,
                features,
                where,
                run,
                steps=STEPS if steps is None else steps,
                tell=echo,
            )
        else:
            (recipe,) = recipes.values()
            trainer = Trainer(recipe, features, where)
            outcome = fit.fit(
                PhotoCourse(trainer, sets), run, length, keep=keep or state.KEEP, tell=echo
            )
            done = outcome.summary("train", run)
        return tell([done], as_json=as_json) if is_main() else 0


def _refuse(**options: int | None) -> None:
    """What a sweep has no use for.

    Raises:
        UsageError: it was given.
    """
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"--{name}: the runs of a --sweep do without; leave it out")


def _tell_plan(
    recipes: Mapping[str, Recipe],
    dataset: Dataset,
    run: Path,
    asked: tuple[int | None, int | None],
    *,
    balanced: bool,
    as_json: bool,
) -> int:
    """The length of each run and its recipe spelled out; where several differ, every value."""
    summaries, spelled = [], []
    for name, recipe in recipes.items():
        place = run.with_name(f"{run.name}-{name}") if name else run
        length = plan(recipe, find_sets(dataset, recipe), *asked)
        summary = Summary("train", dry_run=True)
        done = state.saved_steps(place)
        summary.counts["steps to make"] = max(0, length.total - (done[-1] if done else 0))
        summary.figures = {"run": str(place), "steps": length.total, "steps an epoch": length.epoch}
        told = recipe.model_dump(mode="json")
        if balanced:
            told["scales"] = "chosen when training begins"
        if as_json:
            summary.figures["recipe"] = told
        summaries.append(summary)
        spelled.append(told)
    code = tell(summaries, as_json=as_json)
    if not as_json:
        for name in Recipe.model_fields:
            values = dict.fromkeys(str(told[name]) for told in spelled)
            click.echo(f"  {name.replace('_', '-')} {', '.join(values)}")
    return code
