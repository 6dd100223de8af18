import io
import sys

import numpy as np
import pytest
import torch

from animegan import painter
from animegan.finish import beside, blend, keep_colours
from animegan.models import GENERATORS
from animegan.painter import Painter
from animegan.photo import decode
from animegan.scratch import Scratch
from animegan.stylize import PIPE, PaintSettings, stylize
from animeprep.errors import InputError, UsageError
from animeprep.files import write_atomic
from animeprep.images import encode_jpeg, read_rgb, write_png


@pytest.fixture(scope="module")
def paints():
    torch.manual_seed(0)
    return Painter(GENERATORS["animeganv2-lite"]().eval(), torch.device("cpu"))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_folders_keep_their_structure_and_a_broken_picture_is_told(tmp_path, paints):
    source = tmp_path / "photos"
    write_atomic(source / "a.jpg", encode_jpeg(noise(20, 24)))
    write_png(source / "a.png", noise(16, 16))
    write_png(source / "deep" / "b.PNG", noise(18, 16))
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:300])
    out = tmp_path / "painted"
    summary = stylize([source], out, paints)
    assert summary.counts == {"made": 3, "failed": 1}
    assert "broken.png" in summary.problems[0]
    assert names(out) == ["a.jpg", "a.png", "deep/b.PNG"]
    assert read_rgb(out / "a.jpg").shape == (20, 24, 3)
    np.testing.assert_array_equal(read_rgb(out / "a.png"), paints.paint(noise(16, 16)))


def test_paintings_among_the_photos_are_not_painted_again(tmp_path, paints):
    write_png(tmp_path / "a.png", noise(16, 16))
    for _ in range(2):
        stylize([tmp_path], tmp_path / "painted", paints)
    assert names(tmp_path) == ["a.png", "painted/a.png"]


def test_names_and_formats_can_be_chosen(tmp_path, paints):
    for name in ("a.jpg", "a.png", "b.bmp"):
        write_png(tmp_path / "photos" / name, noise(16, 16))  # the content counts, not the name
    how = PaintSettings(format="webp", suffix="_anime")
    stylize([tmp_path / "photos"], tmp_path / "out", paints, how)
    assert names(tmp_path / "out") == ["a.png.webp", "a_anime.webp", "b_anime.webp"]
    assert decode((tmp_path / "out" / "b_anime.webp").read_bytes(), "b").kind == "WEBP"
    stylize([tmp_path / "photos"], tmp_path / "same", paints)
    assert names(tmp_path / "same") == ["a.jpg", "a.png", "b.png"]


