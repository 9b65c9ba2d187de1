"""The pages that people see: plain HTML forms without any script, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from http import HTTPStatus
from urllib.parse import urlencode

from connectors.azure_key_vault.sandbox.aadsts import TokenError
from connectors.azure_key_vault.sandbox.exchange import Answer
from connectors.azure_key_vault.sandbox.scopes import Delegated
from connectors.azure_key_vault.sandbox.users import User

HEADERS = (
    b"Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-cache\r\nPragma: no-cache\r\n"
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
    b"X-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
)
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem;color:#1b1b1b}"
    "button{font:inherit;padding:.5rem 1rem;margin:.25rem 0;display:block;width:100%;text-align:left}"
    "small{color:#555}"
)


def accounts(action: str, flow: str, application: str, users: Iterable[User], *, another: str) -> Answer:
    """Pick an account: each is a button; `another` is what the button for all the others sends, if there are any."""
    buttons = "".join(
        f'<button name="account" value="{escape(user.object_id)}" data-account="{escape(user.name)}">'
        f"{escape(user.display_name)}<br><small>{escape(user.mail)}</small></button>"
        for user in users
    )
    if another:
        buttons += f'<button name="account" value="{escape(another)}">Use another account</button>'
    body = f"<p>to continue to <strong>{escape(application)}</strong></p>{_form(action, flow, buttons)}"
    return _page("Pick an account", body)


def proof(action: str, flow: str, application: str, user: User) -> Answer:
    """A second proof, which whoever presses the button has given."""
    text = f"<p>{escape(user.mail)}</p><p><strong>{escape(application)}</strong> needs more to be sure that it's you. "
    text += "Approve the request on your other device.</p>"
    button = '<button name="step" value="approve">I have approved it</button>'
    return _page("Approve sign in request", text + _form(action, flow, button))


def consent(
    action: str, flow: str, application: str, user: User, wanted: Iterable[Delegated], *, everybody: str
) -> Answer:
    """What an app asks for, in plain words, to accept or to cancel.

    `everybody` is empty, "may" (an administrator may accept for the whole organization) or "must".
    """
    items = "".join(f"<li>{escape(delegated.words)}</li>" for delegated in wanted)
    asked = f"<p>This app would like to:</p><ul>{items}</ul>" if items else "<p>You have allowed this app before.</p>"
    choice = ""
    if everybody == "may":
        choice = '<p><label><input type="checkbox" name="organization" value="yes"> '
        choice += "Consent on behalf of your organization</label></p>"
    if everybody == "must":
        choice = "<p>If you accept, this app may do so for all users in your organization.</p>"
    buttons = '<button name="decision" value="accept">Accept</button>'
    buttons += '<button name="decision" value="cancel">Cancel</button>'
    body = f"<p>{escape(user.mail)}</p><p><strong>{escape(application)}</strong></p>{asked}"
    return _page("Permissions requested", body + _form(action, flow, choice + buttons))


def approval(action: str, flow: str, application: str, user: User) -> Answer:
    """A permission that only an administrator can grant; the only way is back."""
    text = f"<p>{escape(user.mail)}</p><p><strong>{escape(application)}</strong> needs permission to access resources "
    text += "in your organization that only an administrator can grant. Please ask an administrator to grant "
    text += "permission to this app before you can use it. AADSTS90094</p>"
    back = '<button name="decision" value="back">Return to the application without granting consent</button>'
    return _page("Need admin approval", text + _form(action, flow, back))


def user_code(action: str, typed: str, *, wrong: bool) -> Answer:
    """Asks for the code that a device shows."""
    hint = "<p>That code didn't work. Check the code and try again.</p>" if wrong else ""
    field = f'<p><input name="user_code" value="{escape(typed)}" autocomplete="off" aria-label="Code"></p>'
    button = '<button name="step" value="next">Next</button>'
    form = f'<form method="post" action="{escape(action)}">{field}{button}</form>'
    text = "<p>Enter the code displayed on your app or device.</p>"
    return _page("Enter code to allow access", hint + text + form)


def message(title: str, text: str) -> Answer:
    """A last page."""
    return _page(title, f"<p>{escape(text)}</p>")


def problem(refused: TokenError, moment: str, trace: str, correlation: str) -> Answer:
    """Something that cannot be sent back to any app."""
    text = f"<p>Sorry, but we're having trouble signing you in.</p><p>{escape(refused.message)}</p>"
    text += f"<p><small>Request Id: {escape(trace)}<br>Correlation Id: {escape(correlation)}<br>"
    text += f"Timestamp: {escape(moment)}</small></p>"
    return _page("Sign in", text, status=refused.status if refused.status >= HTTPStatus.BAD_REQUEST else 400)


def posted(uri: str, parameters: Mapping[str, str]) -> Answer:
    """The answer to an app by `form_post`: without scripts, somebody presses the button."""
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parameters.items()
    )
    form = f'<form method="post" action="{escape(uri)}">{fields}<button>Continue</button></form>'
    return _page("Working...", form)


def redirect(uri: str, parameters: Mapping[str, str], separator: str = "") -> Answer:
    """Sends the browser on, with parameters in the query, or behind another separator."""
    mark = separator or ("&" if "?" in uri else "?")
    target = f"{uri}{mark}{urlencode(parameters)}" if parameters else uri
    line = b"Location: " + target.encode("ascii", "xmlcharrefreplace") + b"\r\n"
    return Answer(302, b"", HEADERS + line)


def _form(action: str, flow: str, content: str) -> str:
    hidden = f'<input type="hidden" name="flow" value="{escape(flow)}">'
    return f'<form method="post" action="{escape(action)}">{hidden}{content}</form>'


def _page(title: str, body: str, status: int = 200) -> Answer:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    text = f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head>'
    text += f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    return Answer(status, text.encode(), HEADERS)
