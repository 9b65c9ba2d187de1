"""Parameters as forms and queries carry them: each at most once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl

from connectors.azure_key_vault.sandbox import claims_request
from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.claims_request import ClaimsRequest
from connectors.azure_key_vault.sandbox.exchange import Request

MAXIMUM_FIELDS = 100
LONGEST_CORRELATION = 100


def fields_of(request: Request) -> dict[str, str]:
    """The parameters of a GET's query or a POST's form; 90013 when one is given twice."""
    text = request.query if request.method == "GET" else request.body.decode("latin-1")
    pairs = pairs_of(text)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenError(90013, "A parameter was sent more than once.")
    return form


def pairs_of(text: str) -> list[tuple[str, str]]:
    """The parameters in their order; 90013 when they cannot be read."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAXIMUM_FIELDS, errors="strict")
    except ValueError as problem:
        raise TokenError(90013) from problem


def required(form: Mapping[str, str], name: str) -> str:
    """A parameter that must be there and not empty; 900144."""
    if not form.get(name):
        raise TokenError(900144, f"The request body must contain the following parameter: '{name}'.")
    return form[name]


def claims_of(form: Mapping[str, str]) -> ClaimsRequest:
    """What the `claims` parameter asks for; 90013 when it is no claims request."""
    try:
        return claims_request.parse(form.get("claims", ""))
    except ValueError as problem:
        raise TokenError(90013, "The 'claims' parameter is not valid JSON of a claims request.") from problem


def correlation_of(request: Request) -> str:
    """The `client-request-id` of the header or the query; made up if there is none."""
    sent = request.headers.get(b"client-request-id", b"").decode("latin-1")
    sent = sent or request.parameters.get("client-request-id", "")
    return sent[:LONGEST_CORRELATION] or str(uuid.uuid4())
