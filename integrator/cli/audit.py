"""`integrator audit`: who changed what, and when. Rows hold names and codes, never a value."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_fields, print_json, print_table


@click.group()
def audit() -> None:
    """Who changed what, and when."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=200, help="At most so many. Default: 200.")
@json_option
def list_rows(limit: int, as_json: bool) -> None:
    """Audit rows, the newest first."""
    with opened() as installation, installation.store.reading() as stored:
        documents = [row.document() for row in stored.audit.list(limit)]
    if as_json:
        print_json(documents)
        return
    heads = ("id", "at", "actor", "action", "noun", "name")
    rows = [tuple(str(document[head]) for head in heads) for document in documents]
    print_table(heads, rows, "Nothing has been changed yet.")


@audit.command()
@click.argument("row_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@json_option
def show(row_id: int, as_json: bool) -> None:
    """One audit row, with its details."""
    with opened() as installation, installation.store.reading() as stored:
        document = stored.audit.get(row_id).document()
    if as_json:
        print_json(document)
    else:
        print_fields(list(document.items()))
