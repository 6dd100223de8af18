"""The recipe of a dataset, `animeprep.toml` in its folder: every setting that made it, by verb.

    [inputs]
    films = ["../movie.mkv"]

    [frames]
    every = 24

    [films]                 # of all films
    background = "#000000"

    [films."episode 1.mkv"] # of one, by its file name or identifier
    fields = "telecined"

Every run writes down what it was made with; what the user wrote, comments too, stays. Options on
the command line come before what stands here, and are written down.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from animeprep.choose import ChooseSettings
from animeprep.crop import CropSettings
from animeprep.dataset import RECIPE
from animeprep.dedup import DedupSettings
from animeprep.edges import EdgeSettings
from animeprep.errors import UsageError
from animeprep.exposure import ExposureSettings
from animeprep.files import write_changed, writing
from animeprep.film import FilmRules, FilmSettings
from animeprep.frames import FrameSettings
from animeprep.photos import PhotoSettings
from animeprep.recipe_text import headers, rewritten
from animeprep.settings import Settings, problem_of

INPUTS, FILMS = "inputs", "films"


class Inputs(Settings):
    """What the dataset is made of; paths from the dataset folder, or absolute ones."""

    films: tuple[str, ...] = ()
    """films, pictures and folders of pictures, seen from this folder"""
    photos: tuple[str, ...] = ()
    """real photos and folders of them, seen from this folder"""


#: Table → the settings that stand in it.
TABLES: dict[str, type[Settings]] = {
    INPUTS: Inputs,
    "frames": FrameSettings,
    FILMS: FilmSettings,
    "dedup": DedupSettings,
    "choose": ChooseSettings,
    "crop": CropSettings,
    "exposure": ExposureSettings,
    "smooth-edges": EdgeSettings,
    "photos": PhotoSettings,
}


class Recipe:
    """What `animeprep.toml` says; nothing where there is none.

    Args:
        folder: the dataset folder.

    Raises:
        UsageError: it cannot be read, or says something unknown or impossible.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECIPE
        self._text = ""
        self._tables: dict[str, dict[str, Any]] = {}
        if not self.path.exists():
            return
        try:
            self._text = self.path.read_text(encoding="utf-8-sig")
            self._tables = tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise UsageError(f"{self.path}: cannot be read ({error})") from error
        for name in self._tables:
            self._known(name, TABLES, "table")
            self._check(name)
        self._check_headers()

    def inputs(self, kind: str) -> list[Path]:
        """The `films` or `photos` that the dataset is made of, seen from the working folder."""
        named = Inputs(**self.values(INPUTS)).model_dump()[kind]
        folder = self.path.parent
        return [
            Path(one) if Path(one).is_absolute() else _seen(folder / one, Path()) for one in named
        ]

    def with_inputs(self, **more: Iterable[Path]) -> Inputs:
        """The inputs and some more, `films` or `photos`, each once."""
        known = Inputs(**self.values(INPUTS)).model_dump()
        for kind, paths in more.items():
            # Names that are no UTF-8 cannot stand in a TOML file.
            seen = (str(_seen(path, self.path.parent)) for path in paths if path.exists())
            seen = (one for one in seen if one == one.encode(errors="ignore").decode())
            known[kind] = tuple(dict.fromkeys((*known[kind], *seen)))
        return Inputs(**known)

    def save(self, settings: Mapping[str, Settings]) -> None:
        """Write settings down; other tables, and the user's comments, stay.

        Args:
            settings: table → what to write there.

        Raises:
            OutputError: the file cannot be written.
        """
        write_changed(self.path, rewritten(self._text, settings).encode())

    def restore(self) -> None:
        """Let the file be as it was when it was read.

        Raises:
            OutputError: it cannot be written.
        """
        if self._text:
            write_changed(self.path, self._text.encode())
        else:
            with writing(self.path):
                self.path.unlink(missing_ok=True)

    def values(self, table: str) -> dict[str, Any]:
        """The settings of a verb that are not the default."""
        common = self._tables.get(table, {})
        if table != FILMS:
            return dict(common)
        return {key: value for key, value in common.items() if not isinstance(value, dict)}

    def rules(self, chosen: dict[str, Any]) -> FilmRules:
        """The settings of films: those chosen on the command line, of one film, of all films."""
        common = self.values(FILMS)
        named = {
            film: FilmSettings(**{**common, **own, **chosen})
            for film, own in self._tables.get(FILMS, {}).items()
            if isinstance(own, dict)
        }
        return FilmRules(common=FilmSettings(**{**common, **chosen}), named=named)

    def _check(self, name: str) -> None:
        table = self._tables[name]
        if not isinstance(table, dict):
            raise UsageError(f"{self.path}: {name} is no table; write [{name}] above its settings")
        self._validate(f"[{name}]", TABLES[name], self.values(name))
        for film, own in table.items() if name == FILMS else ():
            if isinstance(own, dict):
                self._validate(f'[{name}."{film}"]', FilmSettings, own)

    def _check_headers(self) -> None:
        """Refuse tables that are written in another way than they are rewritten in."""
        films = self._tables.get(FILMS, {})
        own = [(FILMS, film) for film, table in films.items() if isinstance(table, dict)]
        there = headers(self._text)
        for path in [*((name,) for name in self._tables), *own]:
            if not any(header[: len(path)] == path for header in there):
                header = ".".join([path[0], *(json.dumps(film) for film in path[1:])])
                raise UsageError(f"{self.path}: write [{header}] on a line above its settings")

    def _validate(self, where: str, kind: type[Settings], values: dict[str, Any]) -> None:
        for key in values:
            self._known(key, kind.model_fields, f"setting in {where}")
        try:
            kind(**values)
        except ValidationError as error:
            name, problem = problem_of(kind, error)
            at = f"{where} {name}" if name else where
            raise UsageError(f"{self.path}: {at}: {problem}") from error

    def _known(self, name: str, known: dict[str, Any], what: str) -> None:
        if name in known:
            return
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"{self.path}: unknown {what}: {name}; {hint}")


def _seen(path: Path, folder: Path) -> Path:
    """A path as it is seen from a folder; absolute where there is no way from there."""
    try:
        return Path(os.path.relpath(path, folder))
    except ValueError:
        return path.absolute()
