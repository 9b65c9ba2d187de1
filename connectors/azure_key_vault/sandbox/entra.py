"""Microsoft Entra ID over HTTP: which endpoint answers, and how its errors are written.

Both generations of the endpoints, for two tenants and the shared names (Azure reference sheet, section 1).
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from typing import Any

from connectors.azure_key_vault.sandbox import discovery, pages
from connectors.azure_key_vault.sandbox.aadsts import TokenError, document
from connectors.azure_key_vault.sandbox.admin_consent import AdminConsent
from connectors.azure_key_vault.sandbox.authority import Authority
from connectors.azure_key_vault.sandbox.authorize import AuthorizeEndpoint
from connectors.azure_key_vault.sandbox.device_login import PAGE_PATH, DeviceLogin
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import JSON_LINE, Answer, Request, base_of, compact
from connectors.azure_key_vault.sandbox.forms import correlation_of, fields_of
from connectors.azure_key_vault.sandbox.signin import ACCOUNT_PATH, CONSENT_PATH, PROOF_PATH, SignIn
from connectors.azure_key_vault.sandbox.token_endpoint import GRANT_TYPES, TokenEndpoint

HEADERS = (
    JSON_LINE + b"Cache-Control: no-store, no-cache\r\nPragma: no-cache\r\nExpires: -1\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
KINDS = {"openid-configuration": "discovery", "instance": "instance", "login": "signin"} | {
    name: name
    for name in (
        "token",
        "keys",
        "authorize",
        "devicecode",
        "devicelogin",
        "adminconsent",
        "logout",
        "consent",
        "proof",
    )
}
PAGES = frozenset({"authorize", "signin", "proof", "consent", "devicelogin", "adminconsent", "logout"})


class EntraSite:
    """Answers for the authority."""

    label = "entra"

    def __init__(self, authority: Authority) -> None:
        self.calls: Counter[str] = Counter()
        self._authority = authority
        self._signin = SignIn(authority)
        self._authorize = AuthorizeEndpoint(authority, self._signin)
        self._admin_consent = AdminConsent(authority, self._signin)
        self._devices = DeviceLogin(authority, self._signin)
        self._tokens = TokenEndpoint(authority, self.calls)

    def answer(self, request: Request) -> Answer:
        """A document, a page or a token; anything else is 404."""
        kind = _kind(request)
        self.calls[kind] += 1
        try:
            return self._page(request) if kind in PAGES else Answer(200, compact(self._document(request)), HEADERS)
        except TokenError as refused:
            return self._problem(refused, request) if kind in PAGES else self._error(refused, request)
        except Refused as refused:
            return Answer(refused.status, refused.message.encode(), b"Content-Type: text/plain\r\n")

    def count(self, request: Request) -> None:
        """Counts a request that a fault answers."""
        self.calls["faulted"] += 1
        self.calls[_kind(request)] += 1
        if _kind(request) == "token":
            self.calls.update(_grants(request))

    def refusal(self, status: int, headers: bytes) -> Answer:
        """A planted fault in the token service's shape."""
        error = {429: "temporarily_unavailable", 503: "temporarily_unavailable"}.get(status, "server_error")
        refused = TokenError(90055, f"The sandbox was told to answer {status}.", error=error, status=status)
        answer = self._error(refused, None)
        return Answer(status, answer.body, answer.headers + headers)

    def delay_seconds(self, request: Request) -> float:
        """What an answer waits, beyond the latency of everything."""
        return self._authority.policy.token_delay_seconds if _kind(request) == "token" else 0.0

    def _document(self, request: Request) -> dict[str, Any]:
        base = base_of(request.host)
        tenant, _, rest = request.path.lstrip("/").partition("/")
        v2 = "v2.0" in rest
        match rest:
            case "oauth2/v2.0/token" | "oauth2/token":
                return self._tokens.answer(request, tenant, v2=v2)
            case "oauth2/v2.0/devicecode" | "oauth2/devicecode":
                return self._devices.code(request, tenant, v2=v2)
            case "v2.0/.well-known/openid-configuration" | ".well-known/openid-configuration":
                return discovery.openid_configuration(self._authority, base, tenant, v2=v2)
            case "discovery/v2.0/keys" | "discovery/keys":
                return discovery.keys(self._authority, base, tenant)
            case "discovery/instance":
                return discovery.instances(request, base)
        raise _not_found()

    def _page(self, request: Request) -> Answer:
        if request.method not in ("GET", "POST"):
            raise Refused(405, "method_not_allowed", "405: only GET and POST")
        match request.path:
            case path if path == ACCOUNT_PATH:
                return self._signin.choose(_posted(request))
            case path if path == PROOF_PATH:
                return self._signin.prove(_posted(request))
            case path if path == CONSENT_PATH:
                return self._signin.decide(_posted(request))
            case path if path == PAGE_PATH:
                return self._devices.page(request)
        tenant, _, rest = request.path.lstrip("/").partition("/")
        v2 = "v2.0" in rest
        match rest:
            case "oauth2/v2.0/authorize" | "oauth2/authorize":
                return self._authorize.answer(request, tenant, v2=v2)
            case "v2.0/adminconsent" | "adminconsent":
                return self._admin_consent.answer(request, tenant, v2=v2)
            case "oauth2/v2.0/logout" | "oauth2/logout" | "v2.0/logout":
                return self._log_out(request)
        raise _not_found()

    def _log_out(self, request: Request) -> Answer:
        """Ends the browser's session, never anybody's refresh tokens; goes only where an app is registered."""
        form = fields_of(request)
        self._signin.sign_out(request, form.get("logout_hint", ""))
        uri = form.get("post_logout_redirect_uri", "")
        if any(application.redirects_to(uri) for application in self._authority.applications.values()):
            return pages.redirect(uri, {"state": form["state"]} if "state" in form else {})
        return pages.message("You signed out of your account", "It's a good idea to close all browser windows.")

    def _problem(self, refused: TokenError, request: Request) -> Answer:
        moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(self._authority.clock.now()))
        return pages.problem(refused, moment, str(uuid.uuid4()), correlation_of(request))

    def _error(self, refused: TokenError, request: Request | None) -> Answer:
        correlation = correlation_of(request) if request else str(uuid.uuid4())
        found = document(refused, self._authority.clock.now(), correlation)
        return Answer(refused.status, compact(found), HEADERS)


def _posted(request: Request) -> dict[str, str]:
    if request.method != "POST":
        raise TokenError(900561)
    return fields_of(request)


def _not_found() -> Refused:
    return Refused(404, "not_found", "404: nothing is served here")


def _kind(request: Request) -> str:
    return KINDS.get(request.path.rpartition("/")[2], "other")


def _grants(request: Request) -> list[str]:
    """The grant type of a token request, if it has one that is known."""
    try:
        grant = GRANT_TYPES.get(fields_of(request).get("grant_type", ""))
    except TokenError:
        return []
    return [grant] if grant else []
