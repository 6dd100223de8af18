import json
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from animegan import table
from animegan.cli import table as verb
from animegan.models import GENERATORS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows():
    """The table, its times not measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "milliseconds", lambda networks, _device: dict.fromkeys(networks, 5))
        return table.measure(CPU)


@pytest.mark.parametrize(
    ("network", "parameters", "mib", "gflop"),
    [
        ("animegan", 3_956_096, 15.09, 62.12),
        ("animeganv2", 2_143_552, 8.177, 52.57),
        ("animeganv2-lite", 698_240, 2.664, 14.29),
        ("cartoongan", 11_124_352, 42.44, 108.77),
    ],
)
def test_sizes_and_arithmetic_are_those_of_the_layer_lists(rows, network, parameters, mib, gflop):
    (row,) = [row for row in rows if row.network == network]
    assert row.ours.parameters == parameters
    assert row.ours.mib == pytest.approx(mib, abs=0.005)
    assert row.ours.gflop == pytest.approx(gflop, abs=0.005)


def test_arithmetic_agrees_with_a_sum_by_hand():
    def macs(channels_in, channels_out, side, kernel=9):
        return channels_in * channels_out * kernel * side**2

    def ds(channels_in, channels_out, side):
        return macs(1, channels_in, side) + macs(channels_in, channels_out, side, 1)

    irb = 2 * macs(256, 512, 64, 1) + macs(1, 512, 64)
    by_hand = (
        macs(3, 64, 256) + macs(64, 64, 256) + 2 * ds(64, 128, 128)
        + macs(128, 128, 128) + ds(128, 128, 128) + 2 * ds(128, 256, 64)
        + 2 * macs(256, 256, 64) + 8 * irb
        + 2 * ds(256, 128, 128) - ds(256, 128, 128) + ds(128, 128, 128) + macs(128, 128, 128)
        + ds(128, 128, 256) + macs(128, 64, 256) + macs(64, 64, 256) + macs(64, 3, 256, 1)
    )  # fmt: skip
    assert table.flops("animegan") == 2 * by_hand


def test_the_papers_rows_come_about_by_their_own_rules():
    for network, paper in table.PUBLISHED.items():
        again = table.recount(network)
        assert again is not None
        assert again.parameters == paper.parameters
        assert again.mib == pytest.approx(paper.mib, abs=0.005)
        assert again.gflop == pytest.approx(paper.gflop, rel=0.0005)
    assert table.recount("animeganv2") is None


def test_times_are_medians_of_turns(monkeypatch):
    ticks = iter([7, 7, 0, 0.003, 0, 0.001, 0, 0.002])
    monkeypatch.setattr(table, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    monkeypatch.setattr(table, "_RUNS", 3)
    monkeypatch.setitem(GENERATORS, "none", nn.Identity)
    assert table.milliseconds(["none"], CPU) == {"none": pytest.approx(2)}


def test_the_real_clock_gives_a_time(monkeypatch):
    monkeypatch.setattr(table, "SIDE", 32)
    monkeypatch.setitem(GENERATORS, "small", lambda: nn.Conv2d(3, 3, 1))
    (taken,) = table.milliseconds(["small"], CPU).values()
    assert taken > 0


def test_the_verb_tells_plain_lines_json_and_markdown(rows, monkeypatch):
    monkeypatch.setattr(table, "measure", lambda _device: rows)
    plain = CliRunner().invoke(verb, ["--device", "cpu"], standalone_mode=False)
    assert plain.exit_code == 0
    (line,) = [line for line in plain.output.splitlines() if line.split()[:1] == ["animegan"]]
    assert line.split()[1:5] == ["3,956,096", "15.09", "62.12", "5.0"]
    assert "12,253,152 (12,253,152)" in plain.output
    assert f"cpu, {torch.get_num_threads()} thread" in plain.output
    assert "\x1b" not in plain.output
    told = json.loads(CliRunner().invoke(verb, ["--device", "cpu", "--json"]).output)
    found = {row["network"]: row for row in told["rows"]}
    assert set(found) == set(table.NETWORKS)
    assert found["animegan"]["published"]["gflop"] == 38.66
    assert found["animeganv2"]["published"] is None
    markdown = CliRunner().invoke(verb, ["--device", "cpu", "--markdown"]).output.splitlines()
    assert len({line.count("|") for line in markdown if line.startswith("|")}) == 1
    assert [line for line in markdown if line.startswith("- ")]


def test_a_terminal_gets_a_table_with_rules(rows, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "180")
    table.show(rows, CPU)
    assert "───" in capsys.readouterr().out
