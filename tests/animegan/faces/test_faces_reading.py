"""Sets of faces in folders and tar files, whole, partly broken, and hostile."""

import gzip
import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError

from animegan.faces.reading import read_faces
from animegan.faces.settings import Reading
from animegan.faces.words import EYES, HAIR, UNSAID
from animeprep.errors import DatasetError
from animeprep.images import decode_rgb, encode_jpeg, encode_png
from tests.animegan.faces.drawing import (
    COLOURS,
    drawn_face,
    drawn_faces,
    faces_set,
    files_of,
    words_csv,
    write_folder,
    write_tar,
)

ALL = Reading(held_out=0)


@pytest.fixture(scope="module")
def faces():
    return drawn_faces(24, seed=1)


def reasons(collected):
    return dict(collected.summary.reasons)


def same(one, other):
    assert one.names == other.names
    assert np.array_equal(one.hair, other.hair)
    assert np.array_equal(one.eyes, other.eyes)
    assert np.array_equal(one.pictures, other.pictures)


def test_what_was_drawn_is_read_from_folder_tar_and_gzip(tmp_path, faces):
    files = faces_set(faces)
    sources = [
        write_folder(tmp_path / "folder", files),
        write_tar(tmp_path / "a.tar", files),
        write_tar(tmp_path / "a.tar.gz", files),
        write_tar(tmp_path / "b.tar", {f"./set/{name}": data for name, data in files.items()}),
        write_tar(tmp_path / "c.tar", dict(reversed(files.items()))),
    ]
    for source in sources:
        collected = read_faces(source, ALL)
        same(collected.train, faces)
        assert len(collected.held_out) == 0
        assert reasons(collected) == {}
        assert collected.summary.counts == {"read": 24, "kept": 24}


def test_drawn_colours_are_those_that_are_said(faces):
    for rng, (hair, eyes) in enumerate(zip(HAIR, EYES, strict=False)):
        face = drawn_face(np.random.default_rng(rng), hair, eyes).reshape(-1, 3).astype(int)
        near = {name: (abs(face - colour).max(1) < 20).sum() for name, colour in COLOURS.items()}
        assert near[hair] > 150
        assert near[eyes] > 20


def test_posts_and_pictures_of_96_pixels_are_scaled_by_areas(tmp_path):
    wide = drawn_face(np.random.default_rng(0), "blue", "red", side=96)
    checks = np.indices((96, 96)).sum(0)[..., None].repeat(3, 2) % 2 * np.uint8(255)
    files = {
        "tags_clean.csv": b"a,blue hair:3\tred eyes:4\tlong hair:5\nb,red hair:1\tblue eyes:2\n",
        "faces/a.png": encode_png(wide),
        "faces/b.png": encode_png(checks.astype(np.uint8)),
    }
    read = read_faces(write_tar(tmp_path / "a.tar", files), ALL).train
    assert read.names == ("a", "b")
    assert read.pictures.shape == (2, 64, 64, 3)
    # Three pixels become two: the first is one and a half each way, 0 to 255 in a check.
    weights = np.outer([1, 0.5], [1, 0.5]) / 2.25
    block = wide[:2, :2].astype(float)
    assert abs(read.pictures[0][0, 0] - (block * weights[..., None]).sum((0, 1))).max() <= 1
    assert abs(read.pictures[1].astype(int) - 127).max() < 20


def test_names_come_in_order_numbers_by_value(tmp_path, faces):
    names = ["10", "9", "b10", "b2", "100", "01", "1"]
    some = faces.take(np.arange(7))
    renamed = type(some)(tuple(names), some.pictures, some.hair, some.eyes)
    read = read_faces(write_folder(tmp_path, faces_set(renamed)), ALL).train
    assert read.names == ("01", "1", "9", "10", "100", "b2", "b10")
    assert np.array_equal(read.pictures[-1], some.pictures[2])


