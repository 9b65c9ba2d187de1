"""Microsoft's synchronous SDK judges the sandbox's secrets."""

from datetime import UTC, datetime

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from connectors.azure_key_vault.sandbox.throttle import CREATE_COST

pytestmark = pytest.mark.referee


@pytest.fixture
def vault(sandbox):
    return sandbox.vault("contoso")


def delete(client, name):
    poller = client.begin_delete_secret(name, _polling_interval=0.01)
    poller.wait()
    return poller.result()


def test_a_secret_is_set_and_read_back(client, vault):
    expires = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    made = client.set_secret(
        "Name", "wärt\r\n😀", content_type="text/plain", tags={"a": "b"}, expires_on=expires, not_before=expires
    )
    read = client.get_secret("name")
    assert (read.name, read.value, read.id) == ("Name", "wärt\r\n😀", made.id)
    properties = read.properties
    assert (properties.content_type, properties.tags, properties.enabled) == ("text/plain", {"a": "b"}, True)
    assert properties.expires_on == properties.not_before == expires
    assert (properties.recoverable_days, properties.recovery_level) == (90, "Recoverable+Purgeable")
    assert vault.calls == {"challenge": 1, "put": 1, "get": 1}


def test_versions_are_kept_and_listed(client):
    first = client.set_secret("s", "1")
    second = client.set_secret("s", "2")
    assert client.get_secret("s").value == "2"
    assert client.get_secret("s", first.properties.version).value == "1"
    listed = {one.version for one in client.list_properties_of_secret_versions("s")}
    assert listed == {first.properties.version, second.properties.version}


def test_properties_are_updated_with_and_without_a_version(client):
    version = client.set_secret("s", "1", tags={"a": "b"}).properties.version
    assert client.update_secret_properties("s", enabled=False).enabled is False
    changed = client.update_secret_properties("s", version, enabled=True, tags={"c": "d"}, content_type="x")
    assert (changed.version, changed.tags, changed.content_type) == (version, {"c": "d"}, "x")
    assert client.get_secret("s").value == "1"


@pytest.mark.parametrize("settle_seconds", [0.0, 0.05])
def test_a_secret_is_deleted_recovered_and_purged(client, vault, settle_seconds):
    vault.settle_seconds = settle_seconds
    client.set_secret("s", "1")
    deleted = delete(client, "s")
    assert deleted.recovery_id.endswith("/deletedsecrets/s")
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    assert client.get_deleted_secret("s").name == "s"
    assert [one.name for one in client.list_deleted_secrets()] == ["s"]
    client.begin_recover_deleted_secret("s", _polling_interval=0.01).wait()
    assert client.get_secret("s").value == "1"
    delete(client, "s")
    client.purge_deleted_secret("s")
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret("s")


def test_a_backup_is_restored_in_another_vault(client, new_client):
    client.set_secret("s", "1")
    client.set_secret("s", "2")
    other = new_client("fabrikam")
    restored = other.restore_secret_backup(client.backup_secret("s"))
    assert restored.name == "s"
    assert other.get_secret("s").value == "2"
    assert len(list(other.list_properties_of_secret_versions("s"))) == 2


def test_paging_goes_over_short_and_empty_pages(client, vault):
    for number in range(120):
        vault.put(f"s{number:03d}", "v")
    assert [one.name for one in client.list_properties_of_secrets()] == [f"s{number:03d}" for number in range(120)]
    pages = [len(list(page)) for page in client.list_properties_of_secrets(max_page_size=20).by_page()]
    assert pages == [20, 20, 20, 0, 20, 20, 10, 10]


def test_a_missing_secret_is_not_found(client):
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_secret("nobody")
    assert caught.value.error.code == "SecretNotFound"


def test_a_name_of_a_deleted_secret_is_a_conflict(client):
    client.set_secret("s", "1")
    delete(client, "s")
    with pytest.raises(ResourceExistsError, match="ObjectIsDeletedButRecoverable"):
        client.set_secret("s", "2")


def test_a_disabled_secret_is_forbidden(client):
    client.set_secret("s", "1", enabled=False)
    with pytest.raises(HttpResponseError, match="SecretDisabled") as caught:
        client.get_secret("s")
    assert caught.value.status_code == 403


def test_a_missing_permission_is_forbidden(client, vault):
    vault.deny("get")
    with pytest.raises(HttpResponseError, match="ForbiddenByRbac"):
        client.get_secret("s")


def test_a_value_that_is_too_long_is_refused(client):
    with pytest.raises(HttpResponseError, match="SecretTooLarge"):
        client.set_secret("s", "x" * 25_601)


def test_an_unknown_api_version_is_refused(new_client):
    with pytest.raises(HttpResponseError, match="BadParameter"):
        new_client(api_version="1999-12-31").get_secret("s")


