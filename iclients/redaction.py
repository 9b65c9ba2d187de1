"""Redaction: what a server says about us, without our secret in it, however it was written back."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from iclients.credentials import ClientSecret
from iclients.model import IClient
from iclients.secret import MASK

SENTENCE_LIMIT: Final = 300
SHORTEST_SECRET: Final = 6
"""A shorter one would blacken words that have nothing to do with it."""

_SENT: Final = ("code", "code_verifier", "refresh_token", "device_code", "token", "client_assertion")


def client_secret(iclient: IClient) -> str | None:
    """The secret that is sent, where one is."""
    return iclient.credential.value.reveal() if isinstance(iclient.credential, ClientSecret) else None


def secrets_of(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """What a request sends that no error may repeat, besides the client's own secret."""
    found = (parameters.get(name, "") for name in _SENT)
    return tuple(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def cleaned(text: str, iclient: IClient, sent: Collection[str] = ()) -> str:
    """The server's words, without our secrets, control characters, markup or endless length."""
    text = re.split(r"\s*Trace ID:", text, maxsplit=1)[0]
    for secret in filter(None, (client_secret(iclient), *sent)):
        for form in _echoes(iclient.client_id, secret):
            text = text.replace(form, MASK)
        if _is_told(secret, text):
            return "its words repeat the secret and are not shown"
    shown = "".join(character if character.isprintable() and character not in "<>" else " " for character in text)
    return " ".join(shown.split())[:SENTENCE_LIMIT]


def _is_told(secret: str, text: str) -> bool:
    """Whether the secret can still be read from the text, however a server has written it."""
    printable = "".join(filter(str.isprintable, text))
    readings = {form(shown) for shown in (text, printable) for form in (unquote, unquote_plus, html.unescape)}
    alone = b64encode(secret.encode()).decode().rstrip("=")
    return any(secret in reading.replace("\\/", "/") or alone in reading for reading in readings)


def _echoes(client_id: str, secret: str) -> list[str]:
    """How a secret that was sent may come back: as it is, encoded for a form, a page, JSON or Basic; longest first."""
    encoded = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
    basic = {f"{client_id}:{secret}", f"{quote_plus(client_id)}:{quote_plus(secret)}"}
    return sorted(encoded | {b64encode(pair.encode()).decode() for pair in basic}, key=len, reverse=True)
