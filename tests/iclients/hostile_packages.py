"""Packages with private keys, as somebody writes them who wants to keep us busy: small, and never done."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

FOREVER = 2**31 - 1
SALT, VECTOR = b"saltsalt", b"\1" * 16


def tlv(tag: int, content: bytes) -> bytes:
    """DER: what it is, how long it is, and what is in it."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def integer(number: int) -> bytes:
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    first, second, *others = map(int, dotted.split("."))
    made = bytearray([first * 40 + second])
    for number in others:
        septets = [number & 127]
        while number := number >> 7:
            septets.insert(0, number & 127 | 128)
        made += bytes(septets)
    return tlv(6, bytes(made))


DATA = oid("1.2.840.113549.1.7.1")


def pbes2(kdf: bytes) -> bytes:
    cipher = sequence(oid("2.16.840.1.101.3.4.1.42"), tlv(4, VECTOR))
    return sequence(oid("1.2.840.113549.1.5.13"), sequence(kdf, cipher))


def pbkdf2(iterations: int) -> bytes:
    prf = sequence(oid("1.2.840.113549.2.9"), b"\5\0")
    return sequence(oid("1.2.840.113549.1.5.12"), sequence(tlv(4, SALT), integer(iterations), prf))


def scrypt(cost: int) -> bytes:
    """It takes a kilobyte for each of its cost."""
    return sequence(oid("1.3.6.1.4.1.11591.4.11"), sequence(tlv(4, SALT), integer(cost), integer(8), integer(1)))


def safe(*contents: bytes) -> bytes:
    """What a PFX consists of, without seal and without the box around it."""
    return integer(3) + sequence(DATA, tlv(0xA0, tlv(4, sequence(*contents))))


def seal_with_a_split_salt(iterations: int = FOREVER) -> bytes:
    """The salt of the seal is an OCTET STRING in pieces, of indefinite length."""
    digest = sequence(sequence(oid("2.16.840.1.101.3.4.2.1"), b"\5\0"), tlv(4, bytes(32)))
    salt = b"\x24\x80" + tlv(4, SALT) + b"\0\0"
    return sequence(safe(), sequence(digest, salt, integer(iterations)))


def locked_bag_in_a_locked_part(iterations: int = FOREVER) -> bytes:
    """Nobody sees the count before the outer part is open, which takes one round."""
    shrouded = sequence(pbes2(pbkdf2(iterations)), tlv(4, b"\7" * 64))
    contents = sequence(sequence(oid("1.2.840.113549.1.12.10.1.2"), tlv(0xA0, shrouded)))
    key = hashlib.pbkdf2_hmac("sha256", b"", SALT, 1, 32)
    padding = 16 - len(contents) % 16
    made = Cipher(algorithms.AES(key), modes.CBC(VECTOR)).encryptor()
    hidden = made.update(contents + bytes([padding]) * padding) + made.finalize()
    part = sequence(integer(0), sequence(DATA, pbes2(pbkdf2(1)), tlv(0x80, hidden)))
    return sequence(safe(sequence(oid("1.2.840.113549.1.7.6"), tlv(0xA0, part))))


def armoured(label: str, der: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def locked_pem(kdf: bytes | None = None) -> str:
    return armoured("ENCRYPTED PRIVATE KEY", sequence(pbes2(kdf or pbkdf2(FOREVER)), tlv(4, b"\7" * 64)))


def without_primes(bits: int) -> str:
    """RSA whose factors are no primes, but have no small factor: that is what takes long to find out."""
    one = _without_small_factors((3 << (bits // 2 - 2)) + 1)
    other = _without_small_factors(one + 2)
    exponent = pow(65537, -1, (one - 1) * (other - 1))
    numbers = [0, one * other, 65537, exponent, one, other, exponent % (one - 1), exponent % (other - 1)]
    return armoured("RSA PRIVATE KEY", sequence(*map(integer, [*numbers, pow(other, -1, one)])))


def _without_small_factors(number: int) -> int:
    small = [each for each in range(3, 4000, 2) if all(each % by for by in range(3, int(each**0.5) + 1, 2))]
    while any(number % each == 0 for each in small) or (number - 1) % 65537 == 0:
        number += 2
    return number


def very_many_bits() -> str:
    half = 1 << 45_000
    numbers = [0, half * half + 1, 3, 5, half + 1, half // 2 + 1, 7, 9, 11]
    return armoured("RSA PRIVATE KEY", sequence(*map(integer, numbers)))


HOSTILE: dict[str, Callable[[], str]] = {
    "a seal with a split salt": lambda: base64.b64encode(seal_with_a_split_salt()).decode(),
    "a locked bag in a locked part": lambda: base64.b64encode(locked_bag_in_a_locked_part()).decode(),
    "locked PEM": locked_pem,
    "many bits without primes": lambda: without_primes(16_384),
    "very many bits": very_many_bits,
}
"""As text. What is PEM wants a certificate with it."""
