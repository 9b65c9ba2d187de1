"""Operations that go on after their answer: waited for within bounds, at the pace that the service asks for.

Where to ask is in the answer: `Azure-AsyncOperation`, else `Location`, else the resource itself tells its
`provisioningState`. Source: Azure, track asynchronous operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin

from connectors.azure_key_vault.control.arm import Arm, Inputs
from connectors.azure_key_vault.documents import part
from connectors.errors import BadInput, Conflict, Forbidden, HostNotAllowed, NotFound
from connectors.rest import Call, Reply
from iclients.errors import AnswerLost, Recovery, RemoteError

WAIT_SECONDS: Final = 300
MOST_SECONDS: Final = 3_600
FIRST_SECONDS: Final = 2.0
POLL_SECONDS: Final = 5.0
"""When to look again where the service does not say: soon at first, then rarely."""
LEAST_SECONDS: Final = 1.0
"""Nobody is asked more often, whatever `Retry-After` says."""

_SUCCEEDED: Final = "succeeded"
_ENDED_BADLY: Final = frozenset({"failed", "canceled", "cancelled"})


class Look(NamedTuple):
    """How an operation stands: its word, whether it is over, when to look again where the service says."""

    state: str
    is_over: bool
    again_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LongOperation:
    """Something that Azure has begun. `what` names it in sentences: "vault x to be purged"."""

    arm: Arm
    what: str
    wait_seconds: float = WAIT_SECONDS

    def follow(self, reply: Reply, url: str, after: Callable[[], Look] | None = None) -> bool | None:
        """Whether it is over: by where its answer says to ask, else by `after`. `url` is where it was begun.

        None: the app may not look. Raises Conflict where it ended badly, HostNotAllowed before a token leaves for
        another host, AnswerLost where looking fails.
        """
        is_status = "azure-asyncoperation" in reply.headers
        told = reply.headers.get("azure-asyncoperation") or reply.headers.get("location")
        if told and (is_status or reply.status == 202):
            link = self._checked(_joined(url, told))
            return self.until(
                lambda: self._status(link) if is_status else self._result(link), reply.retry_after_seconds
            )
        return self.until(after) if after else True

    def until(self, look: Callable[[], Look], first_seconds: float | None = None) -> bool | None:
        """Look until it is over; False where it is not within the time. What is waited for is told at every look."""
        monotonic = self.arm.clock.monotonic
        began = monotonic()
        seen = Look("InProgress", False, first_seconds) if first_seconds else self._look(look)
        pace, pause = POLL_SECONDS, FIRST_SECONDS
        while seen is not None and not seen.is_over:
            if seen.again_seconds is not None:
                pace = pause = max(LEAST_SECONDS, seen.again_seconds)
            spent = monotonic() - began
            if spent + pause > self.wait_seconds:
                return False
            if self.arm.progress:
                self.arm.progress(f"Waiting for {self.what}: {seen.state}, {spent:.0f} s.")
            self.arm.clock.sleep(pause)
            seen, pause = self._look(look), pace
        return None if seen is None else True

    def _look(self, look: Callable[[], Look]) -> Look | None:
        try:
            return look()
        except Forbidden:
            return None
        except RemoteError as error:
            if error.recovery is not Recovery.RETRY:
                raise
            message = f"{error} It was waiting for {self.what}, which goes on in Azure all the same: look later."
            raise AnswerLost(message, code=error.code) from error

    def _status(self, link: str) -> Look:
        reply = self._ask(link)
        state = _state(reply.document)
        self._judge(state, reply.document)
        return Look(_word(state), state.lower() == _SUCCEEDED, reply.retry_after_seconds)

    def _result(self, link: str) -> Look:
        reply = self._ask(link)
        if reply.status != 202:
            return Look("Succeeded", True)
        state = _state(reply.document)
        self._judge(state, reply.document)
        return Look(_word(state), False, reply.retry_after_seconds)

    def _ask(self, link: str) -> Reply:
        return self.arm.client.exchange(Call("operation", "GET", link))

    def _judge(self, state: str, document: Any) -> None:
        if state.lower() in _ENDED_BADLY:
            code = _word(part(document, "error").get("code"))
            message = f"Waiting for {self.what} ended as {_word(state)} {code}".rstrip()
            raise Conflict(f"{message}. Look at it before it is done again.", code="operation_failed")

    def _checked(self, link: str) -> str:
        if not self.arm.cloud.allows_arm(link):
            raise HostNotAllowed(f"{self.arm.host} wants to be asked about {self.what} on another host: it was not.")
        return link


def provisioning(look: Callable[[], Any]) -> Callable[[], Look]:
    """Looks at a resource until its `provisioningState` is the last one. Raises Conflict where that is a bad one."""

    def seen() -> Look:
        document = look()
        state = str(part(document, "properties").get("provisioningState") or "Succeeded")
        if state.lower() in _ENDED_BADLY:
            raise Conflict(f"Azure ended it as {_word(state)}: look at it, and do it again.", code="operation_failed")
        return Look(_word(state), state.lower() == _SUCCEEDED)

    return seen


def absence(look: Callable[[], Any]) -> Callable[[], Look]:
    """Looks until what was there is gone."""

    def seen() -> Look:
        try:
            return Look("Deleting", not look())
        except NotFound:
            return Look("Deleted", True)

    return seen


def _joined(url: str, told: str) -> str:
    """Where an answer says to ask; what is no address leads nowhere, which the check of the host then says."""
    try:
        return urljoin(url, told)
    except ValueError:
        return ""


def patience(inputs: Inputs) -> int:
    """How long `waitSeconds` lets us wait. Raises BadInput."""
    seconds = inputs.get("waitSeconds")
    if seconds is not None and not 0 <= seconds <= MOST_SECONDS:
        raise BadInput(f"waitSeconds is not between 0 and {MOST_SECONDS}.", parameter="waitSeconds")
    return WAIT_SECONDS if seconds is None else int(seconds)


def _state(document: Any) -> str:
    found = document.get("status") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found else "InProgress"


def _word(text: Any) -> str:
    """A state or a code is a word; anything else that a server puts there is not shown."""
    return text if isinstance(text, str) and text.isalnum() and len(text) <= 64 else ""
