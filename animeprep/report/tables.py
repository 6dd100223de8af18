"""The parts of a report that are tables: films, settings, what could not be read."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from animeprep.page import Section, Table
from animeprep.records import Record
from animeprep.report.facts import Facts
from animeprep.settings import Settings

_FILMS, _FOUND, _PROBLEMS = 200, 24, 40


def films(facts: Facts) -> Iterator[Section]:
    """A row for each film, and what was found out about it."""
    known = facts.records("films")
    if not known and not facts.sampled:
        return
    home = {name: str(record.get("film_id", "")) for name, record in facts.sampled.items()}
    counts = {
        "sampled": Counter(home.values()),
        "kept": Counter(film for name, film in home.items() if name not in facts.left_out),
        "crops": Counter(
            home.get(str(record.get("source")), "")
            for record in facts.records("crop")
            if record["status"] == "made"
        ),
    }
    head = ("Film", "Codec", "Size", "Pictures", "Rate", *map(str.capitalize, counts))
    rows = [
        (*_facts_of(film), *(count[str(film.get("source"))] for count in counts.values()),
         *_state_of(film))
        for film in known[:_FILMS]
    ]  # fmt: skip
    if counts["sampled"][""]:
        stills = (count[""] for count in counts.values())
        rows.append(("stills", "", "", "", "", *stills, "", "", "", ""))
    if rows:
        more = f"{_FILMS} of {len(known):,} films." if len(known) > _FILMS else ""
        table = Table((*head, "Shots", "Corrupt packets", "Lost", "State"), rows)
        found = [
            _findings(film) for film in known[:_FOUND] if isinstance(film.get("findings"), list)
        ]
        yield Section("Films", more, tables=[table, *found], anchor="films")


def _facts_of(film: Record) -> tuple[Any, ...]:
    size = film.get("stored_size")
    told = "×".join(map(str, size)) if isinstance(size, list) else ""
    rate = film.get("rate")
    return (
        film["file_name"],
        str(film.get("codec", "")),
        told,
        film.get("pictures") or "",
        round(rate, 3) if isinstance(rate, (int, float)) else "",
    )


def _state_of(film: Record) -> tuple[Any, ...]:
    shots = film.get("shots")
    state = {"kept": "done", "begun": "not finished"}.get(film["status"], film["status"])
    state = f"{state}: {film['reason']}" if film.get("reason") else state
    return (
        len(shots) if isinstance(shots, list) else "",
        film.get("corrupt", ""),
        film.get("lost", ""),
        state,
    )


def _findings(film: Record) -> Table:
    rows = [
        tuple(str(one.get(key, "")) for key in ("what", "found", "done"))
        for one in film["findings"]
        if isinstance(one, dict)
    ]
    title = f"Findings: {film['file_name']}"
    return Table(("Property", "Found", "Done"), rows, title, folded=True)


def in_force(facts: Facts, recipe: str) -> Iterator[Section]:
    """Every setting with its value, and the recipe as it is written."""
    tables = []
    for name, settings in facts.settings.items():
        rows = [*_rows(settings)]
        changed = sum(bool(row[2]) for row in rows)
        title = f"{name}: {changed} not as by default" if changed else name
        tables.append(Table(("Setting", "Value", "Default", "Meaning"), rows, title, folded=True))
    if tables or recipe:
        yield Section("Settings", tables=tables, quoted=recipe, anchor="settings")


def _rows(settings: Settings, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        inner = value if isinstance(value, dict) else {"": value}
        if all(isinstance(one, Settings) for one in inner.values()):
            for key, one in inner.items():
                yield from _rows(one, f"{prefix}{name}{f' {key}' if key else ''}: ")
            continue
        default = info.get_default(call_default_factory=True)
        told = "" if value == default else _told(default)
        yield f"{prefix}{name}", _told(value), told, info.description or ""


def _told(value: object) -> str:
    return "not set" if value is None else str(value)


def problems(facts: Facts) -> Iterator[Section]:
    """What could not be read."""
    lines = list(dict.fromkeys(facts.problems))
    if lines:
        rows = [tuple(line.split(": ", 1)) for line in lines[:_PROBLEMS]]
        more = f" The first {_PROBLEMS} are listed." if len(lines) > _PROBLEMS else ""
        yield Section(
            f"Not read: {len(lines):,}",
            f"These are not shown above.{more}",
            tables=[Table(("File", "Problem"), rows)],
            anchor="problems",
        )
