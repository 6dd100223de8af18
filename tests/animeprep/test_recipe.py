from pathlib import Path

import pytest

from animeprep.crop import CropSettings
from animeprep.errors import UsageError
from animeprep.film import FilmSettings
from animeprep.recipe import Recipe


@pytest.fixture
def recipe(tmp_path):
    def write(text):
        (tmp_path / "animeprep.toml").write_text(text)
        return Recipe(tmp_path)

    return write


FILMS = """
[frames]
every = 24
start = "1:30"

[smooth-edges]
low = 50

[films]
background = "#000000"
hdr = "off"

[films."episode 1.mkv"]
fields = "telecined"
hdr = "auto"
"""


def test_no_recipe_says_nothing(tmp_path):
    recipe = Recipe(tmp_path / "missing")
    assert recipe.values("frames") == {}
    assert recipe.rules({}).of("a.mkv", "a-1") == FilmSettings()


def test_values_stand_by_verb(recipe):
    read = recipe(FILMS)
    assert read.values("frames") == {"every": 24, "start": "1:30"}
    assert read.values("smooth-edges") == {"low": 50}
    assert read.values("crop") == {}
    assert read.values("films") == {"background": "#000000", "hdr": "off"}


def test_a_film_has_its_own_settings_before_those_of_all(recipe):
    rules = recipe(FILMS).rules({})
    one = rules.of("episode 1.mkv", "episode_1-00000000")
    assert (one.fields, one.hdr, one.background) == ("telecined", "auto", "#000000")
    other = rules.of("episode 2.mkv", "episode_2-00000000")
    assert (other.fields, other.hdr, other.background) == ("auto", "off", "#000000")


def test_options_come_before_the_recipe(recipe):
    rules = recipe(FILMS).rules({"hdr": "pq"})
    assert rules.of("episode 1.mkv", "x").hdr == rules.of("other.mkv", "y").hdr == "pq"


def test_a_film_may_be_named_by_its_identifier(recipe):
    rules = recipe('[films."a-12345678"]\nturn = "90"\n').rules({})
    assert rules.of("renamed.mkv", "a-12345678").turn == "90"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[frame]\nevery = 1", r"animeprep\.toml: unknown table: frame; did you mean frames\?"),
        ("[frames]\nevry = 1", r"unknown setting in \[frames\]: evry; did you mean every\?"),
        ("[frames]\nevery = 0", r"\[frames\] every: Input should be greater than or equal to 1"),
        ("[frames]\nstart = 'soon'", r"\[frames\] start: "),
        ("[frames]\nend = '1:x'", r"\[frames\] end: 1:x is no time; write 90, 1:30"),
        ("[films]\nturn = '45'", r"\[films\] turn: Input should be 'auto'"),
        ("[films]\nletterbox = 'x'", r"\[films\] letterbox: 'x' is not understood; it is the "),
        ('[films."a.mkv"]\nmatrx = 1', r'setting in \[films\."a\.mkv"\]: matrx; did you mean mat'),
        ("frames = 3", r"frames is no table; write \[frames\]"),
        ("crop.size = 128", r"write \[crop\] on a line above its settings"),
        ("crop = {size = 128}", r"write \[crop\] on a line above its settings"),
        ('[films]\n"a.mkv" = {turn = "90"}', r'write \[films\."a\.mkv"\] on a line above its'),
        ("[frames", "cannot be read"),
        ("[zzz]", "there are inputs, frames, films, dedup"),
    ],
)
def test_what_is_wrong_is_told_with_a_hint(recipe, text, said):
    with pytest.raises(UsageError, match=said):
        recipe(text)


def test_inputs_are_remembered_from_the_dataset_folder_and_each_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    films = [Path("a film.mkv"), Path("sub/b.mkv")]
    for film in films:
        film.parent.mkdir(exist_ok=True)
        film.write_text("")
    recipe = Recipe(Path("sets/one"))
    inputs = recipe.with_inputs(films=[*films, films[0].absolute(), Path("missing.mkv")])
    assert inputs.films == ("../../a film.mkv", "../../sub/b.mkv")
    recipe.save({"inputs": inputs})
    monkeypatch.chdir(tmp_path / "sets")
    again = Recipe(Path("one"))
    assert again.inputs("films") == [Path("../a film.mkv"), Path("../sub/b.mkv")]
    assert again.inputs("photos") == []
    assert again.with_inputs(photos=[tmp_path]).photos == ("../..",)
    assert again.with_inputs(photos=[tmp_path]).films == inputs.films


def test_what_is_saved_is_read_again(tmp_path):
    Recipe(tmp_path).save({"films": FilmSettings(hdr="pq"), "crop": CropSettings(count=5)})
    read = Recipe(tmp_path)
    assert read.rules({}).common == FilmSettings(hdr="pq")
    assert CropSettings(**read.values("crop")) == CropSettings(count=5)
    before = (tmp_path / "animeprep.toml").stat().st_mtime_ns
    read.save({"crop": CropSettings(count=5)})
    assert (tmp_path / "animeprep.toml").stat().st_mtime_ns == before


def test_a_name_that_no_recipe_can_hold_is_left_out(tmp_path):
    film = tmp_path / "film\udcff.mkv"
    film.write_text("")
    assert Recipe(tmp_path).with_inputs(films=[film]).films == ()