@pytest.mark.parametrize("fault", ["no_colour", "several_colours"])
def test_policies_drop_or_leave_unsaid(tmp_path, faces, fault):
    said = {"no_colour": "red eyes", "several_colours": "red hair blue hair red eyes"}[fault]
    few = faces.take(np.arange(3))
    files = files_of(few) | {"tags.csv": f"0,{said}\n1,aqua hair red eyes\n2,pink hair".encode()}
    source = write_folder(tmp_path, files)
    dropped = read_faces(source, Reading(held_out=0))
    assert dropped.train.names == ("1",)
    kept = read_faces(source, Reading.model_validate({"held_out": 0, fault: "null"})).train
    assert kept.names[0] == "0"
    assert (kept.hair[0], kept.eyes[0]) == (UNSAID, EYES.index("red"))
    every = read_faces(source, Reading(held_out=0, no_colour="null", several_colours="null")).train
    assert every.names == ("0", "1", "2")
    assert every.eyes[2] == UNSAID


def test_what_cannot_be_used_is_told_and_the_rest_goes_on(tmp_path, faces):
    files = faces_set(faces)
    files["images/3.png"] = b"no picture"
    files["images/4.png"] = files["images/4.png"][:300]
    files["images/5.png"] = encode_png(np.zeros((64, 65, 3), np.uint8))
    files["images/6.png"] = encode_png(np.zeros((32, 32, 3), np.uint8))
    del files["images/7.png"], files["images/8.png"]
    files["images/stray.png"] = files["images/2.png"]
    files["images/2.jpg"] = encode_jpeg(np.zeros((64, 64, 3), np.uint8))
    files["images/9.png"] = files["images/0.png"]
    files["tags.csv"] = (
        words_csv(faces).replace("\n10,", "\n10,teal hair red eyes\n10 again,") + "junk\n"
    ).encode()
    collected = read_faces(write_folder(tmp_path, files), ALL)
    assert reasons(collected) == {
        "broken picture": 4,
        "tags without picture": 3,
        "picture without tags": 2,
        "second picture of an id": 1,
        "exact copy with other words": 1,
        "unknown colour of hair": 1,
        "tags without an id": 1,
    }
    counts = collected.summary.counts
    assert counts == {"read": 17, "kept": 16, "failed": 4, "skipped": 9}
    told = "\n".join(collected.summary.problems)
    assert "images/4.png" in told
    assert "65×64" not in told.replace("65×64 is not square", "")
    assert "tags without picture: 7, 8, 10 again" in told
    assert len(collected.summary.problems) == 7


def test_many_of_a_kind_are_named_in_one_line(tmp_path, faces):
    tags = words_csv(faces) + "".join(f"x{n},red hair red eyes\n" for n in range(500))
    files = faces_set(faces) | {"tags.csv": tags.encode()}
    problems = read_faces(write_folder(tmp_path, files), ALL).summary.problems
    assert [line.partition(": ")[2] for line in problems] == [
        "tags without picture: x0, x1, x2 and 497 more"
    ]


def test_exact_copies_are_kept_once(tmp_path, faces):
    files = faces_set(faces)
    files["images/30.png"] = files["images/1.png"]
    line = words_csv(faces.take(np.array([1])))
    files["tags.csv"] += line.replace("1,", "30,", 1).encode()
    collected = read_faces(write_folder(tmp_path, files), ALL)
    assert reasons(collected) == {"exact copy": 1}
    same(collected.train, faces)


def test_the_summary_knows_the_balance(tmp_path):
    some = drawn_faces(60, seed=2, hair=("red", "blue", "white"), eyes=("green",))
    some.hair[:] = [HAIR.index("red")] * 30 + [HAIR.index("blue")] * 20 + [HAIR.index("white")] * 10
    collected = read_faces(write_folder(tmp_path, faces_set(some)), Reading())
    figures = collected.summary.figures
    assert figures["hair"]["red"] == 30
    assert figures["hair"]["green"] == 0
    assert figures["hair_majority"] == 0.5
    assert figures["hair_imbalance"] == 3
    assert (figures["eyes_majority"], figures["eyes_imbalance"]) == (1, 1)
    assert len(figures["missing_colours"]) == 9 + 10
    assert "blue eyes" in figures["missing_colours"]
    assert figures["train"] + figures["held_out"] == 60
    assert figures["held_out"] == len(collected.held_out) >= 5


