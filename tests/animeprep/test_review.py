# mypy: allow-untyped-calls
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest

from animeprep.curation import KEEP, REJECT, decide, decisions
from animeprep.errors import DatasetError, UsageError
from animeprep.files import write_atomic
from animeprep.images import decode_rgb, encode_jpeg, encode_png
from animeprep.records import Record
from animeprep.review import ReviewServer, serve
from animeprep.review import server as review
from animeprep.review.catalogue import Catalogue, key_of

LOCAL = pytest.mark.allow_hosts(["127.0.0.1"])
HOSTILE = "<img src=x onerror=alert(1)>&\"'"


def write_records(dataset, stage, *found):
    records = dataset.records(stage)
    for record in found:
        records.update(record["file_name"], [record])
    records.tidy()


def judged(name, status="kept", **more):
    return {"file_name": f"frames/{name}.png", "status": status, "sharpness": 12.3456, **more}


@pytest.fixture
def filled(dataset, put, scene):
    """Frames that are kept, copies, left out, broken and unknown; crops; a hostile name.

    Of b and d the thumbnail alone is there; g was dropped in after dedup.
    """
    put("frames", a=scene(1), c=scene(2), f=scene(3), g=scene(4), **{HOSTILE: scene(5)})
    put("crops", a_0=scene(1, 64, 64), a_1=scene(2, 64, 64), c_0=scene(3, 64, 64))
    (dataset.root / "frames/e.png").write_bytes(b"broken")
    for name in "bd":
        picture = scene(ord(name), 90, 160)
        write_atomic(dataset.path(f"left_out/{name}.jpg"), encode_jpeg(picture))
    write_records(
        dataset,
        "dedup",
        judged("a", gates={"black": 200.0, "night": 0.123456}),
        judged("b", "dropped", reason="copy", keeper="frames/a.png", distance=7),
        judged("c"),
        judged("d", "dropped", reason="black"),
        judged("e", "failed", reason="not a picture that can be read"),
        judged("f"),
        judged("gone", "dropped", reason="black"),
        judged(HOSTILE),
    )
    write_records(dataset, "choose", judged("f", "dropped", reason="not chosen"))
    write_records(
        dataset,
        "frames",
        judged("a", film="film.mkv", film_id="film-1", index=24, seconds=1.0, shot=3),
    )
    crops = {"a_0": "a", "a_1": "a", "c_0": "c"}
    records = dataset.records("crop")
    for crop, frame in crops.items():
        source = f"frames/{frame}.png"
        made: Record = {"file_name": f"crops/{crop}.png", "status": "made", "source": source}
        made.update(box=[5, 6, 64, 64], scaled_size=[480, 270])
        records.update(source, [*records.of(source), made])
    records.tidy()
    return dataset


@pytest.fixture
def site(filled):
    """The server of `filled`, answering."""
    with ReviewServer(filled) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, path, **headers):
    with urlopen(Request(server.url + path, headers=headers), timeout=20) as answer:  # noqa: S310 - our own server
        return SimpleNamespace(body=answer.read(), headers=answer.headers)


def post(server, path, body, **headers):
    usual = {"Content-Type": "application/json", "X-Token": server.token}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(server.url + path, data=data, headers={**usual, **headers})  # noqa: S310 - our own server
    with urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
        return json.loads(answer.read())


def refused(ask, *args, **headers):
    with pytest.raises(HTTPError) as caught:
        ask(*args, **headers)
    with caught.value as answer:
        assert "error" in json.loads(answer.read())
        return answer.code


def listed(server, tab, **asked):
    query = "&".join(f"{key}={value}" for key, value in {"tab": tab, **asked}.items())
    told = json.loads(get(server, f"pictures?{query.replace(' ', '+')}").body)
    return [one["name"].split("/", 1)[1].removesuffix(".png") for one in told["pictures"]]


