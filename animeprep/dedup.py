"""Leaves out what teaches nothing: black, night, cards, and copies of one drawing. Verb: dedup.

Nothing is deleted from a user's folders: what is left out is recorded with its reason (for a copy:
its keeper and the distance in bits) and a thumbnail, and later stages pass it over.
"""

import numpy as np
from pydantic import Field

from animeprep.boxes import Picture
from animeprep.dataset import FRAMES, LEFT_OUT, Dataset, stem
from animeprep.files import write_atomic, writing
from animeprep.folders import DROPPED, FAILED, KEPT, Made, Summary, run_stage
from animeprep.gates import GateSettings, judge, measure, sharpness
from animeprep.hashes import BITS, Hash, leaders, phash
from animeprep.images import encode_jpeg, read_rgb, thumbnail
from animeprep.records import Record, Records

STAGE = "dedup"
COPY = "copy"


class DedupSettings(GateSettings):
    """The bounds of the gates, and how alike two copies of one drawing are."""

    threshold: int = Field(default=26, ge=0, le=BITS)
    """pictures whose 256-bit perceptual hashes differ in at most this many bits are one drawing"""


def examine(picture: Picture, settings: DedupSettings) -> Record:
    """Everything that is measured on one picture.

    Args:
        picture: uint8 RGB H×W×3.
        settings: the gates' bounds.

    Returns:
        phash (64 hexadecimal digits), sharpness (see `gates`), gates (what `gates.measure` says),
        gate (the first not passed, or None).
    """
    measured = measure(picture)
    return {
        "phash": phash(picture).tobytes().hex(),
        "sharpness": sharpness(picture),
        "gates": measured,
        "gate": judge(measured, settings),
    }


def preference(record: Record) -> tuple[float, int, str]:
    """Sort key of pictures that might be one drawing: sharper, then earlier, then by name."""
    return -record["sharpness"], record.get("index", 0), record["file_name"]


def hash_of(record: Record) -> Hash:
    """The perceptual hash that a record holds."""
    return np.frombuffer(bytes.fromhex(record["phash"]), np.uint8)


def decide(records: Records, settings: DedupSettings) -> None:
    """Set status, reason, keeper and distance of every examined picture, in memory.

    Leader clustering in order of `preference`: dropped pictures lie within the threshold of a
    kept one, and kept pictures are pairwise farther apart.
    """
    examined = [record for record in records if record["status"] != FAILED]
    candidates = []
    for record in examined:
        for stale in ("reason", "keeper", "distance"):
            record.pop(stale, None)
        if record["gate"]:
            record.update(status=DROPPED, reason=record["gate"])
        else:
            candidates.append(record)
    candidates.sort(key=preference)
    clusters = leaders([hash_of(record) for record in candidates], settings.threshold)
    for position, (record, (leader, distance)) in enumerate(zip(candidates, clusters, strict=True)):
        if leader == position:
            record["status"] = KEPT
        else:
            keeper = candidates[leader]["file_name"]
            record.update(status=DROPPED, reason=COPY, keeper=keeper, distance=distance)


def dedup(dataset: Dataset, settings: DedupSettings, *, dry_run: bool = False) -> Summary:
    """Examine `frames/` and decide what the later stages take.

    Raises:
        DatasetError: there are no frames.
        OutputError: a record or thumbnail cannot be written.
    """
    origin = dataset.records("frames").named()

    def make(name: str, picture: Picture) -> list[Made]:
        sampled = origin.get(name, {})
        known: Record = {key: sampled[key] for key in ("film_id", "index") if key in sampled}
        return [Made(name, None, KEPT, {**known, **examine(picture, settings)})]

    summary = run_stage(
        dataset,
        STAGE,
        dataset.pictures(FRAMES),
        make,
        lambda _: settings.fingerprint(),
        forget=False,
        dry_run=dry_run,
    )
    return summary if dry_run else settle(dataset, settings, summary)


def settle(dataset: Dataset, settings: DedupSettings, summary: Summary) -> Summary:
    """Decide over all examined pictures; write records and the thumbnails of what is left out."""
    records = dataset.records(STAGE)
    origin = dataset.records("frames").named()
    for name in records.sources():
        # Gone from the folder and not left out by `prepare`: the user removed it.
        if not dataset.path(name).exists() and origin.get(name, {}).get("status") != DROPPED:
            records.drop(name)
            forget_thumbnail(dataset, name)
    decide(records, settings)
    records.tidy()
    summary.counts.clear()
    summary.reasons.clear()
    for record in records:
        summary.counts[record["status"]] += 1
        if record["status"] == KEPT:
            forget_thumbnail(dataset, record["file_name"])
            continue
        summary.reasons[record["reason"]] += 1
        path = dataset.path(record["file_name"])
        if record["status"] == DROPPED and path.exists():
            keep_thumbnail(dataset, record["file_name"], read_rgb(path))
    return summary


def thumbnail_name(name: str) -> str:
    """Where the thumbnail of a left-out frame lies.

    >>> thumbnail_name("frames/a_0000050.png")
    'left_out/a_0000050.jpg'
    """
    return f"{LEFT_OUT}/{stem(name)}.jpg"


def keep_thumbnail(dataset: Dataset, name: str, picture: Picture) -> None:
    """Write the 160-pixel thumbnail of a left-out picture, where it is not there yet."""
    path = dataset.path(thumbnail_name(name))
    if not path.exists():
        write_atomic(path, encode_jpeg(thumbnail(picture), 85))


def forget_thumbnail(dataset: Dataset, name: str) -> None:
    """Remove the thumbnail of a picture that is kept after all."""
    path = dataset.path(thumbnail_name(name))
    with writing(path):
        path.unlink(missing_ok=True)
