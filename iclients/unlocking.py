"""Packages with private keys, opened by a process of its own that is waited for, but not forever.

A package of a few hundred bytes can keep whoever opens it busy for hours, and every other thread waits for Python's one
lock meanwhile. So at most two processes (`iclients/opener.py`) do that. They are started when first needed and used again.
One that takes too long is ended, and the next request gets a new one; one that ended by itself is replaced unseen. What is
asked and answered goes through a socket that nobody else has, never through a command line or the environment.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from iclients import opener
from iclients.opener import frame, parts_of

PATIENCE_SECONDS: Final = 5.0
"""OpenSSL and Windows lock with 2,000 to 1,000,000 rounds, which take a millisecond to a second."""
START_SECONDS: Final = 30.0
MOST_PROCESSES: Final = 2
IDLE_SECONDS: Final = 60.0
"""Then a process ends by itself: it holds 30 MB."""
LARGEST_BYTES: Final = 262_144
_LARGEST_ANSWER_BYTES: Final = 4 * LARGEST_BYTES
_CLOSING_SECONDS: Final = 2.0
_SIZE_BYTES: Final = 4
_BEGIN: Final = """
import runpy, sys
path, patience, idle, *sys.path = sys.argv[1:]
sys.argv = [path, patience, idle]
runpy.run_path(path, run_name="__main__")
"""
_INHERITED: Final = (
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "CRYPTOGRAPHY_OPENSSL_NO_LEGACY",
)
"""Without these, Python or OpenSSL may not start; any other variable may be a secret."""

Kind = Literal["pem", "pfx"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Unopened(ValueError):
    """It is broken, or locked with another password. The text is the end of a sentence, without a value."""


class PasswordMismatch(Unopened):
    """A password is missing, or there is nothing that it is for."""


class OutOfReach(Unopened):
    """Nobody knows what is in it: it is too large, takes too long, or there is no process that could open it."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """What was in a package. `key` is PKCS #8, certificates are DER; what was not there is empty."""

    sort: str
    key: bytes = field(repr=False)
    certificate: bytes = b""
    others: tuple[bytes, ...] = ()

    def private_key(self) -> PrivateKey | None:
        """The key, where it is of RSA or of an elliptic curve. It has been validated already, which takes long."""
        if self.sort not in ("RSA", "EC"):
            return None
        loaded = load_der_private_key(self.key, None, unsafe_skip_rsa_key_validation=True)
        return loaded if isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None


class _Ended(Exception):
    """The process is gone, or says what it never says."""


