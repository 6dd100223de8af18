"""Prompts: what faces are asked for, from the command line or a file.

A file has a prompt a line: `id,blue hair red eyes`, in either order, one of the two may be missing.
A line without an id has its number for one. The id begins the names of the prompt's files.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from animegan.faces.words import Words, parse_words
from animeprep.errors import InputError, UsageError
from animeprep.names import plain, shortened

#: No list that people made is longer, bytes; no line of one, characters.
_MAX_BYTES, _MAX_LINE = 2**20, 200
#: What tells words from an id before a comma.
_ATTRIBUTES = {"hair", "eyes", "eye"}


@dataclass(frozen=True)
class Prompt:
    """What a face is asked for by.

    Attributes:
        id: what begins the names of its files; what no file name takes is replaced.
        words: the colours.
    """

    id: str
    words: Words


def gather(texts: Sequence[str], file: Path | None = None) -> list[Prompt]:
    """The prompts of a command line, then those of a file.

    Args:
        texts: prompts; also the words of a single one, where the quotes around it were forgotten.
        file: as `read_prompts` takes it.

    Raises:
        UsageError: a prompt is not understood, which says what would be.
        InputError: the file cannot be used, or two prompts have one id.
    """
    if len(texts) > 1 and not any(" " in text.strip() for text in texts):
        texts = [" ".join(texts)]
    told = [(repr(text), _parse(text)) for text in texts]
    return _distinct([*told, *(_read(file) if file else ())])


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file.

    Args:
        path: UTF-8, with or without a byte order mark; empty lines are passed over.

    Raises:
        InputError: it cannot be read, holds no prompt, two have one id, or one is not understood;
            the message names the line.
    """
    return _distinct(_read(path))


def _distinct(told: Iterable[tuple[str, Prompt]]) -> list[Prompt]:
    """Prompts, of which each has an id of its own, also where file systems ignore case."""
    found: dict[str, tuple[str, Prompt]] = {}
    for where, prompt in told:
        key = prompt.id.casefold()
        if key in found:
            problem = f"the id {prompt.id} is that of {found[key][0]}, too"
            raise InputError(where, problem, "give each prompt an id of its own")
        found[key] = where, prompt
    return [prompt for _, prompt in found.values()]


def _read(path: Path) -> list[tuple[str, Prompt]]:
    told = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                told.append((where, _parse(line, str(number))))
            except UsageError as error:
                raise InputError(where, str(error)) from error
    if not told:
        raise InputError(path, "there is no prompt in it", "write a line: 1,blue hair red eyes")
    return told


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be opened ({error.strerror})"
        raise InputError(path, problem, "name a file of prompts") from error
    if len(data) > _MAX_BYTES:
        raise InputError(path, "is larger than 1 MiB", "make several files of it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, "is no UTF-8 text", "save it as UTF-8") from error


def _parse(text: str, default: str = "") -> Prompt:
    """`alice,blue hair red eyes`; without an id, `default` or the words themselves are it."""
    if len(text) > _MAX_LINE:
        raise UsageError(f"{text[:20]!r}… is too long; say for example: blue hair red eyes")
    head, comma, tail = text.partition(",")
    if not comma or _ATTRIBUTES & set(head.lower().split()):
        words = parse_words(text)
        return Prompt(plain(default or str(words)), words)
    if not re.search(r"[^\W_]", head):
        raise UsageError(f"{head!r} is no id; use letters or digits")
    return Prompt(shortened(plain(head)), parse_words(tail))
