"""Any method's pictures, measured alike: one table, one sheet, one page (verb `evaluate`).

The comparison is the AnimeGAN paper's Fig. 3, with the measures of `judge` beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table as TextTable

from animegan.data import Sets
from animegan.features import load_features
from animegan.judge import MEANINGS, SIDE, Judge, as_measured, spread
from animegan.measures import Interval, Measures
from animegan.sheets import sheet
from animegan.verdict import NO_STYLE
from animeprep.boxes import Picture
from animeprep.errors import InputError, PictureError, UsageError
from animeprep.files import write_atomic
from animeprep.folders import FAILED, Summary
from animeprep.images import encode_png, list_images, read_rgb, resize
from animeprep.page import Figure, Section, Table, write_page

#: The columns that every method is compared with; no method can be called so.
PHOTO, STYLE = "photo", "style"
#: Photos that are measured, that the sheet shows, and that the classifier needs, beside those.
_MEASURED, _SHOWN, _LEARNED = 64, 8, 4


@dataclass(frozen=True)
class Photos:
    """The photos of an evaluation.

    Attributes:
        measured: photo → its painting by each method.
        learned: photos that only the classifier sees.
        problems: a line for each painting that is missing.
    """

    measured: dict[Path, dict[str, Path]]
    learned: list[Path]
    problems: list[str]


def parse_methods(given: Sequence[str]) -> dict[str, Path]:
    """`NAME=FOLDER`, or a folder that is called like its method: name → folder.

    Raises:
        UsageError: a name is given twice, or is one of our own columns.

    >>> sorted(parse_methods(["ours=a/b", "peer"]))
    ['ours', 'peer']
    """
    methods: dict[str, Path] = {}
    for one in given:
        name, is_named, folder = one.partition("=")
        path = Path(folder if is_named else one)
        name = name if is_named else path.name
        if not name or name in {PHOTO, STYLE, *methods}:
            raise UsageError(f"{one}: {name or 'no name'} cannot name this method; use another")
        methods[name] = path
    return methods


def find_photos(methods: Mapping[str, Path], photos: Path) -> Photos:
    """Pair photos with paintings, by the names of the files without their ends.

    A photo is measured where every method painted it. The classifier learns from photos that are
    not measured; where nearly all are painted, every second one is left to it.

    Raises:
        InputError: a folder has no picture, or none of a photo.
    """
    found = _pictures(photos)
    paintings = {name: _by_stem(folder) for name, folder in methods.items()}
    pairs: dict[Path, dict[str, Path]] = {}
    for photo in found:
        painted = {name: files.get(photo.name) or files.get(photo.stem)
                   for name, files in paintings.items()}  # fmt: skip
        pairs[photo] = {name: file for name, file in painted.items() if file is not None}
    for name, folder in methods.items():
        if not any(name in painted for painted in pairs.values()):
            raise InputError(folder, f"no picture here is called like a photo of {photos}",
                             "name paintings after their photos")  # fmt: skip
    some = [photo for photo, painted in pairs.items() if painted]
    problems = [f"{photo}: no painting by {name}" for photo in some
                for name in methods if name not in pairs[photo]]  # fmt: skip
    complete = [photo for photo in some if len(pairs[photo]) == len(methods)]
    if not complete:
        raise InputError(photos, "there is no photo that every method painted", "paint the same")
    if len(found) - len(complete) < _LEARNED:
        complete = complete[::2]
    measured = spread(complete, _MEASURED)
    learned = [photo for photo in found if photo not in measured]
    return Photos({photo: pairs[photo] for photo in measured}, learned or measured, problems)


def evaluate(
    methods: Mapping[str, Path], photos: Path, style: Path, out: Path, device: torch.device
) -> tuple[Summary, dict[str, Measures]]:
    """Measure the paintings of several methods.

    Args:
        methods: name → its folder of paintings, of any size, called like the photos.
        photos: the folder of photos.
        style: a folder of pictures of the style.
        out: gets `index.html`, `sheet.png` and the classifier, `judge.safetensors`.
        device: where to compute.

    Returns:
        Counts, with a problem for each painting that is missing or broken, and the measures: of
        the photos, of each method, and of the style set.

    Raises:
        InputError: a folder cannot be used.
        OutputError: something cannot be written.
    """
    found = find_photos(methods, photos)
    problems = list(found.problems)
    pictures = read_pictures(found.measured, problems)
    if not pictures:
        raise InputError(photos, "there is no photo left to measure", "see the broken files above")
    anime: list[tuple[Path, Path | None]] = [(path, None) for path in _pictures(style)]
    sets = Sets(found.learned, anime, [], list(pictures), [])
    features = load_features("vgg16").to(device)
    judge = Judge(sets, features, device, out, most=_MEASURED)
    measures = {PHOTO: judge.measure(judge.photos)}
    for name in methods:
        measures[name] = judge.measure([painted[name] for painted in pictures.values()])
    measures[STYLE] = judge.measure_style()
    problems += judge.problems
    summary = summarise(found, problems)
    if not judge.tells_style:
        summary.figures["note"] = NO_STYLE
    _write(out, measures, pictures, summary)
    return summary, measures


def summarise(found: Photos, problems: Sequence[str], *, dry_run: bool = False) -> Summary:
    """What was measured, or would be, in counts of photos; what could not be counts as failed."""
    summary = Summary("evaluate", dry_run=dry_run)
    summary.problems = list(problems)
    summary.counts["measured"] = len(found.measured)
    summary.counts["learned from"] = len(found.learned)
    summary.counts[FAILED] = len(problems)
    return summary


def show(measures: Mapping[str, Measures]) -> None:
    """Print the table, a column for each method, a line for each measure."""
    table = TextTable("measure", *measures, box=None)
    for name in MEANINGS:
        table.add_row(name, *(_cell(found.get(name)) for found in measures.values()))
    Console().print(table)


def _cell(measured: Interval | None) -> str:
    """A value with its interval; a dash where there is none."""
    if measured is None:
        return "–"
    return f"{measured.value:.2f} [{measured.low:.2f}, {measured.high:.2f}]"


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "name another")
    found = list_images(folder)
    if not found:
        raise InputError(folder, "there are no pictures in this folder", "name another")
    return found


def _by_stem(folder: Path) -> dict[str, Path]:
    """The first picture of each name."""
    return {path.stem: path for path in reversed(_pictures(folder))}


def read_pictures(
    measured: Mapping[Path, Mapping[str, Path]], problems: list[str]
) -> dict[Path, dict[str, Picture]]:
    """Photos and paintings at the size of measuring; a broken one leaves its photo out."""
    read: dict[Path, dict[str, Picture]] = {}
    for photo, paintings in measured.items():
        try:
            picture = as_measured(read_rgb(photo))
            height, width = picture.shape[:2]
            painted = {name: resize(as_measured(read_rgb(path)), width, height)
                       for name, path in paintings.items()}  # fmt: skip
            read[photo] = {PHOTO: picture, **painted}
        except PictureError as error:
            problems.append(str(error))
    return read


def _write(
    out: Path,
    measures: Mapping[str, Measures],
    pictures: Mapping[Path, Mapping[str, Picture]],
    summary: Summary,
) -> None:
    """The sheet and the page."""
    shown = {photo: pictures[photo] for photo in spread(list(pictures), _SHOWN)}
    columns = list(next(iter(shown.values())))
    drawn = sheet([[row[name] for name in columns] for row in shown.values()], columns)
    write_atomic(out / "sheet.png", encode_png(drawn))
    rows = [[name, *(_cell(found.get(name)) for found in measures.values()), meaning]
            for name, meaning in MEANINGS.items()]  # fmt: skip
    count = len(pictures)
    sections = [
        Section(
            "Measures",
            f"On {count} photos at a short side of {SIDE} at most, with the 95 % interval over "
            "the photos. The first column is the photos as they are, the last the style "
            f"pictures, one half measured against the other. {summary.figures.get('note', '')}",
            tables=[Table(["measure", *measures, "what it says"], rows)],
        ),
        Section(
            "Side by side",
            rows=[[Figure(row[name], f"{name}: {photo.stem}") for name in columns]
                  for photo, row in shown.items()],
        ),
    ]  # fmt: skip
    if summary.problems:
        table = Table(["left out"], [[problem] for problem in summary.problems])
        sections.append(Section("Left out", tables=[table]))
    names = ", ".join(name for name in measures if name not in {PHOTO, STYLE})
    write_page(
        out / "index.html", f"Evaluation: {names}", "Paintings of the same photos.", sections
    )
    summary.figures |= {"page": str(out / "index.html"), "sheet": str(out / "sheet.png")}
