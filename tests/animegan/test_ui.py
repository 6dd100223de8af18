import base64
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
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image

from animegan import checkpoint
from animegan.checkpoint import Header, built_in
from animegan.errors import CheckpointError, PaintingError
from animegan.films.paint import paint_film
from animegan.films.settings import How
from animegan.models import GENERATORS
from animegan.models.norms import InstanceNorm
from animegan.painter import Painter
from animegan.stylize import PaintSettings, stylize
from animegan.ui import UiServer
from animegan.ui import server as ui
from animegan.ui.choices import Models, find_pages
from animegan.ui.jobs import Job, Jobs
from animeprep.__main__ import main
from animeprep.errors import UsageError
from animeprep.files import write_atomic
from animeprep.images import decode_rgb, encode_jpeg, encode_png

LOCAL = pytest.mark.allow_hosts(["127.0.0.1"])


def write_run(name, seed=0, age=0):
    torch.manual_seed(seed)
    path = Path("runs") / name / "generator.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    network = GENERATORS["animegan"]()
    checkpoint.write(path, network.state_dict(), Header("generator", "animegan", 1234, {}))
    os.utime(path, (10**9 - age, 10**9 - age))
    return path


@pytest.fixture
def here(tiny_networks, tmp_path, monkeypatch):
    """A folder with two runs, the newest `one`, and a dataset with a report."""
    monkeypatch.chdir(tmp_path)
    write_run("one")
    write_run("two", seed=1, age=10)
    write_atomic(Path("runs/one/index.html"), b"<title>training of one</title>")
    write_atomic(Path("set/report.html"), b"<title>what came of it</title>")
    return tmp_path


@pytest.fixture
def site(here):
    """The server, answering."""
    with UiServer(Models(None, "cpu"), Path("set")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, method, path, body=b"", **headers):
    """An answer's status, headers and body; headers that are None are left out."""
    usual = {"X-Token": server.token, "Content-Type": "application/json"}
    given = {name: value for name, value in {**usual, **headers}.items() if value is not None}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, f"/{path}", body, given)
    answer = connection.getresponse()
    told = SimpleNamespace(code=answer.status, headers=answer.headers, body=answer.read())
    connection.close()
    return told


def drop(server, name, data, **headers):
    answer = ask(server, "PUT", "photo", data, **{"X-Name": quote(name), **headers})
    return answer.code, json.loads(answer.body)


def model_named(server, label):
    return next(one.key for one in server.models.choices() if one.label == label)


def begin(server, photo, model="one", **settings):
    body = {"photo": photo, "model": model_named(server, model), "settings": settings}
    answer = ask(server, "POST", "paint", json.dumps(body))
    return answer.code, json.loads(answer.body)


def settled(server, job, *states):
    """What is told of a job when it is in one of the states."""
    told: dict[str, Any] = {}
    for _ in range(1000):
        told = json.loads(ask(server, "GET", f"job/{job}").body)
        if told["state"] in (states or ("done", "failed", "cancelled")):
            return told
        threading.Event().wait(0.01)
    raise AssertionError(told)


def paint(server, photo, **more):
    return settled(server, begin(server, photo, **more)[1]["job"])


def picture(height=24, width=40, seed=0, kind=np.uint8):
    most = np.iinfo(kind).max
    noise = np.random.default_rng(seed).integers(0, most, (height, width, 3), dtype=kind)
    return np.asarray(noise)


def turned_jpeg():
    """On its side, with metadata."""
    path = Path("turned.jpg")
    exif = Image.Exif()
    exif[274], exif[315] = 6, "An author"
    Image.fromarray(picture()).save(path, exif=exif, quality=92)
    return path.read_bytes()


def deep_png():
    import cv2

    return cv2.imencode(".png", picture(kind=np.uint16))[1].tobytes()


def clear_png():
    path = Path("clear.png")
    Image.fromarray(np.dstack([picture(), picture(seed=1)[..., :1]]), "RGBA").save(path)
    return path.read_bytes()


