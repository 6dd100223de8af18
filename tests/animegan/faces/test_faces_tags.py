"""Both formats of tags, and what stands in them by mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animegan.faces.tags import parse_tags
from animegan.faces.words import EYES, HAIR


def said(data):
    tags = parse_tags(data)
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
        b"no comma\n,blue hair\n0,red hair\n3,blue\n4,blue cat red eyes\n\x00,blue hair\n"
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


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(data):
    tags = parse_tags(data)
    for of in tags.said.values():
        assert of["hair"] <= set(HAIR)
        assert of["eyes"] <= set(EYES)
