"""The commands of every noun as people and scripts use them: what they print, and what they say to wrong input."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from acceptance_house import House, Lab, finish

from connectors.azure_key_vault.sandbox.visitor import consent

pytestmark = pytest.mark.acceptance

SCOPE = "https://vault.azure.net/user_impersonation"
APP = "sandbox-app"


def asked(house: House, *arguments: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    return house(*arguments, "--json", code=code).json


def table(house: House, *arguments: str) -> list[list[str]]:
    """The rows of a printed table, by their columns' places."""
    head, *rows = house(*arguments).out.splitlines()
    starts = [
        0,
        *(
            place + 2
            for place in range(len(head))
            if head[place : place + 2] == "  " and head[place + 2 : place + 3].strip()
        ),
    ]
    ends = [*starts[1:], None]
    return [[row[start:end].strip() for start, end in zip(starts, ends, strict=True)] for row in rows]


def person(lab: Lab) -> dict[str, Any]:
    """The sandbox's document with a person at contoso."""
    made = copy.deepcopy(lab.document)
    made["iclients"][0] |= {"scopes": [SCOPE], "owner": "grace@contoso.test"}
    for connection in made["connections"]:
        if connection["name"] == "contoso":
            connection["auth"] = "authorization_code"
    return made


# --- wrong input ---


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("providers show nobody-at-all", "There is no provider nobody-at-all: `integrator providers list` shows"),
        ("providers show Google", "There is no provider Google: did you mean google"),
        ("providers show ../google", "There is no provider ../google"),
        ("iclients show nobody", "There is no iClient nobody: there are: sandbox-app."),
        ("iclients delete nobody", "There is no iClient nobody: there are: sandbox-app."),
        ("connections show nobody", "There is no connection nobody: there are: "),
        ("connections delete nobody", "There is no connection nobody: there are: "),
        ("connections test nobody", "There is no connection nobody: there are: "),
        ("connections preflight nobody", "There is no connection nobody: there are: "),
        ("connections revoke nobody", "There is no connection nobody: there are: "),
        ("connections link nobody", "A link needs a server: set INTEGRATOR_PUBLIC_URL"),
        ("clouds show nobody", "There is no cloud nobody: there are: lab."),
        ("flows show nobody", "There is no flow nobody: there are: "),
        ("audit show 999999", "There is no audit row 999999: `integrator audit list` shows"),
        ("notices seen 999999", "There is no notice 999999: `integrator notices list --all` shows"),
        ("connections preflight here", "Connection here has no iClient"),
        ("connections revoke contoso", "for which nobody consents"),
    ],
)
def test_what_is_not_there_ends_1_with_one_sentence(house: House, arguments: str, sentence: str) -> None:
    ended = house(*arguments.split(), "--json", code=1)
    assert sentence in ended.sentence
    assert ended.json["error"]["message"] == ended.sentence


@pytest.mark.parametrize(
    "arguments",
    [
        "providers show",
        "providers show a b",
        "iclients show",
        "iclients list extra",
        "iclients delete",
        "audit show",
        "audit show zero",
        "audit show 0",
        "audit show -1",
        "audit show 99999999999999999999999",
        "audit list --limit 0",
        "audit list --limit many",
        "notices seen",
        "notices seen first",
        "notices seen 99999999999999999999999",
        "notices lst",
        "connections link contoso --hours 0",
        "connections link contoso --hours 721",
        "connections authorize contoso --timeout 0",
        "connections authorize contoso --prompt maybe",
        "connections nothing",
    ],
)
def test_what_was_typed_wrongly_ends_2_with_one_sentence(new_house: House, arguments: str) -> None:
    ended = new_house(*arguments.split(), "--json", code=2)
    assert ended.json["error"] == {"code": "usage", "message": ended.sentence}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("iclients list", "No iClient yet"),
        ("connections list", "No connection yet"),
        ("audit list", "Nothing has been changed yet."),
        ("notices list", "Nothing needs anybody."),
        ("providers list no-such-provider", "No provider has no-such-provider in its name."),
    ],
)
def test_where_there_is_nothing_a_sentence_says_so_and_json_is_an_empty_list(
    new_house: House, arguments: str, sentence: str
) -> None:
    assert sentence in new_house(*arguments.split()).out
    assert asked(new_house, *arguments.split()) == []


# --- providers ---


def test_providers_are_listed_by_name_and_found_by_name_or_title(new_house: House) -> None:
    names = [provider["name"] for provider in asked(new_house, "providers", "list")]
    assert names == sorted(names)
    assert {"entra", "generic", "google", "github", "salesforce"} <= {*names}
    assert len(names) > 40
    for search in ("microsoft", "ENTRA ID"):
        assert [provider["name"] for provider in asked(new_house, "providers", "list", search)] == ["entra"]
    assert [row[0] for row in table(new_house, "providers", "list", "google")] == ["google"]


