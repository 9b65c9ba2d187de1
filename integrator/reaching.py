"""Whether the public URL reaches this installation: it is asked for a proof that only this installation can give.

The answer is a keyed fingerprint of the challenge, so another server, or another installation, cannot give it by chance.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from integrator.store.store import Store

PATH: Final = "/.well-known/integrator"
CALLBACK_PATH: Final = "/callback"
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
TIMEOUT_SECONDS: Final = 5.0
_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Reached:
    """What stands at the public URL: this installation, or why not."""

    is_ours: bool
    why: str = ""


def proof(store: Store, challenge: str) -> str:
    """What this installation answers to a challenge. Raises ValueError where it is none."""
    if not CHALLENGE.fullmatch(challenge):
        raise ValueError("a challenge has 20 to 64 letters, digits, - and _")
    return store.seal.fingerprint(f"integrator public url {challenge}".encode())


def reached(store: Store, public_url: str) -> Reached:
    """Ask the public URL for the proof. It never raises: whatever goes wrong is the answer."""
    challenge = secrets.token_urlsafe(24)
    try:
        status, body = _get(f"{public_url}{PATH}?challenge={challenge}")
        told = json.loads(body).get("proof") if status == 200 else None
    except (OSError, http.client.HTTPException) as error:
        return Reached(False, f"nothing answers there ({type(error).__name__})")
    except (ValueError, RecursionError, AttributeError):
        return Reached(False, "something else answers there")
    if not isinstance(told, str) or not secrets.compare_digest(told.encode(), proof(store, challenge).encode()):
        return Reached(False, "another server or another installation answers there")
    return Reached(True)


def _get(url: str) -> tuple[int, bytes]:
    """One request without redirects, credentials or proxies: nothing in it is secret."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_BYTES)
    finally:
        connection.close()
