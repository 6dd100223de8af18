# mypy: allow-untyped-calls
"""Each kind of film against an independent chain: FFmpeg's zscale (zimg), bwdif, the source."""

import subprocess
from dataclasses import replace
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from animeprep.errors import FilmError
from animeprep.film import Decoding, FilmSettings, Selection
from animeprep.film.decode import Job, decode
from animeprep.film.probe import examine
from animeprep.film.sampling import indexes

BT2020, PQ, HLG, BT709 = 9, 16, 18, 1
MPEG_RANGE = 1


def ffmpeg(*arguments, pipe=b""):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60, input=pipe).stdout


def by_ffmpeg(film, shape, chain, index=0):
    """Picture `index` as a chain of FFmpeg's filters makes it."""
    chain = rf"select=eq(n\,{index}),{chain}"
    raw = ffmpeg(
        *("-noautorotate", "-i", film, "-vf", chain, "-frames:v", 1),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    )
    return np.frombuffer(raw, np.uint8).reshape(shape).astype(int)


def taken(film, selection=None, **settings):
    """Pictures of a film, and the film; in this process."""
    film = examine(Path(film), FilmSettings(**settings))
    selection = selection or Selection()
    if film.by_timestamps:
        selection = Selection(only=tuple(indexes(film, selection).tolist()))
    return list(decode(Job(film, selection), Decoding())), film


def one(film, index=0, **settings):
    pictures, probed = taken(film, Selection(only=(index,)), **settings)
    return pictures[0].rgb.astype(int), probed


def done(film, what):
    return next(found.done for found in film.findings if found.what == what)


# --- HDR ----------------------------------------------------------------------------------------


