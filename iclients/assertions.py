"""Assertions: how a certificate or somebody else's word stands in for a client secret (RFC 7521 §4.2, RFC 7523 §2.2).

Ours are for one audience, have a number of their own that serves once, and end soon: most servers refuse more than a
minute. A server knows the key either by a name (`kid`) or, as Entra does, by the thumbprint of its certificate:
`x5t#S256` with PS256 as Entra recommends, `x5t` (SHA-1) where RS256 is asked for, which old servers need.
"""

from __future__ import annotations

import uuid
from typing import Final

from cryptography.hazmat.primitives import hashes
from joserfc import jwt
from joserfc.jwk import RSAKey

from iclients.certificates import thumbprint
from iclients.credentials import Certificate, FederatedAssertion
from iclients.errors import CredentialRefused
from iclients.secret import Secret

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS: Final = 300
"""What Entra takes; a server that keeps to RFC 7523 gets `Traits.assertion_seconds`."""

MAX_ASSERTION_BYTES: Final = 16_384


def signed(
    certificate: Certificate,
    client_id: str,
    audience: str,
    now: float,
    *,
    lifetime_seconds: int = LIFETIME_SECONDS,
    key_id: str = "",
    names_certificate: bool = True,
) -> Secret:
    """An assertion that this client is who it says, for this audience. Each may be sent once; the defaults are Entra's.

    Without `key_id` and `names_certificate` the server must find the key by itself, among those of this client.
    """
    header = {"alg": certificate.algorithm, "typ": "JWT"}
    if key_id:
        header["kid"] = key_id
    if names_certificate:
        header |= _named(certificate)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": str(uuid.uuid4()),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + lifetime_seconds,
    }
    key = RSAKey.import_key(certificate.private_key.reveal())
    return Secret(jwt.encode(header, claims, key, algorithms=[certificate.algorithm]))


def mounted(assertion: FederatedAssertion, iclient: str) -> Secret:
    """What the file holds at this moment. Raises CredentialRefused where it cannot be read."""
    try:
        with assertion.file.open("rb") as file:
            text = file.read(MAX_ASSERTION_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialRefused(
            f"The federated assertion of iClient {iclient} cannot be read from {assertion.file} "
            f"({type(error).__name__}): check that it is mounted.",
            code="assertion_unreadable",
        ) from error
    if not text:
        raise CredentialRefused(
            f"The federated assertion of iClient {iclient} in {assertion.file} is empty: check what writes it.",
            code="assertion_unreadable",
        )
    return Secret(text)


def _named(certificate: Certificate) -> dict[str, str]:
    if certificate.algorithm == "RS256":
        return {"x5t": thumbprint(certificate, hashes.SHA1())}  # noqa: S303 - the name that the protocol gives it
    return {"x5t#S256": thumbprint(certificate, hashes.SHA256())}
