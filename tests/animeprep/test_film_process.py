"""Films in processes of their own: the same results, and what hangs, crashes or lies.

Decoders that misbehave are real processes of the real program, in which one function is replaced
before it starts.
"""

# mypy: allow-untyped-calls
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from animeprep.errors import FilmError
from animeprep.film import (
    FILM,
    Decoding,
    FilmRules,
    FilmSettings,
    Selection,
    pictures,
    probe,
    team,
)
from animeprep.film import shots as shots_of
from animeprep.film.decode import Job, decode
from animeprep.film.probe import examine
from animeprep.film.sampling import indexes
from animeprep.film.shots import find_shots
from animeprep.frames import FrameSettings, frames
from animeprep.images import read_rgb

COUNT = 60
#: Seconds in which a decoder that hangs is ended, with much to spare on a busy machine.
SOON = 20
linux_only = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")


def ffmpeg(*arguments, given=b""):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, input=given)


@contextlib.contextmanager
def within(seconds):
    """Fail rather than wait forever."""

    def fail(*_):
        raise AssertionError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def _fresh_workers():
    """No worker waits for another job on a film of an earlier test."""
    team.dismiss_all()
    yield
    team.dismiss_all()


@pytest.fixture(scope="module")
def path(tmp_path_factory, write_film, numbered):
    return write_film(
        tmp_path_factory.mktemp("process") / "film.mkv",
        [numbered(number) for number in range(COUNT)],
        pixel_format="yuv420p",
        options={
            "preset": "veryfast",
            "qp": "-1",
            "crf": "18",
            "x264-params": "keyint=10:scenecut=0:bframes=3:b-adapt=0",
        },
    )


def examined(path, **settings):
    return examine(path, FilmSettings(**settings))


def in_process(film, selection):
    if film.by_timestamps:
        selection = Selection(only=tuple(indexes(film, selection).tolist()))
    decoding = Decoding()
    return list(decode(Job(film, selection), decoding)), decoding


def same(found, others):
    return [(one.index, one.seconds, one.rgb.shape, one.rgb.tobytes()) for one in found] == [
        (one.index, one.seconds, one.rgb.shape, one.rgb.tobytes()) for one in others
    ]


# --- as in this process -----------------------------------------------------------------------


def test_a_film_is_probed_as_in_this_process(path):
    ticks: list[int] = []
    film, other = probe(path, tick=ticks.append), examined(path)
    assert FILM.dump_python(film, mode="json") == FILM.dump_python(other, mode="json")
    assert film.packets.pts.tolist() == other.packets.pts.tolist()
    assert film.packets.marks.tolist() == other.packets.marks.tolist()
    assert (film.packets.time_base, film.packets.known) == (
        other.packets.time_base,
        other.packets.known,
    )
    assert all(count >= 0 for count in ticks)


def test_what_cannot_be_probed_is_told_as_in_this_process(tmp_path):
    (tmp_path / "a.mkv").write_text("Dear diary,\n" * 100)
    with pytest.raises(FilmError) as theirs:
        probe(tmp_path / "a.mkv")
    with pytest.raises(FilmError) as ours:
        examined(tmp_path / "a.mkv")
    assert str(theirs.value) == str(ours.value)
    assert "Traceback" in "".join(theirs.value.__notes__)


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("selection", [Selection(every=4), Selection(start=0.5, end=2)])
def test_pictures_are_those_of_this_process_however_split(monkeypatch, path, processes, selection):
    monkeypatch.setattr("animeprep.film.process.cores", lambda: processes)
    monkeypatch.setattr("animeprep.film.process.MIN_PART", 1)
    film, decoding = examined(path), Decoding()
    found = list(pictures(film, selection, decoding=decoding))
    expected, other = in_process(film, selection)
    assert same(sorted(found, key=lambda one: one.index), expected)
    assert decoding == other