def test_a_provider_shows_what_an_iclient_of_it_needs(new_house: House) -> None:
    shown = asked(new_house, "providers", "show", "google")
    assert shown["endpoints"]["token_endpoint"].startswith("https://")
    assert shown["documentation"].startswith("https://")
    assert "authorization_code" in shown["grants"]
    text = new_house("providers", "show", "google").out
    assert shown["endpoints"]["token_endpoint"] in text
    needy = next(one for one in asked(new_house, "providers", "list") if one["settings"])
    name, told = next(iter(needy["settings"].items()))
    assert ", such as " in told
    assert name in new_house("providers", "show", needy["name"]).out


def test_every_provider_can_be_shown(new_house: House) -> None:
    for provider in asked(new_house, "providers", "list"):
        assert provider["title"]
    assert asked(new_house, "providers", "show", "entra")["optional_settings"]


# --- iClients ---


def test_an_iclient_tells_of_its_slots_whether_they_are_set_and_until_when(house: House, lab: Lab) -> None:
    document = copy.deepcopy(lab.document)
    document["iclients"][0]["credential"]["expires"] = "2031-01-31"
    document["iclients"][0]["next_credential"] = {"client_secret": "the next secret"}
    house.apply(document)
    shown = asked(house, "iclients", "show", APP)
    assert (shown["credential_set"], shown["credential_expires"]) == (True, "2031-01-31")
    assert (shown["next_credential_set"], shown["next_credential_expires"]) == (True, None)
    assert shown["redirect_uri"] == "http://127.0.0.1/callback"
    assert {"contoso", "fabrikam", "narrow"} <= {*shown["used_by"]}
    assert asked(house, "iclients", "list") == [shown]
    row = table(house, "iclients", "list")[0]
    assert row[:2] == [APP, "entra"]
    assert row[5:7] == ["set, until 2031-01-31", "set"]
    everything = [house(*command.split()).out for command in ("iclients list", f"iclients show {APP}", "dump")]
    everything += [json.dumps(asked(house, "audit", "list"))]
    for secret in (lab.client_secret, "the next secret"):
        assert [text for text in everything if secret in text] == []


def test_an_iclient_without_a_credential_says_so(new_house: House) -> None:
    iclient = {"name": "bare", "provider": "entra", "tenant": "contoso.test", "client_id": "c"}
    new_house.apply({"version": 1, "iclients": [iclient]})
    assert table(new_house, "iclients", "list")[0][5:7] == ["not set", "not set"]
    assert asked(new_house, "iclients", "show", "bare")["used_by"] == []
    assert asked(new_house, "iclients", "delete", "bare") == {"deleted": "bare"}
    assert asked(new_house, "iclients", "list") == []


def test_an_iclient_in_use_is_not_deleted_and_all_its_users_are_named(house: House) -> None:
    users = asked(house, "iclients", "show", APP)["used_by"]
    sentence = house("iclients", "delete", APP, code=1).sentence
    assert len(users) >= 4
    assert [user for user in users if user not in sentence] == []
    assert asked(house, "iclients", "delete", APP, code=1)["error"]["code"] == "InUse"
    assert asked(house, "iclients", "show", APP)["name"] == APP


def test_a_global_iclient_in_use_is_not_deleted_either(new_house: House, lab: Lab) -> None:
    document = copy.deepcopy(lab.document)
    document["iclients"][0]["global"] = True
    for connection in document["connections"]:
        connection.pop("iclient", None)
    new_house.apply(document)
    assert "contoso" in new_house("iclients", "delete", APP, code=1).sentence
    assert {"contoso", "fabrikam"} <= {*asked(new_house, "iclients", "show", APP)["used_by"]}
    new_house("connections", "test", "contoso")


# --- connections ---


def test_connections_are_listed_with_their_state(house: House, lab: Lab) -> None:
    house.apply(lab.document)
    house("connections", "test", "contoso")
    lab.deny("fabrikam", "list")
    house("connections", "test", "fabrikam", code=1)
    states = {one["name"]: one["state"] for one in asked(house, "connections", "list")}
    assert (states["contoso"], states["fabrikam"], states["narrow"]) == ("online", "offline", "offline")
    assert {row[0]: row[1] for row in table(house, "connections", "list")} == states
    shown = asked(house, "connections", "show", "fabrikam")
    assert (shown["state_code"], "Key Vault" in shown["state_message"]) == ("forbidden", True)
    assert "state_code" not in asked(house, "connections", "show", "contoso")


def test_preflight_tells_every_finding_and_ends_1_where_one_is_wrong(house: House, lab: Lab) -> None:
    house.apply(person(lab))
    found = asked(house, "connections", "preflight", "contoso")
    assert [one["subject"] for one in found] == ["redirect URI", "public URL", "provider"]
    assert all(one["is_ok"] for one in found)
    wrong = person(lab)
    wrong["iclients"][0]["client_id"] = "11111111-2222-3333-4444-555555555555"
    house.apply(wrong)
    found = asked(house, "connections", "preflight", "contoso", code=1)
    assert [one["subject"] for one in found if not one["is_ok"]] == ["provider"]
    assert "wrong  provider: " in house("connections", "preflight", "contoso", code=1).out


