"""Parameters of requests that are ours alone: no setting and no preset says what stands in them.

What they decide is who asks, for whom, for what, and where the answer goes. Sources: RFC 6749 §4, RFC 7523 §2.2,
RFC 7636 §4, RFC 8628 §3, RFC 9101 §5, OAuth 2.0 Multiple Response Type Encoding Practices §2.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

RESERVED: Final = frozenset(
    {
        *("grant_type", "response_type", "response_mode", "request", "request_uri"),
        *("client_id", "client_secret", "client_assertion", "client_assertion_type"),
        *("code", "code_verifier", "code_challenge", "code_challenge_method"),
        *("refresh_token", "device_code", "token", "token_type_hint"),
        *("redirect_uri", "scope", "state", "nonce"),
        *("url", "body", "method", "headers", "auth", "timeout", "authorization_response"),
    }
)
"""Those of the standards, and the words by which libraries take the request itself."""

_NAME: Final = re.compile(r"[!-~]{1,100}")


def refused_in(parameters: Mapping[str, str]) -> list[str]:
    """The names that may not stand there, or whose text no request can carry."""
    return [
        name
        for name, text in parameters.items()
        if name.lower() in RESERVED or not _NAME.fullmatch(name) or not text.isprintable()
    ]
