"""`integrator connections`: list, show, test, delete."""

from __future__ import annotations

import click

from integrator.cli.nouns import add_noun
from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json


@click.group()
def connections() -> None:
    """Connections to systems. Make or change one with a document: `integrator apply FILE`."""


add_noun(connections, "connection", ("name", "connector", "api_type", "auth", "iclient"))


@connections.command()
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> None:
    """Reach the system as this connection; says what is wrong and what to do.

    Ends 0 when it works, 4 when it needs authorization, 1 when something else is wrong.
    """
    with opened(waited_for=True) as installation:
        message = installation.connector(name).ping().message
    if as_json:
        print_json({"connection": name, "ok": True, "message": message})
    else:
        click.echo(f"{name}: {message}")