def choose(server, name, decision, **more):
    return post(server, "decide", {"picture": key_of(name), "decision": decision, **more})


@LOCAL
def test_every_picture_is_under_the_tab_that_the_records_say(site):
    assert listed(site, "kept") == [HOSTILE, "a", "c", "g"]
    assert listed(site, "copies") == ["a", "b"]
    assert listed(site, "left out") == ["d", "e", "f"]
    assert listed(site, "left out", reason="black") == ["d"]
    assert listed(site, "rejected") == []
    assert listed(site, "crops") == ["a_0", "a_1", "c_0"]


def test_before_dedup_there_are_all_frames(dataset, put, scene):
    put("frames", a=scene(1), b=scene(2))
    tabs = Catalogue(dataset).tabs({})
    assert {tab: len(found) for tab, found in tabs.items() if found} == {"kept": 2}


def test_what_a_run_made_of_decisions_is_still_found(filled):
    # As dedup leaves them: d is kept by hand, c rejected; the decision on c was taken back since.
    decide(filled, ["frames/d.png"], KEEP)
    write_records(
        filled, "dedup", judged("d"), judged("c", "dropped", reason="rejected"), judged("lost")
    )
    tabs = Catalogue(filled).tabs(decisions(filled))
    assert "frames/d.png" in {one.name for one in tabs["kept"]}
    assert "frames/c.png" in {one.name for one in tabs["left out"]}
    decide(filled, ["frames/c.png"], REJECT)
    tabs = Catalogue(filled).tabs(decisions(filled))
    assert "frames/c.png" not in {one.name for one in tabs["left out"]}
    assert [one.name for one in tabs["rejected"]] == ["frames/c.png"]


def test_a_copy_whose_keeper_is_gone_is_not_lost(filled):
    (filled.root / "frames/a.png").unlink()
    write_records(filled, "dedup", judged("a", "dropped", reason="black"))
    tabs = Catalogue(filled).tabs({})
    assert "frames/b.png" in {one.name for one in tabs["left out"]}


@LOCAL
def test_a_kept_frame_that_is_not_decoded_yet_has_a_placeholder(filled):
    (filled.root / "frames/a.png").unlink()
    key = key_of("frames/a.png")
    with ReviewServer(filled) as server:
        told = {one["key"]: one for one in server.listing("kept", "", 0)["pictures"]}
        assert "decoded again" in told[key]["facts"]["here"]
        assert server.listing("copies", "", 0)["totals"]["copies"] == 2
        for draw in (review._small, review._large):
            body, kind = server.picture(key, draw)
            assert kind == "image/svg+xml"
            assert b"not on disk" in body
        server.decide(review.Decision(picture=key, decision="reject"))
    assert decisions(filled) == {"frames/a.png": REJECT}


@LOCAL
def test_names_that_no_file_can_have_are_no_obstacle(filled):
    names = ["frames/" + "n" * 300 + ".png", "frames/x\0y.png"]
    write_records(filled, "dedup", *({"file_name": name, "status": "kept"} for name in names))
    with ReviewServer(filled) as server:
        for name in names:
            assert server.picture(key_of(name), review._small)[1] == "image/svg+xml"


@LOCAL
def test_the_facts_of_a_picture(site):
    told = json.loads(get(site, "pictures?tab=kept").body)["pictures"]
    facts = next(one for one in told if one["name"] == "frames/a.png")["facts"]
    expected = {"film": "film.mkv", "time": "0:01.0", "picture": "24", "shot": "3"}
    expected |= {"sharpness": "12.35", "gate black": "200", "gate night": "0.1235"}
    assert facts == expected
    copy = json.loads(get(site, "pictures?tab=copies").body)["pictures"][1]
    assert copy["facts"]["distance"] == "7 bits"
    assert copy["keeper"] == key_of("frames/a.png")
    assert copy["size"] == 2
    crop = json.loads(get(site, "pictures?tab=crops").body)["pictures"][0]
    assert crop["facts"]["box"] == "64×64 at 5, 6 of 480×270"
    assert (crop["facts"]["film"], crop["facts"]["frame"]) == ("film.mkv", "frames/a.png")


