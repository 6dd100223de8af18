"""The verbs of the data half: parse, call, tell; no algorithm."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from animeprep import choose as choose_stage
from animeprep import crop as crop_stage
from animeprep import dedup as dedup_stage
from animeprep import edges as edges_stage
from animeprep import exposure as exposure_stage
from animeprep import frames as frames_stage
from animeprep import gray as gray_stage
from animeprep import photos as photos_stage
from animeprep import pipeline
from animeprep.dataset import FRAMES, Dataset
from animeprep.errors import AnimeprepError, FilmError, OutputError, UsageError
from animeprep.film import FILM, Film, FilmRules, FilmSettings, identify, probe
from animeprep.folders import Summary
from animeprep.images import list_images
from animeprep.options import (
    AS_JSON,
    DATASET,
    PATH,
    Kind,
    fields_of,
    given,
    make_settings,
    settings_options,
    shared_options,
    tell,
)
from animeprep.recipe import FILMS, INPUTS, TABLES, Recipe
from animeprep.settings import Settings


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
    chosen = fields_of(kind, given(values))
    replaced = {name for names in kind.ALTERNATIVES if chosen.keys() & set(names) for name in names}
    behind = {k: v for k, v in Recipe(dataset).values(table).items() if k not in replaced}
    return make_settings(kind, {**behind, **chosen})


def _film_rules(dataset: Path, values: dict[str, Any]) -> FilmRules:
    """What to make of films: options, before `animeprep.toml`, before what probing decides.

    Raises:
        UsageError: a value is out of its bounds, or the recipe cannot be used.
    """
    chosen = fields_of(FilmSettings, given(values))
    make_settings(FilmSettings, chosen)
    return Recipe(dataset).rules(chosen)


def _inputs(dataset: Path, kind: str, named: tuple[Path, ...], metavar: str) -> list[Path]:
    """What is named on the command line, or else in the recipe.

    Raises:
        UsageError: neither names any.
    """
    inputs = list(named) or Recipe(dataset).inputs(kind)
    if not inputs:
        raise UsageError(f"{metavar} is missing, and {Recipe(dataset).path} names none")
    return inputs


def _run(
    dataset: Path,
    tables: dict[str, Settings],
    work: Callable[[Dataset], Iterable[Summary]],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Do a verb's work, alone on the dataset, with its settings written down; tell of it.

    Args:
        dataset: the dataset folder.
        tables: table of the recipe → what the verb works with.
        work: does it, and yields a summary after each stage.
        dry_run: write nothing.
        as_json: how to tell.
    """
    data = Dataset(dataset)
    if dry_run:
        return tell(work(data), as_json=as_json)
    told: list[Summary] = []

    def watched() -> Iterator[Summary]:
        for summary in work(data):
            told.append(summary)
            yield summary

    with data.lock():
        recipe = Recipe(dataset)
        recipe.save(tables)
        try:
            return tell(watched(), as_json=as_json)
        except AnimeprepError as error:
            # Where nothing was made with these settings; a full disk comes in the midst of it.
            if not told and not isinstance(error, OutputError):
                recipe.restore()
            raise


