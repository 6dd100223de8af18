"""The one driver of all folder stages: order, resume, workers, errors of single files → Summary.

A stage is a function from one picture to what it makes of it. The driver reads the source, skips
it when its records say that the same bytes met the same settings before, runs the rest on all
cores through joblib, writes what was made, and keeps one record for each picture. Pictures
dropped in or changed by hand are never overwritten or removed.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import joblib

from animeprep.boxes import Picture
from animeprep.dataset import Dataset
from animeprep.errors import PictureError
from animeprep.files import sha256, sweep_parts, write_atomic, writing
from animeprep.images import decode_rgb, encode_png, read_bytes
from animeprep.progress import progress
from animeprep.records import Record, Records

MADE, KEPT, DROPPED, SKIPPED, FAILED = "made", "kept", "dropped", "skipped", "failed"


@dataclass(frozen=True)
class Made:
    """What a stage made of one picture.

    Attributes:
        file_name: where it belongs, relative to the dataset.
        picture: what to write there as PNG; None for a stage that only measures or leaves out.
        status: `made`, `kept`, `dropped` or `skipped`.
        fields: what else the record says.
    """

    file_name: str
    picture: Picture | None = None
    status: str = MADE
    fields: dict[str, Any] = field(default_factory=dict)


class Make(Protocol):
    """A stage's function on one picture; it must be deterministic."""

    def __call__(self, name: str, picture: Picture) -> list[Made]:
        """Args: the source's file name in records; its picture, uint8 RGB H×W×3."""
        ...


@dataclass
class Summary:
    """What a run of a stage did, in counts of pictures.

    Attributes:
        stage: the verb.
        counts: status → pictures that this run handled; `unchanged` were done before,
            `removed` lost their source, `by hand` are the user's own and were left alone.
        reasons: why pictures were skipped, dropped or failed → how many.
        problems: one line for each file that failed.
        figures: what else was measured.
    """

    stage: str
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False

    def count(self, record: Record, path: Path) -> None:
        """Add a fresh record of what was made of the file at `path`."""
        self.counts[record["status"]] += 1
        if record.get("reason"):
            self.reasons[record["reason"]] += 1
        if record["status"] == FAILED:
            self.problems.append(f"{path}: {record['reason']}")

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "dry_run": self.dry_run,
            "counts": dict(sorted(self.counts.items())),
            "reasons": dict(sorted(self.reasons.items())),
            "problems": self.problems,
            **self.figures,
        }


def workers_for(items: int) -> int:
    """How many workers a stage gets: one a core, and one for every eight pictures at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, items // 8))


def run_stage(  # noqa: PLR0913 - the driver's whole vocabulary
    dataset: Dataset,
    stage: str,
    sources: list[Path],
    make: Make,
    fingerprint: Callable[[str], str],
    *,
    name_of: Callable[[Path], str] | None = None,
    forget: bool = True,
    dry_run: bool = False,
) -> Summary:
    """Run a stage over its sources and tidy up behind it.

    Args:
        dataset: where records and pictures go.
        stage: the verb; its records are `<stage>.jsonl`.
        sources: the pictures to work on.
        make: the stage's function on one picture.
        fingerprint: source name → what `make` depends on beside the picture; a change redoes it.
        name_of: path → the source's name in records; for sources outside of the dataset.
        forget: remove what was made of sources that are not among these.
        dry_run: count only.

    Returns:
        The counts. Broken pictures are counted and recorded as failed; the others go on.

    Raises:
        OutputError: something cannot be written; what was finished before is kept.
    """
    name_of = name_of or dataset.file_name
    records = dataset.records(stage)
    summary = Summary(stage, problems=records.told(), dry_run=dry_run)
    named = {name_of(path): path for path in sources}
    _refuse(dataset, sources, summary)
    _doubt_torn(records)
    if forget:
        _forget_lost(dataset, records, set(named), summary)
    jobs = (
        (name, path, fingerprint(name), records.of(name)) for name, path in sorted(named.items())
    )
    if dry_run:
        for job in jobs:
            _foresee(dataset, summary, *job)
        return summary
    worker = _Worker(dataset, make, records)
    pool = joblib.Parallel(
        n_jobs=workers_for(len(named)), prefer="threads", return_as="generator_unordered"
    )
    with progress(stage, len(named)) as advance:
        results: Iterable[tuple[str, list[Record] | None]] = pool(
            joblib.delayed(worker)(*job) for job in jobs
        )
        for name, made in results:
            advance()
            if made is None:
                summary.counts["unchanged"] += max(1, len(records.of(name)))
                continue
            _remove_made(dataset, _no_longer_made(records.of(name), made), summary)
            records.put(name, made)
            for record in made:
                summary.count(record, named[name])
    records.tidy()
    _sweep(dataset, records)
    return summary


def _doubt_torn(records: Records) -> None:
    """Where lines were cut off, look at all sources again: of one, a part may still be known."""
    for record in records if records.torn else ():
        record["settings"] = None


def _refuse(dataset: Dataset, sources: list[Path], summary: Summary) -> None:
    """Tell of pictures in the folders of the sources that cannot be among them."""
    folders = {path.parent for path in sources if path.is_relative_to(dataset.root)}
    for folder in sorted(map(dataset.file_name, folders)):
        problems = [
            f"{path}: is a link out of the dataset; copy the picture here"
            for path in dataset.links_out(folder)
        ]
        problems += [
            f"{path}: another picture here has this name; rename one"
            for path in dataset.namesakes(folder)
        ]
        summary.counts += Counter({FAILED: len(problems)})
        summary.problems += problems


class _Worker:
    """Handles one source; runs in joblib's workers."""

    def __init__(self, dataset: Dataset, make: Make, records: Records) -> None:
        self.dataset = dataset
        self.make = make
        self.begin = records.begin
        self.left_by_a_kill = frozenset(records.begun)

    def __call__(
        self, name: str, path: Path, settings: str, old: list[Record]
    ) -> tuple[str, list[Record] | None]:
        """Make the source's pictures; None where all is done already."""
        cv2.setNumThreads(1)
        try:
            data = read_bytes(path)
            source_sha256 = sha256(data)
            if _unlike(self.dataset, source_sha256, settings, old) is None:
                return name, None
            made = self.make(name, decode_rgb(data, path))
        except PictureError as error:
            reason = f"{error.problem}; {error.remedy}" if error.remedy else error.problem
            return name, [{"file_name": name, "status": FAILED, "reason": reason, "source": name}]
        shared = {"source": name, "source_sha256": source_sha256, "settings": settings}
        if any(one.picture is not None for one in made):
            self.begin(name)
        return name, [self._write(one, shared, old) for one in made]

    def _is_ours(self, digest: str, source: str, old: list[Record]) -> bool:
        """Whether a file is what this stage made before, and not the user's own."""
        digests = {record.get("sha256"): record["status"] for record in old}
        return digests.get(digest) == MADE or (
            digest not in digests and source in self.left_by_a_kill
        )

    def _write(self, made: Made, shared: Record, old: list[Record]) -> Record:
        record: Record = {"file_name": made.file_name, "status": made.status, **made.fields}
        if made.picture is not None:
            data = encode_png(made.picture)
            path = self.dataset.path(made.file_name)
            record["sha256"] = sha256(data)
            if path.exists():
                present = sha256(path.read_bytes())
                if present == record["sha256"]:
                    return {**record, **shared}
                if not self._is_ours(present, shared["source"], old):
                    # Neither what this stage makes nor what it made before: the user's own.
                    record.update(status="by hand", sha256=present)
                    return {**record, **shared}
            write_atomic(path, data)
        return {**record, **shared}


