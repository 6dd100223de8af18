"""Every way of sampling gives exactly the asked pictures, bit for bit as decoding everything does.

Pictures carry their own number. What is expected comes from a plain decoding of the whole film;
and where unwanted packets could be left out, the test fails if they were not.
"""

# mypy: allow-untyped-calls
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from animeprep.dataset import Dataset
from animeprep.film import Decoding, Film, FilmPicture, FilmSettings, Selection
from animeprep.film.decode import NO_PIXELS, Job, decode
from animeprep.film.packets import parts
from animeprep.film.probe import examine
from animeprep.film.sampling import indexes, positions
from animeprep.frames import FrameSettings, frames
from animeprep.images import list_images, read_rgb

COUNT = 100
#: Of a shot, pictures.
LONG = 30


def ffmpeg(*arguments, given=b""):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, input=given)


# --- films ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One kind of film.

    Attributes:
        name: of the file.
        arguments: of FFmpeg, before the output's name.
        source: the kind that is copied; without it, the numbered pictures are encoded.
        before: arguments of FFmpeg before the input.
        change: what is done to the file's bytes in the end.
        most: packets that decoding pictures 0, 50, …; 0, 7, … and the key pictures may take.
        why: else, why everything is decoded.
    """

    name: str
    arguments: tuple[str, ...] = ()
    source: str = ""
    before: tuple[str, ...] = ()
    change: Callable[[bytes], bytes] | None = None
    most: tuple[int, int, int] | None = None
    why: str = ""


def x264(parameters):
    lossy = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p")
    return (*lossy, "-x264-params", f"keyint=20:scenecut=0:b-adapt=0:{parameters}")


def x265(parameters):
    lossy = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "18", "-pix_fmt", "yuv420p")
    quiet = "log-level=error:pools=1:frame-threads=1"
    fixed = "keyint=20:scenecut=0:b-adapt=0:bframes=4:b-pyramid=1"
    return (*lossy, "-x265-params", f"{fixed}:{quiet}:{parameters}")


def mpeg2(*more):
    return ("-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "3", *more)


PYRAMID = x264("bframes=3:b-pyramid=normal")
OPEN = x264("bframes=3:b-pyramid=normal:open-gop=1")
VP9 = (
    *("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-g", "20", "-crf", "20"),
    *("-b:v", "0", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-pix_fmt", "yuv420p"),
)
AV1 = (
    *("-c:v", "libsvtav1", "-preset", "10", "-g", "20", "-crf", "20", "-pix_fmt", "yuv420p"),
    *("-svtav1-params", "lp=1"),
)
COPY = ("-c", "copy")


def without_the_first_seventh(data):
    """A transport stream that begins in the midst of a group, with its tables."""
    packets = len(data) // 188
    return data[: 3 * 188] + data[packets // 7 * 188 :]


KINDS = [
    Kind("pyramid.mkv", PYRAMID, most=(8, 55, 5)),
    Kind("pyramid.mp4", PYRAMID, most=(8, 55, 5)),
    Kind("pyramid.ts", PYRAMID, most=(8, 55, 5)),
    Kind(
        "fragments.mp4",
        (*COPY, "-movflags", "frag_keyframe+empty_moov"),
        source="pyramid.mp4",
        most=(8, 55, 5),
    ),
    Kind("strict.mkv", x264("bframes=4:b-pyramid=strict:slices=3"), most=(10, 60, 5)),
    Kind("flat.mp4", x264("bframes=3:b-pyramid=none:slices=3"), most=(10, 40, 5)),
    Kind("fields.mkv", x264("bframes=3:b-pyramid=normal:tff=1"), most=(12, 65, 5)),
    Kind("alone.mkv", x264("keyint=1"), most=(2, 15, 100)),
    Kind("refresh.ts", x264("intra-refresh=1:bframes=2"), most=(51, 80, 1)),
    Kind("open.mkv", OPEN, most=(27, 59, 5)),
    Kind("open.mp4", OPEN, most=(27, 59, 5)),
    Kind("open.ts", OPEN, most=(27, 59, 5)),
    Kind("pyramid.avi", PYRAMID, why="everything is decoded"),
    Kind("pyramid.h264", PYRAMID, why="timestamps are missing"),
    Kind("hevc.mkv", x265("open-gop=0"), most=(5, 49, 5)),
    Kind("hevc.mp4", x265("open-gop=0"), most=(5, 49, 5)),
    Kind("hevc.ts", x265("open-gop=0"), most=(5, 49, 5)),
    Kind("open-hevc.mkv", x265("open-gop=1"), most=(20, 51, 5)),
    Kind("open-hevc.ts", x265("open-gop=1"), most=(20, 51, 5)),
    Kind("radl.mp4", x265("open-gop=0:radl=2"), most=(5, 50, 5)),
    Kind("layers.mkv", x265("open-gop=0:temporal-layers=3"), most=(10, 60, 5)),
    Kind("layers.ts", x265("open-gop=1:temporal-layers=2"), most=(20, 60, 5)),
    Kind("vp9.webm", VP9, most=(12, 85, 5)),
    Kind(
        "vp8.webm",
        ("-c:v", "libvpx", "-cpu-used", "8", "-g", "20", "-b:v", "1M", "-threads", "1"),
        most=(17, 85, 6),
    ),
    Kind("av1.mkv", AV1, most=(12, 85, 5)),
    Kind("av1.mp4", AV1, most=(12, 85, 5)),
    Kind("av1.webm", AV1, most=(12, 85, 5)),
    Kind("forward.mkv", (*AV1[:-1], "lp=1:irefresh-type=1"), most=(51, 99, 1)),
    Kind("mpeg2.mkv", mpeg2(), most=(19, 44, 9)),
    Kind("mpeg2.ts", mpeg2(), most=(19, 44, 9)),
    Kind("closed.mkv", mpeg2("-flags", "+cgop", "-sc_threshold", "1000000000"), most=(3, 45, 10)),
    Kind("mpeg2.avi", mpeg2()),
    Kind("ffv1.mkv", ("-c:v", "ffv1", "-g", "10"), most=(2, 71, 10)),
    Kind("ffv1.avi", ("-c:v", "ffv1", "-g", "10"), most=(2, 71, 10)),
    Kind("prores.mov", ("-c:v", "prores_ks"), most=(2, 15, 100)),
    Kind("mpeg4.avi", ("-c:v", "mpeg4", "-bf", "2", "-g", "20"), why="the syntax of this codec"),
    # An edit list cuts the beginning away in the midst of a group.
    Kind("edit.mp4", COPY, "pyramid.mp4", ("-ss", "0.5"), why="start with a key picture"),
    Kind("edit-open.mp4", COPY, "open.mp4", ("-ss", "1.3"), why="start with a key picture"),
    Kind("edit-hevc.mp4", COPY, "open-hevc.mkv", ("-ss", "1.3"), why="start with a key picture"),
    # What the first key picture of an open group is preceded by cannot be decoded.
    Kind("cut-hevc.ts", COPY, "open-hevc.mkv", ("-ss", "1.3"), why="start with a key picture"),
    Kind("cut-mpeg2.ts", COPY, "mpeg2.mkv", ("-ss", "1.3"), why="start with a key picture"),
    Kind(
        "middle.ts",
        COPY,
        "pyramid.ts",
        change=without_the_first_seventh,
        why="start with a key picture",
    ),
    Kind(
        "middle-open.ts",
        COPY,
        "open.ts",
        change=without_the_first_seventh,
        why="start with a key picture",
    ),
    Kind("twice.ts", COPY, "pyramid.ts", change=lambda data: 2 * data, why="timestamps repeat"),
    # Timestamps of transport streams begin again after 2^33 ticks: in the midst of this one.
    Kind("wrap.ts", (*COPY, "-output_ts_offset", "95441"), "pyramid.mp4", most=(8, 55, 5)),
]
BY_NAME = {kind.name: kind for kind in KINDS}
#: Of these, pictures come at varying times; they are written by PyAV.
VARYING = ["varying.mkv", "varying.mp4"]
#: Kinds that others are much like.
MORE = {
    *("strict.mkv", "flat.mp4", "fields.mkv", "alone.mkv", "fragments.mp4", "open.mp4", "hevc.mkv"),
    *("layers.ts", "vp8.webm", "av1.mkv", "av1.webm", "forward.mkv", "closed.mkv", "mpeg2.ts"),
    *("ffv1.avi", "prores.mov", "edit-open.mp4", "middle-open.ts", "pyramid.mkv"),
}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in MORE else name
    for name in [*BY_NAME, *VARYING]
]
#: AVI knows no presentation times; FFmpeg's guesses are in disorder here, pictures are not.
DISORDERLY = "pyramid.avi"


def most_of(param):
    name = param if isinstance(param, str) else param.values[0]
    return BY_NAME[name].most if name in BY_NAME else None


@dataclass(frozen=True)
class Known:
    """A film, and all that a plain decoding of the whole says.

    Attributes:
        film: as probed.
        numbers: that the pictures carry, in order of presentation.
        seconds: from the film's beginning.
        keys: whether each is a key picture.
        whole: the pictures of this package, where nothing is left out.
    """

    film: Film
    numbers: list[int]
    seconds: list[float]
    keys: list[bool]
    whole: list[FilmPicture]


@pytest.fixture(scope="module")
def moving(numbered):
    """A numbered picture with a texture that moves, so that each picture refers to others."""
    texture = np.random.default_rng(0).integers(60, 200, (6, 24, 1), dtype=np.uint8)
    texture = np.kron(texture, np.ones((4, 8, 3), np.uint8))

    def draw(number):
        picture = numbered(number)
        picture[:24] = np.roll(texture, 3 * number, axis=1)
        return picture

    return draw


@pytest.fixture(scope="module")
def path_of(tmp_path_factory, moving, write_film):
    """The file of a kind of film; made once."""
    folder = tmp_path_factory.mktemp("kinds")
    pictures = [moving(number) for number in range(COUNT)]
    raw = b"".join(picture.tobytes() for picture in pictures)
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "192x96", "-r", 25, "-i", "-")

    def make(name):
        path = folder / name
        if path.exists():
            return path
        if name in VARYING:
            gaps = np.random.default_rng(0).choice([10, 40, 200, 900], COUNT - 1)
            times = [0, *map(int, np.cumsum(gaps))]
            lossy = {"crf": "18", "qp": "-1", "preset": "veryfast", "x264-params": PYRAMID[-1]}
            return write_film(path, pictures, times=times, pixel_format="yuv420p", options=lossy)
        kind = BY_NAME[name]
        if kind.source:
            ffmpeg(*kind.before, "-i", make(kind.source), *kind.arguments, path)
        else:
            ffmpeg(*source, *kind.arguments, path, given=raw)
        if kind.change is not None:
            path.write_bytes(kind.change(path.read_bytes()))
        return path

    return make


@pytest.fixture(scope="module")
def known(path_of, read_number):
    """What is known of a kind of film; found out once."""
    found: dict[str, Known] = {}

    def find(name):
        if name not in found:
            path = path_of(name)
            film = examine(path, FilmSettings())
            frames = plainly(path)
            seconds = [
                frame.time - film.start if frame.pts is not None else number / film.rate
                for number, frame in enumerate(frames)
            ]
            whole = decode(Job(counted(film), Selection()), Decoding())
            numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in frames]
            keys = [bool(frame.key_frame) for frame in frames]
            found[name] = Known(film, numbers, seconds, keys, list(whole))
            if name == DISORDERLY:
                found[name].seconds[:] = [picture.seconds for picture in found[name].whole]
        return found[name]

    return find


def plainly(path):
    """All pictures of a film, by PyAV alone and in one thread."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return list(container.decode(video=0))


