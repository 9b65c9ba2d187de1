"""Secrets as Key Vault keeps them: the wire contract of the data plane."""

import base64
import json
import re
from itertools import chain

import pytest

from connectors.azure_key_vault.sandbox.throttle import CREATE_COST, OTHER_COST

VERSION_ID = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def vault(sandbox):
    return sandbox.vault("contoso")


def names(items):
    return [item["id"].rpartition("/")[2] for item in items]


# --- authentication -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("path", ["/secrets/anything", "/secrets/not%20a%20name", "/nonsense"])
def test_a_request_without_token_is_challenged_before_anything_else(client, sandbox, method, path):
    reply = client.send(method, sandbox.vault_url("contoso") + path, b"")
    assert reply.error == (401, "Unauthorized", None)
    assert reply.json["error"]["message"].startswith("AKV10000")
    assert reply.headers["WWW-Authenticate"] == (
        f'Bearer authorization="{sandbox.authority}/{sandbox.tenant}", resource="https://vault.azure.net"'
    )
    assert sandbox.vault("contoso").calls == {"challenge": 1}


def test_a_token_for_another_audience_is_refused(client):
    token = client.token("https://management.azure.com/.default")
    reply = client.vault("GET", "/secrets", headers={"Authorization": f"Bearer {token}"})
    assert reply.status == 401
    assert reply.json["error"]["message"].startswith("AKV10022")
    assert "WWW-Authenticate" in reply.headers


def test_a_token_expires_by_the_movable_clock(client, sandbox):
    assert client.vault("GET", "/secrets").status == 200
    sandbox.clock.advance(3600)
    reply = client.vault("GET", "/secrets")
    assert (reply.status, "[TokenExpired]" in reply.json["error"]["message"]) == (401, True)


def test_a_token_is_not_valid_before_its_time(client, sandbox):
    client.token()
    sandbox.clock.advance(-3600)
    assert client.vault("GET", "/secrets").status == 401


def test_revoked_tokens_are_refused_and_new_ones_are_not(client, sandbox):
    client.token()
    sandbox.revoke_tokens()
    assert client.vault("GET", "/secrets").status == 401
    client.tokens.clear()
    assert client.vault("GET", "/secrets").status == 200


def test_a_tampered_token_is_refused(client):
    header, claims, signature = client.token().split(".")
    forged = base64.urlsafe_b64encode(
        json.dumps({"aud": "https://vault.azure.net", "exp": 9999999999}).encode()
    ).decode()
    for token in (f"{header}.{forged.rstrip('=')}.{signature}", f"{header}.{claims}.", "a.b.c", "x", "é.é.é"):
        headers = {"Authorization": f"Bearer {token}"}
        assert client.vault("GET", "/secrets", headers=headers).status == 401


def test_a_token_of_another_sandbox_is_refused(client, start, new_client):
    other = new_client(start(vaults={}))
    headers = {"Authorization": f"Bearer {other.token()}"}
    assert client.vault("GET", "/secrets", headers=headers).status == 401


# --- API versions, names, routes ----------------------------------------------------------------


@pytest.mark.parametrize(
    "api_version", ["2016-10-01", "7.0", "7.4", "7.6", "7.5-preview.1", "2025-07-01", "2026-03-01-preview"]
)
def test_known_api_versions_are_served(client, api_version):
    assert client.vault("GET", "/secrets", api_version=api_version).status == 200


def test_an_unknown_api_version_is_refused_and_the_latest_named(client):
    reply = client.vault("GET", "/secrets", api_version="2015-06-01")
    assert reply.error == (400, "BadParameter", None)
    assert "2026-04-01" in reply.json["error"]["message"]


def test_a_missing_api_version_is_refused(client, sandbox):
    headers = {"Authorization": f"Bearer {client.token()}"}
    reply = client.send("GET", sandbox.vault_url("contoso") + "/secrets", headers=headers)
    assert reply.error == (400, "BadParameter", None)


@pytest.mark.parametrize("name", ["under_score", "a%20b", "a.b", "x" * 128, "%C3%A9"])
def test_a_bad_name_is_refused(client, name):
    assert client.vault("PUT", f"/secrets/{name}", {"value": "v"}).error == (400, "BadParameter", None)