@LOCAL
@pytest.mark.parametrize(
    ("name", "make", "settings"),
    [
        ("turned.jpg", turned_jpeg, {}),
        ("deep.png", deep_png, {"keep_colours": True}),
        ("clear.png", clear_png, {"strength": 0.6}),
        ("small.JPEG", turned_jpeg, {"max_side": 16}),
        ("Ünnamed", clear_png, {"format": "webp", "quality": 70, "mark": False}),
    ],
)
def test_what_the_page_paints_is_what_stylize_paints(site, here, name, make, settings):
    data = make()
    write_atomic(here / "photos" / name, data)
    stylize([here / "photos" / name], here / "out", Painter.load(), PaintSettings(**settings))
    expected = next((here / "out").iterdir())
    code, dropped = drop(site, name, data)
    assert code == 200
    told = paint(site, dropped["photo"], **settings)
    assert told["state"] == "done"
    answer = ask(site, "GET", f"download/{told['job']}")
    assert answer.body == expected.read_bytes()
    called = f"attachment; filename*=UTF-8''{quote(expected.name)}"
    assert answer.headers["Content-Disposition"] == called
    assert told["painting"]["name"] == expected.name


@LOCAL
def test_before_and_after_are_upright_and_of_one_size(site):
    _, dropped = drop(site, "turned.jpg", turned_jpeg())
    assert (dropped["width"], dropped["height"]) == (24, 40)
    told = paint(site, dropped["photo"], strength=0)
    before, after = (
        decode_rgb(ask(site, "GET", path).body, Path(path))
        for path in (f"photo/{dropped['photo']}", f"painting/{told['job']}")
    )
    assert before.shape == after.shape == (40, 24, 3)
    np.testing.assert_array_equal(before, after)
    assert told["painting"]["facts"] == ["24 × 40 pixels", "animegan", "step 1,234"]


@LOCAL
def test_strength_and_colours_change_without_the_network(site, monkeypatch):
    sizes = []
    plain = Painter.paint

    def counted(self, one, **more):
        sizes.append(one.shape)
        return plain(self, one, **more)

    monkeypatch.setattr(Painter, "paint", counted)
    _, dropped = drop(site, "a.png", encode_png(picture()))
    for settings in ({}, {"strength": 0.5}, {"keep_colours": True}, {"format": "jpg"}):
        assert paint(site, dropped["photo"], **settings)["state"] == "done"
    assert len(sizes) == 1
    paint(site, dropped["photo"], max_side=20)
    paint(site, dropped["photo"], model="two", max_side=20)
    assert sizes == [(24, 40, 3), (12, 20, 3), (12, 20, 3)]


