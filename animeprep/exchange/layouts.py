"""How other trainers want the sets: each layout a function, sample → files.

animegan      the official trainer's `dataset/`: train_photo, <style>/style, <style>/smooth, val,
              test/test_photo
cartoongan    the CartoonGAN reproduction's `data/`: src_data/{train,test}, tgt_data/{train,pair};
              a pair shows the style picture on the left and the edge-smoothed one on the right
webdataset    shards (tar) of samples: <name>.style.png, <name>.smooth.png, …, <name>.json
imagefolder   Hugging Face: <set>/<split>/metadata.jsonl; partners are columns of the same row

Sources: TachibanaYoshino/AnimeGAN (AnimeGAN.py, tools/data_loader.py), znxlwm/pytorch-CartoonGAN
(CartoonGAN.py, edge_promoting.py), the documentation of webdataset and of datasets.
"""

import json
import re
import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from animeprep.boxes import Picture
from animeprep.dataset import GRAY, PHOTO, SMOOTH, SMOOTH_GRAY, STYLE, STYLE_VAL, VAL
from animeprep.files import sha256
from animeprep.images import encode_png
from animeprep.names import slug
from animeprep.records import Record

GRAYS = (GRAY, SMOOTH_GRAY)


@dataclass(frozen=True)
class Sample:
    """Pictures that belong together.

    Attributes:
        name: without suffix; harmless to file systems and trainers.
        folder: what it is: `style`, `style_val`, `photo` or `val`.
        files: folder → picture file; a style picture's partners are among them.
        style_name: what the official trainer is to call the style.
        origin: film_id, index, seconds and shot of a style picture; empty for photos.
    """

    name: str
    folder: str
    files: dict[str, Path]
    style_name: str
    origin: Record = field(default_factory=dict)


Pictures = dict[str, Picture]
#: What a sample becomes: names in the export and bytes; bytes of one name are put in a row.
Files = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Layout:
    """What a trainer wants.

    Attributes:
        sets: folders it has a place for.
        partners: folders whose pictures go along with a style picture.
        files: what a sample and its pictures, by folder, become.
    """

    sets: tuple[str, ...]
    partners: tuple[str, ...]
    files: Callable[[Sample, Pictures], Files]


def animegan(sample: Sample, pictures: Pictures) -> Files:
    """The official AnimeGAN trainer's; it watches `val` and paints `test/test_photo`."""
    places = {
        STYLE: [f"{sample.style_name}/style"],
        SMOOTH: [f"{sample.style_name}/smooth"],
        PHOTO: ["train_photo"],
        VAL: ["val", "test/test_photo"],
    }
    return [
        (f"{place}/{sample.name}.png", encode_png(picture))
        for folder, picture in pictures.items()
        for place in places[folder]
    ]


def cartoongan(sample: Sample, pictures: Pictures) -> Files:
    """The CartoonGAN reproduction's; it trains on the pairs, cut in the middle."""
    place = {STYLE: "tgt_data/train", PHOTO: "src_data/train", VAL: "src_data/test"}
    files = [(f"{place[sample.folder]}/{sample.name}.png", encode_png(pictures[sample.folder]))]
    if sample.folder == STYLE:
        pair = np.hstack([pictures[STYLE], pictures[SMOOTH]])
        files.append((f"tgt_data/pair/{sample.name}.png", encode_png(pair)))
    return files


def webdataset(sample: Sample, pictures: Pictures) -> Files:
    """A sample's members in the shards of its set."""
    members = {f"{sample.name}.{folder}.png": encode_png(one) for folder, one in pictures.items()}
    members[f"{sample.name}.json"] = _json({"name": sample.name, **sample.origin})
    return [(f"{sample.folder}.tar", b"".join(_member(*one) for one in sorted(members.items())))]


def _member(name: str, data: bytes) -> bytes:
    """A tar member; of no time and nobody, so that the same pictures give the same bytes."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    return header.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def imagefolder(sample: Sample, pictures: Pictures) -> Files:
    """Hugging Face's; the picture is the column `image`, partners have their folders' names."""
    # A set's splits must have the same columns, and held-out style pictures have no partners.
    place = {VAL: "photo/validation", STYLE_VAL: "style_val/validation"}.get(
        sample.folder, f"{sample.folder}/train"
    )
    named = {folder: f"{folder}/{sample.name}.png" for folder in pictures}
    row = {"file_name": named[sample.folder]}
    row |= {f"{folder}_file_name": one for folder, one in named.items() if folder != sample.folder}
    return [
        *((f"{place}/{named[folder]}", encode_png(one)) for folder, one in pictures.items()),
        (f"{place}/metadata.jsonl", _json({**row, "name": sample.name, **sample.origin}) + b"\n"),
    ]


def _json(value: Record) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_TRAINED = (STYLE, PHOTO, VAL)
_ALL = (STYLE, STYLE_VAL, PHOTO, VAL)
LAYOUTS = {
    "animegan": Layout(_TRAINED, (SMOOTH,), animegan),
    "cartoongan": Layout(_TRAINED, (SMOOTH,), cartoongan),
    "webdataset": Layout(_ALL, (SMOOTH, *GRAYS), webdataset),
    "imagefolder": Layout(_ALL, (SMOOTH, *GRAYS), imagefolder),
}


def safe_name(name: str) -> str:
    """A picture's name without what trainers trip over; dots end a WebDataset key.

    >>> safe_name("a b.jpg"), safe_name("x" * 300)
    ('a_b_jpg', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-0d4e2ca9')
    """
    safe = re.sub(r"[^\w-]+", "_", name).strip("_")
    if 0 < len(safe.encode()) <= 200:
        return safe
    return f"{slug(name)}-{sha256(name.encode(errors='surrogateescape'))[:8]}"


def same_file(name: str) -> str:
    """What is equal for names that some file system takes for one.

    >>> same_file("A.png") == same_file("a.png")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()
