"""The verbs `faces …`: parse, call, tell; no algorithm. Each imports torch itself, when called."""

from pathlib import Path
from typing import Any

import click

from animegan.faces.settings import Form, SampleSettings
from animeprep.folders import MADE, Summary
from animeprep.options import (
    AS_JSON,
    DRY_RUN,
    PATH,
    given,
    make_settings,
    settings_options,
    tell,
)

_DEVICE = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
_MODEL = click.option(
    "--model", type=PATH, help="A run or a generator file; by default the newest run of faces."
)


@click.group()
def faces() -> None:
    """Draw anime faces from words."""


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
@settings_options(SampleSettings, "seed", "scale", "plain", "move_noise")
@_MODEL
@_DEVICE
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
    """Draw faces of words: hair and eyes in either order, or one of the two.

    The same prompt has the same faces, whatever else is drawn; another --seed gives others.
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
