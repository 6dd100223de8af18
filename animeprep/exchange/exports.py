"""The sets in another trainer's layout. Verb: export-set.

An export is written whole into a hidden folder beside the target, which then takes its place.
Pictures are written anew as PNG, so that every trainer can read them and none is broken. It shares
no files with the dataset: what trainers do to theirs must not reach it.
"""

import hashlib
import json
import shutil
from itertools import chain
from pathlib import Path

import joblib

from animeprep.boxes import Picture
from animeprep.dataset import PHOTO, SMOOTH, STYLE, VAL, VERB_OF, Dataset, made_name, stem
from animeprep.errors import OutputError, PictureError
from animeprep.exchange.layouts import GRAYS, LAYOUTS, Files, Layout, Sample, safe_name, same_file
from animeprep.files import make_folder, write_atomic, writing
from animeprep.folders import FAILED, MADE, SKIPPED, Summary, workers_for
from animeprep.images import list_images, read_rgb, to_gray
from animeprep.names import slug
from animeprep.progress import progress
from animeprep.records import Record

STAGE = "export-set"
#: What an export holds, so that a later one replaces nothing else.
MANIFEST = ".animeprep-export.json"
#: A shard grows to so many bytes at most, unless a single sample is larger.
SHARD_BYTES = 2**28
#: Ends a tar file.
_END = bytes(1024)
#: Stands for what no record says, so that each column of a table keeps its type.
_UNKNOWN: Record = {"film_id": "", "index": -1, "seconds": -1.0, "shot": -1}


def export_set(dataset: Dataset, layout: str, target: Path, *, dry_run: bool = False) -> Summary:
    """Write the sets in another trainer's layout, all of it or nothing.

    Args:
        dataset: where from; needs `style/` and `smooth/`, photos may be missing.
        layout: a name in `LAYOUTS`.
        target: the folder to write; an earlier export there is replaced.
        dry_run: count only.

    Returns:
        The counts of pictures; style pictures without partners are skipped, broken ones fail.

    Raises:
        DatasetError: a set is missing; the message names the verb that makes it.
        OutputError: the target holds something else, or cannot be written.
    """
    target = target.resolve()
    before = _earlier_export(target)
    summary = Summary(STAGE, dry_run=dry_run)
    summary.figures["layout"] = layout
    samples = _samples(dataset, LAYOUTS[layout], summary)
    if dry_run:
        summary.counts["to do"] = sum(len(sample.files) for sample in samples)
        return summary
    make_folder(target.parent)
    scratch = target.with_name(f".{target.name}.part")
    with writing(target):
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            fresh = make_folder(scratch / "new")
            _fill(fresh, LAYOUTS[layout], samples, summary)
            manifest = _contents(fresh)
            if manifest == before:
                summary.counts["unchanged"] = summary.counts.pop(MADE, 0)
                return summary
            write_atomic(fresh / MANIFEST, json.dumps(manifest, indent=0).encode())
            _replace(target, fresh, scratch / "old")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return summary


def _replace(target: Path, fresh: Path, old: Path) -> None:
    """Put a folder where another may be; that one comes back if this fails."""
    if target.exists():
        target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _earlier_export(target: Path) -> dict[str, str] | None:
    """What an earlier export left in the target; None where nothing is there.

    Raises:
        OutputError: something is there that no export wrote.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    try:
        before: dict[str, str] = json.loads((target / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        problem = "is there already, and is not an earlier export"
        raise OutputError(target, problem, "name a folder that does not exist") from error
    present = _contents(target)
    foreign = sorted(name for name in present if before.get(name) != present[name])
    if foreign:
        problem = f"{foreign[0]} in it was added or changed since it was exported"
        raise OutputError(target, problem, "name another folder, or move that file")
    return before


def _contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but hidden ones, by its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            with path.open("rb") as file:
                name = path.relative_to(folder).as_posix()
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _samples(dataset: Dataset, layout: Layout, summary: Summary) -> list[Sample]:
    """What is to be exported, in order; what is skipped is counted in the summary."""
    style = dataset.pictures(STYLE)
    dataset.pictures(SMOOTH)
    partners = _partners(dataset, style, layout, summary)
    _refuse_links(dataset, [*layout.sets, *layout.partners], summary)
    origins = _origins(dataset)
    style_name = slug(dataset.root.resolve().name)
    samples = []
    for folder in layout.sets:
        taken: set[str] = set()
        for own in _own_pictures(dataset, folder):
            names = {folder: own}
            if folder == STYLE:
                names |= {one: made_name(one, own) for one in partners}
            files = {one: dataset.root / name for one, name in names.items()}
            origin = {} if folder in {PHOTO, VAL} else _UNKNOWN | origins.get(own, {})
            sample = Sample(safe_name(stem(own)), folder, files, style_name, origin)
            reason = _why_not(dataset, sample, taken)
            if reason:
                summary.counts[SKIPPED] += 1
                summary.reasons[reason] += 1
                continue
            taken.add(same_file(sample.name))
            samples.append(sample)
    return samples


def _refuse_links(dataset: Dataset, folders: list[str], summary: Summary) -> None:
    """Tell of pictures that are links out of the dataset."""
    for path in chain.from_iterable(map(dataset.links_out, folders)):
        summary.counts[FAILED] += 1
        summary.problems.append(f"{path}: is a link out of the dataset; copy the picture here")


def _own_pictures(dataset: Dataset, folder: str) -> list[str]:
    """The names of a folder's pictures, in order; there may be none."""
    links = dataset.links_out(folder)
    found = list_images(dataset.root / folder)
    return [dataset.file_name(path) for path in found if path not in links]


