"""`integrator notices`: what owners must know: connections that need authorization, credentials that end."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table


@click.group()
def notices() -> None:
    """What owners must know: connections that need authorization, credentials that end."""


@notices.command("list")
@click.option("--all", "is_all", is_flag=True, help="Also those that somebody has seen.")
@json_option
def list_notices(is_all: bool, as_json: bool) -> None:
    """Notices, the newest first."""
    with opened() as installation, installation.store.reading() as stored:
        documents = [notice.document() for notice in stored.notices.list(unseen_only=not is_all)]
    if as_json:
        print_json(documents)
        return
    heads = ("id", "at", "owner", "subject", "message")
    rows = [tuple(str(document[head] or "-") for head in heads) for document in documents]
    print_table(heads, rows, "Nothing needs anybody.")


@notices.command()
@click.argument("notice_id", type=click.IntRange(1, 2**63 - 1), metavar="ID")
@json_option
def seen(notice_id: int, as_json: bool) -> None:
    """Say that a notice has been seen: it leaves the list."""
    with opened() as installation, installation.store.writing() as stored:
        stored.notices.seen(notice_id)
    if as_json:
        print_json({"seen": notice_id})
    else:
        click.echo(f"Notice {notice_id} has been seen.")
