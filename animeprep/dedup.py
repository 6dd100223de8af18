"""Leaves out what teaches nothing: black, night, cards, and copies of one drawing. Verb: dedup.

Nothing is deleted from a user's folders: what is left out is recorded with its reason (for a copy:
its keeper and the distance in bits) and a thumbnail, and later stages pass it over. What was
chosen by hand comes before all that is measured.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.clusters import leaders
from animeprep.curation import KEEP, REJECT, decisions
from animeprep.dataset import FRAMES, LEFT_OUT, Dataset, stem
from animeprep.descriptor import describe, to_text
from animeprep.errors import PictureError
from animeprep.files import write_atomic, writing
from animeprep.folders import DROPPED, FAILED, KEPT, Made, Summary, run_stage, workers_for
from animeprep.gates import GateSettings, judge, measure, sharpness
from animeprep.hashes import THRESHOLDS, Hash, hash_picture
from animeprep.images import encode_jpeg, read_rgb, thumbnail
from animeprep.records import Record, Records

STAGE = "dedup"
COPY, REJECTED, NIGHT, NOT_HASHED = "copy", "rejected", "night", "not hashed yet"
#: Pictures of a shorter side than this are not looked at, pixels.
SMALLEST = 16
#: Counts pictures that are kept and not on disk: the next `prepare` decodes them.
TO_DECODE = "to decode again"
#: Above this share of night scenes a set is unlikely to be what its maker wants.
MUCH_NIGHT = 0.1


class DedupSettings(GateSettings):
    """The bounds of the gates, and how alike two copies of one drawing are."""

    ALTERNATIVES = (("alike", "threshold"),)

    hash: Literal["phash-256", "phash-64", "dhash-64"] = "phash-256"
    """the perceptual hash that tells copies, by its kind and bits"""
    method: Literal["exact", "fast"] = "exact"
    """exact: bit for bit as the imagehash package; fast: a few bits beside it"""
    alike: Literal["strict", "normal", "loose"] = "normal"
    """how much two pictures may differ and still be one drawing"""
    threshold: int | None = Field(default=None, ge=0, le=256)
    """instead, the number of bits in which their hashes may differ"""

    def bits(self) -> int:
        """The number of bits in which copies may differ."""
        return THRESHOLDS[self.hash][self.alike] if self.threshold is None else self.threshold

    def looked_at(self) -> str:
        """What the measurements depend on; bounds only decide over them."""
        return f"{self.hash} {self.method}"


def examine(picture: Picture, settings: DedupSettings) -> Record:
    """Everything that is measured on one picture; no bound matters here.

    Args:
        picture: uint8 RGB H×W×3.
        settings: which hash.

    Returns:
        hash (hexadecimal), sharpness and gates (see `gates`), descriptor (see `descriptor`).

    Raises:
        PictureError: the picture is too small to have any of these.
    """
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise PictureError("picture", f"{width}×{height} is too small", "remove it")
    return {
        "hash": hash_picture(picture, settings.hash, settings.method).tobytes().hex(),
        "sharpness": sharpness(picture),
        "gates": measure(picture),
        "descriptor": to_text(describe(picture)),
    }


def preference(record: Record) -> tuple[float, int, str]:
    """Sort key of pictures that might be one drawing: sharper, then earlier, then by name."""
    return -record["sharpness"], record.get("index", 0), record["file_name"]


def hash_of(record: Record) -> Hash:
    """The perceptual hash that a record holds."""
    return np.frombuffer(bytes.fromhex(record["hash"]), np.uint8)


def decide(records: Records, settings: DedupSettings, by_hand: Mapping[str, str]) -> None:
    """Set status, reason, keeper and distance of every examined picture, in memory.

    Leader clustering in order of `preference`: dropped pictures lie within the threshold of a kept
    one, and kept pictures are pairwise farther apart, but for those that are kept by hand.

    Args:
        records: of this stage.
        settings: bounds and threshold.
        by_hand: name → `keep` or `reject`.
    """
    candidates = []
    for record in (one for one in records if one["status"] != FAILED):
        for stale in ("reason", "keeper", "distance"):
            record.pop(stale, None)
        reason = _left_out_for(record, settings, by_hand.get(record["file_name"]))
        if reason:
            record.update(status=DROPPED, reason=reason)
        elif record["settings"] == settings.looked_at():
            candidates.append(record)
        else:
            # Another kind of hash, of a picture that is not on disk: `prepare` looks again.
            record.update(status=DROPPED, reason=NOT_HASHED)
    candidates.sort(key=preference)
    protected = [n for n, one in enumerate(candidates) if by_hand.get(one["file_name"]) == KEEP]
    clusters = leaders([hash_of(record) for record in candidates], settings.bits(), protected)
    for position, (record, (leader, distance)) in enumerate(zip(candidates, clusters, strict=True)):
        if leader == position:
            record["status"] = KEPT
        else:
            keeper = candidates[leader]["file_name"]
            record.update(status=DROPPED, reason=COPY, keeper=keeper, distance=distance)


def _left_out_for(record: Record, settings: DedupSettings, decision: str | None) -> str | None:
    """Why a picture is left out whatever the others are: rejected by hand, or a gate."""
    if decision == REJECT:
        return REJECTED
    return None if decision == KEEP else judge(record["gates"], settings)


def dedup(dataset: Dataset, settings: DedupSettings, *, dry_run: bool = False) -> Summary:
    """Examine `frames/` and decide what the later stages take.

    A dry run examines, too, but writes nothing; its figures tell how many copies each preset
    would leave out.

    Raises:
        DatasetError: there are no frames.
        OutputError: a record or thumbnail cannot be written.
    """
    origin = dataset.records("frames").named()

    def make(name: str, picture: Picture) -> list[Made]:
        sampled = origin.get(name, {})
        known: Record = {key: sampled[key] for key in ("film_id", "index") if key in sampled}
        return [Made(name, None, KEPT, {**known, **examine(picture, settings)})]

    found = dataset.pictures(FRAMES)
    summary = run_stage(
        dataset, STAGE, found, make, lambda _: settings.looked_at(), forget=False, dry_run=dry_run
    )
    if dry_run:
        return _foresee(dataset, settings, found, summary)
    return settle(dataset, settings, summary)


def settle(dataset: Dataset, settings: DedupSettings, summary: Summary) -> Summary:
    """Decide over all examined pictures; write records and the thumbnails of what is left out."""
    records = _present(dataset)
    for name in dataset.records(STAGE).sources():
        if not records.of(name):
            forget_thumbnail(dataset, name)
    decide(records, settings, decisions(dataset))
    records.tidy()
    _count(records, summary)
    refused = {*dataset.links_out(FRAMES), *dataset.namesakes(FRAMES)}
    summary.counts += Counter({FAILED: len(refused)})
    for record in records:
        is_there = dataset.path(record["file_name"]).exists()
        if record["status"] == KEPT and is_there:
            forget_thumbnail(dataset, record["file_name"])
        elif record["status"] == KEPT:
            summary.counts[TO_DECODE] += 1
        elif record["status"] == DROPPED and is_there:
            keep_thumbnail(dataset, record["file_name"])
    return summary


def _present(dataset: Dataset) -> Records:
    """What was examined, without those that the user removed from the folder."""
    records = dataset.records(STAGE)
    origin = dataset.records("frames").named()
    for name in records.sources():
        # Not in the folder, and not because `prepare` left it out.
        lost = not dataset.path(name).exists() and origin.get(name, {}).get("status") != DROPPED
        if lost or name in dataset.leaving:
            records.drop(name)
    return records


def _count(records: Records, summary: Summary) -> None:
    """Count who is kept, who is left out and why; tell of much night."""
    summary.counts = Counter(record["status"] for record in records)
    summary.reasons = Counter(r["reason"] for r in records if r["status"] != KEPT)
    night, total = summary.reasons[NIGHT], summary.counts.total()
    if night > MUCH_NIGHT * total:
        summary.problems.append(
            f"{night} of {total} pictures are night scenes, which make a dark, muddy style; "
            "is this the right film, or --night too high?"
        )


def _foresee(
    dataset: Dataset, settings: DedupSettings, found: list[Path], summary: Summary
) -> Summary:
    """What would be left out, with the settings and with each preset; nothing is written."""
    records = _present(dataset)
    names = {dataset.file_name(path): path for path in found}
    new = [
        name
        for name in names
        if not any(r.get("settings") == settings.looked_at() for r in records.of(name))
    ]
    pool = joblib.Parallel(n_jobs=workers_for(len(new)), prefer="threads")
    examined = pool(joblib.delayed(_examined)(names[name], settings) for name in new)
    for name, record in zip(new, examined, strict=True):
        records.update(name, [{"file_name": name, **record}])
    by_hand = decisions(dataset)
    for preset in THRESHOLDS[settings.hash]:
        alike = settings.model_copy(update={"alike": preset, "threshold": None})
        decide(records, alike, by_hand)
        copies = sum(record.get("reason") == COPY for record in records)
        summary.figures[f"copies_{preset}"] = copies
    decide(records, settings, by_hand)
    dataset.foreseen[STAGE] = records
    _count(records, summary)
    kept = (record["file_name"] for record in records if record["status"] == KEPT)
    summary.counts[TO_DECODE] = sum(not dataset.path(name).exists() for name in kept)
    return summary


def _examined(path: Path, settings: DedupSettings) -> Record:
    """The record of a picture that is looked at for a dry run."""
    try:
        measured = examine(read_rgb(path), settings)
        return {"status": KEPT, "settings": settings.looked_at(), **measured}
    except PictureError as error:
        return {"status": FAILED, "reason": error.problem}


def thumbnail_name(name: str) -> str:
    """Where the thumbnail of a left-out frame lies.

    >>> thumbnail_name("frames/a_0000050.png")
    'left_out/a_0000050.jpg'
    """
    return f"{LEFT_OUT}/{stem(name)}.jpg"


def keep_thumbnail(dataset: Dataset, name: str, picture: Picture | None = None) -> None:
    """Write the 160-pixel thumbnail of a left-out picture, where it is not there yet.

    Args:
        dataset: of the picture.
        name: its name.
        picture: uint8 RGB H×W×3; otherwise it is read.
    """
    path = dataset.path(thumbnail_name(name))
    if not path.exists():
        picture = read_rgb(dataset.path(name)) if picture is None else picture
        write_atomic(path, encode_jpeg(thumbnail(picture), 85))


def forget_thumbnail(dataset: Dataset, name: str) -> None:
    """Remove the thumbnail of a picture that is kept after all."""
    path = dataset.path(thumbnail_name(name))
    with writing(path):
        path.unlink(missing_ok=True)
