# mypy: allow-untyped-calls
import json
import re
import threading
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from animegan.faces.rating import Marks, RatingServer, gather, serve, summarise
from animegan.faces.rating.items import REAL
from animegan.faces.rating.marks import read_rows
from animegan.faces.words import Words
from animeprep.errors import InputError, UsageError
from animeprep.images import decode_rgb

LOCAL = pytest.mark.allow_hosts(["127.0.0.1"])
MODEL = "secret-model (step 7)"
WORDS = [Words("blue", "red"), Words("pink", None), Words("gray", "green")]


def _faces(seed):
    return np.random.default_rng(seed).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def items():
    """Three faces of a model and three real ones of the same words."""
    return gather(WORDS, {MODEL: _faces(0), REAL: _faces(1)})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ratings.csv"


@pytest.fixture
def site(items, path):
    with RatingServer(items, Marks(path, "ann", items)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, path):
    with urlopen(server.url + path, timeout=20) as answer:  # noqa: S310 - our own server
        return SimpleNamespace(body=answer.read(), headers=answer.headers)


def post(server, path, body, **headers):
    usual = {"Content-Type": "application/json", "X-Token": server.token}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(server.url + path, data=data, headers={**usual, **headers})  # noqa: S310 - our own server
    with urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
        return json.loads(answer.read())


def refused(ask, *args, **more):
    with pytest.raises(HTTPError) as caught:
        ask(*args, **more)
    with caught.value as answer:
        assert "error" in json.loads(answer.read())
        return answer.code


def test_equal_faces_are_rated_once():
    faces = _faces(0)
    items = gather(WORDS, {MODEL: faces, REAL: faces})
    assert len(items) == 3
    assert {item.source for item in items.values()} == {MODEL}
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in items)


def test_marks_are_in_the_file_and_going_on_begins_after_them(items, path):
    marks = Marks(path, "ann", items)
    order = [item.key for item in marks.left()]
    marks.give(order[0], 4, 2)
    marks.give(order[1], 1, 5)
    first, second = read_rows(path)
    assert (first.rater, first.item, first.text, first.realism) == ("ann", order[0], 4, 2)
    assert first.prompt == str(items[order[0]].words)
    assert first.source == items[order[0]].source
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", second.time)
    assert path.read_text().splitlines()[0] == "rater,item,prompt,text,realism,time,source"
    assert [item.key for item in Marks(path, "ann", items).left()] == order[2:]


def test_raters_have_orders_and_marks_of_their_own(items, path):
    ann, bea = Marks(path, "ann", items), Marks(path, 'bea, "x"\n', items)
    orders = [[item.key for item in one.left()] for one in (ann, bea)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    ann.give(orders[0][0], 3, 3)
    bea.give(orders[0][0], 1, 2)
    assert len(bea.left()) == 5
    assert [(row.rater, row.text) for row in read_rows(path)] == [("ann", 3), ('bea, "x"\n', 1)]


def test_the_order_knows_no_source(path):
    """The same faces from other sources come in the same order."""
    orders = []
    for names in ((MODEL, REAL), (REAL, "other")):
        items = gather(WORDS, dict(zip(names, (_faces(0), _faces(1)), strict=True)))
        orders.append([item.key for item in Marks(path, "ann", items).left()])
    assert orders[0] == orders[1]


def test_marks_are_changed_and_taken_back(items, path):
    marks = Marks(path, "ann", items)
    one, other, *_ = [item.key for item in marks.left()]
    marks.give(one, 1, 1)
    marks.give(other, 2, 2)
    marks.give(one, 5, 5)
    assert [(row.item, row.text) for row in read_rows(path)] == [(other, 2), (one, 5)]
    taken = [marks.take_back() for _ in range(3)]
    assert [item and item.key for item in taken] == [one, other, None]
    assert read_rows(path) == []
    marks.give(one, 1, 1)
    assert Marks(path, "ann", items).take_back() is None


def test_names_that_are_no_utf_8_keep_their_bytes(path):
    items = gather(WORDS[:1], {"run \udcff (step 7)": _faces(0)[:1]})
    marks = Marks(path, "z\udce9", items)
    (item,) = marks.left()
    marks.give(item.key, 3, 4)
    assert b"run \xff (step 7)" in path.read_bytes()
    assert not Marks(path, "z\udce9", items).left()
    assert Marks(path, "z", items).left()


_HEAD = "rater,item,prompt,text,realism,time,source\n"


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "rater\n", _HEAD + "ann,k,p,6,1,t,s\n", _HEAD + "ann,k,p,x,1,t,s\n",
     _HEAD + "ann,k\n", _HEAD + "ann,k,p,1,1,t,s,more\n", _HEAD + 'ann,"k\n', "\xff\xfe"],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_and_left_alone(items, path, text):
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"ratings\.csv: .* marks"):
        Marks(path, "ann", items)
    assert path.read_bytes() == text.encode("latin-1")


