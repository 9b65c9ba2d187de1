"""API tokens: who comes in by one, how long, how it is made and taken back; and that cookies let nobody in here."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from api_house import LIST, OPENAPI, ApiHouse, error
from click.testing import CliRunner
from sqlalchemy import select, update

from iclients.secret import Secret
from integrator.access import ADMINISTRATOR, READER
from integrator.accounts import Accounts, SignInRefused
from integrator.cli import tokens as command
from integrator.cli.users import users as users_command
from integrator.errors import BadUsage, NotFoundHere
from integrator.store import api_tokens as tokens_module
from integrator.store import tables
from integrator.store.account_rows import reading_accounts, writing_accounts
from integrator.store.api_tokens import LONGEST_DAYS, MOST, is_token

DAY = 86_400.0
WRONG = "itg_" + "A" * 43


def test_every_view_of_the_api_wants_a_token(house: ApiHouse) -> None:
    views = [*house.views()]
    assert len(views) > 6
    for method, path in views:
        told = house.call(path, method=method)
        assert (told.status_code, told.headers["WWW-Authenticate"]) == (401, 'Bearer realm="integrator"'), path
        assert error(told)["code"] == "no_token"
        wrong = house.call(path, WRONG, method=method)
        assert (wrong.status_code, error(wrong)["code"]) == (401, "token_refused"), path
        assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="integrator", error="invalid_token"'
        assert "Location" not in told.headers and "Set-Cookie" not in told.headers


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}, Bearer {}", "Bearer {} {}", "Token {}", "Bearer x{}"],
)
def test_a_token_stands_in_the_header_alone_and_in_one_form(house: ApiHouse, header: str) -> None:
    token = house.token()
    told = house.call(LIST, headers={"Authorization": header.replace("{}", token)})
    assert told.status_code == 401
    assert house.call(LIST, headers={"Authorization": f"bearer  {token} "}).status_code == 200


def test_a_token_in_an_address_a_form_or_a_cookie_lets_nobody_in(house: ApiHouse) -> None:
    token = house.token()
    for query in (f"?access_token={token}", f"?token={token}", f"?Authorization=Bearer%20{token}"):
        assert house.call(LIST + query).status_code == 401
    form: dict[str, Any] = {"method": "POST", "data": {"access_token": token}}
    assert house.call(f"{LIST}/list_secrets", **form).status_code == 401
    assert house.call(LIST, headers={"Cookie": f"__Host-integrator-session={token}"}).status_code == 401


def test_cookies_let_nobody_into_the_api_and_tokens_nobody_into_a_page(house: ApiHouse) -> None:
    user, token = house.user(), house.token()
    with writing_accounts(house.installation.store) as rows:
        session = rows.sessions.begin(user, house.installation.clock.now())
    cookie = {"Cookie": f"__Host-integrator-session={session}"}
    assert house.call("/account", headers=cookie).status_code == 200
    for method, path in house.views():
        assert house.call(path, headers=cookie, method=method).status_code == 401, path
    assert house.call("/account", token).status_code == 303
    for answer in (house.call(LIST, token, headers=cookie), house.call(OPENAPI, token)):
        assert answer.status_code == 200 and "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_token_ends_when_it_expires(house: ApiHouse) -> None:
    token, clock = house.token(days=2), house.moved_clock()
    assert house.call(LIST, token).status_code == 200
    clock.advance(2 * DAY - 60)
    assert house.call(LIST, token).status_code == 200
    clock.advance(120)
    assert error(house.call(LIST, token))["code"] == "token_refused"


def test_a_token_ends_when_it_is_taken_back_and_with_its_user(house: ApiHouse) -> None:
    first, second = house.token(use="first"), house.token(use="second")
    house.user("grace")
    with writing_accounts(house.installation.store) as rows:
        rows.tokens.take_back(rows.users.get("ada"), "first")
    assert (house.call(LIST, first).status_code, house.call(LIST, second).status_code) == (401, 200)
    with writing_accounts(house.installation.store) as rows:
        rows.users.delete("ada")
    assert house.call(LIST, second).status_code == 401
    with house.installation.store.database.reading() as db:
        assert db.execute(select(tables.api_tokens)).all() == []


def test_a_token_has_the_role_that_its_user_has_at_that_moment(house: ApiHouse) -> None:
    token = house.token()
    assert house.act(token, "get_secret", secretName="planted").status_code == 200
    for role, status in ((READER, 403), ("gardener", 403), (ADMINISTRATOR, 200)):
        with house.installation.store.database.writing() as db:
            db.execute(update(tables.users).values(role=role))
        assert house.act(token, "get_secret", secretName="planted").status_code == status, role
        assert house.call(LIST, token).status_code == (403 if role == "gardener" else 200)


def test_only_a_hash_is_kept_and_when_it_was_used_at_most_once_a_minute(house: ApiHouse) -> None:
    token, clock = house.token(), house.moved_clock()

    def row() -> Any:
        with house.installation.store.database.reading() as db:
            return db.execute(select(tables.api_tokens)).one()

    assert row().used_at is None and token not in repr(row()) and token[4:] not in repr(row())
    began = clock.now()
    for _ in range(3):
        house.call(LIST, token)
        clock.advance(25)
    assert row().used_at == began
    house.call(LIST, token)
    assert row().used_at == began + 75


def test_tokens_are_random_and_look_like_tokens(house: ApiHouse) -> None:
    made = {house.token() for _ in range(MOST)}
    assert len(made) == MOST
    assert all(is_token(one) and re.fullmatch(r"itg_[A-Za-z0-9_-]{43}", one) for one in made)


def test_a_hash_that_only_begins_alike_lets_nobody_in(house: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    token = house.token()
    real = tokens_module.token_hash
    monkeypatch.setattr(tokens_module, "token_hash", lambda text: real(token)[:16] + real(text)[16:])
    assert house.call(LIST, WRONG).status_code == 401
    assert house.call(LIST, token).status_code == 200


@pytest.mark.parametrize(
    ("name", "days", "sentence"),
    [
        ("", 1, "A token's name"),
        ("x" * 61, 1, "A token's name"),
        ("<b>", 1, "A token's name"),
        ("a\nb", 1, "A token's name"),
        ("fine", 0, "serves for 1 to 365 days"),
        ("fine", LONGEST_DAYS + 1, "serves for 1 to 365 days"),
        ("there already", 1, "already"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_a_sentence(
    house: ApiHouse, name: str, days: int, sentence: str
) -> None:
    house.token(use="there already")
    with pytest.raises(BadUsage, match=sentence), writing_accounts(house.installation.store) as rows:
        rows.tokens.make(rows.users.get("ada"), name, days, house.installation.clock.now())


def test_a_name_is_free_again_when_its_token_has_expired_and_nobody_has_too_many(house: ApiHouse) -> None:
    clock = house.moved_clock()
    old = house.token(use="nightly", days=1)
    clock.advance(2 * DAY)
    new = house.token(use="nightly", days=1)
    assert (house.call(LIST, old).status_code, house.call(LIST, new).status_code) == (401, 200)
    for number in range(MOST - 1):
        house.token(use=f"more {number}")
    with pytest.raises(BadUsage, match="20 tokens at most"):
        house.token(use="one too many")
    assert house.token("grace", use="nightly") != new


def test_nobody_takes_back_a_token_of_somebody_else(house: ApiHouse) -> None:
    token = house.token("ada", use="mine")
    house.user("eve")
    with pytest.raises(NotFoundHere), writing_accounts(house.installation.store) as rows:
        rows.tokens.take_back(rows.users.get("eve"), "mine")
    assert house.call(LIST, token).status_code == 200


def test_wrong_tokens_from_one_address_are_slowed_down_and_right_ones_are_not(house: ApiHouse) -> None:
    token, clock = house.token(), house.moved_clock()
    statuses = [house.call(LIST, WRONG).status_code for _ in range(31)]
    assert statuses == [401] * 30 + [429]
    told = house.call(LIST, WRONG)
    assert error(told)["code"] == "too_many_tries" and int(told.headers["Retry-After"]) >= 1
    assert house.call(LIST, token).status_code == 200, "who has a token comes in still"
    assert house.call(LIST, WRONG, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 401
    clock.advance(11)
    assert house.call(LIST, WRONG).status_code == 401


def test_what_cannot_be_a_token_is_refused_like_one_that_is_wrong(house: ApiHouse) -> None:
    for text in ("", "itg_", "x" * 10_000, "itg_" + "é" * 43, "itg_" + "A" * 42 + "\n"):
        with pytest.raises(SignInRefused):
            Accounts(house.installation).by_token(Secret(text), "192.0.2.1")


def test_making_and_taking_back_stand_in_the_audit_and_using_does_not(house: ApiHouse) -> None:
    token = house.token("ada", use="nightly")
    made = house.audit()[0]
    assert (made.action, made.noun, made.name, made.detail["token"]) == ("token made", "user", "ada", "nightly")
    house.act(token, "list_secrets")  # the first time, the connection is told to be online
    before = len(house.audit())
    house.call(LIST, token)
    house.act(token, "list_secrets")
    assert len(house.audit()) == before
    with writing_accounts(house.installation.store) as rows:
        rows.tokens.take_back(rows.users.get("ada"), "nightly")
    assert house.audit()[0].action == "token taken back"


class Browser:
    """Somebody who is signed in, with the proof that their pages hold."""

    def __init__(self, house: ApiHouse, name: str = "ada", role: str = ADMINISTRATOR) -> None:
        self.house = house
        with writing_accounts(house.installation.store) as rows:
            user = rows.users.find(name) or rows.users.add(name, role, house.installation.clock.now())
            session = rows.sessions.begin(user, house.installation.clock.now())
        self.headers = {"Cookie": f"__Host-integrator-session={session}"}

    def page(self) -> str:
        return self.house.call("/account", headers=self.headers).text

    def post(self, path: str, **data: str) -> Any:
        found = re.search(r'name="form" value="([0-9a-f]+)"', self.page())
        assert found
        return self.house.call(path, headers=self.headers, method="POST", data={"form": found[1], **data})


@pytest.mark.parametrize("role", [ADMINISTRATOR, READER])
def test_somebody_makes_a_token_on_the_page_sees_it_once_and_takes_it_back(house: ApiHouse, role: str) -> None:
    browser = Browser(house, "ada", role)
    made = browser.post("/account/tokens", name="nightly backup", days="30")
    found = re.search(r'value="(itg_[A-Za-z0-9_-]{43})"', made.text)
    assert made.status_code == 200 and found and made.headers["Cache-Control"] == "no-store"
    assert house.audit()[0].actor == "web:ada"
    assert house.call(LIST, found[1]).status_code == 200
    page = browser.page()
    assert "nightly backup" in page and found[1] not in page
    again = browser.post("/account/tokens", name="nightly backup", days="30")
    assert again.status_code == 422 and "There is a token of this name already" in again.text
    assert browser.post("/account/tokens/take-back", name="nothing").status_code == 404
    assert browser.post("/account/tokens/take-back", name="nightly backup").status_code == 303
    assert house.call(LIST, found[1]).status_code == 401
    assert "The token nightly backup is taken back." in browser.page()


def test_a_form_with_something_missing_says_so(house: ApiHouse) -> None:
    browser = Browser(house)
    assert "Name is missing: fill it in." in browser.post("/account/tokens", name="", days="30").text
    wrong = browser.post("/account/tokens", name="x", days="9999")
    assert wrong.status_code == 422 and "choose one" in wrong.text
    without_proof = house.call("/account/tokens", headers=browser.headers, method="POST", data={"name": "x"})
    assert without_proof.status_code == 400


def test_the_command_line_makes_lists_and_takes_back(house: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ada", READER)
    monkeypatch.setenv("INTEGRATOR_HOME", str(house.installation.config.home))
    run = CliRunner()

    def told(*arguments: str) -> str:
        ended = run.invoke(users_command, ["tokens", *arguments], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    token = told("add", "ada", "--name", "nightly", "--days", "7").strip()
    assert is_token(token) and house.call(LIST, token).status_code == 200
    second = json.loads(told("add", "ada", "--name", "other", "--json"))
    assert second.keys() == {"user", "name", "token"} and is_token(second["token"])
    listed = json.loads(told("list", "ada", "--json"))
    assert [one["name"] for one in listed] == ["nightly", "other"] and listed[0]["used"]
    assert token not in told("list", "ada") and "nightly" in told("list", "ada")
    assert told("delete", "ada", "nightly") == "Deleted token nightly.\n"
    assert json.loads(told("delete", "ada", "other", "--json")) == {"deleted": "other"}
    assert house.call(LIST, token).status_code == 401
    assert "This user has no token." in run.invoke(users_command, ["tokens", "list", "ada"]).output
    assert house.audit()[0].actor.startswith("cli:")


def test_the_command_line_and_the_store_agree_on_the_usual_lifetime() -> None:
    assert command.DAYS == tokens_module.DAYS


def test_a_new_password_ends_no_token(house: ApiHouse) -> None:
    token = house.token()
    with writing_accounts(house.installation.store) as rows:
        rows.users.set_password(rows.users.get("ada"), "another hash")
        rows.sessions.end_all(rows.users.get("ada"))
    assert house.call(LIST, token).status_code == 200
    with reading_accounts(house.installation.store) as rows:
        assert len(rows.tokens.of(rows.users.get("ada"))) == 1
