"""Receiving a consent's callback on this machine: a server on loopback that answers once (RFC 8252 §7.3).

What it shows is plain and short; the address it was called with, which holds the code, is never logged. Where judging it
fails in a way that nobody foresaw, the person sees a page all the same, and whoever waits gets what was raised.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connectors.errors import SettingsError
from integrator.errors import UserError, defect_sentence

PATH: Final = "/callback"
LONGEST_TARGET: Final = 16_384
MOST_PARAMETERS: Final = 50
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Page:
    """What the person sees: HTTP status, a title and a sentence."""

    status: int
    title: str
    sentence: str


Judge = Callable[[dict[str, list[str]]], Page]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the provider sends the person back to, and when that has happened."""

    redirect_uri: str
    answered: threading.Event


@contextmanager
def receiving(public_url: str | None, judge: Judge) -> Iterator[Receiver]:
    """Listen at the redirect URI; `judge` sees each callback and says what is shown. A 400 lets the waiting go on.

    Raises UserError where the redirect URI is not on this machine, or its port is taken; at its end, what `judge` raised.
    """
    parts = urlsplit(public_url or "http://127.0.0.1")
    if parts.hostname not in _LOOPBACK or parts.scheme != "http":
        raise UserError(
            f"No server of ours answers at {public_url}{PATH}: unset INTEGRATOR_PUBLIC_URL, so that the callback comes to "
            "this machine, and register http://127.0.0.1/callback at the provider."
        )
    path = f"{parts.path.rstrip('/')}{PATH}"
    answered, judging = threading.Event(), _Judging(judge)
    server = _server(parts.hostname or "127.0.0.1", parts.port or 0, path, judging, answered)
    port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://{parts.hostname}:{port}{path}", answered)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if judging.raised is not None:
        raise judging.raised


class _Judging:
    """A page for every query, whatever judging it raises: that is kept for whoever waits."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.raised: Exception | None = None

    def page(self, query: str) -> Page:
        try:
            callback = parse_qs(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except ValueError:
            return _TOO_LONG
        try:
            return self._judge(callback)
        except Exception as error:  # noqa: BLE001 - the thread's boundary: it is raised again where the consent is waited for
            self.raised = error
            sentence = str(error) if isinstance(error, UserError | SettingsError) else defect_sentence(error)
            return Page(500, "Something went wrong", f"{sentence} The command that waits says the same.")


class _Quiet(ThreadingHTTPServer):
    """Says nothing about browsers that go away: standard error is for the person who waits."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a trace would hold the address."""


def _server(host: str, port: int, path: str, judging: _Judging, answered: threading.Event) -> ThreadingHTTPServer:
    turn = threading.Lock()

    class Callback(BaseHTTPRequestHandler):
        timeout = 30
        server_version = "Integrator"
        sys_version = ""

        def do_GET(self) -> None:
            where, _, query = self.path.partition("?")
            if len(self.path) > LONGEST_TARGET or where != path:
                self._show(_NOTHING)
                return
            with turn:
                page = _TOO_LATE if answered.is_set() else judging.page(query)
                try:
                    self._show(page)
                finally:  # what has ended has ended, whether the browser still listens or not
                    if page.status != 400:
                        answered.set()

        def _show(self, page: Page) -> None:
            body = _TEMPLATE.format(title=html.escape(page.title), sentence=html.escape(page.sentence)).encode(
                errors="replace"
            )
            self.send_response(page.status)
            for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the address holds the code."""

    try:
        return _Quiet((host, port), Callback)
    except OSError as error:
        raise UserError(
            f"The callback cannot be received at {host}:{port} ({error.strerror}): free the port."
        ) from error


_NOTHING: Final = Page(404, "Nothing here", "This address waits for a consent and nothing else.")
_TOO_LATE: Final = Page(400, "Too late", "This consent has ended: close this page.")
_TOO_LONG: Final = Page(
    400, "This is no callback", "It has more parameters than any provider's: start again from the connection."
)
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Connection": "close",
}
_TEMPLATE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title} · Integrator</title>'
    "<h1>{title}</h1><p>{sentence}</p></html>"
)
