"""`integrator connections`: list, show, test, choices, authorize, preflight, link, revoke, delete."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from integrator.cli.nouns import add_noun
from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_findings, print_json, print_table, printable

if TYPE_CHECKING:
    from connectors.model import Check

LINK_HOURS = 72


@click.group()
def connections() -> None:
    """Connections to systems. Make or change one with a document: `integrator apply FILE`."""


add_noun(connections, "connection", ("name", "state", "connector", "api_type", "auth", "iclient"))


@connections.command()
@click.argument("name")
@json_option
def test(name: str, as_json: bool) -> None:
    """Reach the system as this connection; says what is wrong and what to do.

    Each thing on the way is looked at: token, address, firewall, and each right that the connection's flows need. Ends 0 when it works, 4 when it needs authorization, 1 when something else is wrong.
    """
    from connectors.checks import checks_of
    from iclients.errors import RemoteError
    from integrator.pinging import pinged

    with opened(waited_for=True) as installation:
        try:
            ping = pinged(installation, name)
        except RemoteError as error:
            if not as_json:
                _print_checks(checks_of(error))
            raise
    if as_json:
        checks = [asdict(check) for check in ping.checks]
        print_json({"connection": name, "ok": True, "message": ping.message, "checks": checks})
        return
    _print_checks(ping.checks)
    click.echo(printable(f"{name}: {ping.message}"))


@connections.command()
@click.argument("name")
@click.argument("setting")
@json_option
def choices(name: str, setting: str, as_json: bool) -> None:
    """What can be chosen for a setting of this connection, as the system shows it: subscription, resource_group."""
    from integrator.trial import choices as found_for

    with opened(waited_for=True) as installation:
        with installation.store.reading() as stored:
            connection = stored.connections.get(name)
        found = found_for(installation, connection, setting)
    if as_json:
        print_json([{"value": value, "title": title} for value, title in found])
        return
    print_table((setting, "title"), [[value, title] for value, title in found], "The app sees none.")


def _print_checks(checks: Sequence[Check]) -> None:
    for check in checks:
        mark = click.style("ok   ", fg="green") if check.ok else click.style("wrong", fg="red")
        click.echo(f"{mark}  {printable(f'{check.name}: {check.sentence}')}")


@connections.command()
@click.argument("name")
@click.option(
    "--timeout", type=click.FloatRange(1, 3600), default=300.0, help="How many seconds to wait. Default: 300."
)
@click.option("--login-hint", help="The account that the provider's page fills in.")
@click.option(
    "--prompt",
    type=click.Choice(["login", "consent", "select_account", "none"]),
    help="What the provider asks even where it need not.",
)
@click.option("--for-everybody", is_flag=True, help="An administrator consents for everybody in the tenant.")
@json_option
def authorize(
    name: str, timeout: float, login_hint: str | None, prompt: str | None, for_everybody: bool, as_json: bool
) -> None:
    """Let a person consent: prints an address to open (and a code to type there), and waits.

    Ends 0 when the connection is online, 4 with the reason when it is not; a token that works stays as it was then.
    A server of this installation at INTEGRATOR_PUBLIC_URL receives the callback; where that is not set, the command does:
    register http://127.0.0.1/callback (any port) at the provider. `integrator connections preflight NAME` checks all
    this. With --for-everybody it ends 0 when an administrator has consented; the connection is authorized after that.
    """
    from integrator.authorizing import Authorizing, Wanted

    hints = {key: value for key, value in (("login_hint", login_hint), ("prompt", prompt)) if value}
    with opened() as installation:
        authorizing = Authorizing(installation, name, lambda line: click.echo(printable(line), err=True), _countdown())
        done = authorizing.run(Wanted(timeout, hints, for_everybody))
    if as_json:
        print_json(
            {
                "connection": done.connection,
                "ok": True,
                "account": done.account,
                "scopes": list(done.scopes),
                "missing_scopes": list(done.missing),
                "message": done.message,
            }
        )
        return
    if for_everybody:
        click.echo(printable(f"{name}: {done.message} Authorize it now: `integrator connections authorize {name}`."))
        return
    by = f" by {done.account}" if done.account else ""
    click.echo(printable(f"{name}: authorized{by} for {', '.join(done.scopes)}. {done.message}"))
    if done.missing:
        click.echo(printable(f"Not given: {', '.join(done.missing)}."), err=True)


@connections.command()
@click.argument("name")
@json_option
def preflight(name: str, as_json: bool) -> int:
    """Look at everything that a consent needs, before a person is sent away; ends 1 where it could not end well."""
    from integrator.preflight import preflight as look

    with opened(waited_for=True) as installation:
        findings = look(installation, name)
    return print_findings(findings, as_json=as_json)


@connections.command()
@click.argument("name")
@click.option("--for", "made_for", default="", help="Who the link is for: shown on its page.")
@click.option("--hours", type=click.IntRange(1, 24 * 30), default=LINK_HOURS, help="How long it lives. Default: 72.")
@click.option("--return-to", default="", help="Where the person goes afterwards; on INTEGRATOR_RETURN_URLS.")
@click.option("--revoke", "takes_back", is_flag=True, help="Make none: take back all that nobody has used yet.")
@json_option
def link(name: str, made_for: str, hours: int, return_to: str, takes_back: bool, as_json: bool) -> None:
    """Make a link by which somebody else consents: single use, and it expires. Needs `integrator serve`."""
    from integrator.linking import make_link, revoke_links

    if takes_back:
        with opened() as installation:
            number = revoke_links(installation, name)
        if as_json:
            print_json({"connection": name, "links_revoked": number})
        else:
            click.echo(f"{name}: {number} link{'' if number == 1 else 's'} taken back.")
        return
    with opened(waited_for=True) as installation:
        address = make_link(installation, name, made_for, hours * 3600.0, return_to)
    if as_json:
        print_json({"connection": name, "link": address, "hours": hours})
    else:
        click.echo(printable(address))


@connections.command()
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """Give the consent of this connection back to the provider, and forget its tokens."""
    from integrator.consenting import Consenting

    with opened() as installation:
        was_told = Consenting(installation).revoke(name)
    if as_json:
        print_json({"connection": name, "revoked": True, "provider_told": was_told})
        return
    told = "" if was_told else " The provider has no way to be told: remove the app there, too."
    click.echo(f"{name}: the consent is forgotten.{told}")


def _countdown() -> Callable[[float], None]:
    """A line that counts down on a terminal, and nothing elsewhere."""

    def count(left: float) -> None:
        if sys.stderr.isatty():
            click.echo(f"\rWaiting for the consent, {left:.0f} s left … ", nl=False, err=True)

    return count