def test_no_copy_of_a_held_out_face_is_learned_from(tmp_path, faces):
    mirrored = np.ascontiguousarray(faces.pictures[:, :, ::-1])
    names = tuple(f"m{name}" for name in faces.names)
    twins = type(faces)(names, mirrored, faces.hair, faces.eyes)
    tags = words_csv(faces) + words_csv(twins)
    files = files_of(faces) | files_of(twins) | {"tags.csv": tags.encode()}
    collected = read_faces(write_folder(tmp_path, files), Reading(held_out=0.3))
    held_out = {name.lstrip("m") for name in collected.held_out.names}
    assert held_out
    assert not held_out & {name.lstrip("m") for name in collected.train.names}


def test_the_same_set_is_split_alike_wherever_it_lies(tmp_path, faces):
    files = faces_set(faces)
    sources = (
        write_folder(tmp_path / "folder", files),
        write_tar(tmp_path / "a.tar", dict(reversed(files.items()))),
    )
    prints = {
        (collected.train.fingerprint(), collected.held_out.fingerprint())
        for collected in (read_faces(source, Reading(held_out=0.2)) for source in sources)
    }
    assert len(prints) == 1


NOTHING = [
    ({}, "no tags.csv"),
    ({"tags.csv": b""}, "no face is left"),
    ({"tags.csv": b"\xff\xfe1\x00,\x00"}, "tags.csv: is no UTF-8 text"),
    ({"tags.csv": b"1,blue hair red eyes"}, "tags without picture 1"),
    ({"tags.csv": b"1,teal hair red eyes", "images/1.png": b""}, "unknown colour of hair 1"),
    ({"tags.csv": b"1,red hair red eyes", "images/1.png": b""}, "broken picture 1"),
    ({"a.csv": b"", "b.csv": b""}, "which file holds the tags"),
    ({"a/tags.csv": b"", "b/tags.csv": b""}, "several folders"),
]


@pytest.mark.parametrize(("files", "told"), NOTHING)
def test_a_set_without_faces_is_refused_in_one_line(tmp_path, files, told):
    for source in (
        write_folder(tmp_path / "folder", {"readme": b"", **files}),
        write_tar(tmp_path / "a.tar", {"readme": b"", **files}),
    ):
        with pytest.raises(DatasetError, match=told) as caught:
            read_faces(source, Reading())
        assert str(source) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_is_no_set_is_refused(tmp_path, faces):
    whole = write_tar(tmp_path / "a.tar", faces_set(faces)).read_bytes()
    cases = {
        "text.tar": b"not a tar at all",
        "empty.tar": b"",
        "cut.tar": whole[: len(whole) // 2],
        "cut.tar.gz": gzip.compress(whole)[:-5000],
        "bad.tar.gz": b"\x1f\x8bnonsense",
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DatasetError, match=r"broken archive|no tags") as caught:
            read_faces(tmp_path / name, Reading())
        assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="no such folder"):
        read_faces(tmp_path / "missing", Reading())


def hostile(path, faces, *members):
    """A tar file of faces with members of a stranger's making in front."""
    with tarfile.open(path, "w") as tar:
        for header, data in members:
            header.size = len(data) if data else header.size
            tar.addfile(header, io.BytesIO(data) if data else None)
        for name, data in faces_set(faces).items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return path


def member(name, kind=tarfile.REGTYPE, link="", data=b""):
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    return header, data


