"""`integrator users tokens`: the API tokens of a user: add, list, delete. A token is printed once, and kept nowhere."""

from __future__ import annotations

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table

DAYS = 90
"""As `integrator.store.api_tokens` has it, which is loaded only where a command needs it."""


@click.group()
def tokens() -> None:
    """API tokens: by one, a program carries out actions over HTTP as its user."""


@tokens.command()
@click.argument("user")
@click.option("--name", required=True, help="What the token is for; lists and the audit show this name.")
@click.option("--days", type=int, default=DAYS, show_default=True, help="How long it serves, a year at most.")
@json_option
def add(user: str, name: str, days: int, as_json: bool) -> None:
    """Make a token and print it: nobody can see it again."""
    from integrator.store.account_rows import writing_accounts

    with opened() as installation, writing_accounts(installation.store) as rows:
        found = rows.users.get(user)
        made = rows.tokens.make(found, name, days, installation.clock.now())
    token = made.reveal()
    if as_json:
        print_json({"user": found.name, "name": name.strip(), "token": token})
        return
    click.echo(token)
    click.echo(f"It is shown once: keep it now. It serves for {days} days, with the role of {found.name}.", err=True)


@tokens.command("list")
@click.argument("user")
@json_option
def list_tokens(user: str, as_json: bool) -> None:
    """The tokens of a user, by name; those that have expired too."""
    from integrator.store.account_rows import reading_accounts

    with opened() as installation, reading_accounts(installation.store) as rows:
        documents = [token.document() for token in rows.tokens.of(rows.users.get(user))]
    if as_json:
        print_json(documents)
        return
    heads = ("name", "created", "expires", "used")
    print_table(heads, [[document[head] for head in heads] for document in documents], "This user has no token.")


@tokens.command()
@click.argument("user")
@click.argument("name")
@json_option
def delete(user: str, name: str, as_json: bool) -> None:
    """Take a token back: it lets nobody in any more."""
    from integrator.store.account_rows import writing_accounts

    with opened() as installation, writing_accounts(installation.store) as rows:
        rows.tokens.take_back(rows.users.get(user), name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"Deleted token {name}.")
