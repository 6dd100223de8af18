import pytest

from animegan.faces.prompts import Prompt, gather, read_prompts
from animegan.faces.words import Words
from animeprep.errors import InputError, UsageError


@pytest.fixture
def prompts(tmp_path):
    """Reads a file of these bytes or this text."""

    def read(content):
        path = tmp_path / "prompts.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_prompts(path)

    return read


def test_a_file_as_people_write_it(prompts):
    told = prompts(
        "\ufeffalice,blue hair red eyes\r\n"
        "\r\n"
        "2,Red Eyes Grey Hair\r\n"
        "  green eyes  \r\n"
        "red eyes, blond hair\r\n"
        "my cat , black hair"
    )
    assert told == [
        Prompt("alice", Words("blue", "red")),
        Prompt("2", Words("gray", "red")),
        Prompt("4", Words(None, "green")),
        Prompt("5", Words("blonde", "red")),
        Prompt("my_cat", Words("black", None)),
    ]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/root/a", "a\\b", "x\x00y", "é" * 180, "-rf"]
)
def test_ids_become_names_in_the_folder(prompts, name):
    (prompt,) = prompts(f"{name},blue hair")
    assert 0 < len(prompt.id.encode()) <= 200
    assert not set(prompt.id) & set("./\\\x00 ")


@pytest.mark.parametrize("letter", ["a", "é", "顔"])
def test_long_ids_that_differ_at_their_ends_are_different(prompts, letter):
    told = prompts(f"{letter * 170}1,blue hair\n{letter * 170}2,red hair")
    assert len({prompt.id for prompt in told}) == 2
    assert all(len(prompt.id.encode()) <= 200 for prompt in told)
    assert all(prompt.id.startswith(letter * 60) for prompt in told)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,blue hair\n2,mauve hair red eyes", "prompts.txt, line 2: .*mauve.* no colour of hair"),
        ("1,blue hair\n2,mauve hair red eyes", "orange, white, aqua, gray, green, red"),
        ("1,mauve eyes", "gray, black, orange, pink, yellow, aqua"),
        ("1,white eyes", "white is no colour of eyes"),
        ("blue hair\n\nblue hat", "prompts.txt, line 3: 'blue hat' is not understood"),
        ("1,", "line 1: '' is not understood; say for example"),
        (",blue hair", "line 1: '' is no id"),
        ("..,blue hair", "line 1: '..' is no id"),
        ("__,blue hair", "line 1: '__' is no id; use letters or digits"),
        ("-,blue hair", "line 1: '-' is no id"),
        ("purpel hair, red eyes", "line 1: .*purpel is no colour"),
        ("1,blue hair red hair", "names hair twice"),
        ("1,blue hair\nb,red eyes\n1,red hair", "line 3: the id 1 is that of .*line 1"),
        ("Ann,blue hair\nANN,red eyes", "line 2: the id ANN is that of .*line 1"),
        ("2,blue hair\nred eyes", "line 2: the id 2 is that of .*line 1"),
        ("", "no prompt in it; write a line"),
        ("\n \r\n", "no prompt in it"),
        (b"1,bl\xfce hair", "no UTF-8 text"),
        ("1,blue hair\n" + "x" * 300, "line 2: 'x+'… is too long"),
        ("1,blue hair\n" * 100_000, "larger than 1 MiB"),
    ],
)
def test_mistakes_name_file_and_line(prompts, content, message):
    with pytest.raises(InputError, match=message) as raised:
        prompts(content)
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match="cannot be opened"):
            read_prompts(path)


def test_the_command_line(tmp_path):
    assert gather(["red eyes blue hair", "ann,green hair"]) == [
        Prompt("blue_hair_red_eyes", Words("blue", "red")),
        Prompt("ann", Words("green", None)),
    ]
    (tmp_path / "more.txt").write_text("white hair")
    both = gather(["red eyes"], tmp_path / "more.txt")
    assert [prompt.id for prompt in both] == ["red_eyes", "1"]
    assert gather([]) == []


def test_forgotten_quotes():
    for typed in ("blue hair red eyes", "blue hair, red eyes", "red eyes blue hair"):
        assert gather(typed.split()) == gather(["blue hair red eyes"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([""], "'' is not understood; say for example"),
        (["blue hair", ""], "'' is not understood"),
        (["teal hair"], "teal is no colour of hair; say one of orange, white"),
        (["blue"], "'blue' is not understood"),
    ],
)
def test_mistakes_on_the_command_line(texts, message):
    with pytest.raises(UsageError, match=message):
        gather(texts)


def test_the_same_words_twice():
    with pytest.raises(InputError, match=r"'red eyes blue hair': the id .* is that of 'blue hair"):
        gather(["blue hair red eyes", "red eyes blue hair"])