def test_a_consent_is_given_and_given_back(house: House, lab: Lab) -> None:
    house.apply(person(lab))
    authorized(house, lab)
    assert asked(house, "connections", "show", "contoso")["state"] == "online"
    assert asked(house, "connections", "revoke", "contoso") == {
        "connection": "contoso",
        "revoked": True,
        "provider_told": False,
    }
    assert "has no consent to revoke" in house("connections", "revoke", "contoso", code=4).sentence
    house("connections", "test", "contoso", code=4)


def authorized(house: House, lab: Lab) -> None:
    process = house.start("connections", "authorize", "contoso", "--json")
    assert process.stderr is not None
    url = process.stderr.readline().removeprefix("Open: ").strip()
    callback = consent(url, "ada", ca_file=lab.cloud["ca_file"])
    with urlopen(callback, timeout=30):
        pass
    finish(process, ("connections", "authorize")).ended(0)


# --- notices and audit ---


def test_a_notice_is_told_until_it_is_seen_and_gone_when_it_is_over(house: House, lab: Lab) -> None:
    house.apply(person(lab))
    house("connections", "test", "contoso", code=4)
    house("connections", "test", "contoso", code=4)
    (notice,) = asked(house, "notices", "list")
    assert (notice["owner"], notice["subject"]) == ("grace@contoso.test", "Connection contoso needs authorization")
    assert (notice["seen"], "integrator connections authorize contoso" in notice["message"]) == (None, True)
    assert table(house, "notices", "list")[0][2:4] == [notice["owner"], notice["subject"]]
    assert asked(house, "notices", "seen", str(notice["id"])) == {"seen": notice["id"]}
    assert asked(house, "notices", "list") == []
    (seen,) = asked(house, "notices", "list", "--all")
    assert seen["seen"]
    house("notices", "seen", str(notice["id"]))
    assert asked(house, "notices", "list", "--all") == [seen]
    authorized(house, lab)
    assert asked(house, "notices", "list", "--all") == []


def test_a_run_that_nobody_is_let_in_for_ends_4_and_goes_on_after_authorizing(house: House, lab: Lab) -> None:
    standard = asked(house, "dump")
    for connection in standard["connections"]:
        if connection["name"] == "contoso":
            connection["auth"] = "authorization_code"
    standard["iclients"][0]["scopes"] = [SCOPE]
    house.apply(standard)
    run = house.run("export-csv", code=4)
    assert run["status"] == "needs authorization"
    assert asked(house, "flows", "show", "export-csv")["paused"] == "needs authorization"
    authorized(house, lab)
    assert "paused" not in asked(house, "flows", "show", "export-csv")
    resumed = asked(house, "runs", "resume", str(run["run"]))
    assert (resumed["run"], resumed["status"]) == (run["run"], "succeeded")


def test_the_audit_tells_who_changed_what_and_never_a_value(new_house: House, lab: Lab) -> None:
    new_house.apply(lab.document)
    changed = copy.deepcopy(lab.document)
    changed["iclients"][0]["credential"]["client_secret"] = "another secret"
    new_house.apply(changed)
    rows = asked(new_house, "audit", "list")
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    newest = rows[0]
    assert (newest["action"], newest["noun"], newest["name"]) == ("updated", "iClient", APP)
    assert newest["detail"] == {"changed": ["credential"]}
    assert newest["actor"].startswith("cli:")
    assert datetime.now(UTC) - datetime.fromisoformat(newest["at"]) < timedelta(minutes=5)
    assert asked(new_house, "audit", "show", str(newest["id"])) == newest
    assert "changed=credential" in new_house("audit", "show", str(newest["id"])).out
    assert asked(new_house, "audit", "list", "--limit", "1") == [newest]
    assert len(table(new_house, "audit", "list")) == len(rows)
    assert [secret for secret in (lab.client_secret, "another secret") if secret in json.dumps(rows)] == []


def test_a_promoted_credential_is_in_the_audit(house: House, lab: Lab) -> None:
    document = copy.deepcopy(lab.document)
    document["iclients"][0] |= {
        "credential": {"client_secret": "wrong"},
        "next_credential": {"client_secret": lab.client_secret},
    }
    house.apply(document)
    house("connections", "test", "contoso")
    assert table(house, "iclients", "list")[0][5:7] == ["set", "not set"]
    actions = [row["action"] for row in asked(house, "audit", "list") if row["name"] == APP]
    assert actions.count("credential promoted") == 1
    assert house("connections", "test", "fabrikam").code == 0