def test_a_name_of_127_characters_is_taken(client):
    assert client.vault("PUT", f"/secrets/{'x' * 127}", {"value": "v"}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/storage", 404),
        ("GET", "/secrets/a/b/c", 404),
        ("POST", "/secrets", 405),
        ("PUT", "/secrets/a/versions", 405),
        ("DELETE", "/secrets/a/0123456789abcdef0123456789abcdef", 405),
        ("POST", "/deletedsecrets/a/explode", 405),
    ],
)
def test_unknown_routes_are_refused(client, method, path, status):
    assert client.vault(method, path).status == status


# --- set, get, update ---------------------------------------------------------------------------


def test_a_set_secret_can_be_read_back(client):
    body = {
        "value": "line\r\nnext\n\x00\x1f\u2028😀 =1+1",
        "contentType": "text/plain",
        "tags": {"team": "blue"},
        "attributes": {"enabled": True, "nbf": 1, "exp": 4_000_000_000},
    }
    made = client.vault("PUT", "/secrets/Name", body)
    assert made.status == 200
    read = client.vault("GET", "/secrets/Name")
    assert read.json == made.json
    assert read.json["value"] == body["value"]
    assert (read.json["contentType"], read.json["tags"]) == ("text/plain", {"team": "blue"})
    attributes = read.json["attributes"]
    assert (attributes["nbf"], attributes["exp"], attributes["enabled"]) == (1, 4_000_000_000, True)
    assert (attributes["recoveryLevel"], attributes["recoverableDays"]) == ("Recoverable+Purgeable", 90)
    assert VERSION_ID.fullmatch(read.json["id"].rpartition("/")[2])


def test_unset_members_are_left_out(client):
    made = client.vault("PUT", "/secrets/bare", {"value": ""}).json
    assert made.keys() == {"value", "id", "attributes"}
    assert {"nbf", "exp"}.isdisjoint(made["attributes"])


def test_names_compare_without_case_and_keep_their_first(client, sandbox):
    client.vault("PUT", "/secrets/MyName", {"value": "1"})
    reply = client.vault("PUT", "/secrets/MYNAME", {"value": "2"})
    assert "/secrets/MyName/" in reply.json["id"]
    assert client.vault("GET", "/Secrets/myname").json["value"] == "2"
    assert names(client.vault("GET", "/secrets").json["value"]) == ["MyName"]
    assert reply.json["id"].startswith(sandbox.vault_url("contoso"))


def test_a_new_version_inherits_nothing_and_knows_its_predecessor(client):
    first = client.vault("PUT", "/secrets/s", {"value": "1", "tags": {"a": "b"}, "contentType": "x"}).json
    second = client.vault("PUT", "/secrets/s", {"value": "2"}).json
    assert {"tags", "contentType"}.isdisjoint(second)
    assert second["previousVersion"] == first["id"].rpartition("/")[2]
    assert "previousVersion" not in client.vault("GET", "/secrets/s", api_version="7.4").json
    assert client.vault("GET", f"/secrets/s/{second['previousVersion']}").json["value"] == "1"


def test_old_api_versions_do_not_know_recoverable_days(client, vault):
    vault.retention_days = 30
    client.vault("PUT", "/secrets/s", {"value": "1"})
    old = client.vault("GET", "/secrets/s", api_version="7.0").json["attributes"]
    assert ("recoverableDays" in old, old["recoveryLevel"]) == (False, "Recoverable+Purgeable")
    new = client.vault("GET", "/secrets/s", api_version="7.1").json["attributes"]
    assert (new["recoverableDays"], new["recoveryLevel"]) == (30, "CustomizedRecoverable+Purgeable")
    vault.purge_protection = True
    level = client.vault("GET", "/secrets/s").json["attributes"]["recoveryLevel"]
    assert level == "CustomizedRecoverable"


def test_a_trailing_slash_means_the_latest_version(client):
    client.vault("PUT", "/secrets/s", {"value": "1"})
    assert client.vault("GET", "/secrets/s/").json["value"] == "1"
    assert client.vault("PATCH", "/secrets/s/", {"contentType": "x"}).json["contentType"] == "x"


