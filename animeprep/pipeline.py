"""All stages in order: from films and photos to the sets. Verb: prepare.

Films are read once: each sampled picture is examined while it is in memory, and only pictures that
pass are encoded. The outcome is what the verbs one by one make: the same `style/`.
"""

import contextlib
import difflib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath

from animeprep.choose import STAGE as CHOOSE
from animeprep.choose import ChooseSettings, choose
from animeprep.crop import CropSettings, crop
from animeprep.curation import KEEP, decide
from animeprep.dataset import FRAMES, Dataset, stem
from animeprep.dedup import (
    STAGE as DEDUP,
)
from animeprep.dedup import (
    TO_DECODE,
    DedupSettings,
    dedup,
    forget_thumbnail,
    keep_thumbnail,
    settle,
)
from animeprep.edges import EdgeSettings, edges
from animeprep.errors import DatasetError, UsageError
from animeprep.examiner import Examiner
from animeprep.exposure import ExposureSettings, exposure
from animeprep.files import sha256, writing
from animeprep.film import FilmRules
from animeprep.folders import DROPPED, KEPT, MADE, Summary
from animeprep.frames import STAGE as FRAMES_STAGE
from animeprep.frames import FrameSettings, frames, restore
from animeprep.gray import gray
from animeprep.images import list_images, read_rgb
from animeprep.photos import PhotoSettings, photos
from animeprep.records import Record, Records
from animeprep.settings import Settings

FILM_IS_NEEDED = "put it back where animeprep.toml says"


class PrepareSettings(Settings):
    """The settings of all stages."""

    frames: FrameSettings = FrameSettings()
    films: FilmRules = FilmRules()
    dedup: DedupSettings = DedupSettings()
    choose: ChooseSettings = ChooseSettings()
    crop: CropSettings = CropSettings()
    exposure: ExposureSettings = ExposureSettings()
    edges: EdgeSettings = EdgeSettings()
    photos: PhotoSettings = PhotoSettings()


def prepare(
    dataset: Dataset,
    inputs: list[Path],
    photo_folders: list[Path],
    settings: PrepareSettings,
    *,
    known: list[Path] | None = None,
    dry_run: bool = False,
) -> Iterator[Summary]:
    """Make all sets, from films (or folders of stills) and folders of photos.

    Args:
        dataset: where to.
        inputs: films, pictures and folders of pictures.
        photo_folders: photos; none leaves `photo/` as it is.
        settings: of all stages.
        known: inputs of earlier runs, from which pictures may have to be decoded again.
        dry_run: only say what would be done, and why.

    Yields:
        A summary after each stage.

    Raises:
        InputError: nothing of the input can be used.
        OutputError: something cannot be written.
    """
    if dry_run:
        examiner = Examiner(dataset, settings.dedup)
        yield frames(dataset, inputs, settings.frames, settings.films, sieve=examiner, dry_run=True)
        # Where nothing is there yet, only what comes first can be foreseen.
        with contextlib.suppress(DatasetError):
            yield dedup(dataset, settings.dedup, dry_run=True)
            yield from _make_sets(dataset, settings, dry_run=True)
    else:
        yield from sift(dataset, inputs, settings, [*inputs, *(known or ())])
        yield from _make_sets(dataset, settings, dry_run=False)
    if photo_folders:
        yield photos(dataset, photo_folders, settings.photos, dry_run=dry_run)


def _make_sets(dataset: Dataset, settings: PrepareSettings, *, dry_run: bool) -> Iterator[Summary]:
    """From the frames that dedup keeps to the sets."""
    yield choose(dataset, settings.choose, dry_run=dry_run)
    yield crop(dataset, settings.crop, dry_run=dry_run)
    yield exposure(dataset, settings.exposure, dry_run=dry_run)
    yield edges(dataset, settings.edges, dry_run=dry_run)
    yield gray(dataset, dry_run=dry_run)


def sift(
    dataset: Dataset, inputs: list[Path], settings: PrepareSettings, known: list[Path]
) -> Iterator[Summary]:
    """Frames and dedup in one pass over each film: encodes only what passes.

    A picture that was written and then lost to a sharper one is removed; the rare one that was
    passed over and wins after all is decoded again.
    """
    examiner = Examiner(dataset, settings.dedup)
    told = examiner.records.told()
    sampled = frames(dataset, inputs, settings.frames, settings.films, sieve=examiner)
    sampled.problems += told
    examiner.records.tidy()
    if list_images(dataset.root / FRAMES):
        # Looks at what the sieve did not see: frames that were there before.
        decided = dedup(dataset, settings.dedup)
    else:
        decided = settle(dataset, settings.dedup, Summary(DEDUP))
    _bring_back_winners(dataset, known, settings.films, sampled)
    decided.counts[TO_DECODE] = 0
    records = dataset.records(FRAMES_STAGE)
    for judged in dataset.records(DEDUP):
        for record in records.of(judged["file_name"]):
            if judged["status"] == DROPPED and record["status"] == MADE:
                _leave_out(dataset, record)
                _move(sampled, DROPPED, MADE)
    records.tidy()
    _note_digests(dataset, records)
    yield sampled
    yield decided


