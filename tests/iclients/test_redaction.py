"""A secret that a server writes back is not shown, in whichever of the usual ways it is written."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iclients.credentials import ClientSecret
from iclients.model import IClient
from iclients.redaction import READ_LIMIT, SENTENCE_LIMIT, cleaned, plain, repeats
from iclients.secret import Secret

SECRET = "kanarien-vogel+geheim/9%x"
APP = IClient("app", "generic", "me", credential=ClientSecret(Secret(SECRET)))


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent four times": lambda text: quote(quote(quote(quote(text, safe=""), safe=""), safe=""), safe=""),
    "percent all": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "entities twice": lambda text: html.escape("".join(f"&#{ord(character)};" for character in text)),
    "entities in percent": lambda text: quote("".join(f"&#{ord(character)};" for character in text)),
    "JSON": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON numbers": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "program's numbers": lambda text: "".join(f"\\x{ord(character):02X}" for character in text),
    "base64": base64_of,
    "base64, one later": lambda text: base64_of(f"x{text}y"),
    "base64, two later": lambda text: base64_of(f"xx{text}yy"),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "Basic": lambda text: base64_of(f"me:{text}"),
    "hex": lambda text: text.encode().hex(),
    "hex in pairs": lambda text: text.encode().hex(":").upper(),
    "spread": " ".join,
    "spread out of sight": "\u200b".join,
    "spread with markup": lambda text: f"{text[:8]}<{text[8:]}",
    "upper case": str.upper,
    "wide letters": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_found_however_it_is_written(way: str) -> None:
    written = f"you sent {WAYS[way](SECRET)}, which is wrong"
    assert repeats(written, [SECRET])
    shown = cleaned(written, APP)
    assert SECRET not in shown
    assert WAYS[way](SECRET) not in shown


@pytest.mark.parametrize("way", WAYS)
def test_words_that_repeat_nothing_stay(way: str) -> None:
    written = f"AADSTS1: nothing but {WAYS[way]('other words')}"
    assert not repeats(written, [SECRET])
    assert cleaned("AADSTS1: no+such 100% of it & more", APP) == "AADSTS1: no+such 100% of it & more"


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=40), st.text())
def test_no_secret_stays_where_it_stands_in_a_text(secret: str, before: str) -> None:
    app = IClient("app", "generic", "me", credential=ClientSecret(Secret(secret)))
    assert secret not in cleaned(f"{before} {secret}", app)
    assert repeats(f"{before} {quote(quote(secret))}", [secret])


def test_a_short_secret_blackens_no_words_that_have_it_in_them() -> None:
    assert repeats("read", ["read"])
    assert not repeats("read.all", ["read"])


def test_words_without_an_end_to_their_escapes_are_not_shown() -> None:
    assert repeats("%" + "25" * 50 + "41", [SECRET])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("\x1b]0;pwn\x07\x1b[2Jada", "]0;pwn [2Jada"),
        ("a\r\nOpen: https://phish.test/", "a Open: https://phish.test/"),
        ("\ud800x", "x"),
        ("\u202egnp.exe\u2028", "gnp.exe"),
        ({"a": [1]}, ""),
        (None, ""),
        (b"x", ""),
    ],
)
def test_somebody_elses_words_are_one_printable_line(words: object, shown: str) -> None:
    assert plain(words) == shown


@given(st.text(alphabet=st.characters()))
def test_no_words_are_more_than_a_line(words: str) -> None:
    for shown in (plain(words), cleaned(words, APP)):
        assert shown.isprintable()
        assert len(shown) <= SENTENCE_LIMIT
        shown.encode()


def test_endless_words_are_cut_before_they_are_read() -> None:
    assert len(cleaned("%41 " * READ_LIMIT * 20, APP)) <= SENTENCE_LIMIT