@LOCAL
def test_pages_hold_a_bounded_number(site, monkeypatch):
    monkeypatch.setattr(review, "PER_PAGE", 3)
    assert listed(site, "kept") == [HOSTILE, "a", "c"]
    assert listed(site, "kept", page=1) == ["g"]
    assert listed(site, "kept", page=99) == ["g"]


@LOCAL
def test_pictures_are_scaled_and_encoded_anew(site, scene):
    small = get(site, "thumbnail/" + key_of("frames/a.png"))
    assert small.headers["Content-Type"] == "image/jpeg"
    picture = decode_rgb(small.body, Path("small"))
    assert picture.shape == (135, 240, 3)
    expected = cv2.resize(scene(1), (240, 135), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.astype(int) - expected).mean() < 8
    large = decode_rgb(get(site, "picture/" + key_of("frames/a.png")).body, Path("large"))
    assert large.shape == scene(1).shape
    # Of a frame that is not here, its thumbnail.
    assert (
        decode_rgb(get(site, "picture/" + key_of("frames/d.png")).body, Path("d")).shape[1] == 160
    )


@LOCAL
def test_a_changed_file_is_shown_as_it_is(site, put, scene, filled):
    path = "thumbnail/" + key_of("frames/a.png")
    before = get(site, path).body
    write_atomic(filled.path("frames/a.png"), encode_png(scene(9)))
    os.utime(filled.path("frames/a.png"), ns=(1, 1))
    assert get(site, path).body != before


@LOCAL
def test_broken_and_missing_pictures_have_a_placeholder(site, filled):
    (filled.root / "frames/c.png").unlink()
    for name, told in (("e", b"cannot be read"), ("c", b"not on disk")):
        answer = get(site, "thumbnail/" + key_of(f"frames/{name}.png"))
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert told in answer.body


@LOCAL
def test_decisions_are_in_the_file_when_the_answer_comes(site, filled):
    told = choose(site, "frames/d.png", KEEP)
    assert told["changed"] == {key_of("frames/d.png"): "keep"}
    assert decisions(filled) == {"frames/d.png": KEEP}
    told = choose(site, "crops/a_1.png", REJECT)
    assert told["counts"] == {"keep": 1, "reject": 1}
    assert listed(site, "kept") == [HOSTILE, "a", "c", "d", "g"]
    assert listed(site, "rejected") == ["a_1"]
    choose(site, "frames/d.png", None)
    assert decisions(filled) == {"crops/a_1.png": REJECT}


@LOCAL
def test_a_cluster_is_a_keeper_with_its_copies_or_the_crops_of_a_frame(site, filled):
    choose(site, "frames/b.png", REJECT, cluster=True)
    assert decisions(filled) == {"frames/a.png": REJECT, "frames/b.png": REJECT}
    choose(site, "crops/a_0.png", REJECT, cluster=True)
    assert decisions(filled).keys() == {
        *("frames/a.png", "frames/b.png"),
        *("crops/a_0.png", "crops/a_1.png"),
    }
    choose(site, "frames/c.png", KEEP, cluster=True)
    assert decisions(filled)["frames/c.png"] == KEEP


@LOCAL
def test_crops_are_only_rejected_or_cleared(site, filled):
    crops = json.loads(get(site, "pictures?tab=crops").body)["pictures"]
    kept = json.loads(get(site, "pictures?tab=kept").body)["pictures"]
    assert all(one["is_crop"] for one in crops)
    assert not any(one["is_crop"] for one in kept)
    body = {"picture": key_of("crops/a_0.png"), "decision": "keep"}
    assert refused(post, site, "decide", body) == 400
    assert decisions(filled) == {}
    choose(site, "crops/a_0.png", REJECT)
    choose(site, "crops/a_0.png", None)
    assert decisions(filled) == {}


