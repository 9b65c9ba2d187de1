"""`integrator sandbox`: a local Azure on TLS."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import click

from integrator.cli.output import json_option, print_json
from integrator.errors import UserError

MOST_SECRETS = 1_000_000


def _vaults(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    vaults: dict[str, int] = {}
    for value in values or ("contoso=500", "fabrikam=0"):
        name, _, count = value.partition("=")
        if not name or not (count.isascii() and count.isdigit()):
            raise click.BadParameter(f"{value!r} is not NAME=COUNT, such as contoso=500")
        if len(count) > len(str(MOST_SECRETS)) or int(count) > MOST_SECRETS:
            raise click.BadParameter(f"{value!r} has more than {MOST_SECRETS:,} secrets")
        if name in vaults:
            raise click.BadParameter(f"{name} is named twice")
        vaults[name] = int(count)
    return vaults


def _end_when_closed() -> None:
    """Whoever began this process and holds the pipe is gone, whatever became of it."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@click.command()
@click.option("--port", type=click.IntRange(0, 65_000), default=0, help="Entra's port; ARM and vaults follow. 0: any.")
@click.option(
    "--vault",
    "vaults",
    multiple=True,
    callback=_vaults,
    metavar="NAME=COUNT",
    help="A vault with so many secrets; may be given again. Default: contoso=500 and fabrikam=0.",
)
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Write a document for `apply`.")
@click.option("--latency", type=click.FloatRange(0, 60_000), default=0.0, help="Milliseconds before each answer.")
@click.option("--throttle", is_flag=True, help="Throttle with Azure's published limits.")
@click.option(
    "--cloud",
    type=click.Choice(["public", "usgov", "china"]),
    default="public",
    show_default=True,
    help="Whose names and audiences it has.",
)
@click.option("--seed", type=int, default=1, help="Other secrets for another number.")
@click.option("--until-closed", is_flag=True, hidden=True, help="End when standard input is closed, too.")
@json_option
def sandbox(
    port: int,
    vaults: dict[str, int],
    write: Path | None,
    latency: float,
    throttle: bool,
    cloud: str,
    seed: int,
    until_closed: bool,
    as_json: bool,
) -> None:
    """Run a local Azure on TLS: Entra, Azure Resource Manager and Key Vaults, each on a port of 127.0.0.1.

    It prints one line when it is ready and ends on Ctrl-C or SIGTERM. With --write it makes a complete document:
    apply it, and every vault is a connection. Its secrets are made up.

    \b
    Example:
      integrator sandbox --vault contoso=500 --vault fabrikam=0 --write lab.yaml
      integrator apply lab.yaml            (in another terminal)
      integrator connections test contoso
    """
    from connectors.azure_key_vault.sandbox import serve

    if until_closed:
        threading.Thread(target=_end_when_closed, name="closed", daemon=True).start()
    try:
        serve(
            vaults=vaults,
            port=port,
            write=write,
            latency_seconds=latency / 1000,
            throttle=throttle,
            cloud=cloud,
            seed=seed,
            on_ready=(lambda line: print_json({"ready": line})) if as_json else click.echo,
        )
    except ValueError as error:
        raise click.UsageError(f"{error}: write 3 to 24 letters, digits and dashes, beginning with a letter") from error
    except OSError as error:
        raise UserError(f"The sandbox cannot start: {error}.") from error
