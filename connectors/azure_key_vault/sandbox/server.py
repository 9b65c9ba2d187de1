"""HTTP/1.1 over TLS for the sites of the sandbox: keep-alive, requests in order, one write an answer.

Strict about sizes and shapes, deaf to everything else: whatever is not HTTP is answered 400 at most and
never shows on standard error. Injected latency and faults wait on timers of the event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httptools

from connectors.azure_key_vault.sandbox.channel import Channel
from connectors.azure_key_vault.sandbox.exchange import Answer, Request, Site
from connectors.azure_key_vault.sandbox.faults import Fault, Faults
from connectors.azure_key_vault.sandbox.rendering import Renderer

MAXIMUM_HEAD_BYTES = 65_536
MAXIMUM_BODY_BYTES = 1_048_576
MAXIMUM_QUEUED_REQUESTS = 64
DRIP_SECONDS = 0.05


@dataclass(slots=True)
class Settings:
    """What all connections look at: delays, faults, how answers are written."""

    renderer: Renderer
    claims_challenge: Callable[[], bytes]
    entra_delay: Callable[[Request], float]
    faults: Faults = field(default_factory=Faults)
    latency_seconds: float = 0.0


class Sites:
    """Finds the site for a request: by the name in its Host header, else by the port it came to."""

    def __init__(self, default: Site, by_name: dict[bytes, Site], control: Site | None = None) -> None:
        self._default = default
        self._by_name = by_name
        self._control = control

    def find(self, request: Request) -> Site:
        """The site that answers."""
        if self._control is not None and request.path.startswith("/sandbox/"):
            return self._control
        return self._by_name.get(request.host.partition(b":")[0].lower(), self._default)


class Connection(Channel):
    """One client's connection."""

    def __init__(
        self, context: ssl.SSLContext | None, open_channels: set[Channel], sites: Sites, settings: Settings
    ) -> None:
        super().__init__(context, open_channels)
        self._sites = sites
        self._settings = settings
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request | int, bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False
        self._begin()

    def received(self, data: bytes) -> None:
        """Feeds the parser; what is no HTTP ends the connection after a 400."""
        if self._broken:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)
        self._work()

    def on_message_begin(self) -> None:
        """httptools: a request begins."""
        self._begin()

    def on_url(self, url: bytes) -> None:
        """httptools: a piece of the target."""
        self._head_bytes += len(url)
        self._url += url
        self._check_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header."""
        self._head_bytes += len(name) + len(value) + 4
        self._headers[name.lower()] = value
        self._check_head()

    def on_headers_complete(self) -> None:
        """httptools: the body follows."""
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._broken:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes > MAXIMUM_BODY_BYTES:
            self._refuse(413)
        elif not self._broken:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the request is whole."""
        if self._broken:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        request = Request(method, path, query, self._headers, b"".join(self._body))
        if not path.startswith("/"):
            self._refuse(400)
        else:
            self._waiting.append((request, self._parser.should_keep_alive()))

    def resume_writing(self) -> None:
        """asyncio: the peer has caught up; so does the queue."""
        super().resume_writing()
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: nothing is owed any more."""
        super().connection_lost(exc)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = 0
        self._body_bytes = 0

    def _check_head(self) -> None:
        if self._head_bytes > MAXIMUM_HEAD_BYTES:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        """Nothing more is read; after the requests before, this status and the end."""
        if not self._broken:
            self._broken = True
            self._waiting.append((status, False))

    def _work(self) -> None:
        """Answers what is waiting, one after the other."""
        while self._waiting and self._timer is None and self.writable and self.transport is not None:
            request, keep_alive = self._waiting.popleft()
            if isinstance(request, int):
                answer = self._settings.renderer.render(Answer(request, b"", b""), None, keep_alive=False)
                self._deliver(answer, False)
            else:
                self._serve(request, keep_alive)
        self._hold_back(len(self._waiting) > MAXIMUM_QUEUED_REQUESTS)

    def _hold_back(self, too_many: bool) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if too_many:
            self.transport.pause_reading()
        elif not self.transport.is_reading():
            self.transport.resume_reading()

    def _serve(self, request: Request, keep_alive: bool) -> None:
        settings = self._settings
        site = self._sites.find(request)
        fault = None
        if settings.faults.planted and site.label != "sandbox":
            fault = settings.faults.take(site.label, request.method, request.target)
        if fault is not None:
            self._serve_badly(fault, site, request, keep_alive)
            return
        is_unasked = request.method == "HEAD" and site.label != "arm"  # ARM alone answers it, for groups
        told = Answer(405, b"", b"") if is_unasked else site.answer(request)
        answer = settings.renderer.render(told, request, keep_alive=keep_alive)
        delay_seconds = settings.latency_seconds if site.label != "sandbox" else 0.0
        if site.label == "entra":
            delay_seconds += settings.entra_delay(request)
        if delay_seconds > 0:
            self._later(delay_seconds, answer, keep_alive)
        else:
            self._deliver(answer, keep_alive)

    def _serve_badly(self, fault: Fault, site: Site, request: Request, keep_alive: bool) -> None:
        if fault.kind == "reset":
            site.count(request)
            self.reset()
            return
        answer = site.answer(request) if fault.carried_out else self._spoilt(fault, site, request)
        delay_seconds = self._settings.latency_seconds
        match fault.kind:
            case "lost":
                self.reset()
                return
            case "stall":
                delay_seconds = fault.seconds
            case "broken-json":
                answer = answer._replace(body=answer.body[: len(answer.body) // 2] or b"{")
        rendered = self._settings.renderer.render(answer, request, keep_alive=keep_alive)
        match fault.kind:
            case "truncated":
                body_bytes = len(answer.body)
                self._deliver(rendered[: len(rendered) - body_bytes + body_bytes // 2], False, politely=False)
            case "slow":
                head_bytes = len(rendered) - len(answer.body)
                self.send(rendered[:head_bytes])
                self._drip(answer.body, fault.seconds, keep_alive)
            case _:
                self._later(delay_seconds, rendered, keep_alive)

    def _later(self, delay_seconds: float, answer: bytes, keep_alive: bool) -> None:
        def deliver() -> None:
            self._timer = None
            self._deliver(answer, keep_alive)
            self._work()

        self._timer = asyncio.get_running_loop().call_later(delay_seconds, deliver)

    def _drip(self, body: bytes, seconds: float, keep_alive: bool) -> None:
        """Sends a body piece by piece; the last piece after `seconds`."""
        steps = max(1, min(len(body), int(seconds / DRIP_SECONDS)))
        size = -(-len(body) // steps) or 1
        pieces = deque(body[start : start + size] for start in range(0, len(body), size))
        loop = asyncio.get_running_loop()

        def drop() -> None:
            self._timer = None
            if pieces:
                self.send(pieces.popleft())
            if pieces:
                self._timer = loop.call_later(seconds / steps, drop)
                return
            self._deliver(b"", keep_alive)
            self._work()

        self._timer = loop.call_later(seconds / steps, drop)

    def _deliver(self, answer: bytes, keep_alive: bool, *, politely: bool = True) -> None:
        if answer:
            self.send(answer)
        if not keep_alive:
            self._broken = True
            self._waiting.clear()
            self.close(politely=politely)

    def _spoilt(self, fault: Fault, site: Site, request: Request) -> Answer:
        """The answer to a request that a fault keeps from being carried out."""
        site.count(request)
        retry_after = f"Retry-After: {fault.retry_after}\r\n" if fault.retry_after is not None else ""
        if fault.status is not None:
            return site.refusal(fault.status, retry_after.encode())
        if fault.kind == "claims":
            return site.refusal(401, self._settings.claims_challenge())
        page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return Answer(502, page.encode(), f"Content-Type: text/html\r\n{retry_after}".encode())