def _foresee(
    dataset: Dataset, summary: Summary, name: str, path: Path, settings: str, old: list[Record]
) -> None:
    """Count what a run would do about a source, and why; later stages hear of it."""
    why = _why_redo(dataset, name, path, settings, old)
    if why is None:
        summary.counts["unchanged"] += len(old)
        return
    summary.counts["to do"] += 1
    summary.reasons[why] += 1
    dataset.pending.update(record["file_name"] for record in old)


def _why_redo(
    dataset: Dataset, name: str, path: Path, settings: str, old: list[Record]
) -> str | None:
    """Why a source has to be worked on, or None."""
    if name in dataset.pending:
        return "made again before"
    try:
        digest = sha256(read_bytes(path))
    except PictureError:
        return "cannot be read"
    return _unlike(dataset, digest, settings, old)


def _unlike(dataset: Dataset, source_sha256: str, settings: str, old: list[Record]) -> str | None:
    """What keeps records from saying that these bytes met these settings; None where they do."""
    whys = {
        "new": not old,
        "failed before": any(record["status"] == FAILED for record in old),
        "changed": any(record.get("source_sha256") != source_sha256 for record in old),
        "other settings": any(record.get("settings") != settings for record in old),
        "result missing": any(
            "sha256" in record and not dataset.path(record["file_name"]).exists() for record in old
        ),
    }
    return next((why for why, holds in whys.items() if holds), None)


def _no_longer_made(old: list[Record], new: list[Record]) -> Iterator[Record]:
    names = {record["file_name"] for record in new}
    return (record for record in old if record["file_name"] not in names)


def _forget_lost(dataset: Dataset, records: Records, names: set[str], summary: Summary) -> None:
    """Remove what was made of sources that are gone."""
    for source in records.sources():
        if source not in names:
            _remove_made(dataset, records.of(source), summary)
            if not summary.dry_run:
                records.drop(source)


def _remove_made(dataset: Dataset, lost: Iterable[Record], summary: Summary) -> None:
    """Remove pictures that a stage made, unless they were changed by hand since."""
    for record in lost:
        if record["status"] != MADE or "sha256" not in record:
            continue
        path = dataset.path(record["file_name"])
        if path.exists() and sha256(path.read_bytes()) == record["sha256"]:
            summary.counts["removed"] += 1
            if summary.dry_run:
                dataset.leaving.add(record["file_name"])
                continue
            with writing(path):
                path.unlink()


def _sweep(dataset: Dataset, records: Records) -> None:
    for folder in {dataset.path(record["file_name"]).parent for record in records}:
        sweep_parts(folder)