def test_means_are_of_each_source(items, path):
    marks = Marks(path, "ann", items)
    for item in marks.left():
        marks.give(item.key, 5 if item.source == REAL else 2, 4)
    found = summarise(read_rows(path))
    assert found == {
        REAL: {"text": (5, 5, 5), "realism": (4, 4, 4)},
        MODEL: {"text": (2, 2, 2), "realism": (4, 4, 4)},
    }


@LOCAL
def test_the_page_learns_words_and_pixels_and_no_more(site, items):
    told = []
    while True:
        current = json.loads(get(site, "next").body)
        told.append(json.dumps(current))
        if current["item"] is None:
            break
        assert current["item"].keys() == {"key", "words"}
        key = current["item"]["key"]
        face = get(site, "face/" + key)
        assert face.headers["Content-Type"] == "image/png"
        assert np.array_equal(decode_rgb(face.body, Path("face.png")), items[key].picture)
        told.append(json.dumps(post(site, "marks", {"item": key, "text": 1, "realism": 2})))
        told += [str(face.headers), face.body.decode("latin-1")]
    told += [get(site, "").body.decode(), str(get(site, "").headers)]
    told.append(json.dumps(post(site, "back", {})))
    everything = "".join(told)
    assert len(told) > 24
    for secret in ("secret-model", "step 7", '"real"', '"source"', "generated"):
        assert secret not in everything
    assert refused(get, site, "ratings.csv") == 404
    assert refused(get, site, "items") == 404


@LOCAL
def test_only_the_page_may_mark(site, path):
    key = json.loads(get(site, "next").body)["item"]["key"]
    body = {"item": key, "text": 1, "realism": 1}
    assert refused(post, site, "marks", body, **{"X-Token": "x"}) == 403
    assert refused(post, site, "back", {}, **{"X-Token": ""}) == 403
    assert refused(post, site, "marks", body, **{"Content-Type": "text/plain"}) == 415
    assert not path.exists()


@LOCAL
def test_what_is_no_mark_is_refused(site, path):
    key = json.loads(get(site, "next").body)["item"]["key"]
    good = {"item": key, "text": 1, "realism": 1}
    assert refused(post, site, "marks", {**good, "item": "0" * 16}) == 404
    for wrong in ({**good, "text": 0}, {**good, "realism": 6}, {**good, "text": "1"}, b"{", b"[]",
                  {**good, "source": "x"}, {"item": key, "text": 1}):  # fmt: skip
        assert refused(post, site, "marks", wrong) == 400
    assert refused(post, site, "other", {}) == 404
    assert not path.exists()


@LOCAL
def test_other_addresses_have_nothing(site):
    for address in ("face/", "face/..%2fratings.csv", "face/x/y", "next/", "marks"):
        connection = HTTPConnection("127.0.0.1", site.server_port, timeout=20)
        connection.putrequest("GET", "/" + address)
        connection.endheaders()
        assert connection.getresponse().status == 404
        connection.close()


@LOCAL
def test_the_page_allows_its_own_script_alone(site):
    answer = get(site, "")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce
    assert answer.body.decode().count(f'nonce="{nonce[1]}"') == 2
    assert "unsafe" not in policy
    assert b"http://" not in answer.body


@LOCAL
def test_a_file_that_was_spoilt_meanwhile_is_told_and_kept(site, path):
    key = json.loads(get(site, "next").body)["item"]["key"]
    path.write_text("spoilt")
    assert refused(post, site, "marks", {"item": key, "text": 1, "realism": 1}) == 500
    assert path.read_text() == "spoilt"