@LOCAL
def test_what_is_not_as_usual_is_told(site, monkeypatch):
    monkeypatch.setattr(Painter, "fits", lambda *_: False)
    frames = [Image.fromarray(picture(seed=seed)) for seed in (0, 1)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    _, dropped = drop(site, "moving.gif", Path("moving.gif").read_bytes())
    told = paint(site, dropped["photo"])
    assert told["painting"]["facts"][-2:] == ["in tiles", "the first of an animation is painted"]
    assert told["painting"]["name"] == "moving.png"


@LOCAL
def test_broken_files_are_told_in_one_line_and_not_kept(site, here, write_film, numbered):
    film = write_film(here / "film.mp4", [numbered(1)] * 3)
    bad = {
        "empty.jpg": (b"", "the file is empty"),
        "torn.png": (encode_png(picture())[:200], "image file is truncated"),
        "text.png": (b"Dear diary", "not a picture that can be read"),
        "text.txt": (b"Dear diary", "not a film that can be read"),
        "clip.mp4": (film.read_bytes()[:600], "not a film that can be read"),
    }
    for name, (data, problem) in bad.items():
        code, told = drop(site, name, data)
        assert code == 422
        assert told["error"].startswith(f"{name}: ")
        assert problem in told["error"]
        assert "\n" not in told["error"]
    assert list(site.folder.iterdir()) == []


class Normed(torch.nn.Sequential):
    """A network that films can be painted with: they are given the norms of a shot."""

    multiple_of, bytes_per_pixel = 1, 100

    def __init__(self):
        super().__init__(torch.nn.Conv2d(3, 3, 3, padding=1), InstanceNorm(3), torch.nn.Tanh())


@pytest.fixture
def normed(here, monkeypatch):
    monkeypatch.setitem(GENERATORS, "animegan", Normed)
    write_run("one")
    write_run("two", age=10)


@LOCAL
def test_a_clip_is_painted_as_stylize_paints_it(normed, site, here, write_film, scene):
    film = write_film(here / "a clip.mp4", [scene(seed, 64, 96) for seed in (1, 1, 2, 2)])
    paint_film(film, here / "out.mp4", How(Painter.load(), PaintSettings(strength=0.5)))
    code, dropped = drop(site, film.name, film.read_bytes())
    assert (code, dropped["at_once"], dropped["facts"]) == (200, False, ["0:00.2"])
    assert (dropped["width"], dropped["height"]) == (96, 64)
    told = paint(site, dropped["photo"], strength=0.5)
    assert told["painting"]["name"] == "a clip.mp4"
    assert told["painting"]["facts"][0] == "96 × 64 pixels"
    assert ask(site, "GET", f"download/{told['job']}").body == (here / "out.mp4").read_bytes()
    shown = decode_rgb(ask(site, "GET", f"painting/{told['job']}").body, Path("painted"))
    assert shown.shape == (64, 96, 3)
    # The next three push it out, with all that was made of it.
    for seed in range(3):
        drop(site, "a.png", encode_png(picture(seed=seed)))
    assert not any(one.name.startswith(dropped["photo"]) for one in site.folder.iterdir())


@LOCAL
@pytest.mark.slow
def test_a_clip_that_was_cancelled_is_gone_on_with(
    normed, site, here, write_film, scene, monkeypatch
):
    film = write_film(here / "clip.mkv", [scene(seed, 64, 96) for seed in (1, 2, 3)])
    _, dropped = drop(site, film.name, film.read_bytes())
    plain, painted = Painter.paint, []

    def slowed(self, one, **more):
        painted.append(one)
        if len(painted) == 2:
            site.jobs.cancel(dropped["photo"])
        return plain(self, one, **more)

    monkeypatch.setattr(Painter, "paint", slowed)
    told = paint(site, dropped["photo"])
    assert (told["state"], told["share"]) == ("cancelled", pytest.approx(1 / 3))
    assert (site.folder / f"{dropped['photo']}.mkv.parts").is_dir()
    assert paint(site, dropped["photo"])["state"] == "done"
    assert not list(site.folder.glob("*.parts"))


@LOCAL
def test_a_clip_beyond_the_free_disk_is_refused(site, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    code, told = drop(site, "clip.mkv", b" " * 501)
    assert (code, "no room" in told["error"]) == (507, True)


@LOCAL
def test_huge_uploads_are_refused_before_they_are_read(site, monkeypatch):
    monkeypatch.setattr(ui._Handler, "max_upload", 1000)
    code, told = drop(site, "a.png", b" " * 1001)
    assert (code, told["error"]) == (413, "that is too long")
    for length in ("-1", "1e3", "", "9" * 40):
        answer = ask(site, "PUT", "photo", **{"Content-Length": length})
        assert answer.code in {411, 413}
    assert list(site.folder.iterdir()) == []


@LOCAL
def test_a_huge_file_of_a_photo_is_refused(site, monkeypatch):
    monkeypatch.setattr("animegan.ui.photo.MAX_BYTES", 100)
    code, told = drop(site, "a.png", encode_png(picture()))
    expected = "a.png: the file is too large; paint it with `animeprep stylize`"
    assert (code, told["error"]) == (422, expected)


@LOCAL
def test_a_picture_of_too_many_pixels_is_refused(site, monkeypatch):
    monkeypatch.setattr("animeprep.images.MAX_PIXELS", 24 * 40 - 1)
    code, told = drop(site, "a.png", encode_png(picture()))
    assert (code, told["error"]) == (422, "a.png: 40×24 is too large; scale it down")


@LOCAL
def test_an_upload_that_ends_early_is_not_kept(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.server_port, timeout=20)
    connection.putrequest("PUT", "/photo")
    connection.putheader("X-Token", site.token)
    connection.putheader("Content-Length", "5000")
    connection.endheaders(encode_png(picture())[:300])
    assert connection.sock is not None
    connection.sock.shutdown(1)  # nothing more will come
    answer = connection.getresponse()
    assert (answer.status, "did not come whole" in answer.read().decode()) == (400, True)
    connection.close()
    assert list(site.folder.iterdir()) == []


@LOCAL
def test_a_full_disk_is_told(site, monkeypatch):
    monkeypatch.setattr(ui, "token_urlsafe", lambda _: "gone/file")
    code, told = drop(site, "a.png", encode_png(picture()))
    assert code == 422
    assert "cannot be written" in told["error"]


@LOCAL
@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\photos\\a.png", "a.png"),
        ("a\r\nSet-Cookie: x=y.png", "aSet-Cookie: x=y.png"),
        ('quote".png', 'quote".png'),
        ("..", "photo.png"),
        ("\0", "photo.png"),
        ("é" * 300 + ".png", None),
    ],
)
def test_names_are_names_and_nothing_more(site, given, called):
    code, dropped = drop(site, given, encode_png(picture()))
    assert code == 200
    told = paint(site, dropped["photo"])
    assert told["state"] == "done"
    assert called is None or told["painting"]["name"] == called
    answer = ask(site, "GET", f"download/{told['job']}")
    assert answer.headers["Set-Cookie"] is None
    assert re.fullmatch(
        r"attachment; filename\*=UTF-8''[\w.%~-]+", answer.headers["Content-Disposition"]
    )
    assert {one.parent for one in site.folder.rglob("*")} == {site.folder}


