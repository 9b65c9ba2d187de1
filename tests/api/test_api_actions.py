"""Actions over HTTP: what there is, what one gives its caller, and which status each way to fail has."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from api_house import LIST, OPENAPI, VALUE, WRITTEN, ApiHouse, error
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.actions import Action
from connectors.errors import BadInput, Conflict, Forbidden, HostNotAllowed, NotFound, SettingsError, Throttled
from connectors.errors import Unavailable as Unwell
from connectors.registry import connector
from iclients.errors import AnswerLost, DeadlineExceeded, MalformedAnswer, NotAuthorized, NotSent, Recovery
from integrator.access import READER
from integrator.action_documents import document
from integrator.api import actions
from integrator.api.mistakes import mistake_of
from integrator.errors import BadUsage, DatabaseUnusable, InUse, NotFoundHere
from integrator.turns import GoesOn, TooMany, Turns

LOST = Action("make", "Make", "Makes.", None, (), (), changes=True, repeatable=False)
READ = Action("look", "Look", "Looks.", None, (), ())


def test_a_program_lists_describes_and_carries_out(house: ApiHouse) -> None:
    token = house.token()
    known = house.installation.connector("contoso").actions("data")
    assert house.call(LIST, token).json == [document(one) for one in known]
    shown = house.call(f"{LIST}/create_secret", token).json
    assert shown and [one["name"] for one in shown["parameters"] if one["secret"]] == ["value"]
    made = house.act(token, "create_secret", secretName="by-program", value=WRITTEN, tags={"a": "b"}, enabled=True)
    assert made.status_code == 200, made.text
    assert made.json["outputs"]["name"] == "by-program" and made.json["outputs"]["tags"] == {"a": "b"}
    assert house.sandbox.vault("contoso").secrets["by-program"].latest.value == WRITTEN
    found = house.act(token, "get_secret", secretName="planted")
    assert found.json["outputs"]["value"] == VALUE
    assert (found.headers["Cache-Control"], found.mimetype) == ("no-store", "application/json")
    assert len(house.act(token, "list_secrets", top=2).json["outputs"]["items"]) == 2


def test_what_is_changed_is_in_the_audit_as_the_users_who_made_the_token(house: ApiHouse) -> None:
    token = house.token("grace")
    house.act(token, "create_secret", secretName="audited", value=WRITTEN)
    house.act(token, "list_secrets")
    newest = next(row for row in house.audit() if row.action == "acted")
    assert (newest.actor, newest.name) == ("api:grace", "contoso")
    assert dict(newest.detail) == {"action": "create_secret", "ended": "done", "secretName": "audited"}
    assert not house.installation.store.actor.startswith("api:")


def test_readers_carry_out_what_only_reads(house: ApiHouse) -> None:
    token = house.token("ben", READER)
    for action in house.installation.connector("contoso").actions("data"):
        may = not (action.changes or action.gives_secret or action.id == "sign")
        answer = house.call(f"{LIST}/{action.id}", token, method="POST", json={"secretName": "planted"})
        assert (answer.status_code != 403) == may, action.id
        assert VALUE not in answer.text
        assert house.call(f"{LIST}/{action.id}", token).status_code == 200
    assert error(house.act(token, "get_secret", secretName="planted"))["code"] == "not_allowed"
    assert house.act(token, "list_secrets").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/connections/nobody/actions", f"{LIST}/nothing"])
def test_what_is_not_there_is_told_with_what_there_is(house: ApiHouse, path: str) -> None:
    told = house.call(path, house.token())
    assert (told.status_code, error(told)["code"]) == (404, "NotFoundHere")
    assert "contoso" in error(told)["message"] or "get_secret" in error(told)["message"]


def test_what_is_no_address_no_method_and_no_host_of_the_api_is_told_in_json(house: ApiHouse) -> None:
    token = house.token()
    assert error(house.call("/api/v1/nothing", token))["code"] == "no_address"
    assert house.call("/api/", token).status_code == 404
    put = house.call(f"{LIST}/get_secret", token, method="PUT")
    assert (put.status_code, error(put)["code"]) == (405, "bad_method")
    elsewhere = house.call(LIST, token, headers={"Host": "evil.test"})
    assert (elsewhere.status_code, error(elsewhere)["code"]) == (421, "other_host")


@pytest.mark.parametrize(
    ("inputs", "parameter"),
    [
        ({}, "secretName"),
        ({"secretName": "no name!"}, "secretName"),
        ({"secretName": None}, "secretName"),
        ({"secretName": ["planted"]}, "secretName"),
        ({"secretName": "planted", "top": 3}, "top"),
        ({"secretName": "\ud800"}, "secretName"),
    ],
)
def test_an_input_that_cannot_be_is_named_before_anything_is_called(
    house: ApiHouse, inputs: dict[str, Any], parameter: str
) -> None:
    house.sandbox.reset_calls()
    told = house.call(f"{LIST}/get_secret", house.token(), method="POST", json=inputs)
    assert told.status_code == 400
    assert (error(told)["code"], error(told)["parameter"]) == ("bad_input", parameter)
    assert house.sandbox.calls()["contoso"] == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b'{"secretName": NaN}',
        b'{"secretName": "a", "secretName": "b"}',
        b"\xff\xfe",
        b'{"a":' * 100_000,
        b'{"secretName": ' + b"9" * 5000 + b"}",
        b'{"secretName": "planted"} {}',
    ],
)
def test_what_is_no_json_object_is_a_mistake_and_no_defect(house: ApiHouse, body: bytes) -> None:
    sent = {"method": "POST", "data": body, "content_type": "application/json"}
    told = house.call(f"{LIST}/get_secret", house.token(), **sent)
    assert (told.status_code, error(told)["code"]) == (400, "bad_input")


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)
def test_whatever_is_sent_as_an_input_is_no_defect(value: Any) -> None:
    for one in [one for action in every_action() for one in action.parameters]:
        try:
            one.converted(value)
        except BadInput as raised:
            assert mistake_of(raised).status == 400


def every_action() -> list[Action]:
    kind = connector("azure-key-vault")
    return [*kind.actions("data"), *kind.actions("control")]


def test_only_json_is_taken_and_not_too_much_of_it(house: ApiHouse) -> None:
    token = house.token()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        told = house.call(f"{LIST}/get_secret", token, method="POST", data=b"{}", content_type=kind)
        assert (told.status_code, error(told)["code"]) == (415, "media_type")
    large = house.act(token, "create_secret", secretName="large", value="x" * 600_000)
    assert (large.status_code, error(large)["code"]) == (413, "too_large")
    fits = house.act(token, "create_secret", secretName="large", value="x" * 300_000)
    assert fits.status_code in (400, 422), fits.text


def test_what_the_system_refuses_is_no_mistake_of_the_address(house: ApiHouse) -> None:
    token = house.token()
    missing = house.act(token, "get_secret", secretName="not-there")
    assert (missing.status_code, error(missing)["code"], error(missing)["recovery"]) == (422, "not_found", "skip")
    house.sandbox.faults.add(403, host="contoso", times=9)
    assert house.act(token, "get_secret", secretName="planted").status_code == 422


def test_a_throttled_system_says_when_to_come_back(house: ApiHouse) -> None:
    house.sandbox.faults.add(429, host="contoso", times=999, retry_after=7)
    house.moved_clock()
    told = house.act(house.token(), "get_secret", secretName="planted")
    assert (told.status_code, error(told)["code"], error(told)["recovery"]) == (429, "throttled", "retry")
    assert int(told.headers["Retry-After"]) >= 1


def test_a_system_that_is_not_well_is_a_bad_gateway(house: ApiHouse) -> None:
    house.sandbox.faults.add(500, host="contoso", times=999)
    told = house.act(house.token(), "get_secret", secretName="planted")
    assert (told.status_code, error(told)["code"]) == (502, "unavailable")


def test_a_connection_that_needs_a_person_is_a_conflict(house: ApiHouse) -> None:
    document = house.sandbox.document()
    document["connections"] = [one for one in document["connections"] if one["name"] == "contoso"]
    document["connections"][0] |= {"auth": "authorization_code", "owner": "grace@contoso.test"}
    document["iclients"][0]["scopes"] = ["https://vault.azure.net/user_impersonation"]
    house.apply(document)
    told = house.act(house.token(), "get_secret", secretName="planted")
    assert (told.status_code, error(told)["recovery"]) == (409, "reauthorize")
    assert error(told)["code"] == "not_consented"


def test_turns_that_are_taken_and_answers_that_do_not_come(house: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    token = house.token()
    monkeypatch.setattr(actions, "DEADLINE_SECONDS", 0.0)
    late = house.act(token, "create_secret", secretName="late", value=WRITTEN)
    assert (late.status_code, error(late)["code"]) == (504, "goes_on")
    assert error(late)["message"].endswith("Look whether it was carried out, before you try again.")
    monkeypatch.setattr(actions, "DEADLINE_SECONDS", 30.0)
    monkeypatch.setattr(actions, "TURNS", Turns(0, "actions"))
    busy = house.act(token, "list_secrets")
    assert (busy.status_code, error(busy)["code"], busy.headers["Retry-After"]) == (429, "busy", "2")


@pytest.mark.parametrize(
    ("raised", "action", "status", "recovery"),
    [
        (NotFound("It is gone."), READ, 422, "skip"),
        (Forbidden("No."), READ, 422, "skip"),
        (Conflict("It is there."), LOST, 422, "skip"),
        (Throttled("Slower."), READ, 429, "retry"),
        (Unwell("Ill."), READ, 502, "retry"),
        (NotSent("No way."), LOST, 502, "retry"),
        (MalformedAnswer("What?"), READ, 502, "retry"),
        (HostNotAllowed("Not there."), READ, 502, "abort"),
        (AnswerLost("Cut."), READ, 502, "retry"),
        (AnswerLost("Cut."), LOST, 502, "abort"),
        (DeadlineExceeded("Late."), READ, 504, "retry"),
        (DeadlineExceeded("Late."), LOST, 504, "abort"),
        (NotAuthorized("Who?"), READ, 409, "reauthorize"),
        (NotAuthorized("Busy.", code="provider_busy", recovery=Recovery.RETRY), READ, 502, "retry"),
        (GoesOn("It goes on."), LOST, 504, "abort"),
        (TooMany("Many."), LOST, 429, "retry"),
        (SettingsError("It cannot work."), READ, 409, "abort"),
        (NotFoundHere("There is none."), None, 404, "abort"),
        (BadUsage("It is wrong."), None, 409, "abort"),
        (InUse("It is used."), None, 409, "abort"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_the_table_of_statuses(raised: Exception, action: Action | None, status: int, recovery: str) -> None:
    told = mistake_of(raised, action)
    assert (told.status, str(told.recovery)) == (status, recovery)
    assert (told.wait_seconds is not None) == (status == 429)


def test_a_database_that_cannot_be_used_and_a_defect_tell_nothing_of_themselves(
    house: ApiHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = house.token()

    def locked(*told: Any) -> Any:
        raise DatabaseUnusable("/somewhere/integrator.db is locked.")

    def broken(*told: Any) -> Any:
        raise KeyError(VALUE)

    monkeypatch.setattr(actions, "actions_of", locked)
    no_database = house.call(LIST, token)
    assert (no_database.status_code, error(no_database)["code"]) == (503, "no_database")
    assert "/somewhere" not in no_database.text and int(no_database.headers["Retry-After"]) > 0
    monkeypatch.setattr(actions, "act", locked)
    monkeypatch.setattr(actions, "actions_of", broken)
    with caplog.at_level(logging.DEBUG):
        defect = house.call(LIST, token)
    assert (defect.status_code, error(defect)["code"]) == (500, "defect")
    assert VALUE not in defect.text + caplog.text


def test_the_database_that_fails_while_acting_is_no_mistake_of_the_caller(
    house: ApiHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*told: Any) -> Any:
        raise DatabaseUnusable("/somewhere/integrator.db is locked.")

    monkeypatch.setattr(actions, "act", locked)
    told = house.act(house.token(), "get_secret", secretName="planted")
    assert (told.status_code, error(told)["code"]) == (503, "no_database")


def test_no_value_and_no_token_is_anywhere_but_in_the_answer(
    house: ApiHouse, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        token, gone = house.token(use="one"), "itg_" + "x" * 43
        found = house.act(token, "get_secret", secretName="planted")
        others = [
            house.act(token, "create_secret", secretName="made", value=WRITTEN),
            house.act(token, "create_secret", secretName="not a name", value=WRITTEN),
            house.act(token, "create_secret", secretName="made", value=WRITTEN, validityEndTime=WRITTEN),
            house.call(f"{LIST}/create_secret", token, method="POST", data=WRITTEN, content_type="application/json"),
            house.act(gone, "create_secret", secretName="made", value=WRITTEN),
            house.call(f"{LIST}?access_token={token}"),
            house.call(OPENAPI, token),
            house.call(LIST, token),
        ]
        house.sandbox.faults.add(500, host="contoso", times=99)
        others.append(house.act(token, "create_secret", secretName="made", value=WRITTEN))
    assert VALUE in found.text
    secrets = {"read": VALUE, "written": WRITTEN, "token": token, "wrong token": gone}
    secrets["app"] = house.sandbox.client_secret
    told = "".join((caplog.text, *capfd.readouterr(), repr(house.audit())))
    assert [name for name, secret in secrets.items() if secret in told] == []
    for answer in others:
        whole = f"{answer.headers}{answer.text}"
        assert [name for name, secret in secrets.items() if secret in whole] == [], whole
    for path in (house.folder / "home").rglob("*"):
        held = path.read_bytes() if path.is_file() else b""
        assert [name for name, secret in secrets.items() if secret.encode() in held] == [], path
