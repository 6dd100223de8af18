import json

import filelock
import pytest

from animegan.errors import TrainingError
from animegan.run import Lines, locked, read_lines, write_json


def test_lines_grow_and_are_read_back(tmp_path):
    lines = Lines(tmp_path / "new" / "log.jsonl")
    lines.append({"step": 1})
    assert list(read_lines(lines.path)) == []
    lines.flush()
    lines.append({"step": 2})
    lines.flush()
    assert lines.path.read_text() == '{"step": 1}\n{"step": 2}\n'
    assert [line["step"] for line in read_lines(lines.path)] == [1, 2]


def test_lines_after_the_first_unwanted_one_are_cut_off(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 1}\n')
    Lines(path, lambda line: line["step"] < 2)
    assert path.read_text() == '{"step": 1}\n'


@pytest.mark.parametrize("torn", ['{"step": 2', '{"step": 2}', "[2]\n", "\n", "\x00\x00\n"])
def test_a_torn_line_is_not_read_and_written_over(tmp_path, torn):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n' + torn)
    assert list(read_lines(path)) == [{"step": 1}]
    lines = Lines(path)
    lines.append({"step": 2})
    lines.flush()
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_missing_file_has_no_lines(tmp_path):
    assert list(read_lines(tmp_path / "none.jsonl")) == []


def test_json_is_for_people_and_not_written_twice(tmp_path):
    path = tmp_path / "recipe.json"
    write_json(path, {"size": 256})
    assert path.read_text() == '{\n "size": 256\n}\n'
    before = path.stat().st_mtime_ns
    write_json(path, {"size": 256})
    assert path.stat().st_mtime_ns == before


def test_json_keeps_names_that_are_no_utf_8(tmp_path):
    path = tmp_path / "faces.json"
    write_json(path, {"é☃": "a\udcff.tar"})
    assert "é☃" in path.read_text("utf-8")
    assert json.loads(path.read_bytes()) == {"é☃": "a\udcff.tar"}


def test_a_run_is_locked_while_it_is_trained(tmp_path):
    run = tmp_path / "run"
    with locked(run), pytest.raises(TrainingError, match="another training"), locked(run):
        pass
    with locked(run):
        pass
    with filelock.FileLock(run / ".lock"), pytest.raises(TrainingError), locked(run):
        pass
