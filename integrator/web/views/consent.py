"""The consent link's page: somebody else sees who asks for what, goes on to the provider, once.

Looking at the page changes nothing, so that mail scanners and previews use nothing up. The link itself is a secret: it is
compared, used up, and never shown or logged.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, render_template

from connectors import registry as connectors
from connectors.errors import SettingsError
from iclients.errors import RemoteError
from integrator import return_urls
from integrator.consenting import Begun, Consenting
from integrator.errors import LinkRefused, NotFoundHere
from integrator.linking import PATH
from integrator.preflight import redirect_uri_of, refuse_hopeless
from integrator.store.consent_links import Link
from integrator.web.browsers import FORM_FIELD, browser_secret, form_proof, is_our_form, new_browser, remember
from integrator.web.current import installation
from integrator.web.messages import Message, page
from integrator.web.moments import moment
from integrator.web.outcomes import code_of, noted
from integrator.web.protection import let_forms_lead_to
from integrator.web.scope_words import in_words

views: Final = Blueprint("consent", __name__)

_BUSY_SECONDS: Final = 15
_under_way: Final[set[str]] = set()
_turn: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person is asked for."""

    connection: str
    system: str
    asked_by: str
    made_for: str
    app: str
    provider_host: str
    scopes: list[tuple[str, str]]
    ends_at: str
    ends_at_exactly: str


@views.get(f"{PATH}<token>")
def shown(token: str) -> Response:
    """Who asks for what. Nothing is used up."""
    try:
        link = _look(token)
        asked = _asked(link)
    except (LinkRefused, NotFoundHere, SettingsError, RemoteError) as error:
        return page(_refusal(error))
    browser = browser_secret() or new_browser()
    let_forms_lead_to(_followed(link))
    proof = form_proof(browser, token)
    answer = make_response(render_template("consent.html", asked=asked, field=FORM_FIELD, proof=proof))
    remember(answer, browser)
    return answer


@views.post(f"{PATH}<token>")
def begun(token: str) -> Response:
    """Use the link up, and send the person to the provider."""
    if not is_our_form(token):
        return page(_STRANGE_FORM)
    browser = browser_secret()
    try:
        with _alone(token) as is_alone:
            if not is_alone:
                return _busy()
            consent = _begin(_look(token), browser)
            _use(token)
    except (LinkRefused, NotFoundHere, SettingsError, RemoteError) as error:
        return page(_refusal(error))
    answer = Response(status=303, headers={"Location": consent.address})
    remember(answer, browser)
    return answer


@contextmanager
def _alone(token: str) -> Iterator[bool]:
    """Whether nobody else begins with this link now. Beginning asks a provider, which may be slow, and threads are few: who
    has one link must not hold them all."""
    with _turn:
        is_alone = token not in _under_way
        _under_way.add(token)
    try:
        yield is_alone
    finally:
        if is_alone:
            _under_way.discard(token)


def _busy() -> Response:
    answer = page(_TWICE)
    answer.headers["Retry-After"] = str(_BUSY_SECONDS)
    return answer


def _look(token: str) -> Link:
    if not installation().config.public_url:
        raise SettingsError("No consent can come back here, because INTEGRATOR_PUBLIC_URL is not set.")
    with installation().store.reading() as stored:
        return stored.consent_links.look(token, installation().clock.now())


def _begin(link: Link, browser: str) -> Begun:
    """Begin before the link is used up: where that fails, it can be tried again. What nobody is sent to ends unused."""
    here = installation()
    refuse_hopeless(here, link.connection, is_reached=True)
    return_to = link.return_to if return_urls.allowed(link.return_to, here.config.return_urls) else ""
    user = f"link:{link.made_for}" if link.made_for else ""
    return Consenting(here).begin(
        link.connection, redirect_uri_of(here), user=user, browser=browser, return_to=return_to
    )


def _use(token: str) -> None:
    """Of many who send the same form at the same time, one goes on. Raises LinkRefused for the others."""
    with installation().store.writing() as stored:
        stored.consent_links.use(token, installation().clock.now())


def _asked(link: Link) -> _Asked:
    admission = installation().admission(link.connection)
    connection, iclient, grants = admission.connection, admission.iclient, admission.grants()
    scopes = tuple(installation().connector(connection.name).scopes)
    title = connectors.connector(connection.connector).descriptor.title
    host = urlsplit(str(connection.settings.get("vault_url") or "")).netloc
    endpoint = grants.endpoints().need("authorization_endpoint", iclient.name)
    return _Asked(
        connection=connection.name,
        system=f"{title} at {host}" if host else title,
        asked_by=connection.owner or iclient.owner or link.made_by,
        made_for=link.made_for,
        app=iclient.client_id,
        provider_host=urlsplit(endpoint).netloc,
        scopes=in_words(iclient.provider, grants.provider.consent_scopes(iclient, scopes)),
        ends_at=moment(link.expires_at),
        ends_at_exactly=moment(link.expires_at, exactly=True),
    )


def _followed(link: Link) -> list[str]:
    """Where this page's form may end. Browsers hold every redirect after it against that, down to the way back; and
    providers send people on to hosts of their organizations, which nobody here can know."""
    origin = return_urls.origin_of(link.return_to)
    return ["https:", origin] if origin.startswith("http:") else ["https:"]


def _refusal(error: Exception) -> Message:
    if isinstance(error, LinkRefused):
        return Message(
            410,
            "This link does not work any more",
            str(error),
            "Ask whoever sent it to you for a new one: it takes them a minute.",
        )
    noted(error)
    if isinstance(error, RemoteError) and error.recovery == "retry":
        return Message(
            503,
            "The provider cannot be asked now",
            f"It gave no answer that could be used (code: {code_of(error)}).",
            "Wait some minutes, and open the link again: it still works.",
        )
    return Message(
        200,
        "This consent could not end well",
        f"Something must be changed before anybody can consent here (code: {code_of(error)}).",
        "Send this code to whoever sent you the link: Integrator's log has the whole reason, and `integrator connections "
        "preflight` shows it. The link still works once this is mended.",
    )


_TWICE: Final = Message(
    503,
    "This link is being followed already",
    "Somebody pressed its button a moment ago, perhaps you: the provider is being asked whether the consent can end well.",
    "Wait some seconds, and open the link again.",
)
_STRANGE_FORM: Final = Message(
    400,
    "This form did not come from our page",
    "Integrator sends people on only when they pressed the button on its own page, in the same browser, with cookies allowed.",
    "Open the link again, and press the button there. Allow cookies for this address.",
)
