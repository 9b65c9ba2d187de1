"""`integrator serve`: the web pages and housekeeping, in one process."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json

if TYPE_CHECKING:
    from integrator.web.server import Server


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen at. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, help="The port; 0 is any. Default: 8080.")
@json_option
def serve(host: str, port: int, as_json: bool) -> None:
    """Serve the pages that people consent on, and keep house every hour.

    It prints one line when it is ready and ends on Ctrl-C or SIGTERM, when everybody who came has their answer. Browsers
    reach it at INTEGRATOR_PUBLIC_URL: put a proxy with TLS in front, and register that address and /callback at the
    provider. INTEGRATOR_RETURN_URLS lists where people may go on to after a consent.
    """
    from integrator.scheduler import scheduled
    from integrator.web.app import create_app
    from integrator.web.server import Server

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("integrator").setLevel(logging.INFO)
    with opened(waited_for=True) as installation:
        server = Server(create_app(installation), host, port)
        if not installation.config.public_url:
            click.echo("INTEGRATOR_PUBLIC_URL is not set: consents come back only to the command line.", err=True)
        with scheduled(installation), _stopped_by_signals(server):
            click.echo(f"Integrator is at {server.url}", err=True)
            if as_json:
                print_json({"ready": server.url})
            try:
                server.run()
            finally:
                server.close()


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """While the block runs, SIGINT and SIGTERM stop the server; a second one ends the process at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        server.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
