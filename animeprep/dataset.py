"""The dataset folder: what lies where in it.

frames/                  pictures from films                             verb frames
left_out/                160-pixel thumbnails of what dedup leaves out   verb dedup
crops/                   square crops of the kept frames                 verb crop
style/                   a: crops after exposure compensation            verb exposure
style_val/               the same of held-out shots                      verb exposure
smooth/                  e: a with smoothed edges                        verb smooth-edges
gray/, smooth_gray/      x and y: the gray a and e                       verb gray
photo/, val/             p: crops of real photos; held-out photos        verb photos
<verb>.jsonl             the records of a verb
light.jsonl              light of pictures that other records lack         verb exposure
overlays.jsonl           where logos and subtitles stand                   verb crop
curation.jsonl           what was kept or rejected by hand               verb review
animeprep.toml           the recipe                                      every verb
report.html              all of it to look at                            verb report
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from animeprep.errors import DatasetError
from animeprep.files import LOCK, locked
from animeprep.images import list_images
from animeprep.names import shortened
from animeprep.records import Records

RECIPE = "animeprep.toml"
REPORT = "report.html"
FRAMES = "frames"
LEFT_OUT = "left_out"
CROPS = "crops"
STYLE = "style"
STYLE_VAL = "style_val"
SMOOTH = "smooth"
GRAY = "gray"
SMOOTH_GRAY = "smooth_gray"
PHOTO = "photo"
VAL = "val"

#: Folder → the verb that fills it.
VERB_OF = {
    FRAMES: "frames FILM",
    CROPS: "crop",
    STYLE: "exposure",
    STYLE_VAL: "exposure",
    SMOOTH: "smooth-edges",
    GRAY: "gray",
    SMOOTH_GRAY: "gray",
    PHOTO: "photos FOLDER",
    VAL: "photos FOLDER",
}


class Dataset:
    """A dataset folder.

    Args:
        root: the folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._inside: set[Path] = set()
        #: In a dry run: files that would be made anew or removed, and records as they would be.
        self.pending: set[str] = set()
        self.leaving: set[str] = set()
        self.foreseen: dict[str, Records] = {}

    def path(self, file_name: str) -> Path:
        """Where a file of the dataset lies.

        Args:
            file_name: relative to the root, as records have it.

        Raises:
            DatasetError: the name leads out of the dataset folder.
        """
        pure = PurePosixPath(file_name)
        path = self.root / pure
        # Resolving takes longer than writing a small picture: once for each folder is enough.
        if path.parent not in self._inside or path.is_symlink() or pure.name in {"", ".."}:
            if pure.is_absolute() or path == self.root or not self.holds(path):
                raise DatasetError(
                    file_name, "leads out of the dataset folder", "repair the records"
                )
            self._inside.add(path.parent)
        return path

    def file_name(self, path: Path) -> str:
        """The name of a file of the dataset in records: relative, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def records(self, stage: str) -> Records:
        """The records of a stage."""
        return self.foreseen.get(stage) or Records(self.root / f"{stage}.jsonl")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let no other run work on the dataset meanwhile; a killed run's lock is no lock.

        A folder that is made for it and stays empty goes again.

        Raises:
            DatasetError: another run is at work.
            OutputError: the folder cannot be written.
        """
        is_new = not self.root.exists()
        problem = "another run is at work on this dataset"
        try:
            with locked(self.root, DatasetError(self.root, problem, "wait until it has ended")):
                yield
        finally:
            if is_new and [one.name for one in self.root.glob("*")] == [LOCK]:
                (self.root / LOCK).unlink()
                self.root.rmdir()

    def judged_frames(self) -> list[Path]:
        """The pictures in `frames/` that dedup did not leave out; those it never saw are kept.

        Raises:
            DatasetError: there are none.
        """
        return self._frames_kept_by("dedup")

    def kept_frames(self) -> list[Path]:
        """Those that `choose` did not leave out either.

        Raises:
            DatasetError: there are none.
        """
        return self._frames_kept_by("dedup", "choose")

    def _frames_kept_by(self, *stages: str) -> list[Path]:
        records = [record for stage in stages for record in self.records(stage)]
        judged = {record["file_name"] for record in records}
        left_out = {r["file_name"] for r in records if r["status"] in {"dropped", "failed"}}
        # What was chosen by hand since then, too.
        chosen = self.records("curation")
        if chosen.torn:
            raise DatasetError(
                chosen.path, "a line cannot be read", "repair or remove what is no whole record"
            )
        by_hand = {record["file_name"]: record["status"] for record in chosen}
        left_out = {n for n in left_out if by_hand.get(n) != "keep"} | {
            name for name, status in by_hand.items() if status == "reject"
        }
        # `prepare` does not even write what it leaves out.
        found = self._listed(FRAMES) if judged else self.pictures(FRAMES)
        kept = [path for path in found if self.file_name(path) not in left_out]
        if not kept:
            raise DatasetError(
                self.root / FRAMES,
                f"all {len(left_out)} pictures are left out",
                "take more frames or loosen its bounds",
            )
        return kept

    def held_out_frames(self) -> frozenset[str]:
        """The frames whose crops validation gets, as `choose` decided."""
        return frozenset(r["file_name"] for r in self.records("choose") if r["split"] == "val")

    def holds(self, path: Path) -> bool:
        """Whether a file lies in the dataset, wherever links lead."""
        return path.resolve().is_relative_to(self.root.resolve())

    def links_out(self, folder: str) -> list[Path]:
        """The picture files in a folder that are links to somewhere outside of the dataset."""
        found = list_images(self.root / folder)
        return [path for path in found if path.is_symlink() and not self.holds(path)]

    def namesakes(self, folder: str) -> list[Path]:
        """The pictures in a folder whose results would be called like those of an earlier one."""
        first: dict[str, Path] = {}
        found = list_images(self.root / folder)
        return [path for path in found if first.setdefault(stem(path.name), path) != path]

    def _listed(self, folder: str) -> list[Path]:
        refused = {*self.links_out(folder), *self.namesakes(folder)}
        refused.update(self.root / name for name in self.leaving)
        return [path for path in list_images(self.root / folder) if path not in refused]

    def pictures(self, folder: str) -> list[Path]:
        """The pictures in a folder, made or dropped in by hand, ordered by name.

        Raises:
            DatasetError: there are none; the message names the verb that makes them.
        """
        found = self._listed(folder)
        if not found:
            raise DatasetError(
                self.root / folder,
                "there are no pictures here",
                f"run `animeprep {VERB_OF[folder]}` first, or put pictures there",
            )
        return found


def stem(source: str) -> str:
    """What the files made of a picture are called after it; unlike for a.png and a.jpg.

    >>> stem("frames/a.png"), stem("frames/a.jpg")
    ('a', 'a.jpg')
    """
    name = PurePosixPath(source).name
    return shortened(name[:-4] if name.lower().endswith(".png") else name)


def made_name(folder: str, source: str) -> str:
    """The name of the PNG picture that a stage makes of a picture in another folder.

    >>> made_name("smooth", "style/a.png"), made_name("smooth", "style/a.jpg")
    ('smooth/a.png', 'smooth/a.jpg.png')
    """
    return f"{folder}/{stem(source)}.png"
