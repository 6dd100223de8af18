# mypy: allow-untyped-calls
import numpy as np
import pytest

from animeprep import folders
from animeprep.dataset import Dataset
from animeprep.errors import DatasetError
from animeprep.files import sha256
from animeprep.folders import SKIPPED, Made, run_stage, workers_for
from animeprep.images import encode_png, read_rgb, write_png
from animeprep.settings import Settings


class Brighten(Settings):
    by: int = 1


def run(dataset, settings=None, *, make=None, **more):
    """A stage that adds a number to each picture of `frames/`."""
    settings = settings or Brighten()

    def brighten(name, picture):
        return [Made(name.replace("frames", "made"), picture + settings.by, fields={"n": 1})]

    sources = dataset.pictures("frames")
    return run_stage(
        dataset, "stage", sources, make or brighten, lambda _: settings.fingerprint(), **more
    )


def levels(*values):
    return {f"p{value}": np.full((4, 4, 3), value, np.uint8) for value in values}


def made_levels(dataset):
    return {p.name: int(read_rgb(p)[0, 0, 0]) for p in sorted((dataset.root / "made").iterdir())}


@pytest.fixture
def three(dataset, put):
    put("frames", **levels(10, 20, 30))
    return dataset


def test_every_picture_is_made_and_recorded(three):
    summary = run(three)
    assert made_levels(three) == {"p10.png": 11, "p20.png": 21, "p30.png": 31}
    assert summary.counts == {"made": 3}
    record = three.records("stage").of("frames/p20.png")[0]
    data = encode_png(np.full((4, 4, 3), 21, np.uint8))
    assert record["sha256"] == sha256(data)
    assert record["n"] == 1
    assert record["source_sha256"] == sha256(three.path("frames/p20.png").read_bytes())


def test_a_broken_picture_is_recorded_and_the_others_go_on(three):
    three.path("frames/p15.png").write_text("no picture")
    three.path("frames/p16.png").touch()
    summary = run(three)
    assert summary.counts == {"made": 3, "failed": 2}
    assert len(made_levels(three)) == 3
    failed = three.records("stage").of("frames/p15.png")[0]
    assert failed["status"] == "failed"
    assert "not a picture" in failed["reason"]
    assert [line.split(":")[0] for line in sorted(summary.problems)] == [
        str(three.path("frames/p15.png")),
        str(three.path("frames/p16.png")),
    ]


def test_a_broken_picture_is_tried_again_after_repair(three):
    three.path("frames/p15.png").write_text("no picture")
    run(three)
    write_png(three.path("frames/p15.png"), np.full((4, 4, 3), 15, np.uint8))
    assert run(three).counts == {"made": 1, "unchanged": 3}
    assert made_levels(three)["p15.png"] == 16


def test_a_picture_that_breaks_loses_what_was_made_of_it(three):
    run(three)
    three.path("frames/p20.png").write_text("no picture")
    assert run(three).counts == {"failed": 1, "removed": 1, "unchanged": 2}
    assert made_levels(three) == {"p10.png": 11, "p30.png": 31}


def test_a_rerun_changes_no_file(three, times_of):
    run(three)
    before = times_of(three.root)
    assert run(three).counts == {"unchanged": 3}
    assert times_of(three.root) == before


def test_a_changed_source_is_redone_alone(three, times_of):
    run(three)
    before = times_of(three.root / "made")
    write_png(three.path("frames/p20.png"), np.full((4, 4, 3), 99, np.uint8))
    assert run(three).counts == {"made": 1, "unchanged": 2}
    after = times_of(three.root / "made")
    assert [path.name for path in after if after[path] != before[path]] == ["p20.png"]
    assert made_levels(three)["p20.png"] == 100


def test_changed_settings_redo_all(three):
    run(three)
    assert run(three, Brighten(by=5)).counts == {"made": 3}
    assert made_levels(three) == {"p10.png": 15, "p20.png": 25, "p30.png": 35}


def test_a_lost_result_is_made_again(three):
    run(three)
    three.path("made/p20.png").unlink()
    assert run(three).counts == {"made": 1, "unchanged": 2}
    assert made_levels(three)["p20.png"] == 21