@LOCAL
def test_serving_ends_with_counts_and_means(items, path, monkeypatch):
    marks = Marks(path, "ann", items)
    one = marks.left()[0]
    marks.give(one.key, 3, 4)

    def interrupted(self, poll_interval=0.5):
        raise KeyboardInterrupt

    monkeypatch.setattr(RatingServer, "serve_forever", interrupted)
    urls: list[str] = []
    summary = serve(items, marks, open_browser=False, ready=urls.append)
    assert urls[0].startswith("http://127.0.0.1:")
    assert summary.counts == {"rated": 1, "left": 5}
    assert summary.figures[one.source] == {"text": [3, 3, 3], "realism": [4, 4, 4]}


@LOCAL
def test_a_taken_port_is_told(site, items, path):
    with pytest.raises(UsageError, match="cannot be had"):
        RatingServer(items, Marks(path, "ann", items), site.server_port)


@pytest.fixture
def visit(browser, site):
    """Open the page; what the browser complains of fails the test."""
    complaints = []

    def go(width=1000, height=900, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.url)
        page.wait_for_selector("#words:not(:empty)")
        return page

    yield go
    assert complaints == []


def _counted(page, text):
    page.wait_for_function(
        "text => document.querySelector('#count').textContent === text", arg=text
    )


@LOCAL
@pytest.mark.slow
def test_marking_by_key(visit, items, path):
    page = visit()
    order = [item.key for item in Marks(path, "ann", items).left()]
    _counted(page, "0 of 6")
    page.keyboard.press("4")
    assert page.locator("[aria-pressed=true]").inner_text() == "4"
    page.keyboard.press("2")
    _counted(page, "1 of 6")
    assert page.locator("#words").inner_text() == str(items[order[1]].words)
    assert page.locator("#face").evaluate("img => img.decode().then(() => img.naturalWidth)") == 64
    page.keyboard.press("3")
    page.keyboard.press("Backspace")  # forgets the 3
    page.keyboard.press("Backspace")  # takes the first marks back
    _counted(page, "0 of 6")
    assert page.locator("#words").inner_text() == str(items[order[0]].words)
    for number in range(6):
        page.keyboard.press("5")
        page.keyboard.press("1")
        _counted(page, f"{number + 1} of 6")
    page.wait_for_selector("#end:visible")
    assert "ratings.csv" in page.locator("#end").inner_text()
    assert {(row.text, row.realism) for row in read_rows(path)} == {(5, 1)}
    assert [row.item for row in read_rows(path)] == order


@LOCAL
@pytest.mark.slow
def test_marking_by_touch_and_going_on(visit, path):
    page = visit(390, 844, has_touch=True, is_mobile=True, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    realism = page.locator("fieldset[data-aspect=realism] button")
    text = page.locator("fieldset[data-aspect=text] button")
    realism.nth(0).tap()
    realism.nth(2).tap()
    text.nth(4).tap()
    _counted(page, "1 of 6")
    assert [(row.text, row.realism) for row in read_rows(path)] == [(5, 3)]
    page.reload()
    _counted(page, "1 of 6")
    page.locator("#back").tap()
    _counted(page, "0 of 6")


@LOCAL
@pytest.mark.slow
def test_the_page_cannot_learn_where_a_face_comes_from(visit, site):
    page = visit()
    seen: list[Any] = []

    def keep(answer):
        seen.append(answer)

    page.on("response", keep)
    for number in range(6):
        page.keyboard.press("1")
        page.keyboard.press("1")
        _counted(page, f"{number + 1} of 6")
    state = page.evaluate("JSON.stringify([document.documentElement.outerHTML, item, given])")
    bodies = [state, *(answer.text() for answer in seen if "face/" not in answer.url)]
    assert len(bodies) >= 7
    for secret in ("secret-model", "step 7", '"real"'):
        assert not any(secret in body for body in bodies)


@LOCAL
@pytest.mark.slow
def test_a_closed_server_is_told(browser, site):
    page = browser.new_page()
    page.route("**/marks", lambda route: route.abort())
    page.goto(site.url)
    page.wait_for_selector("#words:not(:empty)")
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.wait_for_selector("#alert:visible")
    assert "Your marks are saved" in page.locator("#alert").inner_text()
    assert page.locator("[aria-pressed=true]").count() == 0
