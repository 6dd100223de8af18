# mypy: allow-untyped-calls
import json

import pytest

from animeprep.records import Records


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stage.jsonl"


def record(name, source="a", **more):
    return {"file_name": name, "status": "made", "source": source, **more}


def test_records_come_back(path):
    written = Records(path)
    written.put("a", [record("a_0"), record("a_1")])
    written.put("b", [record("b_0", "b")])
    for records in (written, Records(path)):
        assert records.sources() == ["a", "b"]
        assert records.of("a") == [record("a_0"), record("a_1")]
        assert records.of("nobody") == []
        assert list(records.named()) == ["a_0", "a_1", "b_0"]


def test_a_missing_file_has_no_records_and_is_not_made(path):
    assert list(Records(path)) == []
    assert not path.exists()


@pytest.mark.parametrize("kept", [1, 10, 40, -2])
def test_a_torn_last_line_is_passed_over(path, kept):
    Records(path).put("a", [record("a_0")])
    whole = path.read_bytes()
    Records(path).put("b", [record("b_0", "b")])
    path.write_bytes(whole + path.read_bytes()[len(whole) :].lstrip()[:kept])
    records = Records(path)
    assert records.sources() == ["a"]
    records.put("c", [record("c_0", "c")])
    assert Records(path).sources() == ["a", "c"]


def test_a_torn_last_line_of_a_tidied_file_is_passed_over(path):
    records = Records(path)
    records.put("a", [record("a_0", seconds=1.5)])
    records.tidy()
    path.write_bytes(path.read_bytes() + b'{"file_name": "b_0", "stat')
    again = Records(path)
    assert again.sources() == ["a"]
    again.put("b", [record("b_0", "b")])
    assert Records(path).sources() == ["a", "b"]


def test_a_later_line_supersedes(path):
    records = Records(path)
    records.put("a", [record("a_0"), record("a_1")])
    records.tidy()
    records.put("a", [record("a_2")])
    assert Records(path).of("a") == [record("a_2")]


def test_tidy_orders_by_file_name_and_repeats_itself(path):
    for order in (["b", "a", "c"], ["c", "b", "a"]):
        path.unlink(missing_ok=True)
        records = Records(path)
        for source in order:
            records.put(source, [record(f"{source}_1", source), record(f"{source}_0", source)])
        records.tidy()
        names = [json.loads(line)["file_name"] for line in path.read_text().splitlines()]
        assert names == ["a_0", "a_1", "b_0", "b_1", "c_0", "c_1"]


def test_tidying_twice_gives_the_same_bytes_and_touches_nothing(path):
    records = Records(path)
    records.put("ä", [record("ä_0", "ä")])
    records.tidy()
    once, when = path.read_bytes(), path.stat().st_mtime_ns
    Records(path).tidy()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (once, when)


def test_dropped_sources_are_gone_after_tidy(path):
    records = Records(path)
    records.put("a", [record("a_0")])
    records.put("b", [record("b_0", "b")])
    records.drop("a")
    records.drop("never there")
    records.tidy()
    assert Records(path).sources() == ["b"]


def test_updates_reach_the_file_by_tidy(path):
    records = Records(path)
    records.put("a", [record("a_0")])
    records.update("a", [record("a_0", gain=2.0)])
    assert Records(path).of("a") == [record("a_0")]
    records.tidy()
    assert Records(path).of("a") == [record("a_0", gain=2.0)]


@pytest.mark.parametrize("name", ["a\u2028b", "a\x85b", "a\nb", "täst ☃", 'quo"te'])
def test_any_name_survives(path, name):
    records = Records(path)
    records.put(name, [record(name, name)])
    assert Records(path).sources() == [name]
    records.tidy()
    assert Records(path).of(name) == [record(name, name)]


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_line_that_was_cut_off_is_told_and_what_it_said_forgotten(path, cut):
    records = Records(path)
    for name in ("a", "b"):
        records.put(name, [record(f"{name}_0", name)])
    records.tidy()
    path.write_bytes(path.read_bytes()[:-cut])
    left = Records(path)
    assert left.sources() == (["a", "b"] if cut == 1 else ["a"])
    assert len(left.told()) == left.torn == (cut > 1)
    assert all("1 line cut off" in line and str(path) in line for line in left.told())


@pytest.mark.parametrize("line", ["7", "null", '"a"', "[]", "{}"])
def test_a_line_that_holds_no_record_is_passed_over(path, line):
    path.write_text(f'{line}\n{{"file_name": "a", "status": "made"}}\n')
    assert Records(path).sources() == ["a"]
    assert Records(path).torn == 1
