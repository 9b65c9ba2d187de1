"""Signing in: who gets a session, how often one may try, and when a session is over."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from web_house import SESSION, WebHouse, title
from werkzeug.test import TestResponse

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.secret import Secret
from integrator.access import READER
from integrator.accounts import Accounts, SignInRefused, check_password
from integrator.errors import BadUsage, InUse, LinkRefused
from integrator.store.account_rows import reading_accounts, writing_accounts
from integrator.store.passwords import hashed, is_outdated, matches
from integrator.store.sign_in_tries import ACCOUNT, ADDRESS

PASSWORD = "correct horse battery staple"


@pytest.fixture
def house(web: WebHouse) -> WebHouse:
    """An installation with one administrator, who has a password."""
    link = Accounts(web.installation).first_link()
    assert link
    Accounts(web.installation).set_up(link.rsplit("/", 1)[1], "ada", Secret(PASSWORD))
    return web


def sign_in(
    web: WebHouse, browser: FlaskClient, name: str = "ada", password: str = PASSWORD, **data: str
) -> TestResponse:
    return web.post(browser, "/sign-in", "/sign-in", name=name, password=password, **data)


def session_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie(SESSION)
    return cookie.value if cookie else ""


def later(web: WebHouse, seconds: float) -> None:
    now = web.installation.clock.now
    web.installation.clock.now = lambda: now() + seconds  # type: ignore[method-assign]


def test_name_and_password_begin_a_session_however_the_name_is_written(house: WebHouse) -> None:
    browser = house.browser()
    answer = sign_in(house, browser, " ADA ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.get("/").status_code == 200
    assert "Sign out" in browser.get("/").text


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("", ""), ("ada", ""), ("ada", "x" * 5000)]
)
def test_what_is_wrong_is_not_told(house: WebHouse, name: str, password: str) -> None:
    browser = house.browser()
    answer = sign_in(house, browser, name, password)
    assert (answer.status_code, session_of(browser)) == (422, "")
    assert "do not belong together" in answer.text
    assert not password or password not in answer.text


def test_a_user_without_a_password_cannot_sign_in(house: WebHouse) -> None:
    house.user("ben")
    assert sign_in(house, house.browser(), "ben", "").status_code == 422


def test_a_session_that_was_known_before_is_not_the_one_after(house: WebHouse) -> None:
    browser = house.browser()
    browser.set_cookie(SESSION, "f" * 43)
    sign_in(house, browser)
    first = session_of(browser)
    assert first not in ("", "f" * 43)
    house.post(browser, "/sign-out")
    sign_in(house, browser)
    assert session_of(browser) != first
    attacker = house.browser()
    for token in ("f" * 43, first):
        attacker.set_cookie(SESSION, token)
        assert attacker.get("/account").status_code == 303


def test_signing_in_gives_the_browser_a_new_secret_and_signing_out_takes_it(house: WebHouse) -> None:
    browser = house.browser()
    browser.get("/sign-in")
    before = browser.get_cookie("integrator-browser")
    sign_in(house, browser)
    after = browser.get_cookie("integrator-browser")
    assert before and after and before.value != after.value
    house.post(browser, "/sign-out")
    assert browser.get_cookie("integrator-browser") is None
    assert browser.get_cookie(SESSION) is None


def test_the_database_holds_neither_session_nor_password_nor_link(house: WebHouse) -> None:
    browser = house.browser()
    sign_in(house, browser)
    link = Accounts(house.installation).add("ben", READER)
    for path in (house.folder / "home").rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            for secret in (session_of(browser), PASSWORD, link.rsplit("/", 1)[1]):
                assert secret.encode() not in held, path


def test_cookies_are_for_this_host_and_no_script(house: WebHouse, sandbox: Sandbox, tmp_path: Path) -> None:
    told = [value for name, value in sign_in(house, house.browser()).headers if name == "Set-Cookie"]
    assert all({"HttpOnly", "SameSite=Lax", "Path=/"} <= {*value.split("; ")} for value in told)
    public = WebHouse(sandbox, tmp_path / "public", INTEGRATOR_PUBLIC_URL="https://integrator.test")
    try:
        told = public.browser().get("/sign-in", headers={"Host": "integrator.test"}).headers["Set-Cookie"]
    finally:
        public.close()
    assert told.startswith("__Host-integrator-browser=")
    assert "Secure" in told


def test_an_account_is_slowed_down_and_never_locked(house: WebHouse) -> None:
    for _ in range(ACCOUNT.tries):
        assert sign_in(house, house.browser(), password="wrong").status_code == 422
    answer = sign_in(house, house.browser())
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= ACCOUNT.seconds_each
    assert "Wait" in answer.text
    later(house, ACCOUNT.seconds_each + 1)
    assert sign_in(house, house.browser()).status_code == 303
    assert sign_in(house, house.browser(), password="wrong").status_code == 422, "what was tried before is forgiven"


def test_an_address_is_slowed_down_whatever_names_it_tries(house: WebHouse) -> None:
    accounts = Accounts(house.installation)
    with writing_accounts(house.installation.store) as rows:
        subject = accounts._subject("address", "203.0.113.9")
        for _ in range(ADDRESS.tries):
            assert rows.tries.take({subject: ADDRESS}, house.installation.clock.now()) == 0
    with pytest.raises(SignInRefused) as refused:
        accounts.sign_in("ada", Secret(PASSWORD), "203.0.113.9")
    assert refused.value.wait_seconds > 0
    assert accounts.sign_in("ada", Secret(PASSWORD), "203.0.113.10")


def test_tries_at_the_same_time_count_each(house: WebHouse) -> None:
    accounts = Accounts(house.installation)

    def tried(number: int) -> int:
        try:
            accounts.sign_in("ada", Secret(f"wrong {number}"), f"203.0.113.{number}")
        except SignInRefused as error:
            return error.wait_seconds
        return -1

    with ThreadPoolExecutor(8) as pool:
        waits = [*pool.map(tried, range(16))]
    assert waits.count(0) == ACCOUNT.tries
    assert -1 not in waits


def test_what_was_typed_as_a_name_is_kept_nowhere(house: WebHouse) -> None:
    sign_in(house, house.browser(), name="hunter2-typed-in-the-wrong-field")
    for path in (house.folder / "home").rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes()


def test_an_idle_session_ends(house: WebHouse) -> None:
    browser = house.signed_in()
    later(house, 7 * 3600)
    assert browser.get("/account").status_code == 200
    later(house, 7 * 3600)
    assert browser.get("/account").status_code == 200
    later(house, 8 * 3600 + 1)
    assert browser.get("/account").status_code == 303


def test_a_session_ends_after_a_day_however_busy_it_is(house: WebHouse) -> None:
    browser = house.signed_in()
    for _ in range(4):
        later(house, 5 * 3600)
        assert browser.get("/account").status_code == 200
    later(house, 4 * 3600 + 1)
    assert browser.get("/account").status_code == 303


def test_who_signs_out_is_out_and_a_kept_cookie_serves_nobody(house: WebHouse) -> None:
    browser, thief = house.browser(), house.browser()
    sign_in(house, browser)
    thief.set_cookie(SESSION, session_of(browser))
    assert thief.get("/account").status_code == 200
    assert house.post(browser, "/sign-out").headers["Location"] == "/sign-in"
    assert thief.get("/account").status_code == 303


def test_a_new_password_signs_every_other_browser_out(house: WebHouse) -> None:
    here, there = house.browser(), house.browser()
    sign_in(house, here)
    sign_in(house, there)
    new = "another horse entirely"
    changed = house.post(here, "/account/password", old=PASSWORD, password=new, again=new)
    assert changed.status_code == 303, changed.text
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert sign_in(house, house.browser()).status_code == 422
    assert sign_in(house, house.browser(), password=new).status_code == 303


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            {"old": "wrong", "password": "another horse entirely", "again": "another horse entirely"},
            "not your password",
        ),
        (
            {"old": PASSWORD, "password": "another horse entirely", "again": "different"},
            "another password than the one",
        ),
        ({"old": PASSWORD, "password": "short", "again": "short"}, "12 characters"),
        ({"old": PASSWORD, "password": "adaadaadaada1", "again": "adaadaadaada1"}, "easy to guess"),
        ({"password": "another horse entirely"}, "is missing"),
    ],
)
def test_a_password_is_not_changed_for_nothing(house: WebHouse, data: dict[str, str], error: str) -> None:
    browser = house.browser()
    sign_in(house, browser)
    answer = house.post(browser, "/account/password", **data)
    assert answer.status_code == 422
    assert error in answer.text
    assert 'href="#field-' in answer.text
    assert sign_in(house, house.browser()).status_code == 303


def test_signing_out_everywhere_ends_this_browsers_session_too(house: WebHouse) -> None:
    here, there = house.signed_in(), house.signed_in()
    house.post(here, "/account/sign-out")
    assert (here.get("/account").status_code, there.get("/account").status_code) == (303, 303)


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/runs?status=failed&page=2", "/runs?status=failed&page=2"),
        ("//evil.test", "/"),
        ("https://evil.test/", "/"),
        ("/\\evil.test", "/"),
        ("\\\\evil.test", "/"),
        ("/\t/evil.test", "/"),
        ("/\n/evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_after_signing_in_one_goes_on_to_a_page_of_ours_only(house: WebHouse, asked: str, led: str) -> None:
    answer = sign_in(house, house.browser(), next=asked)
    assert answer.headers["Location"] == led
    shown = house.signed_in().get("/sign-in", query_string={"next": asked})
    assert shown.headers["Location"] == led
    assert house.post(house.signed_in(), "/theme", theme="dark", back=asked).headers["Location"] == led


def test_the_page_that_was_asked_for_comes_after_signing_in(house: WebHouse) -> None:
    browser = house.browser()
    sent = browser.get("/runs?status=failed").headers["Location"]
    assert sent == "/sign-in?next=/runs%3Fstatus%3Dfailed"
    assert 'name="next" value="/runs?status=failed"' in browser.get(sent).text


def test_the_first_link_makes_an_administrator_once(web: WebHouse) -> None:
    accounts, browser = Accounts(web.installation), web.browser()
    old, new = accounts.first_link(), accounts.first_link()
    assert old and new
    assert title(browser.get(web.path(old))) == "This link does not work any more"
    assert title(browser.get(web.path(new))) == "Make the first account"
    answer = web.post(browser, web.path(new), web.path(new), name="Ada", password=PASSWORD, again=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/"), answer.text
    assert "Administrator" in browser.get("/").text
    assert accounts.first_link() is None
    again = web.browser()
    assert again.get(web.path(new)).status_code == 410
    assert web.post(again, web.path(new), "/sign-in", name="eve", password=PASSWORD, again=PASSWORD).status_code == 410


def test_looking_at_a_link_or_a_mistake_does_not_use_it_up(web: WebHouse) -> None:
    link = web.path(Accounts(web.installation).first_link() or "")
    browser = web.browser()
    for data in (
        {"name": "ada", "password": "short", "again": "short"},
        {"name": "", "password": PASSWORD, "again": PASSWORD},
        {"name": "a b", "password": PASSWORD, "again": PASSWORD},
    ):
        answer = web.post(browser, link, link, **data)
        assert answer.status_code == 422
        assert 'class="error"' in answer.text
        assert PASSWORD not in answer.text
    assert web.post(browser, link, link, name="ada", password=PASSWORD, again=PASSWORD).status_code == 303


def test_a_link_ends_after_a_day_and_when_somebody_else_is_the_first(web: WebHouse) -> None:
    accounts = Accounts(web.installation)
    link = web.path(accounts.first_link() or "")
    web.user("grace")
    assert web.browser().get(link).status_code == 410
    reset = web.path(accounts.reset("grace"))
    assert "grace" in web.browser().get(reset).text
    later(web, 24 * 3600 + 1)
    assert web.browser().get(reset).status_code == 410


def test_of_many_who_use_a_link_at_the_same_time_one_gets_in(web: WebHouse) -> None:
    link = (Accounts(web.installation).first_link() or "").rsplit("/", 1)[1]

    def used(number: int) -> bool:
        try:
            return bool(Accounts(web.installation).set_up(link, f"user-{number}", Secret(PASSWORD)))
        except LinkRefused:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(used, range(4))) == 1
    with reading_accounts(web.installation.store) as rows:
        assert rows.users.count() == 1


def test_a_reset_password_signs_everybody_out(house: WebHouse) -> None:
    browser = house.browser()
    sign_in(house, browser)
    link = Accounts(house.installation).reset("ada")
    assert browser.get("/account").status_code == 200
    Accounts(house.installation).set_up(link.rsplit("/", 1)[1], "", Secret("something else again"))
    assert browser.get("/account").status_code == 303


def test_the_only_administrator_of_others_cannot_be_deleted(house: WebHouse) -> None:
    house.user("ben", READER)
    with pytest.raises(InUse), writing_accounts(house.installation.store) as rows:
        rows.users.delete("ada")
    browser = house.signed_in("ben", READER)
    with writing_accounts(house.installation.store) as rows:
        rows.users.delete("ben")
    assert browser.get("/account").status_code == 303


@pytest.mark.parametrize("name", ["", " ", "a b", "ä", "../x", "-a", "a" * 101, "<b>", "a\nb"])
def test_a_name_that_nobody_can_type_is_none(house: WebHouse, name: str) -> None:
    with pytest.raises(BadUsage):
        Accounts(house.installation).add(name, READER)


def test_passwords_are_argon2id_with_a_salt_of_their_own() -> None:
    first, second = hashed(Secret(PASSWORD)), hashed(Secret(PASSWORD))
    assert first.startswith("$argon2id$v=19$m=47104,t=2,p=1$")
    assert first != second
    assert matches(Secret(PASSWORD), first) and not matches(Secret(PASSWORD + " "), first)
    assert not matches(Secret(PASSWORD), "")
    assert not is_outdated(first) and is_outdated(first.replace("t=2", "t=1"))


def test_a_long_sentence_is_a_password_and_a_repetition_is_none() -> None:
    check_password(Secret("ein ganzer Satz mit Umläuten: öäü"), "ada")
    for text in ("aaaaaaaaaaaaaaaa", "abababababababab", "x" * 1001):
        with pytest.raises(BadUsage):
            check_password(Secret(text), "ada")


def test_a_sign_in_form_without_its_proof_signs_nobody_in(house: WebHouse) -> None:
    browser = house.browser()
    assert browser.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 400
    assert session_of(browser) == ""
    assert re.search(r'type="password"[^>]*value=', browser.get("/sign-in").text) is None