@LOCAL
def test_another_crop_of_that_name_is_not_rejected(site, filled, put, scene):
    choose(site, "crops/a_0.png", REJECT)
    put("crops", a_0=scene(20, 64, 64))
    with ReviewServer(filled) as server:
        told = server.listing("crops", "", 0)
    assert {one["decision"] for one in told["pictures"]} == {None}
    assert told["totals"]["rejected"] == 0


@LOCAL
def test_a_torn_line_of_decisions_is_told_before_the_page_opens(filled):
    (filled.root / "curation.jsonl").write_text('{"file_name": "frames/a')
    with pytest.raises(DatasetError, match="repair or remove"):
        ReviewServer(filled)


@LOCAL
def test_undo_takes_back_whole_steps(site, filled):
    choose(site, "frames/b.png", KEEP)
    choose(site, "frames/a.png", REJECT, cluster=True)
    told = post(site, "undo", {})
    assert told["changed"] == {key_of("frames/a.png"): None, key_of("frames/b.png"): "keep"}
    assert decisions(filled) == {"frames/b.png": KEEP}
    post(site, "undo", {})
    assert decisions(filled) == {}
    assert post(site, "undo", {})["changed"] == {}


@LOCAL
def test_another_window_learns_that_it_is_behind(site):
    start = json.loads(get(site, "pictures").body)["revision"]
    choose(site, "frames/a.png", KEEP)
    assert choose(site, "frames/c.png", KEEP)["revision"] == start + 2
    fresh = json.loads(get(site, "pictures").body)
    assert {one["name"]: one["decision"] for one in fresh["pictures"]}["frames/a.png"] == "keep"


@LOCAL
def test_only_the_page_may_change_anything(site, filled):
    body = {"picture": key_of("frames/a.png"), "decision": "reject"}
    for wrong in ("", "x", site.token[:-1], "ä"):
        assert refused(post, site, "decide", body, **{"X-Token": wrong}) == 403
        assert refused(post, site, "undo", {}, **{"X-Token": wrong}) == 403
    assert refused(post, site, "decide", body, **{"Content-Type": "text/plain"}) == 415
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(post, site, "decide", b"picture=a", **form) == 415
    assert decisions(filled) == {}


@LOCAL
def test_other_hosts_are_refused(site):
    port = site.server_port
    for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", "localhost", ""):
        for path in ("", "pictures", "thumbnail/" + key_of("frames/a.png")):
            assert refused(get, site, path, Host=host) == 403
        assert refused(post, site, "undo", {}, Host=host) == 403
    assert get(site, "", Host=f"localhost:{port}").body
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/", skip_host=True)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


@LOCAL
@pytest.mark.parametrize(
    "path",
    [
        "thumbnail/../dedup.jsonl",
        "thumbnail/..%2f..%2fetc%2fpasswd",
        "thumbnail//etc/passwd",
        "picture/frames%2fa.png",
        "picture/frames/a.png",
        "frames/a.png",
        "frames/",
        "thumbnail/",
        "dedup.jsonl",
        "pictures?tab=../x",
        "pictures?page=-1",
        "pictures?page=%D9%A3",
        "pictures?page=" + "9" * 30,
        "decide",
    ],
)
def test_there_is_nothing_but_what_the_catalogue_has(site, path):
    # urllib would tidy the path up.
    connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=20)
    connection.putrequest("GET", "/" + path)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    assert status == 404


@LOCAL
def test_a_link_out_of_the_dataset_is_not_followed(filled, site, tmp_path, scene):
    outside = tmp_path / "outside.png"
    outside.write_bytes(encode_png(scene(1)))
    (filled.root / "frames/c.png").unlink()
    (filled.root / "frames/c.png").symlink_to(outside)
    assert refused(get, site, "picture/" + key_of("frames/c.png")) == 404


