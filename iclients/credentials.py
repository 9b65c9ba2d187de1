"""How an iClient proves itself: a shared secret, a certificate, somebody else's assertion, or the machine it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from iclients.secret import Secret


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A shared text (RFC 6749 §2.3.1). Only who made it knows when it ends, so `expires` is typed."""

    value: Secret
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A private key that signs assertions, and the certificate that the provider knows it by (RFC 7523 §2.2).

    `private_key` is PKCS#8 in PEM without a password, `certificate` its certificate in PEM.
    """

    private_key: Secret
    certificate: str
    algorithm: str = "PS256"


@dataclass(frozen=True, slots=True)
class FederatedAssertion:
    """A file in which somebody else keeps a fresh assertion for us, as workload identity mounts it. Read at each use."""

    file: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the machine that we run on: no secret at all. `client_id` names one that was assigned by hand."""

    client_id: str | None = None


Credential = ClientSecret | Certificate | FederatedAssertion | ManagedIdentity
"""How an iClient proves itself."""
