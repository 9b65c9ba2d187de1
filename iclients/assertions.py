"""Assertions: how a certificate or somebody else's word stands in for a client secret (RFC 7521 §4.2, RFC 7523 §2.2).

Ours live for five minutes, carry a number of their own and are for one audience. The certificate is named by its
thumbprint: `x5t#S256` with PS256 as Entra recommends, `x5t` (SHA-1) where RS256 is asked for, which old servers need.
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
MAX_ASSERTION_BYTES: Final = 16_384


def signed(certificate: Certificate, client_id: str, audience: str, now: float) -> Secret:
    """An assertion that this client is who it says, for this audience."""
    header = {"alg": certificate.algorithm, "typ": "JWT", **_named(certificate)}
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": str(uuid.uuid4()),
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
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
