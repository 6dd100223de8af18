"""The verb `train`: parse, call, tell; no algorithm."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import torch
from pydantic import ValidationError

from animegan import fit, state
from animegan.balance import balance
from animegan.data import Sets, find_sets
from animegan.distributed import is_main, joined
from animegan.features import load_features
from animegan.models.vgg import VGGFeatures
from animegan.plan import plan
from animegan.recipes import METHODS, PRESETS, Recipe, Term, make_recipe
from animegan.run import PAGE
from animegan.stylize import RUNS, pick_device
from animegan.sweep import STEPS, sweep, variants
from animegan.trainer import Trainer
from animeprep.dataset import Dataset
from animeprep.errors import UsageError
from animeprep.folders import Summary
from animeprep.options import PATH, given, settings_options, shared_options, tell
from animeprep.settings import problem_of

Verb = TypeVar("Verb", bound=Callable[..., Any])

#: What the recipe's method says and no user need say.
_FIXED = {"method", "generator", "discriminator"}
#: What --balance chooses.
_BALANCED = ("content", "gram", "colour")


def _recipe_options(verb: Verb) -> Verb:
    """An option for each setting of a recipe; what it is by default is the recipe's affair."""
    verb = settings_options(Recipe, *(Recipe.model_fields.keys() - _FIXED))(verb)
    for option in vars(verb)["__click_params__"]:
        if option.name in Recipe.model_fields:
            option.show_default = False
    return verb


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
@click.option("--balance", "balanced", is_flag=True, help="Weights to suit the feature network.")
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
    help="Steps between two saves; by default an epoch, at most 500.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=state.KEEP,
    show_default=True,
    help="States of the run that are kept.",
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
@_recipe_options
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
    keep: int,
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
    recipe = _recipe(lambda: make_recipe(method, preset, without, given(values)))
    run = RUNS / (name or dataset.resolve().name)
    sets = find_sets(Dataset(dataset), recipe)
    if dry_run:
        return _tell_plan(recipe, sets, run, (steps, every), as_json=as_json)

    def echo(line: str) -> None:
        if is_main() and not as_json:
            click.echo(line, err=True)

    length = plan(recipe, sets, steps, every)
    features = load_features(recipe.features, features_file, download=download_features)
    with joined(pick_device(device)) as where:
        if balanced:
            recipe = _balanced(recipe, sets, features, where, run)
            echo("balance: " + ", ".join(f"{name} {getattr(recipe, name):g}" for name in _BALANCED))
        if sweeps:
            recipes = variants(recipe, sweeps)
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
            trainer = Trainer(recipe, features, where)
            outcome = fit.fit(trainer, sets, run, length, keep=keep, tell=echo)
            done = _summary(outcome, run)
        return tell([done], as_json=as_json) if is_main() else 0


def _recipe(make: Callable[[], Recipe]) -> Recipe:
    """What `make` answers.

    Raises:
        UsageError: a value is out of its bounds; the message names the option.
    """
    try:
        return make()
    except ValidationError as error:
        field, problem = problem_of(Recipe, error)
        where = f"--{field.replace('_', '-')}: " if field else ""
        raise UsageError(where + problem) from error


def _tell_plan(
    recipe: Recipe,
    sets: Sets,
    run: Path,
    asked: tuple[int | None, int | None],
    *,
    as_json: bool,
) -> int:
    """The length of the run and the recipe spelled out."""
    length = plan(recipe, sets, *asked)
    summary = Summary("train", dry_run=True)
    summary.figures = {"run": str(run), "steps": length.total, "steps an epoch": length.epoch}
    if as_json:
        summary.figures["recipe"] = recipe.model_dump(mode="json")
    code = tell([summary], as_json=as_json)
    if not as_json:
        for name, value in recipe.model_dump(mode="json").items():
            click.echo(f"  {name.replace('_', '-')} {value}")
    return code


def _balanced(
    recipe: Recipe, sets: Sets, features: VGGFeatures, device: torch.device, run: Path
) -> Recipe:
    """The recipe with balanced weights; those that the run has already, so that it goes on."""
    before = state.recipe_of(run)
    if before:
        return recipe.model_copy(update={name: before[name] for name in _BALANCED})
    return recipe.model_copy(update=balance(recipe, sets, features, device).weights)


def _summary(outcome: fit.Outcome, run: Path) -> Summary:
    summary = Summary("train")
    summary.counts["steps made"] = outcome.made
    summary.counts["files passed over"] = len(outcome.problems)
    summary.problems = outcome.problems
    summary.figures = {"run": str(run), "page": str(run / PAGE)}
    summary.figures |= {name: round(value, 4) for name, value in outcome.terms.items()}
    if outcome.choice:
        summary.figures["best step"] = outcome.choice.step
        summary.figures["chosen because"] = outcome.choice.why
    summary.figures["alarms"] = outcome.alarms
    return summary
