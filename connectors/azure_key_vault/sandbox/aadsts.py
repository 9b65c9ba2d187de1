"""The errors of the token service by their AADSTS number, and how they are written (Azure reference sheet, 1.14).

The table holds what every occurrence of a number shares; whoever raises one may say more. Numbers that the
sandbox has no cause of its own for (conditional access, throttling, passwords) can be planted: `Refusals`.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.azure_key_vault.sandbox.claims_request import POLICY_CLAIMS
from connectors.azure_key_vault.sandbox.errors import Refused

ENDPOINTS = ("token", "authorize")


class Known(NamedTuple):
    """What is the same in each occurrence: error, text, status, suberror, and the error on a redirect if another."""

    error: str
    text: str
    status: int = 400
    suberror: str = ""
    on_redirect: str = ""


ERRORS = {
    16000: Known("interaction_required", "Several accounts are signed in and none was selected."),
    28000: Known("invalid_request", "The input parameter scope contains more than one resource."),
    50011: Known("invalid_request", "The redirect URI in the request does not match those configured for the app."),
    50020: Known("invalid_grant", "The user account does not exist in the tenant and cannot access the app there."),
    50027: Known("invalid_client", "The JWT of the client assertion is malformed.", 401),
    50034: Known("invalid_grant", "The user account does not exist in the directory."),
    50049: Known("invalid_instance", "Unknown or invalid instance."),
    50053: Known("invalid_grant", "The account is locked: too many tries with a wrong password."),
    50055: Known("invalid_grant", "The password is expired.", 400, "user_password_expired"),
    50057: Known("invalid_grant", "The user account is disabled.", 400, "", "access_denied"),
    50058: Known("login_required", "A silent sign-in was asked for, but no user is signed in."),
    50076: Known("interaction_required", "You must use multi-factor authentication to go on.", 400, "basic_action"),
    50079: Known("interaction_required", "You must enrol in multi-factor authentication.", 400, "basic_action"),
    50105: Known("invalid_grant", "The user is not assigned to a role for the application.", 400, "", "access_denied"),
    50126: Known("invalid_grant", "Invalid username or password."),
    50147: Known("invalid_request", "The code challenge parameter is missing or malformed."),
    50148: Known("invalid_grant", "The code_verifier does not go with the authorization request."),
    50173: Known(
        "invalid_grant", "The grant was revoked; the user must sign in again.", 400, "bad_token", "login_required"
    ),
    50194: Known("invalid_request", "The application is not configured as multi-tenant; /common is not for it."),
    50196: Known("invalid_grant", "The server ended the operation: the client loops on the same request."),
    51004: Known("invalid_grant", "The user account does not exist in the directory of the tenant."),
    53003: Known("interaction_required", "Blocked by Conditional Access.", 400, "message_only", "access_denied"),
    54005: Known("invalid_grant", "The code was already redeemed; get a new one."),
    65001: Known(
        "invalid_grant", "The user or administrator has not consented.", 400, "consent_required", "consent_required"
    ),
    65004: Known("access_denied", "The user declined to consent to access the app."),
    70000: Known("invalid_grant", "The provided grant is invalid or malformed."),
    70002: Known("invalid_client", "Error validating credentials.", 401),
    70003: Known("unsupported_grant_type", "The app asked for an unsupported grant type."),
    70008: Known(
        "invalid_grant", "The provided authorization code or refresh token has expired.", 400, "token_expired"
    ),
    70011: Known("invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    70016: Known("authorization_pending", "Authorization is pending. Continue polling."),
    70018: Known("bad_verification_code", "The device code is not known."),
    70020: Known("expired_token", "The device code has expired."),
    70043: Known(
        "invalid_grant", "The sign-in frequency check has ended the refresh token.", 400, "bad_token", "login_required"
    ),
    90002: Known("invalid_request", "The tenant was not found. Check the tenant identifier."),
    90013: Known("invalid_request", "Invalid input received from the user."),
    90014: Known("invalid_request", "A required field is missing."),
    90023: Known("invalid_request", "A parameter has an unsupported value."),
    90055: Known("temporarily_unavailable", "The request is throttled: too many of them.", 429),
    90093: Known("access_denied", "The app needs permissions that only an administrator can grant."),
    90094: Known("access_denied", "The app needs the consent of an administrator."),
    500011: Known("invalid_resource", "The resource principal was not found in the tenant."),
    500112: Known("invalid_client", "The reply address is not the one of the authorization request.", 401),
    500113: Known("invalid_request", "No reply address is registered for the application."),
    501481: Known("invalid_grant", "The code_verifier does not match the code_challenge of the request."),
    530003: Known("interaction_required", "The device must be managed.", 400, "message_only", "access_denied"),
    650053: Known("invalid_client", "The application asked for a scope that does not exist on the resource."),
    650057: Known("invalid_resource", "The resource is not listed in the application's requested permissions."),
    700005: Known("invalid_grant", "The code was issued for another tenant."),
    700009: Known("invalid_request", "The reply address must be sent with the authorization code."),
    700016: Known("unauthorized_client", "The application was not found in the directory."),
    700021: Known("invalid_client", "The client assertion is for another application identifier.", 401),
    700023: Known("invalid_client", "The audience of the client assertion is not this authority.", 401),
    700024: Known("invalid_client", "The client assertion is not within its valid time range.", 401),
    700025: Known(
        "invalid_client", "Client is public: neither 'client_assertion' nor 'client_secret' belongs here.", 401
    ),
    700027: Known("invalid_client", "The client assertion failed signature validation.", 401),
    700051: Known("unsupported_response_type", "response_type 'token' is not enabled for the application."),
    700054: Known("unsupported_response_type", "response_type 'id_token' is not enabled for the application."),
    700082: Known("invalid_grant", "The refresh token has expired due to inactivity.", 400, "bad_token"),
    700084: Known("invalid_grant", "The refresh token of a single page app has expired.", 400, "bad_token"),
    700211: Known("invalid_client", "No federated identity record matches the assertion's issuer.", 401),
    700212: Known("invalid_client", "No federated identity record matches the assertion's audience.", 401),
    700213: Known("invalid_client", "No federated identity record matches the assertion's subject.", 401),
    900023: Known("invalid_request", "The tenant identifier is neither a valid DNS name, nor a valid external domain."),
    900144: Known("invalid_request", "A required parameter is missing."),
    900561: Known("invalid_request", "The endpoint only accepts POST requests."),
    900971: Known("invalid_request", "No reply address was provided."),
    901002: Known("invalid_request", "The 'resource' request parameter is not supported."),
    1002012: Known("invalid_scope", "For client credentials the scope must be a resource with the suffix /.default."),
    7000112: Known("unauthorized_client", "The application is disabled."),
    7000215: Known("invalid_client", "Invalid client secret provided. Send the secret's value, not its ID.", 401),
    7000218: Known("invalid_client", "The request body must contain 'client_assertion' or 'client_secret'.", 401),
    7000222: Known(
        "invalid_client",
        "The client secret keys are expired. https://aka.ms/NewClientSecret https://aka.ms/certCreds",
        401,
    ),
    9001023: Known("invalid_request", "The grant type is not supported over a shared endpoint. Use the tenant's own."),
    9002313: Known("invalid_request", "The request is malformed or invalid."),
}


SIGN_IN_AGAIN = {number for number, known in ERRORS.items() if known.error == "interaction_required"} - {16000}
"""With these come the claims that the next sign-in is to bring."""
ON_PAGE = frozenset({50011, 50020, 50034, 50053, 50055, 50057, 50105, 50126, 50194, 51004}) | {
    90002,
    500113,
    700016,
    900023,
    900971,
    7000112,
}
"""These never go back to an app: what cannot be trusted, and who cannot sign in."""


class TokenError(Refused):
    """An error of the token service: `number` is its AADSTS number, the rest is the table's unless given.

    `claims` is the claims request that the person's next sign-in is to bring.
    """

    def __init__(
        self,
        number: int,
        text: str = "",
        *,
        error: str = "",
        status: int = 0,
        suberror: str = "",
        subcode: str = "",
        claims: str = "",
    ) -> None:
        known = ERRORS[number]
        super().__init__(status or known.status, error or known.error, f"AADSTS{number}: {text or known.text}")
        self.number = number
        self.suberror = suberror or known.suberror
        self.subcode = subcode
        self.claims = claims or (POLICY_CLAIMS if number in SIGN_IN_AGAIN else "")

    @property
    def on_redirect(self) -> str:
        """The error as a redirect to the app names it."""
        return ERRORS[self.number].on_redirect or self.code


def document(refused: TokenError, now: float, correlation: str) -> dict[str, Any]:
    """The error as JSON."""
    moment = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    trace = str(uuid.uuid4())
    found = {
        "error": refused.code,
        "error_description": described(refused, moment, trace, correlation),
        "error_codes": [refused.number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={refused.number}",
    }
    if refused.suberror:
        found["suberror"] = refused.suberror
    if refused.claims:
        found["claims"] = refused.claims
    return found


def described(refused: TokenError, moment: str, trace: str, correlation: str) -> str:
    """The text with the trailer that Entra puts behind each."""
    return f"{refused.message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"


@dataclass(slots=True)
class Refusal:
    """An error that is to happen: where, for which grant (None: any), how often still."""

    number: int
    endpoint: str
    grant: str | None
    times: int


class Refusals:
    """Errors to order by number: `refusals.add(50076, endpoint="token", grant="refresh_token")`."""

    def __init__(self) -> None:
        self._planted: list[Refusal] = []
        self._lock = threading.Lock()

    def add(self, code: int, endpoint: str = "token", grant: str | None = None, times: int = 1) -> None:
        """Plants one; ValueError for a number or an endpoint that is not known."""
        if code not in ERRORS or endpoint not in ENDPOINTS:
            raise ValueError(f"no such refusal: {code} at {endpoint}")
        with self._lock:
            self._planted.append(Refusal(int(code), endpoint, grant, int(times)))

    def clear(self) -> None:
        """Takes all away."""
        with self._lock:
            self._planted.clear()

    def check(self, endpoint: str, grant: str | None = None) -> None:
        """Raises the error that is planted for such a request."""
        with self._lock:
            for refusal in self._planted:
                if refusal.endpoint == endpoint and refusal.grant in (None, grant) and refusal.times > 0:
                    refusal.times -= 1
                    raise TokenError(refusal.number)
