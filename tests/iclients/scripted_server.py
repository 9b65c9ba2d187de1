"""A TLS server that does what a test says, byte by byte: the bad days that a well-behaved server cannot have."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

JSON = "application/json"


class Ended(Exception):
    """The client closed, or the test is over."""


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Conversation:
    """One connection, as a script sees it."""

    server: ScriptedServer
    stream: ssl.SSLSocket
    number: int
    unread: bytes = b""

    def request(self) -> Request:
        """The next request, whole; Ended when there is none."""
        while b"\r\n\r\n" not in self.unread:
            self._receive()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        line, *rest = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in rest)}
        length = int(headers.get("content-length", 0))
        while len(self.unread) < length:
            self._receive()
        request = Request(line, headers, self.unread[:length])
        self.unread = self.unread[length:]
        self.server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.stream.sendall(data)

    def answer(self, body: bytes = b"{}", status: str = "200 OK", **headers: str) -> None:
        self.send(answer_bytes(body, status, **headers))

    def drip(self, data: bytes, seconds: float = 0.02) -> None:
        """A byte at a time, until the client goes or the test ends."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(seconds)

    def pause(self, seconds: float) -> None:
        if self.server.over.wait(seconds):
            raise Ended

    def goodbye(self) -> None:
        """Closes as TLS wants it: with close_notify."""
        self.stream.settimeout(0.05)
        with suppress(OSError):
            self.stream.unwrap()

    def reset(self) -> None:
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()

    def _receive(self) -> None:
        data = self.stream.recv(65_536)
        if not data:
            raise Ended
        self.unread += data


Script = Callable[[Conversation], None]


def answer_bytes(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """A framed answer; `Retry_After` becomes `Retry-After`."""
    given = {"Content_Type": JSON, "Content_Length": str(len(body))} | headers
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> Script:
    """Answers every request the same."""

    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            conversation.answer(body, status, **headers)

    return script


def raw(data: bytes) -> Script:
    """Reads one request, sends exactly this, says goodbye."""

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(data)
        conversation.goodbye()

    return script


@dataclass
class ScriptedServer:
    """Listens on a loopback address; every connection is a thread that runs the script."""

    context: ssl.SSLContext
    script: Script
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listening = socket.create_server((self.host, 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"https://{self.host}:{self.port}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for plain in self._open:
            with suppress(OSError):
                socket.socket.shutdown(plain, socket.SHUT_RDWR)  # an SSLSocket's own would go on in the clear
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(plain, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        plain.settimeout(10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            stream = self.context.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        self._open.append(stream)
        with stream, suppress(Ended, OSError):
            self.script(Conversation(self, stream, number))
