"""What packets say of themselves, and what follows for which of them are decoded."""

# mypy: allow-untyped-calls
import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import imageio_ffmpeg
import numpy as np
import pytest
from av.video.frame import PictureType
from hypothesis import given, settings
from hypothesis import strategies as st

from animeprep.film.packets import Packets, everything, parts, plan, scan, whole_groups, work
from animeprep.film.sampling import Chooser, Selection, positions
from animeprep.film.source import moving_pictures, opened
from animeprep.film.syntax import Kind, reader

SHOWN = 16
LAYER = 256
COUNT = 48


def ffmpeg(*arguments, given=b""):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, input=given)


def x264(parameters):
    fixed = "keyint=16:min-keyint=16:scenecut=0:b-adapt=0:bframes=3"
    return ("-c:v", "libx264", "-crf", "18", "-x264-params", f"{fixed}:{parameters}")


def x265(parameters):
    fixed = "keyint=16:min-keyint=16:scenecut=0:b-adapt=0:bframes=4:log-level=error:pools=1"
    return ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"{fixed}:{parameters}")


FILMS = {
    "flat": x264("b-pyramid=none"),
    "strict": x264("b-pyramid=strict"),
    "pyramid": x264("b-pyramid=normal:slices=3"),
    "open": x264("b-pyramid=normal:open-gop=1"),
    "hevc": x265("b-pyramid=1:open-gop=0"),
    "open-hevc": x265("b-pyramid=1:open-gop=1"),
    "layers": x265("b-pyramid=1:open-gop=1:temporal-layers=3"),
    "radl": x265("b-pyramid=1:open-gop=0:radl=2"),
    "mpeg2": ("-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "2"),
    "closed": (
        *("-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "2", "-flags", "+cgop"),
        *("-sc_threshold", "1000000000"),
    ),
}
H264, HEVC = ["flat", "strict", "pyramid", "open"], ["hevc", "open-hevc", "layers", "radl"]


@pytest.fixture(scope="module")
def film_of(tmp_path_factory):
    """The file of a film in which everything moves; made once."""
    folder = tmp_path_factory.mktemp("packets")
    noise = np.random.default_rng(0).integers(40, 220, (6, 8, 3), dtype=np.uint8)
    texture = np.kron(noise, np.ones((16, 16, 1), np.uint8))
    raw = b"".join(np.roll(texture, (n, 3 * n), (0, 1)).tobytes() for n in range(COUNT))
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "128x96", "-r", 25, "-i", "-")

    def make(name, suffix="mkv"):
        path = folder / f"{name}.{suffix}"
        if not path.exists() and suffix == "mkv":
            ffmpeg(*source, "-pix_fmt", "yuv420p", *FILMS[name], path, given=raw)
        elif not path.exists():
            ffmpeg("-i", make(name), "-c", "copy", path)
        return path

    return make


def packets_of(path):
    """A stream's packets, and what reads them."""
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        read = reader(codec.codec.canonical_name, bytes(codec.extradata or b""))
        assert read is not None
        return [packet for packet in container.demux(video=0) if packet.size], read


def kinds_of(path):
    packets, read = packets_of(path)
    return [(packet.pts, *read(bytes(packet))) for packet in packets]


def decoded(path, without=None):
    """pts → (type, pixels) of all pictures, where one packet is kept from the decoder."""
    found = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts != without:
                for frame in stream.codec_context.decode(packet if packet.size else None):
                    found[frame.pts] = (frame.pict_type, frame.to_ndarray().tobytes())
    return found


# --- syntax, against what FFmpeg makes of it -------------------------------------------------


@pytest.mark.parametrize("name", FILMS)
def test_key_pictures_are_those_that_ffmpeg_calls_intra(film_of, name):
    types = {pts: kind for pts, (kind, _) in decoded(film_of(name)).items()}
    keys = {pts for pts, kind, _ in kinds_of(film_of(name)) if kind & Kind.KEY}
    assert keys == {pts for pts, kind in types.items() if kind == PictureType.I}
    assert len(keys) >= 3


@pytest.mark.parametrize("name", FILMS)
def test_groups_are_closed_unless_the_encoder_opened_them(film_of, name):
    kinds = kinds_of(film_of(name))
    closed = [bool(kind & Kind.SYNC) for _, kind, _ in kinds if kind & Kind.KEY]
    assert not any(kind & Kind.SYNC and not kind & Kind.KEY for _, kind, _ in kinds)
    opened_ = name in {"open", "open-hevc", "layers", "mpeg2"}
    assert closed == [number == 0 or not opened_ for number in range(len(closed))]


@pytest.mark.parametrize("name", FILMS)
def test_nobody_misses_a_disposable_picture(film_of, name):
    whole = decoded(film_of(name))
    kinds = kinds_of(film_of(name))
    highest = max(layer for _, _, layer in kinds)
    free = [pts for pts, kind, layer in kinds if kind & Kind.DISPOSABLE and layer == highest]
    assert len(free) >= COUNT // 3
    for pts in free[::3]:
        left = decoded(film_of(name), without=pts)
        assert left == {time: picture for time, picture in whole.items() if time != pts}


@pytest.mark.parametrize("name", [*H264[1:], *HEVC])
def test_b_pictures_that_others_refer_to_are_not_disposable(film_of, name):
    whole = decoded(film_of(name))
    kept = [
        pts
        for pts, kind, _ in kinds_of(film_of(name))
        if not kind & Kind.DISPOSABLE and whole[pts][0] == PictureType.B
    ]
    assert kept
    missed = 0
    for pts in kept[:6]:
        left = decoded(film_of(name), without=pts)
        missed += left != {time: picture for time, picture in whole.items() if time != pts}
    assert missed >= 1


@pytest.mark.parametrize("name", ["flat", "mpeg2", "closed"])
def test_without_a_pyramid_all_b_pictures_are_disposable_and_no_others(film_of, name):
    types = {pts: kind for pts, (kind, _) in decoded(film_of(name)).items()}
    free = {pts for pts, kind, _ in kinds_of(film_of(name)) if kind & Kind.DISPOSABLE}
    assert free == {pts for pts, kind in types.items() if kind == PictureType.B}


@pytest.mark.parametrize("name", [*H264, *HEVC])
def test_lengths_and_start_codes_say_the_same(film_of, name):
    packed = [rest for _, *rest in kinds_of(film_of(name, "mp4"))]
    assert packed == [rest for _, *rest in kinds_of(film_of(name, "ts"))]
    assert packed == [rest for _, *rest in kinds_of(film_of(name))]
    assert not any(kind & Kind.BROKEN for kind, _ in packed)


def test_layers_are_those_of_the_encoder(film_of):
    layers = {layer for _, _, layer in kinds_of(film_of("layers"))}
    assert layers >= {0, 1, 2}
    assert {layer for _, _, layer in kinds_of(film_of("hevc"))} == {0}


@pytest.mark.parametrize("name", ["pyramid", "hevc"])
def test_a_packet_cut_in_the_midst_of_a_unit_is_broken(film_of, name):
    packets, read = packets_of(film_of(name, "mp4"))
    for packet in packets[:12]:
        data = bytes(packet)
        ends, at = {0}, 0
        while at < len(data):
            at += 4 + int.from_bytes(data[at : at + 4], "big")
            ends.add(at)
        for length in {*range(1, min(40, len(data))), *range(1, len(data), 97)} - ends:
            assert read(data[:length])[0] == Kind.BROKEN


def test_an_empty_packet_is_broken():
    for codec in ("h264", "hevc", "mpeg2video"):
        for extradata in (b"", bytes([1]) + bytes(30)):
            read = reader(codec, extradata)
            assert read is not None
            assert read(b"")[0] == Kind.BROKEN


#: On a busy machine.
UNHURRIED = settings(deadline=None)
CODECS = ["h264", "hevc", "mpeg2video", "av1"]
#: Bytes in which start codes are frequent.
SOUP = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"\0", b"\1", b"\0\0\1", b"\0\0\1\0", b"\0\0\1\xb8", b"\x65", b"\x26\1"])
        | st.binary(max_size=3),
        max_size=20,
    ).map(b"".join),
)


