"""`integrator iclients`: list, show, delete. A credential is shown as set or not set, and until when; never itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from integrator.bootstrap import Installation
    from integrator.store.store import Transaction


@click.group()
def iclients() -> None:
    """OAuth 2.0 clients. Make or change one with a document: `integrator apply FILE`."""


@iclients.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """Every iClient, by name."""
    with opened() as installation, installation.store.reading() as stored:
        documents = [_document(installation, stored, name) for name in stored.iclients.names()]
    if as_json:
        print_json(documents)
        return
    heads = ("name", "provider", "cloud", "tenant", "client_id", "credential", "next", "used by")
    rows = [
        (
            *(document.get(key) for key in heads[:5]),
            _slot(document, "credential"),
            _slot(document, "next_credential"),
            document["used_by"],
        )
        for document in documents
    ]
    print_table(heads, rows, "No iClient yet: write one into a document and run `integrator apply FILE`.")


@iclients.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One iClient, as a document has it, without secrets; with its redirect URI and the connections that use it."""
    from integrator.documents import text

    with opened() as installation, installation.store.reading() as stored:
        document = _document(installation, stored, name)
    if as_json:
        print_json(document)
    else:
        click.echo(text(document), nl=False)


@iclients.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Forget an iClient; refused while a connection uses it, also one for which it stands in as the global one."""
    from integrator.errors import InUse
    from integrator.global_iclients import served_by

    with opened() as installation, installation.store.writing() as stored:
        users = served_by(stored, name)
        if users:
            raise InUse(f"iClient {name} is used by {', '.join(users)}: change or delete those connections first.")
        stored.iclients.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"Deleted iClient {name}.")


def _document(installation: Installation, stored: Transaction, name: str) -> dict[str, Any]:
    """What `show` prints of one iClient. Raises NotFoundHere."""
    from integrator.global_iclients import served_by
    from integrator.preflight import redirect_uri_of

    things = stored.iclients
    found = things.find(name)
    document = {"cloud": "public", **things.document(things.get(name) if found is None else found)}
    for slot, told in things.slots(name).items():
        document[f"{slot}_set"] = told["set"]
        document[f"{slot}_expires"] = told["expires"] or None
    return document | {"redirect_uri": redirect_uri_of(installation), "used_by": served_by(stored, name)}


def _slot(document: dict[str, Any], slot: str) -> str:
    if not document[f"{slot}_set"]:
        return "not set"
    expires = document[f"{slot}_expires"]
    return f"set, until {expires}" if expires else "set"
