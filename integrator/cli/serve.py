"""`integrator serve`: web pages, scheduler and worker in one process."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json

if TYPE_CHECKING:
    from integrator.bootstrap import Installation
    from integrator.web.server import Server
    from integrator.worker import Worker

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
ANOTHER: Final = (
    "Another server works on this database already: this one shares its work, and each keeps the limits of connections "
    "for itself."
)


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen at. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, help="The port; 0 is any. Default: 8080.")
@json_option
def serve(host: str, port: int, as_json: bool) -> None:
    """Serve the web pages, run the flows that are due, and keep house every hour.

    It prints one line when it is ready and ends on Ctrl-C or SIGTERM, when everybody who came has their answer and every
    run has stopped after its page; such runs wait for the next server. Browsers reach it at INTEGRATOR_PUBLIC_URL: put a
    proxy with TLS in front, and register that address and /callback at the provider. Where it is not set, consents come
    back to browsers on this machine only. INTEGRATOR_RETURN_URLS lists where people may go on to after a consent.
    """
    from integrator.accounts import Accounts
    from integrator.local_azure import LocalAzure
    from integrator.vitals import the_only_server
    from integrator.web.app import create_app
    from integrator.web.server import Server
    from integrator.worker import working

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("integrator").setLevel(logging.INFO)
    with (
        opened(waited_for=True) as installation,
        opened() as inside,  # the worker's own: nobody waits for its answers
        the_only_server(inside.store) as is_alone,
    ):
        azure = LocalAzure(installation)
        app = create_app(installation, azure)
        server = Server(app, host, port, app.streams.end)
        if not installation.config.public_url:
            click.echo(_stand_in(installation, host, server.url.rstrip("/")), err=True)
        if not is_alone:
            click.echo(ANOTHER, err=True)
        with working(inside) as worker, azure.kept(is_alone), _stopped_by_signals(server, worker):
            installation.queue, installation.vitals = worker.queue, worker.vitals
            if link := Accounts(installation).first_link(server.url):
                click.echo(f"Make the first account, within a day: {link}", err=True)
            click.echo(f"Integrator is at {server.url}", err=True)
            if as_json:
                print_json({"ready": server.url})
            try:
                server.run()
            finally:
                installation.clock.stop()
                server.close()


def _stand_in(installation: Installation, host: str, url: str) -> str:
    """Where no public URL is set and only this machine reaches the server, its own address is where consents come back:
    OAuth's rule for loopback lets the port differ from the registered one (RFC 8252 §7.3). What that means, in a sentence.
    """
    if host not in LOOPBACK_HOSTS:
        return "INTEGRATOR_PUBLIC_URL is not set: consents come back only to the command line."
    installation.config = replace(installation.config, public_url=url)
    return f"INTEGRATOR_PUBLIC_URL is not set: consents come back to {url}, which only browsers on this machine reach."


@contextmanager
def _stopped_by_signals(server: Server, worker: Worker) -> Iterator[None]:
    """While the block runs, SIGINT and SIGTERM stop server and worker; a second one ends the process at once.

    A thread waits for the byte that the signal writes: Python's own handler runs in the main thread, which may sleep for
    a minute where the kernel has given the signal to another one.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    told, telling = socket.socketpair()
    telling.setblocking(False)
    fd_before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)

    def stop_when_told() -> None:
        if told.recv(1):
            server.stop()
            worker.stop()

    waiting = threading.Thread(target=stop_when_told, name="signals")
    waiting.start()
    for number in before:
        signal.signal(number, lambda number, frame: signal.signal(number, signal.SIG_DFL))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(fd_before)
        telling.close()
        waiting.join()
        told.close()