@pytest.mark.parametrize("api_version", ["2016-10-01", "7.1", "7.4", "7.6", "2025-07-01"])
def test_older_api_versions_work(new_client, api_version):
    client = new_client(api_version=api_version)
    client.set_secret("s", "1")
    assert client.get_secret("s").value == "1"
    assert [one.name for one in client.list_properties_of_secrets()] == ["s"]


# --- credentials --------------------------------------------------------------------------------


def test_a_wrong_client_secret_fails_with_entras_words(new_client):
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        new_client(secret="wrong").get_secret("s")


def test_an_unknown_tenant_fails(new_client):
    client = new_client(tenant="nobody.example")
    with pytest.raises(ClientAuthenticationError):
        client.get_secret("s")


def test_the_sdk_gets_a_new_token_when_its_tokens_were_revoked(client, sandbox):
    client.set_secret("s", "1")
    sandbox.revoke_tokens()
    assert client.get_secret("s").value == "1"
    assert sandbox.calls()["entra"]["token"] == 2


def test_a_claims_challenge_is_answered_with_a_new_token(client, sandbox):
    client.set_secret("s", "1")
    sandbox.faults.add("claims", host="contoso")
    assert client.get_secret("s").value == "1"
    assert sandbox.calls()["entra"]["token"] == 2


# --- bad days -----------------------------------------------------------------------------------


def test_a_429_with_retry_after_is_waited_for(client, sandbox, vault):
    client.set_secret("s", "1")
    sandbox.faults.add("429", host="contoso", times=2, retry_after=0.05)
    assert client.get_secret("s").value == "1"
    assert (vault.calls["get"], vault.calls["faulted"]) == (3, 2)


def test_a_429_without_retry_after_is_retried_with_backoff(new_client, sandbox, vault):
    client = new_client(retry_backoff_factor=0.01)
    client.set_secret("s", "1")
    sandbox.faults.add("429", host="contoso", times=2)
    assert client.get_secret("s").value == "1"
    assert vault.calls["get"] == 3


@pytest.mark.parametrize("kind", ["500", "503", "html", "reset"])
def test_a_passing_failure_is_retried(new_client, sandbox, vault, kind):
    client = new_client(retry_backoff_factor=0.01)
    client.set_secret("s", "1")
    sandbox.faults.add(kind, host="contoso", method="GET", times=2)
    assert client.get_secret("s").value == "1"


def test_a_lost_answer_to_a_set_makes_a_second_version(new_client, sandbox, vault):
    client = new_client(retry_backoff_factor=0.01)
    client.set_secret("other", "1")
    sandbox.faults.add("lost", host="contoso", method="PUT")
    client.set_secret("s", "1")
    assert len(vault.secrets["s"].versions) == 2


@pytest.mark.parametrize("kind", ["truncated", "broken-json"])
def test_a_spoilt_body_is_an_error(new_client, sandbox, vault, kind):
    client = new_client(retry_total=0)
    client.set_secret("s", "x" * 1000)
    sandbox.faults.add(kind, host="contoso", method="GET")
    with pytest.raises(AzureError):
        client.get_secret("s")
    assert client.get_secret("s").value == "x" * 1000


def test_azures_limits_show_as_429(new_client, sandbox):
    client = new_client(retry_total=0)
    client.set_secret("s", "1")
    sandbox.throttle(True)
    for _ in range(300):
        sandbox.throttle.admit("contoso", CREATE_COST)
    with pytest.raises(HttpResponseError, match="Throttled") as caught:
        client.set_secret("s", "2")
    assert caught.value.status_code == 429


# --- everything verified ------------------------------------------------------------------------


def test_azures_own_names_verify_completely(sandbox, redirected):
    entra = redirected({"login.microsoftonline.com": "entra"})
    vaults = redirected({"fabrikam.vault.azure.net": "fabrikam"})
    with (
        ClientSecretCredential(sandbox.tenant, sandbox.client_id, sandbox.client_secret, transport=entra) as credential,
        SecretClient("https://fabrikam.vault.azure.net", credential, transport=vaults) as client,
    ):
        assert client.set_secret("s", "1").id.startswith("https://fabrikam.vault.azure.net/secrets/s/")
        for number in range(60):
            sandbox.vault("fabrikam").put(f"n{number}", "v")
        assert len(list(client.list_properties_of_secrets())) == 61


def test_a_vault_on_localhost_verifies_against_its_own_suffix(sandbox, redirected):
    port = sandbox.port("contoso")
    vaults = redirected({"contoso.vault.localhost": "contoso"})
    with (
        ClientSecretCredential(
            sandbox.tenant,
            sandbox.client_id,
            sandbox.client_secret,
            authority=sandbox.authority,
            disable_instance_discovery=True,
            connection_verify=str(sandbox.ca_file),
        ) as credential,
        SecretClient(f"https://contoso.vault.localhost:{port}", credential, transport=vaults) as client,
    ):
        client.set_secret("s", "1")
        assert client.get_secret("s").value == "1"
