"""What there is to choose from by hand: frames and crops, and what the stages say of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from animeprep.curation import KEEP, REJECT
from animeprep.dataset import CROPS, FRAMES, LEFT_OUT, Dataset
from animeprep.dedup import COPY, REJECTED, thumbnail_name
from animeprep.files import sha256
from animeprep.folders import KEPT
from animeprep.images import list_images
from animeprep.records import Record
from animeprep.times import clock

TABS = ("kept", "copies", "left out", "rejected", "crops")


@dataclass(frozen=True)
class Candidate:
    """A picture to decide on.

    Attributes:
        name: as records have it.
        key: the same for URLs, 16 hexadecimal digits: names may hold anything.
        shown_by: the file that shows it: itself, or the thumbnail of a frame that was left out;
            a frame that is kept and not decoded yet has neither, and this names no file.
        reason: why the stages leave it out; empty where they keep it.
        cluster: alike for pictures that belong together: a keeper and its copies, or the crops
            of one frame.
        distance: from its keeper, bits; 0 for the keeper.
        facts: what is known of it, as label → text.
    """

    name: str
    key: str
    shown_by: str
    reason: str
    cluster: tuple[str, str]
    distance: int
    facts: dict[str, str]

    @property
    def is_crop(self) -> bool:
        """Whether it is a crop; else it is a frame."""
        return self.cluster[0] == CROPS


class Catalogue:
    """All pictures of a dataset that one may decide on, as they are when it is made.

    Attributes:
        by_key: in order of their names, the frames first.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.by_key: dict[str, Candidate] = {}
        self._clusters: dict[tuple[str, str], list[Candidate]] = {}
        for candidate in (*_frames(dataset), *_crops(dataset)):
            self.by_key[candidate.key] = candidate
            self._clusters.setdefault(candidate.cluster, []).append(candidate)

    def cluster(self, candidate: Candidate) -> list[Candidate]:
        """It and those that belong to it."""
        return self._clusters[candidate.cluster]

    def tabs(self, decided: Mapping[str, str]) -> dict[str, list[Candidate]]:
        """The pictures under each of `TABS`; one may be under several.

        Args:
            decided: decisions by hand, name → `keep` or `reject`.
        """
        found: dict[str, list[Candidate]] = {tab: [] for tab in TABS}
        for candidate in self.by_key.values():
            for tab in self._tabs_of(candidate, decided.get(candidate.name)):
                found[tab].append(candidate)
        found["copies"].sort(key=lambda one: (one.cluster, one.distance, one.name))
        return found

    def _tabs_of(self, candidate: Candidate, decision: str | None) -> Iterator[str]:
        reason, has_copies = candidate.reason, len(self.cluster(candidate)) > 1
        if decision == REJECT:
            yield "rejected"
        if candidate.is_crop:
            yield "crops"
            return
        if has_copies:
            yield "copies"
        if decision == KEEP or not (reason or decision):
            yield "kept"
        settled = (reason == COPY and has_copies) or (reason == REJECTED and decision)
        if reason and not settled:
            yield "left out"


def key_of(name: str) -> str:
    """The key of a picture.

    >>> key_of("frames/a.png")
    'c179dfe3a82da622'
    """
    return sha256(name.encode(errors="surrogateescape"))[:16]


def _frames(dataset: Dataset) -> Iterator[Candidate]:
    """Frames that are there, of which only the thumbnail is, or that are kept and come back."""
    here = {dataset.file_name(path) for path in list_images(dataset.root / FRAMES)}
    thumbnails = {dataset.file_name(path) for path in list_images(dataset.root / LEFT_OUT)}
    sampled = dataset.records("frames").named()
    judged = dataset.records("dedup").named()
    chosen = dataset.records("choose").named()
    for name in sorted(here | judged.keys()):
        thumbnail, verdict = thumbnail_name(name), judged.get(name, {})
        comes_back = verdict.get("status") == KEPT and name.startswith(f"{FRAMES}/")
        if name not in here and thumbnail not in thumbnails and not comes_back:
            continue
        reason = _reason(verdict) or _reason(chosen.get(name, {}))
        facts = _facts({**sampled.get(name, {}), **verdict}, reason)
        if name not in here:
            only = "the thumbnail only" if thumbnail in thumbnails else "nothing"
            facts["here"] = f"{only}; kept, it is decoded again"
        yield Candidate(
            name=name,
            key=key_of(name),
            shown_by=thumbnail if name not in here and thumbnail in thumbnails else name,
            reason=reason,
            cluster=(FRAMES, str(verdict.get("keeper") or name)),
            distance=int(verdict.get("distance") or 0),
            facts=facts,
        )


def _crops(dataset: Dataset) -> Iterator[Candidate]:
    made = dataset.records("crop").named()
    sampled = dataset.records("frames").named()
    for path in list_images(dataset.root / CROPS):
        name = dataset.file_name(path)
        record = made.get(name, {})
        source = record.get("source", name)
        facts = {**_facts(sampled.get(source, {}), ""), "frame": source}
        if "box" in record:
            left, top, width, height = record["box"]
            facts["box"] = f"{width}×{height} at {left}, {top} of {_size(record)}"
        yield Candidate(name, key_of(name), name, "", (CROPS, source), 0, facts)


def _size(record: Record) -> str:
    return "×".join(str(side) for side in record.get("scaled_size", ()))


def _reason(record: Record) -> str:
    """Why a stage left a picture out; empty where it did not."""
    return str(record.get("reason") or "") if record.get("status") in {"dropped", "failed"} else ""


def _facts(record: Record, reason: str) -> dict[str, str]:
    """What records say of a frame, in words."""
    seconds = record.get("seconds")
    told = {
        "film": record.get("film") or record.get("film_id"),
        "time": None if seconds is None else clock(seconds),
        "picture": record.get("index"),
        "shot": record.get("shot"),
        "left out": reason or None,
        "copy of": record.get("keeper"),
        "distance": f"{record['distance']} bits" if "distance" in record else None,
        "sharpness": record.get("sharpness"),
        **{f"gate {gate}": value for gate, value in record.get("gates", {}).items()},
    }
    return {label: _text(value) for label, value in told.items() if value is not None}


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
