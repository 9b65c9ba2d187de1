"""`integrator connections`: list, show, test, authorize, delete."""

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


@connections.command()
@click.argument("name")
@click.option(
    "--timeout", type=click.FloatRange(1, 3600), default=300.0, help="How many seconds to wait. Default: 300."
)
@json_option
def authorize(name: str, timeout: float, as_json: bool) -> None:
    """Let a person consent: prints an address to open (and a code to type there), and waits.

    Ends 0 when the connection is online, 4 with the reason when it is not; a token that works stays as it was then.
    Register http://127.0.0.1/callback (any port) as a redirect URI at the provider.
    """
    from integrator.authorizing import Authorizing

    with opened() as installation:
        done = Authorizing(installation, name, lambda line: click.echo(line, err=True)).run(timeout)
    if as_json:
        print_json(
            {
                "connection": done.connection,
                "ok": True,
                "account": done.account,
                "scopes": list(done.scopes),
                "message": done.message,
            }
        )
    else:
        by = f" by {done.account}" if done.account else ""
        click.echo(f"{name}: authorized{by} for {', '.join(done.scopes)}. {done.message}")