def test_an_update_replaces_what_it_names_and_never_shows_the_value(client, sandbox):
    client.vault("PUT", "/secrets/s", {"value": "1", "tags": {"a": "1", "b": "2"}, "contentType": "old"})
    sandbox.clock.advance(10)
    reply = client.vault("PATCH", "/secrets/s", {"tags": {"c": "3"}, "value": "ignored"})
    assert "value" not in reply.json
    read = client.vault("GET", "/secrets/s").json
    assert (read["value"], read["tags"], read["contentType"]) == ("1", {"c": "3"}, "old")
    assert read["attributes"]["updated"] - read["attributes"]["created"] in (10, 11)


def test_an_update_of_an_old_version_leaves_the_latest_alone(client):
    first = client.vault("PUT", "/secrets/s", {"value": "1"}).json["id"].rpartition("/")[2]
    client.vault("PUT", "/secrets/s", {"value": "2"})
    client.vault("PATCH", f"/secrets/s/{first}", {"attributes": {"enabled": False}})
    assert client.vault("GET", "/secrets/s").json["value"] == "2"
    assert client.vault("GET", f"/secrets/s/{first}").error == (403, "Forbidden", "SecretDisabled")


def test_a_disabled_secret_is_forbidden_but_listed_and_changeable(client):
    client.vault("PUT", "/secrets/s", {"value": "1", "attributes": {"enabled": False}})
    assert client.vault("GET", "/secrets/s").error == (403, "Forbidden", "SecretDisabled")
    (item,) = client.vault("GET", "/secrets").json["value"]
    assert item["attributes"]["enabled"] is False
    assert client.vault("PATCH", "/secrets/s", {"attributes": {"enabled": True}}).status == 200
    assert client.vault("GET", "/secrets/s").json["value"] == "1"


def test_an_expired_secret_is_readable_unless_the_switch_says_no(client, vault):
    vault.put("old", "v", exp=1)
    vault.put("early", "v", nbf=4_000_000_000)
    assert client.vault("GET", "/secrets/old").status == client.vault("GET", "/secrets/early").status == 200
    vault.expired_readable = False
    assert client.vault("GET", "/secrets/old").status == client.vault("GET", "/secrets/early").status == 403


def test_a_missing_secret_or_version_is_not_found(client, vault):
    vault.put("s", "v")
    unknown = "0" * 32
    for path in ("/secrets/t", f"/secrets/s/{unknown}", "/secrets/t/versions", "/deletedsecrets/s"):
        assert client.vault("GET", path).error == (404, "SecretNotFound", None)
    assert client.vault("PATCH", "/secrets/t/", {}).status == 404
    assert client.vault("DELETE", "/secrets/t").status == 404
    assert client.vault("GET", "/secrets/s/short").error == (400, "BadParameter", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        {},
        {"value": None},
        {"value": 7},
        {"value": "v", "tags": []},
        {"value": "v", "tags": {"a": 1}},
        {"value": "v", "tags": {str(number): "" for number in range(16)}},
        {"value": "v", "tags": {"a": "x" * 513}},
        {"value": "v", "contentType": "x" * 256},
        {"value": "v", "contentType": 3},
        {"value": "v", "attributes": "on"},
        {"value": "v", "attributes": {"enabled": "yes"}},
        {"value": "v", "attributes": {"exp": "soon"}},
        {"value": "v", "attributes": {"exp": 10**30}},
        {"value": "v", "attributes": {"nbf": True}},
    ],
)
def test_a_bad_body_is_a_bad_parameter(client, vault, body):
    assert client.vault("PUT", "/secrets/s", body).error == (400, "BadParameter", None)
    assert not vault.secrets


def test_the_longest_value_is_25600_characters(client):
    assert client.vault("PUT", "/secrets/s", {"value": "😀" * 25_600}).status == 200
    assert client.vault("PUT", "/secrets/s", {"value": "x" * 25_601}).error == (
        400,
        "BadParameter",
        "SecretTooLarge",
    )


def test_a_lone_surrogate_survives(client):
    client.vault("PUT", "/secrets/s", b'{"value": "a\\ud800b"}')
    assert client.vault("GET", "/secrets/s").json["value"] == "a\ud800b"


# --- soft delete --------------------------------------------------------------------------------


