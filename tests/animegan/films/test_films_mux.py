import av
import pytest

from animegan.films.mux import marked
from animegan.films.paint import paint_film
from animegan.xmp import DIGITAL_SOURCE_TYPE

SUBTITLES = """1
00:00:00,200 --> 00:00:01,000
Good morning
"""
CHAPTERS = """;FFMETADATA1
title=A morning
comment=By hand
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=Dawn
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
title=Day
"""


@pytest.fixture
def rich(tmp_path, write_film, numbered, ffmpeg):
    """Two seconds with two sounds, subtitles, chapters, a font, tags, a cover."""
    pictures = write_film(tmp_path / "pictures.mkv", [numbered(n) for n in range(50)])
    (tmp_path / "said.srt").write_text(SUBTITLES)
    (tmp_path / "chapters.txt").write_text(CHAPTERS)
    (tmp_path / "font.ttf").write_bytes(b"a font")
    film = tmp_path / "rich.mkv"
    sound = ("-f", "lavfi", "-i", "sine=frequency=330:duration=2")
    ffmpeg("-i", pictures, *sound, *sound, "-i", tmp_path / "said.srt",
           "-i", tmp_path / "chapters.txt", "-map", "0:v", "-map", "1:a", "-map", "2:a",
           "-map", "3:s", "-map_metadata", "4", "-c:v", "copy", "-c:a:0", "aac", "-c:a:1", "flac",
           "-c:s", "ass", "-metadata:s:a:0", "language=jpn", "-metadata:s:a:1", "language=eng",
           "-metadata:s:s:0", "language=eng", "-attach", tmp_path / "font.ttf",
           "-metadata:s:t", "mimetype=font/ttf", film)  # fmt: skip
    return film


def samples_of(path, number):
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_matroska_keeps_all(rich, tmp_path, how, told):
    out = tmp_path / "out.mkv"
    summary = paint_film(rich, out, how())
    assert told(out) == told(rich)
    assert [samples_of(out, n) for n in (0, 1)] == [samples_of(rich, n) for n in (0, 1)]
    with av.open(str(out)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Dawn", "Day"]
        assert container.metadata["title"] == "A morning"
        assert container.metadata["COMMENT"] == marked("By hand")
        assert DIGITAL_SOURCE_TYPE in marked("By hand")
        kinds = [stream.type for stream in container.streams]
    assert kinds == ["video", "audio", "audio", "subtitle", "attachment"]
    assert not [name for name in summary.figures if "left out" in name]


def test_mp4_keeps_what_it_can_hold_and_the_rest_is_named(rich, tmp_path, how, told):
    out = tmp_path / "out.mp4"
    summary = paint_film(rich, out, how(film={}, mark=False))
    assert told(out)[:3] == [
        ("audio", "aac", "jpn"), ("audio", "flac", "eng"), ("subtitle", "mov_text", "eng")
    ]  # fmt: skip
    assert samples_of(out, 0) == samples_of(rich, 0)
    assert summary.figures["left out, though .mkv may hold it"] == ["attachment 4"]
    with av.open(str(out)) as container:
        assert len(container.chapters()) == 2
        assert container.metadata["comment"] == "By hand"


def test_webm_leaves_out_sound_that_it_cannot_hold(rich, tmp_path, how, told):
    out = tmp_path / "out.webm"
    summary = paint_film(rich, out, how(film={}))
    assert told(out) == [("subtitle", "webvtt", "eng")]
    left_out = summary.figures["left out, though .mkv may hold it"]
    assert left_out == ["audio 1 (aac, jpn)", "audio 2 (flac, eng)"]


def test_sound_stays_with_its_pictures_in_a_stretch(rich, tmp_path, how, shown, numbers_in):
    out = tmp_path / "out.mkv"
    paint_film(rich, out, how(film={"codec": "ffv1", "start": 1.04, "end": 1.6}))
    assert numbers_in(out) == list(range(26, 40))
    with av.open(str(out)) as container:
        times = [p.pts * p.time_base for p in container.demux(audio=1) if p.pts is not None]
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["Day"]
    assert abs(times[0]) < 0.1
    assert 0.5 < times[-1] < 0.7


def test_a_cover_is_kept(tmp_path, write_film, scene, numbered, ffmpeg, how):
    film = write_film(tmp_path / "a.mp4", [numbered(n) for n in range(5)])
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", 1, tmp_path / "cover.png")
    ffmpeg("-i", film, "-i", tmp_path / "cover.png", "-map", 0, "-map", 1, "-c", "copy",
           "-disposition:v:1", "attached_pic", tmp_path / "b.mp4")  # fmt: skip
    paint_film(tmp_path / "b.mp4", tmp_path / "out.mp4", how(film={}))
    with av.open(str(tmp_path / "out.mp4")) as container:
        cover = container.streams.video[1]
        assert cover.disposition & av.stream.Disposition.attached_pic
        assert len(list(container.decode(video=0))) == 5
