import json

import numpy as np
import pytest

from animegan import checkpoint
from animegan.checkpoint import Header
from animegan.films import in_order
from animegan.films.in_order import InOrder
from animegan.films.jobs import film_jobs, is_film
from animegan.films.preview import preview_film
from animegan.inputs import paint
from animegan.models import GENERATORS
from animeprep.__main__ import main
from animeprep.errors import FilmError, UsageError
from animeprep.film import FilmPicture, probe, shots
from animeprep.images import read_rgb, resize, write_png


@pytest.fixture
def film(tmp_path, write_film, numbered):
    return write_film(tmp_path / "film.mkv", [numbered(n) for n in range(12)])


def test_films_are_told_from_pictures_by_their_content(tmp_path, film, scene):
    write_png(tmp_path / "photo.png", scene(1, 32, 32))
    nameless = tmp_path / "photo"
    nameless.write_bytes((tmp_path / "photo.png").read_bytes())
    assert is_film(film, tmp_path)
    assert not any(is_film(path, tmp_path) for path in (nameless, tmp_path / "photo.png", tmp_path))
    assert is_film(tmp_path / "photo.png", tmp_path / "out.mp4")


def test_where_painted_films_go(tmp_path):
    jobs = film_jobs([tmp_path / "a.mp4", tmp_path / "b.avi", tmp_path / "c" / "b.mkv"],
                     tmp_path / "out", "_painted")  # fmt: skip
    names = [job.target.relative_to(tmp_path).as_posix() for job in jobs]
    assert names == ["out/a_painted.mp4", "out/b_painted.mkv", "out/b.mkv.mkv"]
    with pytest.raises(UsageError, match="name a folder for several"):
        film_jobs([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "out.mp4", "")


def test_pictures_and_films_together_and_a_broken_one(tmp_path, film, scene, how, shown):
    write_png(tmp_path / "photo.png", scene(1, 32, 32))
    (tmp_path / "broken.mp4").write_bytes(b"no film at all")
    given = [tmp_path / name for name in ("photo.png", "broken.mp4", "film.mkv")]
    found = list(paint(given, tmp_path / "out", how()))
    assert [dict(one.counts) for one in found] == [{"made": 1}, {"failed": 1}, {"made": 12}]
    assert "broken.mp4: not a film" in found[1].problems[0]
    assert len(shown(tmp_path / "out" / "film.mkv")) == 12
    assert read_rgb(tmp_path / "out" / "photo.png").shape == (32, 32, 3)


def test_what_does_not_go_together(tmp_path, film, scene, how):
    write_png(tmp_path / "photo.png", scene(1, 32, 32))
    with pytest.raises(UsageError, match="--preview is for films"):
        list(paint([tmp_path / "photo.png"], tmp_path / "out", how(film={"preview": 2})))
    with pytest.raises(UsageError, match=r"out\.mp4 is a film, and .* is none"):
        list(paint([tmp_path], tmp_path / "out.mp4", how()))
    with pytest.raises(UsageError, match=r"out\.avi: painted films end in \.mp4"):
        list(paint([film], tmp_path / "out.avi", how()))


def test_a_preview_is_a_sheet_of_pictures_and_paintings(film, tmp_path, how, read_number):
    summary = preview_film(film, tmp_path / "sheet.jpg", how(), 3)
    assert summary.counts == {"made": 3}
    found = read_rgb(tmp_path / "sheet.jpg").astype(int)
    assert found.shape == (24 + 3 * 366, 2 * 726 - 6, 3)
    for row, number in enumerate((2, 6, 10)):
        top = 24 + 366 * row
        before, after = (found[top : top + 360, left : left + 720] for left in (0, 726))
        assert read_number(resize(before.astype(np.uint8), 192, 96)) == number
        assert np.abs(255 - before - after).mean() < 4


def test_the_verb_paints_a_film(film, tmp_path, shown, capsys):
    model = tmp_path / "generator.safetensors"
    weights = GENERATORS["animeganv2-lite"]().state_dict()
    checkpoint.write(model, weights, Header("generator", "animeganv2-lite", 1, {}))
    out = tmp_path / "out.mp4"
    line = ["stylize", str(film), "--model", str(model), "-o", str(out), "--side-by-side", "--json"]
    assert main([*line, "--end", "0.2"]) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["counts"] == {"made": 5}
    assert told["to"] == str(out)
    assert shown(out)[0][1].shape == (96, 384, 3)
    assert main([*line, "--codec", "vp10"]) == 2
    assert main([*line, "--codec", "ffv1", "--crf", "3"]) == 2
    assert "ffv1 has no crf" in capsys.readouterr().err


def test_pictures_that_come_late_are_left_out(film, monkeypatch):
    picture = np.zeros((2, 2, 3), np.uint8)

    def found(*_arguments, **_names):
        yield from (FilmPicture(index, index / 25, picture) for index in (0, 1, 4, 2, 5))
        raise FilmError(film, "gave up")

    monkeypatch.setattr(in_order, "pictures", found)
    taken = InOrder(probe(film), list(range(6)))
    assert [one.index for one in taken.before(3)] == [0, 1]
    assert taken.next() is not None
    assert [one.index for one in taken.before(9)] == [4, 5]
    assert taken.next() is None
    assert "gave up" in str(taken.problem)


def test_shots_of_a_stretch(tmp_path, write_film, scene):
    drawings = [scene(seed, 96, 160) for seed in range(4)]
    film = write_film(tmp_path / "a.mkv", [one for one in drawings for _ in range(9)])
    assert shots(probe(film), part=(4, 30)) == ([4, 9, 18, 27], 36)
    assert shots(probe(film), part=(9, 18)) == ([9], 36)
