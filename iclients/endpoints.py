"""Where an authorization server answers: typed, or found by discovery (RFC 8414, OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

from iclients.addresses import Resolve, host_of, is_address, is_public, resolved
from iclients.errors import MalformedAnswer, NotAuthorized, Recovery
from iclients.transport import Transport

DISCOVERY_DEADLINE_SECONDS: Final = 15.0
TENANT_HOLE: Final = "{tenantid}"
_GUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of one authorization server; empty where it has none."""

    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    device_authorization_endpoint: str = ""
    revocation_endpoint: str = ""
    jwks_uri: str = ""
    sends_issuer: bool = False
    """Whether every callback names the issuer (RFC 9207 §3), so that one without it is not the server's."""

    def need(self, name: str, iclient: str) -> str:
        """The address of this name. Raises NotAuthorized, saying what is missing."""
        address: str = getattr(self, name)
        if not address:
            raise NotAuthorized(
                f"The provider of iClient {iclient} has no {name}: set settings.{name}, or choose another auth.",
                code="no_endpoint",
            )
        return address


NAMES: Final = tuple(field.name for field in fields(Endpoints) if field.name != "sends_issuer")

Fetch = Callable[[str], Any]


def fetcher(transport: Transport) -> Fetch:
    """Fetches JSON documents of a provider: bounded, without redirects."""

    def fetch(url: str) -> Any:
        answer = transport.exchange(
            "GET", url, {"Accept": "application/json"}, deadline_seconds=DISCOVERY_DEADLINE_SECONDS
        )
        if answer.status != 200:
            raise MalformedAnswer(f"{url} answered HTTP {answer.status}: check the issuer.", recovery=Recovery.ABORT)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise MalformedAnswer(f"{url} is not JSON: check the issuer.", recovery=Recovery.ABORT) from error

    return fetch


def discovered(issuer: str, typed: Mapping[str, Any], fetch: Fetch, resolve: Resolve = resolved) -> Endpoints:
    """What the issuer's document says, where nothing was typed: typed addresses win.

    Raises MalformedAnswer for a document of another issuer, for what is no address, and for one that leads from the
    issuer's host into our own network (CWE-918).
    """
    document = _document_of(issuer.rstrip("/"), fetch)
    if not isinstance(document, dict) or str(document.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise MalformedAnswer(
            f"The discovery document of {issuer} is for another issuer: check the issuer.", recovery=Recovery.ABORT
        )
    told = {name: document[name] for name in NAMES if name not in ("issuer", *typed) and document.get(name)}
    for name, address in told.items():
        if why := _objection(address, issuer, resolve):
            raise MalformedAnswer(
                f"The discovery document of {issuer} names {why} as {name}: set settings.{name}, or check the issuer.",
                recovery=Recovery.ABORT,
            )
    sends_issuer = document.get("authorization_response_iss_parameter_supported") is True
    return replace(Endpoints(**{**told, **typed}), issuer=str(document["issuer"]), sends_issuer=sends_issuer)


def _document_of(issuer: str, fetch: Fetch) -> Any:
    """OpenID's document, which most servers have; else that of RFC 8414 §3.1, whose path stands before the issuer's own."""
    try:
        return fetch(f"{issuer}/.well-known/openid-configuration")
    except MalformedAnswer as first:
        parts = urlsplit(issuer)
        try:
            return fetch(f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}")
        except MalformedAnswer:
            raise first from None


def is_issuer(told: object, issuer: str) -> bool:
    """Whether this is the issuer; one with the hole `{tenantid}` fits every tenant of that server."""
    before, hole, after = issuer.partition(TENANT_HOLE)
    if not hole:
        return told == issuer
    return isinstance(told, str) and re.fullmatch(f"{re.escape(before)}{_GUID}{re.escape(after)}", told) is not None


def _objection(address: Any, issuer: str, resolve: Resolve) -> str:
    """Why a discovered address is not used; empty where it is. The issuer's own host was typed by somebody of us."""
    if not is_address(address):
        return "no https address of a server"
    host = host_of(address)
    is_elsewhere = host != host_of(issuer)
    return "a host in a private network" if is_elsewhere and not is_public(host, resolve) else ""
