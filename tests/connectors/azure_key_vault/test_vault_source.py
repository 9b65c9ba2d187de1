"""Reading a vault: list first, a value only for what is asked for, and on from every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from vault_lab import Lab, SwiftClock

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.model import DEFAULT_API_VERSION, VaultAddress
from connectors.azure_key_vault.reading.secrets import SecretsSource
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Conflict, Forbidden, HostNotAllowed, NotFound, RecordError, SettingsError
from connectors.model import ApiType, Connection, ReadOptions, Record, WriteOptions
from connectors.rest import Call
from iclients.errors import MalformedAnswer
from iclients.secret import Secret


class Answers:
    """Gives what a vault is to say, one document a call, and remembers what was asked."""

    def __init__(self, *documents: Any) -> None:
        self.documents = list(documents)
        self.asked: list[str] = []

    def json(self, call: Call) -> Any:
        self.asked.append(call.url)
        return self.documents.pop(0)


def source_of(*documents: Any, values: bool = False) -> tuple[SecretsSource, Answers]:
    answers = Answers(*documents)
    secrets = VaultSecrets(answers, VaultAddress.parse("https://v.test"), DEFAULT_API_VERSION)  # type: ignore[arg-type]
    return SecretsSource(secrets, ReadOptions(values), SwiftClock()), answers


def item(name: str, host: str = "v.test", **attributes: Any) -> dict[str, Any]:
    return {"id": f"https://{host}/secrets/{name}", "attributes": attributes}


def keys(source: Any, checkpoint: Mapping[str, Any] | None = None) -> list[list[str]]:
    return [[record.key for record in page.records] for page in source.pages(checkpoint)]


class TestFullVault:
    @pytest.fixture
    def vaults(self) -> dict[str, int]:
        return {"contoso": 230}

    def test_every_secret_is_listed_once_and_reading_goes_on_from_every_checkpoint(self, lab: Lab) -> None:
        pages = list(lab.source().pages(None))
        listed = [[record.key for record in page.records] for page in pages]
        assert sum(map(len, listed)) == 230
        assert [] in listed, "the sandbox should have given an empty page with a successor"
        assert pages[-1].checkpoint is None
        for number, page in enumerate(pages[:-1], 1):
            assert keys(lab.source(), page.checkpoint) == listed[number:]

    def test_listing_reads_no_value(self, lab: Lab) -> None:
        for page in lab.source().pages(None):
            assert all(
                (isinstance(record, Record) and "value" not in record.fields) or "value" not in record.fields
                for record in page.records
            )  # type: ignore[union-attr]
        assert set(lab.calls()) == {"list"}

    def test_without_values_a_record_is_complete_as_it_was_listed(self, lab: Lab) -> None:
        source = lab.source(values=False)
        assert source.unread == frozenset()
        record = next(source.pages(None)).records[0]
        assert isinstance(record, Record)
        assert source.read(record) is record

    def test_a_checkpoint_that_the_vault_no_longer_knows_says_to_start_anew(self, lab: Lab) -> None:
        checkpoint = {"next": f"{lab.sandbox.vault_url('contoso')}/secrets?api-version=7.4&$skiptoken=nonsense"}
        with pytest.raises(SettingsError, match="no longer knows where this run stopped reading: start a new run"):
            list(lab.source().pages(checkpoint))

    def test_a_bad_request_in_the_middle_is_told_as_it_is(self, lab: Lab) -> None:
        lab.sandbox.faults.add("400", host="contoso", path="skiptoken", after=1)
        with pytest.raises(Exception, match="HTTP 400"):
            list(lab.source().pages(None))


def test_a_secret_has_all_its_fields_and_its_value_is_hidden(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    version = vault.put("Db", "v4lue", content_type="text/plain", tags={"a": "b"}, nbf=60, exp=1_794_452_400)
    source = lab.source()
    listed = next(source.pages(None)).records[0]
    assert isinstance(listed, Record)
    whole = source.read(listed)
    value = whole.fields.pop("value")
    assert value == Secret("v4lue")
    assert whole.fields == {
        "name": "Db", "version": version.id, "content_type": "text/plain", "enabled": True,
        "not_before": "1970-01-01T00:01:00Z", "expires": "2026-11-12T03:00:00Z",
        "created": whole.fields["created"], "updated": whole.fields["updated"], "tags": {"a": "b"},
        "original_name": None, "managed": False, "id": f"{lab.sandbox.vault_url('contoso')}/secrets/Db/{version.id}",
    }  # fmt: skip
    assert "v4lue" not in repr(whole)


@pytest.mark.parametrize("fields", [{"name"}, {"name", "tags"}])
def test_a_value_that_nobody_looks_at_is_not_read(lab: Lab, fields: set[str]) -> None:
    lab.sandbox.vault("contoso").put("off", "v", enabled=False)
    source = lab.connect().source("secrets", ReadOptions(values=True, fields=frozenset(fields)))
    assert source.unread == frozenset()
    record = next(source.pages(None)).records[0]
    assert isinstance(record, Record)
    assert source.read(record).fields["name"] == "off"
    assert lab.calls() == {"list": 1}


def test_a_disabled_secret_is_listed_and_reading_its_value_fails_without_a_call(lab: Lab) -> None:
    lab.sandbox.vault("contoso").put("off", "v", enabled=False)
    source = lab.source()
    listed = next(source.pages(None)).records[0]
    assert isinstance(listed, Record)
    with pytest.raises(RecordError, match="leave it out with where: enabled") as caught:
        source.read(listed)
    assert caught.value.code == "secret_disabled"
    assert lab.calls() == {"list": 1}


def test_a_disabled_secret_is_a_failed_record_unless_the_filter_leaves_it_out(lab: Lab) -> None:
    lab.sandbox.vault("contoso").put("on", "v")
    lab.sandbox.vault("contoso").put("off", "v", enabled=False)
    assert lab.copy() == {"read": 2, "created": 1, "failed": 1}
    assert [error.code for error in lab.errors()] == ["secret_disabled"]
    assert lab.copy(where="enabled") == {"read": 2, "unchanged": 1, "skipped": 1}


def test_a_secret_that_was_disabled_after_it_was_listed_fails_alone(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "v")
    source = lab.source()
    listed = next(source.pages(None)).records[0]
    assert isinstance(listed, Record)
    vault.put("db", "v", enabled=False)
    with pytest.raises(Forbidden, match="db is disabled, so its value cannot be read"):
        source.read(listed)


def test_a_secret_that_has_gone_since_it_was_listed_fails_alone(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "v")
    source = lab.source()
    listed = next(source.pages(None)).records[0]
    assert isinstance(listed, Record)
    vault.delete("db")
    with pytest.raises(NotFound, match=r"db is not in 127\.0\.0\.1:\d+\."):
        source.read(listed)


def test_the_secret_of_a_certificate_is_left_out(lab: Lab) -> None:
    lab.sandbox.vault("contoso").add_managed("certificate")
    lab.sandbox.vault("contoso").put("db", "v")
    assert lab.copy() == {"read": 2, "created": 1, "skipped": 1}
    assert set(lab.sandbox.vault("fabrikam").secrets) == {"db"}


def test_what_was_touched_a_moment_ago_does_not_count_as_settled(lab: Lab) -> None:
    lab.sandbox.vault("contoso").put("db", "v")
    fresh = next(lab.source().pages(None)).records[0]
    lab.settle()
    settled = next(lab.source().pages(None)).records[0]
    assert isinstance(fresh, Record)
    assert isinstance(settled, Record)
    assert fresh.marker is None
    assert settled.marker == str(lab.sandbox.vault("contoso").secrets["db"].latest.updated)


def test_an_id_that_names_another_host_does_not_lead_there() -> None:
    source, answers = source_of(
        {"value": [item("db", host="elsewhere.test", updated=1)]},
        {"id": "https://elsewhere.test/secrets/db/0123", "value": "v", "attributes": {"updated": 1}},
        values=True,
    )
    record = next(source.pages(None)).records[0]
    assert isinstance(record, Record)
    assert source.read(record).fields["version"] == "0123"
    assert all(url.startswith("https://v.test/") for url in answers.asked)


@pytest.mark.parametrize(
    "link",
    ["https://elsewhere.test/secrets?$skiptoken=x", "http://v.test/secrets", "https://v.test.elsewhere.test/secrets",
     "https://v.test:8443/secrets", "https://v.test:99999999/secrets", "/secrets?$skiptoken=x"],
)  # fmt: skip
def test_a_next_page_on_another_host_is_not_followed(link: str) -> None:
    source, answers = source_of({"value": [item("db")], "nextLink": link})
    pages = source.pages(None)
    assert len(next(pages).records) == 1
    with pytest.raises(HostNotAllowed, match=r"v\.test gave a next page on another host: it was not followed"):
        next(pages)
    assert len(answers.asked) == 1


def test_a_checkpoint_that_leads_elsewhere_is_not_followed() -> None:
    source, answers = source_of()
    with pytest.raises(HostNotAllowed):
        list(source.pages({"next": "https://elsewhere.test/secrets"}))
    assert answers.asked == []


def test_a_next_link_is_taken_as_it_is_even_with_a_port_written_out() -> None:
    link = "https://v.test:443/secrets?api-version=7.4&$skiptoken=eyJ&maxresults=25"
    source, answers = source_of({"value": [], "nextLink": link}, {"value": [item("db")], "nextLink": None})
    assert keys(source) == [[], ["db"]]
    assert answers.asked[1] == link


def test_a_list_that_makes_no_sense_is_no_empty_vault() -> None:
    source, _ = source_of({"value": "nothing"})
    with pytest.raises(MalformedAnswer):
        list(source.pages(None))


# The calls that flows do not make yet


def test_versions_are_listed_page_by_page(lab: Lab) -> None:
    made = {lab.sandbox.vault("contoso").put("db", f"v{number}").id for number in range(60)}
    pages = [items for items, _ in lab.secrets().versions("db")]
    assert {version.version for items in pages for version in items} == made
    assert lab.calls() == {"versions": 3}


def test_one_version_can_be_read(lab: Lab) -> None:
    first = lab.sandbox.vault("contoso").put("db", "old").id
    lab.sandbox.vault("contoso").put("db", "new")
    assert lab.secrets().get("db", first).value == Secret("old")
    assert lab.secrets().get("db").value == Secret("new")


def test_a_deleted_secret_is_listed_recovered_and_purged(lab: Lab) -> None:
    api = lab.secrets()
    lab.sandbox.vault("contoso").put("db", "v")
    api.delete("db")
    assert [item.name for items, _ in api.deleted() for item in items] == ["db"]
    api.recover("db")
    assert api.get("db").value == Secret("v")
    api.delete("db")
    api.purge("db")
    assert [items for items, _ in api.deleted()] == [[]]
    with pytest.raises(NotFound):
        api.recover("db")


def test_purge_protection_is_told_in_the_words_of_the_vault(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "v")
    vault.purge_protection = True
    api = lab.secrets()
    api.delete("db")
    with pytest.raises(Forbidden, match="purge protection is enabled"):
        api.purge("db")


def test_a_name_that_is_being_deleted_says_to_wait(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.settle_seconds = 30
    vault.put("db", "v")
    vault.delete("db")
    with pytest.raises(Conflict, match=r"is being deleted from .* at this moment: run again in a minute"):
        lab.secrets().set("db", {"value": "w"})


# The connection


def test_a_ping_says_what_was_reached(lab: Lab) -> None:
    assert lab.connect().ping().message == f"{lab.hosts[0]} let the connection in and listed its secrets."


def test_the_control_plane_says_how_many_subscriptions_it_sees(lab: Lab) -> None:
    control = Connection("arm", "azure-key-vault", ApiType.CONTROL, "client_credentials", "app")
    connector = AzureKeyVault(control, lab.access())
    assert connector.ping().message == "Azure Resource Manager answered: the app sees 1 subscription."
    with pytest.raises(SettingsError, match="Connection arm has no resource secrets"):
        connector.source("secrets", ReadOptions())
    with pytest.raises(SettingsError):
        connector.target("secrets", WriteOptions())


@pytest.mark.parametrize("hosts", [(), ("other.test",), ("127.0.0.1",), ("*.vault.azure.net",)])
def test_a_vault_that_the_cloud_profile_does_not_list_gets_no_request(lab: Lab, hosts: tuple[str, ...]) -> None:
    with pytest.raises(HostNotAllowed, match="is not a vault of cloud profile lab"):
        lab.connect(cloud=lab.cloud(hosts))
    assert lab.sandbox.calls()["contoso"] == {}
    assert lab.sandbox.calls()["entra"] == {}


def test_a_connection_without_cloud_or_iclient_is_told(lab: Lab) -> None:
    with pytest.raises(SettingsError, match="needs a cloud profile"):
        AzureKeyVault(lab.connection(), replace(lab.access(), cloud=None))
    with pytest.raises(SettingsError, match="Connection contoso has no iClient: name one"):
        AzureKeyVault(lab.connection(), replace(lab.access(), session=None))


def test_an_older_api_version_is_spoken_where_a_connection_asks_for_it(lab: Lab) -> None:
    lab.sandbox.vault("contoso").put("db", "v")
    source = lab.connect(api_version="2016-10-01").source("secrets", ReadOptions(True))
    assert keys(source) == [["db"]]


@pytest.mark.parametrize("operation", ["list", "get"])
@pytest.mark.parametrize("rbac", [True, False])
def test_a_missing_right_is_named_as_the_vault_calls_it(lab: Lab, operation: str, rbac: bool) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "v")
    vault.deny(operation)
    vault.rbac = rbac
    api = lab.secrets()
    with pytest.raises(Forbidden) as caught:
        api.get("db") if operation == "get" else next(iter(api.pages()))
    named = "the role Key Vault Secrets User" if rbac else f"the secret permission {operation.capitalize()}"
    assert named in str(caught.value)


def test_a_firewall_and_a_private_endpoint_are_told_apart(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.firewall = True
    with pytest.raises(Forbidden, match="add its address under Networking"):
        lab.connect().ping()
    vault.firewall, vault.private = False, True
    with pytest.raises(Forbidden, match="use its private endpoint"):
        lab.connect().ping()