@pytest.mark.parametrize("codec", CODECS)
@given(data=SOUP, extradata=st.one_of(SOUP, SOUP.map(lambda rest: b"\1" + rest)))
@settings(max_examples=200, deadline=None)
def test_no_bytes_whatever_raise(codec, data, extradata):
    read = reader(codec, extradata)
    assert read is not None
    kind, layer = read(data)
    assert isinstance(kind, Kind)
    assert -1 <= layer <= 6


def test_of_codecs_with_unread_syntax_nothing_is_said():
    assert reader("mpeg4", b"") is None
    assert reader("no such codec", b"") is None


# --- the list of packets ----------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("name", ["pyramid", "open-hevc"])
def test_the_list_orders_pictures_as_they_are_shown(film_of, name, suffix):
    path = film_of(name, suffix)
    heard = []
    with opened(path) as container:
        packets = scan(container, moving_pictures(container, path), lambda: heard.append(1))
    assert len(packets) == len(heard) == COUNT
    assert packets.known
    assert packets.timed
    assert packets.why_counting() is None
    assert packets.pts[packets.order].tolist() == sorted(decoded(path))


# --- which packets are decoded: synthetic lists -----------------------------------------------

KEYS = st.sampled_from([Kind.KEY | Kind.SYNC, Kind.KEY, Kind(0), Kind.DISPOSABLE])