def test_films_that_are_counted_are_not_split(monkeypatch, tmp_path, path):
    monkeypatch.setattr("animeprep.film.process.cores", lambda: 3)
    monkeypatch.setattr("animeprep.film.process.MIN_PART", 1)
    counted = tmp_path / "film.h264"
    ffmpeg("-i", path, "-c", "copy", counted)
    film, decoding = examined(counted), Decoding()
    found = list(pictures(film, Selection(every=7), skip=frozenset({14}), decoding=decoding))
    assert not film.by_timestamps
    expected, other = in_process(film, Selection(every=7))
    assert [one.index for one in found] == list(range(0, COUNT, 7))
    assert found[2].rgb.size == 0
    del found[2], expected[2]
    assert same(found, expected)
    assert decoding == other


def test_shots_are_those_of_this_process(tmp_path, write_film, scene):
    drawings = [scene(seed, 96, 160) for seed in range(3)]
    film = examined(write_film(tmp_path / "a.mkv", [one for one in drawings for _ in range(9)]))
    assert shots_of(film) == find_shots(film, lambda: None) == ([0, 9, 18], film.pictures)


# --- decoders that misbehave -------------------------------------------------------------------


def program(deed, after=5, only="film"):
    """The worker's program, in which something happens instead of a certain picture."""
    return textwrap.dedent(f"""
        import ctypes, json, os, signal, sys, time
        sys.path[:] = json.loads(sys.argv[1])
        from animeprep.film import convert, worker
        made, count = convert.Converter.__call__, 0
        def call(self, frame):
            global count
            count += 1
            if count > {after} and {only!r} in self.film.path.name:
                {deed}
            return made(self, frame)
        convert.Converter.__call__ = call
        worker.main()
    """)


def misbehaving(monkeypatch, *how, **more):
    monkeypatch.setattr("animeprep.film.team.PROGRAM", program(*how, **more))
    monkeypatch.setattr("animeprep.film.process.cores", lambda: 1)


def collected(film, selection=Selection(), seconds=SOON):  # noqa: B008 - frozen
    """What came, and the problem."""
    found = []
    with within(seconds), pytest.raises(FilmError) as error:  # noqa: PT012
        for picture in pictures(film, selection):
            found.append(picture)  # noqa: PERF402 - what came before the error counts
    return found, error.value


HANGS = {"sleeps": "time.sleep(3600)", "lets nobody else run": "ctypes.PyDLL(None).sleep(3600)"}


@pytest.mark.slow
@pytest.mark.parametrize("deed", HANGS.values(), ids=HANGS)
def test_a_decoder_that_hangs_is_ended_and_what_came_before_is_kept(monkeypatch, path, deed):
    misbehaving(monkeypatch, deed)
    film = examined(path, patience=2)
    found, error = collected(film)
    assert "its decoder gave no sign of life for 2 s and was ended" in str(error)
    assert same(found, in_process(film, Selection())[0][:5])


DEATHS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "its decoder ended by signal SIGKILL",
    "os.kill(os.getpid(), signal.SIGSEGV)": "its decoder ended by signal SIGSEGV",
    "os._exit(3)": "its decoder ended with exit code 3",
    "raise MemoryError": "cannot be decoded (MemoryError",
    "ctypes.CDLL(None).exit(4)": "its decoder ended with exit code 4",
}


@pytest.mark.parametrize(("deed", "words"), DEATHS.items())
def test_a_decoder_that_dies_is_told_of_and_what_came_before_is_kept(
    monkeypatch, path, deed, words
):
    misbehaving(monkeypatch, deed)
    film = examined(path)
    found, error = collected(film)
    assert words in error.problem
    assert error.path == path
    assert same(found, in_process(film, Selection())[0][:5])


def test_one_of_several_decoders_that_dies_does_not_take_the_others_with_it(monkeypatch, path):
    # Only one of the parts has more than seven wanted pictures.
    misbehaving(monkeypatch, "os._exit(3)", after=7)
    monkeypatch.setattr("animeprep.film.process.cores", lambda: 3)
    monkeypatch.setattr("animeprep.film.process.MIN_PART", 1)
    film = examined(path)
    wanted = Selection(only=(0, *range(10, 20), *range(40, 44)))
    found, error = collected(film, wanted)
    assert "exit code 3" in error.problem
    expected, _ = in_process(film, wanted)
    missing = {one.index for one in expected} - {one.index for one in found}
    assert missing <= set(range(10, 20))
    assert 1 <= len(missing) <= 3