class _Seat:
    """Room for one process. One thread at a time asks here."""

    def __init__(self, patience_seconds: float, command: Sequence[str]) -> None:
        self._patience_seconds = patience_seconds
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._is_over = False

    def ask(self, request: bytes) -> list[bytes]:
        """What the process answers. Who has ended it, between two requests or in one, is not asked the first time."""
        try:
            return self._asked(request)
        except _Ended:
            pass
        try:
            return self._asked(request)
        except _Ended:
            raise OutOfReach("cannot be opened: the process that opens it ended twice") from None

    @property
    def process_id(self) -> int | None:
        """Of the process, if one runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def end(self) -> None:
        """End the process, if there is one. It holds nothing that would be lost."""
        process, line, self._process, self._line = self._process, self._line, None, None
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            process.wait()

    def interrupt(self) -> None:
        """End the process from another thread, and begin none again; whoever waits for its answer goes on."""
        self._is_over = True
        if (process := self._process) is not None:
            process.kill()

    def _asked(self, request: bytes) -> list[bytes]:
        is_whole = False
        try:
            line = self._living()
            answer = _exchange(line, request, self._patience_seconds)
            is_whole = True
            return answer
        except TimeoutError:
            raise OutOfReach("takes too long to open") from None
        except (OSError, EOFError) as error:
            raise _Ended from error
        finally:
            if not is_whole:  # an answer that comes later must not be taken for the next one's
                self.end()

    def _living(self) -> socket.socket:
        if self._is_over:
            raise OutOfReach("cannot be opened: whoever would open it ends")
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._line is None:
            self._line = self._begun()
        return self._line

    def _begun(self) -> socket.socket:
        try:
            self._line, theirs = socket.socketpair()
            with theirs:
                self._process = _spawned(self._command, theirs)
            _exchange(self._line, b"", START_SECONDS)
        except (OSError, EOFError) as error:
            why = getattr(error, "strerror", None) or "no answer"
            raise OutOfReach(f"cannot be opened: the process that opens it does not start ({why})") from error
        return self._line


class Openers:
    """A few processes that open packages. Many threads may ask."""

    def __init__(
        self,
        patience_seconds: float = PATIENCE_SECONDS,
        processes: int = MOST_PROCESSES,
        idle_seconds: float = IDLE_SECONDS,
        python: str = sys.executable,
    ) -> None:
        command = [python, "-I", "-c", _BEGIN, opener.__file__, str(patience_seconds), str(idle_seconds)]
        self._seats = [_Seat(patience_seconds, command) for _ in range(processes)]
        self._free: queue.LifoQueue[_Seat] = queue.LifoQueue()
        for seat in self._seats:
            self._free.put(seat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, kind: Kind, content: bytes, password: str | None = None) -> Unlocked:
        """What is in PEM (its key alone) or in a PFX. Raises Unopened, PasswordMismatch and OutOfReach."""
        if len(content) > LARGEST_BYTES:
            raise OutOfReach(f"is longer than {LARGEST_BYTES:,} bytes")
        try:
            secret = (password or "").encode()
        except UnicodeEncodeError:  # half a character: no package has such a password
            raise Unopened("has another password") from None
        sort, *contents = self._answer(frame(kind.encode(), content, secret))
        if sort == b"large":
            raise OutOfReach(f"has a key of more than {opener.MOST_KEY_BITS:,} bits")
        if sort == b"password":
            raise PasswordMismatch("has a password, or has none")
        if sort == b"broken":
            raise Unopened("is broken, or its password is another one")
        key, certificate, *others = [*contents, b"", b""]
        return Unlocked(sort.decode(), key, certificate, tuple(other for other in others if other))

    def process_ids(self) -> list[int]:
        """Of those that run."""
        return [process_id for seat in self._seats if (process_id := seat.process_id) is not None]

    def close(self) -> None:
        """End the processes; nothing is opened from now on."""
        for seat in self._seats:
            seat.interrupt()
        with contextlib.suppress(queue.Empty):
            idle = [self._free.get(timeout=_CLOSING_SECONDS) for _ in self._seats]
            for seat in idle:
                seat.end()
                self._free.put(seat)

    def _answer(self, request: bytes) -> list[bytes]:
        seat = self._free.get()
        try:
            return seat.ask(request)
        finally:
            self._free.put(seat)


def _spawned(command: Sequence[str], line: socket.socket) -> subprocess.Popen[bytes]:
    """It finds libraries where we do, and gets nothing else of ours."""
    where = [str(Path(folder).absolute()) for folder in sys.path]
    return subprocess.Popen(  # noqa: S603 - our own command
        [*command, *where],
        stdin=line.fileno(),
        stdout=line.fileno(),
        stderr=subprocess.DEVNULL,
        cwd=os.sep,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
    )


def _exchange(line: socket.socket, request: bytes, patience_seconds: float) -> list[bytes]:
    """Say it, and give what is answered. Raises TimeoutError, EOFError and OSError."""
    ends_at = time.monotonic() + patience_seconds
    line.settimeout(patience_seconds)
    line.sendall(request)
    size = int.from_bytes(_read(line, _SIZE_BYTES, ends_at))
    if size > _LARGEST_ANSWER_BYTES:
        raise EOFError
    return parts_of(_read(line, size, ends_at))


def _read(line: socket.socket, size: int, ends_at: float) -> bytes:
    read = bytearray()
    while len(read) < size:
        line.settimeout(max(ends_at - time.monotonic(), 0.001))
        some = line.recv(size - len(read))
        if not some:
            raise EOFError
        read += some
    return bytes(read)


OPENERS: Final = Openers()
"""Everybody's. They start nothing before they are asked."""
atexit.register(OPENERS.close)
