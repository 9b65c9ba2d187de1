"""What can go wrong with a system, on top of `iclients.errors`: what its answers mean.

    RemoteError (iclients)
    ├── Refused                   the system said no
    │   ├── BadRequest            it does not take what we sent               skip
    │   ├── Forbidden             we may not do this                          skip
    │   ├── NotFound              it is not there                             skip
    │   └── Conflict              something stands in the way                 skip
    ├── Throttled                 too fast: later                             retry
    ├── Unavailable               it is not well: later                       retry
    └── HostNotAllowed            the host is not in the cloud profile        abort

    RecordError                   one record cannot be moved; the run goes on
    RunRefused                    a safety limit refuses the whole run; nothing was touched
    SettingsError                 the connection's settings cannot work
    └── BadInput                  an action is unknown, or one of its inputs cannot work; nothing was called

STATUS_ERRORS is the table from HTTP status to error, for systems that do not know better.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from iclients.errors import NotAuthorized, Recovery, RemoteError


class Refused(RemoteError):
    """The system said no to this one request."""

    code = "refused"
    recovery = Recovery.SKIP


class BadRequest(Refused):
    """The system does not take what we sent."""

    code = "bad_request"


class Forbidden(Refused):
    """We may not do this."""

    code = "forbidden"


class NotFound(Refused):
    """It is not there."""

    code = "not_found"


class Conflict(Refused):
    """Something stands in the way."""

    code = "conflict"


class Throttled(RemoteError):
    """Too many calls: the budget pauses and the call is made again."""

    code = "throttled"
    recovery = Recovery.RETRY


class Unavailable(RemoteError):
    """The system is not well."""

    code = "unavailable"
    recovery = Recovery.RETRY


class HostNotAllowed(RemoteError):
    """A token would have left for a host that the cloud profile does not name."""

    code = "host_not_allowed"


class RecordError(Exception):
    """One record cannot be moved: `str(error)` says why and what to do, without any value."""

    def __init__(self, message: str, *, code: str, recovery: Recovery = Recovery.SKIP) -> None:
        super().__init__(message)
        self.code = code
        self.recovery = recovery


class RunRefused(Exception):
    """A safety limit refuses the run before anything was changed."""


class SettingsError(Exception):
    """The connection, or what a flow asks of it, cannot work as it is written."""


class BadInput(SettingsError):
    """An action is unknown, or one of its inputs cannot work: `parameter` names it. Nothing was called."""

    def __init__(self, message: str, *, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


STATUS_ERRORS: Final[Mapping[int, type[RemoteError]]] = MappingProxyType(
    {
        400: BadRequest,
        401: NotAuthorized,
        403: Forbidden,
        404: NotFound,
        405: BadRequest,
        408: Unavailable,
        409: Conflict,
        410: NotFound,
        413: BadRequest,
        429: Throttled,
    }
)


def error_for(status: int) -> type[RemoteError]:
    """The error that an HTTP status alone means, whatever the body says."""
    if status >= 500:
        return Unavailable
    return STATUS_ERRORS.get(status, BadRequest)
