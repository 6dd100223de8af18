"""What the check-up finds in folders with known ills."""

import json

import numpy as np
import pytest

from animeprep.dataset import CROPS, FRAMES, GRAY, SMOOTH, SMOOTH_GRAY, STYLE
from animeprep.doctor import examine_dataset
from animeprep.errors import DatasetError
from animeprep.images import write_png


def texts(dataset, level=None):
    return [f.text for f in examine_dataset(dataset) if level in {None, f.level}]


def plain(side=64):
    return np.zeros((side, side, 3), np.uint8)


def record(dataset, stage, *records):
    kept = dataset.records(stage)
    for one in records:
        kept.update(one["file_name"], [one])
    kept.tidy()


def test_a_sound_dataset(small_dataset, snapshot):
    before = snapshot(small_dataset.root)
    findings = examine_dataset(small_dataset)
    assert [finding.level for finding in findings] == ["ok", "note", "note", "ok"]
    counted, few, licence, what_next = findings
    counts = "pictures: style 7, smooth 7, gray 7, smooth_gray 7, photo 5, val 1"
    assert counted.text == counts
    assert few.text.startswith("7 style pictures are few")
    assert "publish" in licence.remedy
    assert what_next.as_dict() == {
        "level": "ok", "text": "all sets are there", "remedy": "run `animeprep train` next",
    }  # fmt: skip
    assert snapshot(small_dataset.root) == before
    json.dumps([finding.as_dict() for finding in findings])


