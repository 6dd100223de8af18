"""All stages in order: from films and photos to the sets. Verb: prepare.

Films are read once: each sampled picture is examined while it is in memory, and only pictures that
pass are encoded. The outcome is what the verbs one by one make: the same `style/`.
"""

from collections.abc import Iterator
from pathlib import Path

from animeprep.boxes import Picture
from animeprep.crop import CropSettings, crop
from animeprep.dataset import FRAMES, Dataset
from animeprep.dedup import (
    STAGE as DEDUP,
)
from animeprep.dedup import (
    DedupSettings,
    dedup,
    examine,
    forget_thumbnail,
    hash_of,
    keep_thumbnail,
    preference,
    settle,
)
from animeprep.edges import EdgeSettings, edges
from animeprep.exposure import ExposureSettings, exposure
from animeprep.files import sha256, writing
from animeprep.film import FilmRules
from animeprep.folders import DROPPED, KEPT, MADE, Summary
from animeprep.frames import STAGE as FRAMES_STAGE
from animeprep.frames import FrameSettings, frames, restore
from animeprep.gray import gray
from animeprep.hashes import distances
from animeprep.images import list_images, read_rgb
from animeprep.photos import PhotoSettings, photos
from animeprep.records import Record, Records
from animeprep.settings import Settings


class PrepareSettings(Settings):
    """The settings of all stages."""

    frames: FrameSettings = FrameSettings()
    films: FilmRules = FilmRules()
    dedup: DedupSettings = DedupSettings()
    crop: CropSettings = CropSettings()
    exposure: ExposureSettings = ExposureSettings()
    edges: EdgeSettings = EdgeSettings()
    photos: PhotoSettings = PhotoSettings()


class _Examiner:
    """The sieve of `prepare`: examines sampled pictures and foresees what dedup will leave out."""

    def __init__(self, dataset: Dataset, settings: DedupSettings) -> None:
        self.dataset = dataset
        self.settings = settings
        self.records = dataset.records(DEDUP)
        self.origin = dataset.records(FRAMES_STAGE)
        self.passed: list[Record] = [
            r for r in self.records if self._is_current(r) and not r["gate"]
        ]

    def _is_current(self, record: Record) -> bool:
        return "phash" in record and record.get("settings") == self.settings.fingerprint()

    def knows(self, name: str) -> bool:
        return any(self._is_current(record) for record in self.records.of(name))

    def judge(self, name: str, picture: Picture) -> bool:
        record: Record = {
            "file_name": name,
            "status": KEPT,
            **_origin(name),
            **examine(picture, self.settings),
            "source": name,
            "settings": self.settings.fingerprint(),
        }
        wanted = not record["gate"] and not self._has_better(record)
        self.records.put(name, [record])
        if not record["gate"]:
            self.passed.append(record)
        if not wanted:
            keep_thumbnail(self.dataset, name, picture)
        return wanted

    def _has_better(self, record: Record) -> bool:
        """Whether a copy that is preferred was seen already: then this one will hardly win."""
        own = hash_of(record)
        return any(
            preference(other) < preference(record)
            and int(distances(own, hash_of(other)[None])[0]) <= self.settings.threshold
            for other in self.passed
        )

    def written(self, name: str, digest: str) -> None:
        examined = [{**record, "source_sha256": digest} for record in self.records.of(name)]
        self.records.put(name, examined)


def _origin(name: str) -> Record:
    """Film and index of a sampled picture, from its name."""
    film_id, _, index = name.removeprefix("frames/").removesuffix(".png").rpartition("_")
    if film_id and len(index) == 7 and index.isdigit():
        return {"film_id": film_id, "index": int(index)}
    return {}


def prepare(
    dataset: Dataset,
    inputs: list[Path],
    photo_folders: list[Path],
    settings: PrepareSettings,
    *,
    dry_run: bool = False,
) -> Iterator[Summary]:
    """Make all sets, from films (or folders of stills) and folders of photos.

    Args:
        dataset: where to.
        inputs: films, pictures and folders of pictures.
        photo_folders: photos; none leaves `photo/` as it is.
        settings: of all stages.
        dry_run: only say what the first stages would do; the later ones depend on their results.

    Yields:
        A summary after each stage.

    Raises:
        InputError: nothing of the input can be used.
        OutputError: something cannot be written.
    """
    if dry_run:
        yield frames(dataset, inputs, settings.frames, settings.films, dry_run=True)
        if photo_folders:
            yield photos(dataset, photo_folders, settings.photos, dry_run=True)
        return
    yield from sift(dataset, inputs, settings)
    yield crop(dataset, settings.crop)
    yield exposure(dataset, settings.exposure)
    yield edges(dataset, settings.edges)
    yield gray(dataset)
    if photo_folders:
        yield photos(dataset, photo_folders, settings.photos)


def sift(dataset: Dataset, inputs: list[Path], settings: PrepareSettings) -> Iterator[Summary]:
    """Frames and dedup in one pass over each film: encodes only what passes.

    A picture that was written and then lost to a sharper one is removed; the rare one that was
    passed over and wins after all is decoded again.
    """
    examiner = _Examiner(dataset, settings.dedup)
    sampled = frames(dataset, inputs, settings.frames, settings.films, sieve=examiner)
    examiner.records.tidy()
    if list_images(dataset.root / FRAMES):
        # Looks at what the sieve did not see: frames that were there before.
        decided = dedup(dataset, settings.dedup)
    else:
        decided = settle(dataset, settings.dedup, Summary(DEDUP))
    _bring_back_winners(dataset, inputs, settings.films, sampled)
    records = dataset.records(FRAMES_STAGE)
    for judged in dataset.records(DEDUP):
        for record in records.of(judged["file_name"]):
            if judged["status"] == DROPPED and record["status"] == MADE:
                _leave_out(dataset, record)
                sampled.counts[MADE] -= 1
                sampled.counts[DROPPED] += 1
    records.tidy()
    _note_digests(dataset, records)
    yield sampled
    yield decided


def _bring_back_winners(
    dataset: Dataset, inputs: list[Path], rules: FilmRules, summary: Summary
) -> None:
    """Decode what was passed over while the film was read and is kept after all."""
    known = set(dataset.records(FRAMES_STAGE).sources())
    kept = {r["file_name"] for r in dataset.records(DEDUP) if r["status"] == KEPT}
    winners = {name for name in kept & known if not dataset.path(name).exists()}
    if winners:
        restore(dataset, inputs, winners, rules)
    for name in winners:
        if dataset.path(name).exists():
            # Passed over in this run, or in one before.
            summary.counts[DROPPED if summary.counts[DROPPED] else "unchanged"] -= 1
            summary.counts[MADE] += 1
    for name in sorted(kept):
        if dataset.path(name).exists():
            forget_thumbnail(dataset, name)
        else:
            summary.problems.append(f"{name}: is kept, but its film was not named this time")


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