def test_a_deleted_secret_can_be_seen_recovered_and_purged(client, vault):
    vault.put("Name", "v", tags={"a": "b"})
    gone = client.vault("DELETE", "/secrets/name")
    assert gone.status == 200
    assert "value" not in gone.json
    assert gone.json["recoveryId"].endswith("/deletedsecrets/Name")
    assert gone.json["scheduledPurgeDate"] == gone.json["deletedDate"] + 90 * 86_400
    assert VERSION_ID.fullmatch(gone.json["id"].rpartition("/")[2])
    assert client.vault("GET", "/deletedsecrets/NAME").json == gone.json
    (item,) = client.vault("GET", "/deletedsecrets").json["value"]
    assert item["id"].endswith("/secrets/Name")
    assert client.vault("GET", "/secrets/name").status == 404
    assert client.vault("PUT", "/secrets/name", {"value": "2"}).error == (
        409,
        "Conflict",
        "ObjectIsDeletedButRecoverable",
    )
    back = client.vault("POST", "/deletedsecrets/name/recover")
    assert (back.status, "value" in back.json) == (200, False)
    assert client.vault("GET", "/secrets/name").json["value"] == "v"
    client.vault("DELETE", "/secrets/name")
    purged = client.vault("DELETE", "/deletedsecrets/name")
    assert (purged.status, purged.body) == (204, b"")
    assert client.vault("GET", "/deletedsecrets/name").error == (404, "SecretNotFound", None)
    assert client.vault("PUT", "/secrets/name", {"value": "2"}).status == 200


def test_deleting_recovering_and_purging_settle_by_the_clock(client, sandbox, vault):
    vault.settle_seconds = 60
    vault.put("s", "v")
    client.vault("DELETE", "/secrets/s")
    assert client.vault("GET", "/deletedsecrets/s").status == 404
    assert client.vault("GET", "/deletedsecrets").json["value"] == []
    assert client.vault("PUT", "/secrets/s", {"value": "2"}).error == (409, "Conflict", "ObjectIsBeingDeleted")
    sandbox.clock.advance(61)
    assert client.vault("GET", "/deletedsecrets/s").status == 200
    assert client.vault("POST", "/deletedsecrets/s/recover").status == 200
    assert client.vault("GET", "/secrets/s").status == 404
    assert client.vault("GET", "/secrets").json["value"] == []
    assert client.vault("PUT", "/secrets/s", {"value": "2"}).error == (409, "Conflict", "ObjectIsBeingRecovered")
    sandbox.clock.advance(61)
    assert client.vault("GET", "/secrets/s").json["value"] == "v"
    client.vault("DELETE", "/secrets/s")
    sandbox.clock.advance(61)
    assert client.vault("DELETE", "/deletedsecrets/s").status == 204
    assert client.vault("PUT", "/secrets/s", {"value": "2"}).error == (409, "Conflict", "ObjectIsBeingDeleted")
    sandbox.clock.advance(61)
    assert client.vault("PUT", "/secrets/s", {"value": "2"}).status == 200


def test_purge_protection_refuses_to_purge(client, vault):
    vault.purge_protection = True
    vault.put("s", "v")
    client.vault("DELETE", "/secrets/s")
    reply = client.vault("DELETE", "/deletedsecrets/s")
    assert reply.error == (403, "Forbidden", None)
    assert "purge protection" in reply.json["error"]["message"]


def test_a_deleted_secret_purges_itself_after_the_retention(client, sandbox, vault):
    vault.put("s", "v")
    client.vault("DELETE", "/secrets/s")
    sandbox.clock.advance(90 * 86_400 + 1)
    client.tokens.clear()
    assert client.vault("GET", "/deletedsecrets").json["value"] == []
    assert client.vault("PUT", "/secrets/s", {"value": "2"}).status == 200


def test_a_disabled_deleted_secret_is_forbidden(client, vault):
    vault.put("s", "v", enabled=False)
    client.vault("DELETE", "/secrets/s")
    assert client.vault("GET", "/deletedsecrets/s").error == (403, "Forbidden", "SecretDisabled")