def test_the_run_goes_on_with_the_next_film(monkeypatch, dataset, tmp_path, path, read_number):
    hangs, dies = tmp_path / "hangs.mkv", tmp_path / "dies.mkv"
    for copy in (hangs, dies):
        copy.write_bytes(path.read_bytes())
    both = "time.sleep(3600) if 'hangs' in self.film.path.name else os._exit(3)"
    misbehaving(monkeypatch, f"'film' in self.film.path.name or ({both})", after=2, only=".mkv")
    settings = FrameSettings(every=10)
    # On a busy machine a decoder may take seconds to begin, and is not to count as hanging.
    rules = FilmRules(common=FilmSettings(patience=6))
    with within(2 * SOON):
        summary = frames(dataset, [hangs, dies, path], settings, rules)
    assert summary.counts["failed"] == 2
    assert any("hangs.mkv: its decoder gave no sign of life" in one for one in summary.problems)
    assert any("dies.mkv: its decoder ended with exit code 3" in one for one in summary.problems)
    found = {
        (record["film"], record["index"]): read_number(read_rgb(dataset.path(record["file_name"])))
        for record in dataset.records("frames")
    }
    assert all(number == index for (_, index), number in found.items())
    assert {index for film, index in found if film == "film.mkv"} == set(range(0, COUNT, 10))
    assert {index for film, index in found if film != "film.mkv"} == {0, 10}
    statuses = {one["file_name"]: one["status"] for one in dataset.records("films")}
    assert statuses == {"hangs.mkv": "failed", "dies.mkv": "failed", "film.mkv": "kept"}


def test_what_libraries_print_is_no_message(monkeypatch, path):
    misbehaving(monkeypatch, "os.write(1, b'[h264 @ 0x1] a warning\\n' * 9); print('hello')")
    film = examined(path)
    assert same(list(pictures(film, Selection(every=3))), in_process(film, Selection(every=3))[0])


def talking(monkeypatch, data, length=None):
    """A worker that says something else than it should, and stays."""
    start = b"" if length is None else length.to_bytes(4, "little")
    monkeypatch.setattr(
        "animeprep.film.team.PROGRAM",
        f"import os, time; os.write(1, {start + data!r}); time.sleep(60)",
    )
    monkeypatch.setattr("animeprep.film.process.cores", lambda: 1)


def message(header):
    data = json.dumps(header).encode()
    return len(data).to_bytes(4, "little") + data


LIES = {
    "garbage": b"\0" * 400,
    "long garbage": b"garbage " * 50,
    "no JSON": (8).to_bytes(4, "little") + b"{{{{{{{{",
    "no UTF-8": (4).to_bytes(4, "little") + b"\xff\xfe\xfd\xfc",
    "a list": message([1, 2]),
    "no length": message({"index": 1}),
    "a length below nothing": message({"bytes": -1}),
    "a length beyond all memory": message({"bytes": 10**15}),
    "a length beyond all numbers": message({"bytes": 10**30}),
    "a length that is a word": message({"bytes": "many"}),
    "deep brackets": (100_000).to_bytes(4, "little") + b"[" * 100_000,
    "nothing asked for": message({"bytes": 0, "something": 1}),
    "a shape without pixels": message({"bytes": 0, "index": 1, "seconds": 0, "shape": [9, 9, 3]}),
    "a strange shape": message({"bytes": 0, "index": 1, "seconds": 0, "shape": "x"}),
    "strange counts": message({"bytes": 0, "decoding": {"pictures": "many"}}),
    "strange progress": message({"bytes": 0, "packets": "many"}),
}


