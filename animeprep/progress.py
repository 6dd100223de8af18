"""Progress with an estimate of what is left, on a terminal; nothing at all elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: Adds to the finished work, one step if not said, and may change the text beside the bar.
Advance = Callable[..., None]


@contextlib.contextmanager
def progress(label: str, total: int | None) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, where a terminal listens.

    Args:
        label: what is going on.
        total: how many steps there are; None where nobody knows.

    Yields:
        A function to call after each step, with the text to show beside the bar as an option.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda note="", by=1: None  # noqa: ARG005 - the bar's signature
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total, note="")

        def advance(note: str = "", by: int = 1) -> None:
            if note:
                bar.update(task, note=note)
            bar.advance(task, by)

        yield advance