def patches(colours, pixel_format="yuv444p10le"):
    """A picture of columns 16 wide, one a colour of (Y, Cb, Cr), ten bits."""
    frame = av.VideoFrame(16 * len(colours), 64, pixel_format)
    for plane, values in zip(frame.planes, np.asarray(colours, np.uint16).T, strict=True):
        rows = np.zeros((64, plane.line_size // 2), np.uint16)
        rows[:, : 16 * len(colours)] = np.repeat(values, 16)
        plane.update(rows.tobytes())
    return frame


def hdr_colours():
    rng = np.random.default_rng(0)
    grays = [(level, 512, 512) for level in range(64, 941, 40)]
    return grays + [tuple(rng.integers((200, 400, 400), (800, 620, 620))) for _ in range(25)]


@pytest.fixture
def hdr_film(tmp_path, write_film):
    def make(curve):
        tags = {"color_trc": curve, "colorspace": BT2020, "color_primaries": BT2020}
        frame = patches(hdr_colours())
        for name, value in {**tags, "color_range": MPEG_RANGE}.items():
            setattr(frame, name, value)
        return write_film(
            tmp_path / f"{curve}.mkv",
            [frame] * 2,
            codec="ffv1",
            pixel_format="yuv444p10le",
            context={**tags, "color_range": MPEG_RANGE},
        )

    return make


def zscale_chain(curve, peak):
    return (
        "zscale=t=linear:npl=203:agamma=0:f=bilinear,format=gbrpf32le,zscale=p=bt709,"
        f"tonemap=tonemap={curve}:desat=0:peak={peak},zscale=t=bt709:m=bt709:r=pc,format=gbrp"
    )


@pytest.mark.parametrize("transfer", [PQ, HLG], ids=["pq", "hlg"])
@pytest.mark.parametrize("curve", ["mobius", "hable"])
def test_hdr_is_tone_mapped_as_by_zscale(hdr_film, transfer, curve):
    path = hdr_film(transfer)
    ours, film = one(path, tone_curve=curve, letterbox="off")
    theirs = by_ffmpeg(path, ours.shape, zscale_chain(curve, film.peak))
    assert np.abs(ours - theirs)[:, 8::16].max() <= 1
    assert film.peak > 2
    assert f"by the {curve} curve" in done(film, "light")


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_an_sdr_picture_comes_back_from_hdr(tmp_path, scene, transfer):
    """Never washed-out: white at 203 cd/m² is white again."""
    picture = scene(1, 180, 320)
    out = tmp_path / "a.mkv"
    chain = (
        "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p10le,"
        "setparams=colorspace=bt709:color_trc=bt709:color_primaries=bt709,"
        "zscale=t=linear:npl=203,format=gbrpf32le,"
        f"zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl=203:agamma=0,format=yuv444p10le"
    )
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x180", "-r", 25, "-i", "-"),
        *("-vf", chain, "-c:v", "ffv1", "-color_trc", transfer),
        *("-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv", out),
        pipe=picture.tobytes() * 2,
    )
    ours, film = one(out)
    assert film.light == {"smpte2084": "pq", "arib-std-b67": "hlg"}[transfer]
    difference = deltaE_ciede2000(rgb2lab(ours / 255), rgb2lab(picture))
    assert difference.mean() < 2.5
    assert np.percentile(ours, 99) > 0.94 * np.percentile(picture, 99)


def test_wide_colours_of_sdr_are_brought_to_bt709(tmp_path, write_film):
    colours = hdr_colours()
    tags = {"color_trc": 14, "colorspace": BT2020, "color_primaries": BT2020, "color_range": 1}
    frame = patches(colours)
    for name, value in tags.items():
        setattr(frame, name, value)
    path = write_film(
        tmp_path / "a.mkv", [frame] * 2, codec="ffv1", pixel_format="yuv444p10le", context=tags
    )
    ours, film = one(path, letterbox="off")
    theirs = by_ffmpeg(
        path, ours.shape, "zscale=t=linear:npl=100:agamma=0,format=gbrpf32le,"
        "zscale=p=bt709:t=bt709:m=bt709:r=pc:agamma=0,format=gbrp",
    )  # fmt: skip
    assert film.light == "wide"
    assert np.abs(ours - theirs)[:, 8::16].max() <= 2


def test_hdr_may_be_taken_for_sdr(hdr_film):
    path = hdr_film(PQ)
    ours, film = one(path, hdr="off", letterbox="off")
    theirs = by_ffmpeg(path, ours.shape, "zscale=m=gbr:r=full,format=gbrp")
    assert film.light == "sdr"
    assert np.abs(ours - theirs)[:, 8::16].max() <= 2


@pytest.mark.parametrize("name", ["hdr10_av1.mp4", "hlg10.mp4"])
def test_real_hdr_is_tone_mapped_as_by_zscale(shared, name):
    path = shared / "data/films" / name
    ours, film = one(path, letterbox="off", chroma="left")
    theirs = by_ffmpeg(path, ours.shape, zscale_chain("mobius", film.peak))
    assert np.abs(ours - theirs).mean() < 0.05
    assert np.percentile(np.abs(ours - theirs), 99.9) <= 2


# --- SDR ----------------------------------------------------------------------------------------

SDR = (
    "sintel_trailer.mp4", "anime_1080p_19s.mp4", "bigbuckbunny.mp4", "bikes.mp4", "vfr.mp4",
    "telecine_source_progressive.mkv", "counter.mp4", "h264_nonref_3b.mp4", "delayed_start.mp4",
    "anamorphic_small.mp4", "rotated.mp4", "rotate_and_reflect.mp4", "corrupted.mp4",
)  # fmt: skip
ZIMG_MATRICES = {"bt709": "709", "smpte170m": "170m"}


@pytest.mark.parametrize("name", SDR)
def test_real_sdr_is_within_a_level_of_zimg(shared, name):
    """Chroma edges too: FFmpeg's scaler alone takes colour samples for centred."""
    path = shared / "data/films" / name
    ours, film = one(path, 20, letterbox="off", pixel_aspect="1:1", turn="none")
    matrix = ZIMG_MATRICES[film.matrix]
    chain = f"zscale=min={matrix}:rin=limited:m=gbr:r=full:f=bilinear,format=gbrp"
    theirs = by_ffmpeg(path, ours.shape, chain, 20)
    assert np.abs(ours - theirs).max() <= 1
    assert np.abs(ours - theirs).mean() < 0.02


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_colour_edges_are_within_two_levels_of_zimg(tmp_path, write_film, pixel_format):
    edges = np.kron(np.random.default_rng(1).integers(0, 256, (12, 20, 3)), np.ones((8, 8, 1)))
    path = write_film(
        tmp_path / "a.mkv", [edges.astype(np.uint8)] * 2, codec="ffv1", pixel_format=pixel_format
    )
    ours, _ = one(path, letterbox="off")
    chain = "zscale=min=170m:rin=limited:m=gbr:r=full:f=bilinear,format=gbrp"
    assert np.abs(ours - by_ffmpeg(path, ours.shape, chain)).max() <= 2


def test_the_user_overrules_matrix_range_and_chroma(tmp_path, write_film, scene):
    path = write_film(tmp_path / "a.mkv", [scene(1, 96, 160)] * 2, pixel_format="yuv420p")
    ours, film = one(path, matrix="bt2020", range="full", chroma="topleft")
    chain = "zscale=min=2020_ncl:rin=full:cin=topleft:m=gbr:r=full:f=bilinear,format=gbrp"
    assert np.abs(ours - by_ffmpeg(path, ours.shape, chain)).max() <= 2
    for what in ("colour matrix", "range", "chroma samples"):
        assert done(film, what).endswith("as you chose")


# --- geometry -----------------------------------------------------------------------------------


def test_the_user_overrules_aspect_turn_and_letterbox(tmp_path, write_film, scene):
    picture = scene(1, 96, 160)
    path = write_film(tmp_path / "a.mkv", [picture] * 2)
    plain, _ = one(path)
    turned, _ = one(path, turn="90")
    assert np.abs(turned - np.rot90(plain, -1)).max() == 0
    mirrored, _ = one(path, turn="mirror")
    assert np.abs(mirrored - plain[:, ::-1]).max() == 0
    wide, _ = one(path, pixel_aspect="3:2")
    assert wide.shape == (96, 240, 3)
    part, _ = one(path, letterbox="100x50+20+10")
    assert np.abs(part - plain[10:60, 20:120]).max() == 0


def test_each_size_has_bars_of_its_own(tmp_path, scene):
    """A broadcast that changes its size in mid-stream."""
    out = tmp_path / "a.ts"
    parts = []
    for number, (height, bar) in enumerate(((144, 16), (192, 24))):
        picture = cv2.copyMakeBorder(
            scene(number, height - 2 * bar, 256), bar, bar, 0, 0, cv2.BORDER_CONSTANT
        )
        part = tmp_path / f"{number}.h264"
        ffmpeg(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"256x{height}", "-r", 25, "-i", "-"),
            *("-c:v", "libx264", "-qp", 0, "-bf", 2, "-g", 10, part),
            pipe=picture.tobytes() * 40,
        )
        parts.append(part.read_bytes())
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join(parts))
    ffmpeg("-r", 25, "-i", joined, "-c", "copy", out)
    pictures, film = taken(out, Selection(every=10))
    sizes = [picture.rgb.shape[:2] for picture in pictures]
    assert sizes == [(112, 256)] * 4 + [(144, 256)] * 4
    assert len(film.areas) == 2


