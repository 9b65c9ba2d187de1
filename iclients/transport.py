"""How every request leaves: keep-alive HTTP/1.1 over TLS, one deadline for the whole exchange, bounded answers.

A read timeout cannot stop a server that sends a byte a second, and a cut body looks like a short one to a parser
that is not told the length; so sockets and parsing are ours: the standard library's TLS, and httptools (llhttp)
for the protocol. Redirects are never followed: they would carry credentials to a host nobody checked.
Source: RFC 9112.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import certifi
import httptools

from iclients.errors import AnswerLost, DeadlineExceeded, MalformedAnswer, NotSent

CHUNK_BYTES: Final = 65_536
IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers with lower-case names, the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def retry_after_seconds(self) -> float | None:
        """`Retry-After` in seconds, where it is a number (RFC 9110 §10.2.3)."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdigit() else None


class Transport:
    """Exchanges with any number of hosts, from any number of threads; keeps idle connections for the next one.

    `exchange` raises NotSent where nothing can have been carried out, AnswerLost or DeadlineExceeded where it may
    have been, MalformedAnswer where the answer is not HTTP or is too large.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        *,
        deadline_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        max_answer_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        self._tls_lock = threading.Lock()
        self._idle: dict[tuple[str, int], deque[tuple[float, ssl.SSLSocket]]] = {}
        self._deadline_seconds = deadline_seconds
        self._connect_seconds = connect_seconds
        self._max_answer_bytes = max_answer_bytes

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        deadline_seconds: float | None = None,
    ) -> Answer:
        """One request and its whole answer."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise NotSent(f"{parts.scheme}://{parts.netloc} is not an https address.", code="not_https")
        where = (parts.hostname, parts.port or 443)
        deadline = time.monotonic() + (deadline_seconds or self._deadline_seconds)
        target = parts.path or "/"
        if parts.query:
            target = f"{target}?{parts.query}"
        request = _request_bytes(method, target, parts.netloc, headers, body)
        connection = self._take(where) or self._connect(where, deadline)
        try:
            answer, reusable = self._converse(connection, request, where[0], deadline)
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._idle.setdefault(where, deque()).append((time.monotonic(), connection))
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle. The transport can be used again."""
        for idle in self._idle.values():
            while idle:
                idle.pop()[1].close()

    def _take(self, where: tuple[str, int]) -> ssl.SSLSocket | None:
        idle = self._idle.get(where)
        while idle:
            try:
                since, connection = idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < IDLE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()
        return None

    def _connect(self, where: tuple[str, int], deadline: float) -> ssl.SSLSocket:
        host, port = where
        seconds = max(0.001, min(self._connect_seconds, deadline - time.monotonic()))
        try:
            plain = socket.create_connection(where, timeout=seconds)
        except socket.gaierror as error:
            raise NotSent(f"The host {host} has no address: check the name.", code="host_not_found") from error
        except TimeoutError as error:
            raise NotSent(f"{host}:{port} did not answer within {seconds:.0f} s.", code="connect_timeout") from error
        except OSError as error:
            raise NotSent(f"{host}:{port} cannot be reached ({error.strerror or error}).") from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context().wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise NotSent(
                f"The certificate of {host}:{port} is not trusted ({error.verify_message}): "
                "name its CA as ca_file, or check the address.",
                code="certificate_not_trusted",
            ) from error
        except OSError as error:
            plain.close()
            raise NotSent(f"{host}:{port} ended the TLS handshake ({error}).", code="tls_failed") from error

    def _context(self) -> ssl.SSLContext:
        with self._tls_lock:
            if self._tls is None:
                self._tls = _client_context(self._ca_file)
            return self._tls

    def _converse(self, connection: ssl.SSLSocket, request: bytes, host: str, deadline: float) -> tuple[Answer, bool]:
        answer = _AnswerParser(self._max_answer_bytes)
        try:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.sendall(request)
            while not answer.complete:
                connection.settimeout(_remaining(deadline, host))
                data = connection.recv(CHUNK_BYTES)
                if not data:
                    answer.end_of_stream(host)
                    break
                answer.feed(data, host)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{host} did not answer in time.") from error
        except OSError as error:
            raise AnswerLost(f"The connection to {host} broke before the answer was whole.") from error
        return answer.result(), answer.reusable


class _AnswerParser:
    """Collects one answer from httptools' callbacks."""

    def __init__(self, max_bytes: int) -> None:
        self.complete = False
        self.reusable = False
        self._max_bytes = max_bytes
        self._received = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._headers_done = False
        self._status = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes, host: str) -> None:
        self._received += len(data)
        if self._received > self._max_bytes:
            raise MalformedAnswer(f"{host} sent more than {self._max_bytes} bytes.", code="answer_too_large")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise MalformedAnswer(f"{host} sent something that is not HTTP.") from error

    def end_of_stream(self, host: str) -> None:
        """The server closed: right only for an answer whose end is the end of the stream (RFC 9112 §6.3)."""
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        if not self._headers_done or framed:
            raise AnswerLost(f"The connection to {host} broke before the answer was whole.")
        self.complete = True

    def result(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._body))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._headers_done = self._status >= 200

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._headers_done:
            self._headers.clear()
            return
        self.complete = True
        self.reusable = bool(self._parser.should_keep_alive())


def _request_bytes(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None or method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body or b'')}")
    text = "\r\n".join(lines)
    if not text.isascii() or text.count("\n") != len(lines) - 1 or " " in target:
        raise NotSent("The request has a character that HTTP does not allow.", code="bad_request_text")
    return text.encode("ascii") + b"\r\n\r\n" + (body or b"")


def _remaining(deadline: float, host: str) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise DeadlineExceeded(f"{host} did not answer in time.")
    return seconds


def _is_readable(connection: ssl.SSLSocket) -> bool:
    """Whether an idle connection has something to say: then the server closed it, and it is of no use."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _client_context(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is not None:
        try:
            return ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise NotSent(f"The CA file {ca_file} cannot be read: {error}.", code="ca_file") from error
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
