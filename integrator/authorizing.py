"""Save & authorize from the command line: where the person goes, where the callback arrives, how long it is waited for.

Where a server of this installation answers at the redirect URI, it receives the callback, and the command watches the
consent's row; otherwise the command itself receives it on loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from iclients.consent import WrongCallback
from iclients.errors import NotAuthorized, RemoteError
from integrator.bootstrap import Installation
from integrator.callback import Judge, Page, Receiver, receiving
from integrator.consenting import Authorized, Begun, Consenting
from integrator.errors import UserError
from integrator.preflight import is_served, redirect_uri_of, refuse_hopeless

POLL_SECONDS: Final = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a consent is wanted: for how long it is waited for, for whom, and what the provider is told of it."""

    timeout_seconds: float = 300.0
    hints: Mapping[str, str] = field(default_factory=dict)
    is_for_all: bool = False
    """An administrator's consent for everybody in the tenant, instead of a person's for the connection."""


class Authorizing:
    """Authorizes one connection. `say` tells the person where to go, `waiting` how many seconds are left."""

    def __init__(
        self, installation: Installation, name: str, say: Say, waiting: Callable[[float], None] = lambda left: None
    ) -> None:
        self._installation = installation
        self._name = name
        self._say = say
        self._waiting = waiting
        self._consenting = Consenting(installation)

    def run(self, wanted: Wanted) -> Authorized:
        """Take a person through the consent. Raises NotAuthorized where it does not end well: what was kept stays.

        Raises NotFoundHere; SettingsError where the connection needs no consent.
        """
        try:
            return self._run(wanted)
        except NotAuthorized:
            raise
        except RemoteError as error:  # whatever keeps it from being online ends with the same code
            raise NotAuthorized(str(error), code=error.code, recovery=error.recovery) from error

    def _run(self, wanted: Wanted) -> Authorized:
        if not wanted.is_for_all and self._consenting.auth_of(self._name) == "device_code":
            return self._consenting.by_device(self._name, self._show_code, wanted.timeout_seconds)
        if is_served(self._installation):
            return self._by_server(wanted)
        return self._by_loopback(wanted)

    def _by_server(self, wanted: Wanted) -> Authorized:
        refuse_hopeless(self._installation, self._name)
        begun = self._begin(redirect_uri_of(self._installation), wanted)
        self._say(f"Open: {begun.address}")
        clock = self._installation.clock
        ends_at = clock.monotonic() + wanted.timeout_seconds
        while (left := ends_at - clock.monotonic()) > 0:
            if done := self._consenting.outcome(self._name, begun.state):
                return done
            self._waiting(left)
            clock.sleep(min(POLL_SECONDS, left))
        raise self._nobody_came(wanted, redirect_uri_of(self._installation))

    def _by_loopback(self, wanted: Wanted) -> Authorized:
        ended: list[Authorized | RemoteError] = []

        def judge(callback: dict[str, list[str]]) -> Page:
            try:
                done = self._consenting.finish(callback, only=begun.state)
                ended.append(done)
            except WrongCallback as error:
                return Page(400, "This is not the callback that is waited for", str(error))
            except RemoteError as error:
                ended.append(error)
                return Page(200, "Not authorized", str(error))
            is_online = f"Connection {self._name} is online: close this page."
            return Page(200, "Authorized", done.message if wanted.is_for_all else is_online)

        with self._receiving(judge) as receiver:
            begun = self._begin(receiver.redirect_uri, wanted)
            self._say(f"Open: {begun.address}")
            left = wanted.timeout_seconds
            while left > 0 and not receiver.answered.wait(min(1.0, left)):
                left -= 1.0
                self._waiting(left)
            if not receiver.answered.is_set():
                raise self._nobody_came(wanted, redirect_uri_of(self._installation))
        return _result(ended[0])

    @contextmanager
    def _receiving(self, judge: Judge) -> Iterator[Receiver]:
        """The receiver on loopback. What keeps it from listening keeps the connection from being online."""
        with ExitStack() as stack:
            try:
                receiver = stack.enter_context(receiving(self._installation.config.public_url, judge))
            except UserError as error:
                raise NotAuthorized(str(error), code="no_receiver") from error
            yield receiver

    def _begin(self, redirect_uri: str, wanted: Wanted) -> Begun:
        if wanted.is_for_all:
            return self._consenting.begin_for_all(self._name, redirect_uri)
        return self._consenting.begin(self._name, redirect_uri, hints=wanted.hints)

    def _show_code(self, address: str, code: str) -> None:
        self._say(f"Open: {address}")
        self._say(f"Code: {code}")

    def _nobody_came(self, wanted: Wanted, redirect_uri: str) -> NotAuthorized:
        return NotAuthorized(
            f"Nobody came back within {wanted.timeout_seconds:.0f} s: start again, and compare the redirect URI "
            f"{redirect_uri} with what the provider has registered.",
            code="consent_timeout",
        )


def _result(ended: Authorized | RemoteError) -> Authorized:
    if isinstance(ended, RemoteError):
        raise ended
    return ended
