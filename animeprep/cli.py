"""The verbs of the data half: parse, call, tell; no algorithm.

The options of a verb are drawn from the settings of its stage, so that names, defaults, bounds and
help stand in one place.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from animeprep import crop as crop_stage
from animeprep import dedup as dedup_stage
from animeprep import edges as edges_stage
from animeprep import exposure as exposure_stage
from animeprep import frames as frames_stage
from animeprep import gray as gray_stage
from animeprep import photos as photos_stage
from animeprep import pipeline
from animeprep.dataset import Dataset
from animeprep.errors import UsageError
from animeprep.folders import FAILED, Settings, Summary

Verb = TypeVar("Verb", bound=Callable[..., Any])
Kind = TypeVar("Kind", bound=Settings)

_SHARED = (
    click.option(
        "-d",
        "--dataset",
        type=click.Path(path_type=Path, file_okay=False),
        default="dataset",
        show_default=True,
        help="The dataset folder.",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    click.option("--json", "as_json", is_flag=True, help="Tell the result as JSON."),
)


def shared_options(verb: Verb) -> Verb:
    """The options of every verb: the dataset folder, `--dry-run`, `--json`."""
    for option in reversed(_SHARED):
        verb = option(verb)
    return verb


def settings_options(kind: type[Settings], *names: str) -> Callable[[Verb], Verb]:
    """One option for each field of a stage's settings, or for those named."""

    def decorate(verb: Verb) -> Verb:
        for name, info in reversed(kind.model_fields.items()):
            if not names or name in names:
                verb = click.option(
                    f"--{name.replace('_', '-')}",
                    name,
                    type=_option_type(info),
                    default=info.default,
                    show_default=info.default is not None,
                    help=(info.description or "").replace("\n", " ").capitalize() + ".",
                )(verb)
        return verb

    return decorate


def _option_type(info: FieldInfo) -> Any:
    if get_origin(info.annotation) is Literal:
        return click.Choice(get_args(info.annotation))
    return int if info.annotation is int else float


def make_settings(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Settings from options.

    Raises:
        UsageError: a value is out of its bounds; the message names the option.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"--{str(part).replace('_', '-')}: " for part in first["loc"])
        raise UsageError(where + first["msg"].removeprefix("Value error, ")) from error


def tell(summaries: Iterable[Summary], *, as_json: bool) -> int:
    """Print what stages did; return the exit code: 1 where a file failed."""
    told = []
    for summary in summaries:
        told.append(summary)
        if not as_json:
            click.echo(_line(summary))
        for problem in summary.problems:
            click.echo(f"  {problem}", err=True)
    if as_json:
        click.echo(json.dumps([summary.as_dict() for summary in told], ensure_ascii=False))
    return 1 if any(summary.counts[FAILED] for summary in told) else 0


def _line(summary: Summary) -> str:
    parts = [f"{count} {status}" for status, count in sorted(summary.counts.items()) if count]
    line = f"{summary.stage}: {', '.join(parts) or 'nothing to do'}"
    if summary.dry_run:
        line += " (dry run: nothing was done)"
    if summary.reasons:
        reasons = (f"{reason} {count}" for reason, count in sorted(summary.reasons.items()))
        line += f" [{', '.join(reasons)}]"
    figures = [f"{key.replace('_', ' ')} {value}" for key, value in summary.figures.items()]
    return line + (f"\n  {', '.join(figures)}" if figures else "")


@click.command(epilog="Example: animeprep frames movie.mkv --every 50")
@click.argument(
    "inputs", metavar="FILM...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@settings_options(frames_stage.FrameSettings)
@shared_options
def frames(
    inputs: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Take every N-th picture of films, counted exactly, into frames/.

    Folders of stills are taken too, with all their pictures.
    """
    settings = make_settings(frames_stage.FrameSettings, values)
    done = frames_stage.frames(Dataset(dataset), list(inputs), settings, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command(epilog="Example: animeprep dedup --threshold 26")
@settings_options(dedup_stage.DedupSettings)
@shared_options
def dedup(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Leave out black pictures, night, cards, and copies of one drawing.

    Nothing is deleted: dedup.jsonl lists every picture with the reason, and left_out/ keeps
    thumbnails.
    """
    settings = make_settings(dedup_stage.DedupSettings, values)
    return tell([dedup_stage.dedup(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep crop --count 3")
@settings_options(crop_stage.CropSettings)
@shared_options
def crop(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Cut random square crops of the kept frames into crops/."""
    settings = make_settings(crop_stage.CropSettings, values)
    return tell([crop_stage.crop(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep exposure --strength 0.5")
@settings_options(exposure_stage.ExposureSettings)
@shared_options
def exposure(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Even out the exposure of the whole set: crops/ to style/."""
    settings = make_settings(exposure_stage.ExposureSettings, values)
    done = exposure_stage.exposure(Dataset(dataset), settings, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command("smooth-edges", epilog="Example: animeprep smooth-edges")
@settings_options(edges_stage.EdgeSettings)
@shared_options
def smooth_edges(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Smooth the edges of style/ into smooth/."""
    settings = make_settings(edges_stage.EdgeSettings, values)
    return tell([edges_stage.edges(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep gray")
@shared_options
def gray(dataset: Path, dry_run: bool, as_json: bool) -> int:
    """Make the grayscale sets gray/ and smooth_gray/."""
    return tell([gray_stage.gray(Dataset(dataset), dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep photos holiday/ --held-out 0.1")
@click.argument(
    "folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@settings_options(photos_stage.PhotoSettings)
@shared_options
def photos(
    folders: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Crop real photos into photo/ and keep held-out ones in val/."""
    settings = make_settings(photos_stage.PhotoSettings, values)
    done = photos_stage.photos(Dataset(dataset), list(folders), settings, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command(epilog="Example: animeprep prepare movie.mkv --photos holiday/")
@click.argument(
    "inputs", metavar="FILM...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--photos",
    "photo_folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder of real photos; may be given several times.",
)
@settings_options(frames_stage.FrameSettings)
@settings_options(dedup_stage.DedupSettings, "threshold")
@settings_options(crop_stage.CropSettings, "size", "short_side", "seed")
@settings_options(exposure_stage.ExposureSettings, "strength")
@settings_options(photos_stage.PhotoSettings, "held_out")
@shared_options
def prepare(
    inputs: tuple[Path, ...],
    photo_folders: tuple[Path, ...],
    dataset: Path,
    dry_run: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Make all sets from films and photos: the data verbs in one go.

    Ends in the same sets as the verbs one by one, but reads each film once and encodes only the
    pictures that are kept. The verbs have more options.
    """

    def part(kind: type[Kind]) -> Kind:
        return make_settings(kind, {k: v for k, v in values.items() if k in kind.model_fields})

    settings = pipeline.PrepareSettings(
        frames=part(frames_stage.FrameSettings),
        dedup=part(dedup_stage.DedupSettings),
        crop=part(crop_stage.CropSettings),
        exposure=part(exposure_stage.ExposureSettings),
        photos=part(photos_stage.PhotoSettings),
    )
    done = pipeline.prepare(
        Dataset(dataset), list(inputs), list(photo_folders), settings, dry_run=dry_run
    )
    return tell(done, as_json=as_json)
