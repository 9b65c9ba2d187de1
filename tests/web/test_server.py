"""The server itself: it ends in order, and who was let in gets an answer."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from integrator.errors import UserError
from integrator.web.server import Server


@contextmanager
def running(app: Any) -> Iterator[Server]:
    server = Server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(30)
        server.close()


def connected(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://").rstrip("/"), timeout=30)


def answering(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def test_it_answers_without_saying_what_it_is() -> None:
    with running(answering) as server:
        connection = connected(server)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.headers["Server"]) == (200, b"ok", None)
        connection.close()


def test_whoever_is_being_answered_when_it_ends_gets_the_answer() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        inside.set()
        go_on.wait(30)
        return answering(environ, start_response)

    with running(slow) as server:
        connection = connected(server)
        connection.request("GET", "/")
        assert inside.wait(30)
        server.stop()
        refused = threading.Event()
        while not refused.is_set():  # nobody new is let in
            try:
                socket.create_connection(("127.0.0.1", connection.port or 0), timeout=5).close()
            except OSError:
                refused.set()
        go_on.set()
        assert connection.getresponse().read() == b"ok"
        connection.close()


def test_idle_connections_do_not_hold_the_end_up() -> None:
    with running(answering) as server:
        connection = connected(server)
        connection.request("GET", "/")
        connection.getresponse().read()
    connection.close()


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with running(answering) as server, pytest.raises(UserError, match="cannot listen at 127"):
        Server(answering, "127.0.0.1", connected(server).port or 0)


def test_a_host_that_is_none_is_one_sentence() -> None:
    with pytest.raises(UserError, match="choose another with --host"):
        Server(answering, "no such host.invalid", 0)


def test_what_escapes_the_application_is_logged_without_its_address(capfd: pytest.CaptureFixture[str]) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise RuntimeError

    with running(broken) as server:
        connection = connected(server)
        connection.request("GET", "/consent/t0ken?code=c0de")
        answer = connection.getresponse()
        assert answer.status == 500
        assert b"t0ken" not in answer.read()
        connection.close()
    told = "".join(capfd.readouterr())
    assert "t0ken" not in told
    assert "c0de" not in told