def test_records_that_lead_out_are_not_in_the_catalogue(filled, tmp_path, scene):
    (tmp_path / "outside.png").write_bytes(encode_png(scene(1)))
    write_records(filled, "dedup", {"file_name": "../outside.png", "status": "kept"})
    assert key_of("../outside.png") not in Catalogue(filled).by_key


@LOCAL
@pytest.mark.skipif(sys.platform != "linux", reason="other systems take only names in Unicode")
def test_a_name_that_is_no_unicode(filled, put, scene):
    put("frames", **{"\udcff": scene(1)})
    with ReviewServer(filled) as server:
        key = key_of("frames/\udcff.png")
        told = json.loads(json.dumps(server.listing("kept", "", 0)))
        assert key in {one["key"] for one in told["pictures"]}
        server.decide(review.Decision(picture=key, decision="reject"))
    assert decisions(filled) == {"frames/\udcff.png": REJECT}


@LOCAL
def test_bodies_are_bounded_and_checked(site, filled):
    assert refused(post, site, "decide", b" " * 70_000) == 413
    good = {"picture": key_of("frames/a.png"), "decision": "keep"}
    assert refused(post, site, "decide", {**good, "picture": "0" * 16}) == 404
    for wrong in (
        b"{",
        b"[]",
        {**good, "decision": "maybe"},
        {**good, "more": 1},
        {**good, "picture": 5},
        {"picture": good["picture"]},
        b"[" * 50_000,
    ):
        assert refused(post, site, "decide", wrong) == 400
    assert refused(post, site, "nothing", {}) == 404
    assert decisions(filled) == {}


@LOCAL
@pytest.mark.parametrize("length", ["", "-1", "+5", "1e3", "٣", "9" * 30])
def test_a_body_says_its_length(site, length):
    connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=20)
    connection.putrequest("POST", "/undo")
    connection.putheader("X-Token", site.token)
    connection.putheader("Content-Type", "application/json")
    if length:
        connection.putheader("Content-Length", length.encode())
    connection.endheaders()
    assert connection.getresponse().status in {411, 413}
    connection.close()


