"""A visitor of Entra's pages: picks the account, decides, and says where that led. For tests, in any process.

    consent(url, user="ben", decision="cancel", ca_file="lab-ca.pem")

It reads the forms as a browser without scripts would; standard library only.
"""

from __future__ import annotations

import http.client
import http.cookies
import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

DECISIONS = ("accept", "cancel")
MAXIMUM_PAGES = 10
TIMEOUT_SECONDS = 30


class Stopped(Exception):
    """The pages do not lead back to the app; carries the last status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class Page(NamedTuple):
    """Status, place, headers and HTML of one answer."""

    status: int
    url: str
    location: str
    html: str


@dataclass
class Visitor:
    """A browser of sorts: keeps cookies from one visit to the next."""

    ca_file: str | Path | None = None
    cookies: dict[str, str] = field(default_factory=dict)

    def consent(self, url: str, user: str = "ada", decision: str = "accept", *, organization: bool = False) -> str:
        """Walks from an authorization URL to where the app is to go on; that URL is not followed.

        Args:
            user: the account to pick, by short name.
            decision: `accept` or `cancel`.
            organization: an administrator accepts for everybody.

        Returns:
            The redirect; of a `form_post`, its address with the fields as a query.

        Raises:
            Stopped: the pages end without a redirect: an error, or nobody of that name.
        """
        page = self._walk(self._open("GET", url), user, decision, {}, organization=organization)
        if not page.location:
            raise Stopped(page.status, _text(page.html))
        return page.location

    def enter_code(self, url: str, user_code: str, user: str = "ada", decision: str = "accept") -> str:
        """Types a device's user code on the page and decides; gives the text of the last page."""
        page = self._walk(self._open("GET", url), user, decision, {"user_code": user_code})
        if page.status != HTTPStatus.OK:
            raise Stopped(page.status, _text(page.html))
        return _text(page.html)

    def _walk(self, page: Page, user: str, decision: str, typed: dict[str, str], *, organization: bool = False) -> Page:
        if decision not in DECISIONS:
            raise ValueError(f"the decision is one of {', '.join(DECISIONS)}")
        asked: set[str] = set()
        for _ in range(MAXIMUM_PAGES):
            form = _Form(page.html)
            if page.location or page.status != HTTPStatus.OK or form.action is None:
                return page
            target = urljoin(page.url, form.action)
            if urlsplit(target)[:2] != urlsplit(page.url)[:2]:
                mark = "&" if "?" in target else "?"
                return page._replace(location=f"{target}{mark}{urlencode(form.hidden)}")
            fields = form.hidden | form.answer(user, decision, organization=organization)
            for name in form.inputs:
                if name in asked:
                    raise Stopped(page.status, _text(page.html))
                asked.add(name)
                fields[name] = typed.get(name, "")
            page = self._open("POST", target, urlencode(fields))
        raise Stopped(page.status, "the pages lead nowhere")

    def _open(self, method: str, url: str, body: str | None = None) -> Page:
        where = urlsplit(url)
        context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        connection = http.client.HTTPSConnection(where.netloc, context=context, timeout=TIMEOUT_SECONDS)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, where._replace(scheme="", netloc="", fragment="").geturl(), body, headers)
            response = connection.getresponse()
            html = response.read().decode(errors="replace")
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in http.cookies.SimpleCookie(line).items()}
        location = response.headers.get("Location", "")
        return Page(response.status, url, urljoin(url, location) if location else "", html)


def consent(
    url: str, user: str = "ada", decision: str = "accept", *, ca_file: str | Path | None, organization: bool = False
) -> str:
    """`Visitor.consent` of a visitor without cookies."""
    return Visitor(ca_file).consent(url, user, decision, organization=organization)


def enter_code(
    url: str, user_code: str, user: str = "ada", decision: str = "accept", *, ca_file: str | Path | None
) -> str:
    """`Visitor.enter_code` of a visitor without cookies."""
    return Visitor(ca_file).enter_code(url, user_code, user, decision)


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.hidden: dict[str, str] = {}
        self.inputs: list[str] = []
        self.accounts: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self.has_choice = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """html.parser: an element begins."""
        found = {name: value or "" for name, value in attrs}
        match tag, found.get("type", "text"):
            case "form", _:
                self.action = found.get("action", "")
            case "input", "hidden":
                self.hidden[found.get("name", "")] = found.get("value", "")
            case "input", "checkbox":
                self.has_choice = found.get("name") == "organization"
            case "input", _:
                self.inputs.append(found.get("name", ""))
            case "button", _ if "data-account" in found:
                self.accounts[found["data-account"]] = found.get("value", "")
            case "button", _ if "name" in found:
                self.buttons.append((found["name"], found.get("value", "")))

    def answer(self, user: str, decision: str, *, organization: bool) -> dict[str, str]:
        """The button that is pressed, and what goes with it."""
        if self.accounts:
            if user not in self.accounts and ("account", "another") in self.buttons:
                return {"account": "another"}
            if user not in self.accounts:
                raise Stopped(HTTPStatus.OK, f"no account {user!r}; there are {', '.join(self.accounts)}")
            return {"account": self.accounts[user]}
        extra = {"organization": "yes"} if organization and self.has_choice else {}
        if ("decision", decision) in self.buttons:
            return {"decision": decision} | extra
        return dict(self.buttons[:1])


class _Words(HTMLParser):
    """The words of a page without markup and style."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """html.parser: an element begins."""
        self._hidden = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        """html.parser: an element ends."""
        self._hidden = False

    def handle_data(self, data: str) -> None:
        """html.parser: text."""
        if not self._hidden and data.strip():
            self.words.append(data.strip())


def _text(html: str) -> str:
    words = _Words()
    words.feed(html)
    return " ".join(words.words)
