import importlib.util
import itertools
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from animeprep.charts import histograms, line_chart
from animeprep.curation import REJECT, decide
from animeprep.dataset import Dataset
from animeprep.dedup import DedupSettings
from animeprep.errors import DatasetError
from animeprep.files import make_folder
from animeprep.images import encode_jpeg, thumbnail
from animeprep.page import Figure, Section, Table, write_page
from animeprep.report import report

FILM = "<script>alert('x')</script>&\".mkv"
CHROMIUM = Path("/usr/bin/chromium")
SETTINGS = {"dedup": DedupSettings()}


class Page(HTMLParser):
    """What a reader finds: tags, table rows by the heading above, captions by section, marks."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.tags = defaultdict(list)
        self.rows = defaultdict(list)
        self.captions = defaultdict(list)
        self.heading = ""
        self.cell: str | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag].append(dict(attrs))
        if tag in {"h1", "h2", "h3", "th", "td", "figcaption"}:
            self.cell = ""
        if tag == "tr":
            self.rows[self.heading].append([])

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data.strip()

    def handle_endtag(self, tag):
        if tag in {"h1", "h2", "h3"}:
            self.heading, self.cell = self.cell or "", None
        elif tag in {"th", "td"}:
            self.rows[self.heading][-1].append(self.cell)
            self.cell = None
        elif tag == "figcaption":
            self.captions[self.heading].append(self.cell)
            self.cell = None


def show(dataset, **bounds):
    return Page(report(dataset, {"dedup": DedupSettings(**bounds)}).read_text("utf-8"))


def put_records(dataset, stage, records):
    found = dataset.records(stage)
    for record in records:
        source = str(record.get("source") or record["file_name"])
        found.update(source, [*found.of(source), record])
    found.tidy()


def name(index):
    return f"frames/film_{index:07d}.png"


def judged(index, status="kept", **more):
    gates = {"black": 5.5 if more.get("reason") == "black" else 200.0}
    return {"file_name": name(index), "status": status, "gates": gates, **more}


def _put_sets(dataset, put, pictures):
    """Two crops of each of the five kept frames, and what is made of them; photos."""
    crops, styles, photos = [], [], []
    for stem in (f"film_{index:07d}_{number}" for index in range(7, 12) for number in range(2)):
        source, number = name(int(stem[5:12])), int(stem[-1])
        crop = pictures[int(stem[5:12])][:128, :128]
        put("crops", **{stem: crop // 2})
        put("style", **{stem: crop})
        put("smooth", **{stem: crop})
        box = {"box": [48 + number, 27, 96, 54], "avoided": [[0, 216, 480, 54]]}
        made = {"file_name": f"crops/{stem}.png", "status": "made", "source": source}
        crops.append({**made, **box, "scaled_size": [480, 270]})
        made = {"file_name": f"style/{stem}.png", "status": "made"}
        styles.append({**made, "source": f"crops/{stem}.png"})
    for stem in ("val/p0_0", *(f"photo/p{photo}_{crop}" for photo in (1, 2, 3) for crop in (0, 1))):
        folder, _, short = stem.partition("/")
        put(folder, **{short: pictures[int(short[1])][:64, :64]})
        photos.append({"file_name": f"{stem}.png", "status": "made", "source": short[:2]})
    put_records(dataset, "crop", crops)
    put_records(dataset, "exposure", styles)
    put_records(dataset, "photos", photos)


@pytest.fixture
def known(dataset, put, scene):
    """Of twelve sampled pictures five are kept; four photos, one of them held out."""
    left_out = {
        0: {"reason": "black"},
        1: {"reason": "black"},
        2: {"reason": "black"},
        3: {"reason": "copy", "keeper": name(7), "distance": 9},
        4: {"reason": "copy", "keeper": name(7), "distance": 4},
    }
    pictures = {index: scene(index) for index in range(12)}
    for index in left_out:
        path = make_folder(dataset.root / "left_out") / f"film_{index:07d}.jpg"
        path.write_bytes(encode_jpeg(thumbnail(pictures[index])))
    for index in range(5, 12):
        put("frames", **{f"film_{index:07d}": pictures[index]})
    put_records(
        dataset,
        "frames",
        [
            {
                "file_name": name(index),
                "status": "dropped" if index in left_out else "made",
                "film": FILM,
                "film_id": "film",
                "index": index,
                "seconds": index * 10.5,
            }
            for index in pictures
        ],
    )
    found = {"what": "range", "found": "<b>full</b>", "done": "0..255"}
    film = {"file_name": FILM, "status": "kept", "source": "film", "codec": "h264", "pictures": 120}
    more = {"stored_size": [480, 270], "rate": 24.0, "corrupt": 3, "lost": 0, "findings": [found]}
    put_records(dataset, "films", [{**film, **more}])
    put_records(
        dataset,
        "dedup",
        [
            judged(index, "dropped", **left_out[index]) if index in left_out else judged(index)
            for index in pictures
        ],
    )
    put_records(
        dataset, "choose", [{"file_name": name(5), "status": "dropped", "reason": "not chosen"}]
    )
    put_records(
        dataset,
        "curation",
        [
            {"file_name": name(6), "status": "reject"},
            {"file_name": name(7), "status": "keep"},
        ],
    )
    _put_sets(dataset, put, pictures)
    return dataset


def test_the_flow_tells_what_became_of_every_picture(known):
    page = show(known)
    assert [[row[0], row[-1]] for row in page.rows["Frames"][1:]] == [
        ["sampled", "12"],
        ["black", "−3"],
        ["rejected", "−1"],
        ["copy", "−2"],
        ["not chosen", "−1"],
        ["kept", "5"],
    ]
    assert len(known.kept_frames()) == 5
    assert [[row[0], row[-1]] for row in page.rows["Crops and sets"][1:]] == [
        ["crops", "10"],
        ["style (a)", "10"],
        ["smooth (e)", "10"],
    ]
    assert [[row[0], row[-1]] for row in page.rows["Photos"][1:]] == [
        ["photos", "4"],
        ["held out", "−1"],
        ["to train on", "3"],
        ["photo crops (p)", "6"],
    ]
    assert {tag["id"] for tag in page.tags["h2"] + page.tags["h3"]} >= {
        tag["href"][1:] for tag in page.tags["a"] if tag["href"] != "#main"
    }


def test_the_film_has_its_row(known):
    page = show(known)
    head, row = page.rows["Films"][:2]
    told = dict(zip(head, row, strict=True))
    assert told["Film"] == FILM
    assert told["Size"] == "480×270"
    counts = ("Pictures", "Sampled", "Kept", "Crops", "Corrupt packets", "Lost")
    assert [told[key] for key in counts] == ["120", "12", "5", "10", "3", "0"]
    assert ["range", "<b>full</b>", "0..255"] in page.rows["Films"]


def test_names_cannot_say_anything_but_themselves(known):
    page = show(known)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&#34;.mkv" in page.text
    assert len(page.tags["script"]) == 1
    assert not {
        key for tags in page.tags.values() for tag in tags for key in tag if key.startswith("on")
    }


def test_copies_stand_beside_the_kept_one_with_their_distance(known):
    assert show(known).captions["Copies"] == [
        "1:13.5 · 2 copies",
        "0:42.0 · 4 bits",
        "0:31.5 · 9 bits",
    ]


def test_frames_without_a_keeper_are_in_no_cluster(known, put, scene):
    # The one of this version, and the two ways in which earlier ones wrote it.
    unknown: list[dict[str, object]] = [
        {"reason": "not hashed yet"},
        {"reason": "copy"},
        {"reason": "copy", "keeper": ""},
    ]
    put("frames", **{f"odd{number}": scene(20 + number) for number in range(3)})
    put_records(
        known,
        "dedup",
        [
            {"file_name": f"frames/odd{number}.png", "status": "dropped", **more}
            for number, more in enumerate(unknown)
        ],
    )
    page = show(known)
    assert page.captions["Copies"][0] == "1:13.5 · 2 copies"
    assert len(page.captions["Copies"]) == 3
    assert ">Not hashed yet: 3<" in page.text
    assert "2 copies of 1 kept picture." in page.text
    flow = [[row[0], row[-1]] for row in page.rows["Frames"]]
    assert ["not hashed yet", "−3"] in flow
    assert ["copy", "−2"] in flow
    assert "Not read" not in page.text


def test_times_are_carried_to_minutes_and_hours(known):
    for index, seconds in ((0, 59.97), (1, 3725), (2, None)):
        record = {"file_name": name(index), "status": "dropped", "film": FILM, "seconds": seconds}
        records = known.records("frames")
        records.update(name(index), [record])
        records.tidy()
    assert show(known).captions["Black: 3"] == ["1:00.0 · 5.5", "1:02:05.0 · 5.5", "5.5"]


def test_a_gate_tells_value_and_bound(known):
    page = show(known)
    assert page.captions["Black: 3"] == ["0:00.0 · 5.5", "0:10.5 · 5.5", "0:21.0 · 5.5"]
    assert "Bound: 40." in page.text
    assert "dashed: the bound; 9 beyond" in page.text
    page = show(known, black=22)
    assert "Bound: 22." in page.text
    assert ["black", "22.0", "40"] in [row[:3] for row in page.rows["Settings"]]


def test_a_gate_shows_its_bound_among_what_it_measured(known):
    page = show(known, black=50)
    # Values of 5.5 in the first of 32 bins of 0..200, where the axis ends at four bounds; and of
    # 200, nine times.
    assert "0,100 0,66.67 3.12,66.67 3.12,100" in page.text
    assert "96.88,100 96.88,0 100,0 100,100" in page.text
    assert '<polyline class="bound" points="25.00,0 25.00,100"/>' in page.text


def test_crops_are_drawn_where_they_were_taken(known):
    marks = show(known).tags["rect"]
    # Five frames with two crops each, and what both avoided.
    assert len(marks) == 20
    box = {"class": "taken", "x": "10.0", "y": "10.0", "width": "20.0", "height": "20.0"}
    area = {"class": "avoided", "x": "0.0", "y": "80.0", "width": "100.0", "height": "20.0"}
    assert marks.count(box) == 5
    assert marks.count(area) == 10


def test_what_was_chosen_by_hand_is_shown(known):
    page = show(known)
    assert page.captions["Kept by hand: 1"] == ["1:13.5"]
    assert page.captions["Rejected by hand: 1"] == ["1:03.0"]


def test_a_rejection_is_shown_with_the_crop_it_was_about(known, put, scene):
    crop = "crops/film_0000007_0.png"
    decide(known, [crop], REJECT)
    assert ">Rejected by hand: 2<" in show(known).text
    put("crops", film_0000007_0=scene(30)[:128, :128])
    assert ">Rejected by hand: 1<" in show(known).text


def test_histograms_share_one_scale():
    chart = histograms("Luma", {"before": [1, 3], "after": [4, 0]}, "level", [(0, "0")])
    assert [curve.points for curve in chart.curves] == [
        "0,100 0,75 50,75 50,25 100,25 100,100",
        "0,100 0,0 50,0 50,100 100,100 100,100",
    ]


def test_curves_on_a_logarithmic_axis():
    chart = line_chart({"loss": [1.0, 0.1, 0.0, 0.01]}, "step", log_scale=True)
    # What is not above 0 has no logarithm.
    assert chart.curves[0].points == "0,0 33.33,50 100,100"
    assert list(chart.y_ticks) == [(0, "0.01"), (50, "0.1"), (100, "1")]
    assert line_chart({"loss": [5.0]}, "step").curves[0].points == "0,100"


def test_a_large_set_makes_no_large_page(dataset, put):
    rng = np.random.default_rng(0)
    put("style", n000=rng.integers(0, 256, (256, 256, 3), dtype=np.uint8))
    noise = dataset.path("style/n000.png").read_bytes()
    for folder in ("frames", "crops", "style", "smooth", "photo"):
        make_folder(dataset.root / folder)
        for number in range(120):
            dataset.path(f"{folder}/n{number:03d}.png").write_bytes(noise)
    records = []
    for number in range(120):
        record = {"file_name": f"frames/n{number:03d}.png", "status": "kept"}
        if number % 4:
            record["status"] = "dropped"
            record["reason"] = "copy" if number % 2 else "night"
            record["keeper"] = f"frames/n{number // 4 * 4:03d}.png"
        records.append(record)
    put_records(dataset, "dedup", records)
    page = show(dataset)
    assert page.text.count("20 of 120 shown, evenly spread.") == 3
    assert "12 of 30 shown, evenly spread." in page.text
    assert "60 copies of 30 kept pictures" in page.text
    # Three sheets, one gate, twelve clusters of three.
    assert len(page.tags["img"]) == 60 + 12 + 36
    assert len(page.text) < 4e6


def test_the_page_asks_nobody_for_anything(known):
    page = show(known)
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!data:|#)', page.text)
    assert not re.findall(r"https?:|url\(|@import", page.text)
    policy = page.tags["meta"][1]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    levels = [int(level) for level in re.findall(r"<h(\d)", page.text)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(picture["alt"] for picture in page.tags["img"])
    assert all("scope" in cell for cell in page.tags["th"])


def test_the_same_dataset_gives_the_same_bytes(known, tmp_path):
    first = report(known, SETTINGS).read_bytes()
    assert report(known, SETTINGS, path=tmp_path / "elsewhere.html").read_bytes() == first


def test_nothing_to_report_on(tmp_path):
    with pytest.raises(
        DatasetError, match=r"there is nothing to report on; run `animeprep prepare"
    ):
        report(Dataset(tmp_path / "nothing"), SETTINGS)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("folder", ["frames", "crops", "style", "photo", "val", "smooth_gray"])
def test_any_stage_of_the_work_has_a_page(dataset, put, scene, folder):
    put(folder, a=scene(1))
    page = show(dataset)
    assert page.tags["h1"]
    assert "Not read" not in page.text


def test_what_cannot_be_read_is_said(known):
    (known.root / "style" / "film_0000008_0.png").write_bytes(b"no picture")
    known.path("left_out/film_0000003.jpg").unlink()
    (known.root / "animeprep.toml").write_bytes(b"\xff")
    (known.root / "exposure.json").write_text("{")
    (known.root / "choose.jsonl").write_text('3\n[]\n"x"\n')
    put_records(
        known,
        "curation",
        [
            {"file_name": "../../../secret.png", "status": "keep"},
            {"file_name": "n" * 300, "status": "keep"},
        ],
    )
    page = show(known)
    problems = {row[0] for rows in page.rows.values() for row in rows if len(row) == 2}
    assert problems >= {
        "style/film_0000008_0.png",
        "frames/film_0000003.png",
        "animeprep.toml",
        "exposure.json",
        "../../../secret.png",
        "n" * 300,
    }
    assert "no picture" in page.text
    # What can be read is there.
    assert ["black", "−3"] in [[row[0], row[-1]] for row in page.rows["Frames"]]


def test_odd_records_are_no_obstacle(known):
    odd: list[dict[str, object]] = [
        {"gates": [1], "reason": "black"},
        {"reason": 7},
        {"reason": "copy", "distance": "far"},
        {"reason": "copy", "keeper": "../x\0y"},
        {"seconds": float("inf"), "reason": "night"},
    ]
    records: list[dict[str, object]] = [
        {"file_name": f"frames/odd{number}.png", "status": "dropped", **more}
        for number, more in enumerate(odd)
    ]
    put_records(known, "dedup", records)
    put_records(known, "frames", records)
    crop = {"file_name": "crops/odd.png", "status": "made", "source": name(7)}
    put_records(known, "crop", [{**crop, "scaled_size": [0, 0], "box": [1, 2, "x", 4]}])
    page = show(known)
    assert ["sampled", "17"] in [[row[0], row[-1]] for row in page.rows["Frames"]]
    assert len(page.tags["rect"]) == 20


def test_odd_bytes_in_a_name_are_replaced(known):
    film = {"file_name": b"\xff.mkv".decode(errors="surrogateescape"), "status": "failed"}
    put_records(known, "films", [{**film, "reason": "broken", "source": "other"}])
    page = show(known)
    assert ["?.mkv", "failed: broken"] in [[row[0], row[-1]] for row in page.rows["Films"] if row]


def test_a_page_without_a_picture_says_so(tmp_path):
    figure = Figure(None, "gone")
    table = Table(("Name", "Count"), [("a", 3)], "Counts")
    section = Section("One", figures=[figure], rows=[[figure, figure]], tables=[table])
    write_page(tmp_path / "page.html", "Title", "Lead", [section])
    page = Page((tmp_path / "page.html").read_text())
    assert page.text.count("no picture") == 3
    assert page.rows["One"] == [["Name", "Count"], ["a", "3"]]


def walk(page):
    """Enter enlarges, an arrow goes on, Escape goes back: what was enlarged first and second."""
    shown = page.locator("dialog p span")
    page.locator("#sets-1 ~ .figures button").first.focus()
    page.keyboard.press("Enter")
    first = shown.inner_text()
    page.keyboard.press("ArrowRight")
    second = shown.inner_text()
    page.keyboard.press("Escape")
    return first, second


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
@pytest.mark.skipif(not importlib.util.find_spec("playwright"), reason="there is no playwright")
def test_in_a_browser(known):
    from playwright.sync_api import sync_playwright

    long = "long-" + "m" * 300 + ".mkv"
    put_records(known, "films", [{"file_name": long, "status": "kept", "source": "other"}])
    page_file = report(known, {"dedup": DedupSettings(black=22)})
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(page_file.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            assert min(page.evaluate(CONTRAST)) >= 4.5
            first, second = walk(page)
            assert (first, second) == tuple(f"style/film_0000007_{n}.png" for n in range(2))
            focused = "document.activeElement.querySelector('img')?.alt"
            page.wait_for_function(f"name => {focused} === name", arg=second)
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto(page_file.as_uri())
        assert plain.locator("img").count() > 30
        browser.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} == {page_file.as_uri()}


#: Contrast (WCAG 2) of each kind of text with the ground.
CONTRAST = """() => {
  const light = (colour) => {
    const linear = colour.match(/[\\d.]+/g).slice(0, 3).map((level) => {
      const part = level / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll("p, h1, a, th, td, figcaption, .plot span, summary")]
    .map((element) => light(getComputedStyle(element).color))
    .map((ink) => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05));
}"""
