"""Answers: what came back, and how it is put together from what a socket gives. Source: RFC 9112, by way of llhttp."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import httptools

from iclients.errors import AnswerLost, MalformedAnswer, Recovery

MAX_HEADERS: Final = 200
MAX_HEADER_BYTES: Final = 65_536
"""More than any server says about an answer, its trailers among it."""

_WAIT_TEXT: Final = re.compile(r"[0-9]{1,9}")  # a longer number is more than a wait can be told


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
        return float(text) if _WAIT_TEXT.fullmatch(text) else None


class AnswerParser:
    """Collects one answer from httptools' callbacks, never more than `max_bytes` of it."""

    def __init__(self, max_bytes: int) -> None:
        self.complete = False
        self.reusable = False
        self._max_bytes = max_bytes
        self._received = 0
        self._headers: dict[str, str] = {}
        self._header_lines = 0
        self._header_bytes = 0
        self._unheard = 0
        self._body: list[bytes] = []
        self._headers_done = False
        self._is_beyond = False
        self._status = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes, host: str) -> None:
        self._received += len(data)
        if self._received > self._max_bytes:
            raise _too_large(f"{host} sent more than {self._max_bytes} bytes.")
        self._unheard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise MalformedAnswer(f"{host} sent something that is not HTTP.") from error
        if self._header_lines > MAX_HEADERS or max(self._header_bytes, self._unheard) > MAX_HEADER_BYTES:
            raise _too_large(f"{host} sent more than {MAX_HEADERS} headers, or {MAX_HEADER_BYTES} bytes of them.")
        if self._is_beyond:
            raise MalformedAnswer(f"{host} sent more than one answer to one request.")

    def end_of_stream(self, host: str) -> None:
        """The server closed: right only for an answer whose end is the end of the stream (RFC 9112 §6.3)."""
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        if not self._headers_done or framed:
            raise AnswerLost(f"The connection to {host} broke before the answer was whole.")
        self.complete = True

    def result(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._body))

    def on_message_begin(self) -> None:
        self._is_beyond = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        self._unheard = 0
        self._header_lines += 1
        self._header_bytes += len(name) + len(value)
        if self._header_lines > MAX_HEADERS or self._header_bytes > MAX_HEADER_BYTES:
            return  # the feed that this is part of ends the answer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text  # RFC 9110 §5.3

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self._headers_done = self._status >= 200

    def on_body(self, body: bytes) -> None:
        self._unheard = 0  # what is neither header nor body yet is a header without end, or a chunk's
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._headers_done:
            self._headers.clear()
            return
        self.complete = True
        self.reusable = bool(self._parser.should_keep_alive())


def _too_large(sentence: str) -> MalformedAnswer:
    return MalformedAnswer(sentence, code="answer_too_large", recovery=Recovery.ABORT)
