"""A check-up of a dataset folder, and what to run next. Verb: doctor.

Every picture is decoded, which alone finds all broken ones: a few milliseconds for a crop, some
30 ms for a 1080p frame, on each core. Nothing is changed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import joblib

from animeprep.curation import STAGE as CURATION
from animeprep.dataset import (
    CROPS,
    FRAMES,
    GRAY,
    PHOTO,
    SMOOTH,
    SMOOTH_GRAY,
    STYLE,
    STYLE_VAL,
    VAL,
    VERB_OF,
    Dataset,
    made_name,
)
from animeprep.dedup import MUCH_NIGHT, NIGHT
from animeprep.errors import DatasetError, PictureError
from animeprep.folders import MADE, workers_for
from animeprep.images import list_images, read_rgb
from animeprep.progress import progress

OK: Literal["ok"] = "ok"
NOTE: Literal["note"] = "note"
PROBLEM: Literal["problem"] = "problem"

FOLDERS = (FRAMES, CROPS, STYLE, STYLE_VAL, SMOOTH, GRAY, SMOOTH_GRAY, PHOTO, VAL)
STAGES = ("frames", "crop", "exposure", "smooth-edges", "gray", "photos")
#: These and what else has records → the verb that makes up for lines that were cut off.
_RECORDS = {
    **{stage: stage for stage in STAGES},
    "frames": "frames FILM",
    "films": "frames FILM",
    "overlays": "crop",
    "photos": "photos FOLDER",
    "dedup": "dedup",
    "choose": "choose",
}
#: Folder → the one whose pictures it must have partners for.
_SOURCE = {SMOOTH: STYLE, GRAY: STYLE, SMOOTH_GRAY: SMOOTH}
#: Sets of this many style pictures have trained well.
_ENOUGH = 1300
#: Files that a finding names; the others are counted.
_NAMED = 3

#: Folder → its pictures' names and what decoding gave: width and height, or what is wrong.
Examined = dict[str, dict[str, tuple[int, int] | str]]


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        level: `ok`; `note`, worth knowing; `problem`, which training or a verb will stumble over.
        text: what.
        remedy: what to do about it; may be empty.
    """

    level: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def examine_dataset(dataset: Dataset) -> list[Finding]:
    """Look at everything in a dataset folder.

    Returns:
        The findings; the last one says what to run next.

    Raises:
        DatasetError: there is no such folder.
    """
    if not dataset.root.is_dir():
        raise DatasetError(
            dataset.root, "there is no such folder", "run `animeprep frames FILM`, or name it by -d"
        )
    examined = _decode_all(dataset)
    return [
        *_counts(examined),
        *_broken(examined),
        *_partners(examined),
        *_sizes(examined),
        *_names(examined),
        *_lost(dataset),
        *_torn(dataset),
        *_links(dataset),
        *_leftovers(dataset),
        *_variety(examined),
        *_night(dataset),
        *_licence(examined),
        *_next(dataset, examined),
    ]


def _decode_all(dataset: Dataset) -> Examined:
    paths = [path for folder in FOLDERS for path in list_images(dataset.root / folder)]
    pool = joblib.Parallel(n_jobs=workers_for(len(paths)), prefer="threads", return_as="generator")
    examined: Examined = {folder: {} for folder in FOLDERS}
    with progress("doctor", len(paths)) as advance:
        results = pool(joblib.delayed(_decode)(path) for path in paths)
        for path, result in zip(paths, results, strict=True):
            examined[path.parent.name][path.name] = result
            advance()
    return examined


def _decode(path: Path) -> tuple[int, int] | str:
    try:
        height, width = read_rgb(path).shape[:2]
    except PictureError as error:
        return error.problem
    return width, height


def _counts(examined: Examined) -> Iterator[Finding]:
    counts = [f"{folder} {len(found)}" for folder, found in examined.items() if found]
    yield Finding(OK, f"pictures: {', '.join(counts) or 'none'}")


def _broken(examined: Examined) -> Iterator[Finding]:
    for folder, found in examined.items():
        broken = [f"{name} ({why})" for name, why in found.items() if isinstance(why, str)]
        if broken:
            remedy = f"remove them, then run `animeprep {VERB_OF[folder]}`"
            yield Finding(PROBLEM, f"{len(broken)} broken in {folder}/: {_some(broken)}", remedy)


def _some(names: list[str]) -> str:
    """The first few of many.

    >>> _some(["a", "b", "c", "d"])
    'a, b, c, …'
    """
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])


def _partners(examined: Examined) -> Iterator[Finding]:
    """Partners by name: what is missing, what belongs to nothing, what differs in size."""
    for folder, source in _SOURCE.items():
        found, verb = examined[folder], f"run `animeprep {VERB_OF[folder]}`"
        if not found:
            continue
        wanted = {
            made_name(folder, f"{source}/{name}").split("/")[1]: size
            for name, size in examined[source].items()
        }
        missing = [name for name in wanted if name not in found]
        if missing:
            text = f"{len(missing)} of {source}/ without a partner in {folder}/: {_some(missing)}"
            yield Finding(PROBLEM, text, verb)
        orphans = [name for name in found if name not in wanted]
        if orphans:
            text = f"{len(orphans)} in {folder}/ belong to nothing in {source}/: {_some(orphans)}"
            yield Finding(NOTE, text, "remove them")
        differing = [
            name
            for name, size in wanted.items()
            if not isinstance(found.get(name, ""), str)
            and not isinstance(size, str)
            and found[name] != size
        ]
        if differing:
            text = (
                f"{len(differing)} in {folder}/ differ in size from {source}/: {_some(differing)}"
            )
            yield Finding(PROBLEM, text, f"remove them, then {verb}")


