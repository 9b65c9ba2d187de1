"""A real browser, and what is noted of everything that it does: whatever no page of ours may do fails the test.

Source: Playwright for Python, `BrowserContext` events; Chromium words a violated Content-Security-Policy as a console error.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response, expect

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MILLISECONDS = 20_000
WIDE, MEDIUM, NARROW = 1440, 1024, 400
HEIGHT = 900
_LEFT = ("htmx:sendAbort", "htmx:afterRequest")
"""What htmx says of a request that was left behind: what goes wrong with one has other words besides."""
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (4\d\d)\b")


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """The browser that is installed. Chromium's sandbox is off for root only, who cannot have it."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, "There is no Chromium: run tests/install_browser."
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else [*FLAGS]
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    browser = playwright.chromium.launch(executable_path=path, args=flags)
    try:
        yield browser
    finally:
        browser.close()


class Watch:
    """Everything that went wrong in some browser contexts. `allow` says which refusals a test is about."""

    def __init__(self, *origins: str) -> None:
        self.origins = {_origin(one) for one in origins}
        self.wrong: list[str] = []
        self.refusals: set[int] = set()

    def allow(self, *statuses: int) -> None:
        """These answers belong to the story: 403, 404, 422, …"""
        self.refusals.update(statuses)

    def on(self, context: BrowserContext) -> None:
        """Note what this context does from now on."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"script error: {error.error}"))
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)

    def judge(self) -> None:
        """Raises AssertionError where anything was noted."""
        wrong, self.wrong = self.wrong, []
        assert wrong == [], "\n".join(wrong)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or message.text.startswith(_LEFT):
            return
        refused = _REFUSED.match(message.text)
        is_known = refused is not None and int(refused[1]) in self.refusals
        if not is_known:
            self.wrong.append(f"console {message.type}: {message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and _origin(request.url) not in self.origins:
            self.wrong.append(f"a request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        is_left = request.failure == "net::ERR_ABORTED" and _may_be_left(request)
        if not is_left:
            self.wrong.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        status = response.status
        if status >= 500 or (status >= 400 and status not in self.refusals):
            self.wrong.append(f"status {status}: {response.request.method} {response.url}")


class Visits:
    """Makes browser contexts: each is another browser of another person, and all are watched."""

    def __init__(self, browser: Browser, url: str, watch: Watch) -> None:
        self.browser, self.url, self.watch = browser, url, watch
        self._contexts: list[BrowserContext] = []

    def page(self, cookies: Any = None, *, width: int = WIDE, **options: Any) -> Page:
        """A page of a new browser in which these cookies are; `options` as Playwright's `new_context` has them."""
        context = self.browser.new_context(
            base_url=self.url,
            ignore_https_errors=True,  # the sandbox's certificates are its own
            locale="en-GB",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",  # no colour is on its way to another
            viewport={"width": width, "height": HEIGHT},
            storage_state=cookies,
            **options,
        )
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        self._contexts.append(context)
        self.watch.on(context)
        return context.new_page()

    def close(self) -> None:
        """Close all of them."""
        while self._contexts:
            self._contexts.pop().close()


def _may_be_left(request: Request) -> bool:
    """Whether leaving a page, or typing on, may leave this behind: all but a page that somebody waits for."""
    return request.resource_type != "document"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
