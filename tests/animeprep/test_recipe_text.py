import json
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from animeprep.frames import FrameSettings
from animeprep.recipe import Inputs
from animeprep.recipe_text import rewritten
from animeprep.settings import Settings


class Example(Settings):
    """One of each kind."""

    ALTERNATIVES = (("every", "seconds"),)

    every: int = 50
    """pictures"""
    seconds: float | None = None
    """instead, time"""
    name: str = "a # b"
    """what it is called"""
    on: bool = False
    """whether"""


def test_a_new_recipe_says_all_values_and_what_they_mean():
    text = rewritten("", {"example": Example()})
    assert tomllib.loads(text) == {"example": {"every": 50, "name": "a # b", "on": False}}
    assert "# pictures\nevery = 50\n# instead, time\n# seconds =\n" in text
    assert text.startswith("# The recipe of this dataset")


def test_of_two_ways_of_saying_it_the_given_one_is_written():
    text = rewritten("[example]\nevery = 7\n", {"example": Example(seconds=2)})
    assert tomllib.loads(text)["example"]["seconds"] == 2
    assert "every" not in tomllib.loads(text)["example"]
    assert "# every =\n" in text


MINE = """# my film

[example] # the table
# because of the credits
every = 24   # a second
name = 'x # y' # single "quoted"
# the end

[other]
# untouched
value = [
  1, # one
]
"""


def test_what_the_user_wrote_stays():
    settings = Example(every=12, name="x # y")
    text = rewritten(MINE, {"example": settings})
    for part in (
        "# my film\n",
        "[example] # the table\n",
        "# because of the credits\n# pictures\nevery = 12 # a second\n",
        'name = "x # y" # single "quoted"\n',
        "# the end\n",
        "[other]\n# untouched\nvalue = [\n  1, # one\n]\n",
    ):
        assert part in text
    assert rewritten(text, {"example": settings}) == text


def test_a_table_that_is_new_comes_last():
    text = rewritten(MINE, {"frames": FrameSettings(start=90.0)})
    assert text.index("[other]") < text.index("[frames]")
    assert tomllib.loads(text)["frames"]["start"] == 90.0


def test_films_of_their_own_stay_where_they_are():
    text = rewritten('[films."a b.mkv"]\nhdr = "off" # why\n', {"films": Example()})
    assert tomllib.loads(text)["films"]["a b.mkv"] == {"hdr": "off"}
    assert tomllib.loads(text)["films"]["every"] == 50
    assert rewritten(text, {"films": Example()}) == text


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(_TEXT, max_size=3), _TEXT)
@example([], '"#')
@example(["\\"], "\\'#")
def test_any_text_comes_back(films, name):
    tables = {"inputs": Inputs(films=tuple(films)), "example": Example(name=name)}
    own = {film: {"hdr": "off"} for film in films}
    mine = "".join(f"[films.{json.dumps(film, ensure_ascii=False)}]\nhdr = 'off'\n" for film in own)
    text = rewritten(mine.replace("\x7f", "\\u007f"), tables)
    said = tomllib.loads(text)
    assert said.get("films", {}) == own
    assert said["inputs"]["films"] == films
    assert said["example"]["name"] == name
    assert rewritten(text, tables) == text


@pytest.mark.parametrize("header", ["[ example ]", '["example"]', "  [example]"])
def test_a_table_is_found_however_its_header_is_written(header):
    text = rewritten(f"{header}\nevery = 3\n", {"example": Example()})
    assert tomllib.loads(text)["example"]["every"] == 50


def test_films_with_brackets_in_their_names_keep_their_tables():
    mine = '[films."[Group] Show - 01.mkv"]\nhdr = "off"\n[films."[Group] Show - 02.mkv"]\n'
    said = tomllib.loads(rewritten(mine, {"example": Example()}))
    assert said["films"] == {"[Group] Show - 01.mkv": {"hdr": "off"}, "[Group] Show - 02.mkv": {}}
