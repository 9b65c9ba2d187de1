"""Whether the public URL reaches this installation: it is asked for a proof that only this installation can give.

The answer is a keyed fingerprint of the challenge, so another server, or another installation, cannot give it by chance. One
deadline bounds the whole exchange: a server that sends a byte now and then is given up like one that sends none.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import secrets
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from iclients.transport import reach
from integrator.store.store import Store

PATH: Final = "/.well-known/integrator"
CALLBACK_PATH: Final = "/callback"
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
DEADLINE_SECONDS: Final = 5.0
_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Reached:
    """What stands at the public URL: this installation, or why not."""

    is_ours: bool
    why: str = ""
    is_free: bool = False
    """Nobody listens there: a command on this machine can."""


def proof(store: Store, challenge: str) -> str:
    """What this installation answers to a challenge. Raises ValueError where it is none."""
    if not CHALLENGE.fullmatch(challenge):
        raise ValueError("a challenge has 20 to 64 letters, digits, - and _")
    return store.seal.fingerprint(f"integrator public url {challenge}".encode())


def reached(store: Store, public_url: str, deadline_seconds: float = DEADLINE_SECONDS) -> Reached:
    """Ask the public URL for the proof. It never raises: whatever goes wrong is the answer."""
    challenge = secrets.token_urlsafe(24)
    try:
        status, body = _get(f"{public_url}{PATH}?challenge={challenge}", monotonic() + deadline_seconds)
        told = json.loads(body).get("proof") if status == 200 else None
    except (OSError, http.client.HTTPException) as error:
        is_free = isinstance(error, ConnectionRefusedError)
        return Reached(False, f"nothing answers there ({type(error).__name__})", is_free)
    except (ValueError, RecursionError, AttributeError):
        return Reached(False, "something else answers there")
    if not isinstance(told, str) or not secrets.compare_digest(told.encode(), proof(store, challenge).encode()):
        return Reached(False, "another server or another installation answers there")
    return Reached(True)


def _get(url: str, deadline: float) -> tuple[int, bytes]:
    """One request without redirects, credentials or proxies: nothing in it is secret."""
    parts = urlsplit(url)
    with closing(_connected(parts, deadline)) as connected:
        asking = http.client.HTTPConnection(parts.netloc)
        asking.sock = connected
        asking.putrequest("GET", f"{parts.path}?{parts.query}", skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", parts.netloc), ("Accept", "application/json"), ("Connection", "close")):
            asking.putheader(name, value)
        asking.endheaders()
        with http.client.HTTPResponse(_Until(connected, deadline), method="GET") as answer:  # type: ignore[arg-type]
            answer.begin()
            return answer.status, answer.read(_MAX_BYTES)


def _connected(parts: SplitResult, deadline: float) -> socket.socket:
    """Connected, with TLS where the address says so. Its timeout bounds a handshake and a request, each as a whole."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    plain = reach([(family, kind, protocol, address) for family, kind, protocol, _, address in found], deadline)
    try:
        plain.settimeout(_left(deadline))
        return (
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
        )
    except (OSError, ValueError):
        plain.close()
        raise


class _Until(io.RawIOBase):
    """What `http.client` reads an answer from: a socket, until the deadline, in however many reads."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._connected = connected
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """As sockets have it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as has come. Raises TimeoutError where nothing has by the deadline."""
        self._connected.settimeout(_left(self._deadline))
        return self._connected.recv_into(buffer)


def _left(deadline: float) -> float:
    if (left := deadline - monotonic()) > 0:
        return left
    raise TimeoutError