def test_a_removed_source_removes_what_was_made_of_it(three):
    run(three)
    three.path("frames/p20.png").unlink()
    assert run(three).counts == {"unchanged": 2, "removed": 1}
    assert made_levels(three) == {"p10.png": 11, "p30.png": 31}
    assert three.records("stage").sources() == ["frames/p10.png", "frames/p30.png"]


def test_sources_are_not_forgotten_where_a_stage_adds_up(three):
    run(three)
    three.path("frames/p20.png").unlink()
    assert run(three, forget=False).counts == {"unchanged": 2}
    assert len(made_levels(three)) == 3


def test_fewer_results_of_one_source_remove_the_others(three):
    def several(count):
        return lambda _, picture: [
            Made(f"made/{picture[0, 0, 0]}_{number}.png", picture) for number in range(count)
        ]

    run(three, Brighten(by=1), make=several(3))
    assert len(made_levels(three)) == 9
    run(three, Brighten(by=2), make=several(1))
    assert sorted(made_levels(three)) == ["10_0.png", "20_0.png", "30_0.png"]


def test_skipped_pictures_say_why(three):
    def refuse(name, picture):
        return [Made(name, None, SKIPPED, {"reason": "too dull"})]

    summary = run(three, make=refuse)
    assert summary.counts == {"skipped": 3}
    assert summary.reasons == {"too dull": 3}
    assert run(three, make=refuse).counts == {"unchanged": 3}


@pytest.fixture
def repainted(three):
    """p20 was changed by hand after the stage had made it."""
    run(three)
    write_png(three.path("made/p20.png"), np.full((4, 4, 3), 200, np.uint8))
    return three


def test_a_picture_changed_by_hand_outlives_every_change_of_settings(repainted):
    for by in (2, 3, 4):
        summary = run(repainted, Brighten(by=by))
        assert summary.counts == {"made": 2, "by hand": 1}
        assert made_levels(repainted) == {"p10.png": 10 + by, "p20.png": 200, "p30.png": 30 + by}


def test_a_picture_changed_by_hand_outlives_a_change_of_its_source(repainted):
    for level in (50, 60):
        write_png(repainted.path("frames/p20.png"), np.full((4, 4, 3), level, np.uint8))
        run(repainted)
        assert made_levels(repainted)["p20.png"] == 200


def test_a_picture_changed_by_hand_outlives_the_loss_of_its_source(repainted):
    repainted.path("frames/p20.png").unlink()
    run(repainted)
    assert made_levels(repainted)["p20.png"] == 200


def test_a_picture_changed_by_hand_twice_is_the_users_still(repainted):
    run(repainted, Brighten(by=2))
    write_png(repainted.path("made/p20.png"), np.full((4, 4, 3), 210, np.uint8))
    run(repainted, Brighten(by=3))
    assert made_levels(repainted)["p20.png"] == 210


def test_a_picture_changed_by_hand_and_removed_is_made_anew(repainted):
    run(repainted, Brighten(by=2))
    repainted.path("made/p20.png").unlink()
    run(repainted, Brighten(by=2))
    assert made_levels(repainted)["p20.png"] == 22


def test_pictures_dropped_in_are_left_alone(three, put):
    put("made", p20=np.full((4, 4, 3), 77, np.uint8), extra=np.full((4, 4, 3), 88, np.uint8))
    assert run(three).counts == {"made": 2, "by hand": 1}
    run(three, Brighten(by=2))
    three.path("frames/p20.png").unlink()
    run(three, Brighten(by=3))
    assert made_levels(three) == {"extra.png": 88, "p10.png": 13, "p20.png": 77, "p30.png": 33}


def test_the_number_of_workers_changes_nothing(tmp_path, monkeypatch, snapshot):
    def make(name, picture):
        return [Made(name.replace("frames", "made"), 255 - picture)]

    results = []
    for workers in (1, 2):
        dataset = Dataset(tmp_path / str(workers))
        for number in range(24):
            noise = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            write_png(dataset.path(f"frames/{number:02}.png"), noise)
        monkeypatch.setattr(folders, "workers_for", lambda _, workers=workers: workers)
        run(dataset, make=make)
        results.append(snapshot(dataset.root))
    assert results[0] == results[1]
    assert len(results[0]) == 24 * 2 + 1


def test_few_pictures_get_one_worker():
    assert workers_for(0) == workers_for(15) == 1
    assert workers_for(10**6) >= 1


