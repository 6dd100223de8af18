# mypy: allow-untyped-calls
import json
import os
import threading

import pytest

from animeprep.curation import KEEP, REJECT, Sitting, change, decide, decisions
from animeprep.errors import DatasetError, OutputError
from animeprep.files import sha256

CROP = "crops/x_0.png"


def lines(dataset):
    return (dataset.root / "curation.jsonl").read_text(encoding="utf-8").splitlines()


def test_decisions_are_written_at_once_replaced_and_taken_back(dataset):
    assert decisions(dataset) == {}
    decide(dataset, ["frames/b.png", "frames/a.png"], REJECT)
    assert lines(dataset) == [
        '{"file_name": "frames/a.png", "status": "reject"}',
        '{"file_name": "frames/b.png", "status": "reject"}',
    ]
    decide(dataset, ["frames/b.png", "crops/a_0.png"], KEEP)
    assert decisions(dataset) == {
        "frames/a.png": REJECT,
        "frames/b.png": KEEP,
        "crops/a_0.png": KEEP,
    }
    decide(dataset, ["frames/a.png", "frames/never.png"], None)
    assert decisions(dataset) == {"frames/b.png": KEEP, "crops/a_0.png": KEEP}


def test_the_order_of_decisions_leaves_no_trace(tmp_path, dataset):
    other = type(dataset)(tmp_path / "other")
    decide(dataset, ["a", "b"], KEEP)
    decide(dataset, ["a"], REJECT)
    decide(other, ["a"], REJECT)
    decide(other, ["b", "c"], KEEP)
    decide(other, ["c"], None)
    assert lines(dataset) == lines(other)


def test_change_tells_what_was_there_and_what_is(dataset):
    decide(dataset, ["a", "c"], KEEP)
    before, now = change(dataset, {"a": REJECT, "b": KEEP, "c": None})
    assert before == {"a": KEEP, "b": None, "c": KEEP}
    assert now == decisions(dataset) == {"a": REJECT, "b": KEEP}


def test_each_step_is_undone_exactly_the_latest_first(dataset):
    decide(dataset, ["b"], KEEP)
    sitting = Sitting(dataset)
    states = [sitting.state().decided]
    for names, decision in ((["a"], KEEP), (["a", "b", "c"], REJECT), (["b"], None), (["b"], KEEP)):
        states.append(sitting.decide(names, decision).decided)
    assert states[2] == {"a": REJECT, "b": REJECT, "c": REJECT}
    for before in reversed(states[:-1]):
        assert sitting.undo().decided == before == decisions(dataset)
    assert sitting.undo().touched == ()
    assert decisions(dataset) == {"b": KEEP}


def test_a_decision_that_changes_nothing_is_no_step(dataset):
    sitting = Sitting(dataset)
    first = sitting.decide(["a"], KEEP)
    assert sitting.decide(["a"], KEEP).revision == first.revision == 1
    assert sitting.undo().touched == ("a",)
    assert decisions(dataset) == {}


def test_what_others_wrote_meanwhile_stays(dataset):
    sitting = Sitting(dataset)
    sitting.decide(["a"], KEEP)
    decide(dataset, ["b"], REJECT)
    assert sitting.decide(["c"], KEEP).decided == {"a": KEEP, "b": REJECT, "c": KEEP}
    sitting.undo()
    assert decisions(dataset) == {"a": KEEP, "b": REJECT}


