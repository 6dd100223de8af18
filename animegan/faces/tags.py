"""What files of tags say of faces, in the two formats of the course's sets.

- posts: `0,touhou:17705<TAB>chen:556<TAB>blue hair:1234`: a face's tags, each with how many
  pictures of the site have it. Only `<colour> hair` and `<colour> eyes` say something here.
- words: `0,blue hair red eyes`.

Which of the two a line is in is seen from what stands in it: only posts have numbers.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from animegan.faces.words import COLOURS, SYNONYMS, parse_words
from animeprep.errors import DatasetError, UsageError

#: Ends of lines in a file; there are no sets of so many faces.
MAX_LINES = 2**20
#: Bytes of a line, and characters of an id.
_LONGEST, _LONGEST_ID = 2**16, 200
#: What ends a tag of posts.
_COUNTED = re.compile(r":\d+\s*(\t|$)")
_COUNT = re.compile(r":\d+$")

#: Attribute → the colours that are said of it: none, one, or several.
Said = Mapping[str, frozenset[str]]


@dataclass
class Tags:
    """A file of tags.

    Attributes:
        said: id → what is said of the face.
        skipped: why lines were passed over → their numbers, from 1.
    """

    said: dict[str, Said] = field(default_factory=dict)
    skipped: dict[str, list[int]] = field(default_factory=dict)


class _UnreadableError(Exception):
    """The reason to skip a line."""


def parse_tags(data: bytes, path: Path) -> Tags:
    r"""Read a file of tags in either format.

    Args:
        data: UTF-8, with or without a byte order mark, lines ended in any system's way.
        path: its name, for the error.

    Returns:
        What is said of each id by the first line that names it.

    Raises:
        DatasetError: it is no UTF-8 text, though single bytes that are none do no harm; or it has
            more than `MAX_LINES` lines.

    >>> parse_tags(b"0,long hair:9\tblue hair:3\n", Path("tags.csv")).said["0"]["hair"]
    frozenset({'blue'})
    >>> parse_tags(b"0,grey hair red eyes", Path("tags.csv")).said["0"]["hair"]
    frozenset({'gray'})
    """
    if b"\0" in data:  # as in all texts of UTF-16
        raise DatasetError(path, "is no UTF-8 text", "save it as UTF-8")
    if data.count(b"\n") + data.count(b"\r") > MAX_LINES:
        raise DatasetError(path, f"has more than {MAX_LINES} lines", "make several sets of it")
    tags = Tags()
    # `splitlines` of text would also take characters for ends that can stand within a tag.
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, said = _parse(line)
        except _UnreadableError as error:
            tags.skipped.setdefault(str(error), []).append(number)
            continue
        if name in tags.said:
            tags.skipped.setdefault("id told before", []).append(number)
        tags.said.setdefault(name, said)
    return tags


def _parse(line: bytes) -> tuple[str, Said]:
    if len(line) > _LONGEST:
        raise _UnreadableError("line too long")
    text = line.decode(errors="replace")
    name, comma, rest = (part.strip(' "') for part in text.partition(","))
    if not comma or not name or not name.isprintable() or len(name) > _LONGEST_ID:
        raise _UnreadableError("tags without an id")
    return name, _of_posts(rest) if _COUNTED.search(rest) else _of_words(rest)


def _of_posts(text: str) -> Said:
    """The colours among all tags; `long hair` and the like are none."""
    found: dict[str, set[str]] = {attribute: set() for attribute in COLOURS}
    for tag in text.split("\t"):
        colour, _, attribute = _COUNT.sub("", tag.strip().lower()).replace("_", " ").rpartition(" ")
        if attribute in COLOURS:
            _add(found, colour, attribute, strict=False)
    return _frozen(found)


def _of_words(text: str) -> Said:
    words = [SYNONYMS.get(word, word) for word in re.findall(r"[^\s,]+", text.lower())]
    found: dict[str, set[str]] = {attribute: set() for attribute in COLOURS}
    if len(words) % 2:
        raise _UnreadableError("words not understood")
    for colour, attribute in zip(words[::2], words[1::2], strict=True):
        if attribute not in COLOURS:
            raise _UnreadableError("words not understood")
        _add(found, colour, attribute, strict=True)
    return _frozen(found)


def _add(found: dict[str, set[str]], colour: str, attribute: str, *, strict: bool) -> None:
    """Note a colour, under the name that we have for it."""
    try:
        words = parse_words(f"{colour} {attribute}")
    except UsageError as error:
        if strict:
            raise _UnreadableError(f"unknown colour of {attribute}") from error
        return
    found[attribute].add(str(getattr(words, attribute)))


def _frozen(found: dict[str, set[str]]) -> Said:
    return _shared(*(frozenset(found[attribute]) for attribute in COLOURS))


@lru_cache(maxsize=2**12)
def _shared(*colours: frozenset[str]) -> Said:
    """The same object for the same colours: memory holds one for each, and not for each line."""
    return dict(zip(COLOURS, colours, strict=True))