def test_a_managed_secret_is_read_only(client, vault):
    vault.add_managed("cert")
    read = client.vault("GET", "/secrets/cert").json
    assert (read["managed"], read["kid"].rpartition("/")[2]) == (True, read["id"].rpartition("/")[2])
    assert client.vault("GET", "/secrets").json["value"][0]["managed"] is True
    for method, body in (("PUT", {"value": "x"}), ("PATCH", {"tags": {}}), ("DELETE", None)):
        assert client.vault(method, "/secrets/cert", body).error[:2] == (403, "Forbidden")
    assert client.vault("POST", "/secrets/cert/backup").status == 403


# --- backup -------------------------------------------------------------------------------------


def test_a_backup_restores_every_version_into_another_vault(client, sandbox, vault):
    vault.put("Name", "1", tags={"a": "b"})
    vault.put("Name", "2", enabled=False)
    blob = client.vault("POST", "/secrets/name/backup").json
    assert "=" not in blob["value"]
    back = client.vault("POST", "/secrets/restore", blob, name="fabrikam")
    assert (back.status, "value" in back.json) == (200, False)
    copy = sandbox.vault("fabrikam").secrets["name"]
    original = vault.secrets["name"]
    assert [(one.id, one.value, one.tags, one.enabled) for one in copy.versions] == [
        (one.id, one.value, one.tags, one.enabled) for one in original.versions
    ]


def test_a_restore_over_anything_is_a_conflict(client, vault):
    vault.put("s", "v")
    blob = client.vault("POST", "/secrets/s/backup").json
    assert client.vault("POST", "/secrets/restore", blob).error == (409, "Conflict", None)
    client.vault("DELETE", "/secrets/s")
    assert client.vault("POST", "/secrets/restore", blob).status == 409
    client.vault("DELETE", "/deletedsecrets/s")
    assert client.vault("POST", "/secrets/restore", blob).status == 200


@pytest.mark.parametrize("value", [None, 3, "", "AAAA", "not base64!", "A" * 100])
def test_a_blob_that_is_no_backup_is_refused(client, value):
    assert client.vault("POST", "/secrets/restore", {"value": value}).error == (400, "BadParameter", None)


# --- lists --------------------------------------------------------------------------------------


def test_list_items_have_no_value_and_no_version(client, vault):
    vault.put("s", "secret-text", content_type="x", tags={"a": "b"})
    reply = client.vault("GET", "/secrets")
    assert b"secret-text" not in reply.body
    (item,) = reply.json["value"]
    assert item.keys() == {"id", "attributes", "contentType", "tags"}
    assert item["id"].endswith("/secrets/s")
    assert reply.json["nextLink"] is None


def test_every_secret_is_listed_once_over_short_and_empty_pages(client, vault):
    for number in range(240):
        vault.put(f"s{number:03d}", "v")
    pages = client.pages("/secrets")
    assert [len(page) for page in pages] == [25, 25, 25, 0, 25, 25, 12, 25, 25, 25, 25, 3]
    assert names(chain.from_iterable(pages)) == [f"s{number:03d}" for number in range(240)]


def test_pages_are_full_when_the_switch_says_so(client, vault):
    vault.ragged_pages = False
    for number in range(100):
        vault.put(f"s{number:03d}", "v")
    assert [len(page) for page in client.pages("/secrets")] == [25, 25, 25, 25]


def test_the_next_link_names_port_and_page_size_only_if_asked(client, sandbox, vault):
    for number in range(5):
        vault.put(f"s{number}", "v")
    link = client.vault("GET", "/secrets", query="&maxresults=2").json["nextLink"]
    assert link.startswith(f"{sandbox.vault_url('contoso')}/secrets?api-version=2026-04-01&$skiptoken=")
    assert link.endswith("&maxresults=2")
    for number in range(30):
        vault.put(f"t{number}", "v")
    assert "maxresults" not in client.vault("GET", "/secrets").json["nextLink"]


def test_the_next_link_spells_out_port_443_for_azures_own_names(client, vault):
    for number in range(30):
        vault.put(f"s{number}", "v")
    reply = client.vault("GET", "/secrets", headers={"Host": "contoso.vault.azure.net"})
    assert reply.json["nextLink"].startswith("https://contoso.vault.azure.net:443/secrets?")
    assert reply.json["value"][0]["id"] == "https://contoso.vault.azure.net/secrets/s0"


@pytest.mark.parametrize("size", ["0", "26", "-1", "x", "", "1.5", "²"])
def test_a_page_size_out_of_range_is_refused(client, size):
    query = f"&maxresults={size.encode().hex() if size == '²' else size}"
    assert client.vault("GET", "/secrets", query=query).error == (400, "BadParameter", None)


