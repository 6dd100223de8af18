"""The verbs of training and painting: parse, call, tell; no algorithm."""

from pathlib import Path
from typing import Any

import click

from animegan.data import find_sets
from animegan.errors import TrainingError
from animegan.features import load_features
from animegan.recipes import Recipe
from animegan.run import STATE_FILE
from animegan.stylize import RUNS, find_model, pick_device
from animegan.stylize import stylize as stylize_pictures
from animegan.trainer import Trainer, fit, plan
from animeprep.dataset import VAL, Dataset
from animeprep.folders import Summary
from animeprep.images import list_images
from animeprep.options import (
    AS_JSON,
    DRY_RUN,
    PATH,
    make_settings,
    settings_options,
    shared_options,
    tell,
)

_DEVICE = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where to compute.",
)


@click.command(epilog="Example: animeprep train --epochs 100")
@click.option("--name", help="The run's name in runs/; by default the dataset folder's.")
@settings_options(Recipe, "features", "init", "init_epochs", "epochs", "batch", "size", "seed")
@settings_options(Recipe, "content", "gram", "colour", "adversarial")
@settings_options(Recipe, "generator_lr", "discriminator_lr")
@click.option("--features-file", type=PATH, help="Weights of the feature network.")
@click.option("--download-features", is_flag=True, help="Fetch VGG19's weights (548 MB).")
@click.option("--steps", type=click.IntRange(0), help="So many steps instead of the epochs.")
@_DEVICE
@shared_options
def train(
    name: str | None,
    features_file: Path | None,
    download_features: bool,
    steps: int | None,
    device: str,
    dataset: Path,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Train AnimeGAN on the dataset folder.

    Everything goes to runs/NAME: the generator, samples of held-out photos, every term of every
    step. Running the same command again goes on where the run stands.
    """
    recipe = make_settings(Recipe, values)
    folder = Dataset(dataset)
    sets = find_sets(folder)
    length = plan(recipe, sets, steps)
    run = RUNS / (name or dataset.resolve().name)
    summary = Summary("train", dry_run=dry_run)
    summary.figures = {"run": str(run), "steps": length.total, "steps an epoch": length.epoch}
    if dry_run:
        return tell([summary], as_json=as_json)
    features = load_features(recipe.features, features_file, download=download_features)
    trainer = Trainer(recipe, features, pick_device(device))
    if (run / STATE_FILE).exists():
        trainer.resume(run)
    before = trainer.step_done
    if before > length.total:
        raise TrainingError(run, f"stands at step {before} of {length.total}", "name another run")
    if before and not as_json:
        click.echo(f"train: going on from step {before}", err=True)
    echo = (lambda _line: None) if as_json else (lambda line: click.echo(line, err=True))
    means = fit(trainer, sets, run, length, list_images(dataset / VAL), tell=echo)
    summary.counts["steps made"] = trainer.step_done - before
    summary.figures |= means
    return tell([summary], as_json=as_json)


@click.command(epilog="Example: animeprep stylize photo.jpg -o painted.png")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default="painted",
    show_default=True,
    help="A folder; or a .png or .jpg file for a single picture.",
)
@click.option("--model", type=PATH, help="A run or a generator file; by default the newest run.")
@_DEVICE
@DRY_RUN
@AS_JSON
def stylize(
    inputs: tuple[Path, ...],
    out: Path,
    model: Path | None,
    device: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Paint pictures and folders of pictures, each at its own size."""
    file = find_model(model)
    done = stylize_pictures(list(inputs), out, file, pick_device(device), dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command(epilog="Example: animeprep demo")
@click.option(
    "-o", "--out", type=PATH, default="demo", show_default=True, help="Where to leave it."
)
@DRY_RUN
@AS_JSON
def demo(out: Path, dry_run: bool, as_json: bool) -> int:
    """See it all on built-in data: a film is prepared, a generator trained, photos painted.

    Leaves index.html in the folder. Takes up to six minutes on two cores.
    """
    # It alone reads films; training and painting pictures do without those libraries.
    from animegan.demo import run_demo

    return tell(run_demo(out, dry_run=dry_run), as_json=as_json)