@LOCAL
def test_one_connection_serves_many_requests(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/thumbnail/" + key_of("frames/a.png"))
        with connection.getresponse() as answer:
            assert answer.read()
    headers = {"X-Token": site.token, "Content-Type": "application/json"}
    connection.request("POST", "/undo", b"{}", headers)
    with connection.getresponse() as answer:
        assert answer.status == 200
    connection.close()


@LOCAL
def test_the_page_allows_its_own_script_alone(site, filled):
    answer = get(site, "")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce
    page = answer.body.decode()
    assert page.count(f'nonce="{nonce[1]}"') == 2
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in page
    assert "https://" not in page
    assert site.token in page
    assert nonce[1] not in get(site, "").body.decode()


@LOCAL
def test_a_folders_name_is_escaped(tmp_path, filled):
    hostile = filled.root.rename(tmp_path / "<script>x")
    with ReviewServer(type(filled)(hostile)) as server:
        page = server.page("n")
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page


@LOCAL
def test_a_full_disk_is_told_to_the_page(site, filled, monkeypatch):
    choose(site, "frames/a.png", KEEP)
    path = filled.root / "curation.jsonl"
    path.write_text('{"file_name": "frames/a.png", "status": "maybe"}\n')
    body = {"picture": key_of("frames/a.png"), "decision": "keep"}
    assert refused(post, site, "decide", body) == 500


@LOCAL
def test_it_listens_on_this_computer_alone(site):
    assert site.server_address[0] == "127.0.0.1"


@LOCAL
def test_a_taken_port_is_told(site, filled):
    with pytest.raises(UsageError, match=f"port {site.server_port} cannot be had"):
        ReviewServer(filled, site.server_port)
    with pytest.raises(UsageError, match="port 99999 cannot be had"):
        ReviewServer(filled, 99_999)


def test_nothing_to_choose_from_is_told(dataset):
    with pytest.raises(DatasetError, match="there are no pictures here; run `animeprep frames"):
        ReviewServer(dataset)


@LOCAL
def test_serve_ends_with_counts_at_ctrl_c(filled, monkeypatch):
    opened = threading.Event()
    monkeypatch.setattr("webbrowser.open", lambda _: opened.set())
    urls: list[str] = []

    def interrupted(self, poll_interval=0.5):
        raise KeyboardInterrupt

    monkeypatch.setattr(ReviewServer, "serve_forever", interrupted)
    decide(filled, ["frames/a.png", "frames/c.png"], KEEP)
    decide(filled, ["frames/d.png"], REJECT)
    summary = serve(filled, ready=urls.append)
    assert summary.counts == {"keep": 2, "reject": 1}
    assert urls[0].startswith("http://127.0.0.1:")
    assert opened.wait(5)


@LOCAL
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_the_real_thing(filled):
    code = (
        "import sys; from pathlib import Path; from animeprep.dataset import Dataset;"
        "from animeprep.review import serve;"
        "s = serve(Dataset(Path(sys.argv[1])), open_browser=False,"
        " ready=lambda url: print(url, flush=True)); print(dict(s.counts))"
    )
    command = [sys.executable, "-c", code, str(filled.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        server = SimpleNamespace(url=running.stdout.readline().strip())
        page = get(server, "").body.decode()
        token = re.search(r'name="token" content="([\w-]+)"', page)
        assert token
        server.token = token[1]
        choose(server, "frames/a.png", REJECT)
        running.send_signal(signal.SIGINT)
        assert running.stdout.read().strip() == "{'reject': 1}"
        assert running.wait(20) == 0
    assert decisions(filled) == {"frames/a.png": REJECT}


@pytest.fixture
def visit(browser, site):
    """Open the page at a size; what the browser complains of fails the test."""
    complaints = []

    def go(width=1280, height=800, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.url)
        page.wait_for_selector(".tile")
        return page

    yield go
    assert complaints == []


def settled(page, filled, expected):
    """Wait until the decisions are these; names without folder and suffix."""

    def found():
        return {name.split("/")[1][:-4]: said for name, said in decisions(filled).items()}

    for _ in range(400):
        if found() == expected:
            return
        page.wait_for_timeout(50)
    assert found() == expected


def focused(page):
    return page.locator(".tile.chosen > button").first.get_attribute("title")


@LOCAL
@pytest.mark.slow
def test_choosing_by_key(visit, filled):
    page = visit()
    assert focused(page) == f"frames/{HOSTILE}.png"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    settled(page, filled, {"a": "reject"})
    assert focused(page) == "frames/c.png"
    page.keyboard.press("Space")
    settled(page, filled, {"a": "reject", "c": "keep"})
    page.wait_for_selector("text=by hand: 1 kept, 1 rejected")
    page.keyboard.press("u")
    settled(page, filled, {"a": "reject"})
    page.keyboard.press("u")
    settled(page, filled, {})
    page.wait_for_selector(".tile.chosen > button[title='frames/a.png']")


@LOCAL
@pytest.mark.slow
def test_choosing_whole_clusters_by_key(visit, filled):
    page = visit()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    settled(page, filled, {"a": "reject", "b": "reject"})
    page.keyboard.press("4")
    page.wait_for_selector("text=What you rejected.")
    assert page.locator(".tile").count() == 2
    page.keyboard.press("u")
    settled(page, filled, {})
    page.wait_for_selector(".tile.reject", state="detached")
    page.keyboard.press("4")
    page.wait_for_selector("text=Nothing is rejected so far.")
    page.keyboard.press("2")
    page.wait_for_selector(".cluster .tile")
    page.keyboard.press("c")
    assert page.locator(".tile.meant").count() == 2
    page.keyboard.press("k")
    settled(page, filled, {"a": "keep", "b": "keep"})
    page.keyboard.press("k")
    page.keyboard.press("Delete")
    settled(page, filled, {"a": "keep"})


@LOCAL
@pytest.mark.slow
def test_the_large_view_and_help(visit, filled):
    page = visit()
    page.keyboard.press("3")
    page.wait_for_selector(".tile > button[title='frames/d.png']")
    page.keyboard.press("Enter")
    page.wait_for_selector("#big dl >> text=black")
    page.keyboard.press("k")
    settled(page, filled, {"d": "keep"})
    page.wait_for_selector("#big dl >> text=frames/e.png")
    page.keyboard.press("Escape")
    assert page.locator("#big").is_hidden()
    assert focused(page) == "frames/e.png"
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert "animeprep prepare" in page.locator("dialog").inner_text()
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    settled(page, filled, {"d": "keep"})
    page.reload()
    page.wait_for_selector(".tile > button[title='frames/d.png']")
    assert page.locator(".tile.keep").count() == 1


@LOCAL
@pytest.mark.slow
def test_choosing_by_touch_on_a_phone(visit, filled):
    page = visit(390, 844, has_touch=True, is_mobile=True, color_scheme="dark")
    for tab in ("Kept", "Copies", "Left out", "Rejected", "Crops"):
        page.locator("nav button", has_text=tab).tap()
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.wait_for_selector(".tile > button[title='crops/a_0.png']")
    page.locator(".tile").nth(2).locator(".quick .reject").tap()
    settled(page, filled, {"c_0": "reject"})
    page.locator(".tile").nth(0).locator("button").first.tap()
    assert page.locator("#keep").is_hidden()
    page.locator("#cluster").tap()
    page.locator("#reject").tap()
    settled(page, filled, {"c_0": "reject", "a_0": "reject", "a_1": "reject"})
    page.locator("#undo").tap()
    settled(page, filled, {"c_0": "reject"})


@LOCAL
@pytest.mark.slow
def test_crops_are_not_kept_by_key_but_cleared(visit, filled):
    page = visit()
    page.keyboard.press("5")
    page.wait_for_selector(".tile > button[title='crops/a_0.png']")
    assert page.locator(".quick .keep").count() == 0
    assert page.locator(".quick .reject").count() == 3
    page.keyboard.press("x")
    page.keyboard.press("x")
    settled(page, filled, {"a_0": "reject", "a_1": "reject"})
    page.keyboard.press("Home")
    page.keyboard.press("k")
    settled(page, filled, {"a_1": "reject"})
    assert focused(page) == "crops/a_1.png"
    page.keyboard.press("Shift+Space")
    settled(page, filled, {})
    page.wait_for_selector(".tile.reject", state="detached")
    page.keyboard.press("1")
    page.wait_for_selector(".quick .keep", state="attached")
    assert page.locator("#keep").is_visible()


@LOCAL
@pytest.mark.slow
def test_two_windows_agree(visit, filled):
    one, other = visit(), visit()
    one.keyboard.press("x")
    settled(one, filled, {HOSTILE: "reject"})
    other.keyboard.press("ArrowRight")
    other.keyboard.press("k")
    # It fetches the list anew, in which the rejected one is no more.
    other.wait_for_selector(".tile > button[title*='img']", state="detached")
    settled(other, filled, {HOSTILE: "reject", "a": "keep"})


@LOCAL
@pytest.mark.slow
def test_a_closed_review_is_told(browser, filled):
    server = ReviewServer(filled)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    page = browser.new_page()
    page.goto(server.url)
    page.wait_for_selector(".tile")
    server.shutdown()
    server.server_close()
    thread.join()
    browser.contexts[0].set_offline(offline=True)
    page.keyboard.press("x")
    page.wait_for_selector("text=The review has been closed.")
