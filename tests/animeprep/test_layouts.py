"""Exports that other trainers' libraries read, and the way back."""

import io
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from animeprep import archives
from animeprep.dataset import GRAY, PHOTO, SMOOTH, SMOOTH_GRAY, STYLE, STYLE_VAL, VAL, Dataset
from animeprep.errors import DatasetError, InputError, OutputError
from animeprep.exchange import exports
from animeprep.exchange.exports import MANIFEST, export_set
from animeprep.exchange.imports import import_set
from animeprep.exchange.layouts import LAYOUTS
from animeprep.images import encode_jpeg, encode_png, read_rgb, write_png

SETS = (STYLE, SMOOTH, PHOTO, VAL)


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def pixels(dataset, *folders):
    found = {}
    for folder in folders:
        for path in sorted((dataset.root / folder).glob("*")):
            found[f"{folder}/{path.name}"] = read_rgb(path).tolist()
    return found


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out" / "set"


@pytest.fixture
def other(tmp_path):
    return Dataset(tmp_path / "other")


@pytest.fixture
def held_out(small_dataset, put):
    put(STYLE_VAL, h=np.full((64, 64, 3), 90, np.uint8))
    return small_dataset


@pytest.fixture
def recorded(held_out):
    """s0 stands for a crop of a known frame."""
    frame = {"film_id": "f-0", "index": 50, "seconds": 2, "shot": 3}
    chain: dict[str, dict[str, Any]] = {
        "frames": {"file_name": "frames/f.png", "status": "made", **frame},
        "crop": {"file_name": "crops/s0.png", "status": "made", "source": "frames/f.png"},
        "exposure": {"file_name": "style/s0.png", "status": "made", "source": "crops/s0.png"},
    }
    for stage, record in chain.items():
        records = held_out.records(stage)
        records.update(record.get("source", record["file_name"]), [record])
        records.tidy()
    return held_out


