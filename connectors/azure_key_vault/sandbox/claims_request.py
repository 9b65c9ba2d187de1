"""A claims request: what a resource demands of an access token, and what a client asks of Entra to meet it.

JSON as in OpenID Connect Core 1.0, section 5.5 (Azure reference sheet, 1.5 and 5.3). Known are `xms_cc` (the client
takes claims challenges), `nbf` (no older than that), `acrs` (authentication contexts) and `capolids` (policies); the
last two need a second proof of a person. Others, and what is not essential, are ignored.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

CAPABILITY = "CP1"
POLICY_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["5a0d0ab4-sandbox"]}}}'
ENFORCED = frozenset({"nbf", "acrs"})


class ClaimsRequest(NamedTuple):
    """What is asked of the access token. `contexts` are alternatives: one of them is enough."""

    continuous: bool = False
    not_before: int = 0
    contexts: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()

    @property
    def needs_proof(self) -> bool:
        """Whether a person must prove more than once who they are."""
        return bool(self.contexts or self.policies)

    @property
    def step_up(self) -> str:
        """The claims that an app must bring to the person's next sign-in."""
        if not self.contexts:
            return POLICY_CLAIMS
        return json.dumps({"access_token": {"acrs": {"essential": True, "values": self.contexts}}})

    def is_met(self, token: dict[str, Any]) -> bool:
        """Whether a token with these claims is good enough."""
        has_context = not self.contexts or not set(self.contexts).isdisjoint(token.get("acrs", ()))
        return has_context and bool(token["nbf"] >= self.not_before)


NOTHING = ClaimsRequest()


def parse(text: str) -> ClaimsRequest:
    """Reads the `claims` parameter, empty for none; ValueError when it is no claims request."""
    if not text:
        return NOTHING
    try:
        document = json.loads(text)
    except RecursionError as problem:
        raise ValueError("the claims are nested too deeply") from problem
    if not isinstance(document, dict):
        raise ValueError("a claims request is a JSON object")
    return of_members(document.get("access_token", {}))


def of_members(members: Any) -> ClaimsRequest:
    """What stands under `access_token`; ValueError for a member that is neither null nor an object."""
    if not isinstance(members, dict) or not all(
        member is None or isinstance(member, dict) for member in members.values()
    ):
        raise ValueError("a claim is asked for by null or an object")
    declared = {str(value).upper() for value in _values(members.get("xms_cc"), essential=False)}
    moments = [int(value) for value in _values(members.get("nbf"))]
    return ClaimsRequest(
        CAPABILITY in declared,
        max(moments, default=0),
        tuple(str(value) for value in _values(members.get("acrs"))),
        tuple(str(value) for value in _values(members.get("capolids"))),
    )


def newer_than(now: float) -> str:
    """The demand for a token that was issued from now on."""
    return json.dumps({"access_token": {"nbf": {"essential": True, "value": str(int(now))}}}, separators=(",", ":"))


def _values(member: dict[str, Any] | None, *, essential: bool = True) -> list[str | int]:
    """The value or values of a member; none of one that is voluntary where only essential ones count."""
    if member is None:
        return []
    values = member.get("values", [member["value"]] if "value" in member else [])
    if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
        raise ValueError("the values of a claim are strings or numbers")
    return values if member.get("essential") is True or not essential else []
