"""A person at the pages of `oidc-provider`: signs in, types codes, decides, and says where that led.

It reads forms as a browser without scripts would, keeps cookies, and does not go where the app is to go on.
"""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from html.parser import HTMLParser
from http.client import HTTPMessage, HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import IO
from urllib.parse import urlencode, urljoin, urlsplit

MOST_PAGES = 12


class Stopped(Exception):
    """The pages ended where they should not have: the status and the text of the last one."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class OidcVisitor:
    """One browser with one person in it."""

    def __init__(self, ca_file: Path, user: str = "ada") -> None:
        self._user = user
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _HomeStaying(),
        )

    def consent(self, url: str, decision: str = "accept") -> str:
        """From an authorization URL to the address where the app is to go on, which is not opened.

        `decision` is accept or cancel. Raises Stopped where the pages end without such an address.
        """
        where, page = self._walk(url, decision, {})
        if page is not None:
            raise Stopped(200, page.text)
        return where

    def enter_code(self, url: str, code: str, decision: str = "accept") -> str:
        """Types a device's code and decides; gives the text of the last page. Raises Stopped."""
        where, page = self._walk(url, decision, {"user_code": code})
        if page is None:
            raise Stopped(302, where)
        return page.text

    def _walk(self, url: str, decision: str, typed: dict[str, str]) -> tuple[str, _Page | None]:
        where, page = self._open(url)
        has_typed = False
        for _ in range(MOST_PAGES):
            asks_for_code = page is not None and "user_code" in page.inputs
            if page is None or page.action is None or (asks_for_code and has_typed):
                return where, page
            has_typed = has_typed or asks_for_code
            if decision == "cancel" and page.cancel:
                where, page = self._open(urljoin(where, page.cancel))
                continue
            answers = {"login": self._user, **typed}
            filled = page.hidden | {name: answers.get(name, "") for name in page.inputs}
            where, page = self._open(urljoin(where, page.action), urlencode(filled).encode())
        raise Stopped(200, "the pages lead nowhere")

    def _open(self, url: str, form: bytes | None = None) -> tuple[str, _Page | None]:
        """Where the browser is then, and the page; none where it is to leave the server."""
        try:
            with self._browser.open(url, form, timeout=30) as answer:
                return answer.url, _Page(_text(answer))
        except urllib.error.HTTPError as error:
            with error:
                location = error.headers.get("Location")
                if error.code not in (302, 303) or not location:
                    raise Stopped(error.code, _Page(_text(error)).text) from None
                return location, None


class _HomeStaying(urllib.request.HTTPRedirectHandler):
    """Follows redirects within one server, and no other."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Page(HTMLParser):
    """The first form of a page, its way out, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.cancel = ""
        self.hidden: dict[str, str] = {}
        self.inputs: list[str] = []
        self._words: list[str] = []
        self._is_style = False
        self.feed(html)

    @property
    def text(self) -> str:
        """What can be read on it."""
        return " ".join(self._words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._is_style = tag == "style"
        if tag == "form" and self.action is None:
            self.action = found["action"]
        elif tag == "input" and found.get("type") == "hidden":
            self.hidden[found["name"]] = found["value"]
        elif tag == "input":
            self.inputs.append(found["name"])
        elif tag == "a" and found.get("href", "").endswith("/abort"):
            self.cancel = found["href"]

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_style:
            self._words.append(data.strip())


def _text(answer: HTTPResponse | urllib.error.HTTPError) -> str:
    return answer.read().decode()
