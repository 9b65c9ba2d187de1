"""Equality by meaning: whether what is wanted and what is there are one value, although they are written differently.

Equal means that nothing is written, so each rule may only overlook what nobody can mean: salts of a PFX, line wrapping
of PEM, order of keys and white space in JSON, and line ends where the import says so. JSON is taken as JSON only where
the content type says it: text that merely looks like it may be signed or hashed byte by byte, and a version too many
costs less than a change that never arrives. Whatever is odd (broken, locked with a password, too large, too deep) is
compared as the text it is. Nothing here raises, and nothing takes long. Both values are already in this process, and
nobody outside measures it, so comparing need not take constant time.
Source: RFC 7468 (PEM), RFC 8259 (JSON), RFC 7292 (PFX); azure.md §5.3 for the content types that a vault knows.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import Any, Final

"""How text is compared: as it is, or with CRLF, CR and LF alike and one newline at the end overlooked."""
LARGEST_CHARACTERS: Final = 262_144
"""Ten times what a vault takes; beyond it a value is text."""
DEEPEST_JSON: Final = 64
_PFX: Final = ("application/x-pkcs12", "application/pkcs12")
_PEM: Final = ("application/x-pem-file", "application/pem")
_BEGIN: Final = "-----BEGIN "
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9][A-Z0-9 ]{0,62})-----([^-]*)-----END \1-----")
_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_STEPS: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_NUMBER: Final = float("nan")
"""Marks a number: JSON has no NaN, so no other value can look like `[NaN, "1.0"]`. This one object equals itself."""


def equal(wanted: str, there: str, content_type: str | None = None, *, newlines: str = "exact") -> bool:
    """Whether both mean the same. Where it can tell no meaning, it compares the texts. Raises nothing."""
    if wanted == there:
        return True
    if content_type is None and newlines == "exact" and not (_is_armoured(wanted) and _is_armoured(there)):
        return False
    return _meaning(wanted, content_type, newlines) == _meaning(there, content_type, newlines)


def canonical(value: str, content_type: str | None = None, newlines: str = "exact") -> bytes:
    """One spelling for all values that are `equal`. It contains the value: for memory and keyed digests only."""
    kind, meaning = _meaning(value, content_type, newlines)
    if kind == "json":
        meaning = _ENCODER.encode(meaning)
    if isinstance(meaning, str):
        meaning = [meaning.encode("utf-8", "surrogatepass")]
    return kind.encode() + b"".join(len(part).to_bytes(4) + part for part in meaning)


def _meaning(value: str, content_type: str | None, newlines: str) -> tuple[str, Any]:
    """What kind of value it is, and what of it counts: two values are equal where this is."""
    declared = (content_type or "").partition(";")[0].strip().lower()
    kind = _kind(value, declared) if len(value) <= LARGEST_CHARACTERS else "text"
    try:
        if kind == "pfx":
            return kind, _pfx(value)
        if kind == "json":
            return kind, _json(value)
        if kind == "pem":
            return kind, _pem(value, declared.startswith(_PEM))
    except (ValueError, RecursionError):
        pass
    return "text", _text(value, newlines)


def _kind(value: str, declared: str) -> str:
    if declared in _PFX:
        return "pfx"
    if declared == "application/json" or declared.endswith("+json"):
        return "json"
    return "pem" if declared.startswith(_PEM) or _is_armoured(value) else "text"


def _text(value: str, newlines: str) -> str:
    if newlines != "any":
        return value
    return value.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _is_armoured(value: str) -> bool:
    return value.lstrip().startswith(_BEGIN)


def _pfx(value: str) -> tuple[bytes, ...]:
    from iclients import pfx  # reading certificates loads slowly, and most values are none

    return pfx.contents(_decoded(value))


def _pem(value: str, is_declared: bool) -> list[bytes]:
    """Text around the blocks is explanation where the content type says PEM (RFC 7468 §2), and odd elsewhere."""
    around = _BLOCK.sub("", value)
    if "-----" in around or (around.strip(" \t\r\n") and not is_declared):
        raise ValueError("there is more than blocks of PEM")
    blocks = [(label, _decoded(body)) for label, body in _BLOCK.findall(value)]
    if not blocks or any("ENCRYPTED" in label for label, _ in blocks):
        raise ValueError("the PEM has no block, or a locked one")
    return [part for label, der in _key_first(blocks) for part in (label.encode(), der)]


def _key_first(blocks: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """A chain's order has a meaning; where the one private key stands has none."""
    keys = [block for block in blocks if block[0].endswith("PRIVATE KEY")]
    return keys + [block for block in blocks if block not in keys] if len(keys) == 1 else blocks


def _decoded(text: str) -> bytes:
    return b64decode(b"".join(text.encode("ascii").split()), validate=True)


def _json(value: str) -> Any:
    """Raises ValueError where it is no JSON, or has a key twice, and where it is nested too deep."""
    if _depth(value) > DEEPEST_JSON:
        raise ValueError("the JSON is nested too deep")
    return _DECODER.decode(value)


def _depth(value: str) -> int:
    """Counted before it is read: what is too deep does not depend on how deep the caller stands."""
    if value.count("[") + value.count("{") <= DEEPEST_JSON:
        return 0
    deepest = depth = 0
    for found in _BRACKET.finditer(value):
        depth += _STEPS.get(found[0], 0)
        deepest = max(deepest, depth)
        if deepest > DEEPEST_JSON:
            break
    return deepest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two they take, so nobody can say what such an object means."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the JSON has a key twice")
    return found


def _number(text: str) -> tuple[float, str]:
    """As it is written: 1.0 is not 1 for everybody, and a long number survives no rounding."""
    return _NUMBER, text


def _no_number(text: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=_number, parse_int=_number, parse_constant=_no_number
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
