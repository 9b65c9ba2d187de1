"""Who calls the API: whoever bears a token of a user, in the header `Authorization`, and nowhere else (RFC 6750 §2.1).

Cookies are not looked at, so no page of another site can act for somebody who is signed in; a token in an address would
stand in logs and histories. A token is taken over http too: behind a proxy this server sees nothing else, and to refuse it
would come after it has crossed the network. So it is the proxy that must not listen without TLS.
"""

from __future__ import annotations

import re
from typing import Final

from flask import Response, g, request

from iclients.errors import Recovery
from iclients.secret import Secret
from integrator.access import User, may, verb_of
from integrator.accounts import Accounts, SignInRefused
from integrator.api.answers import Mistake, refused
from integrator.api.mistakes import NOT_ALLOWED
from integrator.web.addresses import caller
from integrator.web.current import installation

NOUN: Final = "connections"
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_REALM: Final = 'Bearer realm="integrator"'
_NO_TOKEN: Final = Mistake(
    401,
    code="no_token",
    message="No API token came along: send it as `Authorization: Bearer itg_...`; your account page makes one.",
    recovery=Recovery.REAUTHORIZE,
    headers={"WWW-Authenticate": _REALM},
)
_REFUSED: Final = Mistake(
    401,
    code="token_refused",
    message="This API token is unknown, has expired, or was taken back: make another one on your account page.",
    recovery=Recovery.REAUTHORIZE,
    headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
)


def let_in() -> Response | None:
    """The refusal of this request; None where its token is somebody's who may do this: then they are `g.person`."""
    found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        return refused(_NO_TOKEN)
    try:
        user = Accounts(installation()).by_token(Secret(found[1]), caller())
    except SignInRefused as error:
        return refused(_too_many(error.wait_seconds) if error.wait_seconds else _REFUSED)
    g.person = user
    return None if _may(user) else refused(NOT_ALLOWED)


def _may(user: User) -> bool:
    name = (request.view_args or {}).get("name", "")
    return may(user, verb_of(request.endpoint or "", request.method), NOUN, str(name))


def _too_many(seconds: int) -> Mistake:
    return Mistake(
        429,
        code="too_many_tries",
        message=f"Too many wrong tokens came from this address: send the right one, or wait {seconds} s.",
        recovery=Recovery.RETRY,
        wait_seconds=seconds,
    )
