"""What the verbs of both packages share: options drawn from settings, and telling a result.

The options of a verb are drawn from the settings of its stage, so that names, defaults, bounds and
help stand in one place.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from animeprep.errors import UsageError
from animeprep.folders import FAILED, Summary
from animeprep.settings import Settings, problem_of

Verb = TypeVar("Verb", bound=Callable[..., Any])
Kind = TypeVar("Kind", bound=Settings)

#: A file or folder given by the user.
PATH = click.Path(path_type=Path, readable=False)

DATASET = click.option(
    "-d",
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    default="dataset",
    show_default=True,
    help="The dataset folder.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Tell the result as JSON.")
_PORT = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Otherwise a free one."
)
_NO_BROWSER = click.option("--no-browser", is_flag=True, help="Only print the page's address.")


def shared_options(verb: Verb) -> Verb:
    """The options of every verb: the dataset folder, `--dry-run`, `--json`."""
    for option in (AS_JSON, DRY_RUN, DATASET):
        verb = option(verb)
    return verb


def page_options(verb: Verb) -> Verb:
    """The options of a verb that serves a page: `--port`, `--no-browser`."""
    return _PORT(_NO_BROWSER(verb))


def settings_options(kind: type[Settings], *names: str) -> Callable[[Verb], Verb]:
    """One option for each field of a stage's settings, or for those named."""

    def decorate(verb: Verb) -> Verb:
        for name, info in reversed(kind.model_fields.items()):
            if not names or name in names:
                kind_of_option = _option_type(info)
                option = name.replace("_", "-")
                verb = click.option(
                    f"--{option}/--no-{option}" if kind_of_option is bool else f"--{option}",
                    name,
                    type=kind_of_option,
                    is_flag=kind_of_option is bool,
                    default=info.default,
                    show_default=info.default not in {None, False},
                    help=_sentence(info.description or ""),
                )(verb)
        return verb

    return decorate


def recipe_options(kind: type[Settings], fixed: Collection[str]) -> Callable[[Verb], Verb]:
    """An option for each setting of a recipe; what it is by default is the recipe's affair.

    Args:
        kind: the recipe.
        fixed: fields that the recipe's name says and no user need say.
    """
    names = kind.model_fields.keys() - fixed

    def decorate(verb: Verb) -> Verb:
        verb = settings_options(kind, *names)(verb)
        for option in vars(verb)["__click_params__"]:
            if option.name in names:
                option.show_default = False
        return verb

    return decorate


def checked(kind: type[Kind], make: Callable[[], Kind]) -> Kind:
    """The settings that `make` answers.

    Raises:
        UsageError: a value is out of its bounds; the message names the option.
    """
    try:
        return make()
    except ValidationError as error:
        name, problem = problem_of(kind, error)
        where = f"--{name.replace('_', '-')}: " if name else ""
        raise UsageError(where + problem) from error


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].replace("\n", " ") + "."


def _option_type(info: FieldInfo) -> click.Choice[str] | type[Any]:
    kind = info.annotation
    if get_origin(kind) in {Union, UnionType}:
        # `float | None`: an option that need not be given.
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    plain: tuple[type[Any], ...] = (bool, int, float)
    return next((one for one in plain if kind is one), str)


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Those options that the user gave on the command line."""
    source = click.get_current_context().get_parameter_source
    return {k: v for k, v in values.items() if source(k) is not ParameterSource.DEFAULT}


def fields_of(kind: type[Settings], values: dict[str, Any]) -> dict[str, Any]:
    """Those options that are fields of a kind of settings, where a verb has several kinds."""
    return {name: value for name, value in values.items() if name in kind.model_fields}


def make_settings(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Settings from options.

    Raises:
        UsageError: a value is out of its bounds; the message names the option.
    """
    return checked(kind, lambda: kind(**values))


def tell(summaries: Iterable[Summary], *, as_json: bool, to_stderr: bool = False) -> int:
    """Print what stages did; return the exit code: 1 where a file failed.

    Args:
        summaries: one for each stage.
        as_json: as JSON rather than text.
        to_stderr: because standard output carries something else.
    """
    told = []
    for summary in summaries:
        told.append(summary)
        if not as_json:
            _say(_line(summary), to_stderr=to_stderr)
        for problem in summary.problems:
            click.echo(f"  {problem}", err=True)
    if as_json:
        _say(
            json.dumps([summary.as_dict() for summary in told], ensure_ascii=False),
            to_stderr=to_stderr,
        )
    return 1 if any(summary.counts[FAILED] for summary in told) else 0


def tell_address(url: str, *, to_stderr: bool = False) -> None:
    """Print where a page is served."""
    click.echo(f"{url}  (Ctrl-C ends it)", err=to_stderr)


def _say(line: str, *, to_stderr: bool) -> None:
    """Print a line; where whoever reads, `head` say, has enough, the work goes on in silence.

    Names of files that are no UTF-8 have their odd bytes escaped, in JSON's own way.
    """
    try:
        click.echo(line.encode(errors="backslashreplace").decode(), err=to_stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line(summary: Summary) -> str:
    parts = [f"{count} {status}" for status, count in sorted(summary.counts.items()) if count]
    line = f"{summary.stage}: {', '.join(parts) or 'nothing to do'}"
    if summary.dry_run:
        line += " (dry run: nothing was done)"
    if summary.reasons:
        reasons = (f"{reason} {count}" for reason, count in sorted(summary.reasons.items()))
        line += f" [{', '.join(reasons)}]"
    figures = [f"{key.replace('_', ' ')} {_text(value)}" for key, value in summary.figures.items()]
    return line + (f"\n  {', '.join(figures)}" if figures else "")


def _text(value: object) -> str:
    """A figure as people read it.

    >>> _text(["colours fade", "edges are lost"]), _text(0.25)
    ('colours fade; edges are lost', '0.25')
    >>> _text({"red": 3, "blue": 0})
    'red 3; blue 0'
    """
    if isinstance(value, dict):
        value = [f"{name} {one}" for name, one in value.items()]
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
