"""Redaction: what a server says about us, without our secret in it, however it was written back.

A server that echoes a request does so by mistake, and in the encoding of its choice: the usual ones are undone until
nothing changes, and what still tells a secret is not shown at all. Whoever has the secret and wants to tell it can.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from iclients.credentials import ClientSecret
from iclients.model import IClient, Token
from iclients.secret import MASK

SENTENCE_LIMIT: Final = 300
READ_LIMIT: Final = 16_000
"""How much of a server's words is looked at."""

SHORTEST_SECRET: Final = 6
"""A shorter one would blacken words that have nothing to do with it."""

_SENT: Final = ("code", "code_verifier", "refresh_token", "device_code", "token", "client_assertion")
_ROUNDS: Final = 6
_MOST_READINGS: Final = 64


def client_secret(iclient: IClient) -> str | None:
    """The secret that is sent, where one is."""
    return iclient.credential.value.reveal() if isinstance(iclient.credential, ClientSecret) else None


def secrets_of(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """What a request sends that no error may repeat, besides the client's own secret."""
    found = (parameters.get(name, "") for name in _SENT)
    return tuple(secret for secret in found if len(secret) >= SHORTEST_SECRET)


def secrets_with(token: Token, iclient: IClient) -> tuple[str, ...]:
    """What no page may show of a token and of the client that it was given to."""
    values = (token.access_token, token.refresh_token, token.id_token)
    return tuple(filter(None, (client_secret(iclient), *(value.reveal() for value in values if value))))


def plain(text: object, limit: int = SENTENCE_LIMIT) -> str:
    """Somebody else's words as one line: printable, with single spaces, not too long; empty where they are no text."""
    words = text[:READ_LIMIT] if isinstance(text, str) else ""
    shown = "".join(character if character.isprintable() else " " for character in words)
    return " ".join(shown.split())[:limit]


def cleaned(text: str, iclient: IClient, sent: Collection[str] = ()) -> str:
    """The server's words, without our secrets, control characters, markup or endless length."""
    text = re.split(r"\s*Trace ID:", text[:READ_LIMIT], maxsplit=1)[0]
    for secret in filter(None, (client_secret(iclient), *sent)):
        for form in _echoes(iclient.client_id, secret):
            text = text.replace(form, MASK)
        if _is_told(secret, text):
            return "its words repeat the secret and are not shown"
    return plain(re.sub("[<>]", " ", text))


def repeats(text: str, secrets: Collection[str]) -> bool:
    """Whether one of these secrets can be read from the text; a short one only where the text is nothing else."""
    return any(text == secret or (len(secret) >= SHORTEST_SECRET and _is_told(secret, text)) for secret in secrets)


def _is_told(secret: str, text: str) -> bool:
    """Whether the secret can still be read from the text, however a server has written it."""
    readings = _readings(text)
    if readings is None:
        return True
    if len(secret) < SHORTEST_SECRET:
        alone = b64encode(_bytes(secret)).decode().rstrip("=")
        return any(secret in reading or alone in reading for reading in readings)
    squeezed, encoded, digits = _squeezed(secret), _in_base64(secret), _bytes(secret).hex()
    for reading in readings:
        letters = re.sub(r"\s", "", reading).replace("-", "+").replace("_", "/")
        found = any(part in letters for part in encoded) or digits in re.sub("0x|[^0-9a-f]", "", reading.lower())
        if found or secret in reading or (len(squeezed) >= SHORTEST_SECRET and squeezed in _squeezed(reading)):
            return True
    return False


def _readings(text: str) -> set[str] | None:
    """The text in every way in which escapes can be read, however deep; None where there is no end to it."""
    found = last = {text, "".join(filter(str.isprintable, text))}
    for _ in range(_ROUNDS):
        last = {decode(reading) for reading in last for decode in _DECODERS} - found
        if not last:
            return found
        found = found | last
        if len(found) > _MOST_READINGS:
            return None
    return None


def _unescaped(text: str) -> str:
    r"""JSON's and programs' escapes: \/ and \u0041 and \x41."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda found: chr(int(found[1] or found[2], 16)), text)
    return re.sub(r'\\([/"\\])', r"\1", text)


_DECODERS: Final[tuple[Callable[[str], str], ...]] = (unquote, unquote_plus, html.unescape, _unescaped)


def _squeezed(text: str) -> str:
    """What is left of a text that was spread, put into other letters of the same meaning or cased otherwise."""
    told = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in told if character.isprintable() and character not in " <>")


def _in_base64(secret: str) -> list[str]:
    """What every base64 of a text with this secret in it has, wherever in the text it stands."""
    made = []
    for before in range(3):
        data = b"\0" * before + _bytes(secret)
        made.append(b64encode(data).decode()[-(-before * 8 // 6) : len(data) * 8 // 6])
    return made


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _echoes(client_id: str, secret: str) -> list[str]:
    """How a secret that was sent may come back: as it is, encoded for a form, a page, JSON or Basic; longest first."""
    encoded = {secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), json.dumps(secret)[1:-1]}
    basic = {f"{client_id}:{secret}", f"{quote_plus(client_id)}:{quote_plus(secret)}"}
    return sorted(encoded | {b64encode(pair.encode()).decode() for pair in basic}, key=len, reverse=True)
