"""The verbs `faces …`: parse, call, tell; no algorithm. Each imports torch itself, when called."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from animegan.faces.recipe import ABLATIONS, METHODS, FaceRecipe, make_recipe
from animegan.faces.settings import Form, Reading, SampleSettings
from animegan.options import DEVICE, NAME, tell_plans
from animegan.run_settings import RunSettings
from animeprep.folders import MADE, Summary
from animeprep.options import (
    AS_JSON,
    DRY_RUN,
    PATH,
    checked,
    fields_of,
    given,
    make_settings,
    page_options,
    recipe_options,
    settings_options,
    tell,
    tell_address,
)

_MODEL = click.option(
    "--model", type=PATH, help="A run or a generator file; by default the newest run of faces."
)
_DATA = click.option(
    "--data", type=PATH, help="The tagged faces of training; by default where the run found them."
)


@click.group()
def faces() -> None:
    """Draw anime faces from words."""


@faces.command(epilog="Example: animeprep faces train faces.tar --recipe quick")
@click.argument("source", metavar="FACES", type=PATH)
@NAME
@click.option(
    "--recipe",
    "method",
    type=click.Choice(list(METHODS)),
    default="report",
    show_default=True,
    help="It sets all that is not given below (--dry-run shows it); quick is for a CPU.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(list(ABLATIONS)),
    help="Leave out what the report shows to matter; may be repeated.",
)
@settings_options(RunSettings)
@settings_options(Reading)
@recipe_options(FaceRecipe, {"method", "generator"})
@DEVICE
@DRY_RUN
@AS_JSON
def train(
    source: Path,
    name: str | None,
    method: Any,
    without: tuple[Any, ...],
    device: str,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Train a generator on tagged faces.

    FACES is a folder or tar file: tags.csv or tags_clean.csv beside the folder faces/ or images/.
    Two classifiers of colours are trained first, and a third that only judges. Everything goes to
    runs/NAME; running the same command again goes on where the run stands.
    """
    from animegan.device import pick_device
    from animegan.faces.reading import read_faces
    from animegan.faces.train import plan_faces, train_faces
    from animegan.fit import foresee
    from animegan.run import run_folder

    reading = make_settings(Reading, fields_of(Reading, values))
    recipe = checked(
        FaceRecipe, lambda: make_recipe(method, without, given(fields_of(FaceRecipe, values)))
    )
    wish = make_settings(RunSettings, fields_of(RunSettings, values))
    run = run_folder(name or source.resolve().name.split(".")[0])
    collected = read_faces(source, reading)
    if dry_run:
        foreseen = foresee("faces train", run, plan_faces(recipe, collected.train, wish))
        told = [(foreseen, recipe.model_dump(mode="json"))]
        return tell_plans(told, as_json=as_json, before=[collected.summary])

    def echo(line: str) -> None:
        if not as_json:
            click.echo(line, err=True)

    outcome = train_faces(collected, recipe, run, pick_device(device), wish, echo)
    return tell([collected.summary, outcome.summary("faces train", run)], as_json=as_json)