@LOCAL
def test_other_pages_and_other_hosts_can_do_nothing(site):
    data = encode_png(picture())
    _, dropped = drop(site, "a.png", data)
    told = paint(site, dropped["photo"])
    for token in ("", "x", site.token[:-1], None):
        headers = {"X-Token": token}
        assert drop(site, "a.png", data, **headers)[0] == 403
        assert ask(site, "POST", "paint", b"{}", **headers).code == 403
        assert ask(site, "POST", "cancel", b"{}", **headers).code == 403
    assert ask(site, "POST", "paint", b"{}", **{"Content-Type": "text/plain"}).code == 415
    port = site.server_port
    for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        headers = {"Host": host}
        for path in ("", f"photo/{dropped['photo']}", f"download/{told['job']}"):
            assert ask(site, "GET", path, **headers).code == 403
        assert drop(site, "a.png", data, **headers)[0] == 403
        assert ask(site, "POST", "cancel", b"{}", **headers).code == 403
    # Not even as a picture in another page, nor by asking whether it may ask.
    answer = ask(site, "GET", f"painting/{told['job']}")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert ask(site, "OPTIONS", "photo").code == 501
    assert site.server_address[0] == "127.0.0.1"


@LOCAL
@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "photo/../../etc/passwd",
        "photo/..%2f..%2fetc%2fpasswd",
        "photo//etc/passwd",
        "download/{job}/../{photo}",
        "download/{photo}",
        "photo/{job}",
        "page/{photo}",
        "page/../runs/one/index.html",
        "page/runs%2fone%2findex.html",
        "runs/one/generator.safetensors",
        "set/report.html",
        "job/",
        "paint",
    ],
)
def test_there_is_nothing_but_what_was_dropped_and_painted(site, path):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    told = paint(site, dropped["photo"])
    assert ask(site, "GET", path.format(**dropped, job=told["job"])).code == 404


@LOCAL
def test_wishes_are_checked(site):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    code, told = begin(site, dropped["photo"], strength=2)
    assert (code, "strength" in told["error"]) == (400, True)
    assert begin(site, dropped["photo"], max_side=3)[0] == 400
    assert begin(site, dropped["photo"], suffix="/x")[0] == 400
    assert begin(site, dropped["photo"], more=1)[0] == 400
    assert begin(site, "0" * 16)[0] == 404
    for wrong in (b"{", b"[]", b"[" * 50_000, b'{"photo": 5, "model": "", "settings": {}}'):
        assert ask(site, "POST", "paint", wrong).code == 400
    assert ask(site, "POST", "paint", b" " * 70_000).code == 413
    for path in ("nothing", "photo"):
        assert ask(site, "POST", path, b"{}").code == 404
    assert ask(site, "PUT", "paint", b"{}").code == 404