def test_members_that_lead_elsewhere_or_are_no_files_are_refused(tmp_path, faces):
    picture = encode_png(np.zeros((64, 64, 3), np.uint8))
    source = hostile(
        tmp_path / "a.tar",
        faces,
        member("../images/50.png", data=picture),
        member("/images/51.png", data=picture),
        member("images/../../52.png", data=picture),
        member("images/53.png", tarfile.SYMTYPE, "/etc/passwd"),
        member("images/54.png", tarfile.LNKTYPE, "tags.csv"),
        member("images/55.png", tarfile.CHRTYPE),
        member("images/56.png", tarfile.FIFOTYPE),
        member("images", tarfile.DIRTYPE),
        member("images/\x1b[31m.png", tarfile.SYMTYPE, "x"),
        member("._tags.csv", data=b"x"),
        member("__MACOSX/images/._1.png", data=b"x"),
        member("a/b/c/d/e/57.png", data=picture),
        member("images/" + "a" * 600 + ".png", data=picture),
    )
    before = sorted(tmp_path.parent.rglob("*"))
    collected = read_faces(source, ALL)
    same(collected.train, faces)
    assert reasons(collected) == {"refused file": 8}
    assert "\x1b" not in "".join(collected.summary.problems)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_name_that_is_there_twice_counts_once(tmp_path, faces):
    picture = encode_png(faces.pictures[5])
    source = hostile(tmp_path / "a.tar", faces, member("images/5.png", data=picture))
    collected = read_faces(source, ALL)
    same(collected.train, faces)
    assert reasons(collected) == {"refused file": 1}


def test_claims_of_absurd_size_take_no_memory(tmp_path, faces):
    header = tarfile.TarInfo("images/60.png")
    header.size = 2**40
    large = tmp_path / "large.tar"
    large.write_bytes(header.tobuf() + bytes(1024))
    negative = bytearray(tarfile.TarInfo("images/60.png").tobuf())
    negative[124:136] = b"\xff" * 11 + b"\x00"
    negative[148:156] = b"        "
    negative[148:156] = f"{sum(negative[:512]):06o}\0 ".encode()
    backwards = tmp_path / "backwards.tar"
    backwards.write_bytes(bytes(negative) + bytes(1024))
    long = tarfile.TarInfo("long")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 2**35
    names = tmp_path / "names.tar"
    names.write_bytes(long.tobuf() + bytes(1024))
    tracemalloc.start()
    try:
        for path in (large, backwards, names):
            with pytest.raises(DatasetError, match=r"holds too much|broken archive|no tags"):
                read_faces(path, Reading())
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def sparse_header(holes):
    """A sparse file's header as GNU tar once wrote it, and so many blocks that list its holes."""
    header = tarfile.TarInfo("images/60.png")
    header.type = tarfile.GNUTYPE_SPARSE
    first = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    first[482] = 1
    first[148:156] = b"        "
    first[148:156] = f"{sum(first):06o}\0 ".encode()
    return bytes(first) + (b"00000000001\0" * 42 + b"\1" + bytes(7)) * holes


def pax_sparse(holes):
    """One whose holes stand before its content, as GNU tar writes it now."""
    header = tarfile.TarInfo("images/60.png")
    header.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return header.tobuf(tarfile.PAX_FORMAT) + b"9999999\n" + b"1\n" * holes


@pytest.mark.parametrize("headers", [sparse_header(2**15), pax_sparse(2**23)])
def test_lists_of_holes_without_end_take_no_memory(tmp_path, headers):
    source = tmp_path / "a.tar.gz"
    source.write_bytes(gzip.compress(headers))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="more than 262144 bytes of headers"):
            read_faces(source, Reading())
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_list_of_holes_that_is_cut_off(tmp_path):
    source = tmp_path / "a.tar"
    source.write_bytes(sparse_header(3))
    with pytest.raises(DatasetError, match="broken archive"):
        read_faces(source, Reading())


