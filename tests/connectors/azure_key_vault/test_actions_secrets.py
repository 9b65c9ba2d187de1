"""Actions on secrets, against the sandbox: what they give, what they refuse, what they never do twice."""

from __future__ import annotations

from typing import Any

import pytest
from acting import Act, acting, rbac_words
from vault_lab import Lab

from connectors.azure_key_vault.model import iso
from connectors.azure_key_vault.vault.lifecycle import SETTLE_SECONDS
from connectors.errors import BadInput, Conflict, Forbidden, NotFound, SettingsError
from iclients.secret import Secret

VERSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting(lab)


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


def test_a_secret_is_given_with_its_value_and_what_the_vault_says_of_it(act: Act, vault: Any) -> None:
    vault.put("db", "pa55", content_type="text/plain", tags={"team": "blue"}, nbf=1_700_000_000, exp=1_900_000_000)
    found = act("get_secret", secretName="db")
    assert (found["value"], found["name"], found["contentType"], found["isEnabled"]) == (
        "pa55",
        "db",
        "text/plain",
        True,
    )
    assert (found["validityStartTime"], found["validityEndTime"]) == ("2023-11-14T22:13:20Z", "2030-03-17T17:46:40Z")
    assert found["createdTime"] == found["lastUpdatedTime"] == iso(vault.secrets["db"].latest.created)
    assert (found["tags"], found["isManaged"]) == ({"team": "blue"}, False)
    assert found["version"] == vault.secrets["db"].latest.id


def test_the_value_travels_in_a_secret(lab: Lab, vault: Any) -> None:
    vault.put("db", "pa55")
    given = lab.connect().act("get_secret", {"secretName": "db"})
    assert given["value"] == Secret("pa55")
    assert "pa55" not in repr(given)


def test_an_older_version_is_given_by_its_name(act: Act, vault: Any) -> None:
    vault.put("db", "old")
    old = vault.secrets["db"].latest.id
    vault.put("db", "new")
    assert act("get_secret_version", secretName="db", secretVersion=old.upper())["value"] == "old"
    assert act("get_secret", secretName="DB")["value"] == "new"
    with pytest.raises(NotFound, match="db is not in"):
        act("get_secret_version", secretName="db", secretVersion=VERSION)


def test_metadata_is_read_without_a_value(act: Act, vault: Any) -> None:
    vault.put("db", "pa55", content_type="a/b")
    vault.deny("get")
    found = act("get_secret_metadata", secretName="db")
    assert (found["contentType"], found["version"]) == ("a/b", vault.secrets["db"].latest.id)
    assert "value" not in found
    assert act("get_secret_version_metadata", secretName="db", secretVersion=found["version"]) == found
    assert not vault.calls["get"]


def test_metadata_of_versions_made_in_one_second_is_that_of_the_latest(act: Act, vault: Any) -> None:
    for number in range(5):
        vault.put("db", str(number))
    assert act("get_secret_metadata", secretName="db")["version"] == vault.secrets["db"].latest.id


def test_metadata_of_a_disabled_secret_is_read(act: Act, vault: Any) -> None:
    vault.put("db", "old")
    vault.put("db", "new", enabled=False)
    found = act("get_secret_metadata", secretName="db")
    assert (found["isEnabled"], found["version"]) == (False, vault.secrets["db"].latest.id)
    with pytest.raises(Forbidden, match="db is disabled"):
        act("get_secret", secretName="db")


def test_what_is_not_there_is_told_by_name(act: Act, vault: Any) -> None:
    vault.put("db", "v")
    for action_id in ("get_secret", "get_secret_metadata", "list_secret_versions", "delete_secret", "backup_secret"):
        with pytest.raises(NotFound, match="nothing is not in"):
            act(action_id, secretName="nothing")
    with pytest.raises(NotFound, match=f"db has no version {VERSION}"):
        act("get_secret_version_metadata", secretName="db", secretVersion=VERSION)


# --- lists ---


