"""The verbs around a finished set: look at it, choose by hand, check it, take it elsewhere."""

import json
from pathlib import Path

import click

from animeprep import doctor as checkup
from animeprep import exchange
from animeprep import report as page
from animeprep import review as reviewing
from animeprep.dataset import Dataset
from animeprep.options import (
    AS_JSON,
    DATASET,
    PATH,
    page_options,
    shared_options,
    tell,
    tell_address,
)
from animeprep.recipe import TABLES, Recipe


@click.command(epilog="Example: animeprep report")
@DATASET
def report(dataset: Path) -> int:
    """Write report.html: what came of the films, what was left out and why.

    One page that needs nothing else; open it in a browser or send it to a friend.
    """
    recipe = Recipe(dataset)
    settings = {name: kind(**recipe.values(name)) for name, kind in TABLES.items()}
    click.echo(page.report(Dataset(dataset), settings))
    return 0


@click.command(epilog="Example: animeprep review")
@page_options
@DATASET
def review(port: int, no_browser: bool, dataset: Path) -> int:
    """Choose frames and crops by hand, on a page of this computer alone.

    Keep, reject and undo by key, picture by picture or a whole cluster of copies. What was chosen
    is in curation.jsonl, and every later run honours it.
    """
    data = Dataset(dataset)
    with data.lock():
        done = reviewing.serve(data, port=port, open_browser=not no_browser, ready=tell_address)
    click.echo("now run `animeprep prepare`: it honours what was chosen")
    return tell([done], as_json=False)


@click.command(epilog="Example: animeprep doctor")
@AS_JSON
@DATASET
def doctor(dataset: Path, as_json: bool) -> int:
    """Check a dataset folder, and say what to run next."""
    findings = checkup.examine_dataset(Dataset(dataset))
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            click.echo(f"{finding.level:8} {finding.text}{remedy}")
    return 1 if any(finding.level == checkup.PROBLEM for finding in findings) else 0


@click.command("export-set", epilog="Example: animeprep export-set webdataset shards/")
@click.argument("layout", type=click.Choice(list(exchange.LAYOUTS)))
@click.argument("target", type=PATH)
@shared_options
def export_set(layout: str, target: Path, dataset: Path, dry_run: bool, as_json: bool) -> int:
    """Write the sets in another trainer's LAYOUT into the folder TARGET."""
    data = Dataset(dataset)
    if dry_run or not data.root.exists():
        return tell([exchange.export_set(data, layout, target, dry_run=dry_run)], as_json=as_json)
    with data.lock():
        return tell([exchange.export_set(data, layout, target)], as_json=as_json)


@click.command("import-set", epilog="Example: animeprep import-set hayao/")
@click.argument("folder", type=PATH)
@shared_options
def import_set(folder: Path, dataset: Path, dry_run: bool, as_json: bool) -> int:
    """Bring pictures of another trainer's set, or a plain folder, into the dataset.

    Nothing that is there is overwritten.
    """
    data = Dataset(dataset)
    if dry_run:
        return tell([exchange.import_set(data, folder, dry_run=True)], as_json=as_json)
    with data.lock():
        return tell([exchange.import_set(data, folder)], as_json=as_json)