@LOCAL
def test_a_model_is_one_of_the_list(site, here):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    body = {"photo": dropped["photo"], "model": str(here / "runs/one"), "settings": {}}
    job = json.loads(ask(site, "POST", "paint", json.dumps(body)).body)["job"]
    told = settled(site, job)
    assert (told["state"], told["error"]) == ("failed", "runs: that model is gone; reload the page")


def test_the_named_model_comes_first_then_the_newest_run(here):
    def labels(model):
        return [one.label for one in Models(model, "cpu").choices()]

    assert labels(None) == ["one", "two"]
    assert labels(Path("two")) == ["two", "one"]
    own = built_in("animeganv2-lite")
    assert labels(own) == ["animeganv2_lite_init.safetensors", "one", "two"]
    write_run("three", age=-10)
    assert labels(None) == ["three", "one", "two"]


def test_a_model_that_cannot_be_used_is_told_at_once(here):
    (here / "text.safetensors").write_text("text")
    for wrong in ("none", "text.safetensors"):
        with pytest.raises(CheckpointError, match=wrong):
            Models(Path(wrong), "cpu")


def test_painters_are_kept_until_training_goes_on(here):
    models = Models(None, "cpu")
    one, two = (choice.key for choice in models.choices())
    first = models.painter(one)
    assert models.painter(two) is not first
    assert models.painter(one) is first
    os.utime("runs/one/generator.safetensors")
    assert models.painter(one) is not first
    # From now on there is a chosen generator.
    (here / "runs/two/best.safetensors").write_bytes(
        (here / "runs/two/generator.safetensors").read_bytes()
    )
    with pytest.raises(CheckpointError, match="reload the page"):
        models.painter(two)


@LOCAL
def test_the_page_leads_to_the_report_and_to_the_runs(site, here):
    page = ask(site, "GET", "").body.decode()
    assert re.findall(r'href="page/\w+"[^>]*>(.*?)<', page) == ["Report: set", "Training: one"]
    report, training = re.findall(r'href="(page/\w+)"', page)
    assert b"what came of it" in ask(site, "GET", report).body
    answer = ask(site, "GET", training)
    assert b"training of one" in answer.body
    policy = answer.headers["Content-Security-Policy"]
    # Its scripts run in an origin of their own: they cannot read this page's token.
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    (here / "runs/one/index.html").unlink()
    assert ask(site, "GET", training).code == 404
    assert [one.label for one in find_pages(Path("nowhere"))] == []


@LOCAL
def test_the_page_allows_its_own_script_alone(site):
    answer = ask(site, "GET", "")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce
    page = answer.body.decode()
    assert page.count(f'nonce="{nonce[1]}"') == 2
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page
    assert "https://" not in page
    assert site.token in page


@LOCAL
def test_hostile_names_of_runs_and_folders_are_escaped(here):
    (here / "runs/two").rename(here / "runs/<img src=x onerror=alert(1)>")
    hostile = Path("<script>x")
    with UiServer(Models(None, "cpu"), hostile) as server:
        page = server.page("n")
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "<script>x" not in page


@LOCAL
def test_only_the_latest_photos_are_kept(site):
    keys = [drop(site, "a.png", encode_png(picture(seed=seed)))[1]["photo"] for seed in range(4)]
    assert [ask(site, "GET", f"photo/{key}").code for key in keys] == [404, 200, 200, 200]
    assert sorted(one.name for one in site.folder.iterdir()) == sorted(keys[1:])
    assert begin(site, keys[0])[0] == 404


@LOCAL
def test_only_the_latest_paintings_are_kept(site):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    jobs = [paint(site, dropped["photo"], strength=n / 10)["job"] for n in range(8)]
    codes = [ask(site, "GET", f"download/{job}").code for job in jobs]
    assert codes == [404, 404, 200, 200, 200, 200, 200, 200]
    assert len(list(site.folder.iterdir())) == 7


