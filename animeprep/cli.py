"""The verbs of the data half: parse, call, tell; no algorithm."""

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
from animeprep.options import PATH, Kind, make_settings, settings_options, shared_options, tell


@click.command(epilog="Example: animeprep frames movie.mkv --every 50")
@click.argument("inputs", metavar="FILM...", nargs=-1, required=True, type=PATH)
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
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=PATH)
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
