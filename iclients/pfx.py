"""What a PFX without password holds, whichever way it is packed: thumbprints and the private key.

Two exports of one certificate are never alike byte by byte: each has salts of its own. A vault keeps a PFX in base64
without a password. Source: RFC 7292 (PKCS #12).
"""

from __future__ import annotations

from hashlib import sha256

from iclients.unlocking import OPENERS, Openers, OutOfReach, Unopened


def contents(der: bytes, openers: Openers = OPENERS) -> tuple[bytes, ...]:
    """The certificate's thumbprint (SHA-256), its private key as PKCS #8, then the other certificates' thumbprints.

    What is not there is empty; the others come sorted. Raises ValueError where it is no PFX, has a password, holds
    nothing, or would take long to open.
    """
    try:
        found = openers.open("pfx", der)
    except OutOfReach as reason:
        raise ValueError(f"the PFX {reason}") from None
    except Unopened:
        raise ValueError("it is no PFX that opens without a password") from None
    own = sha256(found.certificate).digest() if found.certificate else b""
    others = sorted(sha256(each).digest() for each in found.others)
    if not (own or found.key or others):
        raise ValueError("the PFX is empty")
    return own, found.key, *others
