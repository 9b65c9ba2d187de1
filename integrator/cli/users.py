"""`integrator users`: list, add, delete, reset, tokens. A link by which a password is chosen is printed once, and serves once."""

from __future__ import annotations

import click

from integrator.access import ADMINISTRATOR, ROLES
from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table
from integrator.cli.tokens import tokens


@click.group()
def users() -> None:
    """People who sign in to the pages of `integrator serve`."""


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Every user, by name."""
    from integrator.store.account_rows import reading_accounts

    with opened() as installation, reading_accounts(installation.store) as rows:
        documents = [user.document() for user in rows.users.all()]
    if as_json:
        print_json(documents)
        return
    heads = ("name", "role", "password", "signed_in")
    table = [[document[head] for head in heads] for document in documents]
    print_table(heads, table, "No user yet: start `integrator serve` and open the link that it prints.")


@users.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=ADMINISTRATOR, help="What the user may do.")
@json_option
def add(name: str, role: str, as_json: bool) -> None:
    """Make a user, and print the link at which they choose a password."""
    from integrator.accounts import Accounts

    with opened() as installation:
        link = Accounts(installation).add(name, role)
    _tell(name, link, as_json)


@users.command()
@click.argument("name")
@json_option
def reset(name: str, as_json: bool) -> None:
    """Print a link at which the user chooses a new password; until then the old one serves."""
    from integrator.accounts import Accounts

    with opened() as installation:
        link = Accounts(installation).reset(name)
    _tell(name, link, as_json)


@users.command()
@click.argument("name")
@json_option
def delete(name: str, as_json: bool) -> None:
    """Forget a user, and sign them out; refused for the only administrator while there are others."""
    from integrator.store.account_rows import writing_accounts

    with opened() as installation, writing_accounts(installation.store) as rows:
        rows.users.delete(name)
    if as_json:
        print_json({"deleted": name})
    else:
        click.echo(f"Deleted user {name}.")


users.add_command(tokens)


def _tell(name: str, link: str, as_json: bool) -> None:
    if as_json:
        print_json({"user": name.strip().lower(), "link": link})
        return
    click.echo(link)
    if link.startswith("/"):
        click.echo("Open this path at the server's address: INTEGRATOR_PUBLIC_URL is not set.", err=True)
