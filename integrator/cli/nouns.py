"""Commands that every named noun has: list, show, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from integrator.store.store import Transaction


@click.group()
def clouds() -> None:
    """Cloud profiles of your own; public, usgov and china are built in. Make one with a document."""


Cells = Callable[[dict[str, Any]], Sequence[Any]]


def add_noun(group: click.Group, noun: str, heads: tuple[str, ...], cells: Cells | None = None) -> None:
    """Give a group the commands list, show and delete for the repository of its name.

    `heads` are the columns of `list`; `cells` makes a row of a document where the columns are not its keys.
    """
    repository = group.name or noun

    @group.command("list", help=f"Every {noun}, by name.")
    @json_option
    def list_all(as_json: bool) -> None:
        with opened() as installation, installation.store.reading() as stored:
            documents = [document_of(stored, repository, name) for name in getattr(stored, repository).names()]
        if as_json:
            print_json(documents)
        else:
            rows = [cells(document) if cells else [document.get(head) for head in heads] for document in documents]
            print_table(heads, rows, f"No {noun} yet: write one into a document and run `integrator apply FILE`.")

    @group.command(help=f"One {noun}, as a document has it, without secrets.")
    @click.argument("name")
    @json_option
    def show(name: str, as_json: bool) -> None:
        from integrator.documents import text

        with opened() as installation, installation.store.reading() as stored:
            document = document_of(stored, repository, name)
        if as_json:
            print_json(document)
        else:
            click.echo(text(document), nl=False)

    add_delete(group, noun)


def add_delete(group: click.Group, noun: str) -> None:
    """Give a group the command delete for the repository of its name."""
    repository = group.name or noun

    @group.command(help=f"Forget {_article(noun)} {noun}; refused while something uses it.")
    @click.argument("name")
    @json_option
    def delete(name: str, as_json: bool) -> None:
        with opened() as installation, installation.store.writing() as stored:
            getattr(stored, repository).delete(name)
        if as_json:
            print_json({"deleted": name})
        else:
            click.echo(f"Deleted {noun} {name}.")


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def document_of(stored: Transaction, repository: str, name: str) -> dict[str, Any]:
    """What `show` prints of one thing. Raises NotFoundHere."""
    things = getattr(stored, repository)
    found = things.find(name)
    thing = things.get(name) if found is None else found
    document: dict[str, Any] = things.document(thing)
    if repository == "connections":
        document |= stored.connections.state(name).document()
    if repository == "flows" and (paused := stored.flows.paused().get(name)):
        document["paused"] = paused
    return document


add_noun(clouds, "cloud", ("name", "authority", "vaults"))