def tar_of(path, *members):
    """A tar file of (name, bytes), or of headers as they are."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            header = tarfile.TarInfo(member[0])
            header.size = len(member[1])
            archive.addfile(header, io.BytesIO(member[1]))
    return path


def plain(value=0, side=64):
    return np.full((side, side, 3), value, np.uint8)


# ---------------------------------------------------------------- what stands in an export


def test_animegan_has_the_official_trainers_folders(small_dataset, target):
    summary = export_set(small_dataset, "animegan", target)
    style = [f"dataset/{part}/s{n}.png" for part in ("smooth", "style") for n in range(7)]
    photos = [f"train_photo/p{number}.png" for number in range(5)]
    assert names(target) == sorted(
        [MANIFEST, *style, *photos, "val/v.png", "test/test_photo/v.png"]
    )
    original = small_dataset.path("style/s3.png").read_bytes()
    assert (target / "dataset" / "style" / "s3.png").read_bytes() == original
    assert summary.counts == {"made": 7 * 2 + 5 + 1}
    figures = {"layout": "animegan", "style": 7, "photo": 5, "val": 1, "sizes": "64×64"}
    assert summary.figures == figures


def test_a_cartoongan_pair_shows_the_style_picture_on_the_left(small_dataset, target):
    export_set(small_dataset, "cartoongan", target)
    pair = read_rgb(target / "tgt_data" / "pair" / "s2.png")
    assert pair.shape == (64, 128, 3)
    # As the reproduction cuts it: y[..., :input_size] is the style, the rest its partner.
    assert (pair[:, :64] == read_rgb(small_dataset.path("style/s2.png"))).all()
    assert (pair[:, 64:] == read_rgb(small_dataset.path("smooth/s2.png"))).all()
    folders = {name.rpartition("/")[0] for name in names(target)} - {""}
    assert folders == {"src_data/train", "src_data/test", "tgt_data/train", "tgt_data/pair"}


# webdataset leaves it to the garbage collector to close its shards.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO name=.*[.]tar:pytest.PytestUnraisableExceptionWarning"
)
def test_webdataset_reads_its_shards(recorded, target):
    import webdataset as wds

    export_set(recorded, "webdataset", target)
    shard = str(target / "style-000000.tar")
    samples = list(wds.WebDataset(shard, shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == [f"s{number}" for number in range(7)]
    for sample in samples:
        for folder in (STYLE, SMOOTH):
            known = read_rgb(recorded.path(f"{folder}/{sample['__key__']}.png"))
            assert (sample[f"{folder}.png"] == known).all()
        gray = read_rgb(recorded.path(f"{GRAY}/{sample['__key__']}.png"))
        assert (sample["gray.png"] == gray).all()
        assert sample["smooth_gray.png"].shape == (64, 64, 3)
    assert samples[0]["json"] == {
        "name": "s0", "film_id": "f-0", "index": 50, "seconds": 2.0, "shot": 3,
    }  # fmt: skip
    photos = list(wds.WebDataset(str(target / "photo-000000.tar"), shardshuffle=False))
    assert len(photos) == 5
    assert names(target) == [
        MANIFEST, *(f"{one}-000000.tar" for one in (PHOTO, STYLE, STYLE_VAL, VAL)),
    ]  # fmt: skip


def test_tar_headers_say_nothing_of_time_or_user(small_dataset, target):
    export_set(small_dataset, "webdataset", target)
    with tarfile.open(target / "style-000000.tar") as shard:
        members = shard.getmembers()
    assert [m.name for m in members] == sorted(m.name for m in members)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_shards_are_bounded_and_samples_are_not_split(small_dataset, target, monkeypatch):
    monkeypatch.setattr(exports, "SHARD_BYTES", 20_000)
    export_set(small_dataset, "webdataset", target)
    shards = sorted(target.glob("style-*.tar"))
    assert len(shards) > 1
    keys = []
    for shard in shards:
        assert shard.stat().st_size <= 20_000
        with tarfile.open(shard) as archive:
            keys += sorted({name.split(".")[0] for name in archive.getnames()})
    assert keys == [f"s{number}" for number in range(7)]


@pytest.fixture
def load_dataset(tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf" / "datasets"))
    # Only now: it reads the environment when it is imported.
    import datasets

    datasets.disable_progress_bars()

    def load(folder):
        return datasets.load_dataset(
            "imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "hf" / "datasets")
        )

    return load


def test_datasets_reads_the_imagefolder(recorded, target, load_dataset):
    export_set(recorded, "imagefolder", target)
    style = load_dataset(target / "style")
    assert list(style) == ["train"]
    assert set(style["train"].column_names) == {
        "image", SMOOTH, GRAY, SMOOTH_GRAY, "name", "film_id", "index", "seconds", "shot",
    }  # fmt: skip
    for row in style["train"]:
        for column, folder in (("image", STYLE), (SMOOTH, SMOOTH)):
            known = read_rgb(recorded.path(f"{folder}/{row['name']}.png"))
            assert (np.asarray(row[column]) == known).all()
        assert row[GRAY].mode == "L"
    rows = {row["name"]: row for row in style["train"]}
    assert (rows["s0"]["film_id"], rows["s0"]["index"], rows["s0"]["seconds"]) == ("f-0", 50, 2.0)
    assert (rows["s1"]["film_id"], rows["s1"]["index"], rows["s1"]["shot"]) == ("", -1, -1)
    photo = load_dataset(target / "photo")
    assert {split: len(rows) for split, rows in photo.items()} == {"train": 5, "validation": 1}
    held_out = load_dataset(target / "style_val")
    assert {split: len(rows) for split, rows in held_out.items()} == {"validation": 1}


def test_metadata_names_files_relative_to_itself(small_dataset, target):
    export_set(small_dataset, "imagefolder", target)
    for table in target.rglob("metadata.jsonl"):
        for line in table.read_text().splitlines():
            row = json.loads(line)
            assert all((table.parent / v).is_file() for k, v in row.items() if "file_name" in k)


# ---------------------------------------------------------------- both ways


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_way_there_and_back_keeps_the_pixels(layout, held_out, target, other):
    export_set(held_out, layout, target)
    summary = import_set(other, target)
    folders = [*SETS, *([STYLE_VAL] if layout in {"webdataset", "imagefolder"} else [])]
    assert pixels(other, *folders) == pixels(held_out, *folders)
    assert summary.figures == {"layout": layout}
    assert not summary.problems
    again = import_set(other, target)
    assert set(again.counts) == {"unchanged"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_set_gives_the_same_bytes(layout, held_out, tmp_path, snapshot, monkeypatch):
    export_set(held_out, layout, tmp_path / "one")
    monkeypatch.setattr(exports, "workers_for", lambda _: 2)
    export_set(held_out, layout, tmp_path / "two")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_a_dataset_folder_is_imported_too(held_out, other):
    import_set(other, held_out.root)
    assert pixels(other, *SETS, STYLE_VAL) == pixels(held_out, *SETS, STYLE_VAL)


# ---------------------------------------------------------------- what cannot be exported


def test_pictures_without_partners_are_skipped_and_counted(small_dataset, target):
    small_dataset.path("smooth/s1.png").unlink()
    summary = export_set(small_dataset, "animegan", target)
    assert summary.counts == {"made": 6 * 2 + 6, "skipped": 1}
    assert summary.reasons == {"no picture in smooth/ (run `animeprep smooth-edges`)": 1}
    assert not (target / "dataset" / "style" / "s1.png").exists()


def test_gray_pictures_are_left_out_unless_all_are_there(small_dataset, target):
    small_dataset.path("gray/s1.png").unlink()
    summary = export_set(small_dataset, "webdataset", target)
    assert summary.counts == {"made": 7 * 3 + 6}
    assert summary.reasons == {"gray/ left out, pictures missing:": 1}


def test_a_set_without_smooth_pictures_names_the_verb(dataset, put, target):
    put(STYLE, a=plain())
    with pytest.raises(DatasetError, match="animeprep smooth-edges"):
        export_set(dataset, "webdataset", target)
    assert not target.parent.exists()


@pytest.mark.parametrize(
    ("name", "skipped"),
    [("style/s1.png", {}), ("photo/p1.png", {}), ("style/new.png", {}),
     ("smooth/s1.png", {"no picture in smooth/ (run `animeprep smooth-edges`)": 1}),
     ("gray/s1.png", {"gray/ left out, pictures missing:": 1})],
)  # fmt: skip
@pytest.mark.parametrize("dry_run", [True, False])
def test_links_out_of_the_dataset_fail_alone(
    name, skipped, dry_run, small_dataset, tmp_path, target
):
    write_png(tmp_path / "elsewhere.png", plain(3))
    link = small_dataset.root / name
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "elsewhere.png")
    summary = export_set(small_dataset, "webdataset", target, dry_run=dry_run)
    assert summary.problems == [f"{link}: is a link out of the dataset; copy the picture here"]
    assert summary.counts["failed"] == 1
    assert summary.reasons == skipped
    if not dry_run:
        with tarfile.open(target / "style-000000.tar") as shard:
            exported = {Path(member).name.split(".")[0] for member in shard.getnames()}
        lost = {"style/s1.png", "smooth/s1.png"} & {name}
        assert exported == {f"s{number}" for number in range(7)} - ({"s1"} if lost else set())


def test_broken_pictures_and_other_sizes_fail_alone(small_dataset, put, target):
    small_dataset.path("style/s1.png").write_bytes(b"none")
    put(SMOOTH, s2=plain(side=32))
    summary = export_set(small_dataset, "cartoongan", target)
    assert summary.counts == {"made": 5 * 2 + 6, "failed": 2}
    broken, other_size = summary.problems
    assert "style/s1.png: not a picture" in broken
    assert "style/s2.png: 64×64, but its partner in smooth/ is 32×32" in other_size


def test_every_picture_becomes_a_plain_png(small_dataset, target):
    drawn = plain(200)
    small_dataset.path("style/my picture.jpg").write_bytes(encode_jpeg(drawn))
    write_png(small_dataset.path("smooth/my picture.jpg.png"), drawn)
    alpha = np.dstack([drawn, np.zeros((64, 64), np.uint8)])
    small_dataset.path("photo/a.PNG").write_bytes(cv2.imencode(".png", alpha)[1].tobytes())
    export_set(small_dataset, "animegan", target)
    known = read_rgb(small_dataset.path("style/my picture.jpg"))
    assert (read_rgb(target / "dataset" / "style" / "my_picture_jpg.png") == known).all()
    with Image.open(target / "train_photo" / "a.png") as shown:
        assert (shown.mode, shown.size) == ("RGB", (64, 64))


def test_of_names_that_differ_by_case_only_the_first_is_exported(small_dataset, put, target):
    put(PHOTO, P1=plain(9))
    summary = export_set(small_dataset, "animegan", target)
    assert summary.reasons == {"named like another": 1}
    exported = [name for name in names(target) if name.lower() == "train_photo/p1.png"]
    assert exported == ["train_photo/P1.png"]


def test_counting_alone_writes_nothing(small_dataset, target):
    summary = export_set(small_dataset, "webdataset", target, dry_run=True)
    assert summary.counts == {"to do": 7 * 4 + 6}
    assert not target.parent.exists()


# ---------------------------------------------------------------- the target


def test_an_earlier_export_is_replaced(small_dataset, put, target):
    export_set(small_dataset, "animegan", target)
    assert export_set(small_dataset, "animegan", target).counts == {"unchanged": 20}
    put(STYLE, s0=plain(7))
    export_set(small_dataset, "cartoongan", target)
    assert (target / "tgt_data").is_dir()
    assert not (target / "train_photo").exists()
    assert names(target.parent) == [f"set/{name}" for name in names(target)]


def test_nothing_else_is_replaced(small_dataset, target):
    target.mkdir(parents=True)
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an earlier export"):
        export_set(small_dataset, "animegan", target)
    assert names(target) == ["thesis.txt"]
    for path in (small_dataset.root, target / "thesis.txt"):
        with pytest.raises(OutputError, match="not an earlier export"):
            export_set(small_dataset, "animegan", path)


@pytest.mark.parametrize("name", ["checkpoint.bin", "dataset/style/s0.png"])
def test_what_was_added_or_changed_in_an_export_is_not_lost(name, small_dataset, target):
    export_set(small_dataset, "animegan", target)
    (target / name).write_bytes(b"mine")
    with pytest.raises(OutputError, match=f"{name} in it was added or changed"):
        export_set(small_dataset, "animegan", target)
    assert (target / name).read_bytes() == b"mine"


def test_a_failed_export_leaves_the_earlier_one(small_dataset, put, target, snapshot, monkeypatch):
    export_set(small_dataset, "animegan", target)
    before = snapshot(target.parent)
    put(STYLE, s0=plain(7))

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports._Shelf, "close", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        export_set(small_dataset, "animegan", target)
    assert snapshot(target.parent) == before


def test_what_a_killed_export_left_is_swept(small_dataset, target):
    left = target.parent / ".set.part" / "new"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"")
    export_set(small_dataset, "cartoongan", target)
    assert not left.parent.exists()


# ---------------------------------------------------------------- what cannot be imported


def test_a_plain_folder_holds_style_pictures(tmp_path, dataset):
    for name, data in {
        "one.png": encode_png(plain(1)),
        "zwei ü.jpg": encode_jpeg(plain(2)),
        "broken.png": b"\x89PNG",
        "notes.txt": b"",
    }.items():
        (tmp_path / "mine" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_bytes(data)
    summary = import_set(dataset, tmp_path / "mine")
    assert names(dataset.root) == ["style/one.png", "style/zwei_ü.png"]
    assert summary.counts == {"made": 2, "failed": 1}
    assert "broken.png" in summary.problems[0]
    assert summary.figures == {"layout": "pictures"}


def test_pictures_of_the_user_are_never_overwritten(small_dataset, dataset, target, put):
    put("away", s0=plain(1), s1=plain(2), S2=plain(3))
    before = pixels(dataset, *SETS)
    same = read_rgb(dataset.path("style/s1.png"))
    put("away", s1=same)
    # The same picture in other bytes is the same picture.
    dataset.path("away/s1.png").write_bytes(cv2.imencode(".png", same[..., ::-1])[1].tobytes())
    summary = import_set(dataset, dataset.path("away"))
    assert pixels(dataset, *SETS) == before
    assert summary.counts == {"unchanged": 1, "failed": 2}
    by_case, by_content = summary.problems
    assert "style/S2.png: differs from style/s2.png by case only" in by_case
    assert "style/s0.png: holds another picture" in by_content


def test_a_pair_comes_whole_or_not_at_all(tmp_path, dataset, put):
    put(STYLE, a=plain(1))
    write_png(tmp_path / "data" / "tgt_data" / "pair" / "a.png", np.hstack([plain(8), plain(9)]))
    write_png(tmp_path / "data" / "tgt_data" / "pair" / "b.png", plain(side=63))
    summary = import_set(dataset, tmp_path / "data")
    assert summary.counts == {"failed": 2}
    assert "cannot be cut into two" in summary.problems[1]
    assert names(dataset.root) == ["style/a.png"]


def test_names_that_differ_by_case_only_do_not_meet(tmp_path, dataset):
    write_png(tmp_path / "mine" / "A.png", plain(1))
    write_png(tmp_path / "mine" / "a.png", plain(2))
    for dry_run in (True, False):
        summary = import_set(dataset, tmp_path / "mine", dry_run=dry_run)
        assert summary.counts == {"to do" if dry_run else "made": 1, "failed": 1}
        assert "differs from style/A.png by case only" in summary.problems[0]
    assert names(dataset.root) == ["style/A.png"]


def test_partners_of_other_sizes_are_refused(tmp_path, dataset):
    write_png(tmp_path / "d" / "Hayao" / "style" / "1.png", plain())
    write_png(tmp_path / "d" / "Hayao" / "smooth" / "1.png", plain(side=32))
    write_png(tmp_path / "d" / "Hayao" / "smooth" / "2.png", plain())
    summary = import_set(dataset, tmp_path / "d")
    assert summary.counts == {"failed": 1, "skipped": 1}
    assert "32×32 and 64×64 are no partners" in summary.problems[0]
    assert summary.reasons == {"no style picture of this name": 1}


def test_of_several_styles_one_must_be_named(tmp_path, dataset):
    for style in ("Hayao", "Paprika"):
        write_png(tmp_path / "d" / style / "style" / "1.png", plain())
    with pytest.raises(InputError, match="several styles: Hayao, Paprika"):
        import_set(dataset, tmp_path / "d")
    assert import_set(dataset, tmp_path / "d" / "Hayao").counts == {"made": 1}


def test_an_imagefolder_of_somebody_else(tmp_path, dataset):
    write_png(tmp_path / "d" / "train" / "cat" / "1.png", plain())
    write_png(tmp_path / "d" / "validation" / "cat" / "2.png", plain())
    assert import_set(dataset, tmp_path / "d").counts == {"made": 2}
    assert names(dataset.root) == ["style/1.png", "style_val/2.png"]


@pytest.mark.parametrize("name", ["missing", "empty", "note.txt"])
def test_a_folder_without_pictures_is_refused(name, tmp_path, dataset):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("")
    with pytest.raises(InputError, match=name):
        import_set(dataset, tmp_path / name)


# ---------------------------------------------------------------- hostile archives


def header(name, kind, size=0):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (("/evil.png", encode_png(plain())), "leads out"),
        (("../../evil.png", encode_png(plain())), "leads out"),
        (header("a.png", tarfile.SYMTYPE), "no plain file"),
        (header("a.png", tarfile.LNKTYPE), "no plain file"),
        (header("a.png", tarfile.CHRTYPE), "no plain file"),
        (header("a.png", tarfile.FIFOTYPE), "no plain file"),
    ],
)  # fmt: skip
def test_members_that_lead_elsewhere_are_refused(member, reason, tmp_path, dataset):
    good = ("z.style.png", encode_png(plain(5)))
    archive = tar_of(tmp_path / "in" / "x.tar", member, good)
    summary = import_set(dataset, archive)
    assert summary.counts == {"made": 1, "failed": 1}
    assert reason in summary.problems[0]
    assert names(tmp_path) == ["dataset/style/z.png", "in/x.tar"]


def test_absurd_sizes_are_refused(tmp_path, dataset, monkeypatch):
    data = encode_png(plain())
    monkeypatch.setattr(archives, "MAX_BYTES", len(data) - 1)
    summary = import_set(dataset, tar_of(tmp_path / "x.tar", ("a.png", data)))
    assert "too many" in summary.problems[0]
    write_png(tmp_path / "mine" / "a.png", plain())
    summary = import_set(dataset, tmp_path / "mine")
    assert "too many" in summary.problems[0]
    assert not dataset.root.exists()


def test_a_member_that_claims_more_than_there_is(tmp_path, dataset):
    whole = tar_of(tmp_path / "x.tar", ("a.style.png", encode_png(plain())))
    whole.write_bytes(whole.read_bytes()[:600])
    summary = import_set(dataset, whole)
    assert summary.counts["made"] == 0
    assert "x.tar" in summary.problems[0]


BOMB = 3 * 2**30


def sparse_file(path, *parts):
    """Bytes and, where a number stands, so many zeros that take no room on disk."""
    with path.open("wb") as file:
        for part in parts:
            if isinstance(part, int):
                file.seek(part, io.SEEK_CUR)
            else:
                file.write(part)
        file.truncate(file.tell() + 1024)
    return path


def block(name, kind, size):
    return header(name, kind, size).tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
    ],
)  # fmt: skip
def test_headers_that_claim_gigabytes_are_not_read(kind, tmp_path, dataset):
    data = encode_png(plain(5))
    first, last = (
        (block(f"{name}.style.png", tarfile.REGTYPE, len(data)), data, -len(data) % 512)
        for name in ("first", "last, maybe not whole")
    )
    archive = sparse_file(tmp_path / "x.tar", *first, *last, block("a", kind, BOMB), BOMB)
    tracemalloc.start()
    try:
        summary = import_set(dataset, archive)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**24
    assert summary.counts == {"made": 1, "failed": 1}
    assert (
        "x.tar: broken archive (a member has more than 262144 bytes of headers)"
        in summary.problems[0]
    )


def test_headers_without_end_are_not_read(tmp_path, dataset):
    link = block("a", tarfile.GNUTYPE_LONGNAME, 512)
    summary = import_set(dataset, sparse_file(tmp_path / "x.tar", *[link, 512] * 1000))
    assert summary.counts == {"failed": 1}
    assert "x.tar: broken archive" in summary.problems[0]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, b"Z", tarfile.GNUTYPE_SPARSE])
@pytest.mark.parametrize("name", ["a.txt", "a.png"])
def test_members_of_negative_length_end_the_archive(kind, name, tmp_path, dataset):
    # Without one before it, tarfile takes the place it is led back to for the archive's end.
    first = (block("z.txt", tarfile.REGTYPE, 512), 512)
    archive = sparse_file(tmp_path / "x.tar", *first, block(name, kind, -512))
    summary = import_set(dataset, archive)
    assert summary.counts == {"failed": 1}
    assert "x.tar: broken archive (a member has a negative length)" in summary.problems[0]


def test_a_pax_header_may_be_long(tmp_path, dataset):
    name = "/".join(["folder" * 10] * 60) + "/a.png"
    summary = import_set(dataset, tar_of(tmp_path / "x.tar", (name, encode_png(plain()))))
    assert summary.counts == {"made": 1}


def test_no_damage_to_an_archive_does_more_than_fail(tmp_path, small_dataset, other, target):
    export_set(small_dataset, "webdataset", target)
    whole = (target / "style-000000.tar").read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole[: int(rng.integers(1, 4000))])
        for place in rng.integers(0, len(damaged), 8):
            damaged[place] = int(rng.integers(256))
        (tmp_path / "x.tar").write_bytes(bytes(damaged))
        import_set(other, tmp_path / "x.tar", dry_run=True)
    assert not other.root.exists()


def test_a_folder_that_leads_out_of_the_dataset_is_not_written_to(tmp_path, dataset):
    (tmp_path / "elsewhere").mkdir()
    dataset.root.mkdir()
    (dataset.root / STYLE).symlink_to(tmp_path / "elsewhere")
    write_png(tmp_path / "mine" / "a.png", plain())
    with pytest.raises(DatasetError, match="leads out"):
        import_set(dataset, tmp_path / "mine")
    assert names(tmp_path / "elsewhere") == []
