"""The callback: where providers send people back to. Who comes with a consent that waits ends it; all others change nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

from flask import Blueprint, Response, abort, request, url_for

from connectors.errors import SettingsError
from iclients.consent import Parameters, WrongCallback
from iclients.errors import RemoteError
from integrator import return_urls
from integrator.consenting import Authorized, Consenting
from integrator.errors import NotFoundHere
from integrator.reaching import CALLBACK_PATH
from integrator.web import outcomes
from integrator.web.browsers import browser_secret
from integrator.web.current import installation, person
from integrator.web.messages import Message, page

LONGEST_QUERY: Final = 16_384
MOST_PARAMETERS: Final = 50

views: Final = Blueprint("callback", __name__)


@views.get(CALLBACK_PATH)
def ended() -> Response:
    """End the consent that this callback belongs to, and say how."""
    if request.method != "GET":
        abort(405)  # Flask lets HEAD in where GET is, and whoever only looks must not use anything up
    try:
        callback = _parameters()
        done = Consenting(installation()).finish(callback, browser=browser_secret())
    except WrongCallback as error:
        return page(outcomes.belongs_to_none(error))
    except RemoteError as error:
        return page(_with_way_back(outcomes.failed(error, callback), callback))
    except (SettingsError, NotFoundHere) as error:
        return page(_with_way_back(outcomes.impossible(str(error)), callback))
    if _may_return(done.return_to):
        return Response(status=303, headers={"Location": done.return_to})
    return page(replace(outcomes.authorized(done, _provider(done)), actions=_next_page(done.connection)))


def _next_page(name: str) -> tuple[tuple[str, str], ...]:
    """Where somebody who is signed in goes on; whoever came by a link has no page here."""
    return (("Go to the connection", url_for("connections.shown", name=name)),) if person() else ()


def _parameters() -> Parameters:
    """The query as `parse_qs` gives it. Raises WrongCallback where it is no callback's."""
    query = request.query_string.decode("latin-1")
    try:
        if len(query) > LONGEST_QUERY:
            raise ValueError
        return parse_qs(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise WrongCallback("This callback is longer than any provider's: start again from the connection.") from None


def _with_way_back(message: Message, callback: Parameters) -> Message:
    """The message with the way back that whoever made the link has named, where it is allowed still."""
    with installation().store.reading() as stored:
        return_to = stored.consent_states.return_to(callback["state"][0])
    if not _may_return(return_to):
        return message
    return replace(message, back_to=return_to, back_host=return_urls.host_of(return_to))


def _may_return(return_to: str) -> bool:
    return bool(return_to) and return_urls.allowed(return_to, installation().config.return_urls)


def _provider(done: Authorized) -> str:
    return installation().admission(done.connection).iclient.provider
