"""Challenges: what a resource server demands of the next token, read from its 401 (RFC 6750 §3, RFC 9110 §11.6.1).

Continuous access evaluation: `error="insufficient_claims"` with `claims`, base64 of a JSON object that the next token
request passes on. What cannot be read is no demand: the 401 then means what any other one means.
A 401 without more names an authority and a tenant in it. Only the tenant is taken, and only where the authority is the
cloud profile's own: everything else in a challenge is the word of whoever answers.
Source: Microsoft identity platform, "Claims challenges, claims requests, and client capabilities"; Key Vault,
"Authentication, requests and responses".
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, urlsafe_b64decode
from typing import Any, Final
from urllib.parse import urlsplit

from iclients.answers import Answer
from iclients.clouds import CloudProfile

MAX_CLAIMS: Final = 4096
MAX_NESTING: Final = 50
"""A demand is three objects deep; the JSON of one that goes on and on cannot be written again."""

MAX_CHALLENGE: Final = 4096
"""Characters of a challenge in which a tenant is looked for."""

_BEARER: Final = re.compile(r"(?:^|,)\s*bearer\s", re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLACE: Final = re.compile(r"/([^/]+)(?:/|/oauth2(?:/v2\.0)?/authorize)?")
_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{4,253}}$)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])")
_PARAMETER: Final = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


def claims_demanded(answer: Answer) -> str:
    """The JSON text of the claims that a 401 demands; empty where it demands none, or none that can be read."""
    if answer.status != 401:
        return ""
    header = answer.headers.get("www-authenticate", "")
    parameters = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(header)}
    text = parameters.get("claims", "").rstrip("=")
    if parameters.get("error") != "insufficient_claims" or not 0 < len(text) <= MAX_CLAIMS:
        return ""
    decode = urlsafe_b64decode if {"-", "_"} & set(text) else b64decode
    try:
        return as_demand(decode(text + "=" * (-len(text) % 4)).decode("utf-8"))
    except ValueError:
        return ""


def tenant_named(answer: Answer, cloud: CloudProfile) -> str:
    """The tenant that a 401 names, in lower case; empty where it names none, several, or one of another authority.

    `common` and its like are no tenant.
    """
    header = answer.headers.get("www-authenticate", "")
    if answer.status != 401 or len(header) > MAX_CHALLENGE or not _BEARER.search(_QUOTED.sub('""', header)):
        return ""
    parameters = ((name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(header))
    named = {_tenant_in(text, cloud) for name, text in parameters if name in ("authorization", "authorization_uri")}
    return named.pop() if len(named) == 1 else ""


def _tenant_in(address: str, cloud: CloudProfile) -> str:
    """The tenant of an address that is written as plainly as an authority writes it."""
    if not address.isascii() or set(address) & set("\\%?#@ \t") or not cloud.is_authority(address):
        return ""
    found = _PLACE.fullmatch(urlsplit(address).path)
    tenant = found[1].lower() if found else ""
    return tenant if _GUID.fullmatch(tenant) or _DOMAIN.fullmatch(tenant) else ""


def as_demand(text: str) -> str:
    """The same text where it is the JSON of claims that a token request can pass on; empty where it is not."""
    if len(text) > MAX_CLAIMS:
        return ""
    try:
        text.encode("utf-8")  # half of a surrogate pair fits into no request
        return text if _is_demand(json.loads(text, parse_constant=_no_number)) else ""
    except (ValueError, RecursionError):
        return ""


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_demand(claims: Any) -> bool:
    """Objects under the names that OpenID Connect Core 1.0 §5.5 gives them, not too deep."""
    is_flat = json.dumps(claims).count("{") + json.dumps(claims).count("[") <= MAX_NESTING
    return is_flat and isinstance(claims, dict) and all(isinstance(part, dict) for part in claims.values())
