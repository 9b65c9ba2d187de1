"""How every request leaves: keep-alive HTTP/1.1 over TLS, one deadline for the whole exchange, bounded answers.

A read timeout cannot stop a server that sends a byte a second, and a cut body looks like a short one to a parser
that is not told the length; so sockets and parsing are ours: the standard library's TLS, and httptools (llhttp)
for the protocol. Redirects are never followed: they would carry credentials to a host nobody checked.
The deadline covers connecting to all of a host's addresses together, TLS, request and answer; looking the name up is
the one thing that it does not bound, because the system's resolver cannot be interrupted (resolv.conf's `timeout` and
`attempts` do). Source: RFC 9112.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import certifi

from iclients.answers import Answer, AnswerParser
from iclients.errors import AnswerLost, DeadlineExceeded, NotSent, Recovery

CHUNK_BYTES: Final = 65_536
IDLE_SECONDS: Final = 60.0

Address = tuple[socket.AddressFamily, socket.SocketKind, int, Any]
"""Family, kind and protocol of a socket, and what it connects to."""

_HEADER_TEXT: Final = re.compile(r"[\t\x20-\x7e]*")
_ADDRESS_TEXT: Final = re.compile(r"[\x21-\x7e]+")


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
        self._is_closed = False
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
        max_answer_bytes: int | None = None,
    ) -> Answer:
        """One request and its whole answer."""
        where, target, host = _address(url)
        deadline = time.monotonic() + (self._deadline_seconds if deadline_seconds is None else deadline_seconds)
        request = _request_bytes(method, target, host, headers, body)
        connection = self._take(where) or self._connect(where, deadline)
        try:
            answer = AnswerParser(max_answer_bytes or self._max_answer_bytes)
            _converse(connection, answer, request, where[0], deadline)
        except BaseException:
            connection.close()
            raise
        if answer.reusable and not self._is_closed:
            self._idle.setdefault(where, deque()).append((time.monotonic(), connection))
        else:
            connection.close()
        return answer.result()

    def close(self) -> None:
        """Close what is idle; what is still under way is not kept either."""
        self._is_closed = True
        for idle in list(self._idle.values()):
            with suppress(IndexError):
                while True:
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
        context = self._context()
        try:
            addresses = _addresses(where)
        except (socket.gaierror, UnicodeError) as error:  # UnicodeError: a label that no name may have
            raise NotSent(
                f"The host {host} has no address: check its name, and this machine's DNS.", code="host_not_found"
            ) from error
        seconds = max(0.001, min(self._connect_seconds, deadline - time.monotonic()))
        connected_by = time.monotonic() + seconds
        try:
            plain = reach(addresses, connected_by)
        except TimeoutError as error:
            raise NotSent(
                f"{host}:{port} did not answer within {seconds:.0f} s: check the address and the firewalls on the way.",
                code="connect_timeout",
            ) from error
        except OSError as error:
            raise NotSent(
                f"{host}:{port} cannot be reached ({error.strerror or error}): check the address, and that it is running."
            ) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(max(0.001, connected_by - time.monotonic()))
            return context.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise NotSent(
                f"The certificate of {host}:{port} is not trusted ({error.verify_message}): "
                "name its CA as ca_file, or check the address.",
                code="certificate_not_trusted",
                recovery=Recovery.ABORT,
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can have
            plain.close()
            raise NotSent(f"{host}:{port} ended the TLS handshake ({error}).", code="tls_failed") from error

    def _context(self) -> ssl.SSLContext:
        with self._tls_lock:
            if self._tls is None:
                self._tls = _client_context(self._ca_file)
            return self._tls


def reach(addresses: Sequence[Address], deadline: float) -> socket.socket:
    """Connected to the first address that answers; each gets its share of the time until `deadline` (monotonic).

    Raises OSError, which is TimeoutError where the last address that was tried did not answer in time.
    """
    failed: OSError = TimeoutError("there is no time left to connect")
    for number, (family, kind, protocol, where) in enumerate(addresses):
        share = (deadline - time.monotonic()) / (len(addresses) - number)
        if share <= 0:
            break
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(share)
            plain.connect(where)
        except OSError as error:
            plain.close()
            failed = error
        else:
            return plain
    raise failed


def _addresses(where: tuple[str, int]) -> list[Address]:
    found = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)
    return [(family, kind, protocol, address) for family, kind, protocol, _, address in found]


def _address(url: str) -> tuple[tuple[str, int], str, str]:
    """Host and port, the request's target, and what its Host header says. Raises NotSent for no plain https address."""
    if not _ADDRESS_TEXT.fullmatch(url):
        raise _bad_text()
    scheme, _, rest = url.partition("//")
    authority, slash, path = rest.partition("/")
    if not slash or "#" in url or "?" in authority:
        return _parsed_address(url)
    where, _, host = _parsed_address(f"{scheme}//{authority}/")
    return where, f"/{path}", host


@lru_cache(maxsize=256)
def _parsed_address(url: str) -> tuple[tuple[str, int], str, str]:
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
    except ValueError as error:
        raise NotSent("The address is not one.", code="not_https", recovery=Recovery.ABORT) from error
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or not port:
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise NotSent(f"{shown} is not an https address.", code="not_https", recovery=Recovery.ABORT)
    target = parts.path or "/"
    return (parts.hostname, port), f"{target}?{parts.query}" if parts.query else target, parts.netloc


def _converse(connection: ssl.SSLSocket, answer: AnswerParser, request: bytes, host: str, deadline: float) -> None:
    unsent = memoryview(request)
    try:
        while unsent:
            connection.settimeout(_remaining(deadline, host))
            unsent = unsent[connection.send(unsent) :]
        while not answer.complete:
            connection.settimeout(_remaining(deadline, host))
            data = connection.recv(CHUNK_BYTES)
            if not data:
                answer.end_of_stream(host)
                break
            answer.feed(data, host)
    except TimeoutError as error:
        raise DeadlineExceeded(f"{host} did not answer in time: it is slow or stuck; try again later.") from error
    except OSError as error:
        raise AnswerLost(f"The connection to {host} broke before the answer was whole.") from error


def _request_bytes(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None or method not in ("GET", "HEAD"):
        lines.append(f"Content-Length: {len(body or b'')}")
    if not all(map(_HEADER_TEXT.fullmatch, lines)):
        raise _bad_text()
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + (body or b"")


def _bad_text() -> NotSent:
    return NotSent(
        "The request has a character that HTTP does not allow.", code="bad_request_text", recovery=Recovery.ABORT
    )


def _remaining(deadline: float, host: str) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise DeadlineExceeded(f"{host} did not answer in time: it is slow or stuck; try again later.")
    return seconds


def _is_readable(connection: ssl.SSLSocket) -> bool:
    """Whether an idle connection has something to say: then the server closed it, and it is of no use."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Not the library's default context: that one writes session keys to where SSLKEYLOGFILE says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        context.load_verify_locations(certifi.where())
        return context
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise NotSent(
            f"The CA file {ca_file} cannot be read: {error}.", code="ca_file", recovery=Recovery.ABORT
        ) from error
    return context
