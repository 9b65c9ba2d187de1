"""How an app proves itself at the token endpoint: secret, certificate, federated assertion, or not at all."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

from connectors.azure_key_vault.sandbox import assertions
from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.applications import Application
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.directory import Directory
from connectors.azure_key_vault.sandbox.exchange import Base, Request, base_of
from connectors.azure_key_vault.sandbox.forms import required

NO_PROOF, SECRET, CERTIFICATE = "0", "1", "2"


class Client(NamedTuple):
    """An app and what it has proved itself with, as the claim `appidacr` numbers it."""

    application: Application
    proof: str

    def require_proof(self) -> None:
        """7000218 for an app that sent no credential."""
        if self.proof == NO_PROOF:
            raise TokenError(7000218)


def authenticate(
    authority: Authority, directory: Directory | None, request: Request, form: Mapping[str, str], tenant: str
) -> Client:
    """The app that asks; TokenError when it is unknown or what it sends proves nothing."""
    basic_id, basic_secret = _basic(request)
    secret, assertion = basic_secret or form.get("client_secret", ""), form.get("client_assertion", "")
    client_id = basic_id or form.get("client_id", "") or _subject(assertion) or required(form, "client_id")
    application = authority.known_application(client_id, directory)
    if (secret or assertion) and application.public:
        raise TokenError(700025)
    if assertion:
        audiences = _audiences(base_of(request.host), authority, directory, tenant)
        if application.certificates or application.trusts:
            _check_type(form)
        assertions.verify(assertion, application, audiences, authority.clock.now())
        return Client(application, CERTIFICATE)
    if secret:
        _check_secret(application, secret, authority.clock.now())
        return Client(application, SECRET)
    return Client(application, NO_PROOF)


def _check_secret(application: Application, secret: str, now: float) -> None:
    verdict = application.judge(secret, now)
    if verdict == "wrong":
        text = f"Invalid client secret provided. Send the secret's value, not its ID. App '{application.client_id}'."
        raise TokenError(7000215, text)
    if verdict == "expired":
        raise TokenError(7000222)


def _check_type(form: Mapping[str, str]) -> None:
    if required(form, "client_assertion_type") != assertions.ASSERTION_TYPE:
        raise TokenError(90023, "The 'client_assertion_type' is not supported.")


def _subject(assertion: str) -> str:
    """The app that an assertion names; nothing is believed before it is verified."""
    if not assertion:
        return ""
    return str(assertions.parse(assertion).claims.get("sub", ""))


def _audiences(base: Base, authority: Authority, directory: Directory | None, tenant: str) -> set[str]:
    """What an assertion may be made out to: the token endpoints, and the issuer under both its names."""
    tenants = {tenant} if directory is None else {tenant, directory.tenant, directory.domain}
    found = {directory.issuer} if directory else set()
    for where in (base.id, *(f"https://{login}" for login in authority.cloud.logins)):
        for name in tenants:
            found |= {f"{where}/{name}/oauth2/v2.0/token", f"{where}/{name}/oauth2/token", f"{where}/{name}/v2.0"}
    return found


def _basic(request: Request) -> tuple[str, str]:
    """Client ID and secret of a Basic header, percent-decoded (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = request.headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise TokenError(90013, "The Authorization header cannot be read.") from problem
    return unquote_plus(client_id), unquote_plus(secret)
