"""Real photos: cropped for training, some held out. Verb: photos.

Whether a photo is held out is decided by its content, and once decided it stays: adding photos
later moves none from one side to the other.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from animeprep.boxes import Picture
from animeprep.crop import CropSettings, crops_of
from animeprep.dataset import PHOTO, VAL, Dataset
from animeprep.errors import InputError
from animeprep.files import sha256
from animeprep.folders import Made, Summary, run_stage
from animeprep.images import list_images, read_bytes, scale_short_side
from animeprep.names import slug

STAGE = "photos"
#: Held-out photos are kept whole, scaled down to this short side where they are larger, pixels.
VAL_SHORT_SIDE = 512
_HELD_OUT = " held out"


class PhotoSettings(CropSettings):
    """How photos are cropped, and how many are held out."""

    count: int = Field(default=4, ge=1, le=64)
    """crops of each photo, where that many fit"""
    held_out: float = Field(default=0.1, ge=0, lt=1)
    """share of the photos that training never sees"""


def held_out(names: set[str], share: float, before: Mapping[str, bool] | None = None) -> set[str]:
    """Which photos are held out: by the hash in their names, at least one of two or more.

    Args:
        names: of photos, ending in a hyphen and 8 hexadecimal digits.
        share: how many of them, 0..1.
        before: which are held out and which are not by an earlier run; they stay where they are.

    >>> sorted(held_out({"a-00000000", "b-80000000", "c-ffffffff"}, 0.4))
    ['a-00000000']
    """
    ordered = sorted(names, key=lambda name: name.rsplit("-", 1)[1])
    before = before or {}
    free = [name for name in ordered if name not in before]
    held = {name for name in free if int(name.rsplit("-", 1)[1], 16) < share * 2**32}
    held |= {name for name in names if before.get(name)}
    if share and not held and len(ordered) > 1:
        held = set(free[:1])
    return held - set(free[-1:]) if held == names else held


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
    sources = _find(folders)
    names = {path: f"{slug(path.stem)}-{_digest(path)}" for path in sources}
    own = settings.fingerprint()
    before = {
        record["source"]: record["settings"].endswith(_HELD_OUT)
        for record in dataset.records(STAGE)
        if record.get("settings") in {own, own + _HELD_OUT}
    }
    held = held_out({*names.values(), *dataset.records(STAGE).sources()}, settings.held_out, before)

    def make(name: str, picture: Picture) -> list[Made]:
        if name in held:
            short = min(VAL_SHORT_SIDE, *picture.shape[:2])
            return [Made(f"{VAL}/{name}.png", scale_short_side(picture, short))]
        return crops_of(picture, name, PHOTO, settings)

    return run_stage(
        dataset,
        STAGE,
        sources,
        make,
        lambda name: own + _HELD_OUT if name in held else own,
        name_of=names.__getitem__,
        forget=False,
        dry_run=dry_run,
    )


def _digest(path: Path) -> str:
    try:
        return sha256(read_bytes(path))[:8]
    except InputError:
        # The driver meets the same error again and records it.
        return sha256(path.name.encode())[:8]


def _find(folders: list[Path]) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise InputError(folder, "there is no such folder", "check the name")
        inside = [folder] if folder.is_file() else list_images(folder, recursive=True)
        if not inside:
            raise InputError(folder, "there are no pictures in this folder", "name another")
        found += inside
    return found