# --- fields -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_inverse_telecine_restores_the_progressive_source(shared):
    films = shared / "data/films"
    source, progressive = taken(films / "telecine_source_progressive.mkv", letterbox="off")
    restored, telecined = taken(films / "telecined_hard.mkv", letterbox="off")
    assert (progressive.fields, telecined.fields) == ("progressive", "telecined")
    assert len(restored) == len(source) == 240
    for one_, other in zip(source, restored, strict=True):
        assert one_.index == other.index
        assert np.abs(one_.rgb.astype(int) - other.rgb).mean() < 1.5
        assert other.seconds == pytest.approx(one_.seconds, abs=0.05)


def test_a_real_interlaced_film_is_what_bwdif_makes_of_it(shared):
    path = shared / "data/films/interlaced_tff.mkv"
    ours, film = one(path, 40, letterbox="off", pixel_aspect="1:1")
    assert (film.fields, film.field_order) == ("interlaced", "tff")
    zimg = "zscale=min=170m:rin=limited:m=gbr:r=full:f=bilinear,format=gbrp"
    # The order of filters is ours: fields are undone before a picture is picked.
    raw = ffmpeg(
        *("-i", path, "-vf", rf"bwdif=send_frame:tff:all,setfield=prog,select=eq(n\,40),{zimg}"),
        *("-frames:v", 1, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    )
    theirs = np.frombuffer(raw, np.uint8).reshape(ours.shape).astype(int)
    assert np.abs(ours - theirs).max() <= 1


ALL_FILMS = (*SDR, "hdr10_av1.mp4", "hlg10.mp4", "interlaced_tff.mkv", "telecined_hard.mkv")


@pytest.mark.parametrize("name", ALL_FILMS)
def test_real_films_are_read_bit_for_bit_as_by_decoding_everything(shared, name):
    film = examine(shared / "data/films" / name, FilmSettings())
    selection = Selection(every=7, limit=12)
    full = list(decode(Job(replace(film, by_timestamps=False), selection), Decoding()))
    decoding = Decoding()
    only = tuple(picture.index for picture in full)
    quick = list(decode(Job(film, replace(selection, limit=None, only=only)), decoding))
    assert [picture.index for picture in quick] == list(only)
    for one_, other in zip(quick, full, strict=True):
        assert (one_.rgb == other.rgb).all()
        assert one_.seconds == pytest.approx(other.seconds, abs=1e-4)
    assert film.by_timestamps == (name not in COUNTED)


COUNTED = {"corrupted.mp4", "delayed_start.mp4", "interlaced_tff.mkv", "telecined_hard.mkv"}


def moving(count, height=480, width=640):
    """A striped ball that moves sideways on a quiet painting."""
    ground = np.full((height, width, 3), 90, np.uint8)
    for number in range(count):
        picture = ground.copy()
        x = 40 + 7 * number % (width - 80)
        cv2.circle(picture, (x, height // 2), 60, (230, 200, 60), -1)
        cv2.line(picture, (x, height // 2 - 50), (x, height // 2 + 50), (20, 20, 20), 8)
        yield picture


@pytest.fixture(scope="module")
def progressive_pictures():
    return list(moving(96))


def encoded(path, pictures, chain, *options):
    height, width = pictures[0].shape[:2]
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "24000/1001"),
        *("-i", "-", "-vf", chain, *options, path),
        pipe=b"".join(map(np.ndarray.tobytes, pictures)),
    )
    return path


MPEG2 = ("-c:v", "mpeg2video", "-q:v", 2, "-g", 12, "-flags", "+ildct+ilme")


def combing(picture):
    """Mean difference of neighbouring rows less that of rows two apart."""
    gray = picture.mean(axis=2)
    return np.abs(np.diff(gray, axis=0)).mean() - np.abs(gray[2:] - gray[:-2]).mean() / 2


@pytest.mark.parametrize("first", ["top", pytest.param("bottom", marks=pytest.mark.slow)])
def test_telecined_films_of_our_own_are_restored(tmp_path, progressive_pictures, first):
    path = encoded(
        tmp_path / "a.mkv", progressive_pictures, f"telecine=first_field={first}", *MPEG2
    )
    pictures, film = taken(path)
    assert film.fields == "telecined"
    assert film.field_order == {"top": "tff", "bottom": "bff"}[first]
    plain = encoded(tmp_path / "b.mkv", progressive_pictures, "null", *MPEG2)
    source, _ = taken(plain)
    assert abs(len(pictures) - len(source)) <= 1
    differences = [
        np.abs(mine.rgb.astype(int) - theirs.rgb).mean()
        for mine, theirs in zip(pictures[:90], source[:90], strict=True)
    ]
    assert np.median(differences) < 1


@pytest.mark.parametrize("first", [pytest.param("top", marks=pytest.mark.slow), "bottom"])
def test_interlaced_films_comb_no_more(tmp_path, progressive_pictures, first):
    path = encoded(
        tmp_path / "a.mkv", progressive_pictures, f"tinterlace=interleave_{first}", *MPEG2
    )
    pictures, film = taken(path)
    assert (film.fields, film.field_order) == (
        "interlaced",
        {"top": "tff", "bottom": "bff"}[first],
    )
    left, _ = taken(path, fields="progressive")
    assert len(pictures) == len(left) == 48
    combed = np.median([combing(picture.rgb) for picture in left[5:40]])
    undone = np.median([combing(picture.rgb) for picture in pictures[5:40]])
    assert combed > 1
    assert undone < combed / 5


def test_flags_are_not_believed(tmp_path, progressive_pictures):
    """A progressive film that calls itself interlaced stays as it is, and quick."""
    path = encoded(
        tmp_path / "a.mkv", progressive_pictures, "setfield=tff", "-c:v", "libx264",
        "-x264-params", "tff=1:keyint=12", "-preset", "ultrafast",
    )  # fmt: skip
    film = examine(path, FilmSettings())
    assert film.fields == "progressive"
    found = next(one.found for one in film.findings if one.what == "fields")
    assert "flagged: 0 of" not in found


def test_combs_are_seen_where_no_flag_tells(tmp_path, progressive_pictures):
    path = encoded(
        tmp_path / "a.mkv", progressive_pictures, "tinterlace=interleave_top,setfield=prog",
        "-c:v", "libx264", "-crf", 12, "-preset", "ultrafast", "-g", 12,
    )  # fmt: skip
    film = examine(path, FilmSettings())
    assert film.fields == "interlaced"
    assert "flagged: 0 of" in next(one.found for one in film.findings if one.what == "fields")


def test_fields_are_as_the_user_says(shared):
    film = examine(shared / "data/films/telecined_hard.mkv", FilmSettings(fields="interlaced"))
    assert film.fields == "interlaced"
    assert done(film, "fields").endswith("as you chose")


# --- transparency -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-lossless", 1)),
        ("a.webm", ("-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", 0, "-b:v", "4M")),
        ("a.mov", ("-c:v", "png", "-pix_fmt", "rgba")),
        ("a.mkv", ("-c:v", "ffv1", "-pix_fmt", "yuva444p")),
    ],
    ids=["vp9", "vp8", "png", "ffv1"],
)
def test_transparent_pictures_stand_over_a_colour(tmp_path, name, options):
    rgba = np.zeros((64, 96, 4), np.uint8)
    rgba[16:48, 24:72] = (200, 60, 40, 255)
    half = name.endswith((".mov", ".mkv"))
    if half:
        rgba[16:32, 24:72, 3] = 128
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgba", "-s", "96x64", "-r", 10, "-i", "-"),
        *(*options, tmp_path / name),
        pipe=rgba.tobytes() * 8,
    )
    ours, film = one(tmp_path / name, 5, background="#2040c0", letterbox="off")
    assert film.alpha
    assert np.abs(ours[4, 4] - (0x20, 0x40, 0xC0)).max() <= 2
    assert np.abs(ours[40, 48] - (200, 60, 40)).max() <= 6
    if half:
        between = np.mean([(200, 60, 40), (0x20, 0x40, 0xC0)], axis=0)
        assert np.abs(ours[24, 48] - between).max() <= 4
    assert "over #2040c0" in done(film, "transparency")