def test_a_pattern_is_a_list_of_files(tmp_path, paints, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b1", "a", "b2"):
        write_png(tmp_path / f"{name}.png", noise(16, 16))
    for pattern in (tmp_path / "b*.png", (tmp_path / "b*.png").relative_to(tmp_path)):
        summary = stylize([pattern], tmp_path / "out", paints, dry_run=True)
        assert summary.counts["to do"] == 2


def test_a_single_picture_may_name_its_file(tmp_path, paints):
    write_png(tmp_path / "photo.png", noise(16, 20))
    stylize([tmp_path / "photo.png"], tmp_path / "out.jpg", paints)
    assert (tmp_path / "out.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert read_rgb(tmp_path / "out.jpg").shape == (16, 20, 3)


def test_a_picture_goes_through_a_pipe(tmp_path, paints, monkeypatch):
    class Stream:
        def __init__(self, data=b""):
            self.buffer = io.BytesIO(data)

        def flush(self):
            pass

    write_png(tmp_path / "photo.png", noise(16, 20))
    written = Stream()
    monkeypatch.setattr(sys, "stdin", Stream((tmp_path / "photo.png").read_bytes()))
    monkeypatch.setattr(sys, "stdout", written)
    summary = stylize([PIPE], PIPE, paints)
    assert summary.counts["made"] == 1
    answer = decode(written.buffer.getvalue(), "answer")
    np.testing.assert_array_equal(answer.pixels, paints.paint(noise(16, 20)))


def test_a_painting_is_finished_as_asked(tmp_path, paints):
    photo = noise(64, 48)
    write_png(tmp_path / "photo.png", photo)
    painted = paints.paint(photo)
    for how, expected in (
        ({"strength": 0.5}, blend(photo, painted, 0.5)),
        ({"keep_colours": True}, keep_colours(photo, painted)),
        ({"compare": True}, beside(photo, painted)),
    ):
        stylize([tmp_path / "photo.png"], tmp_path / "out.png", paints, PaintSettings(**how))
        np.testing.assert_array_equal(read_rgb(tmp_path / "out.png"), expected)
    stylize([tmp_path / "photo.png"], tmp_path / "out.png", paints, PaintSettings(max_side=32))
    assert read_rgb(tmp_path / "out.png").shape == (32, 24, 3)


def test_a_photo_is_never_overwritten(tmp_path, paints):
    write_png(tmp_path / "photo.png", noise(16, 16))
    before = (tmp_path / "photo.png").read_bytes()
    for out in (tmp_path, tmp_path / "photo.png"):
        with pytest.raises(InputError, match="would be overwritten"):
            stylize([tmp_path / "photo.png"], out, paints)
    assert (tmp_path / "photo.png").read_bytes() == before


def test_wrong_inputs_are_one_clear_line(tmp_path, paints):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no pictures in this folder"):
        stylize([empty], tmp_path / "out", paints)
    with pytest.raises(InputError, match="no such file"):
        stylize([tmp_path / "none.jpg"], tmp_path / "out", paints)
    write_png(tmp_path / "photo.png", noise(16, 16))
    with pytest.raises(UsageError, match="one file"):
        stylize([tmp_path / "photo.png"] * 2, tmp_path / "out.png", paints)


def test_what_does_not_fit_whole_is_painted_in_tiles_and_counted(tmp_path, paints, monkeypatch):
    write_png(tmp_path / "photo.png", noise(16, 16))
    monkeypatch.setattr(painter, "free_memory", lambda _device: 2300)
    summary = stylize([tmp_path / "photo.png"], tmp_path / "out", paints)
    assert summary.counts == {"made": 1}
    assert summary.reasons == {"in tiles": 1}


def test_a_fall_back_to_tiles_is_said(tmp_path, paints, monkeypatch):
    write_png(tmp_path / "photo.png", noise(16, 16))

    def full(_photo):
        monkeypatch.undo()
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(paints.generator, "forward", full)
    summary = stylize([tmp_path / "photo.png"], tmp_path / "out", paints)
    assert summary.counts == {"made": 1}
    assert summary.reasons == {"in tiles": 1}


def test_a_picture_without_room_is_named_and_the_others_go_on(tmp_path, paints, monkeypatch):
    for name, side in (("large", 64), ("small", 16)):
        write_png(tmp_path / "photos" / f"{name}.png", noise(side, side))
    room = 32 * 32 * paints.generator.bytes_per_pixel
    monkeypatch.setattr(painter, "free_memory", lambda _device: room)
    monkeypatch.setattr(painter, "Scratch", lambda _memory, device: Scratch(0, device, disk=0))
    summary = stylize([tmp_path / "photos"], tmp_path / "out", paints)
    assert summary.counts == {"made": 1, "failed": 1}
    assert "large.png: 64×64: there is not enough memory" in summary.problems[0]


def test_what_a_format_cannot_hold_fails_alone(tmp_path, paints, monkeypatch):
    write_png(tmp_path / "a.png", noise(1, 17_000))
    write_png(tmp_path / "b.png", noise(16, 16))
    inputs = [tmp_path / "a.png", tmp_path / "b.png"]
    summary = stylize(inputs, tmp_path / "out", paints, PaintSettings(format="webp"))
    assert summary.counts == {"made": 1, "failed": 1}
    assert "say --format png" in summary.problems[0]
