"""Real photos: cropped for training, some held out. Verb: photos.

Near copies (a burst, one photo compressed twice) fall on one side. Which one is decided by content,
and once decided it stays: adding photos later moves none from one side to the other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import xor
from pathlib import Path

import joblib
import numpy as np
from pydantic import Field
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from animeprep.boxes import Picture
from animeprep.crop import CropSettings, crops_of
from animeprep.dataset import PHOTO, VAL, Dataset
from animeprep.errors import InputError, PictureError
from animeprep.files import sha256
from animeprep.folders import SKIPPED, Made, Summary, run_stage, workers_for
from animeprep.hamming import Indices, as_words, near
from animeprep.hashes import THRESHOLDS, Hash, hash_file
from animeprep.images import is_image, list_images, read_bytes, scale_short_side
from animeprep.names import slug
from animeprep.records import Records

STAGE = "photos"
#: Held-out photos are kept whole, scaled down to this short side where they are larger, pixels.
VAL_SHORT_SIDE = 512
#: Photos whose 256-bit perceptual hashes differ in at most this many bits are near copies.
NEAR = THRESHOLDS["phash-256"]["normal"]
_SUFFIX = {True: " held out", False: "", None: " near both sides"}


class PhotoSettings(CropSettings):
    """How photos are cropped, and how many are held out."""

    count: int = Field(default=4, ge=1, le=64)
    """crops of each photo, where that many fit"""
    avoid: bool = False
    """keep clear of lettering and dark bars"""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """share of the photos that training never sees"""


def sides(
    hashes: Mapping[str, Hash], share: float, before: Mapping[str, bool] | None = None
) -> dict[str, bool | None]:
    """Which photos are held out: cluster by cluster, at least one of two or more.

    Photos that are near each other, or linked by others that are, form a cluster. Its side is
    that of the photos near it that are decided, or else follows from the digests in its names.

    Args:
        hashes: perceptual hashes by name, which ends in a hyphen and 8 hexadecimal digits.
        share: how much of the photos to hold out, 0..1.
        before: which are held out and which are not by an earlier run; they stay where they are.

    Returns:
        Whether each is held out; None for what is near to photos on both sides.

    >>> a, b, c = (np.full(32, level, np.uint8) for level in (0, 15, 255))
    >>> photos = {"a-00000000": a, "a_again-f0000000": a, "b-80000000": b, "c-ffffffff": c}
    >>> sorted(name for name, held in sides(photos, 0.6).items() if held)
    ['b-80000000']
    >>> sorted(name for name, held in sides(photos, 0.95).items() if held)
    ['a-00000000', 'a_again-f0000000', 'b-80000000']
    """
    before = {name: side for name, side in (before or {}).items() if name in hashes}
    free = sorted(hashes.keys() - before.keys())
    answers: dict[str, bool | None] = {**before}
    undecided = []
    for cluster, touched in _clusters(free, before, hashes):
        if touched:
            answers |= dict.fromkeys(cluster, touched.pop() if len(touched) == 1 else None)
        else:
            digests = {int(name[-8:], 16) for name in cluster}
            undecided.append((reduce(xor, digests), cluster))
    undecided.sort()
    held = sum(digest < share * 2**32 for digest, _ in undecided)
    if share and not held and True not in before.values():
        held = 1
    if held == len(undecided) and False not in before.values():
        held -= 1
    for position, (_, cluster) in enumerate(undecided):
        answers |= dict.fromkeys(cluster, position < held)
    return answers


def _clusters(
    free: Sequence[str], before: Mapping[str, bool], hashes: Mapping[str, Hash]
) -> list[tuple[list[str], set[bool]]]:
    """The clusters of the free photos, each with the sides of the decided ones near to any of it.

    Pairs are taken some at a time, so that memory is bounded where all photos are alike.
    """
    if not free:
        return []
    table = np.array([hashes[name] for name in (*free, *before)])
    words, bits = as_words(table), 8 * table.shape[1]
    side = np.array(list(before.values()), np.int64)
    number = np.arange(len(free))
    touched = np.zeros((len(free), 2), bool)
    for found in near(words, words[: len(free)], bits, NEAR):
        decided = found.one >= len(free)
        touched[found.other[decided], side[found.one[decided] - len(free)]] = True
        number = _joined(number, found.one[~decided], found.other[~decided])
    clusters: dict[int, tuple[list[str], set[bool]]] = defaultdict(lambda: ([], set()))
    for name, one, sides_near in zip(free, number.tolist(), touched, strict=True):
        cluster, neighbours = clusters[one]
        cluster.append(name)
        neighbours.update(np.flatnonzero(sides_near).astype(bool).tolist())
    return list(clusters.values())


def _joined(number: Indices, one: Indices, other: Indices) -> Indices:
    """The numbers of the clusters, after some pairs of photos are found to be near."""
    one, other = number[one], number[other]
    if (one == other).all():
        return number
    links = coo_array((np.ones(len(one)), (one, other)), shape=(len(number),) * 2)
    joined: Indices = connected_components(links, directed=False)[1][number]
    return joined


def photos(
    dataset: Dataset, folders: list[Path], settings: PhotoSettings, *, dry_run: bool = False
) -> Summary:
    """Crop photos into `photo/` and copy the held-out ones, scaled down, into `val/`.

    Args:
        dataset: where to; photos of earlier runs stay.
        folders: folders of photos, searched with their subfolders, or single photos.
        settings: crops and share of held-out photos.
        dry_run: count only.

    Raises:
        InputError: a folder is missing or without pictures.
        OutputError: a picture cannot be written.
    """
    records = dataset.records(STAGE)
    names, hashes = _look_at(_find(folders), records)
    side = sides(hashes, settings.held_out, _before(records, set(names.values()), settings))

    def make(name: str, picture: Picture) -> list[Made]:
        decision = {"hash": hashes[name].tobytes().hex(), "held_out": side[name]}
        if side[name] is None:
            reason = "near to photos in training and to held-out ones"
            made = [Made(name, None, SKIPPED, {"reason": reason})]
        elif side[name]:
            short = min(VAL_SHORT_SIDE, *picture.shape[:2])
            made = [Made(f"{VAL}/{name}.png", scale_short_side(picture, short))]
        else:
            made = crops_of(picture, name, PHOTO, settings)
        more = {**decision, "share": settings.held_out}
        return [replace(one, fields={**one.fields, **more}) for one in made]

    return run_stage(
        dataset,
        STAGE,
        list(names),
        make,
        lambda name: settings.fingerprint() + _SUFFIX[side.get(name)],
        name_of=names.__getitem__,
        forget=False,
        dry_run=dry_run,
    )


def _before(records: Records, named: set[str], settings: PhotoSettings) -> dict[str, bool]:
    """Which photos are held out: decided for the same share, or not named this time."""
    return {
        record["source"]: record["held_out"]
        for record in records
        if record.get("held_out") is not None
        and (record["share"] == settings.held_out or record["source"] not in named)
    }


def _look_at(paths: list[Path], records: Records) -> tuple[dict[Path, str], dict[str, Hash]]:
    """Names of photos, from their file name and content, and hashes, also of those recorded."""
    hashes = {
        record["source"]: np.frombuffer(bytes.fromhex(record["hash"]), np.uint8)
        for record in records
        if "hash" in record
    }
    pool = joblib.Parallel(n_jobs=workers_for(len(paths)), prefer="threads")
    digests = pool(joblib.delayed(_digest)(path) for path in paths)
    # In small letters, for file systems that take a name in capitals for the same.
    names = {
        path: f"{slug(path.stem).lower()}-{digest}"
        for path, digest in zip(paths, digests, strict=True)
    }
    new = {name: path for path, name in names.items() if name not in hashes}
    found = pool(joblib.delayed(_hash)(path) for path in new.values())
    hashes |= {name: one for name, one in zip(new, found, strict=True) if one is not None}
    return names, hashes


def _hash(path: Path) -> Hash | None:
    """The perceptual hash; None of a broken photo, which the driver records."""
    try:
        return hash_file(path, "phash-256", "fast")
    except PictureError:
        return None


def _digest(path: Path) -> str:
    try:
        return sha256(read_bytes(path))[:8]
    except PictureError:
        # The driver meets the same error again and records it.
        return sha256(bytes(path))[:8]


def _find(folders: list[Path]) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise InputError(folder, "there is no such folder", "check the name")
        inside = [folder] if folder.is_file() else _pictures_in(folder)
        if not inside:
            raise InputError(folder, "there are no pictures in this folder", "name another")
        found += inside
    return found


def _pictures_in(folder: Path) -> list[Path]:
    """Its pictures, and links to pictures that are gone, so that these are told."""
    linked = (path for path in folder.rglob("*") if path.is_symlink() and not path.exists())
    return list_images(folder, recursive=True) + sorted(filter(is_image, linked))
