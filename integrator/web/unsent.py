"""What somebody sent when their session was over: kept until the same user has signed in, then shown again, never saved.

A view says that its form is kept. What is secret never is, nor what no page of ours has sent in that very session; and
whoever signs in as somebody else gets nothing of it. It lives where drafts live.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import current_app, g, request

from integrator.store.account_rows import reading_accounts
from integrator.web import drafts
from integrator.web.browsers import is_page_of_the_session_that_ended, session_token
from integrator.web.current import installation
from integrator.web.drafts import Sent

ARGUMENT: Final = "typed"
SECRET_WORDS: Final = frozenset({"form", "secret", "password", "passphrase", "old", "again", "token"})
"""A field is never kept whose name ends in one of these, after a dot or an underscore, whatever its view says."""
TOLD: Final = (
    "You had been signed out. What you typed is here again, and nothing of it was saved; a secret has to be typed anew."
)
_CURRENT: Final = "HX-Current-URL"

_View = TypeVar("_View", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class _Form:
    without: frozenset[str]
    address: Sequence[str]
    is_part: bool


_FORMS: Final[dict[Callable[..., object], _Form]] = {}


def kept_over_sign_in(
    *, without: Sequence[str] = (), address: Sequence[str] = (), is_part: bool = False
) -> Callable[[_View], _View]:
    """Keep the form that this view takes, but not the fields `without`.

    Its page stands at the same path, and finds it with `typed_again`; `address` are fields which that page is asked for
    with. `is_part`: the view takes the form while it is filled in, and the page is the one that the browser shows.
    """

    def marked(view: _View) -> _View:
        _FORMS[view] = _Form(frozenset(without), tuple(address), is_part)
        return view

    return marked


def is_kept(view: str) -> bool:
    """Whether the form of this view, by its endpoint, is kept."""
    return _form(view) is not None


def keep() -> str:
    """Keep what was sent to a view whose form is kept. Gives the address of the form's page, empty where nothing was."""
    form = _form(request.endpoint or "")
    if form is None or not is_page_of_the_session_that_ended():
        return ""
    with reading_accounts(installation().store) as rows:
        user_id = rows.sessions.user_of_ended(session_token(), installation().clock.now())
    if user_id is None:
        return ""
    back = _page(form)
    typed = ((name, text) for name, text in request.form.items(multi=True) if not _is_secret(form, name))
    token = drafts.keep_for(user_id, back, typed)
    return f"{back}{'&' if '?' in back else '?'}{ARGUMENT}={token}"


def typed_again() -> Sent | None:
    """What whoever is signed in had typed into this page's form; the page tells so."""
    draft = drafts.find(request.args.get(ARGUMENT, ""))
    if draft is None or urlsplit(draft.back).path != request.path:
        return None
    g.told_here = TOLD
    return draft.values()


def waits(address: str) -> bool:
    """Whether something that was typed is to be shown again at this address."""
    return f"{ARGUMENT}=" in urlsplit(address).query


def _form(view: str) -> _Form | None:
    found = current_app.view_functions.get(view)
    return None if found is None else _FORMS.get(found)


def _page(form: _Form) -> str:
    """Where the form's page is. What the browser shows is asked of it only for parts of pages, and taken as a path."""
    if form.is_part:
        shown = urlsplit(request.headers.get(_CURRENT, ""))
        path = shown.path.removeprefix(request.script_root) or "/"
        query = urlencode([pair for pair in parse_qsl(shown.query) if pair[0] != ARGUMENT])
        return f"{path}?{query}" if query else path
    told = {name: text for name in form.address if (text := request.form.get(name, ""))}
    return f"{request.path}?{urlencode(told)}" if told else request.path


def _is_secret(form: _Form, name: str) -> bool:
    last = name.lower().replace("-", "_").rpartition(".")[2].rpartition("_")[2]
    return name in form.without or last in SECRET_WORDS
