"""Writes an answer as the bytes of an HTTP/1.1 response, with the headers that every answer has."""

from __future__ import annotations

import itertools
import uuid
from email.utils import formatdate
from http import HTTPStatus

from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.exchange import Answer, Request

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Renderer:
    """Numbers the answers and dates them by the sandbox's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._prefix = str(uuid.uuid4())[:24].encode()
        self._dated = (0, b"")

    def render(self, answer: Answer, request: Request | None, *, keep_alive: bool) -> bytes:
        """The whole response."""
        status = _STATUS_LINES.get(answer.status) or f"HTTP/1.1 {answer.status} Fault\r\n".encode()
        common = b"Date: %b\r\nx-ms-request-id: %b%012x\r\n" % (self._date(), self._prefix, next(self._numbers))
        parts = [status, answer.headers, common]
        sent_id = request.headers.get(b"x-ms-client-request-id") if request is not None else None
        if sent_id is not None:
            parts.append(b"x-ms-client-request-id: " + sent_id + b"\r\n")
        if not keep_alive:
            parts.append(b"Connection: close\r\n")
        if answer.status != HTTPStatus.NO_CONTENT:
            parts.append(b"Content-Length: %d\r\n" % len(answer.body))
        parts.append(b"\r\n")
        if request is None or request.method != "HEAD":
            parts.append(answer.body)
        return b"".join(parts)

    def _date(self) -> bytes:
        """The Date header's value, written once a second."""
        now = int(self._clock.now())
        if self._dated[0] != now:
            self._dated = (now, formatdate(now, usegmt=True).encode())
        return self._dated[1]
