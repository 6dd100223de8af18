import os
import subprocess
import sys
from pathlib import Path

import pytest

from animeprep.curation import kept_crops
from animeprep.dataset import Dataset, made_name, stem
from animeprep.errors import DatasetError, OutputError


def test_a_second_run_on_one_dataset_is_refused(dataset):
    with dataset.lock(), pytest.raises(DatasetError, match="another run is at work"):
        Dataset(dataset.root).lock().__enter__()
    with Dataset(dataset.root).lock():
        pass


def test_a_killed_run_keeps_nobody_out(dataset):
    script = (
        "import os, sys; from pathlib import Path; from animeprep.dataset import Dataset\n"
        "held = Dataset(Path(sys.argv[1])).lock()\n"
        "held.__enter__()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, dataset.root], check=False, timeout=60)
    assert (dataset.root / ".lock").exists()
    with dataset.lock():
        pass


def test_a_dataset_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        Dataset(tmp_path / "file" / "dataset").lock().__enter__()


@pytest.mark.parametrize("name", ["../x.png", "frames/../../x.png", "/etc/x.png", "", ".", ".."])
def test_names_that_lead_out_are_refused(dataset, name):
    with pytest.raises(DatasetError, match="leads out of the dataset folder"):
        dataset.path(name)


def test_links_out_of_the_dataset_are_no_pictures_of_it(dataset, put, scene, tmp_path):
    put("frames", a=scene(1))
    outside = tmp_path / "outside.png"
    outside.write_bytes(dataset.path("frames/a.png").read_bytes())
    dataset.path("frames/b.png").symlink_to(outside.absolute())
    Path(dataset.root / "frames/c.png").symlink_to("a.png")
    assert [path.name for path in dataset.pictures("frames")] == ["a.png", "c.png"]
    assert dataset.links_out("frames") == [dataset.root / "frames/b.png"]


def _judge(dataset, stage, **statuses):
    records = dataset.records(stage)
    for name, status in statuses.items():
        file_name = f"frames/{name}.png"
        records.update(file_name, [{"file_name": file_name, "status": status}])
    records.tidy()


def test_later_stages_take_what_dedup_and_choice_keep_and_hands_decide(dataset, put, scene):
    put("frames", a=scene(1), b=scene(2), c=scene(3), d=scene(4), e=scene(5))
    names = lambda paths: [path.stem for path in paths]  # noqa: E731 - a word for a line
    _judge(dataset, "dedup", a="kept", b="dropped", c="kept", d="kept")
    assert names(dataset.judged_frames()) == ["a", "c", "d", "e"]
    _judge(dataset, "choose", a="kept", c="dropped", d="kept")
    assert names(dataset.kept_frames()) == ["a", "d", "e"]
    assert names(dataset.judged_frames()) == ["a", "c", "d", "e"]
    _judge(dataset, "curation", b="keep", d="reject", e="reject")
    assert names(dataset.kept_frames()) == ["a", "b"]


def test_where_all_was_rejected_it_is_said(dataset, put, scene):
    put("frames", a=scene(1))
    _judge(dataset, "curation", a="reject")
    with pytest.raises(DatasetError, match="all 1 pictures are left out"):
        dataset.kept_frames()


def test_rejected_crops_are_passed_over(dataset, put, scene):
    put("crops", a_0=scene(1), a_1=scene(2))
    records = dataset.records("curation")
    records.update("crops/a_1.png", [{"file_name": "crops/a_1.png", "status": "reject"}])
    records.tidy()
    assert [path.stem for path in kept_crops(dataset)] == ["a_0"]


def test_names_that_are_too_long_for_endings_are_shortened():
    long = "ä" * 120
    names = {stem(f"frames/{long}{number}.png") for number in range(10)}
    assert len(names) == 10
    assert all(len(os.fsencode(name)) <= 200 for name in names)
    assert made_name("smooth", "style/a.JPG") == "smooth/a.JPG.png"


def test_a_refused_name_opens_no_door(dataset, tmp_path):
    for name in ("", ".", str(tmp_path / "secret.png")):
        with pytest.raises(DatasetError):
            dataset.path(name)


def test_pictures_dropped_in_after_all_others_were_left_out_are_kept(dataset, put, scene):
    put("frames", a=scene(1))
    _judge(dataset, "dedup", a="dropped")
    put("frames", new=scene(2))
    assert [path.stem for path in dataset.kept_frames()] == ["new"]


def test_where_all_crops_are_rejected_it_is_said(dataset, put, scene):
    put("crops", a_0=scene(1))
    records = dataset.records("curation")
    records.update("crops/a_0.png", [{"file_name": "crops/a_0.png", "status": "reject"}])
    records.tidy()
    with pytest.raises(DatasetError, match="all 1 pictures are rejected"):
        kept_crops(dataset)


def test_of_pictures_whose_results_would_have_one_name_the_first_is_taken(dataset, put, scene):
    put("frames", a=scene(1), b=scene(2))
    dataset.path("frames/a.png").rename(dataset.path("frames/a.PNG"))
    put("frames", a=scene(3))
    assert [path.name for path in dataset.pictures("frames")] == ["a.PNG", "b.png"]
    assert dataset.namesakes("frames") == [dataset.root / "frames/a.png"]
