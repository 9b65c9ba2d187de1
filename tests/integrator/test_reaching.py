"""The public URL is asked for its proof within one deadline, however the server at it answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

from connectors.azure_key_vault.sandbox.tls import make_certificates, server_context
from integrator.reaching import Reached, proof, reached
from integrator.store.store import Store

DEADLINE_SECONDS = 0.5
Serve = Callable[[socket.socket, bytes, threading.Event], None]


@contextmanager
def serving(serve: Serve, scheme: str = "http") -> Iterator[str]:
    """The address of a server that answers one connection: `serve` gets it, what was asked, and when to end."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                asked = connection.recv(4096)
                try:
                    serve(connection, asked, ended)
                except OSError:  # the other side has given up
                    return

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            thread.join(30)


def drop_by_drop(connection: socket.socket, text: bytes, ended: threading.Event) -> None:
    for letter in text:
        connection.sendall(bytes((letter,)))
        if ended.wait(0.05):
            return


def slow_body(connection: socket.socket, asked: bytes, ended: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    drop_by_drop(connection, b" " * 400, ended)


def slow_head(connection: socket.socket, asked: bytes, ended: threading.Event) -> None:
    drop_by_drop(connection, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400, ended)


def many_heads(connection: socket.socket, asked: bytes, ended: threading.Event) -> None:
    while not ended.wait(0.05):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def silent(connection: socket.socket, asked: bytes, ended: threading.Event) -> None:
    ended.wait(30)


@pytest.mark.parametrize(
    ("serve", "scheme"),
    [(slow_body, "http"), (slow_head, "http"), (many_heads, "http"), (silent, "http"), (silent, "https")],
)
def test_a_server_that_does_not_come_to_an_end_is_given_up(store: Store, serve: Serve, scheme: str) -> None:
    with serving(serve, scheme) as url:
        began = monotonic()
        assert reached(store, url, DEADLINE_SECONDS) == Reached(False, "nothing answers there (TimeoutError)")
        assert monotonic() - began < 10 * DEADLINE_SECONDS


def test_the_proof_is_read_and_no_more_than_that(store: Store) -> None:
    def prove(connection: socket.socket, asked: bytes, ended: threading.Event) -> None:
        assert asked.startswith(b"GET /tools/.well-known/integrator?challenge=")
        challenge = asked.partition(b"challenge=")[2].partition(b" ")[0].decode()
        body = f'{{"proof": "{proof(store, challenge)}"}}'
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        ended.wait(30)  # it keeps the connection, though it was asked to close it

    with serving(prove) as url:
        assert reached(store, f"{url}/tools") == Reached(True)


def test_a_certificate_that_nobody_trusts_is_no_proof(store: Store) -> None:
    certificates = make_certificates()
    context = server_context(certificates)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=answer)
        thread.start()
        told = reached(store, f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(30)
    assert told == Reached(False, "nothing answers there (SSLCertVerificationError)")