#: Others are much like these.
MORE = {"no JSON", "no UTF-8", "a list", "no length", "a length that is a word", "a strange shape"}


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(said, id=name, marks=[pytest.mark.slow] if name in MORE else [])
        for name, said in LIES.items()
    ],
)
def test_a_worker_that_says_nonsense_is_given_up(monkeypatch, path, said):
    # A pipe takes this much at once, so that the worker gets to its end.
    assert len(said) <= 2**17
    talking(monkeypatch, said)
    film = examined(path, patience=0.5)
    found, _ = collected(film, seconds=10)
    assert found == []


# --- nothing is left behind --------------------------------------------------------------------


def children(pid="self"):
    """The processes that a process started and that still run."""
    found = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(child) for child in task.read_text().split()}
    return {child for child in found if runs(child)}


def runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


@linux_only
def test_who_stops_early_leaves_no_process_and_no_thread(monkeypatch, path):
    monkeypatch.setattr("animeprep.film.process.cores", lambda: 2)
    monkeypatch.setattr("animeprep.film.process.MIN_PART", 1)
    before, threads = children(), threading.active_count()
    film = examined(path)
    coming = pictures(film, Selection())
    next(coming)
    assert children() > before
    coming.close()  # type: ignore[attr-defined]  # it is a generator
    team.dismiss_all()
    assert children() == before
    assert threading.active_count() == threads


@linux_only
def test_a_worker_that_died_while_it_waited_is_replaced(path):
    before = children()
    film = examined(path)
    list(pictures(film, Selection(every=20)))
    for worker in children() - before:
        os.kill(worker, signal.SIGKILL)
    with within(SOON):
        while any(worker.lives for waiting in team._IDLE.values() for worker in waiting):
            time.sleep(0.01)
        found = list(pictures(film, Selection(every=9)))
    assert same(found, in_process(film, Selection(every=9))[0])


@linux_only
def test_a_killed_parent_leaves_no_worker(path):
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from animeprep.film import FilmSettings, Selection, pictures, process, team
        from animeprep.film.probe import examine
        film = examine(Path({str(path)!r}), FilmSettings())
        process.cores = lambda: 1
        team.PROGRAM = {program("time.sleep(3600)")!r}
        for picture in pictures(film, Selection()):
            print(picture.index, flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        with within(SOON):
            assert [int(parent.stdout.readline()) for _ in range(5)] == list(range(5))
            workers = children(parent.pid)
            assert len(workers) == 1
            parent.kill()
            parent.wait()
            while any(map(runs, workers)):
                time.sleep(0.05)


# --- lies in headers ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Small films of several kinds; made once."""
    folder = tmp_path_factory.mktemp("small")
    source = ("-f", "lavfi", "-i", "testsrc2=size=320x272:rate=25:duration=0.4")

    def make(name, *arguments):
        if not (folder / name).exists():
            ffmpeg(*source, *arguments, folder / name)
        return (folder / name).read_bytes()

    return make


def patched(data, old, new, at_least=1):
    assert len(old) == len(new)
    assert data.count(old) >= at_least
    return data.replace(old, new)


#: The one is more than this package takes, the other more than FFmpeg does.
LARGE, HUGE = 12_000, 60_000
TAKEN = "taken for 320×272"


def absurd_films(small):
    """Name, bytes and what is said, of films whose headers claim what no film has."""
    mov, mkv, avi, mp4 = (
        small("png.mov", "-c:v", "png"),
        small("ffv1.mkv", "-c:v", "ffv1"),
        small("raw.avi", "-c:v", "rawvideo", "-pix_fmt", "bgr24"),
        bytearray(small("h264.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")),
    )
    header = (320).to_bytes(4, "big") + (272).to_bytes(4, "big")
    entry = (320).to_bytes(2, "big") + (272).to_bytes(2, "big")
    at = avi.index(b"strf") + 12
    for side, said in ((LARGE, "12000×12000 is too large"), (HUGE, "")):
        tall = patched(mov, header, 2 * side.to_bytes(4, "big"))
        yield f"picture-{side}.mov", tall, ""
        yield f"entry-{side}.mov", patched(tall, entry, 2 * side.to_bytes(2, "big")), said
        track = b"\xb0\x82%b\xba\x82%b"
        sides = 2 * (side.to_bytes(2, "big"),)
        old = track % (b"\x01\x40", b"\x01\x10")
        yield f"track-{side}.mkv", patched(mkv, old, track % sides), said
        sized = avi[:at] + 2 * side.to_bytes(4, "little") + avi[at + 8 :]
        yield f"format-{side}.avi", sized, said
    at = mkv.index(b"\x44\x89\x88") + 3
    lasting = mkv[:at] + np.array([5e9], ">f8").tobytes() + mkv[at + 8 :]
    yield "duration.mkv", lasting, "claims to last 1,389 hours"
    for box in (b"mvhd", b"mdhd"):
        at = mp4.index(box) + 4
        mp4[at + 12 : at + 20] = (1000).to_bytes(4, "big") + (2**32 - 2).to_bytes(4, "big")
    yield "duration.mp4", bytes(mp4), TAKEN  # FFmpeg adds up the pictures' durations


def test_absurd_headers_are_refused_with_little_memory(tmp_path, small):
    words = {}
    for name, data, expected in absurd_films(small):
        (tmp_path / name).write_bytes(data)
        words[name] = expected
    script = textwrap.dedent(f"""
        import json, sys
        from pathlib import Path
        from animeprep.errors import FilmError
        from animeprep.film import FilmSettings
        from animeprep.film.probe import examine
        said = {{}}
        for name in {list(words)!r}:
            try:
                film = examine(Path({str(tmp_path)!r}) / name, FilmSettings())
                said[name] = f"taken for {{film.width}}×{{film.height}}"
            except FilmError as error:
                said[name] = error.problem
        status = Path("/proc/self/status")
        peak = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else 0
        print(json.dumps([said, int(peak)]))
    """)
    found = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, timeout=60
    )
    said, peak = json.loads(found.stdout)
    assert not {name: problem for name, problem in said.items() if words[name] not in problem}
    assert [name for name, problem in said.items() if "taken for" in problem] == ["duration.mp4"]
    assert said.keys() == words.keys()
    assert peak < 600_000, "kibibytes"


