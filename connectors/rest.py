"""The one place where calls to systems leave: host check, budget, token, retries, errors, counting.

A connector says what to call and what an error means; how the call travels (and how wide) can change here without
touching a connector.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.errors import HostNotAllowed, Throttled
from connectors.throttle import Budget
from iclients.answers import Answer
from iclients.challenges import claims_demanded
from iclients.clock import Clock
from iclients.errors import AnswerLost, MalformedAnswer, NotAuthorized, Recovery, RemoteError
from iclients.retrying import Retrying
from iclients.session import AuthorizedSession
from iclients.transport import Transport

CALL_RETRYING: Final = Retrying(attempts=8, total_seconds=180.0, base_seconds=0.5, max_wait_seconds=8.0)

_UNCLEAR: Final = frozenset({500, 502, 504})
"""After these nobody knows whether the request was carried out (RFC 9110 §15.6); after 503 it was not."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `kind` is its name in a run's counts, `weight` its class in the budget; `repeatable` says that
    carrying it out twice does no harm, so that a lost answer may be asked for again."""

    kind: str
    method: str
    url: str
    body: Any = field(default=None, repr=False)
    weight: str = "other"
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no error: its JSON (None where the body is empty), and what stands around it."""

    status: int
    headers: Mapping[str, str]
    document: Any = field(repr=False)
    retry_after_seconds: float | None = None


class RestClient:
    """Calls a JSON API as one connection. Safe to share between threads."""

    def __init__(
        self,
        *,
        transport: Transport,
        session: AuthorizedSession,
        budget: Budget,
        clock: Clock,
        is_allowed: Callable[[str], bool],
        explain: Callable[[Answer, Call], RemoteError],
        retrying: Retrying | None = None,
        watch: Callable[[Answer], None] | None = None,
    ) -> None:
        """`watch` sees every answer to a call: what its headers tell besides."""
        self._transport = transport
        self._session = session
        self._budget = budget
        self._clock = clock
        self._is_allowed = is_allowed
        self._explain = explain
        self._retrying = retrying or CALL_RETRYING
        self._watch = watch
        self._allowed_origins: set[str] = set()
        self._count_lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self.weights: dict[str, str] = {}
        """What answers have told of the cost of calls on one thing: its weight, by name."""

    @property
    def calls(self) -> Counter[str]:
        """How often each kind of call was made until now."""
        with self._count_lock:
            return self._calls.copy()

    def json(self, call: Call) -> Any:
        """The answer's JSON. Raises RemoteError: see `connectors.errors` and `iclients.errors` for what follows."""
        return self.exchange(call).document

    def exchange(self, call: Call) -> Reply:
        """The same with status and headers, for whom they matter: operations that go on after their answer."""
        self._check_host(call.url)
        self._session.token()  # here, because asking for one is retried on its own: retries would multiply
        return self._retrying.call(lambda: self._attempt(call), self._clock, lambda error: _may_repeat(error, call))

    def owe(self, weight: str, instead_of: str) -> None:
        """An answer tells that its call was of this weight, and it left as another: later calls wait for it."""
        self._budget.owe(weight, instead_of)

    def _check_host(self, url: str) -> None:
        """Every url is checked; those that begin like one that was allowed need no parsing again."""
        origin = _origin(url)
        if origin in self._allowed_origins:
            return
        if not self._is_allowed(url):
            raise HostNotAllowed(f"{origin} is not a host of this connection's cloud profile: no token was sent to it.")
        if url.startswith(f"{origin}/"):
            self._allowed_origins.add(origin)

    def _attempt(self, call: Call) -> Reply:
        token = self._session.token()
        answer = self._send(call, token.access_token.reveal())
        if answer.status == 401:
            renewed = self._session.renew(token, claims_demanded(answer))
            answer = self._send(call, renewed.access_token.reveal())
            if claims_demanded(answer):
                raise NotAuthorized(
                    f"{_origin(call.url)} demands more of the token than the provider gives, by a Conditional Access "
                    "policy: authorize the connection again, or ask an administrator which policy it is.",
                    code="claims_demanded",
                )
        if self._watch is not None:
            self._watch(answer)
        if answer.status == 429:
            self._budget.throttled(answer.retry_after_seconds)
            raise Throttled(f"{_origin(call.url)} asks for fewer calls (HTTP 429).", retry_after_seconds=0.0)
        if answer.status >= 300:
            raise self._explained(answer, call)
        self._budget.answered()
        return Reply(answer.status, answer.headers, _parsed(answer, call), answer.retry_after_seconds)

    def _send(self, call: Call, token: str) -> Answer:
        self._budget.take(call.weight)
        with self._count_lock:
            self._calls[call.kind] += 1
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body).encode()
        return self._transport.exchange(call.method, call.url, headers, body)

    def _explained(self, answer: Answer, call: Call) -> RemoteError:
        error = self._explain(answer, call)
        if answer.status in _UNCLEAR and not call.repeatable:
            return AnswerLost(f"{error} Whether it was carried out is not known.", code=error.code)
        if error.recovery is Recovery.RETRY and error.retry_after_seconds is None:
            error.retry_after_seconds = answer.retry_after_seconds
        return error


def _may_repeat(error: RemoteError, call: Call) -> bool:
    if isinstance(error, NotAuthorized) or error.recovery is not Recovery.RETRY:
        return False
    unclear = isinstance(error, AnswerLost | MalformedAnswer)
    return call.repeatable or not unclear


def _parsed(answer: Answer, call: Call) -> Any:
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"{_origin(call.url)} answered {call.kind} with something that is not JSON.") from error


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