@st.composite
def lists(draw, layers=1):
    """Packets of a film that is numbered by timestamps, in any order of presentation."""
    kinds = [Kind.KEY | Kind.SYNC, *draw(st.lists(KEYS, max_size=40))]
    times = draw(st.permutations(range(len(kinds))))
    marks = [int(kind) | SHOWN for kind in kinds]
    if layers > 1:
        marks = [mark | draw(st.integers(0, layers - 1)) * LAYER for mark in marks]
    return Packets(
        Fraction(1, 25), np.array(times, np.int64), np.array(marks, np.uint16), known=True
    )


@st.composite
def wishes(draw, layers=1):
    packets = draw(lists(layers))
    chance = st.sampled_from([st.booleans(), st.integers(0, 9).map(lambda n: n == 0)])
    one = draw(chance)
    return packets, np.array([draw(one) for _ in range(len(packets))], bool)


@UNHURRIED
@given(wishes(layers=2))
def test_plans_leave_out_what_can_be_left_out_and_nothing_else(wish):
    packets, wanted = wish
    made = plan(packets, wanted)
    assert made.feed[wanted].all(), "every wanted packet is fed"
    free = packets.disposable
    assert not (made.feed & free & ~wanted).any(), "nothing is fed that nobody refers to or wants"
    for begin, end in packets.groups():
        feed = np.flatnonzero(made.feed[begin:end]) + begin
        asked = np.flatnonzero(wanted[begin:end]) + begin
        assert bool(len(feed)) == bool(len(asked)), "groups without wanted pictures are left out"
        if not len(asked):
            continue
        assert feed[-1] == asked[-1], "nothing is fed after the last wanted picture of a group"
        if packets.keys[asked].all():
            assert feed.tolist() == asked.tolist(), "key pictures are decoded alone"
            assert made.drain[asked].all()
            continue
        needed = [at for at in range(begin, asked[-1] + 1) if wanted[at] or not free[at]]
        assert feed.tolist() == needed
        if any(not free[at] for at in range(asked[-1] + 1, end)):
            assert made.drain[asked[-1]], "the decoder forgets what the rest would have followed"
    assert not made.drain[~made.feed].any()


@UNHURRIED
@given(lists(layers=3))
def test_pictures_of_lower_layers_are_never_disposable(packets):
    layer = packets.marks // LAYER
    assert (layer[packets.disposable] == layer.max()).all()


@UNHURRIED
@given(wishes(), st.integers(1, 6))
def test_parts_are_closed_and_hold_all_that_is_wanted(wish, count):
    packets, wanted = wish
    split = parts(packets, wanted, count)
    assert len(split) <= count
    assert all(one[1] <= other[0] for one, other in pairwise(split))
    begins = {begin for begin, _ in packets.groups()}
    inside = np.zeros(len(packets), bool)
    for begin, end in split:
        assert begin in begins
        assert end in {*begins, len(packets)}
        assert wanted[begin:end].any()
        inside[begin:end] = True
    assert inside[wanted].all()


def test_parts_make_like_work():
    marks = ([int(Kind.KEY | Kind.SYNC) | SHOWN] + [SHOWN] * 9) * 12
    packets = Packets(
        Fraction(1, 25), np.arange(120, dtype=np.int64), np.array(marks, np.uint16), known=True
    )
    wanted = np.arange(120) % 5 == 0
    assert parts(packets, wanted, 3) == [(0, 40), (40, 80), (80, 120)]
    # In each group the fed ones are 0 to 5, and the pixels of two pictures are made.
    assert work(packets, wanted).sum() == 12 * (6 + 3 * 2)


@UNHURRIED
@given(lists())
def test_positions_are_where_the_pictures_are(packets):
    for index in range(len(packets)):
        at = np.flatnonzero(positions(packets, np.array([index], np.intp)))
        assert len(at) == 1
        assert (packets.pts < packets.pts[at[0]]).sum() == index


