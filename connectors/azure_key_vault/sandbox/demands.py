"""What resources demand of tokens beyond being genuine: continuous access evaluation (Azure reference sheet, 5.3).

A token that lacks what is demanded is refused. Only a client that has declared CP1 hears what is missing, and
gets it by asking Entra for a new token with these claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from connectors.azure_key_vault.sandbox.claims_request import ENFORCED, ClaimsRequest, newer_than, of_members
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.errors import TokenRefused


class Demand(NamedTuple):
    """What one host (None: every vault, and ARM) demands; `text` is what it says in its challenge."""

    host: str | None
    request: ClaimsRequest
    text: str


class Demands:
    """The demands that hold now. Nothing is looked at while there are none."""

    def __init__(self, clock: Clock, hosts: Iterable[str]) -> None:
        self.planted: list[Demand] = []
        self._clock = clock
        self._hosts = frozenset(hosts)

    def add(self, claims: dict[str, Any] | None = None, *, host: str | None = None) -> None:
        """Demands one more thing: `{"acrs": {"essential": True, "value": "c1"}}`; a token issued from now on for None.

        Raises:
            ValueError: no such host, or an essential claim that no token of the sandbox can have.
        """
        if host is not None and host not in self._hosts:
            raise ValueError(f"no such host: {host}; there are {', '.join(sorted(self._hosts))}")
        if claims is None:
            claims = json.loads(newer_than(self._clock.now()))["access_token"]
        request = of_members(claims)
        essential = {name for name, member in claims.items() if member is not None and member.get("essential") is True}
        if not essential or essential - ENFORCED:
            raise ValueError(f"what is essential must be of {', '.join(sorted(ENFORCED))}")
        text = json.dumps({"access_token": claims}, separators=(",", ":"))
        self.planted = [*self.planted, Demand(host, request, text)]

    def clear(self) -> None:
        """Demands nothing any more."""
        self.planted = []

    def check(self, host: str, token: dict[str, Any]) -> None:
        """Refuses a token that lacks something; the refusal says what, if the client can hear it."""
        for demand in self.planted:
            if demand.host in (None, host) and not demand.request.is_met(token):
                text = demand.text if "xms_cc" in token else ""
                raise TokenRefused("claims", "the token lacks claims that are demanded here", demanded=text)
