"""Sets in other trainers' layouts, and plain folders, into a dataset folder. Verb: import-set.

Pictures are decoded in memory and written as PNG under names of our own. A sample comes whole or
not at all: a style picture must not meet another's partner.
"""

from pathlib import Path

import joblib
import numpy as np

from animeprep.boxes import Picture
from animeprep.dataset import Dataset
from animeprep.errors import PictureError
from animeprep.exchange.foreign import FOLDERS, Found, Part, recognise
from animeprep.exchange.layouts import same_file
from animeprep.files import sha256, write_atomic
from animeprep.folders import FAILED, MADE, SKIPPED, Summary, workers_for
from animeprep.images import decode_rgb, encode_png, list_images, read_bytes, read_rgb
from animeprep.progress import progress

STAGE = "import-set"


def import_set(dataset: Dataset, folder: Path, *, dry_run: bool = False) -> Summary:
    """Bring a set into `style/`, `smooth/`, `style_val/`, `photo/` and `val/`.

    Args:
        dataset: where to; what is there is never overwritten.
        folder: an AnimeGAN, CartoonGAN, WebDataset or imagefolder set, another dataset folder, or
            a folder of style pictures.
        dry_run: count only.

    Returns:
        The counts of pictures. Broken ones fail, and so does what has the name of another picture.

    Raises:
        InputError: no pictures are found, or several styles.
        OutputError: a picture cannot be written.
    """
    layout, samples = recognise(folder)
    summary = Summary(STAGE, dry_run=dry_run)
    summary.figures["layout"] = layout
    intake = _Intake(dataset, summary)
    pool = joblib.Parallel(n_jobs=workers_for(64), prefer="threads", return_as="generator")
    with progress(STAGE, None) as advance:
        for found, pictures, problem in pool(joblib.delayed(_encode)(one) for one in samples):
            advance()
            intake.take(found, pictures, problem)
    return summary


def _encode(found: Found) -> tuple[Found, dict[str, bytes], str]:
    """A sample's pictures as PNG, by folder, or what is wrong with one of them."""
    whole: dict[Path, Picture] = {}
    pictures = {}
    try:
        for folder, part in found.parts.items():
            if part.path not in whole:
                whole[part.path] = decode_rgb(part.read(), part.path)
            pictures[folder] = _half(whole[part.path], part)
    except PictureError as error:
        return found, {}, str(error)
    sizes = sorted({f"{one.shape[1]}×{one.shape[0]}" for one in pictures.values()})
    if len(sizes) > 1:
        paths = " and ".join(str(part.path) for part in found.parts.values())
        return found, {}, f"{paths}: {' and '.join(sizes)} are no partners; remove them"
    return found, {folder: encode_png(one) for folder, one in pictures.items()}, found.problem


def _half(picture: Picture, part: Part) -> Picture:
    if part.half is None:
        return picture
    if picture.shape[1] % 2:
        raise PictureError(part.path, "cannot be cut into two pictures", "remove it")
    return np.ascontiguousarray(np.hsplit(picture, 2)[part.half])


class _Intake:
    """Takes samples into the dataset one after the other.

    Args:
        dataset: where to.
        summary: is told what happens.
    """

    def __init__(self, dataset: Dataset, summary: Summary) -> None:
        self.dataset = dataset
        self.summary = summary
        present = (path for folder in FOLDERS for path in list_images(dataset.root / folder))
        names = [dataset.file_name(path) for path in present]
        #: Name → what is there under it or under one that some file systems take for it; the
        #: digest of what this run took.
        self.held: dict[str, tuple[str, str]] = {same_file(name): (name, "") for name in names}

    def take(self, found: Found, pictures: dict[str, bytes], problem: str) -> None:
        """Write a sample's pictures, unless something speaks against one of them."""
        if found.skipped:
            self.summary.counts[SKIPPED] += 1
            self.summary.reasons[found.skipped] += 1
            return
        files = {f"{folder}/{found.name}.png": data for folder, data in pictures.items()}
        problem = problem or next(filter(None, map(self._conflict, files, files.values())), "")
        if problem:
            self.summary.counts[FAILED] += 1
            self.summary.problems.append(problem)
            return
        for name, data in files.items():
            self._write(name, data)

    def _conflict(self, name: str, data: bytes) -> str:
        """What is in a picture's way; empty where nothing is, or the same picture."""
        held, digest = self.held.get(same_file(name), ("", ""))
        if not held or (held == name and self._is_same(name, data, digest)):
            return ""
        difference = (
            "holds another picture" if held == name else f"differs from {held} by case only"
        )
        return str(PictureError(self.dataset.root / name, difference, "rename one of the two"))

    def _is_same(self, name: str, data: bytes, digest: str) -> bool:
        if digest:
            return digest == sha256(data)
        path = self.dataset.path(name)
        try:
            # The same picture may have been written in other bytes.
            return read_bytes(path) == data or encode_png(read_rgb(path)) == data
        except PictureError:
            return False

    def _write(self, name: str, data: bytes) -> None:
        if same_file(name) in self.held:
            self.summary.counts["unchanged"] += 1
            return
        path = self.dataset.path(name)
        self.held[same_file(name)] = (name, sha256(data))
        self.summary.counts["to do" if self.summary.dry_run else MADE] += 1
        if not self.summary.dry_run:
            write_atomic(path, data)