class Slow(torch.nn.Sequential):
    """A network that waits in its middle until it may go on."""

    multiple_of, bytes_per_pixel = 1, 100
    reached, go_on = threading.Event(), threading.Event()

    class Gate(torch.nn.Module):
        def forward(self, features):
            Slow.reached.set()
            assert Slow.go_on.wait(20)
            return features

    def __init__(self):
        super().__init__(*(torch.nn.Identity() for _ in range(2)), Slow.Gate(), torch.nn.Identity())


@pytest.fixture
def slow(here, monkeypatch):
    monkeypatch.setitem(GENERATORS, "animegan", Slow)
    Slow.reached.clear()
    Slow.go_on.clear()
    for name in ("one", "two"):
        path = Path("runs") / name / "generator.safetensors"
        checkpoint.write(path, {}, Header("generator", "animegan", 0, {}))
    yield Slow
    Slow.go_on.set()


@LOCAL
def test_paintings_are_done_one_at_a_time_and_followed(slow, site):
    photos = [drop(site, "a.png", encode_png(picture(seed=n)))[1]["photo"] for n in (0, 1)]
    first, second = (begin(site, photo)[1]["job"] for photo in photos)
    assert slow.reached.wait(20)
    assert settled(site, first, "painting")["share"] == 0.5
    assert settled(site, second, "waiting")["share"] == 0
    assert ask(site, "GET", f"download/{first}").code == 404
    slow.go_on.set()
    assert [settled(site, job)["share"] for job in (first, second)] == [1, 1]


@LOCAL
def test_a_painting_can_be_cancelled_in_the_middle(slow, site):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    _, other = drop(site, "b.png", encode_png(picture()))
    running, waiting = (begin(site, one["photo"])[1]["job"] for one in (dropped, other))
    assert slow.reached.wait(20)
    for one in (other, dropped):
        body = json.dumps({"photo": one["photo"]})
        assert ask(site, "POST", "cancel", body).code == 200
    slow.go_on.set()
    assert settled(site, running)["state"] == "cancelled"
    assert settled(site, waiting)["state"] == "cancelled"
    # The next one is as any other: nothing follows the network any more.
    assert paint(site, dropped["photo"])["state"] == "done"
    painter = site.models.painter(model_named(site, "one"))
    assert not any(module._forward_hooks for module in painter.generator.modules())


@LOCAL
def test_another_wish_for_a_photo_takes_the_place_of_the_first(slow, site):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    first = begin(site, dropped["photo"])[1]["job"]
    assert slow.reached.wait(20)
    second = begin(site, dropped["photo"], model="two")[1]["job"]
    slow.go_on.set()
    assert settled(site, first)["state"] == "cancelled"
    assert settled(site, second)["state"] == "done"


@LOCAL
def test_closing_stops_painting_and_leaves_nothing(slow, site):
    _, dropped = drop(site, "a.png", encode_png(picture()))
    job = begin(site, dropped["photo"])[1]["job"]
    assert slow.reached.wait(20)
    threading.Timer(0.1, slow.go_on.set).start()
    site.jobs.close()
    assert settled(site, job)["state"] == "cancelled"
    folder = site.folder
    site.server_close()
    assert not folder.exists()


@LOCAL
def test_no_room_for_a_painting_is_told_with_the_photos_name(site, monkeypatch):
    def crowded(*_, **__):
        raise PaintingError("40×24", "there is not enough memory", "free some")

    monkeypatch.setattr(Painter, "paint", crowded)
    _, dropped = drop(site, "a.png", encode_png(picture()))
    told = paint(site, dropped["photo"])
    assert told["error"] == "a.png: 40×24: there is not enough memory; free some"


def test_a_failure_that_nobody_foresaw_ends_its_own_painting_alone():
    def fail(_):
        raise ZeroDivisionError("by nothing")

    jobs = Jobs(2, lambda _: None)
    job = Job("photo", fail)
    jobs.submit(job)
    jobs.close()
    assert job.told()["error"] == "ZeroDivisionError: by nothing"
    assert job.told()["state"] == "failed"


