# mypy: allow-untyped-calls
import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from animeprep.curation import KEEP, REJECT, decide
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings, dedup, examine, preference
from animeprep.errors import DatasetError
from animeprep.hamming import distances
from animeprep.hashes import THRESHOLDS, hash_picture
from animeprep.images import read_rgb, to_gray, write_png


def status(dataset):
    return {record["file_name"]: record["status"] for record in dataset.records("dedup")}


def kept(dataset):
    return [path.stem for path in dataset.kept_frames()]


def test_the_sharper_copy_wins_and_is_recorded(dataset, put, scene, soften):
    soft, softer = soften(scene(1)), soften(scene(1), 1.8)
    put("frames", a_softer=softer, b_sharp=scene(1), c_soft=soft, d_other=scene(2))
    summary = dedup(dataset, DedupSettings())
    assert kept(dataset) == ["b_sharp", "d_other"]
    assert summary.counts == {"kept": 2, "dropped": 2}
    assert summary.reasons == {"copy": 2}
    records = dataset.records("dedup").named()
    for name, picture in (("a_softer", softer), ("c_soft", soft)):
        record = records[f"frames/{name}.png"]
        assert (record["reason"], record["keeper"]) == ("copy", "frames/b_sharp.png")
        assert (
            record["distance"]
            == distances(hash_picture(picture), hash_picture(scene(1))[None])[0]
            <= 26
        )
    assert "keeper" not in records["frames/b_sharp.png"]


def test_the_outcome_depends_on_names_only_for_equal_pictures(tmp_path, scene, soften):
    pictures = [scene(1), soften(scene(1)), scene(2), soften(scene(2), 1.8), soften(scene(2))]
    outcomes: list[set[int]] = []
    for order in (range(5), range(4, -1, -1), (2, 4, 0, 3, 1)):
        dataset = Dataset(tmp_path / str(len(outcomes)))
        names = {}
        for place, number in enumerate(order):
            names[f"frames/{place}.png"] = number
            write_png(dataset.path(f"frames/{place}.png"), pictures[number])
        dedup(dataset, DedupSettings())
        outcomes.append({names[n] for n, state in status(dataset).items() if state == "kept"})
    assert outcomes == [{0, 2}] * 3


def test_of_equal_pictures_the_first_name_is_kept(dataset, put, scene):
    put("frames", b=scene(1), a=scene(1), c=scene(1))
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["a"]


def test_preference_is_sharper_then_earlier_then_by_name():
    def record(sharpness, index, name):
        return {"sharpness": sharpness, "index": index, "file_name": name}

    ordered = [record(9, 7, "z"), record(5, 1, "y"), record(5, 2, "a"), record(5, 2, "b")]
    mixed = [ordered[place] for place in (2, 0, 3, 1)]
    assert sorted(mixed, key=preference) == ordered


def test_sharpness_is_the_variance_of_the_laplacian(scene):
    padded = np.pad(to_gray(scene(3)).astype(float), 1, mode="reflect")
    inner = padded[1:-1, 1:-1]
    neighbours = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    examined = examine(scene(3), DedupSettings())
    assert examined["sharpness"] == pytest.approx((neighbours - 4 * inner).var(), abs=1e-3)
    assert bytes.fromhex(examined["hash"]) == hash_picture(scene(3)).tobytes()


def test_gates_come_before_hashes(dataset, put, scene):
    put(
        "frames",
        drawing=scene(1),
        black=np.zeros((270, 480, 3), np.uint8),
        card=np.full((270, 480, 3), 120, np.uint8),
        night=(scene(2) * 0.15).astype(np.uint8),
    )
    summary = dedup(dataset, DedupSettings(black=20, flat=5))
    assert kept(dataset) == ["drawing"]
    assert summary.reasons == {"black": 1, "plain": 1, "night": 1}
    assert "hash" in dataset.records("dedup").of("frames/card.png")[0]


def test_what_is_left_out_stays_and_has_a_thumbnail(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1)))
    dedup(dataset, DedupSettings())
    assert dataset.path("frames/b.png").exists()
    assert [path.name for path in (dataset.root / "left_out").iterdir()] == ["b.jpg"]
    shown = read_rgb(dataset.path("left_out/b.jpg"))
    assert shown.shape == (90, 160, 3)
    small = cv2.resize(soften(scene(1)), (160, 90), interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - small).mean() < 6


def test_pictures_never_examined_are_kept(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1)))
    dedup(dataset, DedupSettings())
    put("frames", c=soften(scene(1), 1.8))
    assert kept(dataset) == ["a", "c"]


