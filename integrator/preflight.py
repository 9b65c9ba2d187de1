"""Preflight: what a consent needs, looked at before a person is sent away, so that no consent begins that cannot end.

It shows the exact redirect URI, asks the public URL for a proof that it is this installation, and opens the provider's
page as a browser would: a wrong redirect URI or an unknown app often stays on that page and never comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from connectors.errors import SettingsError
from iclients import consent
from iclients.errors import NotAuthorized, RemoteError
from iclients.grants import Grants
from iclients.provider import Refusal
from integrator.admission import Admission
from integrator.bootstrap import Installation
from integrator.findings import Finding
from integrator.reaching import CALLBACK_PATH, Reached, reached

LOOPBACK: Final = "http://127.0.0.1/callback"
PAGE_DEADLINE_SECONDS: Final = 15.0
PAGE_BYTES: Final = 1024 * 1024
_LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")
_AADSTS: Final = re.compile(rb"AADSTS([0-9]{4,9})")


class ConsentCannotEnd(NotAuthorized):
    """The consent that was asked for cannot end well."""

    code = "consent_cannot_end"


def preflight(installation: Installation, name: str, *, is_reached: bool = False) -> list[Finding]:
    """Everything that a consent of this connection needs, with the redirect URI that the provider must know.

    With `is_reached`, whoever asks came by the public URL, so it is not asked for its proof.
    Raises NotFoundHere; SettingsError where the connection has no iClient.
    """
    admission = installation.admission(name)
    if not admission.needs_consent:
        raise SettingsError(
            f"Connection {name} has auth: {admission.connection.auth}, for which nobody consents: "
            f"`integrator connections test {name}` says whether it works."
        )
    redirect_uri = redirect_uri_of(installation)
    return [
        Finding("redirect URI", True, f"register {redirect_uri} at the provider, exactly like this."),
        *_public_url(installation, is_reached),
        *_provider(installation, name, admission, redirect_uri),
    ]


def redirect_uri_of(installation: Installation) -> str:
    """Where providers send people back to: never guessed from a request."""
    public_url = installation.config.public_url
    return f"{public_url}{CALLBACK_PATH}" if public_url else LOOPBACK


def is_served(installation: Installation) -> bool:
    """Whether a server of this installation answers at the redirect URI."""
    public_url = installation.config.public_url
    return bool(public_url) and reached(installation.store, str(public_url)).is_ours


def refuse_hopeless(installation: Installation, name: str, *, is_reached: bool = False) -> None:
    """Raise ConsentCannotEnd with the first thing that is wrong, if any is."""
    found = preflight(installation, name, is_reached=is_reached)
    wrong = next((finding for finding in found if not finding.is_ok), None)
    if wrong is not None:
        raise ConsentCannotEnd(f"The consent of connection {name} cannot end well; {wrong.subject}: {wrong.sentence}")


def _public_url(installation: Installation, is_reached: bool) -> Iterator[Finding]:
    public_url = installation.config.public_url
    if public_url is None:
        yield Finding("public URL", True, "INTEGRATOR_PUBLIC_URL is not set: the command line receives the callback.")
        return
    parts = urlsplit(public_url)
    is_here = parts.hostname in _LOOPBACK_HOSTS
    if parts.scheme != "https" and not is_here:
        yield Finding("public URL", False, f"{public_url} is not https: set INTEGRATOR_PUBLIC_URL to an https address.")
        return
    told = Reached(True) if is_reached else reached(installation.store, public_url)
    if told.is_ours:
        yield Finding("public URL", True, f"{public_url} reaches this installation.")
    elif is_here and told.is_free and parts.scheme == "http":
        yield Finding("public URL", True, f"{public_url} is this machine: the command line receives the callback.")
    else:
        yield Finding(
            "public URL",
            False,
            f"{public_url} does not reach this installation, {told.why}: start `integrator serve`, or correct "
            "INTEGRATOR_PUBLIC_URL.",
        )


def _provider(installation: Installation, name: str, admission: Admission, redirect_uri: str) -> Iterator[Finding]:
    scopes = tuple(installation.connector(name).scopes)
    try:
        grants = admission.grants()
        iclient, provider = grants.iclient, grants.provider
        provider.check(iclient)
        needs_one = provider.traits(iclient).client_authentication != "none"
        if needs_one and iclient.credential is None:
            yield Finding("credential", True, f"iClient {iclient.name} has none: this works for public clients only.")
        provider.check_consent_scopes(iclient, scopes)
        endpoints = grants.endpoints()
        asked = provider.consent_scopes(iclient, scopes)
        pending = consent.begin(redirect_uri, asked, installation.clock.now())
        address = consent.address(pending, iclient, provider, endpoints)
        _look_at_page(grants, address)
    except RemoteError as error:
        yield Finding("provider", False, str(error))
        return
    yield Finding("provider", True, f"{urlsplit(address).netloc} shows its page to app {iclient.client_id}.")


def _look_at_page(grants: Grants, address: str) -> None:
    """Open the page without anybody's session. Raises NotAuthorized where the provider refuses before anyone signs in."""
    answer = grants.page(address, PAGE_DEADLINE_SECONDS, PAGE_BYTES)
    told = parse_qs(urlsplit(answer.headers.get("location", "")).query)
    codes = tuple(int(number) for number in _AADSTS.findall(answer.body[:PAGE_BYTES]))
    error = told.get("error", [""])[0][:100]
    if answer.status < 400 and not codes and error in ("", "login_required", "interaction_required"):
        return
    words = told.get("error_description", [f"its page answers HTTP {answer.status}"])[0][:200]
    raise grants.provider.explain(Refusal(answer.status, error or "refused_page", words, codes=codes), grants.iclient)