def test_a_list_follows_all_pages(act: Act, vault: Any) -> None:
    for number in range(60):
        vault.put(f"s{number:02}", "v")
    found = act("list_secrets")
    assert [item["name"] for item in found["items"]] == [f"s{number:02}" for number in range(60)]
    assert found["continuationToken"] is None
    assert set(found["items"][0]) == set(fields_of("list_secrets"))


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("top", [1, 7, 25, 26, 59, 60, 61])
def test_a_list_by_pieces_gives_every_item_once(lab: Lab, act: Act, vault: Any, top: int, ragged: bool) -> None:
    vault.ragged_pages = ragged
    for number in range(60):
        vault.put(f"s{number:02}", "v")
    names, token = [], None
    for _ in range(61):
        found = act("list_secrets", top=top, continuationToken=token)
        assert len(found["items"]) <= top
        names += [item["name"] for item in found["items"]]
        token = found["continuationToken"]
        if token is None:
            break
    assert names == [f"s{number:02}" for number in range(60)]


def test_versions_are_listed(act: Act, vault: Any) -> None:
    for number in range(30):
        vault.put("db", str(number))
    found = act("list_secret_versions", secretName="db")["items"]
    assert {item["version"] for item in found} == {version.id for version in vault.secrets["db"].versions}
    assert set(found[0]) == set(fields_of("list_secret_versions"))


@pytest.mark.parametrize(
    "token", ["", "x", "bm90aGluZw", "WyIvc2VjcmV0cyIsIDEsIDJd", "WyJodHRwczovL2V2aWwudGVzdC9zZWNyZXRzIiwgMF0"]
)
def test_a_token_of_somebody_else_is_refused_before_any_call(act: Act, vault: Any, token: str) -> None:
    with pytest.raises(BadInput, match="continuationToken is none that this action gave"):
        act("list_secret_versions", secretName="db", continuationToken=token)
    assert not vault.calls["versions"]


def test_a_token_of_another_list_is_refused(act: Act, vault: Any) -> None:
    for name in ("a", "b"):
        vault.put(name, "v")
    token = act("list_secrets", top=1)["continuationToken"]
    with pytest.raises(BadInput, match="continuationToken"):
        act("list_secret_versions", secretName="a", continuationToken=token)


# --- writing ---


def test_a_secret_is_created_with_all_that_is_said_of_it(act: Act, vault: Any) -> None:
    made = act(
        "create_secret", secretName="db", value="pa55", contentType="a/b", enabled="true",
        validityStartTime="2026-01-01T00:00:00Z", validityEndTime=1_900_000_000, tags='{"team": "blue"}',
    )  # fmt: skip
    assert vault.value("db") == "pa55"
    assert (made["name"], made["contentType"], made["tags"]) == ("db", "a/b", {"team": "blue"})
    assert (made["validityStartTime"], made["validityEndTime"]) == ("2026-01-01T00:00:00Z", "2030-03-17T17:46:40Z")
    assert "value" not in made


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("kind", ["lost", "500", "truncated", "broken-json"])
def test_a_secret_is_created_once_when_the_answer_is_lost(
    lab: Lab, act: Act, vault: Any, kind: str, enabled: bool
) -> None:
    vault.put("db", "before", enabled=enabled)
    lab.settle()
    lab.sandbox.faults.add(int(kind) if kind.isdigit() else kind, host="contoso", method="PUT")
    act("create_secret", secretName="db", value="pa55", enabled=enabled)
    assert len(vault.secrets["db"].versions) == 2


def test_attributes_of_the_latest_version_are_updated_by_its_name(act: Act, vault: Any) -> None:
    vault.put("db", "v", content_type="a/b", tags={"a": "1"})
    changed = act("update_secret", secretName="db", enabled=False, tags={"b": "2"})
    assert (changed["isEnabled"], changed["contentType"], changed["tags"]) == (False, "a/b", {"b": "2"})
    assert len(vault.secrets["db"].versions) == 1
    assert act("update_secret", secretName="db", secretVersion=changed["version"], enabled=True)["isEnabled"] is True


