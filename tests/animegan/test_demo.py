import re

import pytest

from animegan import demo
from animeprep.images import list_images, read_rgb


@pytest.mark.slow
def test_the_tour_ends_in_a_self_contained_page(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "STEPS", 2)
    summaries = {summary.stage: summary for summary in demo.run_demo(tmp_path)}
    # 790 pictures, every 6th.
    assert sum(summaries["frames"].counts.values()) == 132
    assert {"night", "plain", "copy"} <= set(summaries["dedup"].reasons)
    assert summaries["train"].counts["steps made"] == 2
    painted = list_images(tmp_path / "painted")
    assert len(painted) == 3
    for path in painted:
        assert read_rgb(path).shape == read_rgb(tmp_path / "dataset" / "val" / path.name).shape
    page = (tmp_path / "index.html").read_text()
    assert page.count("<img") > 100
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "<svg" in page
    again = {summary.stage: summary for summary in demo.run_demo(tmp_path)}
    assert set(again["frames"].counts) == {"unchanged"}
    assert again["train"].counts["steps made"] == 0


def test_the_built_in_data_is_there_and_small():
    assert (demo.ASSETS / "film.mp4").stat().st_size <= 4 * 2**20
    assert len(list_images(demo.ASSETS / "photos")) == 9