def test_threads_lose_nothing(dataset):
    sitting = Sitting(dataset)
    threads = [
        threading.Thread(target=lambda n=n: [sitting.decide([f"{n}.{k}"], KEEP) for k in range(10)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decisions(dataset)) == 40
    assert sitting.state().revision == 40


def test_a_failed_write_decides_nothing_and_can_be_undone_later(dataset, monkeypatch):
    sitting = Sitting(dataset)
    sitting.decide(["a"], KEEP)

    def full(path, data):
        raise OutputError(path, "cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr("animeprep.records.write_changed", full)
        with pytest.raises(OutputError):
            sitting.decide(["b"], KEEP)
        with pytest.raises(OutputError):
            sitting.undo()
    assert decisions(dataset) == {"a": KEEP}
    assert sitting.undo().decided == {}


@pytest.mark.parametrize(
    "line",
    [
        '{"file_name": "b", "sta',
        '{"name": "b", "status": "reject"}',
        '{"file_name": "b"}',
        '{"file_name": "b", "status": ["reject"]}',
        '{"file_name": ["b"], "status": "reject"}',
        "reject b",
        "7",
    ],
)
def test_a_line_that_cannot_be_read_stops_all_and_stays(dataset, line):
    decide(dataset, ["a"], KEEP)
    path = dataset.root / "curation.jsonl"
    with path.open("a") as file:
        file.write(line)
    before = path.read_bytes()
    told = r"curation\.jsonl: 1 line cannot be read; repair or remove"
    sitting = Sitting(dataset)
    for ask in (
        lambda: decisions(dataset),
        lambda: change(dataset, {"c": REJECT}),
        lambda: sitting.decide(["c"], REJECT),
        sitting.state,
    ):
        with pytest.raises(DatasetError, match=told):
            ask()
    assert path.read_bytes() == before
    path.write_bytes(before[: -len(line)])
    assert sitting.decide(["c"], REJECT).decided == {"a": KEEP, "c": REJECT}


def test_nonsense_is_told(dataset):
    decide(dataset, ["b"], KEEP)
    (dataset.root / "curation.jsonl").write_text('{"file_name": "a", "status": "maybe"}\n')
    with pytest.raises(DatasetError, match="a is neither kept nor rejected but 'maybe'"):
        decisions(dataset)
    with pytest.raises(DatasetError, match="remove the line"):
        decide(dataset, ["b"], KEEP)


def draw(dataset, put, picture):
    """A crop, and its record as the stage leaves it."""
    put("crops", x_0=picture)
    made = {"file_name": CROP, "status": "made", "source": "frames/x.png"}
    made["sha256"] = sha256(dataset.path(CROP).read_bytes())
    records = dataset.records("crop")
    records.update("frames/x.png", [made])
    records.tidy()


def test_a_rejection_is_of_the_crop_that_was_seen(dataset, put, scene):
    draw(dataset, put, scene(1))
    decide(dataset, [CROP, "frames/x.png"], REJECT)
    digest = sha256(dataset.path(CROP).read_bytes())
    assert json.loads(lines(dataset)[0])["sha256"] == digest
    assert "sha256" not in json.loads(lines(dataset)[1])
    draw(dataset, put, scene(2))
    assert decisions(dataset) == {"frames/x.png": REJECT}
    # With the first seed again it is the first crop again.
    draw(dataset, put, scene(1))
    assert decisions(dataset) == {CROP: REJECT, "frames/x.png": REJECT}
    draw(dataset, put, scene(2))
    sitting = Sitting(dataset)
    assert sitting.decide([CROP], REJECT).decided == {CROP: REJECT, "frames/x.png": REJECT}
    assert sitting.undo().decided == decisions(dataset) == {"frames/x.png": REJECT}


def test_a_crop_without_a_record_is_known_by_its_file(dataset, put, scene):
    put("crops", x_0=scene(1))
    decide(dataset, [CROP], REJECT)
    assert decisions(dataset) == {CROP: REJECT}
    put("crops", x_0=scene(2))
    assert decisions(dataset) == {}


def test_a_crop_without_a_file_is_known_by_its_record(dataset, put, scene):
    draw(dataset, put, scene(1))
    dataset.path(CROP).unlink()
    decide(dataset, [CROP], REJECT)
    assert decisions(dataset) == {CROP: REJECT}
    draw(dataset, put, scene(2))
    assert decisions(dataset) == {}


def test_a_line_without_a_sum_holds_for_whatever_is_there(dataset, put, scene):
    dataset.root.mkdir()
    (dataset.root / "curation.jsonl").write_text(f'{{"file_name": "{CROP}", "status": "reject"}}')
    draw(dataset, put, scene(1))
    assert decisions(dataset) == {CROP: REJECT}


def test_a_sitting_reads_the_file_once(dataset, monkeypatch):
    decide(dataset, ["a"], KEEP)
    sitting = Sitting(dataset)
    assert sitting.state().decided == {"a": KEEP}
    with monkeypatch.context() as patch:
        patch.setattr("animeprep.records._parse", lambda _: pytest.fail("it was read again"))
        sitting.decide(["b"], REJECT)
        assert sitting.undo().decided == sitting.state().decided == {"a": KEEP}
    # Another program puts a file of the same size and time there.
    path = dataset.root / "curation.jsonl"
    other = path.with_suffix(".new")
    other.write_text(path.read_text().replace('"a"', '"z"'))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert sitting.state().decided == {"z": KEEP}
