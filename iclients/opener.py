"""The program of a process of its own that opens packages with private keys: PEM and PFX, locked or not.

Whoever made a package chose how often its password is hashed and how large its key is, and whoever opens it holds
Python's one lock meanwhile. So it is opened where nobody waits for that lock, and where it can be ended. What comes out
has been looked at: a key of RSA is made of primes. This file runs as a script, and imports nothing of ours.
Source: RFC 7292 (PKCS #12), RFC 7468 (PEM), RFC 5958 (PKCS #8).
"""

from __future__ import annotations

import contextlib
import math
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

MOST_KEY_BITS: Final = 16_384
"""OpenSSL uses none that is larger."""
MOST_MEMORY_BYTES: Final = 512 * 2**20
"""A package may ask for any amount of it (scrypt)."""
_SIZE_BYTES: Final = 4
_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, MemoryError, OverflowError)


def frame(*parts: bytes) -> bytes:
    """The parts as one message: its length, then each with its own."""
    body = b"".join(len(part).to_bytes(_SIZE_BYTES) + part for part in parts)
    return len(body).to_bytes(_SIZE_BYTES) + body


def parts_of(body: bytes) -> list[bytes]:
    """What `frame` made one message of, without the length in front."""
    return list(_parts(body))


def answer(kind: bytes, content: bytes, password: bytes) -> tuple[bytes, ...]:
    """What sort of key is in it, the key (PKCS #8), its certificate, other certificates; or why not, in one word.

    A certificate is DER, and what is not there is empty. Of PEM the key alone is read.
    """
    try:
        key, certificates = _in_pem(content, password) if kind == b"pem" else _in_pfx(content, password)
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size > MOST_KEY_BITS:
            return (b"large",)
        return _sort(key), _der(key), *certificates
    except TypeError:  # a password is missing, or there is nothing that it is for
        return (b"password",)
    except _UNREADABLE:
        return (b"broken",)


def main(patience_seconds: float, idle_seconds: float) -> None:
    """Answer what is asked on standard input, until it ends or nobody asks for a while."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides when we end
    _limit_memory()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _say(answers, b"ready")
    while select.select([requests], [], [], idle_seconds)[0] and (size := requests.read(_SIZE_BYTES)):
        _limit_time(patience_seconds)
        kind, content, password = parts_of(requests.read(int.from_bytes(size)))
        _say(answers, *answer(kind, content, password))


def _parts(body: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(body):
        start = position + _SIZE_BYTES
        position = start + int.from_bytes(body[start - _SIZE_BYTES : start])
        yield body[start:position]


def _say(answers: BinaryIO, *parts: bytes) -> None:
    answers.write(frame(*parts))
    answers.flush()


def _in_pem(content: bytes, password: bytes) -> tuple[object, list[bytes]]:
    """A key that is too large is told before its primes are looked at."""
    key = load_pem_private_key(content, password or None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size <= MOST_KEY_BITS:
        return load_der_private_key(_der(key), None), []
    return key, []


def _in_pfx(content: bytes, password: bytes) -> tuple[object, list[bytes]]:
    found = pkcs12.load_pkcs12(content, password or None)
    own = found.cert.certificate.public_bytes(Encoding.DER) if found.cert else b""
    return found.key, [own, *(each.certificate.public_bytes(Encoding.DER) for each in found.additional_certs)]


def _sort(key: object) -> bytes:
    if key is None:
        return b"none"
    if isinstance(key, rsa.RSAPrivateKey):
        return b"RSA"
    return b"EC" if isinstance(key, ec.EllipticCurvePrivateKey) else b"other"


def _der(key: object) -> bytes:
    if key is None:
        return b""
    made: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    return made


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold keys
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, most))


def _limit_time(patience_seconds: float) -> None:
    """The second belt: whoever started us may be gone and cannot end us."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + patience_seconds) + 1, most))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