@pytest.mark.parametrize(
    ("action_id", "inputs", "sentence"),
    [
        ("get_secret", {}, "Action get_secret needs secretName: letters, digits and -"),
        ("get_secret", {"secretName": "../keys/x"}, "secretName cannot be that: letters"),
        ("get_secret", {"secretName": "x" * 128}, "secretName cannot be that"),
        ("get_secret", {"secretName": 5}, "secretName is not a text"),
        ("get_secret", {"secretName": "x", "version": "1"}, "get_secret has no parameter version; it takes: secretName"),
        ("get_secret_version", {"secretName": "x", "secretVersion": "latest"}, "secretVersion cannot be that: the 32"),
        ("create_secret", {"secretName": "x"}, "create_secret needs value"),
        ("create_secret", {"secretName": "x", "value": ""}, "value is empty"),
        ("create_secret", {"secretName": "x", "value": "y" * 25_601}, "value is longer than the 25,600 characters"),
        ("create_secret", {"secretName": "x", "value": "y", "contentType": "c" * 256}, "contentType is longer than 255"),
        ("create_secret", {"secretName": "x", "value": "\ud800"}, "value is not a text"),
        ("create_secret", {"secretName": "x", "value": "y", "enabled": "perhaps"}, "enabled is not true or false"),
        ("create_secret", {"secretName": "x", "value": "y", "tags": "no"}, "tags is not JSON"),
        ("create_secret", {"secretName": "x", "value": "y", "tags": {"a": 1}}, "tags is not a map of texts"),
        ("create_secret", {"secretName": "x", "value": "y", "validityEndTime": "soon"}, "validityEndTime is not a moment"),
        ("update_secret", {"secretName": "x"}, "Nothing to update is named"),
        ("list_secrets", {"top": 0}, "top is not a number above 0"),
        ("list_secrets", {"top": "many"}, "top is not a whole number"),
        ("restore_secret", {"backup": "!"}, "backup is not base64"),
    ],
)  # fmt: skip
def test_inputs_are_checked_before_any_call(
    act: Act, vault: Any, action_id: str, inputs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as refused:
        act(action_id, **inputs)
    assert "yyyy" not in str(refused.value)
    assert not vault.calls


def test_an_unknown_action_is_refused_with_those_that_there_are(act: Act) -> None:
    with pytest.raises(SettingsError, match=r"Connection contoso has no action fly; it has: .*get_secret, "):
        act("fly")


# --- deleting, and what undoes it ---


def test_a_secret_is_deleted_recovered_and_purged_and_each_is_waited_for(lab: Lab, act: Act, vault: Any) -> None:
    vault.put("db", "v")
    vault.settle_seconds = 9.0
    gone = act("delete_secret", secretName="db")
    assert (gone["name"], gone["isSettled"]) == ("db", True)
    assert gone["deletedTime"] < gone["scheduledPurgeTime"]
    deleted = act("list_deleted_secrets")["items"]
    assert [(item["name"], item["deletedTime"]) for item in deleted] == [("db", gone["deletedTime"])]
    assert set(deleted[0]) == set(fields_of("list_deleted_secrets"))
    assert act("recover_secret", secretName="db") == {"name": "db", "isSettled": True}
    assert act("get_secret", secretName="db")["value"] == "v"
    act("delete_secret", secretName="db")
    assert act("purge_secret", secretName="db") == {"name": "db", "isSettled": True}
    assert lab.clock.slept
    with pytest.raises(NotFound):
        act("recover_secret", secretName="db")


def test_the_wait_ends_and_says_that_it_is_not_over(lab: Lab, act: Act, vault: Any) -> None:
    vault.put("db", "v")
    vault.settle_seconds = 10_000.0
    assert act("delete_secret", secretName="db")["isSettled"] is False
    assert sum(lab.clock.slept) <= SETTLE_SECONDS


def test_who_may_not_look_is_not_told_a_tale(act: Act, vault: Any) -> None:
    vault.put("db", "v")
    vault.deny("get", "list")
    assert act("delete_secret", secretName="db")["isSettled"] is None


@pytest.mark.parametrize("kind", ["lost", "truncated", "broken-json"])
def test_a_lost_answer_does_not_make_a_deletion_fail(lab: Lab, act: Act, vault: Any, kind: str) -> None:
    vault.put("db", "v")
    lab.sandbox.faults.add(kind, host="contoso", method="DELETE", path="/secrets/")
    gone = act("delete_secret", secretName="db")
    assert gone["isSettled"] is True
    assert gone["deletedTime"]
    lab.sandbox.faults.add(kind, host="contoso", method="POST", path="/recover")
    assert act("recover_secret", secretName="db")["isSettled"] is True
    act("delete_secret", secretName="db")
    lab.sandbox.faults.add("lost", host="contoso", method="DELETE", path="/deletedsecrets/")
    assert act("purge_secret", secretName="db")["isSettled"] is True


def test_a_lost_answer_does_not_make_a_deletion_of_nothing_succeed(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("reset", host="contoso", method="DELETE")
    with pytest.raises(NotFound, match="db is not in"):
        act("delete_secret", secretName="db")


def test_purge_protection_is_told_by_its_code(act: Act, vault: Any) -> None:
    vault.put("db", "v")
    act("delete_secret", secretName="db")
    vault.purge_protection = True
    with pytest.raises(Forbidden, match="purge db with HTTP 403") as refused:
        act("purge_secret", secretName="db")
    assert refused.value.code == "purge_refused"


def test_a_deleted_name_is_blocked_with_what_to_do(act: Act, vault: Any) -> None:
    vault.put("db", "v")
    act("delete_secret", secretName="db")
    with pytest.raises(Conflict, match="recover or purge it"):
        act("create_secret", secretName="db", value="v")


def test_a_backup_is_restored_in_another_vault(lab: Lab, act: Act, vault: Any) -> None:
    for value in ("old", "new"):
        vault.put("db", value)
    backup = act("backup_secret", secretName="db")["backup"]
    there = acting(lab, "fabrikam")
    assert there("restore_secret", backup=backup)["name"] == "db"
    assert there("get_secret", secretName="db")["value"] == "new"
    assert len(there("list_secret_versions", secretName="db")["items"]) == 2
    with pytest.raises(Conflict):
        there("restore_secret", backup=backup)


@pytest.mark.parametrize(
    ("action_id", "word", "role"),
    [
        ("get_secret", "get", "Key Vault Secrets User"),
        ("list_secret_versions", "list", "Key Vault Secrets User"),
        ("get_secret_metadata", "list", "Key Vault Secrets User"),
        ("delete_secret", "delete", "Key Vault Secrets Officer"),
        ("recover_secret", "recover", "Key Vault Secrets Officer"),
        ("purge_secret", "purge", "Key Vault Secrets Officer"),
        ("backup_secret", "backup", "Key Vault Secrets Officer"),
    ],
)
@pytest.mark.parametrize("rbac", [True, False])
def test_a_missing_right_is_told_with_role_or_permission(
    act: Act, vault: Any, action_id: str, word: str, role: str, rbac: bool
) -> None:
    vault.put("db", "v")
    vault.deny(word)
    vault.rbac = rbac
    sentence = rbac_words("secrets", word, role) if rbac else f"add the secret permission {word.capitalize()}"
    with pytest.raises(Forbidden, match=sentence):
        act(action_id, secretName="db")


def test_ids_on_another_host_are_read_by_their_path_alone(lab: Lab, act: Act, vault: Any) -> None:
    """The sandbox puts the host that it was asked for into ids; a vault behind a gateway does not (trap 46)."""
    from connectors.azure_key_vault.actions.metadata import secret_described

    document = {"id": f"https://elsewhere.test:444/secrets/db/{VERSION}", "attributes": {}}
    assert (secret_described(document)["name"], secret_described(document)["version"]) == ("db", VERSION)


def fields_of(action_id: str) -> tuple[str, ...]:
    from connectors.azure_key_vault import AzureKeyVault

    (items,) = [
        output.fields
        for action in AzureKeyVault.actions("data")
        if action.id == action_id
        for output in action.outputs
        if output.name == "items"
    ]
    return items
