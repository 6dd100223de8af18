"""The dataset folder: what lies where in it.

frames/                  pictures from films                             verb frames
left_out/                160-pixel thumbnails of what dedup leaves out   verb dedup
crops/                   square crops of the kept frames                 verb crop
style/                   a: crops after exposure compensation            verb exposure
smooth/                  e: a with smoothed edges                        verb smooth-edges
gray/, smooth_gray/      x and y: the gray a and e                       verb gray
photo/, val/             p: crops of real photos; held-out photos        verb photos
<verb>.jsonl             the records of a verb
"""

from pathlib import Path, PurePosixPath

from animeprep.errors import DatasetError
from animeprep.images import list_images
from animeprep.records import Records

FRAMES = "frames"
LEFT_OUT = "left_out"
CROPS = "crops"
STYLE = "style"
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

    def path(self, file_name: str) -> Path:
        """Where a file of the dataset lies.

        Args:
            file_name: relative to the root, as records have it.

        Raises:
            DatasetError: the name leads out of the dataset folder.
        """
        path = self.root / file_name
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise DatasetError(file_name, "leads out of the dataset folder", "repair the records")
        return path

    def file_name(self, path: Path) -> str:
        """The name of a file of the dataset in records: relative, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def records(self, stage: str) -> Records:
        """The records of a stage."""
        return Records(self.root / f"{stage}.jsonl")

    def kept_frames(self) -> list[Path]:
        """The pictures in `frames/` that dedup did not leave out; those it never saw are kept.

        Raises:
            DatasetError: there are none.
        """
        judged = self.records("dedup").named()
        left_out = {n for n, r in judged.items() if r["status"] in {"dropped", "failed"}}
        # `prepare` does not even write what it leaves out.
        nothing_else = bool(left_out) and left_out == judged.keys()
        found = list_images(self.root / FRAMES) if nothing_else else self.pictures(FRAMES)
        kept = [path for path in found if self.file_name(path) not in left_out]
        if not kept:
            raise DatasetError(
                self.root / FRAMES,
                f"dedup left out all {len(left_out)} pictures",
                "take more frames or loosen its bounds",
            )
        return kept

    def pictures(self, folder: str) -> list[Path]:
        """The pictures in a folder, made or dropped in by hand, ordered by name.

        Raises:
            DatasetError: there are none; the message names the verb that makes them.
        """
        found = list_images(self.root / folder)
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
    return name[:-4] if name.lower().endswith(".png") else name


def made_name(folder: str, source: str) -> str:
    """The name of the PNG picture that a stage makes of a picture in another folder.

    >>> made_name("smooth", "style/a.png"), made_name("smooth", "style/a.jpg")
    ('smooth/a.png', 'smooth/a.jpg.png')
    """
    name = PurePosixPath(source).name
    return f"{folder}/{name}" if name.lower().endswith(".png") else f"{folder}/{name}.png"