def counted(film):
    """The film as it would be without timestamps: everything is decoded."""
    return replace(film, by_timestamps=False)


def chosen(film, selection):
    if film.by_timestamps:
        return Selection(only=tuple(indexes(film, selection).tolist()))
    return selection


def taken(film, selection, decoding=None, part=None):
    return list(decode(Job(film, chosen(film, selection), part), decoding or Decoding()))


def same(pictures, others):
    return len(pictures) == len(others) and all(
        (one.index, one.seconds) == (other.index, other.seconds)
        and np.array_equal(one.rgb, other.rgb)
        for one, other in zip(pictures, others, strict=True)
    )


# --- every way of sampling --------------------------------------------------------------------


def first_of_each(seconds, step, start=0.0):
    """Of each stretch of time, the first picture in it."""
    slots: dict[int, int] = {}
    for index, second in enumerate(seconds):
        if second >= start - 0.0005:
            slots.setdefault(int((second - start + 0.0005) // step), index)
    return sorted(slots.values())


def before(seconds, end):
    return list(takewhile(lambda n: seconds[n] < end - 0.0005, range(len(seconds))))


#: Name → what is asked, and which indexes are expected of (seconds, keys).
WAYS = {
    "all": (Selection(), lambda seconds, _: list(range(len(seconds)))),
    "every 7": (Selection(every=7), lambda seconds, _: list(range(0, len(seconds), 7))),
    "every 50": (Selection(every=50), lambda seconds, _: list(range(0, len(seconds), 50))),
    "every 0.3 s": (
        Selection(every_seconds=0.3),
        lambda seconds, _: first_of_each(seconds, 0.3),
    ),
    "a stretch": (
        Selection(every=3, start=0.52, end=2.4),
        lambda seconds, _: [n for n in before(seconds, 2.4) if n % 3 == 0 and seconds[n] >= 0.5195],
    ),
    "every 0.25 s of a stretch": (
        Selection(every_seconds=0.25, start=0.5, end=2),
        lambda seconds, _: first_of_each(seconds[: len(before(seconds, 2))], 0.25, 0.5),
    ),
    "5 at most": (Selection(every=4, limit=5), lambda *_: [0, 4, 8, 12, 16]),
    "keys": (
        Selection(keys=True),
        lambda _, keys: [n for n, key in enumerate(keys) if key],
    ),
    "odd ones": (
        Selection(only=tuple(range(1, COUNT, 2))),
        lambda seconds, _: list(range(1, min(COUNT, len(seconds)), 2)),
    ),
    "none": (Selection(only=()), lambda *_: []),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_decoding_of_everything_agrees(known, read_number, name):
    about = known(name)
    assert [read_number(picture.rgb) for picture in about.whole] == about.numbers
    assert [picture.seconds for picture in about.whole] == pytest.approx(about.seconds, abs=0.001)
    assert len(about.numbers) > COUNT // 2
    if name != "twice.ts":
        assert about.seconds == sorted(set(about.seconds))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_exactly_the_asked_pictures_come_bit_for_bit(known, read_number, name, way):
    about = known(name)
    selection, expected = WAYS[way]
    keys = about.keys
    if name == "refresh.ts":
        # The decoder calls a picture a key picture where a refresh begins; it is none.
        keys = [number == 0 for number in range(COUNT)]
    wanted = expected(about.seconds, keys)
    decoding = Decoding()
    found = taken(about.film, selection, decoding)
    assert [picture.index for picture in found] == wanted
    assert [read_number(picture.rgb) for picture in found] == [about.numbers[n] for n in wanted]
    assert same(found, [about.whole[n] for n in wanted])
    assert decoding.lost == 0


@pytest.mark.parametrize("name", [name for name in NAMES if most_of(name)])
def test_what_nobody_wants_is_not_decoded(known, name):
    film, most = known(name).film, BY_NAME[name].most
    assert most is not None
    assert film.by_timestamps, film.findings
    assert film.pictures == COUNT
    few, more, keys = (Decoding() for _ in range(3))
    taken(film, Selection(every=50), few)
    taken(film, Selection(every=7), more)
    found = taken(film, Selection(keys=True), keys)
    assert len(found) == keys.decoded
    assert few.decoded <= most[0]
    assert more.decoded <= most[1]
    assert keys.decoded <= most[2]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.why], ids=lambda kind: kind.name)
def test_where_timestamps_do_not_suffice_everything_is_decoded(known, kind):
    film = known(kind.name).film
    finding = next(finding for finding in film.findings if finding.what == "numbering")
    assert not film.by_timestamps
    assert "counted while everything is decoded" in finding.done
    assert kind.why in finding.done


@pytest.mark.parametrize("name", VARYING)
def test_varying_times_do_not_hinder_the_shortcut(known, name):
    decoding = Decoding()
    taken(known(name).film, Selection(every=50), decoding)
    assert decoding.decoded <= 8


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", [*(name for name in NAMES if most_of(name)), *VARYING])
def test_parts_together_are_the_whole(known, name, count):
    about = known(name)
    film = about.film
    wanted = np.arange(0, COUNT, 3)
    split = parts(film.packets, positions(film.packets, wanted), count)
    assert 1 <= len(split) <= count
    if len(film.packets.groups()) >= 5:
        assert len(split) == count
    decoding, found = Decoding(), []
    for part in split:
        one = Decoding()
        found += taken(film, Selection(every=3), one, part)
        decoding.add(one)
    assert [picture.index for picture in found] == wanted.tolist()
    assert same(found, [about.whole[n] for n in wanted])
    assert decoding.lost == 0
    whole = Decoding()
    taken(film, Selection(every=3), whole)
    assert decoding.decoded <= whole.decoded


def test_what_the_caller_has_comes_without_pixels(known):
    about = known("pyramid.mkv")
    selection = chosen(about.film, Selection(every=10))
    job = Job(about.film, selection, skip=frozenset({10, 30}))
    found = {picture.index: picture for picture in decode(job, Decoding())}
    assert sorted(found) == list(range(0, COUNT, 10))
    assert {index for index, one in found.items() if one.rgb.shape == NO_PIXELS.shape} == {10, 30}
    assert np.array_equal(found[20].rgb, about.whole[20].rgb)


# --- films that were put together -------------------------------------------------------------


def remuxed(path, source, change):
    """A copy of a film, of whose packets a function makes others."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        packets = [packet for packet in given.demux(video=0) if packet.size]
        for data, pts, dts, key in change(packets):
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.time_base = pts, dts, packets[0].time_base
            packet.is_keyframe = key
            packet.stream = stream
            made.mux(packet)
    return path


#: An "end of sequence" unit of HEVC, with its length before it.
END = b"\x00\x00\x00\x02\x48\x01"


def joined(packets, end):
    """The film, and behind it what follows from the midst of it on, as cutting tools join them.

    The second part starts with a key picture of an open group, so that pictures before it lack
    what they refer to.
    """
    step = 40
    begin = next(n for n, packet in enumerate(packets) if n > 40 and packet.is_keyframe)
    ordered = [(bytes(packet), packet.pts, packet.is_keyframe) for packet in packets]
    later = ordered[begin:]
    offset = step * len(packets) - min(pts for _, pts, _ in later)
    data, pts, key = ordered[-1]
    ordered[-1] = (data + end, pts, key)
    ordered += [(data, pts + offset, key) for data, pts, key in later]
    return [
        (data, pts, min(step * (n - 4), pts), key) for n, (data, pts, key) in enumerate(ordered)
    ]


def test_open_groups_joined_by_an_end_of_sequence_are_as_a_full_decoding(
    tmp_path, path_of, read_number
):
    path = remuxed(tmp_path / "a.mkv", path_of("open-hevc.mkv"), lambda all_: joined(all_, END))
    film = examine(path, FilmSettings())
    numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in plainly(path)]
    assert 130 < len(numbers) < len(film.packets), "the decoder leaves out what it cannot decode"
    for selection in (Selection(), Selection(every=7), Selection(only=tuple(range(1, 140, 2)))):
        found = taken(film, selection)
        assert [read_number(p.rgb) for p in found] == [numbers[p.index] for p in found]
        assert same(found, taken(counted(film), selection))


def test_open_groups_that_were_merely_joined_give_no_wrong_pictures(tmp_path, path_of, read_number):
    path = remuxed(tmp_path / "a.mkv", path_of("open-hevc.mkv"), lambda all_: joined(all_, b""))
    film = examine(path, FilmSettings())
    decoding = Decoding()
    found = taken(film, Selection(every=3), decoding)
    assert len(found) + decoding.lost >= len(range(0, decoding.pictures, 3))
    if not film.by_timestamps:
        found = []
    for picture in found:
        number = picture.index if picture.index < COUNT else picture.index - 44
        assert read_number(picture.rgb) == number


def boxed(kind, content):
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def with_edits(data, edits):
    """An MP4 whose list of edits is another: (duration, begin) each; `moov` must be at the end."""

    def changed(data):
        at, made = 0, b""
        while at < len(data):
            size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            content = data[at + 8 : at + size]
            if kind in {b"moov", b"trak", b"edts"}:
                content = changed(content)
            elif kind == b"elst":
                entries = b"".join(
                    duration.to_bytes(4, "big") + begin.to_bytes(4, "big") + b"\0\1\0\0"
                    for duration, begin in edits
                )
                content = bytes(4) + len(edits).to_bytes(4, "big") + entries
            made += boxed(kind, content)
            at += size
        return made

    return changed(data)


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([(1000, 1024), (1000, 1024 + 30 * 512)], id="something left out"),
        pytest.param([(2000, 1024), (1000, 1024 + 10 * 512)], id="something twice"),
        pytest.param([(1000, 1024 + 50 * 512), (1000, 1024)], id="the other way round"),
    ],
)
def test_lists_of_several_edits_are_as_a_full_decoding(tmp_path, path_of, read_number, edits):
    data = path_of("pyramid.mp4").read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    path = tmp_path / "a.mp4"
    path.write_bytes(with_edits(data, edits))
    film = examine(path, FilmSettings())
    numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in plainly(path)]
    assert len(numbers) > 40
    assert numbers != list(range(COUNT))
    for selection in (Selection(), Selection(every=7), Selection(only=tuple(range(1, 100, 2)))):
        found = taken(film, selection)
        everything = taken(counted(film), selection)
        assert [read_number(p.rgb) for p in everything] == [numbers[p.index] for p in everything]
        assert same(found, everything)


def test_pictures_of_another_size_midway_come_as_they_are(tmp_path, moving, read_number):
    films = []
    for side, numbers in (((192, 96), range(30)), ((384, 192), range(30, 60))):
        raw = b"".join(
            np.kron(moving(n), np.ones((side[1] // 96, side[0] // 192, 1), np.uint8)).tobytes()
            for n in numbers
        )
        part = tmp_path / f"{side[0]}.ts"
        ffmpeg(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side[0]}x{side[1]}", "-r", 25),
            *("-i", "-", *x264("bframes=3"), "-output_ts_offset", numbers[0] / 25, part),
            given=raw,
        )
        films.append(part.read_bytes())
    (tmp_path / "a.ts").write_bytes(b"".join(films))
    film = examine(tmp_path / "a.ts", FilmSettings())
    for selection, wanted in (
        (Selection(), range(60)),
        (Selection(every=7), range(0, 60, 7)),
        (Selection(only=(1, 29, 30, 31, 59)), (1, 29, 30, 31, 59)),
    ):
        found = taken(film, selection)
        assert [p.index for p in found] == list(wanted)
        for picture in found:
            factor = 1 if picture.index < 30 else 2
            assert picture.rgb.shape == (96 * factor, 192 * factor, 3)
            assert read_number(picture.rgb[::factor, ::factor]) == picture.index
        assert same(found, taken(counted(film), selection))


# --- scenes, key pictures and shots, by the stage ----------------------------------------------


@pytest.fixture(scope="module")
def cuts(tmp_path_factory, write_film, scene, soften):
    """A film of four shots, 30 pictures long each; one picture in each is sharper than others."""
    size = (144, 256)
    pictures = []
    for shot in range(4):
        for number in range(LONG):
            picture = scene(shot, *size)
            pictures.append(picture if number == SHARP[shot] else soften(picture, 1.5))
    path = tmp_path_factory.mktemp("cuts") / "film.mkv"
    options = {
        "crf": "10",
        "qp": "-1",
        "preset": "veryfast",
        "x264-params": "bframes=3:b-pyramid=normal:b-adapt=0:keyint=25:min-keyint=25:scenecut=0",
    }
    return write_film(path, pictures, pixel_format="yuv420p", options=options)


#: Of 5 candidates 1/6, 2/6, … of the way into a shot: its sharp picture.
SHARP = [5, 20, 15, 10]


def made(dataset):
    """index → (shot, picture) of what lies in the dataset."""
    return {
        record["index"]: (record.get("shot"), read_rgb(dataset.path(record["file_name"])))
        for record in dataset.records("frames")
    }


def test_scenes_give_the_sharpest_of_each_shot(dataset, cuts):
    summary = frames(dataset, [cuts], FrameSettings(sample="scenes"))
    assert summary.counts["made"] == 4
    found = made(dataset)
    assert {index: shot for index, (shot, _) in found.items()} == {
        LONG * shot + sharp: shot for shot, sharp in enumerate(SHARP)
    }
    whole = taken(examine(cuts, FilmSettings()), Selection())
    assert all(np.array_equal(rgb, whole[index].rgb) for index, (_, rgb) in found.items())
    assert next(iter(dataset.records("films")))["shots"] == [0, 30, 60, 90]


def test_several_of_each_shot_are_spread_over_it(dataset, cuts):
    settings = FrameSettings(sample="scenes", per_shot=3, candidates=1)
    frames(dataset, [cuts], settings)
    # The middle of each third.
    expected = {LONG * shot + at: shot for shot in range(4) for at in (5, 15, 25)}
    assert {index: shot for index, (shot, _) in made(dataset).items()} == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"max": 2}, {5: 0, 50: 1}, id="two at most"),
        # From picture 50 to before picture 100, that is.
        pytest.param({"start": 2.0, "end": 4.0}, {50: 1, 75: 2, 95: 3}, id="a stretch"),
    ],
)
def test_scenes_within_bounds(dataset, cuts, more, expected):
    frames(dataset, [cuts], FrameSettings(sample="scenes", **more))
    assert {index: shot for index, (shot, _) in made(dataset).items()} == expected


def test_shots_are_numbered_with_other_samples_if_asked(dataset, cuts):
    frames(dataset, [cuts], FrameSettings(every=20, shots=True))
    assert {index: shot for index, (shot, _) in made(dataset).items()} == {
        index: index // LONG for index in range(0, 120, 20)
    }


def test_key_pictures_are_taken_by_the_stage_and_not_numbered_by_shots(dataset, cuts):
    summary = frames(dataset, [cuts], FrameSettings(sample="keyframes"))
    assert {index: shot for index, (shot, _) in made(dataset).items()} == dict.fromkeys(
        range(0, 120, 25)
    )
    assert summary.figures["decoded"] == 5


def test_films_of_one_name_in_different_folders_do_not_collide(tmp_path, write_film, moving):
    paths = []
    for folder, shift in (("one", 0), ("two", 500)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "film.mkv"
        paths.append(write_film(path, [moving(n + shift) for n in range(12)]))
    dataset = Dataset(tmp_path / "dataset")
    summary = frames(dataset, paths, FrameSettings(every=6))
    assert summary.counts["made"] == 4
    found = list_images(dataset.root / "frames")
    assert len(found) == 4
    assert len({read_rgb(path).tobytes() for path in found}) == 4
    assert all(one != other for one, other in pairwise(sorted(path.name for path in found)))
    assert len(list(dataset.records("films"))) == 2
    again = frames(dataset, paths, FrameSettings(every=6))
    assert again.counts == {"unchanged": 4}


def test_a_film_without_timestamps_gives_scenes_too(tmp_path, dataset, cuts):
    path = tmp_path / "film.h264"
    ffmpeg("-i", cuts, "-c", "copy", path)
    frames(dataset, [Path(path)], FrameSettings(sample="scenes", max=3))
    assert {index: shot for index, (shot, _) in made(dataset).items()} == {5: 0, 50: 1, 75: 2}