def test_transparent_gifs_stand_over_a_colour(tmp_path):
    pictures = []
    for number in range(6):
        rgba = np.zeros((64, 96, 4), np.uint8)
        rgba[16:48, 8 + 8 * number : 40 + 8 * number] = (200, 60, 40, 255)
        pictures.append(Image.fromarray(rgba))
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    ours, film = one(path, 5, background="#2040c0", letterbox="off")
    assert film.alpha
    assert ours[32, 12].tolist() == [0x20, 0x40, 0xC0]
    assert np.abs(ours[32, 60] - (200, 60, 40)).max() <= 2


# --- what is refused ----------------------------------------------------------------------------


def test_a_film_that_is_too_large_is_refused(tmp_path, write_film, numbered, monkeypatch):
    path = write_film(tmp_path / "a.mkv", [numbered(1)] * 3)
    monkeypatch.setattr("animeprep.film.source.MAX_FILM_PIXELS", 96 * 192 - 1)
    with pytest.raises(FilmError, match=r"192×96 is too large; scale it"):
        examine(path, FilmSettings())


def test_findings_name_everything(tmp_path, write_film, numbered):
    film = examine(write_film(tmp_path / "a.mkv", [numbered(1)] * 3), FilmSettings())
    assert [found.what for found in film.findings] == [
        "codec", "rate", "pixel aspect", "colour matrix", "range", "chroma samples", "light",
        "orientation", "fields", "letterbox", "numbering", "beside it",
    ]  # fmt: skip


def test_a_title_that_is_no_utf8_is_no_reason_to_refuse(tmp_path, write_film, numbered):
    path = tmp_path / "a.avi"
    ffmpeg(
        "-i", write_film(tmp_path / "a.mkv", [numbered(1)] * 3), "-metadata", "title=caf\x7f", path
    )
    path.write_bytes(path.read_bytes().replace(b"caf\x7f", b"caf\xe9"))
    assert examine(path, FilmSettings()).pictures == 3
