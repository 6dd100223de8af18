"""The guided tour: built-in film and photos are prepared, a generator is trained, photos painted.

Everything is done by the same functions as the verbs, on a small scale: crops of 128 pixels and
few steps, so that two CPU cores need minutes. What it leaves is a page to look at.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from animegan.checkpoint import load_generator
from animegan.data import find_sets
from animegan.device import pick_device
from animegan.features import load_features
from animegan.fit import fit
from animegan.painter import GENERATOR_FILE, Painter
from animegan.photo_course import PhotoCourse
from animegan.plan import plan
from animegan.recipes import Recipe
from animegan.run import LOG_FILE, PAGE, read_lines
from animegan.trainer import Trainer
from animeprep.dataset import (
    CROPS,
    GRAY,
    LEFT_OUT,
    PHOTO,
    SMOOTH,
    SMOOTH_GRAY,
    STYLE,
    VAL,
    Dataset,
)
from animeprep.folders import MADE, Summary
from animeprep.images import list_images, read_rgb, thumbnail, write_png
from animeprep.page import Figure, Section, line_chart, write_page
from animeprep.pipeline import PrepareSettings, prepare

ASSETS = Path(__file__).parent / "assets" / "demo"
#: What the generator starts from.
INITIAL = ASSETS.parent / "animegan_init.safetensors"
STEPS = 140
#: The paper's recipe, but for what minutes on a CPU ask for: small crops, a higher rate of D, and
#: a gram term light enough that whites stay white (docs/animegan.md).
RECIPE = Recipe(size=96, discriminator_lr=3e-4, scales={"content": 1, "gram": 1, "colour": 500})
#: Small crops must show as much of a picture as large ones would: so the pictures are scaled down.
PREPARE = PrepareSettings.model_validate(
    {
        "frames": {"every": 6},
        "crop": {"size": 144, "short_side": 288, "count": 3},
        "photos": {"size": 128, "short_side": 176, "count": 8, "overlap": 0.85, "held_out": 0.52},
    }
)
_SHEET = 16


def run_demo(out: Path, *, dry_run: bool = False) -> Iterator[Summary]:
    """Run the tour; a second run finds everything done and writes the page anew.

    Args:
        out: the folder for the dataset, the run, the painted photos and `index.html`.
        dry_run: only say what the first stages would do.

    Yields:
        The summaries of all stages.

    Raises:
        OutputError: something cannot be written.
    """
    started = time.monotonic()
    dataset = Dataset(out / "dataset")
    film, photos = ASSETS / "film.mp4", ASSETS / "photos"
    yield from prepare(dataset, [film], [photos], PREPARE, dry_run=dry_run)
    if dry_run:
        return
    prepared = time.monotonic()
    run = out / "run"
    trained = _train(dataset, run)
    yield trained
    minutes = (prepared - started) / 60, (time.monotonic() - prepared) / 60
    painted = Summary("paint")
    rows = list(_paint(dataset, run, out / "painted"))
    painted.counts[MADE] = len(rows)
    page = out / "index.html"
    sections = [_painted_section(rows), *_set_sections(dataset), _curves(run)]
    write_page(page, "A film's style, learned in minutes", _lead(minutes, trained), sections)
    painted.figures = {"page": str(page)}
    yield painted


def _train(dataset: Dataset, run: Path) -> Summary:
    sets = find_sets(dataset, RECIPE)
    trainer = Trainer(RECIPE, load_features(RECIPE.features), pick_device())
    outcome = fit(PhotoCourse(trainer, sets), run, plan(RECIPE, sets, STEPS, STEPS))
    summary = Summary("train")
    summary.counts["steps made"] = outcome.made
    summary.problems = outcome.problems
    summary.figures = {"run": str(run), "page": str(run / PAGE), **outcome.terms}
    return summary


def _paint(dataset: Dataset, run: Path, folder: Path) -> Iterator[list[Figure]]:
    """Rows of: a held-out photo, as the initialisation draws it, as the trained generator does."""
    device = pick_device()
    initial, trained = (
        Painter(load_generator(file)[0], device) for file in (INITIAL, run / GENERATOR_FILE)
    )
    for path in list_images(dataset.root / VAL):
        photo = read_rgb(path)
        after = trained.paint(photo)
        write_png(folder / path.name, after)
        pictures = {
            "photo, held out": photo,
            "built-in initialisation": initial.paint(photo),
            f"after {STEPS} steps": after,
        }
        yield [Figure(picture, caption) for caption, picture in pictures.items()]


def _lead(minutes: tuple[float, float], trained: Summary) -> str:
    return (
        f"Prepared in {minutes[0]:.1f} and trained in {minutes[1]:.1f} minutes on this machine: "
        f"{trained.counts['steps made']} steps in this run of {STEPS} in all, on crops of "
        f"{RECIPE.size} pixels, "
        f"{RECIPE.batch} at a time, from the built-in initialisation. That is a first glimpse: a "
        "real run takes tens of thousands of steps on crops of 256 pixels. Recipe: the paper's "
        "four terms each for generator and discriminator."
    )


def _painted_section(rows: list[list[Figure]]) -> Section:
    return Section(
        "Photos it never saw",
        "Left as taken; in the middle as the built-in initialisation draws them, which knows no "
        "style; on the right after training on the film.",
        rows=rows,
    )


def _set_sections(dataset: Dataset) -> Iterator[Section]:
    """The film's pictures, what was left out and why, and every set."""
    kept = dataset.kept_frames()
    yield Section(
        f"Frames: {len(kept)} kept",
        f"Every {PREPARE.frames.every}th picture of the film, without bars, each drawing once.",
        figures=_sheet(kept),
    )
    yield _left_out_section(dataset)
    for folder, title in (
        (CROPS, "Crops"),
        (STYLE, "Style a: crops after exposure compensation"),
        (SMOOTH, "Smooth e: the same with smoothed edges"),
        (GRAY, "Gray x: the gray of a"),
        (SMOOTH_GRAY, "Smooth gray y: the gray of e"),
        (PHOTO, "Photos p"),
    ):
        pictures = dataset.pictures(folder)
        yield Section(f"{title}: {len(pictures)}", figures=_sheet(pictures))


