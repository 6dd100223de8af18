import base64
import hashlib
import json
import re

import numpy as np
import pytest

from animegan.course import Standing
from animegan.photo_page import write_photo_page
from animegan.plan import Plan
from animegan.recipes import make_recipe
from animegan.verdict import Choice
from animeprep.images import encode_jpeg

STEPS = range(0, 320, 10)
LENGTH = Plan(epoch=100, initial=0, total=600, every=10)
ALARM = 'pictures have lost 40 % of "saturation" <b>: raise --colour'


@pytest.fixture
def run(tmp_path):
    """Two photos, one of them upright; paintings get darker with every step."""
    run = tmp_path / "hayao"
    for number, shape in ((1, (32, 48, 3)), (2, (48, 32, 3))):
        folder = run / "samples" / f"photo_{number}"
        folder.mkdir(parents=True)
        (folder / "photo.jpg").write_bytes(encode_jpeg(np.full(shape, 255, np.uint8)))
        for step in STEPS:
            picture = np.full(shape, 200 - step // 2, np.uint8)
            (folder / f"{step:07d}.jpg").write_bytes(encode_jpeg(picture))
    with (run / "log.jsonl").open("w") as log:
        for step in range(1, 311):
            terms = {"gram": 200.0, "colour": 0.5, "fake": 0.2, "g": 700.0, "d": 80.0}
            log.write(json.dumps({"step": step, **terms}) + "\n")
            if step == 100:
                event = {"step": 100, "rate_factor": 0.5, "problem": "step 104: gram is gone"}
                log.write(json.dumps(event) + "\n")
    with (run / "metrics.jsonl").open("w") as metrics:
        for step in STEPS:
            value = 1 - step / 600
            measures = {"style": [value, value - 0.1, value + 0.1], "odd": [float("nan")] * 3}
            metrics.write(json.dumps({"step": step, "measures": measures}) + "\n")
    (run / "speed.jsonl").write_text('{"step": 310, "pictures_per_second": 31.2, "waiting": 0.0}\n')
    return run


@pytest.fixture
def page(run):
    standing = Standing(310, LENGTH, Choice(250, "it is nearest"), [ALARM], ["x.png: broken"])
    write_photo_page(run, make_recipe("animeganv2"), standing)
    return (run / "index.html").read_text()


def test_the_page_tells_how_far_the_run_is_and_what_was_chosen(page):
    assert "<title>hayao: animeganv2</title>" in page
    assert "Step 310 of 600, epoch 3.1 of 6.0; 31.2 pictures a second." in page
    assert "step 250: it is nearest" in page
    assert "<body data-running>" in page


def test_alarms_rollbacks_and_broken_files_are_told(page):
    assert "pictures have lost 40 % of &#34;saturation&#34; &lt;b&gt;: raise --colour" in page
    assert "step 104: gram is gone" in page
    assert "× 0.5" in page
    assert "x.png: broken" in page


def test_a_finished_run_loads_itself_no_more(run):
    write_photo_page(run, make_recipe(), Standing(600, LENGTH))
    assert "<body>" in (run / "index.html").read_text()


def test_sliders_go_through_steps_of_every_photo(page):
    told = re.search(r'id="steps">(.*?)</script>', page)
    assert told
    steps = json.loads(told.group(1))
    # 32 steps are too many; first, last and chosen stay.
    assert 20 <= len(steps) <= 24
    assert (steps[0], steps[-1]) == ("step 0", "step 310 (latest)")
    assert "step 250 (chosen)" in steps
    assert page.count('class="painted"') == 2 * len(steps)
    assert page.count('class="pair"') == 2


def test_pictures_lie_in_the_page(run, page):
    data = base64.b64encode((run / "samples" / "photo_2" / "0000250.jpg").read_bytes()).decode()
    assert data in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_only_the_pages_own_scripts_run(page):
    allowed = set(re.findall(r"'sha256-(.*?)'", page))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    assert {base64.b64encode(digest).decode() for digest in digests} == allowed
    assert "default-src 'none'" in page


def test_curves_are_weighted_terms_and_measures_with_bands(page):
    # The weighted sums g and d are no terms.
    charts = re.findall(r'aria-label="Chart: (.*?)"', page)
    assert charts == ["gram, colour; step", "fake; step"]
    assert "style: 95 %, value, chosen; step" in page
    # The chosen step, 250 of 310, as an upright line.
    assert re.search(r'class="bound" points="80.65,[\d.]+ 80.65,[\d.]+"', page)


def test_a_run_without_anything_yet_has_a_page(tmp_path):
    run = tmp_path / "new"
    write_photo_page(run, make_recipe(), Standing(0, LENGTH))
    page = (run / "index.html").read_text()
    assert "Step 0 of 600" in page
    assert "Held-out photos" not in page
    assert "Recipe" in page


@pytest.mark.slow
def test_sliders_move_in_a_browser(run, page, browser):
    complaints: list[str] = []
    tab = browser.new_page(viewport={"width": 1000, "height": 800})
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(f"file://{run / 'index.html'}")
    first = tab.locator(".pair").first
    shown = first.locator("img.painted:not([hidden])")
    assert shown.get_attribute("alt") == "Photo 1 painted after step 310 (latest)"
    tab.locator("#time").fill("0")
    assert tab.locator("#at").inner_text() == "step 0"
    assert shown.get_attribute("alt") == "Photo 1 painted after step 0"
    box = first.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] / 2, middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.2 * box["width"], middle)
    tab.mouse.up()
    assert first.evaluate("one => one.style.getPropertyValue('--line')") == "20%"
    # What was chosen stays when the page loads itself anew.
    tab.reload()
    assert tab.locator("#at").inner_text() == "step 0"
    assert first.evaluate("one => one.style.getPropertyValue('--line')") == "20%"
    assert complaints == []