def _sizes(examined: Examined) -> Iterator[Finding]:
    """Sets whose pictures have several sizes."""
    for folder in (STYLE, PHOTO):
        sizes = Counter(size for size in examined[folder].values() if not isinstance(size, str))
        if len(sizes) < 2:
            continue
        (width, height), count = sizes.most_common(1)[0]
        text = f"{sizes.total() - count} in {folder}/ are not {width}×{height} as the others are"
        yield Finding(NOTE, text, "other trainers want one size: crop these, or remove them")


def _names(examined: Examined) -> Iterator[Finding]:
    for folder, found in examined.items():
        same = Counter(name.casefold() for name in found)
        twice = [name for name in found if same[name.casefold()] > 1]
        if twice:
            text = f"names in {folder}/ that differ by case only: {_some(twice)}"
            yield Finding(NOTE, text, "rename them: some file systems take them for one")


def _lost(dataset: Dataset) -> Iterator[Finding]:
    """Records that name pictures which are gone."""
    for stage in STAGES:
        made = [r["file_name"] for r in dataset.records(stage) if r.get("status") == MADE]
        lost = [name for name in made if not (dataset.root / name).exists()]
        if lost:
            text = f"{len(lost)} in {stage}.jsonl are gone: {_some(lost)}"
            verb = VERB_OF.get(lost[0].split("/")[0], stage)
            yield Finding(PROBLEM, text, f"run `animeprep {verb}`, which makes them again")


def _torn(dataset: Dataset) -> Iterator[Finding]:
    """Records that cannot be read, which a crash or a full disk leaves."""
    remedies = {
        **{stage: f"run `animeprep {verb}`, which looks again" for stage, verb in _RECORDS.items()},
        CURATION: "these choices are lost: run `animeprep review`, and make them again",
    }
    for stage, remedy in remedies.items():
        torn = dataset.records(stage).torn
        if torn:
            yield Finding(PROBLEM, f"lines of {stage}.jsonl that were cut off: {torn}", remedy)


def _links(dataset: Dataset) -> Iterator[Finding]:
    for folder in FOLDERS:
        links = [path.name for path in dataset.links_out(folder)]
        if links:
            text = f"{len(links)} in {folder}/ are links out of the dataset: {_some(links)}"
            yield Finding(PROBLEM, text, "copy these pictures here: links are passed over")


def _leftovers(dataset: Dataset) -> Iterator[Finding]:
    parts = [dataset.file_name(path) for path in sorted(dataset.root.rglob(".*.part"))]
    if parts:
        text = f"{len(parts)} half-written files of a killed run: {_some(parts)}"
        yield Finding(NOTE, text, "run that verb again, or remove them")


def _variety(examined: Examined) -> Iterator[Finding]:
    style = len(examined[STYLE])
    if 0 < style < _ENOUGH:
        text = f"{style} style pictures are few: others trained with 1,300 to 6,000"
        yield Finding(NOTE, text, "add scenes that differ; variety counts, not number")


def _night(dataset: Dataset) -> Iterator[Finding]:
    judged = list(dataset.records("dedup"))
    night = sum(record.get("reason") == NIGHT for record in judged)
    if night > MUCH_NIGHT * len(judged):
        text = f"{night} of {len(judged)} frames ({night / len(judged):.0%}) are night"
        yield Finding(NOTE, text, "they were left out; see that enough day scenes remain")


def _licence(examined: Examined) -> Iterator[Finding]:
    if examined[FRAMES] or examined[STYLE]:
        text = "films are somebody's work: pictures of them, and maybe what learns from them, too"
        yield Finding(NOTE, text, "ask before you publish either")


def _next(dataset: Dataset, examined: Examined) -> Iterator[Finding]:
    """The first step, in the order of the work, that is not done."""
    steps = [
        (STYLE, "there are no style pictures", _towards_style(dataset, examined)),
        (SMOOTH, "there are no smooth pictures", VERB_OF[SMOOTH]),
        (GRAY, "there are no gray pictures", VERB_OF[GRAY]),
        (SMOOTH_GRAY, "there are no gray smooth pictures", VERB_OF[SMOOTH_GRAY]),
        (PHOTO, "there are no photos", VERB_OF[PHOTO]),
    ]
    for folder, text, verb in steps:
        if not examined[folder]:
            yield Finding(NOTE, text, f"run `animeprep {verb}` next")
            return
    yield Finding(OK, "all sets are there", "run `animeprep train` next")


def _towards_style(dataset: Dataset, examined: Examined) -> str:
    if examined[CROPS]:
        return VERB_OF[STYLE]
    if not examined[FRAMES]:
        return VERB_OF[FRAMES]
    return VERB_OF[CROPS] if list(dataset.records("dedup")) else "dedup"
