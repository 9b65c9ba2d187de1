"""Signed tokens: RS256, with one key for all tenants (Azure reference sheet, section 1.12).

Signatures are checked for real, once for each text; times are compared with the clock at every request.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from connectors.azure_key_vault.sandbox.claims_request import newer_than
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.errors import TokenRefused
from connectors.azure_key_vault.sandbox.exchange import compact

EARLY_TOLERANCE_SECONDS = 300
BACKDATED_SECONDS = 300
REMEMBERED_TOKENS = 1024

Claims = dict[str, Any]


class SigningKey:
    """The tenant's RSA key: signs tokens, knows its own, shows its public half as a JWK."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _self_signed(self._key)
        self.kid = encode(certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - what x5t is
        self._chain = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    def sign(self, claims: Claims) -> str:
        """A compact JWS of the claims."""
        header = {"typ": "JWT", "alg": "RS256", "x5t": self.kid, "kid": self.kid}
        signed = f"{encode(compact(header))}.{encode(compact(claims))}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encode(signature)}"

    def verify(self, token: str) -> Claims:
        """The claims of a token that this key signed; TokenRefused for any other."""
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenRefused("malformed", "the token is not a JSON Web Token")
        header, claims = _parsed(parts[0]), _parsed(parts[1])
        if header.get("alg") != "RS256" or header.get("kid") != self.kid:
            raise TokenRefused("signature", "the token was signed with an unknown key")
        try:
            signed = f"{parts[0]}.{parts[1]}".encode()
            self._key.public_key().verify(decode(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError) as problem:
            raise TokenRefused("signature", "the token's signature is not valid") from problem
        return claims

    def jwk(self, issuer: str) -> dict[str, Any]:
        """The public key as Entra publishes it."""
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": encode(numbers.n.to_bytes(256, "big")),
            "e": encode(numbers.e.to_bytes(3, "big")),
            "x5c": [self._chain],
            "issuer": issuer,
        }


class Tokens:
    """Issues and reads access tokens; can revoke all that are out."""

    def __init__(self, clock: Clock) -> None:
        self.key = SigningKey()
        self.clock = clock
        self._generation = secrets.token_hex(4)
        self._verified: dict[str, Claims] = {}
        self._revoked_subjects: dict[str, int] = {}

    def issue(self, claims: Claims, lifetime_seconds: int, not_before: int = 0) -> tuple[str, int]:
        """The token and the moment it expires; it begins a little before now, or then if that is demanded."""
        now = int(self.clock.now())
        begins = max(now - BACKDATED_SECONDS, min(not_before, now))
        times = {"iat": begins, "nbf": begins, "exp": now + lifetime_seconds}
        revoked = self._revoked_subjects.get(claims.get("oid", ""), 0)
        identity = {"uti": f"{self._generation}.{revoked:x}.{secrets.token_urlsafe(9)}"}
        return self.key.sign(claims | times | identity), now + lifetime_seconds

    def read(self, token: str) -> Claims:
        """The claims of a token that is genuine and valid now; TokenRefused otherwise."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
        now = self.clock.now()
        if now >= claims["exp"]:
            raise TokenRefused("expired", "the token is expired")
        if now + EARLY_TOLERANCE_SECONDS < claims["nbf"]:
            raise TokenRefused("early", "the token is not valid yet")
        if not claims["uti"].startswith(self._generation):
            demanded = newer_than(now) if "xms_cc" in claims else ""
            raise TokenRefused("revoked", "the token has been revoked", demanded=demanded)
        if "xms_cc" in claims and self._revoked_subjects and self._is_of_revoked_subject(claims):
            raise TokenRefused("revoked", "the user's sessions have been revoked", demanded=newer_than(now))
        return claims

    def revoke(self) -> None:
        """No token that was issued until now is accepted any more."""
        self._generation = secrets.token_hex(4)

    def revoke_subject(self, object_id: str) -> None:
        """Nor those of one user, where resource and client evaluate access continuously; others run out."""
        self._revoked_subjects[object_id] = self._revoked_subjects.get(object_id, 0) + 1

    def _is_of_revoked_subject(self, claims: Claims) -> bool:
        issued_after = int(claims["uti"].split(".")[1], 16)
        return issued_after < self._revoked_subjects.get(claims["oid"], 0)

    def _verify(self, token: str) -> Claims:
        claims = self.key.verify(token)
        if len(self._verified) >= REMEMBERED_TOKENS:
            self._verified.clear()
        self._verified[token] = claims
        return claims


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Base64url with or without padding; ValueError when it is none."""
    stripped = text.rstrip("=")
    return base64.b64decode(stripped + "=" * (-len(stripped) % 4), altchars=b"-_", validate=True)


def _parsed(part: str) -> dict[str, Any]:
    try:
        document = json.loads(decode(part))
    except (ValueError, RecursionError) as problem:
        raise TokenRefused("malformed", "the token cannot be read") from problem
    if not isinstance(document, dict):
        raise TokenRefused("malformed", "the token cannot be read")
    return document


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
    today = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(today).not_valid_after(today + datetime.timedelta(days=365))
    return builder.sign(key, hashes.SHA256())
