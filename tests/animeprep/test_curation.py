# mypy: allow-untyped-calls
import threading

import pytest

from animeprep.curation import KEEP, REJECT, Sitting, change, decide, decisions
from animeprep.errors import DatasetError, OutputError


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


def test_a_torn_line_is_passed_over_and_nonsense_is_told(dataset):
    decide(dataset, ["a"], KEEP)
    path = dataset.root / "curation.jsonl"
    with path.open("a") as file:
        file.write('{"file_name": "b", "sta')
    assert decisions(dataset) == {"a": KEEP}
    path.write_text('{"file_name": "a", "status": "maybe"}\n')
    with pytest.raises(DatasetError, match=r"a is neither kept nor rejected but 'maybe'"):
        decisions(dataset)
    with pytest.raises(DatasetError, match="remove the line"):
        decide(dataset, ["b"], KEEP)
