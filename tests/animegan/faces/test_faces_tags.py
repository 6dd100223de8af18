"""Both formats of tags, and what stands in them by mistake."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animegan.faces.tags import parse_tags
from animegan.faces.words import EYES, HAIR
from animeprep.errors import DatasetError


def said(data):
    tags = parse_tags(data, Path("tags.csv"))
    return {
        name: (sorted(of["hair"]), sorted(of["eyes"])) for name, of in tags.said.items()
    }, tags.skipped


def test_posts_say_colours_among_other_tags():
    data = (
        b"0,touhou:17705\tchen:556\tblue hair:1234\tred eyes:9\n"
        b"1,long hair:3\tpink twintails:4\tmulticolored hair:1\tblack eye:2\n"
        b"2,grey hair:3\tgray hair:4\tblond hair:5\tre:zero:7\tgreen_eyes:7\t\n"
    )
    assert said(data) == (
        {
            "0": (["blue"], ["red"]),
            "1": ([], []),
            "2": (["blonde", "gray"], ["green"]),
        },
        {},
    )


def test_words_say_colours_in_either_order_or_one_alone():
    data = b"0,blue hair red eyes\n1,Red eyes blond hair\n2,grey hair\nmy face, aqua eyes\n3,\n"
    assert said(data) == (
        {
            "0": (["blue"], ["red"]),
            "1": (["blonde"], ["red"]),
            "2": (["gray"], []),
            "my face": ([], ["aqua"]),
            "3": ([], []),
        },
        {},
    )


def test_several_colours_are_all_told():
    expected = {"0": (["blue", "red"], ["aqua"])}
    assert said(b"0,blue hair red hair aqua eyes")[0] == expected
    assert said(b"0,blue hair:1\tred hair:2\taqua eyes:1")[0] == expected


def test_lines_that_say_nothing_are_told_by_reason():
    data = (
        b"id,tags\n0,blue hair red eyes\n\n1,teal hair red eyes\n2,blue hair gold eyes\n"
        b"no comma\n,blue hair\n0,red hair\n3,blue\n4,blue cat red eyes\n\x01,blue hair\n"
    )
    assert said(data) == (
        {"0": (["blue"], ["red"])},
        {
            "words not understood": [1, 9, 10],
            "unknown colour of hair": [4],
            "unknown colour of eyes": [5],
            "tags without an id": [6, 7, 11],
            "id told before": [8],
        },
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", " \r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_any_ends_of_lines_and_a_byte_order_mark(end, mark):
    for lines in (["7,blue hair red eyes"] * 1, ["7,blue hair:1\tred eyes:2\t"]):
        data = mark + end.join([*lines, "8,", ""]).encode()
        assert said(data) == ({"7": (["blue"], ["red"]), "8": ([], [])}, {})


def test_quotes_around_an_id_and_its_words():
    assert said(b'"5","blue hair red eyes"')[0] == {"5": (["blue"], ["red"])}


def test_a_tab_among_words_is_white_space():
    assert said(b"0,blue hair red eyes\n1,\tgreen\thair\n2, red eyes\t") == (
        {"0": (["blue"], ["red"]), "1": (["green"], []), "2": ([], ["red"])},
        {},
    )


def test_each_line_may_be_in_a_format_of_its_own():
    assert said(b"a:1,blue hair red eyes\n1,long hair:2\tred hair:3\n2,Aqua Hair:12")[0] == {
        "a:1": (["blue"], ["red"]),
        "1": (["red"], []),
        "2": (["aqua"], []),
    }


def test_capitals_and_one_eye_are_understood():
    assert said(b"0,Blue Hair:12\tRED_EYES:3")[0] == {"0": (["blue"], ["red"])}
    assert said(b"0,Red Eye") == ({"0": ([], ["red"])}, {})


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_codings_are_told(coding):
    with pytest.raises(DatasetError, match=r"^tags\.csv: is no UTF-8 text; save it as UTF-8$"):
        parse_tags("0,blue hair".encode(coding), Path("tags.csv"))


def test_a_byte_that_is_no_utf_8_costs_its_own_tag():
    assert said(b"0,caf\xe9:12\tblue hair:3")[0] == {"0": (["blue"], [])}


def test_files_of_too_many_lines_are_refused(monkeypatch):
    monkeypatch.setattr("animegan.faces.tags.MAX_LINES", 3)
    assert len(said(b"0,red hair\n1,red hair\n2,red hair\n")[0]) == 3
    with pytest.raises(DatasetError, match=r"^tags\.csv: has more than 3 lines; make several"):
        parse_tags(b"0,red hair\n" * 4, Path("tags.csv"))


def test_a_line_that_is_too_long_is_passed_over():
    long = b"1," + b"red hair " * 10_000
    assert said(long + b"\n2,red hair") == ({"2": (["red"], [])}, {"line too long": [1]})


@pytest.mark.parametrize("line", ["x\n", "{},\n", "{},blue hair red eyes\n", "0,red hair\n"])
def test_a_line_takes_400_bytes_at_most(line):
    data = "".join(line.format(number) for number in range(2**14)).encode()
    tracemalloc.start()
    try:
        parse_tags(data, Path("tags.csv"))
        assert tracemalloc.get_traced_memory()[1] < 2**14 * 400
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(data):
    tags = parse_tags(data.replace(b"\0", b""), Path("tags.csv"))
    for of in tags.said.values():
        assert of["hair"] <= set(HAIR)
        assert of["eyes"] <= set(EYES)
