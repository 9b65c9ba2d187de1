"""The proof of the demo: both vaults read back with the standard library alone, and compared.

Independent on purpose: nothing of the floors that moved the secrets is used to check them.
"""

from __future__ import annotations

import json
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from typing import Any, Final

_API: Final = "api-version=7.4"
_ATTRIBUTES: Final = ("enabled", "nbf", "exp")


@dataclass(frozen=True, slots=True)
class Proof:
    """How many secrets were compared, and which differ in what."""

    compared: int
    differences: tuple[tuple[str, str], ...]


def prove(lab: dict[str, Any], original: str, copy: str) -> Proof:
    """Compare every enabled secret of one vault with its copy in the other, and look for strangers in the copy."""
    with _reading(lab) as read:
        return _compared(read, lab, original, copy)


Read = Callable[[str], dict[str, Any]]


def _compared(read: Read, lab: dict[str, Any], original: str, copy: str) -> Proof:
    urls = {item["name"]: item["settings"]["vault_url"] for item in lab["connections"] if "settings" in item}
    names = [name for name, enabled in _names(read, urls[original]) if enabled]
    differences = [
        (name, what)
        for name in names
        if (what := _difference(_secret(read, urls[original], name), _secret(read, urls[copy], name)))
    ]
    strangers = {name for name, _ in _names(read, urls[copy])} - set(names)
    return Proof(len(names), (*differences, *((name, "being there at all") for name in sorted(strangers))))


@contextmanager
def _reading(lab: dict[str, Any]) -> Iterator[Read]:
    """Reads a URL as JSON, with a token of its own and one connection a host."""
    context = ssl.create_default_context(cafile=lab["clouds"][0]["ca_file"])
    headers = {"Authorization": f"Bearer {_token(lab, context)}"}
    connections: dict[str, HTTPSConnection] = {}

    def read(url: str) -> dict[str, Any]:
        parts = urllib.parse.urlsplit(url)
        connection = connections.setdefault(parts.netloc, HTTPSConnection(parts.netloc, context=context, timeout=30))
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    try:
        yield read
    finally:
        for connection in connections.values():
            connection.close()


def _token(lab: dict[str, Any], context: ssl.SSLContext) -> str:
    iclient = lab["iclients"][0]
    form = {
        "grant_type": "client_credentials",
        "client_id": iclient["client_id"],
        "client_secret": iclient["credential"]["client_secret"],
        "scope": f"{lab['clouds'][0]['vault_audience']}/.default",
    }
    url = f"{lab['clouds'][0]['authority']}/{iclient['tenant']}/oauth2/v2.0/token"
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, body, context=context, timeout=30) as answer:  # noqa: S310 - the sandbox's https
        token: str = json.load(answer)["access_token"]
    return token


def _names(read: Read, vault_url: str) -> Iterator[tuple[str, bool]]:
    link: str | None = f"{vault_url}/secrets?{_API}"
    while link:
        page = read(link)
        for item in page["value"]:
            yield item["id"].rsplit("/", 1)[1], item["attributes"]["enabled"]
        link = page["nextLink"]


def _secret(read: Read, vault_url: str, name: str) -> dict[str, Any]:
    return read(f"{vault_url}/secrets/{name}?{_API}")


def _difference(original: dict[str, Any], copy: dict[str, Any]) -> str | None:
    """In what two secrets differ, None if in nothing that counts."""
    if "value" not in copy:
        return "being there"
    for field in ("value", "contentType"):
        if (original.get(field) or None) != (copy.get(field) or None):
            return field
    if (original.get("tags") or {}) != (copy.get("tags") or {}):
        return "tags"
    return next(
        (name for name in _ATTRIBUTES if original["attributes"].get(name) != copy["attributes"].get(name)), None
    )