def test_absurd_sizes_beside_true_ones_harm_nothing(tmp_path, small):
    mp4 = small("h264.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    entry = (320).to_bytes(2, "big") + (272).to_bytes(2, "big")
    track = (320 << 16).to_bytes(4, "big") + (272 << 16).to_bytes(4, "big")
    data = patched(mp4, track, 2 * (HUGE << 16).to_bytes(4, "big"))
    (tmp_path / "a.mp4").write_bytes(patched(data, entry, 2 * HUGE.to_bytes(2, "big")))
    film = examined(tmp_path / "a.mp4")
    found, _ = in_process(film, Selection())
    assert {one.rgb.shape for one in found} == {(272, 320, 3)}
    assert len(found) == 10


# --- Dolby Vision --------------------------------------------------------------------------------


def dolby(small, tmp_path, *tags):
    data = small(
        f"hevc{len(tags)}.mp4",
        *("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"),
        *("-x265-params", ":".join(["log-level=error:pools=1", *tags])),
    )
    film = tmp_path / "a.mp4"
    film.write_bytes(patched(data, b"hvc1", b"dvh1"))
    return film


def test_dolby_vision_without_a_base_layer_is_refused(tmp_path, small):
    film = dolby(small, tmp_path)
    with pytest.raises(FilmError, match=r"Dolby Vision .* colours cannot be known.*--hdr pq"):
        examined(film)
    assert examined(film, hdr="pq").light == "pq"


def test_dolby_vision_with_a_base_layer_is_used(tmp_path, small):
    tags = ("colorprim=bt2020", "transfer=smpte2084", "colormatrix=bt2020nc")
    film = examined(dolby(small, tmp_path, *tags))
    assert film.light == "pq"
    done = next(finding.done for finding in film.findings if finding.what == "Dolby Vision")
    assert done == "the base layer is used"
    assert len(in_process(film, Selection())[0]) == 10
