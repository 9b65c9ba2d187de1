"""Why Entra refuses a person, or the consent that they gave, and what to do about it: half of the table.

Suberrors stand for numbers that are not listed. Source: Microsoft identity platform, "Authentication and authorization
error codes", "Handle errors and exceptions in MSAL" (for the suberrors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iclients.reasons import Reason

_SIGN_IN_PAGE: Final = "in Entra under App registrations → Authentication"
_PERMISSIONS: Final = "in Entra under App registrations → API permissions"
_USERS: Final = "in Entra under Enterprise applications → Users and groups"

_CONSENT: Final[dict[int | str, Reason]] = {
    65001: Reason(
        "Nobody has consented to what iClient {iclient} asks for, or the consent was taken back",
        "authorize the connection again",
    ),
    65004: Reason("The person cancelled the consent for iClient {iclient}", "start the consent again and accept"),
    90094: Reason(
        "An administrator of tenant {tenant} must approve iClient {iclient}",
        "ask one to open the address that `integrator connections authorize NAME --for-everybody` prints",
    ),
    90093: Reason(
        "iClient {iclient} asks for permissions that only an administrator of tenant {tenant} can give",
        f"ask one to grant them {_PERMISSIONS}",
    ),
    54005: Reason("The code of the consent for iClient {iclient} was used before", "start the consent again"),
    70008: Reason(
        "The code or refresh token that Entra gave to iClient {iclient} has expired", "authorize the connection again"
    ),
    70000: Reason(
        "The code or refresh token of iClient {iclient} is not one that Entra gave to app {client_id}",
        "authorize the connection again with the client_id that the document has now",
    ),
    9002313: Reason(
        "Entra cannot read the request of iClient {iclient}",
        "check settings of iClient {iclient} for odd characters, then authorize the connection again",
    ),
    700082: Reason(
        "The consent for iClient {iclient} was not used for 90 days",
        "authorize the connection again, and let a flow use it more often",
    ),
    700084: Reason(
        "App {client_id} of iClient {iclient} is a single-page app, whose consents end after a day",
        f"register the redirect URI under Web instead {_SIGN_IN_PAGE}, and authorize the connection again",
    ),
    50173: Reason(
        "The consent for iClient {iclient} was revoked, by a new password or by an administrator",
        "authorize the connection again with the person's new sign-in",
    ),
    70043: Reason(
        "Tenant {tenant} wants people to sign in more often than iClient {iclient} did",
        "authorize the connection again, or ask its administrator for a longer sign-in frequency",
    ),
    501481: Reason(
        "The code of the consent for iClient {iclient} came from another sign-in than ours",
        "start the consent again and use one window only",
    ),
    50148: Reason(
        "The proof that iClient {iclient} began the consent itself (PKCE) was missing or malformed",
        "start the consent again; if it stays, look for a proxy that rewrites requests",
    ),
    50147: Reason(
        "The sign-in page did not take the PKCE challenge of iClient {iclient}",
        "open the address whole, without a line break or a missing end",
    ),
    700005: Reason(
        "The code of the consent is for another tenant than tenant {tenant} of iClient {iclient}",
        "sign in with an account of tenant {tenant}, or correct tenant in the document",
    ),
    70016: Reason("Nobody has typed the code of iClient {iclient} yet", "open the page and type the code"),
    70018: Reason("Entra does not know the device code of iClient {iclient}", "start the consent again for a new code"),
    70020: Reason("The code of iClient {iclient} was not typed in time", "start the consent again and type it sooner"),
}

_PERSON: Final[dict[int | str, Reason]] = {
    50076: Reason(
        "Tenant {tenant} wants a second proof (MFA) from the person who consented to iClient {iclient}",
        "authorize the connection again and give the second proof",
    ),
    50079: Reason(
        "The person who consented to iClient {iclient} has no second proof (MFA) registered in tenant {tenant}",
        "register one for this account, then authorize the connection again",
    ),
    50058: Reason(
        "Nobody is signed in, and iClient {iclient} asked Entra not to show a page",
        "remove settings.prompt none from the document and start the consent again",
    ),
    16000: Reason(
        "Several accounts are signed in, and iClient {iclient} named none of them",
        "set settings.login_hint, or settings.prompt select_account, in the document",
    ),
    50020: Reason(
        "The account is of another tenant, and is no guest in tenant {tenant} of iClient {iclient}",
        "sign in with an account of tenant {tenant}, or ask its administrator for an invitation",
    ),
    51004: Reason(
        "The account that signed in for iClient {iclient} is not in the directory of tenant {tenant}",
        "ask an administrator of tenant {tenant} to add it, or sign in with another one",
    ),
    50105: Reason(
        "The person is not assigned to app {client_id} in tenant {tenant}", f"ask an administrator to add them {_USERS}"
    ),
    53003: Reason(
        "A Conditional Access policy of tenant {tenant} blocks iClient {iclient}",
        "ask an administrator which policy it is: the sign-in log in Entra names it",
    ),
    530003: Reason(
        "A Conditional Access policy of tenant {tenant} lets iClient {iclient} in from managed devices only",
        "authorize the connection from a device that the tenant manages, or ask its administrator for an exception",
    ),
    50034: Reason("Tenant {tenant} of iClient {iclient} has no such account", "check the name of the account"),
    50126: Reason("The name or password typed for iClient {iclient} is wrong", "sign in again with the right ones"),
    50053: Reason(
        "The account that signs in for iClient {iclient} is locked in tenant {tenant}, after too many wrong passwords",
        "wait some minutes, or ask an administrator to unlock it",
    ),
    50055: Reason(
        "The password of the account that signs in for iClient {iclient} has expired",
        "set a new password at its sign-in page, then authorize the connection again",
    ),
    50057: Reason(
        "The account that consented to iClient {iclient} is disabled in tenant {tenant}",
        "ask an administrator to enable it, or authorize the connection with another one",
    ),
}

_SUBERRORS: Final[Mapping[str, Reason]] = {
    "consent_required": _CONSENT[65001],
    "basic_action": Reason(
        "Tenant {tenant} wants the person who consented to iClient {iclient} to do something at its sign-in page",
        "authorize the connection again and do what the page asks",
    ),
    "additional_action": Reason(
        "Tenant {tenant} wants something put right outside the sign-in page before iClient {iclient} is let in",
        "authorize the connection again: the page says what, and whom to ask",
    ),
    "message_only": Reason(
        "A rule of tenant {tenant} keeps iClient {iclient} out, and signing in again does not help",
        "ask an administrator of the tenant which rule it is",
    ),
    "bad_token": Reason(
        "The refresh token of iClient {iclient} is not good any more: it was revoked or has ended",
        "authorize the connection again",
    ),
    "token_expired": _CONSENT[70008],
    "client_mismatch": _CONSENT[70000],
    "user_password_expired": _PERSON[50055],
}
_WORDS: Final[dict[int | str, Reason]] = {
    "access_denied/cancel": _CONSENT[65004],
    "access_denied": Reason(
        "The consent for iClient {iclient} was declined", "start it again and accept, or ask an administrator"
    ),
    "permission_denied": Reason(
        "The administrator of tenant {tenant} declined the consent for iClient {iclient}",
        "ask the administrator why, then start it again",
    ),
    "consent_required": _CONSENT[65001],
}
_WITH_SUBERRORS: Final[dict[int | str, Reason]] = {
    f"{error}/{suberror}": reason
    for error in ("invalid_grant", "interaction_required")
    for suberror, reason in _SUBERRORS.items()
}

CONSENT_REASONS: Final[Mapping[int | str, Reason]] = {**_CONSENT, **_PERSON, **_WITH_SUBERRORS, **_WORDS}
"""Number, `error/suberror` or error → cause and next step."""