def _run_stage(
    dataset: Path,
    tables: dict[str, Settings],
    work: Callable[[Dataset], Summary],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """The same for a verb that is one stage."""
    return _run(dataset, tables, lambda data: [work(data)], dry_run=dry_run, as_json=as_json)


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
@click.argument("inputs", metavar="[FILM]...", nargs=-1, type=PATH)
@settings_options(frames_stage.FrameSettings)
@settings_options(FilmSettings)
@shared_options
def frames(
    inputs: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Take every N-th picture of films, counted exactly, into frames/.

    Folders of stills are taken too, with all their pictures. `animeprep info` tells what a film
    is and what will be done about it; the options from --matrix on decide otherwise. Without
    FILM, the films that the dataset is made of.
    """
    settings = _stage_settings(frames_stage.FrameSettings, "frames", dataset, values)
    rules = _film_rules(dataset, values)
    films = _inputs(dataset, "films", inputs, "FILM")
    return _run(
        dataset,
        {
            INPUTS: Recipe(dataset).with_inputs(films=inputs),
            "frames": settings,
            FILMS: rules.common,
        },
        lambda data: [frames_stage.frames(data, films, settings, rules, dry_run=dry_run)],
        dry_run=dry_run,
        as_json=as_json,
    )


@click.command(epilog="Example: animeprep dedup --alike loose --dry-run")
@settings_options(dedup_stage.DedupSettings)
@click.option(
    "--restore",
    "restored",
    metavar="FRAME",
    multiple=True,
    help="Keep this frame by hand, and decode it again where it is not there; may be repeated.",
)
@shared_options
def dedup(
    restored: tuple[str, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Leave out black pictures, night, cards, and copies of one drawing.

    Nothing is deleted: dedup.jsonl lists every picture with the reason, and left_out/ keeps
    thumbnails. A dry run tells how many copies each preset would leave out.
    """
    settings = _stage_settings(dedup_stage.DedupSettings, "dedup", dataset, values)
    recipe = Recipe(dataset)
    stages = pipeline.PrepareSettings(
        dedup=settings,
        choose=choose_stage.ChooseSettings(**recipe.values("choose")),
        films=recipe.rules({}),
    )

    def work(data: Dataset) -> Iterable[Summary]:
        if restored:
            known = recipe.inputs("films")
            return pipeline.bring_back(data, list(restored), known, stages, dry_run=dry_run)
        return pipeline.judge_frames(data, stages, dry_run=dry_run)

    return _run(dataset, {"dedup": settings}, work, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: animeprep choose --target 1500")
@settings_options(choose_stage.ChooseSettings)
@shared_options
def choose(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Choose the most different frames, and hold some shots out for validation."""
    settings = _stage_settings(choose_stage.ChooseSettings, "choose", dataset, values)
    work = partial(choose_stage.choose, settings=settings, dry_run=dry_run)
    return _run_stage(dataset, {"choose": settings}, work, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: animeprep crop --count 3")
@settings_options(crop_stage.CropSettings)
@shared_options
def crop(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Cut square crops of the kept frames into crops/."""
    settings = _stage_settings(crop_stage.CropSettings, "crop", dataset, values)
    work = partial(crop_stage.crop, settings=settings, dry_run=dry_run)
    return _run_stage(dataset, {"crop": settings}, work, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: animeprep exposure --strength 0.5")
@settings_options(exposure_stage.ExposureSettings)
@shared_options
def exposure(dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Even out the exposure of the whole set: crops/ to style/."""
    settings = _stage_settings(exposure_stage.ExposureSettings, "exposure", dataset, values)
    work = partial(exposure_stage.exposure, settings=settings, dry_run=dry_run)
    return _run_stage(dataset, {"exposure": settings}, work, dry_run=dry_run, as_json=as_json)


@click.command("smooth-edges", epilog="Example: animeprep smooth-edges --preview")
@settings_options(edges_stage.EdgeSettings)
@click.option(
    "--preview",
    is_flag=True,
    help="Write a sheet of anime, edges, dilated and smoothed, and nothing else.",
)
@shared_options
def smooth_edges(preview: bool, dataset: Path, dry_run: bool, as_json: bool, **values: Any) -> int:
    """Smooth the edges of style/ into smooth/."""
    settings = _stage_settings(edges_stage.EdgeSettings, "smooth-edges", dataset, values)
    if preview:
        data = Dataset(dataset)
        with contextlib.nullcontext() if dry_run else data.lock():
            click.echo(
                dataset / edges_stage.PREVIEW
                if dry_run
                else edges_stage.preview_sheet(data, settings)
            )
        return 0
    work = partial(edges_stage.edges, settings=settings, dry_run=dry_run)
    return _run_stage(dataset, {"smooth-edges": settings}, work, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: animeprep gray")
@shared_options
def gray(dataset: Path, dry_run: bool, as_json: bool) -> int:
    """Make the gray sets of style/ and smooth/."""
    work = partial(gray_stage.gray, dry_run=dry_run)
    return _run_stage(dataset, {}, work, dry_run=dry_run, as_json=as_json)


@click.command(epilog="Example: animeprep photos holiday/")
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=PATH)
@settings_options(photos_stage.PhotoSettings)
@shared_options
def photos(
    folders: tuple[Path, ...], dataset: Path, dry_run: bool, as_json: bool, **values: Any
) -> int:
    """Crop real photos into photo/ and keep held-out ones in val/.

    Without FOLDER, those that the dataset is made of.
    """
    settings = _stage_settings(photos_stage.PhotoSettings, "photos", dataset, values)
    named = _inputs(dataset, "photos", folders, "FOLDER")
    return _run(
        dataset,
        {INPUTS: Recipe(dataset).with_inputs(photos=folders), "photos": settings},
        lambda data: [photos_stage.photos(data, named, settings, dry_run=dry_run)],
        dry_run=dry_run,
        as_json=as_json,
    )


_CROPPING = ("size", "short_side", "seed")
#: Table → those of its settings that `prepare` has options for; stages have others of one name.
_PREPARE = {
    "frames": tuple(frames_stage.FrameSettings.model_fields),
    "dedup": ("alike", "threshold"),
    "choose": ("target",),
    "crop": _CROPPING,
    "exposure": ("method", "strength"),
    "photos": (*_CROPPING, "held_out"),
}


@click.command(epilog="Example: animeprep prepare movie.mkv --photos holiday/")
@click.argument("inputs", metavar="[FILM]...", nargs=-1, type=PATH)
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
@settings_options(dedup_stage.DedupSettings, *_PREPARE["dedup"])
@settings_options(choose_stage.ChooseSettings, *_PREPARE["choose"])
@settings_options(crop_stage.CropSettings, *_PREPARE["crop"])
@settings_options(exposure_stage.ExposureSettings, *_PREPARE["exposure"])
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
    pictures that are kept. The verbs have more options, and animeprep.toml has them all. Without
    FILM, what the dataset is made of: only what changed is done again.
    """
    tables: dict[str, Settings] = {
        name: _stage_settings(
            kind, name, dataset, {key: values[key] for key in _PREPARE.get(name, ())}
        )
        for name, kind in TABLES.items()
        if name not in {INPUTS, FILMS}
    }
    rules = _film_rules(dataset, values)
    recipe = Recipe(dataset)
    # Pictures that were put into frames/ need no film.
    by_hand = not inputs and not recipe.inputs("films") and list_images(dataset / FRAMES)
    films = [] if by_hand else _inputs(dataset, "films", inputs, "FILM")
    folders = list(photo_folders) or ([] if inputs else recipe.inputs("photos"))
    settings = pipeline.PrepareSettings.model_validate(
        {name.removeprefix("smooth-"): table for name, table in tables.items()} | {FILMS: rules}
    )
    return _run(
        dataset,
        {
            INPUTS: recipe.with_inputs(films=inputs, photos=photo_folders),
            "frames": tables["frames"],
            FILMS: rules.common,
            **tables,
        },
        lambda data: pipeline.prepare(
            data, films, folders, settings, known=recipe.inputs("films"), dry_run=dry_run
        ),
        dry_run=dry_run,
        as_json=as_json,
    )
