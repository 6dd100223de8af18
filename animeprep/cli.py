"""The verbs of the data half: parse, call, tell; no algorithm."""

import json
from pathlib import Path
from typing import Any

import click

from animeprep import crop as crop_stage
from animeprep import dedup as dedup_stage
from animeprep import edges as edges_stage
from animeprep import exposure as exposure_stage
from animeprep import frames as frames_stage
from animeprep import gray as gray_stage
from animeprep import photos as photos_stage
from animeprep import pipeline
from animeprep.dataset import Dataset
from animeprep.errors import FilmError
from animeprep.film import FILM, Film, FilmRules, FilmSettings, identify, probe
from animeprep.options import (
    AS_JSON,
    DATASET,
    PATH,
    Kind,
    given,
    make_settings,
    settings_options,
    shared_options,
    tell,
)
from animeprep.recipe import Recipe


def _stage_settings(kind: type[Kind], table: str, dataset: Path, values: dict[str, Any]) -> Kind:
    """The settings of a verb: options, before `animeprep.toml`, before defaults.

    Args:
        kind: the settings.
        table: where they stand in the recipe.
        dataset: the dataset folder.
        values: all options of the verb.

    Raises:
        UsageError: a value is out of its bounds, or the recipe cannot be used.
    """
    chosen = {k: v for k, v in given(values).items() if k in kind.model_fields}
    replaced = {name for names in kind.ALTERNATIVES if chosen.keys() & set(names) for name in names}
    behind = {k: v for k, v in Recipe(dataset).values(table).items() if k not in replaced}
    return make_settings(kind, {**behind, **chosen})


def _film_rules(dataset: Path, values: dict[str, Any]) -> FilmRules:
    """What to make of films: options, before `animeprep.toml`, before what probing decides.

    Raises:
        UsageError: a value is out of its bounds, or the recipe cannot be used.
    """
    chosen = {k: v for k, v in given(values).items() if k in FilmSettings.model_fields}
    make_settings(FilmSettings, chosen)
    return Recipe(dataset).rules(chosen)


@click.command(epilog="Example: animeprep info movie.mkv")
@click.argument("films", metavar="FILM...", nargs=-1, required=True, type=PATH)
@settings_options(FilmSettings)
@AS_JSON
@DATASET
def info(films: tuple[Path, ...], dataset: Path, as_json: bool, **values: Any) -> int:
    """Tell what films are, what will be done about it, and why.

    The options, and animeprep.toml in the dataset folder, decide otherwise; they are those of
    frames and prepare.
    """
    rules = _film_rules(dataset, values)
    told, failed = [], 0
    for path in films:
        try:
            film_id, _ = identify(path)
            film = probe(path, rules.of(path.name, film_id))
        except FilmError as error:
            failed += 1
            click.echo(f"animeprep: {error}", err=True)
            continue
        told.append(film)
        if not as_json:
            _tell_film(film)
    if as_json:
        click.echo(json.dumps([FILM.dump_python(one, mode="json") for one in told]))
    return 1 if failed else 0


def _tell_film(film: Film) -> None:
    """A film's findings, one a line: what, as it was found, what is done and why."""
    click.echo(f"{film.path.name} is {film.film_id}")
    widths = [max(len(getattr(one, part)) for one in film.findings) for part in ("what", "found")]
    for one in film.findings:
        done = f"  {one.done}" if one.done else ""
        click.echo(f"  {one.what:{widths[0]}}  {one.found:{min(widths[1], 44)}}{done}")


@click.command(epilog="Example: animeprep frames movie.mkv --every 50")
@click.argument("inputs", metavar="FILM...", nargs=-1, required=True, type=PATH)
@settings_options(frames_stage.FrameSettings)
@settings_options(FilmSettings)
@shared_options
def frames(
    inputs: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Take every N-th picture of films, counted exactly, into frames/.

    Folders of stills are taken too, with all their pictures. `animeprep info` tells what a film
    is and what will be done about it; the options from --matrix on decide otherwise.
    """
    settings = _stage_settings(frames_stage.FrameSettings, "frames", dataset, values)
    rules = _film_rules(dataset, values)
    done = frames_stage.frames(Dataset(dataset), list(inputs), settings, rules, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command(epilog="Example: animeprep dedup --threshold 26")
@settings_options(dedup_stage.DedupSettings)
@shared_options
def dedup(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Leave out black pictures, night, cards, and copies of one drawing.

    Nothing is deleted: dedup.jsonl lists every picture with the reason, and left_out/ keeps
    thumbnails.
    """
    settings = _stage_settings(dedup_stage.DedupSettings, "dedup", dataset, values)
    return tell([dedup_stage.dedup(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep crop --count 3")
@settings_options(crop_stage.CropSettings)
@shared_options
def crop(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Cut random square crops of the kept frames into crops/."""
    settings = _stage_settings(crop_stage.CropSettings, "crop", dataset, values)
    return tell([crop_stage.crop(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep exposure --strength 0.5")
@settings_options(exposure_stage.ExposureSettings)
@shared_options
def exposure(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Even out the exposure of the whole set: crops/ to style/."""
    settings = _stage_settings(exposure_stage.ExposureSettings, "exposure", dataset, values)
    done = exposure_stage.exposure(Dataset(dataset), settings, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command("smooth-edges", epilog="Example: animeprep smooth-edges")
@settings_options(edges_stage.EdgeSettings)
@shared_options
def smooth_edges(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Smooth the edges of style/ into smooth/."""
    settings = _stage_settings(edges_stage.EdgeSettings, "smooth-edges", dataset, values)
    return tell([edges_stage.edges(Dataset(dataset), settings, dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep gray")
@shared_options
def gray(dataset: Path, dry_run: bool, as_json: bool) -> int:
    """Make the grayscale sets gray/ and smooth_gray/."""
    return tell([gray_stage.gray(Dataset(dataset), dry_run=dry_run)], as_json=as_json)


@click.command(epilog="Example: animeprep photos holiday/ --held-out 0.1")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=PATH)
@settings_options(photos_stage.PhotoSettings)
@shared_options
def photos(
    folders: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Crop real photos into photo/ and keep held-out ones in val/."""
    settings = _stage_settings(photos_stage.PhotoSettings, "photos", dataset, values)
    done = photos_stage.photos(Dataset(dataset), list(folders), settings, dry_run=dry_run)
    return tell([done], as_json=as_json)


@click.command(epilog="Example: animeprep prepare movie.mkv --photos holiday/")
@click.argument("inputs", metavar="FILM...", nargs=-1, required=True, type=PATH)
@click.option(
    "--photos",
    "photo_folders",
    metavar="FOLDER",
    multiple=True,
    type=PATH,
    help="A folder of real photos; may be given several times.",
)
@settings_options(frames_stage.FrameSettings)
@settings_options(FilmSettings)
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

    def part(kind: type[Kind], table: str) -> Kind:
        return _stage_settings(kind, table, dataset, values)

    settings = pipeline.PrepareSettings(
        frames=part(frames_stage.FrameSettings, "frames"),
        films=_film_rules(dataset, values),
        dedup=part(dedup_stage.DedupSettings, "dedup"),
        crop=part(crop_stage.CropSettings, "crop"),
        exposure=part(exposure_stage.ExposureSettings, "exposure"),
        edges=part(edges_stage.EdgeSettings, "smooth-edges"),
        photos=part(photos_stage.PhotoSettings, "photos"),
    )
    done = pipeline.prepare(
        Dataset(dataset), list(inputs), list(photo_folders), settings, dry_run=dry_run
    )
    return tell(done, as_json=as_json)