def _left_out_section(dataset: Dataset) -> Section:
    dropped = [r for r in dataset.records("dedup") if r["status"] == "dropped"]
    reasons = sorted({record["reason"] for record in dropped})
    counts = {reason: sum(r["reason"] == reason for r in dropped) for reason in reasons}
    figures = []
    for reason in reasons:
        some = [record for record in dropped if record["reason"] == reason][:5]
        for record in some:
            path = dataset.path(f"{LEFT_OUT}/{Path(record['file_name']).stem}.jpg")
            caption = f"{record['seconds']:.1f} s: {reason}" if "seconds" in record else reason
            figures.append(Figure(read_rgb(path), caption))
    text = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    return Section(f"Left out: {len(dropped)}", f"Why: {text}.", figures=figures)


def _sheet(pictures: list[Path]) -> list[Figure]:
    """Thumbnails evenly spread over a set."""
    step = max(1, len(pictures) // _SHEET)
    return [Figure(thumbnail(read_rgb(path), 128)) for path in pictures[::step][:_SHEET]]


def _curves(run: Path) -> Section:
    log = list(read_lines(run / LOG_FILE))
    weights = {**RECIPE.generator_weights(), "d": 1.0}
    curves = {name: [w * t[name] for t in log if name in t] for name, w in weights.items()}
    return Section(
        "Loss curves",
        "Each term as it enters the loss, with its weight; d is the discriminator's. They say "
        "that training is alive, not how the pictures look.",
        chart=line_chart(curves, "step", log_scale=True),
    )
