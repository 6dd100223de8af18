# mypy: allow-untyped-calls
import json

import numpy as np
import pytest

from animeprep.exposure import ExposureSettings, exposure
from animeprep.report.facts import Facts
from animeprep.report.light import light

FULL = ExposureSettings(strength=1)


@pytest.fixture
def even(dataset, put):
    """A dark and a bright gray crop, brought to their median."""
    put("crops", a=np.full((64, 64, 3), 60, np.uint8), b=np.full((64, 64, 3), 100, np.uint8))
    exposure(dataset, FULL)
    return dataset


def show(dataset):
    facts = Facts(dataset, {})
    return next(light(facts), None), facts.problems


def change(dataset, **more):
    path = dataset.root / "exposure.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({**known, **more}))
    return known


def panel(section, title):
    return next(chart for chart in section.panels if chart.title == title)


def test_what_exposure_measured_is_shown(even, monkeypatch):
    for reader in ("read_rgb", "thumbnail"):
        monkeypatch.setattr(f"animeprep.report.facts.{reader}", None)
    section, problems = show(even)
    assert problems == []
    assert "Over 2 pictures" in section.text
    titles = ["Pictures", "Luma", "Red", "Green", "Blue"]
    assert [chart.title for chart in section.panels] == titles
    # 32 bins of 8 levels: 60 is in the 8th and 100 in the 13th; both end in one.
    before, after = (curve.points for curve in panel(section, "Luma").curves)
    assert "21.88,50 25,50" in before
    assert "37.5,50 40.62,50" in before
    assert after.count(",0 ") == 2
    stops = panel(section, "Pictures")
    assert stops.x_ticks == ((0, "−4"), (25, "−2"), (50, "0"), (75, "+2"), (100, "+4"))
    # Bins of half an EV: 60 and 100 lie 0.8 EV from the mean, on either side.
    before = stops.curves[0].points
    assert "37.5,50 43.75,50" in before
    assert "56.25,50 62.5,50" in before


def test_figures_are_judged(even):
    known = json.loads((even.root / "exposure.json").read_text())
    figures = {"spread_before_ev": 2.0, "spread_after_ev": 1.0, "hue_shift": 1.5}
    change(even, figures={**known["figures"], **figures, "edges_changed": -0.05})
    rows = show(even)[0].tables[0].rows
    less = "2.00 → 1.00 EV, 50 % less"
    assert rows[0] == ("spread of log2 luminance", less, "≥ 40 % less at strength 0.5", "yes")
    assert rows[1] == ("log-average luminance aimed at", f"{known['median']:.4g}", "", "")
    assert ("shift of hues, ΔE00", "1.5", "< 1", "no") in rows
    assert ("change of the number of edge pixels", "-5.00 %", "< 10 %", "yes") in rows


def test_the_luminance_aimed_at_is_told_where_the_method_has_one(even):
    exposure(even, ExposureSettings(target=0.25))
    assert ("log-average luminance aimed at", "0.25", "", "") in show(even)[0].tables[0].rows
    exposure(even, ExposureSettings(method="lab", target=0.25))
    assert not any("aimed at" in row[0] for row in show(even)[0].tables[0].rows)


def test_the_cast_is_told_with_its_sign(dataset, put):
    put("crops", a=np.full((64, 64, 3), (130, 100, 70), np.uint8))
    exposure(dataset, ExposureSettings(method="none"))
    assert show(dataset)[0].tables[1].rows == [
        ("red", "+30.0", "+30.0"),
        ("green", "+0.0", "+0.0"),
        ("blue", "−30.0", "−30.0"),
    ]


def test_without_figures_nothing_is_shown(even, put):
    path = even.root / "exposure.json"
    change(even, figures=None)
    assert show(even) == (None, [])
    path.write_text("{")
    assert show(even) == (None, ["exposure.json: cannot be read"])
    path.unlink()
    assert show(even) == (None, [])


def test_figures_of_other_pictures_are_not_shown(even):
    even.records("exposure").path.unlink()
    assert show(even) == (
        None,
        ["exposure.json: is of other pictures; run `animeprep exposure`"],
    )
