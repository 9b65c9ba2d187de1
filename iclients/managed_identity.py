"""Tokens of the machine that we run on: App Service's endpoint where it is named, else Azure's metadata service.

Both answer plain HTTP on the machine itself, and nothing secret is sent to them. Source: Managed identities for Azure
resources, "How to use managed identities to get an access token" (2018-02-01); App Service (2019-08-01).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import requests

from iclients.clock import Clock
from iclients.credentials import ManagedIdentity
from iclients.errors import CredentialRefused, MalformedAnswer, NotSent, RemoteError, ScopeRefused
from iclients.model import Token
from iclients.retrying import Retrying
from iclients.secret import Secret

METADATA_SERVICE: Final = "http://169.254.169.254/metadata/identity/oauth2/token"
TIMEOUT_SECONDS: Final = 10.0


def managed_identity_token(
    identity: ManagedIdentity,
    iclient: str,
    scopes: tuple[str, ...],
    clock: Clock,
    retrying: Retrying,
    environ: Mapping[str, str] = os.environ,
) -> Token:
    """A token for the machine's identity. Raises NotSent where no endpoint answers, CredentialRefused, ScopeRefused."""
    if len(scopes) != 1 or not scopes[0].endswith("/.default"):
        raise ScopeRefused(
            f"iClient {iclient} needs one scope that ends in /.default: a managed identity takes no other."
        )
    resource = scopes[0].removesuffix("/.default")

    def ask() -> Token:
        asked_at = clock.now()
        return _token(_answer(identity, iclient, resource, environ), asked_at, scopes, iclient)

    return retrying.call(ask, clock)


def _answer(identity: ManagedIdentity, iclient: str, resource: str, environ: Mapping[str, str]) -> requests.Response:
    url = environ.get("IDENTITY_ENDPOINT") or METADATA_SERVICE
    is_app_service = "IDENTITY_ENDPOINT" in environ
    parameters = {"api-version": "2019-08-01" if is_app_service else "2018-02-01", "resource": resource}
    if identity.client_id:
        parameters["client_id"] = identity.client_id
    headers = {"Metadata": "true"}
    if is_app_service:
        headers["X-IDENTITY-HEADER"] = environ.get("IDENTITY_HEADER", "")
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, params=parameters, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            raise NotSent(
                f"No managed identity answers for iClient {iclient} ({type(error).__name__}): it works only on a machine "
                "of Azure that has one; use a client secret or a certificate elsewhere.",
                code="no_managed_identity",
            ) from error


def _token(answer: requests.Response, asked_at: float, scopes: tuple[str, ...], iclient: str) -> Token:
    if answer.status_code in (404, 410, 429) or answer.status_code >= 500:
        raise NotSent(
            f"The managed identity of iClient {iclient} is busy (HTTP {answer.status_code}): try again later."
        )
    document = _json(answer)
    if answer.status_code != 200:
        raise _refusal(document, iclient)
    try:
        expires_at = float(document["expires_on"])
        secret = Secret(document["access_token"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedAnswer(f"The managed identity of iClient {iclient} gave an answer without a token.") from error
    ahead = max(0.0, min(300.0, (expires_at - asked_at) / 5))
    return Token(secret, expires_at=expires_at, replace_at=expires_at - ahead, scopes=scopes)


def _refusal(document: Mapping[str, Any], iclient: str) -> RemoteError:
    error = str(document.get("error", ""))
    if error == "invalid_resource":
        return ScopeRefused(f"The managed identity of iClient {iclient} knows no such service: check its scopes.")
    return CredentialRefused(
        f"The machine has no managed identity for iClient {iclient}: assign one to it, or name the client ID of one that "
        "is assigned.",
        code="no_managed_identity",
    )


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