@faces.command(
    epilog='Examples: animeprep faces sample "blue hair red eyes"; animeprep faces sample '
    "--prompts prompts.txt -o grid.png"
)
@click.argument("prompts", metavar="[PROMPT]...", nargs=-1)
@click.option("--prompts", "file", type=PATH, help="A file with a line `id,PROMPT` for each.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    default="sampled",
    show_default=True,
    help="A folder for single pictures, or a sheet that ends in .png.",
)
@click.option("--grid", "form", flag_value="grid", help="A sheet with a row for each prompt.")
@click.option("--table", "form", flag_value="table", help="A sheet of all hair and eyes.")
@click.option(
    "--strip",
    "form",
    flag_value="strip",
    help="A sheet that leads from one prompt to another, or from face to face of one.",
)
@click.option(
    "-n",
    "--count",
    type=int,
    default=SampleSettings.model_fields["count"].default,
    show_default=True,
    help="Faces of each prompt; of a strip, rows.",
)
@settings_options(SampleSettings, "seed", "scale", "plain", "move_noise", "mark")
@_MODEL
@DEVICE
@DRY_RUN
@AS_JSON
def sample(
    prompts: tuple[str, ...],
    file: Path | None,
    out: Path,
    form: Form | None,
    model: Path | None,
    device: str,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Draw faces from words.

    A prompt names hair and eyes, in either order, or one of the two. The same prompt has the same
    faces, whatever else is drawn; another --seed gives others.
    """
    from animegan.device import pick_device
    from animegan.faces.model import load_face_generator
    from animegan.faces.prompts import gather
    from animegan.faces.sample import plan
    from animegan.faces.sample import sample as draw
    from animegan.faces.sampling import Sampler
    from animegan.painter import find_model

    settings = make_settings(SampleSettings, given(values))
    job = plan(gather(prompts, file), form, out, settings)
    weights = find_model(model, faces=True)
    told = {"to": str(job.out), "model": str(weights)}
    summary = Summary("faces sample", figures=told, dry_run=dry_run)
    if dry_run:
        summary.counts["to do"] = job.faces
    else:
        generator, _ = load_face_generator(weights)
        made = draw(job, Sampler(generator, pick_device(device), settings.seed))
        summary.counts[MADE] = job.faces
        if as_json:
            summary.figures["files"] = made
    return tell([summary], as_json=as_json)


@faces.command(epilog="Example: animeprep faces evaluate my_run -o evaluation")
@click.argument("model", type=PATH, required=False)
@_DATA
@click.option(
    "-o", "--out", type=PATH, default="evaluation", show_default=True, help="The folder for it."
)
@click.option(
    "--examiner", type=PATH, help="What judges; by default examiner.safetensors of the run."
)
@click.option(
    "--detector", type=PATH, help="A face detector (.onnx, as YuNet) to count the grid's faces by."
)
@settings_options(SampleSettings, "seed")
@settings_options(Reading)
@DEVICE
@DRY_RUN
@AS_JSON
def evaluate(
    model: Path | None,
    data: Path | None,
    out: Path,
    examiner: Path | None,
    detector: Path | None,
    seed: int,
    device: str,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Measure a generator's faces beside held-out ones, and write a page of both.

    MODEL is a run or a generator file, by default the newest run of faces. Faces are read and held
    out as in training.
    """
    from animegan.device import pick_device
    from animegan.faces import evaluate as evaluation
    from animegan.faces.origin import read_again

    seed = make_settings(SampleSettings, given({"seed": seed})).seed
    job = evaluation.plan(model, examiner, detector)
    make_settings(Reading, values)  # names the option that is wrong
    faces = read_again(job.model, data, given(values))
    if dry_run:
        summary = evaluation.foresee(job, faces)
    else:
        summary, found = evaluation.evaluate(job, faces, out, seed, pick_device(device))
        if as_json:
            summary.figures["measures"] = found.as_dict()
    return tell([faces.summary, summary], as_json=as_json)


@faces.command(epilog="Example: animeprep faces rate my_run other_run")
@click.argument("models", metavar="MODEL...", type=PATH, nargs=-1, required=True)
@_DATA
@click.option(
    "-o",
    "--out",
    type=PATH,
    default="ratings.csv",
    show_default=True,
    help="The file of marks; those of others in it are kept.",
)
@click.option("--rater", default="me", show_default=True, help="Who marks.")
@click.option(
    "--prompts",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="How many words are rated, with a face of each model and a real one for each.",
)
@settings_options(SampleSettings, "seed")
@settings_options(Reading)
@page_options
@DEVICE
@DRY_RUN
@AS_JSON
def rate(
    models: tuple[Path, ...],
    data: Path | None,
    out: Path,
    rater: str,
    prompts: int,
    seed: int,
    port: int,
    no_browser: bool,
    device: str,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Let people mark faces, without telling where one comes from, on a page of this computer.

    Each MODEL's faces and real held-out ones of the same words come in random order; each gets
    two marks of 1 to 5: does it show its words, does it look real? Who runs this again goes on
    where the marks end. Faces are read and held out as the first MODEL did.
    """
    from animegan.device import pick_device
    from animegan.faces import rating
    from animegan.faces.origin import read_again
    from animegan.painter import find_model

    seed = make_settings(SampleSettings, given({"seed": seed})).seed
    make_settings(Reading, values)  # names the option that is wrong
    faces = read_again(find_model(models[0], faces=True), data, given(values))
    items = rating.draw(models, faces.held_out, prompts, seed, pick_device(device))
    marks = rating.Marks(out, rater, items)
    if dry_run:
        return tell([marks.summary(dry_run=True)], as_json=as_json)
    done = rating.serve(
        items,
        marks,
        port=port,
        open_browser=not no_browser,
        ready=partial(tell_address, to_stderr=as_json),
    )
    return tell([done], as_json=as_json)
