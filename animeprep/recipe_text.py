"""The text of `animeprep.toml`: settings with what they mean, and the user's own comments kept."""

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from animeprep.settings import Settings

_WIDTH = 96
#: Names of tables in tables, ("films", "movie.mkv") say.
Path = tuple[str, ...]

_SETTING = re.compile(r"\s*(?P<unset>#\s*)?(?P<name>\w+)\s*=\s*")
_COMMENT = re.compile(r"""[^"'#]*(?:(?:"(?:[^"\\]|\\.)*"|'[^']*')[^"'#]*)*(?P<comment>#.*)""")
_HEAD = """\
# The recipe of this dataset: every setting that made it. Change a value and run
# `animeprep prepare`: only what depends on it is made again. With `--dry-run` it says what and why.
"""


def rewritten(text: str, tables: Mapping[str, Settings]) -> str:
    r"""A recipe's text that says these settings, too.

    Args:
        text: valid TOML, or empty.
        tables: table → its settings; other tables stay as they are.

    >>> import pydantic
    >>> class Example(Settings):
    ...     size: int = pydantic.Field(default=1, description="side of a crop, pixels")
    >>> print(rewritten("[example]\nsize = 2 # mine", {"example": Example()}))
    [example]
    # side of a crop, pixels
    size = 1 # mine
    <BLANKLINE>
    """
    sections = _sections(text or _HEAD)
    for name, settings in tables.items():
        header, *lines = sections.get((name,), [f"[{name}]"])
        sections[name,] = [header, *_table(lines, settings)]
    return "\n\n".join("\n".join(lines).strip() for lines in sections.values()).strip() + "\n"


def headers(text: str) -> set[Path]:
    r"""The tables that have a line of their own in a recipe's text.

    >>> sorted(headers('[crop]\n[films."[x] 01.mkv"]'))
    [('crop',), ('films', '[x] 01.mkv')]
    """
    return {path for path in _sections(text) if path}


def _sections(text: str) -> dict[Path, list[str]]:
    """Table → its lines, the header first; what stands before the first has an empty name."""
    sections: dict[Path, list[str]] = {(): []}
    path: Path = ()
    for line in text.split("\n"):
        path = _header(line) or path
        sections.setdefault(path, []).append(line)
    return sections


def _header(line: str) -> Path:
    """The table that a line begins; empty where it is no header."""
    try:
        table: object = tomllib.loads(line) if line.lstrip().startswith("[") else {}
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(table, dict) and table:
        [(name, table)] = table.items()
        path.append(name)
    return tuple(path)


def _table(lines: list[str], settings: Settings) -> Iterator[str]:
    """The lines of a table."""
    meanings = {
        name: [f"# {line}" for line in textwrap.wrap(info.description or "", _WIDTH)]
        for name, info in type(settings).model_fields.items()
    }
    ours = {line for meaning in meanings.values() for line in meaning}
    above, beside, below = _comments([one for one in lines if one.strip() not in ours], meanings)
    values = dict(_stated(settings))
    for name, meaning in meanings.items():
        said = _toml(values[name]) if name in values else ""
        setting = f"{name} = {said}" if said else f"# {name} ="
        yield from (*above.get(name, ()), *meaning, setting + beside.get(name, ""))
    yield from below


def _toml(value: object) -> str:
    """A number, text, truth or list of these; TOML writes them like JSON, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comments(
    lines: list[str], known: Mapping[str, Any]
) -> tuple[dict[str, list[str]], dict[str, str], list[str]]:
    """The user's comments above a setting, beside it, and below all."""
    above: dict[str, list[str]] = {}
    beside: dict[str, str] = {}
    waiting: list[str] = []
    for line in lines:
        setting = _SETTING.match(line)
        if setting and setting["name"] in known:
            above[setting["name"]], waiting = waiting, []
            comment = _COMMENT.match(line, setting.end())
            if comment and not setting["unset"]:
                beside[setting["name"]] = " " + comment["comment"]
        elif line.lstrip().startswith("#"):
            waiting.append(line.strip())
    return above, beside, waiting


def _stated(settings: Settings) -> Iterator[tuple[str, Any]]:
    """What a recipe says: all values but those that are not set, or that another replaces."""
    given = settings.model_fields_set
    replaced = {n for names in settings.ALTERNATIVES if given & set(names) for n in names} - given
    for name, value in settings.model_dump(mode="json").items():
        if value is not None and name not in replaced:
            yield name, value