def test_without_dedup_all_frames_are_kept(dataset, put, scene):
    put("frames", a=scene(1), b=scene(1))
    assert kept(dataset) == ["a", "b"]


def test_a_frame_removed_by_hand_makes_room_for_its_copy(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1)), c=scene(2))
    dedup(dataset, DedupSettings())
    dataset.path("frames/a.png").unlink()
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["b", "c"]
    assert list(status(dataset)) == ["frames/b.png", "frames/c.png"]
    assert list((dataset.root / "left_out").iterdir()) == []


def test_a_left_out_frame_removed_by_hand_takes_its_thumbnail_along(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1)))
    dedup(dataset, DedupSettings())
    dataset.path("frames/b.png").unlink()
    dedup(dataset, DedupSettings())
    assert list(status(dataset)) == ["frames/a.png"]
    assert list((dataset.root / "left_out").iterdir()) == []


def test_another_threshold_decides_anew(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1), 1.8), c=scene(2))
    dedup(dataset, DedupSettings(threshold=0))
    assert kept(dataset) == ["a", "b", "c"]
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["a", "c"]
    dedup(dataset, DedupSettings(threshold=256))
    assert len(kept(dataset)) == 1


def test_a_rerun_changes_no_file(dataset, put, scene, soften, times_of):
    put("frames", a=scene(1), b=soften(scene(1)), c=np.zeros((90, 160, 3), np.uint8))
    dedup(dataset, DedupSettings())
    before = times_of(dataset.root)
    summary = dedup(dataset, DedupSettings())
    assert times_of(dataset.root) == before
    assert summary.counts == {"kept": 1, "dropped": 2}


def test_a_broken_frame_is_passed_over_by_later_stages(dataset, put, scene):
    put("frames", a=scene(1))
    dataset.path("frames/b.png").write_text("no picture")
    summary = dedup(dataset, DedupSettings())
    assert summary.counts == {"kept": 1, "failed": 1}
    assert kept(dataset) == ["a"]


def test_a_dry_run_tells_what_each_preset_would_leave_out_and_writes_nothing(
    dataset, put, scene, soften, snapshot
):
    put("frames", a=scene(1), b=scene(1), c=soften(scene(2)), d=scene(2), e=scene(3))
    put("frames", black=np.zeros((90, 160, 3), np.uint8))
    before = snapshot(dataset.root)
    foreseen = dedup(dataset, DedupSettings(), dry_run=True)
    assert snapshot(dataset.root) == before
    copies = [foreseen.figures[f"copies_{alike}"] for alike in ("strict", "normal", "loose")]
    assert copies == sorted(copies)
    done = dedup(dataset, DedupSettings())
    assert (+foreseen.counts, foreseen.reasons) == (done.counts, done.reasons)
    assert done.reasons == {"black": 1, "copy": copies[1]}
    # What a preset promised is what it does.
    for alike, promised in zip(("strict", "normal", "loose"), copies, strict=True):
        summary = dedup(dataset, DedupSettings.model_validate({"alike": alike}))
        assert summary.reasons["copy"] == promised


def test_bounds_decide_without_a_second_look(dataset, put, scene, monkeypatch):
    put("frames", a=scene(1), b=(scene(2) * 0.15).astype(np.uint8))
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["a"]

    def examined_again(*given):
        raise AssertionError

    monkeypatch.setattr("animeprep.dedup.examine", examined_again)
    dedup(dataset, DedupSettings(night=0, black=0, flat=0, threshold=0))
    assert kept(dataset) == ["a", "b"]


def test_another_hash_looks_again(dataset, put, scene):
    put("frames", a=scene(1))
    for kind, digits in (("phash-256", 64), ("phash-64", 16), ("dhash-64", 16)):
        dedup(dataset, DedupSettings.model_validate({"hash": kind}))
        assert len(dataset.records("dedup").of("frames/a.png")[0]["hash"]) == digits
    assert DedupSettings(hash="phash-64").bits() == THRESHOLDS["phash-64"]["normal"]
    assert DedupSettings(threshold=3).bits() == 3


def test_a_link_out_of_the_dataset_is_told_and_passed_over(dataset, put, scene, tmp_path):
    put("frames", a=scene(1))
    write_png(tmp_path / "outside.png", scene(2))
    (dataset.root / "frames/b.png").symlink_to(tmp_path / "outside.png")
    for _ in range(2):
        summary = dedup(dataset, DedupSettings())
        assert summary.counts == {"kept": 1, "failed": 1}
        assert "b.png: is a link out of the dataset; copy the picture here" in summary.problems[0]