@pytest.mark.parametrize("token", ["", "x", "e30", "bnVsbA", "!!", "W10"])
def test_a_mangled_skip_token_is_refused(client, token):
    reply = client.vault("GET", "/secrets", query=f"&$skiptoken={token}")
    assert reply.error == (400, "BadParameter", None)


def test_versions_are_listed_with_their_ids_and_paged(client, vault):
    made = {vault.put("Many", str(number)).id for number in range(60)}
    pages = client.pages("/secrets/many/versions", "&maxresults=20")
    assert [len(page) for page in pages] == [20, 20, 20]
    assert set(names(chain.from_iterable(pages))) == made
    assert "value" not in pages[0][0]


def test_deleted_secrets_are_paged(client, vault):
    for number in range(60):
        vault.put(f"s{number:02d}", "v")
        vault.delete(f"s{number:02d}")
    pages = client.pages("/deletedsecrets")
    assert [len(page) for page in pages] == [25, 25, 10]
    assert {"recoveryId", "deletedDate", "scheduledPurgeDate"} <= pages[0][0].keys()


def test_secrets_that_come_and_go_while_paging_do_no_harm(client, vault):
    for number in range(50):
        vault.put(f"s{number:02d}", "v")
    first = client.vault("GET", "/secrets").json
    vault.delete("s24")
    vault.put("a-new-one", "v")
    second = client.send("GET", first["nextLink"], headers={"Authorization": f"Bearer {client.token()}"})
    assert names(second.json["value"])[0] == "s25"


# --- permissions and counters -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("list", "GET", "/secrets"),
        ("list", "GET", "/secrets/s/versions"),
        ("list", "GET", "/deletedsecrets"),
        ("get", "GET", "/secrets/missing"),
        ("set", "PUT", "/secrets/s"),
        ("set", "PATCH", "/secrets/s/"),
        ("update", "PATCH", "/secrets/s/"),
        ("delete", "DELETE", "/secrets/s"),
        ("recover", "POST", "/deletedsecrets/s/recover"),
        ("purge", "DELETE", "/deletedsecrets/s"),
        ("backup", "POST", "/secrets/s/backup"),
        ("restore", "POST", "/secrets/restore"),
    ],
)
def test_a_missing_permission_is_forbidden_even_for_missing_objects(client, vault, permission, method, path):
    vault.deny(permission)
    assert client.vault(method, path).error == (403, "Forbidden", "ForbiddenByRbac")
    vault.rbac = False
    assert client.vault(method, path).error == (403, "Forbidden", "AccessDenied")
    vault.allow()
    assert client.vault(method, path).status != 403


def test_an_unknown_permission_is_an_error(vault):
    with pytest.raises(ValueError, match="frobnicate"):
        vault.deny("frobnicate")


def test_the_rbac_refusal_names_the_action(client, vault, sandbox):
    vault.deny("get")
    message = client.vault("GET", "/secrets/s").json["error"]["message"]
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n" in message
    assert f"appid={sandbox.client_id};oid=" in message


def test_the_firewall_and_a_private_vault_are_forbidden(client, vault):
    vault.firewall = True
    assert client.vault("GET", "/secrets").error == (403, "Forbidden", "ForbiddenByFirewall")
    vault.firewall, vault.private = False, True
    assert client.vault("GET", "/secrets").error == (403, "Forbidden", "ForbiddenByConnection")


def test_calls_are_counted_by_kind_and_vault(client, sandbox, vault):
    client.vault("PUT", "/secrets/s", {"value": "v"})
    client.vault("GET", "/secrets/s")
    client.vault("GET", "/secrets/s/versions")
    client.vault("GET", "/secrets", name="fabrikam")
    client.vault("GET", "/nonsense")
    assert vault.calls == {"put": 1, "get": 1, "versions": 1, "other": 1}
    assert sandbox.vault("fabrikam").calls == {"list": 1}