def test_the_time_that_is_left_is_told_from_the_speed_since_it_began(monkeypatch):
    told = []
    clock = iter([100.0, 101.0, 110.0])  # it began at 10 %; asked after a second, and at 30 %
    monkeypatch.setattr("time.monotonic", lambda: next(clock))

    def work(advance):
        for share in (0.0, 0.1, 0.2, 0.3):
            advance(share)
            if share != 0.1:
                told.append(job.told()["seconds_left"])
        raise PaintingError("a.png", "that is enough")

    job = Job("photo", work)
    job.run()
    # 20 % in 10 seconds: 70 % in 35.
    assert told == [None, None, 35.0]


@LOCAL
def test_a_taken_port_is_told(site):
    with pytest.raises(UsageError, match=f"port {site.server_port} cannot be had"):
        UiServer(site.models, Path("set"), site.server_port)


@LOCAL
def test_the_verb_serves_until_ctrl_c(here, monkeypatch, capsys):
    def interrupted(self, poll_interval=0.5):
        raise KeyboardInterrupt

    monkeypatch.setattr(UiServer, "serve_forever", interrupted)
    assert main(["ui", "--no-browser", "--model", "two"]) == 0
    assert re.match(r"http://127\.0\.0\.1:\d+/  \(Ctrl-C ends it\)\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["ui"], 1, "runs: there is no trained model here; run `animeprep train`"),
        (["ui", "--model", "none"], 1, "none: there is no such model or run"),
        (["ui", "--port", "99999"], 2, "--port"),
        (["ui", "photo.jpg"], 2, "unexpected extra argument"),
    ],
)
def test_mistakes_are_one_line_with_an_exit_code(
    tmp_path, monkeypatch, capsys, arguments, code, line
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    errors = capsys.readouterr().err
    assert line in errors
    assert "Traceback" not in errors


@LOCAL
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_ctrl_c_ends_the_real_thing(tmp_path, how):
    model = str(built_in("animeganv2-lite"))
    command = [sys.executable, "-m", "animeprep", "ui", "--no-browser", "--model", model]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as running:
        assert running.stdout is not None
        port = re.search(r":(\d+)/", running.stdout.readline())
        assert port
        server = SimpleNamespace(server_port=int(port[1]), token="")
        page = ask(server, "GET", "").body.decode()
        token = re.search(r'name="token" content="([\w-]+)"', page)
        assert token
        server.token = token[1]
        assert drop(server, "a.jpg", encode_jpeg(picture()))[0] == 200
        assert len(list(tmp_path.glob("animeprep-ui-*/*"))) == 1
        running.send_signal(how)
        assert running.wait(20) == 0
    assert list(tmp_path.glob("animeprep-ui-*")) == []


@pytest.fixture
def visit(browser, site):
    """Open the page at a size; what the browser complains of, or asks of others, fails the test."""
    complaints, asked = [], []

    def go(width=1280, height=860, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        context.on("request", lambda request: asked.append(request.url))
        context.on("console", lambda message: complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(site.url)
        return page

    yield go
    assert [one for one in complaints if "status of 422" not in one] == []
    assert {url for url in asked if not url.startswith((site.url, "data:"))} == set()
    assert asked


DROP = """([name, data]) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.getElementById("stage").dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: dropped }));
  }
}"""


def drop_on(page, name, data):
    page.evaluate(DROP, [name, base64.b64encode(data).decode()])


def line_of(page):
    return page.locator("#pair").evaluate("one => one.style.getPropertyValue('--line')")


@LOCAL
@pytest.mark.slow
def test_in_a_browser_a_photo_is_dropped_painted_and_compared(visit):
    page = visit()
    drop_on(page, "ä b.jpg", encode_jpeg(picture(240, 400)))
    page.wait_for_selector("#download:visible")
    facts = "ä b.jpg · 400 × 240 pixels · animegan · step 1,234"
    assert page.locator("#facts").inner_text() == facts
    assert page.locator("#drop").is_hidden()
    page.locator("#line").focus()
    page.keyboard.press("Home")
    assert line_of(page) == "0%"
    box = page.locator("#pair").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], middle)
    page.mouse.up()
    assert line_of(page) == "75%"


@LOCAL
@pytest.mark.slow
def test_in_a_browser_settings_are_changed_by_key_and_the_painting_saved(visit, here):
    data = encode_jpeg(picture(240, 400))
    write_atomic(here / "photos/ä b.jpg", data)
    page = visit()
    drop_on(page, "ä b.jpg", data)
    page.wait_for_selector("#download:visible")
    page.locator("#strength").focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    page.locator("#colours").focus()
    page.keyboard.press("Space")
    page.locator("#model").select_option(label="two")
    page.locator("#side").fill("100")
    page.keyboard.press("Enter")
    page.wait_for_selector("#facts >> text=100 × 60")
    strength = int(page.locator("#percent").inner_text().split()[0]) / 100
    assert 0 < strength < 1
    with page.expect_download() as saved:
        page.locator("#download").click()
    assert saved.value.suggested_filename == "ä b.jpg"
    how = PaintSettings(strength=strength, keep_colours=True, max_side=100)
    stylize([here / "photos/ä b.jpg"], here / "out", Painter.load("two"), how)
    assert Path(saved.value.path()).read_bytes() == (here / "out/ä b.jpg").read_bytes()


@LOCAL
@pytest.mark.slow
def test_in_a_browser_on_a_phone(visit, here):
    page = visit(390, 844, has_touch=True, is_mobile=True, color_scheme="dark")
    page.locator("#file").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": encode_png(picture(300, 200))}
    )
    page.wait_for_selector("#download:visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#pair").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert abs(float(line_of(page)[:-1]) - 25) < 2
    assert page.locator("#download").bounding_box()["height"] >= 40