def test_a_gzip_bomb_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("animegan.faces.sources.MAX_UNPACKED", 2**22)
    header = tarfile.TarInfo("images/1.png")
    header.size = 2**23
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(header.tobuf() + bytes(2**23 + 1024)))
    with pytest.raises(DatasetError, match="holds too much"):
        read_faces(bomb, Reading())
    monkeypatch.setattr("animegan.faces.sources.MAX_MEMBERS", 3)
    many = write_tar(tmp_path / "many.tar", {f"{n}.txt": b"" for n in range(5)})
    with pytest.raises(DatasetError, match="holds too much"):
        read_faces(many, Reading())


def test_a_picture_of_absurd_size_is_told(tmp_path, faces, monkeypatch):
    monkeypatch.setattr("animeprep.images.MAX_PIXELS", 96**2)
    files = faces_set(faces) | {"images/0.png": encode_png(np.zeros((128, 128, 3), np.uint8))}
    collected = read_faces(write_tar(tmp_path / "a.tar", files), ALL)
    assert reasons(collected) == {"broken picture": 1}
    assert len(collected.train) == 23


def test_no_name_writes_to_the_terminal_what_it_likes(tmp_path, faces):
    picture = encode_png(faces.pictures[0])
    evil = "\x1b]0;owned\x07\n\x9b31m\udcff"
    files = faces_set(faces) | {f"images/{evil}.{n}": picture for n in ("png", "jpg")}
    for source in (write_tar(tmp_path / "a.tar", files), write_folder(tmp_path / "b", files)):
        summary = read_faces(source, ALL).summary
        assert summary.reasons == {"second picture of an id": 1, "picture without tags": 1}
        assert all(line.isprintable() for line in summary.problems)
        assert "images/?]0;owned???31m?.png" in "\n".join(summary.problems)


def test_pictures_are_left_out_by_what_their_headers_claim(tmp_path, faces, monkeypatch):
    files = faces_set(faces)
    for name, (height, width) in enumerate([(4097, 4097), (32, 32), (64, 65), (4096, 4096)]):
        files[f"images/{name}.png"] = encode_png(np.zeros((height, width, 3), np.uint8))
    decoded = []

    def decode(data, path):
        decoded.append(path.name)
        return decode_rgb(data, path)

    monkeypatch.setattr("animegan.faces.reading.decode_rgb", decode)
    collected = read_faces(write_tar(tmp_path / "a.tar", files), ALL)
    assert reasons(collected) == {"broken picture": 3}
    (told,) = collected.summary.problems
    assert "4097×4097 is too large" in told
    assert not {"0.png", "1.png", "2.png"} & set(decoded)
    assert "3.png" in decoded


def test_more_faces_than_memory_is_taken_for(tmp_path, faces, monkeypatch):
    monkeypatch.setattr("animegan.faces.reading.MAX_FACES", 23)
    with pytest.raises(DatasetError, match="24 faces are too many"):
        read_faces(write_folder(tmp_path, faces_set(faces)), Reading())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path, faces):
    source = write_folder(tmp_path, faces_set(faces))
    (source / "images/0.png").chmod(0)
    assert reasons(read_faces(source, ALL)) == {"broken picture": 1}


def test_settings_have_bounds():
    with pytest.raises(ValidationError):
        Reading(held_out=0.6)
    with pytest.raises(ValidationError):
        Reading.model_validate({"no_colour": "guess"})


def test_a_real_set_of_5000_faces(shared):
    source = shared / "data" / "faces.tar"
    if not source.exists():
        pytest.skip("there is no faces.tar")
    collected = read_faces(source, Reading())
    figures = collected.summary.figures
    assert reasons(collected) == {"exact copy": 32}
    assert collected.summary.counts["kept"] == 4968
    assert figures["missing_colours"] == ["gray eyes"]
    assert figures["hair_majority"] == pytest.approx(0.11, abs=0.002)
    assert figures["near_duplicate_groups"] == 348
    assert 480 <= len(collected.held_out) <= 500
