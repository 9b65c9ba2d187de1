"""What a PFX without password holds, whichever way it is packed: thumbprints and the private key.

Two exports of one certificate are never alike byte by byte: each has salts of its own. A vault keeps a PFX in base64
without a password. Whoever wrote the file chose how often its password is hashed, so that number is looked at first.
Source: RFC 7292 (PKCS #12), RFC 8018 §A.2 (PBKDF2's parameters), X.690 §8 (the lengths of DER).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

MOST_ITERATIONS: Final = 4_000_000
"""Together, for all that is locked in one file: about a second. OpenSSL and Windows write 2,000 to 1,000,000."""
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30
_CONSTRUCTED: Final = 0x20
_INDEFINITE: Final = 0x80


def contents(der: bytes) -> tuple[bytes, ...]:
    """The certificate's thumbprint (SHA-256), its private key as PKCS #8, then the other certificates' thumbprints.

    What is not there is empty; the others come sorted. Raises ValueError where it is no PFX, has a password, holds
    nothing, or would take long to open.
    """
    check_effort(der)
    try:
        opened = pkcs12.load_pkcs12(der, None)
        key = opened.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) if opened.key else b""
        own = opened.cert.certificate.fingerprint(SHA256()) if opened.cert else b""
        others = sorted(each.certificate.fingerprint(SHA256()) for each in opened.additional_certs)
    except (ValueError, TypeError, UnsupportedAlgorithm, Warning):
        raise ValueError("it is no PFX that opens without a password") from None
    if not (own or key or others):
        raise ValueError("the PFX is empty")
    return own, key, *others


def check_effort(der: bytes) -> None:
    """Raise ValueError where opening this PFX would take long, or it is none."""
    if sum(_iterations(der)) > MOST_ITERATIONS:
        raise ValueError("the PFX takes too long to open")


def _iterations(der: bytes) -> Iterator[int]:
    """Every number that follows a salt: an INTEGER right behind an OCTET STRING, at any depth that is not encrypted."""
    salts: set[int] = set()
    position = 0
    while position < len(der):
        tag, start, end = _header(der, position)
        if tag == _INTEGER and position in salts:
            yield int.from_bytes(der[start:end][:16])
        if tag == _OCTETS:
            salts.add(end)
        position = start if tag & _CONSTRUCTED or (tag == _OCTETS and _is_packed(der, start, end)) else end


def _header(der: bytes, position: int) -> tuple[int, int, int]:
    """Tag, where its content starts and ends. What has an indefinite length (BER, as old tools write) is gone through."""
    first, start = der[position + 1 : position + 2], position + 2
    length = first[0] if first else 0
    if length == _INDEFINITE:
        return der[position], start, len(der)
    if length > 127:
        size = length & 127
        length, start = int.from_bytes(der[start : start + size]), start + size
        if not 0 < size < 5:
            raise ValueError("the PFX has a length that DER does not have")
    return der[position], start, start + length


def _is_packed(der: bytes, start: int, end: int) -> bool:
    """Whether an OCTET STRING is a box for more DER."""
    try:
        return der[start : start + 1] == bytes([_SEQUENCE]) and _header(der, start)[2] == end
    except ValueError:  # chance has it that a digest begins so
        return False