def _bring_back_winners(
    dataset: Dataset, known: list[Path], rules: FilmRules, summary: Summary
) -> None:
    """Decode what was passed over while the film was read and is kept after all."""
    sampled = set(dataset.records(FRAMES_STAGE).sources())
    kept = {r["file_name"] for r in dataset.records(DEDUP) if r["status"] == KEPT}
    winners = {name for name in kept & sampled if not dataset.path(name).exists()}
    if winners:
        restore(dataset, known, winners, rules)
    for name in winners:
        if dataset.path(name).exists():
            _move(summary, MADE, DROPPED)
    for name in sorted(kept):
        if dataset.path(name).exists():
            forget_thumbnail(dataset, name)
        else:
            summary.problems.append(f"{name}: is kept, but its film is not there; {FILM_IS_NEEDED}")


def _move(summary: Summary, status: str, other: str) -> None:
    """Count a picture under another status: as this run counted it, or one before."""
    summary.counts[other if summary.counts[other] else "unchanged"] -= 1
    summary.counts[status] += 1


def judge_frames(
    dataset: Dataset, settings: PrepareSettings, *, dry_run: bool = False
) -> Iterator[Summary]:
    """Dedup; where a choice was made, that too, since it must know all that dedup keeps.

    Raises:
        DatasetError: there are no frames.
        OutputError: a record or thumbnail cannot be written.
    """
    yield dedup(dataset, settings.dedup, dry_run=dry_run)
    if (dataset.root / f"{CHOOSE}.jsonl").exists():
        yield choose(dataset, settings.choose, dry_run=dry_run)


def bring_back(
    dataset: Dataset,
    names: list[str],
    known: list[Path],
    settings: PrepareSettings,
    *,
    dry_run: bool = False,
) -> Iterator[Summary]:
    """Keep pictures by hand that were left out; those not on disk are decoded again.

    Args:
        dataset: where they were left out.
        names: frames, as records, thumbnails or files are called.
        known: the films and folders that they came from.
        settings: of dedup, choice and films.
        dry_run: count only.

    Yields:
        A summary after each stage.

    Raises:
        UsageError: there is no such frame.
        DatasetError: its film is not there any more.
    """
    frame_of = {stem(name): name for name in dataset.records(DEDUP).sources()}
    wanted = {_frame_named(name, frame_of) for name in names}
    missing = {name for name in wanted if not dataset.path(name).exists()}
    if dry_run:
        counts = Counter({"to keep by hand": len(wanted), TO_DECODE: len(missing)})
        yield Summary(DEDUP, counts, dry_run=True)
        return
    if missing:
        restore(dataset, known, missing, settings.films)
    for name in sorted(missing):
        if not dataset.path(name).exists():
            raise DatasetError(name, "its film is not there", FILM_IS_NEEDED)
    decide(dataset, sorted(wanted), KEEP)
    yield from judge_frames(dataset, settings)


def _frame_named(name: str, frame_of: dict[str, str]) -> str:
    """The frame that a user means by its name, its file, or its thumbnail.

    >>> _frame_named("dataset/left_out/a_0000050.jpg", {"a_0000050": "frames/a_0000050.png"})
    'frames/a_0000050.png'
    """
    file = PurePath(name).name
    for key in (stem(file), PurePath(file).stem, file):
        if key in frame_of:
            return frame_of[key]
    near = difflib.get_close_matches(PurePath(file).stem, frame_of, 1)
    hint = f"did you mean {near[0]}?" if near else "dedup.jsonl lists all frames"
    raise UsageError(f"{name}: there is no such frame here; {hint}")


def _note_digests(dataset: Dataset, frame_records: Records) -> None:
    """Let dedup's records tell which files they are about; of left-out frames there is none."""
    judged = dataset.records(DEDUP)
    for record in judged:
        for frame in frame_records.of(record["file_name"]):
            if "sha256" in frame:
                record.setdefault("source_sha256", frame["sha256"])
            else:
                record.pop("source_sha256", None)
    judged.tidy()


def _leave_out(dataset: Dataset, record: Record) -> None:
    """Turn a written frame into a thumbnail; one changed by hand stays."""
    path = dataset.path(record["file_name"])
    if path.exists() and sha256(path.read_bytes()) == record["sha256"]:
        keep_thumbnail(dataset, record["file_name"], read_rgb(path))
        with writing(path):
            path.unlink()
    record["status"] = DROPPED
    record.pop("sha256", None)