def test_what_is_kept_but_not_on_disk_keeps_its_thumbnail_and_is_told(dataset, put, scene):
    put("frames", a=scene(1), night=(scene(2) * 0.15).astype(np.uint8))
    dedup(dataset, DedupSettings())
    # As `prepare` leaves it.
    records = dataset.records("frames")
    records.update("frames/night.png", [{"file_name": "frames/night.png", "status": "dropped"}])
    records.tidy()
    dataset.path("frames/night.png").unlink()
    loose = DedupSettings(night=0, black=0, flat=0)
    assert dedup(dataset, loose).counts == {"kept": 2, "to decode again": 1}
    dedup(dataset, DedupSettings())
    assert dataset.path("left_out/night.jpg").exists()


def test_a_rerun_reads_no_picture_again_for_its_thumbnail(dataset, put, scene, monkeypatch):
    put("frames", a=scene(1), b=scene(1))
    dedup(dataset, DedupSettings())

    def read_again(path):
        raise AssertionError

    monkeypatch.setattr("animeprep.dedup.read_rgb", read_again)
    assert dedup(dataset, DedupSettings()).counts == {"kept": 1, "dropped": 1}


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (15, 15)])
def test_a_picture_too_small_to_look_at_fails_alone(dataset, put, scene, shape):
    put("frames", a=scene(1), tiny=np.zeros((*shape, 3), np.uint8))
    summary = dedup(dataset, DedupSettings())
    assert summary.counts == {"kept": 1, "failed": 1}
    assert "is too small; remove it" in summary.problems[0]
    assert kept(dataset) == ["a"]
    assert dedup(dataset, DedupSettings(), dry_run=True).counts["failed"] == 1


def test_two_ways_of_telling_likeness_are_refused():
    with pytest.raises(ValidationError, match="alike and threshold say the same in other ways"):
        DedupSettings(alike="loose", threshold=3)


def test_hands_decide_before_gates_and_copies(dataset, put, scene, soften):
    put("frames", sharp=scene(1), soft=soften(scene(1)), other=scene(2))
    put("frames", black=np.zeros((90, 160, 3), np.uint8))
    decide(dataset, ["frames/soft.png", "frames/black.png"], KEEP)
    decide(dataset, ["frames/other.png"], REJECT)
    summary = dedup(dataset, DedupSettings())
    assert kept(dataset) == ["black", "sharp", "soft"]
    assert summary.reasons == {"rejected": 1}
    decide(dataset, ["frames/soft.png", "frames/black.png", "frames/other.png"], None)
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["other", "sharp"]


def test_all_that_were_kept_by_hand_stay_however_alike(dataset, put, scene):
    put("frames", a=scene(1), b=scene(1), c=scene(1), d=scene(1))
    decide(dataset, ["frames/b.png", "frames/c.png"], KEEP)
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["a", "b", "c"]
    assert dataset.records("dedup").named()["frames/d.png"]["keeper"] == "frames/a.png"


def test_a_rejected_keeper_makes_room_for_its_copy(dataset, put, scene, soften):
    put("frames", a=scene(1), b=soften(scene(1)), c=soften(scene(1), 1.8))
    decide(dataset, ["frames/a.png"], REJECT)
    dedup(dataset, DedupSettings())
    assert kept(dataset) == ["b"]


def test_much_night_is_told_loudly(dataset, put, scene):
    night = {f"n{seed}": (scene(seed) * 0.15).astype(np.uint8) for seed in range(2)}
    put("frames", **night, **{f"d{seed}": scene(seed + 10) for seed in range(8)})
    summary = dedup(dataset, DedupSettings(black=20, flat=5))
    assert summary.problems[0].startswith("2 of 10 pictures are night scenes")
    dataset.path("frames/n1.png").unlink()
    put("frames", d9=scene(30))
    assert dedup(dataset, DedupSettings(black=20, flat=5)).problems == []


def test_without_frames_the_verb_to_run_is_named(dataset):
    with pytest.raises(DatasetError, match="run `animeprep frames FILM` first"):
        dedup(dataset, DedupSettings())


def test_where_all_is_left_out_later_stages_say_so(dataset, put):
    put("frames", a=np.zeros((90, 160, 3), np.uint8))
    dedup(dataset, DedupSettings())
    with pytest.raises(DatasetError, match="all 1 pictures are left out"):
        dataset.kept_frames()