@pytest.mark.parametrize("name", ["../outside.png", "made/../../outside.png", "/outside.png"])
def test_a_path_out_of_the_dataset_is_refused(three, tmp_path, name):
    with pytest.raises(DatasetError, match="leads out of the dataset folder"):
        run(three, make=lambda _, picture: [Made(name, picture)])
    assert not (tmp_path / "outside.png").exists()


def test_records_that_lead_out_of_the_dataset_remove_nothing(three, tmp_path):
    victim = tmp_path / "victim.png"
    write_png(victim, np.zeros((4, 4, 3), np.uint8))
    lost = {
        "file_name": "../victim.png",
        "status": "made",
        "source": "frames/gone.png",
        "sha256": sha256(victim.read_bytes()),
    }
    three.records("stage").put("frames/gone.png", [lost])
    with pytest.raises(DatasetError):
        run(three)
    assert victim.exists()


class StopMidwayError(Exception):
    """Stands for whatever ends a run between two pictures."""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, StopMidwayError])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_killed_run_resumes_to_the_same_bytes(tmp_path, snapshot, stop, after):
    whole, killed = Dataset(tmp_path / "whole"), Dataset(tmp_path / "killed")
    for dataset in (whole, killed):
        for name, picture in levels(10, 20, 30).items():
            write_png(dataset.path(f"frames/{name}.png"), picture)
    calls: list[str] = []

    def make(name, picture):
        if len(calls) == after:
            raise stop
        calls.append(name)
        return [Made(name.replace("frames", "made"), picture + 1, fields={"n": 1})]

    with pytest.raises(stop):
        run(killed, make=make)
    assert len(killed.records("stage").sources()) == after
    resumed = run(killed).counts
    assert (resumed["made"], resumed["unchanged"]) == (3 - after, after)
    run(whole)
    assert snapshot(killed.root) == snapshot(whole.root)


def test_a_run_killed_while_writing_leaves_no_part_after_the_next(three):
    run(three)
    three.path("made/.abc.part").write_bytes(b"half a pict")
    run(three)
    assert sorted(made_levels(three)) == ["p10.png", "p20.png", "p30.png"]


def test_a_dry_run_counts_and_writes_nothing(three, snapshot):
    before = snapshot(three.root)
    assert run(three, dry_run=True).counts == {"to do": 3}
    assert snapshot(three.root) == before
    run(three)
    write_png(three.path("frames/p10.png"), np.full((4, 4, 3), 12, np.uint8))
    three.path("frames/p30.png").unlink()
    before = snapshot(three.root)
    assert run(three, dry_run=True).counts == {"to do": 1, "unchanged": 1, "removed": 1}
    assert snapshot(three.root) == before


def test_settings_have_fingerprints_that_tell_values_apart():
    assert Brighten(by=1).fingerprint() == Brighten().fingerprint()
    assert Brighten(by=1).fingerprint() != Brighten(by=2).fingerprint()


def test_unknown_settings_are_refused():
    with pytest.raises(ValueError, match="dimmer"):
        Brighten.model_validate({"dimmer": 3})


class KilledError(Exception):
    """Stands for a kill between writing a picture and recording it."""


@pytest.fixture
def killed(three, monkeypatch):
    """A run that was killed so, under settings that were given up."""

    def put(records, source, made):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("animeprep.records.Records.put", put)
        with pytest.raises(KilledError):
            run(three, Brighten(by=7))
    return three


def test_what_a_killed_run_wrote_and_had_no_time_to_record_is_made_anew(killed):
    assert made_levels(killed)
    summary = run(killed)
    assert made_levels(killed) == {"p10.png": 11, "p20.png": 21, "p30.png": 31}
    assert summary.counts == {"made": 3}
    assert run(killed).counts == {"unchanged": 3}


def test_the_users_own_picture_survives_a_killed_run(three, put, monkeypatch):
    put("made", p10=np.full((4, 4, 3), 99, np.uint8))
    run(three)
    with monkeypatch.context() as patch:
        patch.setattr("animeprep.records.Records.tidy", lambda _: None)
        run(three, Brighten(by=7))
    run(three, Brighten(by=3))
    assert made_levels(three) == {"p10.png": 99, "p20.png": 23, "p30.png": 33}