def test_the_headers_are_key_vaults(client, vault):
    vault.put("s", "v")
    headers = {"x-ms-client-request-id": "mine"}
    replies = [client.vault("GET", "/secrets/s", headers=headers) for _ in range(2)]
    found = replies[0].headers
    assert found["x-ms-client-request-id"] == "mine"
    assert found["x-ms-request-id"] != replies[1].headers["x-ms-request-id"]
    assert found["Cache-Control"] == found["Pragma"] == "no-cache"
    assert found["Content-Type"] == "application/json; charset=utf-8"
    assert {"x-ms-keyvault-region", "x-ms-keyvault-service-version", "x-ms-keyvault-network-info"} <= set(found)
    assert "x-ms-keyvault-rbac-assignment-id" in found


# --- throttling ---------------------------------------------------------------------------------


def test_creates_beyond_300_in_ten_seconds_are_throttled_and_cost_nothing(client, sandbox, vault):
    sandbox.throttle(True)
    sandbox.clock.set(1_800_000_000)
    for _ in range(300):
        assert sandbox.throttle.admit("contoso", CREATE_COST) == 0
    reply = client.vault("PUT", "/secrets/s", {"value": "v"})
    assert reply.error == (429, "Throttled", None)
    assert 1 <= int(reply.headers["Retry-After"]) <= 10
    assert vault.calls["throttled"] == 1
    sandbox.clock.advance(11)
    assert client.vault("PUT", "/secrets/s", {"value": "v"}).status == 200


def test_creates_and_reads_share_one_budget_by_weight(sandbox):
    sandbox.throttle(True)
    sandbox.clock.set(1_800_000_000)
    admitted = [sandbox.throttle.admit("contoso", CREATE_COST) for _ in range(150)]
    admitted += [sandbox.throttle.admit("contoso", OTHER_COST) for _ in range(2_000)]
    assert not any(admitted)
    assert sandbox.throttle.admit("contoso", OTHER_COST) > 0
    assert sandbox.throttle.admit("fabrikam", OTHER_COST) == 0


def test_five_vaults_worth_is_the_subscriptions_limit(sandbox):
    sandbox.throttle(True)
    sandbox.clock.set(1_800_000_000)
    for vault in range(5):
        assert not any(sandbox.throttle.admit(f"vault{vault}", CREATE_COST) for _ in range(300))
    assert sandbox.throttle.admit("vault6", CREATE_COST) > 0


def test_retry_after_can_be_left_out(client, sandbox):
    sandbox.throttle(True, retry_after=False)
    for _ in range(4_000):
        sandbox.throttle.admit("contoso", OTHER_COST)
    reply = client.vault("GET", "/secrets")
    assert (reply.status, reply.headers["Retry-After"]) == (429, None)


# --- names of the host --------------------------------------------------------------------------


def test_the_host_header_chooses_the_vault_and_the_challenge(client, sandbox):
    port = sandbox.port("contoso")
    reply = client.send("GET", f"{sandbox.authority}/secrets", headers={"Host": "fabrikam.vault.azure.net"})
    assert 'authorization="https://login.windows.net/' in reply.headers["WWW-Authenticate"]
    host = f"fabrikam.vault.localhost:{port}"
    reply = client.send("GET", f"{sandbox.vault_url('contoso')}/secrets", headers={"Host": host})
    assert f'resource="https://vault.localhost:{port}"' in reply.headers["WWW-Authenticate"]
    host = f"fabrikam.vault.lab.test:{port}"
    reply = client.send("GET", f"{sandbox.vault_url('contoso')}/secrets", headers={"Host": host})
    assert 'resource="https://vault.azure.net"' in reply.headers["WWW-Authenticate"]
    assert sandbox.vault("fabrikam").calls == {"challenge": 3}


def test_a_token_for_the_vault_suffix_on_localhost_is_taken_under_that_name_only(client, sandbox):
    port = sandbox.port("contoso")
    token = client.ask_token(scope=f"https://vault.localhost:{port}/.default").json["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    there = client.vault("GET", "/secrets", headers=headers | {"Host": f"contoso.vault.localhost:{port}"})
    assert there.status == 200
    assert client.vault("GET", "/secrets", headers=headers).status == 401


@pytest.mark.parametrize("host", ['x"y', "a b", "é", "x" * 300])
def test_a_host_that_is_none_is_refused(client, host):
    assert client.vault("GET", "/secrets", headers={"Host": host.encode("latin-1")}).status == 400
