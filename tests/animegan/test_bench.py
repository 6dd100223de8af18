import importlib
import json

import pytest
import torch

from animegan import bench
from animegan.backends.wish import Wish
from animegan.bench import Case, measure
from animegan.checkpoint import built_in
from animeprep.__main__ import main

LITE = built_in("animeganv2-lite")
SIZES = ((64, 48), (90, 70))


def test_time_memory_and_likeness_are_measured():
    rows = measure(Case(LITE, None, "cpu", SIZES, Wish("torch", "bf16")))
    assert [row.size for row in rows] == ["64x48", "90x70"]
    for row in rows:
        assert (row.backend, row.precision, row.problem) == ("torch", "bf16", "")
        assert (row.ms or 0) > 0
        assert (row.mb or 0) > 50
        assert 35 < (row.db or 0) < 90


def test_what_is_missing_is_said(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    (row,) = measure(Case(LITE, None, "cpu", SIZES, Wish("openvino")))
    assert "pip install 'animeprep[openvino]'" in row.problem
    assert row.ms is None


def test_what_goes_wrong_at_a_size_leaves_those_before(monkeypatch):
    def fail(_device):
        raise RuntimeError("DefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(bench, "finish", fail)
    assert [row.problem for row in measure(Case(LITE, None, "cpu", SIZES, Wish("torch")))] == [
        "out of memory"
    ]


def test_the_verb_measures_each_in_a_process_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(bench._CASES, "cpu", [("torch", "fp32")])
    monkeypatch.chdir(tmp_path)  # without runs
    assert main(["bench", "--network", "animeganv2-lite", "--size", "64x48", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["size"], row["db"], row["problem"]) == ("64x48", None, "")


@pytest.mark.parametrize("size", ["64", "axb", "0x9", "1x2x3"])
def test_a_size_is_width_and_height(size, capsys):
    assert main(["bench", "--model", str(LITE), "--size", size]) == 2
    assert "say width x height" in capsys.readouterr().err


def test_the_table_is_plain_where_no_terminal_reads(capsys):
    rows = [
        bench.Row("torch", "fp32", "64x48", 12.5, 300, None, 0.1),
        bench.Row("openvino", "fp32", problem="not installed"),
    ]
    bench.show(rows, torch.device("cpu"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["torch", "fp32", "64x48", "12.5", "300", "0.1"]
    assert lines[2].split() == ["openvino", "fp32", "not", "installed"]
