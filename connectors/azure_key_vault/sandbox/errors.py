"""What the sandbox can say no with.

    PortTaken     the sandbox cannot listen where it was told to (an OSError)
    Refused       one request is answered with an error; carries status, code and inner code
    TokenRefused  an access token does not open this door; carries the reason as a word

`Refused` is turned into the JSON of the site that was asked (Azure reference sheet, section 6.1).
"""

from __future__ import annotations


class PortTaken(OSError):
    """The TCP port cannot be bound on 127.0.0.1; the text names it."""

    def __init__(self, port: int, cause: OSError) -> None:
        super().__init__(cause.errno, f"port {port} on 127.0.0.1 cannot be used: {cause.strerror or cause}")
        self.port = port

    def __str__(self) -> str:
        return str(self.strerror)


class Refused(Exception):
    """A request ends with this status and error."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner


class TokenRefused(Exception):
    """An access token is not accepted.

    `reason` is missing, malformed, signature, expired, early, audience, issuer, revoked or claims. `demanded` is the
    claims request that brings a better token; empty for a client that has not declared that it takes one.
    """

    def __init__(self, reason: str, message: str, *, demanded: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.demanded = demanded