def _is_there(dataset: Dataset, path: Path) -> bool:
    """Whether the dataset has a picture; a link to somewhere else is none."""
    if path.is_symlink() and not dataset.holds(path):
        return False
    return dataset.path(dataset.file_name(path)).exists()


def _why_not(dataset: Dataset, sample: Sample, taken: set[str]) -> str:
    """Why a sample cannot be exported; empty where it can."""
    for folder, file in sample.files.items():
        if not _is_there(dataset, file):
            return f"no picture in {folder}/ (run `animeprep {VERB_OF[folder]}`)"
    return "named like another" if same_file(sample.name) in taken else ""


def _partners(
    dataset: Dataset, style: list[Path], layout: Layout, summary: Summary
) -> tuple[str, ...]:
    """The layout's partners, without gray folders that are not complete."""

    def lacks(folder: str) -> int:
        names = (made_name(folder, dataset.file_name(path)) for path in style)
        return sum(not _is_there(dataset, dataset.root / name) for name in names)

    lacking = {one: lacks(one) for one in layout.partners if one in GRAYS}
    for folder, count in lacking.items():
        if count:
            summary.reasons[f"{folder}/ left out, pictures missing:"] += count
    return tuple(one for one in layout.partners if not lacking.get(one))


def _origins(dataset: Dataset) -> dict[str, Record]:
    """Style picture → film_id, index, seconds and shot of the frame that it is a part of."""
    crops = dataset.records("crop").named()
    frames = dataset.records("frames").named()
    origins = {}
    for name, record in dataset.records("exposure").named().items():
        crop = crops.get(record.get("source", ""), {})
        frame = frames.get(crop.get("source", ""), {})
        # A column's type is that of its default.
        origins[name] = {
            key: type(default)(frame[key])
            for key, default in _UNKNOWN.items()
            if frame.get(key) is not None
        }
    return origins


def _fill(folder: Path, layout: Layout, samples: list[Sample], summary: Summary) -> None:
    """Write the files of all samples, in order."""
    pool = joblib.Parallel(
        n_jobs=workers_for(len(samples)), prefer="threads", return_as="generator"
    )
    shelf = _Shelf(folder)
    sizes = set()
    with progress(STAGE, len(samples)) as advance:
        jobs = (joblib.delayed(_convert)(layout, sample) for sample in samples)
        for sample, (files, size, problem) in zip(samples, pool(jobs), strict=True):
            advance()
            if problem:
                summary.counts[FAILED] += 1
                summary.problems.append(problem)
                continue
            shelf.put(files)
            summary.counts[MADE] += len(sample.files)
            summary.figures[sample.folder] = summary.figures.get(sample.folder, 0) + 1
            if sample.folder != VAL:
                sizes.add(size)
    shelf.close()
    # Both trainers of folders stop at a batch of several sizes.
    summary.figures["sizes"] = " ".join(f"{width}×{height}" for width, height in sorted(sizes))


def _convert(layout: Layout, sample: Sample) -> tuple[Files, tuple[int, int], str]:
    """A sample's files, the width and height of its pictures, and what is wrong with them."""
    try:
        pictures = {folder: _read(folder, file) for folder, file in sample.files.items()}
    except PictureError as error:
        return [], (0, 0), str(error)
    height, width = pictures[sample.folder].shape[:2]
    for folder, picture in pictures.items():
        if picture.shape[:2] != (height, width):
            other = f"{picture.shape[1]}×{picture.shape[0]}"
            problem = f"{width}×{height}, but its partner in {folder}/ is {other}"
            remedy = f"run `animeprep {VERB_OF[folder]}`"
            return [], (0, 0), str(PictureError(sample.files[sample.folder], problem, remedy))
    return layout.files(sample, pictures), (width, height), ""


def _read(folder: str, path: Path) -> Picture:
    picture = read_rgb(path)
    return to_gray(picture) if folder in GRAYS else picture


class _Shelf:
    """Puts files into a fresh folder; those named `.tar` become numbered shards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards: dict[str, int] = {}

    def put(self, files: Files) -> None:
        """Append to each file what belongs there."""
        for name, data in files:
            path = self._shard(name, len(data)) if name.endswith(".tar") else self.folder / name
            make_folder(path.parent)
            with path.open("ab") as file:
                file.write(data)

    def close(self) -> None:
        """End all shards."""
        for path in self.folder.glob("*.tar"):
            with path.open("ab") as file:
                file.write(_END)

    def _shard(self, name: str, size: int) -> Path:
        number = self.shards.setdefault(name, 0)
        path = self._numbered(name, number)
        if path.exists() and path.stat().st_size + size + len(_END) > SHARD_BYTES:
            self.shards[name] = number + 1
            path = self._numbered(name, number + 1)
        return path

    def _numbered(self, name: str, number: int) -> Path:
        return self.folder / name.replace(".tar", f"-{number:06d}.tar")
