"""The recipe of a dataset, `animeprep.toml` in its folder: settings by verb.

    [frames]
    every = 24

    [films]                 # of all films
    background = "#000000"

    [films."episode 1.mkv"] # of one, by its file name or identifier
    fields = "telecined"

Options on the command line come before what stands here.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from animeprep.crop import CropSettings
from animeprep.dedup import DedupSettings
from animeprep.edges import EdgeSettings
from animeprep.errors import UsageError
from animeprep.exposure import ExposureSettings
from animeprep.film import FilmRules, FilmSettings
from animeprep.frames import FrameSettings
from animeprep.photos import PhotoSettings
from animeprep.settings import Settings, problem_of

FILE_NAME = "animeprep.toml"
FILMS = "films"

#: Table → the settings that stand in it.
TABLES: dict[str, type[Settings]] = {
    "frames": FrameSettings,
    FILMS: FilmSettings,
    "dedup": DedupSettings,
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
        self.path = folder / FILE_NAME
        self._tables: dict[str, dict[str, Any]] = {}
        if not self.path.exists():
            return
        try:
            self._tables = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise UsageError(f"{self.path}: cannot be read ({error})") from error
        for name in self._tables:
            self._known(name, TABLES, "table")
            self._check(name)

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

    def _validate(self, where: str, kind: type[Settings], values: dict[str, Any]) -> None:
        for key in values:
            self._known(key, kind.model_fields, f"setting in {where}")
        try:
            kind(**values)
        except ValidationError as error:
            name, problem = problem_of(kind, error)
            raise UsageError(f"{self.path}: {where} {name}: {problem}") from error

    def _known(self, name: str, known: dict[str, Any], what: str) -> None:
        if name in known:
            return
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"{self.path}: unknown {what}: {name}; {hint}")