@LOCAL
@pytest.mark.slow
def test_in_a_browser_mistakes_are_told_and_the_page_goes_on(visit, site):
    page = visit()
    drop_on(page, "diary.txt", b"Dear diary")
    page.wait_for_selector("#alert:visible")
    assert page.locator("#alert").inner_text().startswith("diary.txt: not a film that can be read")
    page.locator("#side").fill("3")
    drop_on(page, "a.png", encode_png(picture()))
    page.wait_for_selector("#paint:visible")
    assert page.locator("#alert").is_hidden()
    page.locator("#side").fill("")
    page.locator("#paint").click()
    page.wait_for_selector("#download:visible")


@LOCAL
@pytest.mark.slow
def test_in_a_browser_a_painting_is_cancelled(slow, visit):
    page = visit()
    drop_on(page, "a.png", encode_png(picture()))
    page.wait_for_selector("#cancel:visible")
    page.wait_for_selector("#along >> text=50 %")
    page.locator("#cancel").click()
    slow.go_on.set()
    page.wait_for_selector("#said >> text=Cancelled.")
    page.locator("#paint").click()
    page.wait_for_selector("#download:visible")


@LOCAL
@pytest.mark.slow
def test_in_a_browser_a_report_cannot_reach_the_page(browser, site):
    prying = "fetch('/').then(a => a.text()).then(t => document.title = t, e => document.title = e)"
    write_atomic(Path("set/report.html"), f"<script>{prying}</script>".encode())
    page = browser.new_page()
    page.goto(site.url)
    with page.context.expect_page() as opened:
        page.locator("nav a").first.click()
    report = opened.value
    report.wait_for_function("document.title.includes('Error')")
    assert "Failed to fetch" in report.title()
    assert report.evaluate("self.origin") == "null"


@LOCAL
@pytest.mark.slow
def test_in_a_browser_a_clip_waits_for_the_button(normed, visit, here, write_film, scene):
    film = write_film(here / "clip.mp4", [scene(seed, 120, 200) for seed in (1, 1, 2)])
    page = visit()
    page.locator("#file").set_input_files(film)
    page.wait_for_selector("#paint:visible")
    facts = page.locator("#facts").inner_text()
    assert facts == "clip.mp4 · 200 × 120 pixels · 0:00.1"
    page.locator("#strength").fill("50")
    page.locator("#paint").click()
    page.wait_for_selector("#download:visible")
    with page.expect_download() as saved:
        page.locator("#download").click()
    how = How(Painter.load(), PaintSettings(strength=0.5))
    paint_film(film, here / "out.mp4", how)
    assert Path(saved.value.path()).read_bytes() == (here / "out.mp4").read_bytes()
