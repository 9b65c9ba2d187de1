"""Browsers that are known, and passwords that wait for their turn: who knows a name keeps nobody out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from web_house import WebHouse, title
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.secret import Secret
from integrator.accounts import Accounts
from integrator.known_browsers import known_number, new_mark
from integrator.store import passwords
from integrator.store.passwords import AT_ONCE, MOST_WAITING, PasswordsBusy, Turns
from integrator.store.sign_in_tries import ACCOUNT, KNOWN

PASSWORD = "correct horse battery staple"
MARK = "integrator-known"


@pytest.fixture
def house(web: WebHouse) -> WebHouse:
    """An installation with one administrator, who has a password."""
    set_up(web, "ada")
    return web


def set_up(web: WebHouse, name: str) -> None:
    link = Accounts(web.installation).first_link() or Accounts(web.installation).add(name, "reader")
    Accounts(web.installation).set_up(link.rsplit("/", 1)[1], name, Secret(PASSWORD))


def sign_in(web: WebHouse, browser: FlaskClient, name: str = "ada", password: str = PASSWORD) -> TestResponse:
    return web.post(browser, "/sign-in", "/sign-in", name=name, password=password)


def mark_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie(MARK)
    return cookie.value if cookie else ""


def known_browser(web: WebHouse, name: str = "ada") -> FlaskClient:
    """A browser in which this user was signed in, and is so no more."""
    browser = web.browser()
    sign_in(web, browser, name)
    web.post(browser, "/sign-out")
    assert mark_of(browser)
    return browser


def tried_out(web: WebHouse, browser: FlaskClient | None = None, many: int = ACCOUNT.tries) -> None:
    """Somebody has used up every try for ada."""
    for _ in range(many):
        assert sign_in(web, browser or web.browser(), password="wrong").status_code == 422
    assert sign_in(web, browser or web.browser()).status_code == 429


def test_strangers_tries_do_not_keep_a_person_out_of_a_browser_that_is_known(house: WebHouse) -> None:
    mine = known_browser(house)
    tried_out(house)
    assert sign_in(house, mine).status_code == 303
    assert sign_in(house, house.browser()).status_code == 429, "strangers have gained nothing by it"


def test_a_known_browser_is_slowed_down_by_its_own_tries_and_no_other_is(house: WebHouse) -> None:
    mine, other = known_browser(house), known_browser(house)
    tried_out(house, mine, KNOWN.tries)
    assert sign_in(house, other).status_code == 303
    assert sign_in(house, house.browser()).status_code == 303


def test_a_browser_is_known_for_the_name_that_signed_in_there_alone(house: WebHouse) -> None:
    set_up(house, "ben")
    bens = known_browser(house, "ben")
    tried_out(house)
    assert sign_in(house, bens).status_code == 429


def test_a_new_password_makes_every_other_browser_a_stranger(house: WebHouse) -> None:
    old, here = known_browser(house), house.browser()
    sign_in(house, here)
    new = "another horse entirely"
    assert house.post(here, "/account/password", old=PASSWORD, password=new, again=new).status_code == 303
    house.post(here, "/sign-out")
    tried_out(house)
    assert sign_in(house, old, password=new).status_code == 429
    assert sign_in(house, here, password=new).status_code == 303


def test_strangers_tries_do_not_keep_who_is_signed_in_from_changing_the_password(house: WebHouse) -> None:
    here = house.browser()
    sign_in(house, here)
    tried_out(house)
    new = "another horse entirely"
    assert house.post(here, "/account/password", old=PASSWORD, password=new, again=new).status_code == 303


@pytest.mark.parametrize("mark", ["", "x", "A" * 22 + "." + "0" * 64, "é.é", "A" * 3000])
def test_a_mark_that_is_not_ours_makes_nobody_known(house: WebHouse, mark: str) -> None:
    tried_out(house)
    stranger = house.browser()
    stranger.set_cookie(MARK, mark)
    assert sign_in(house, stranger).status_code == 429


def test_a_mark_is_of_one_installation_one_name_and_one_password(house: WebHouse) -> None:
    seal = house.installation.store.seal
    mark = new_mark(seal, "ada", "hash")
    assert known_number(seal, mark, "ada", "hash")
    assert not known_number(seal, mark, "ben", "hash")
    assert not known_number(seal, mark, "ada", "other")
    assert not known_number(seal, new_mark(seal, "nobody", ""), "nobody", "")
    assert new_mark(seal, "ada", "hash") != mark


def test_a_mark_lets_nobody_in_and_is_for_no_script(house: WebHouse, sandbox: Sandbox, tmp_path: Path) -> None:
    mine = known_browser(house)
    assert mine.get("/account").status_code == 303
    [told] = [value for value in sign_in(house, mine).headers.getlist("Set-Cookie") if value.startswith(MARK)]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"} <= {*told.split("; ")}


def full(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """A queue of the application's own size, in which nobody stands yet."""
    made = Turns()
    monkeypatch.setattr(passwords, "TURNS", made)
    return made


@contextmanager
def crowd(turns: Turns, many: int) -> Iterator[None]:
    """So many strangers' passwords are tried, as far as they find a place, until the block ends."""
    is_over = threading.Event()

    def stand() -> None:
        with turns.turn(is_known=False):
            is_over.wait(30)

    with ThreadPoolExecutor(many) as pool:
        came = [pool.submit(stand) for _ in range(many)]
        while turns.here < many:
            assert not any(one.done() for one in came)
        try:
            yield
        finally:
            is_over.set()


def test_where_many_passwords_wait_a_stranger_is_sent_away_at_once(
    house: WebHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = full(monkeypatch)
    with crowd(turns, AT_ONCE + MOST_WAITING):
        for _ in range(ACCOUNT.tries + 1):
            answer = sign_in(house, house.browser())
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert "Many people sign in at this moment. Wait a few seconds, then try again." in answer.text
    assert PASSWORD not in answer.text
    assert sign_in(house, house.browser()).status_code == 303, "a password that nobody looked at was no try"
    assert turns.here == 0


def test_who_is_known_waits_behind_the_strangers_and_comes_in(house: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, turns = known_browser(house), full(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        with crowd(turns, AT_ONCE + MOST_WAITING):
            answer = pool.submit(sign_in, house, mine)
            while turns.here == AT_ONCE + MOST_WAITING:
                assert not answer.done()
        assert answer.result(30).status_code == 303


def test_for_who_is_known_too_there_are_only_so_many_places() -> None:
    turns = Turns(at_once=3, most_waiting=0)
    with crowd(turns, 3), pytest.raises(PasswordsBusy), turns.turn(is_known=True):
        pass
    assert turns.here == 0


def test_where_a_new_password_finds_no_place_the_page_says_so(house: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    here = house.browser()
    sign_in(house, here)
    monkeypatch.setattr(passwords, "TURNS", Turns(at_once=0, most_waiting=0))
    new = "another horse entirely"
    answer = house.post(here, "/account/password", old=PASSWORD, password=new, again=new)
    assert (answer.status_code, title(answer)) == (429, "Too many passwords are tried at this moment")
    assert here.get("/account").status_code == 200
