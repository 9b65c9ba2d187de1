"""Client assertions: JWTs by which an app proves itself with a certificate or through an external issuer.

Lenient where real clients differ (RS256 with x5t, PS256 with x5t#S256, padded thumbprints, NumericDates with
fractions, no nbf, a jti that comes again) and strict in everything else (Azure reference sheet, section 1.6).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.tokens import decode

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW_SECONDS = 300
MAXIMUM_CHARACTERS = 32_768
MAXIMUM_EPOCH = 10**12


class Assertion(NamedTuple):
    """A JWT in its parts; nothing of it is verified yet."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def parse(text: str) -> Assertion:
    """Takes a JWT apart; 50027 when it is none."""
    parts = text.split(".")
    try:
        if len(parts) != 3 or len(text) > MAXIMUM_CHARACTERS:
            raise ValueError("not three parts")
        header, claims = (json.loads(decode(part)) for part in parts[:2])
        signature = decode(parts[2])
    except (ValueError, RecursionError) as problem:
        raise TokenError(50027) from problem
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TokenError(50027)
    return Assertion(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def verify(text: str, application: Application, audiences: Collection[str], now: float) -> None:
    """Returns when the assertion proves the app; TokenError otherwise."""
    if not application.certificates and not application.trusts:
        raise _unproven("The key was not found", "none is registered")
    assertion = parse(text)
    if "x5t" in assertion.header or "x5t#S256" in assertion.header or not application.trusts:
        _verify_with_certificate(assertion, application, audiences, now)
    else:
        _verify_with_trust(assertion, application, now)


def _verify_with_certificate(
    assertion: Assertion, application: Application, audiences: Collection[str], now: float
) -> None:
    certificate = _certificate(assertion.header, application)
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - what a thumbprint is
    if certificate.not_valid_after_utc.timestamp() <= now:
        raise _unproven("The key used is expired", thumbprint)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or not _is_signed(assertion, key):
        raise _unproven("The key used does not match the signature", thumbprint)
    _check_times(assertion.claims, now)
    if not _named(assertion.claims.get("aud")) & set(audiences):
        raise TokenError(700023, f"The assertion's audience '{str(assertion.claims.get('aud'))[:200]}' is not valid.")
    for claim in ("iss", "sub"):
        if str(assertion.claims.get(claim, "")).lower() != application.client_id:
            raise TokenError(700021, f"The assertion's '{claim}' is not the application '{application.client_id}'.")


def _verify_with_trust(assertion: Assertion, application: Application, now: float) -> None:
    claims = assertion.claims
    trusts = [trust for trust in application.trusts if trust.issuer == claims.get("iss")]
    if not trusts:
        raise TokenError(700211)
    trusts = [trust for trust in trusts if trust.subject == claims.get("sub")]
    if not trusts:
        raise TokenError(700213)
    trusts = [trust for trust in trusts if trust.audience in _named(claims.get("aud"))]
    if not trusts:
        raise TokenError(700212)
    if not any(_is_signed(assertion, trust.public_key) for trust in trusts):
        raise _unproven("The signature is not the issuer's", trusts[0].issuer)
    _check_times(claims, now)


def _certificate(header: dict[str, Any], application: Application) -> x509.Certificate:
    """The registered certificate that the header's thumbprints name."""
    wanted = {name: _thumbprint(header[name]) for name in ("x5t", "x5t#S256") if name in header}
    if not wanted:
        raise _unproven("The key was not found", "no x5t in the header")
    for certificate in application.certificates:
        prints = {
            "x5t": certificate.fingerprint(hashes.SHA1()),  # noqa: S303 - what x5t is
            "x5t#S256": certificate.fingerprint(hashes.SHA256()),
        }
        if all(prints[name] == thumbprint for name, thumbprint in wanted.items()):
            return certificate
    raise _unproven("The key was not found", next(iter(wanted.values())).hex().upper())


def _thumbprint(value: object) -> bytes:
    try:
        return decode(value) if isinstance(value, str) else b""
    except ValueError as problem:
        raise TokenError(50027) from problem


def _is_signed(assertion: Assertion, key: rsa.RSAPublicKey) -> bool:
    scheme: padding.AsymmetricPadding
    match assertion.header.get("alg"):
        case "RS256":
            scheme = padding.PKCS1v15()
        case "PS256":
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        case _:
            return False
    try:
        key.verify(assertion.signature, assertion.signed, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, begins = _seconds(claims.get("exp")), _seconds(claims.get("nbf", 0))
    if now >= expires or now + SKEW_SECONDS < begins:
        raise TokenError(700024, f"The assertion is valid from {begins:.0f} to {expires:.0f}, and now is {now:.0f}.")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAXIMUM_EPOCH:
        raise TokenError(50027, "The client assertion has no valid 'exp' or 'nbf'.")
    return float(value)


def _named(audience: object) -> set[str]:
    found = audience if isinstance(audience, list) else [audience]
    return {one for one in found if isinstance(one, str)}


def _unproven(reason: str, used: str) -> TokenError:
    text = f"The client assertion failed signature validation. [Reason - {reason}., Thumbprint of key used: '{used}']"
    return TokenError(700027, text)