@UNHURRIED
@given(lists(), st.data())
def test_whole_groups_are_those_with_wanted_pictures(packets, data):
    flags = data.draw(st.lists(st.booleans(), min_size=len(packets), max_size=len(packets)))
    wanted = np.array(flags, bool)
    made = whole_groups(packets, wanted)
    for begin, end in packets.groups():
        expected = bool(wanted[begin:end].any())
        assert (made.feed[begin:end] == expected).all()
        assert made.drain[begin:end].tolist() == [False] * (end - begin - 1) + [expected]
    assert everything(packets).feed.all()


GOOD = Packets(
    Fraction(1, 25),
    np.array([0, 3, 1, 2, 4], np.int64),
    np.array(
        [
            *(int(Kind.KEY | Kind.SYNC) | SHOWN, SHOWN),
            *(int(Kind.DISPOSABLE) | SHOWN, int(Kind.DISPOSABLE) | SHOWN, SHOWN),
        ],
        np.uint16,
    ),
    known=True,
)
MISSING = np.iinfo(np.int64).min


def changed(array, at, value):
    copy = array.copy()
    copy[at] = value
    return copy


def test_reasons_for_counting():
    assert GOOD.why_counting() is None
    for other, reason in (
        (replace(GOOD, known=False), "the syntax of this codec is not read"),
        (replace(GOOD, pts=changed(GOOD.pts, 3, MISSING)), "timestamps are missing"),
        (replace(GOOD, pts=changed(GOOD.pts, 3, 1)), "timestamps repeat"),
        (replace(GOOD, pts=changed(GOOD.pts, 3, -5)), "it does not start with a key picture"),
        (
            replace(GOOD, marks=changed(GOOD.marks, 3, SHOWN | int(Kind.BROKEN))),
            "packets are broken",
        ),
        (replace(GOOD, marks=changed(GOOD.marks, 0, SHOWN)), "it does not start with a key"),
        (replace(GOOD, marks=changed(GOOD.marks, 0, int(Kind.KEY))), "does not start with a key"),
        (replace(GOOD, pts=GOOD.pts[:0], marks=GOOD.marks[:0]), "there are no pictures"),
    ):
        assert reason in (other.why_counting() or "")


# --- what is wanted, against a slow plain reference -------------------------------------------

#: Hundredths of a second.
CENTI = st.integers(0, 400)


@st.composite
def selections(draw):
    step = draw(st.sampled_from(["every", "seconds", "keys", "only"]))
    return Selection(
        every=draw(st.integers(1, 9)) if step == "every" else 1,
        every_seconds=draw(st.integers(1, 150)) / 100 if step == "seconds" else None,
        keys=step == "keys",
        only=tuple(draw(st.lists(st.integers(0, 60), max_size=9))) if step == "only" else None,
        start=draw(st.none() | CENTI.map(lambda one: one / 100)),
        end=draw(st.none() | CENTI.map(lambda one: one / 100)),
        limit=draw(st.none() | st.integers(1, 8)),
    )


def plainly(selection, centis, keys):
    """What is wanted of pictures at these hundredths of a second."""

    def exact(seconds):
        return Fraction(round(seconds * 100), 100)

    start = exact(selection.start or 0)
    times = {index: Fraction(centi, 100) for index, centi in enumerate(centis)}
    found = [index for index in times if times[index] >= start]
    found = [index for index in found if index % selection.every == 0]
    if selection.end is not None:
        found = [index for index in found if times[index] < exact(selection.end)]
    if selection.only is not None:
        found = [index for index in found if index in selection.only]
    if selection.keys:
        found = [index for index in found if keys[index]]
    if selection.every_seconds is not None:
        step = exact(selection.every_seconds)
        first = {(times[index] - start) // step: index for index in reversed(found)}
        found = sorted(first.values())
    return found[: selection.limit]


@UNHURRIED
@given(
    selections(),
    st.lists(st.integers(1, 30), max_size=50),
    st.lists(st.booleans(), min_size=51, max_size=51),
)
def test_selections_are_as_a_slow_plain_reference(selection, gaps, keys):
    centis = np.cumsum([0, *gaps]).tolist()
    chooser = Chooser(selection)
    found = [
        index for index, centi in enumerate(centis) if chooser(index, centi / 100, key=keys[index])
    ]
    assert found == plainly(selection, centis, keys)


@UNHURRIED
@given(selections(), st.lists(st.integers(1, 30), max_size=50))
def test_after_the_end_nothing_comes(selection, gaps):
    chooser, ended = Chooser(selection), False
    for index, centi in enumerate(np.cumsum([0, *gaps]).tolist()):
        ended |= chooser.finished(index, centi / 100)
        wanted = chooser(index, centi / 100, key=True)
        assert not (ended and wanted)
