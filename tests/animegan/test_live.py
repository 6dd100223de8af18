import io

import pytest
from rich.console import Console

from animegan import live
from animegan.live import Meter, showing
from animegan.plan import Plan


@pytest.fixture
def meter():
    meter = Meter(Plan(epoch=100, initial=0, total=2000, every=100), batch=4)
    for step in range(1, 81):
        meter.add(step, {"gram": float(step), "d": 2.0}, seconds=0.5, waited=0.1)
    return meter


def test_a_line_tells_where_terms_speed_and_the_rest(meter):
    # Means over the last fifty steps, 31 to 80; 1,920 steps of half a second are left.
    assert meter.line() == (
        "step 80 of 2,000, epoch 0.8 of 20.0: gram 55.5 d 2; 8 pictures/s, left 0:16:00"
    )


def test_a_lap_is_since_the_last_one(meter):
    assert meter.lap() == {"pictures_per_second": 8.0, "waiting": 0.2}
    meter.add(81, {"gram": 1.0}, seconds=2.0)
    assert meter.lap() == {"pictures_per_second": 2.0, "waiting": 0.0}


def test_terms_of_an_earlier_phase_are_not_averaged_in(meter):
    meter.add(81, {"content": 7.0}, seconds=0.5)
    assert meter.means() == {"content": 7.0}


def test_the_table_shows_the_same(meter):
    console = Console(file=io.StringIO(), width=100)
    console.print(meter.table())
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("epoch 0.8 of 20.0", "gram", "55.5", "8 pictures/s", "left 0:16:00"):
        assert text in shown


def test_nothing_is_shown_where_no_terminal_listens(meter, capsys):
    with showing(meter):
        meter.add(81, {"gram": 1.0}, seconds=0.5)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_the_table(meter, monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    monkeypatch.setattr(live, "Console", lambda **_: console)
    with showing(meter):
        pass
    assert "epoch 0.8 of 20.0" in file.getvalue()


def test_nothing_is_known_before_the_first_step():
    meter = Meter(Plan(epoch=1, initial=0, total=1, every=1), batch=1)
    assert (meter.means(), meter.speed(), meter.left()) == ({}, 0.0, "0:00:00")
    assert meter.lap() == {"pictures_per_second": 0.0, "waiting": 0.0}