def test_broken_pictures_are_named(small_dataset):
    whole = small_dataset.path("style/s2.png").read_bytes()
    small_dataset.path("style/s2.png").write_bytes(whole[: len(whole) // 2])
    small_dataset.path("photo/p1.png").write_bytes(b"")
    style, photo = texts(small_dataset, "problem")
    assert style.startswith("1 broken in style/: s2.png (")
    assert photo == "1 broken in photo/: p1.png (the file is empty)"


@pytest.mark.parametrize(
    ("gone", "source", "folder", "verb"),
    [
        ("smooth/s1.png", STYLE, SMOOTH, "smooth-edges"),
        ("gray/s1.png", STYLE, GRAY, "gray"),
        ("smooth_gray/s1.png", SMOOTH, SMOOTH_GRAY, "gray"),
    ],
)
def test_missing_partners(gone, source, folder, verb, small_dataset):
    small_dataset.path(gone).unlink()
    found = {f.text: f.remedy for f in examine_dataset(small_dataset) if f.level == "problem"}
    text = f"1 of {source}/ without a partner in {folder}/: s1.png"
    assert found[text] == f"run `animeprep {verb}`"


def test_the_partner_of_a_jpeg_has_its_whole_name(small_dataset, put):
    small_dataset.path("style/a.jpg").write_bytes(small_dataset.path("style/s1.png").read_bytes())
    for folder in (SMOOTH, GRAY, SMOOTH_GRAY):
        put(folder, **{"a.jpg": plain()})
    assert not texts(small_dataset, "problem")


def test_pictures_that_belong_to_nothing(small_dataset):
    small_dataset.path("style/s1.png").unlink()
    assert "1 in smooth/ belong to nothing in style/: s1.png" in texts(small_dataset, "note")
    assert "1 in gray/ belong to nothing in style/: s1.png" in texts(small_dataset, "note")


def test_sizes_that_differ(small_dataset, put):
    put(STYLE, s1=plain(96))
    assert "1 in style/ are not 64×64 as the others are" in texts(small_dataset, "note")
    assert texts(small_dataset, "problem") == [
        "1 in smooth/ differ in size from style/: s1.png",
        "1 in gray/ differ in size from style/: s1.png",
    ]


def test_names_that_differ_by_case_only(small_dataset, put):
    put("val", V=plain())
    assert "names in val/ that differ by case only: V.png, v.png" in texts(small_dataset, "note")


def test_many_are_counted_and_few_are_named(small_dataset):
    for number in range(5):
        small_dataset.path(f"photo/p{number}.png").write_bytes(b"")
    (problem,) = texts(small_dataset, "problem")
    assert problem.startswith("5 broken in photo/: p0.png")
    assert problem.endswith(", …")
    assert "p3" not in problem


def test_records_of_pictures_that_are_gone(small_dataset):
    record(
        small_dataset,
        "exposure",
        {"file_name": "style/s1.png", "status": "made"},
        {"file_name": "style/gone.png", "status": "made"},
        {"file_name": "style/left.png", "status": "skipped"},
    )
    (finding,) = (f for f in examine_dataset(small_dataset) if f.level == "problem")
    assert finding.text == "1 in exposure.jsonl are gone: style/gone.png"
    assert finding.remedy == "run `animeprep exposure`, which makes them again"


@pytest.mark.parametrize(
    ("stage", "remedy"),
    [
        ("frames", "run `animeprep frames FILM`, which looks again"),
        ("films", "run `animeprep frames FILM`, which looks again"),
        ("dedup", "run `animeprep dedup`, which looks again"),
        ("choose", "run `animeprep choose`, which looks again"),
        ("overlays", "run `animeprep crop`, which looks again"),
        ("crop", "run `animeprep crop`, which looks again"),
        ("exposure", "run `animeprep exposure`, which looks again"),
        ("smooth-edges", "run `animeprep smooth-edges`, which looks again"),
        ("gray", "run `animeprep gray`, which looks again"),
        ("photos", "run `animeprep photos FOLDER`, which looks again"),
        ("curation", "these choices are lost: run `animeprep review`, and make them again"),
    ],
)
def test_lines_that_were_cut_off(stage, remedy, small_dataset):
    record(small_dataset, stage, {"file_name": "style/s1.png", "status": "keep"})
    assert not texts(small_dataset, "problem")
    path = small_dataset.root / f"{stage}.jsonl"
    path.write_text(path.read_text() + '{"file_name": "style/s2.png", "sta')
    (finding,) = (f for f in examine_dataset(small_dataset) if f.level == "problem")
    assert finding.text == f"lines of {stage}.jsonl that were cut off: 1"
    assert finding.remedy == remedy


def test_links_out_of_the_dataset(small_dataset, tmp_path):
    write_png(tmp_path / "elsewhere.png", plain())
    for name in ("photo/a.png", "photo/b.png", "val/c.png"):
        (small_dataset.root / name).symlink_to(tmp_path / "elsewhere.png")
    (small_dataset.root / "photo" / "inside.png").symlink_to(small_dataset.root / "photo/p1.png")
    photo, val = (f for f in examine_dataset(small_dataset) if f.level == "problem")
    assert photo.text == "2 in photo/ are links out of the dataset: a.png, b.png"
    assert photo.remedy == val.remedy == "copy these pictures here: links are passed over"
    assert val.text == "1 in val/ are links out of the dataset: c.png"


def test_leftovers_of_a_killed_run(small_dataset):
    small_dataset.path("style/.x.part").write_bytes(b"")
    found = texts(small_dataset, "note")
    assert "1 half-written files of a killed run: style/.x.part" in found


@pytest.mark.parametrize(("night", "told"), [(1, False), (2, True)])
def test_a_night_film_is_told(night, told, small_dataset):
    frames = [
        {"file_name": f"frames/{n}.png", "status": "dropped", "reason": "night"}
        if n < night
        else {"file_name": f"frames/{n}.png", "status": "kept"}
        for n in range(10)
    ]
    record(small_dataset, "dedup", *frames)
    assert any("are night" in text for text in texts(small_dataset)) == told


def test_the_next_step_follows_the_order_of_the_work(dataset, put):
    def remedy():
        return examine_dataset(dataset)[-1].remedy

    dataset.root.mkdir()
    assert remedy() == "run `animeprep frames FILM` next"
    put(FRAMES, a=plain())
    assert remedy() == "run `animeprep dedup` next"
    record(dataset, "dedup", {"file_name": "frames/a.png", "status": "kept"})
    verbs = ("crop", "exposure", "smooth-edges", "gray", "gray", "photos FOLDER", "train")
    folders = (CROPS, STYLE, SMOOTH, GRAY, SMOOTH_GRAY, "photo")
    for verb, folder in zip(verbs, (*folders, ""), strict=True):
        assert remedy() == f"run `animeprep {verb}` next"
        if folder:
            put(folder, a=plain())


def test_no_dataset_at_all(dataset):
    with pytest.raises(DatasetError, match="no such folder"):
        examine_dataset(dataset)
