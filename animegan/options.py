"""What the verbs of training and painting share: options, and telling what runs would be made."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from animeprep.folders import Summary
from animeprep.options import tell

DEVICE = click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda", "mps")),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
NAME = click.option(
    "--name", help="The run's name in runs/; by default that of the folder or file it learns from."
)


def tell_plans(
    plans: Sequence[tuple[Summary, Mapping[str, Any]]],
    *,
    as_json: bool,
    before: Sequence[Summary] = (),
) -> int:
    """Tell runs that would be made, and what they are trained with, a line for each setting.

    Args:
        plans: of each run what it would do, and setting → value, the same settings for all; where
            runs differ in one, all its values are told.
        as_json: as JSON rather than text.
        before: what is told first.

    Returns:
        The exit code, as `tell`.
    """
    summaries = [summary for summary, _ in plans]
    recipes = [recipe for _, recipe in plans]
    if as_json:
        for summary, recipe in plans:
            summary.figures["recipe"] = dict(recipe)
    code = tell([*before, *summaries], as_json=as_json)
    if not as_json:
        for name in recipes[0]:
            values = dict.fromkeys(str(recipe[name]) for recipe in recipes)
            click.echo(f"  {name.replace('_', '-')} {', '.join(values)}")
    return code
