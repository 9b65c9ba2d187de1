"""How much somebody may send, and how slowly: nobody holds the server, and nothing that is long is a defect."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import pytest
from page_reader import Page
from test_access import views
from test_server import answering, running
from web_house import WebHouse

from iclients.secret import Secret
from integrator.accounts import LONGEST_PASSWORD, Accounts
from integrator.store.account_rows import writing_accounts
from integrator.web.server import ARRIVAL_SECONDS, LONGEST_HEADERS_BYTES, THREADS
from integrator.web.server import LONGEST_BODY_BYTES as LONGEST_OF_ALL_BYTES

PASSWORD = "correct horse battery staple"


def test_what_is_too_large_is_refused_by_every_view_that_takes_a_form(web: WebHouse) -> None:
    browser = web.signed_in()
    for view in views(web):
        if view.method == "POST" and "sign-out" not in view.path:
            answer = browser.post(view.path, data={"x": "y" * LONGEST_OF_ALL_BYTES, "form": "z"})
            assert answer.status_code == 413, view


@pytest.mark.parametrize(
    "data",
    [
        {f"field-{number}": "x" for number in range(3000)},
        {"scopes": ["s"] * 5000},
        {"name": "n" * 60_000},
        {"name": "\0\r\n\t\ufeff\U0001f600", "owner": "\x1b[31m"},
        {"settings.vault_url": "https://" + "a." * 20_000},
        {"settings.vault_url": "[" * 3000, "limits.calls": "9" * 5000},
    ],
    ids=["fields", "scopes", "name", "signs", "host", "brackets"],
)
def test_what_is_long_or_strange_is_a_mistake_and_no_defect(web: WebHouse, data: dict[str, str]) -> None:
    browser, began = web.signed_in(), perf_counter()
    usual = {"form": web.proof(browser), "connector": "azure-key-vault", "provider": "entra", "go": "close"}
    for path in ("/new/connection", "/new/connection/scopes", "/new/iclient", "/new/flow", "/connections/contoso/edit"):
        answer = browser.post(path, data=usual | data)
        assert answer.status_code in (200, 303, 409, 422), path
        if answer.mimetype == "text/html":
            assert "Something unforeseen" not in " ".join(Page(answer.text).words)
    assert perf_counter() - began < 20


@pytest.mark.parametrize("length", [300, 3000, 20_000])
def test_a_long_address_is_an_answer_like_any_other(web: WebHouse, length: int) -> None:
    browser, long = web.signed_in(), "x" * length
    for path in (
        f"/connections/{long}",
        f"/{long}",
        f"/runs?q={long}&flow={long}",
        f"/runs/{'9' * length}",
        f"/search?q={long}",
    ):
        assert browser.get(path).status_code in (200, 404), path[:20]
    cookies = f"theme={long}; zone={long}; integrator-browser={long}; integrator-session={long}"
    stranger = web.app.test_client(use_cookies=False)
    assert stranger.get("/", headers={"Cookie": cookies}).status_code == 303
    assert stranger.get("/sign-in", headers={"Cookie": cookies}).status_code == 200


@pytest.fixture
def house(web: WebHouse) -> WebHouse:
    link = Accounts(web.installation).first_link()
    assert link
    Accounts(web.installation).set_up(link.rsplit("/", 1)[1], "ada", Secret(PASSWORD))
    return web


def test_a_password_as_long_as_a_book_is_never_worked_on(house: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr("integrator.accounts.matches", lambda told, kept: bool(tried.append(len(told.reveal()))))
    browser = house.browser()
    long = "p" * (LONGEST_PASSWORD + 1)
    assert house.post(browser, "/sign-in", "/sign-in", name="ada", password=long).status_code == 422
    inside = house.signed_in()
    house.post(inside, "/account/password", old=long, password=PASSWORD + "1", again=PASSWORD + "1")
    assert tried == []


def test_a_name_that_nobody_has_costs_what_a_wrong_password_costs(
    house: WebHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrator.store import passwords

    worked: list[str] = []
    real = passwords.Argon2id.verify_phc_encoded

    def counted(told: bytes, kept: str) -> None:
        worked.append(kept.rpartition("$")[0].rpartition("$")[0])
        real(told, kept)

    monkeypatch.setattr(passwords, "Argon2id", SimpleNamespace(verify_phc_encoded=counted))
    house.user("ben")
    for name in ("ada", "nobody", "ben", "", "a b<c"):
        before = len(worked)
        assert house.post(house.browser(), "/sign-in", "/sign-in", name=name, password="wrong").status_code == 422
        assert len(worked) == before + 1, name
    assert len(set(worked)) == 1, "memory, time and lanes are the same"


def test_a_thousand_sessions_slow_nobody_down(house: WebHouse) -> None:
    user, now = house.user("ada"), house.installation.clock.now()
    with writing_accounts(house.installation.store) as rows:
        for _ in range(1000):
            rows.sessions.begin(user, now)
    browser = house.signed_in()
    browser.get("/account")
    began = perf_counter()
    page = browser.get("/account")
    assert perf_counter() - began < 0.5
    assert "In 1002 browsers" in " ".join(" ".join(Page(page.text).words).split()) or "1,002" in page.text
    assert house.post(browser, "/account/sign-out").status_code == 303


def half_sent(url: str, count: int) -> Iterator[socket.socket]:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    for number in range(count):
        made = socket.create_connection((host, int(port)), timeout=30)
        made.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + (b"\r\nslow" if number % 2 else b"X-Slow: ")
        )
        yield made


def test_who_sends_slowly_holds_no_thread_and_is_ended_in_the_end() -> None:
    with running(answering) as server, ExitStack() as open_ones:
        slow = [open_ones.enter_context(one) for one in half_sent(server.url, THREADS * 2)]
        address = server.url.removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok", "others are answered"
        real = server._now
        server._now = lambda: real() + ARRIVAL_SECONDS + 1
        for one in slow:
            one.sendall(b"a")
            one.settimeout(30)
        for one in slow:
            assert ended(one), "trickling keeps nothing open"
        server._now = real
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        connection.close()


def ended(one: socket.socket) -> bool:
    try:
        return one.recv(1000) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * LONGEST_HEADERS_BYTES + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * LONGEST_HEADERS_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
def test_what_no_browser_sends_is_refused_by_the_server(sent: bytes, status: int) -> None:
    with running(answering) as server:
        host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as made:
            made.sendall(sent)
            told = made.recv(4000)
    if b"Transfer-Encoding" in sent:
        assert told.startswith((b"HTTP/1.1 400", b"HTTP/1.1 200")) and told.count(b"HTTP/1.1") == 1
    else:
        assert told.startswith((f"HTTP/1.1 {status}".encode(), f"HTTP/1.0 {status}".encode())), told[:200]
    assert b"waitress" not in told.lower() or b"Server:" not in told, Path(__file__).name
