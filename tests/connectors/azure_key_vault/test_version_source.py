"""Versions as a source: every version of every object, a value only where it is asked for and can be had."""

from __future__ import annotations

from typing import Any

import pytest
from acting import acting
from cryptography import x509
from vault_lab import Lab

from connectors.azure_key_vault.preflight import rights_for
from connectors.azure_key_vault.reading.versions import VERSION_KINDS
from connectors.connector import Source
from connectors.errors import NotFound, SettingsError
from connectors.model import Checkpoint, Need, Page, ReadOptions, Record, WriteOptions
from iclients.secret import revealed


def opened(lab: Lab, resource: str = "secret_versions", values: bool = True, *fields: str) -> Source:
    return lab.connect().source(resource, ReadOptions(values, frozenset(fields) if fields else None))


def pages(source: Source, checkpoint: Checkpoint | None = None) -> list[Page]:
    return list(source.pages(checkpoint))


def listed(source: Source, checkpoint: Checkpoint | None = None) -> list[Record]:
    found = [record for page in source.pages(checkpoint) for record in page.records]
    return [record for record in found if isinstance(record, Record)]


def keys(source: Source, checkpoint: Checkpoint | None = None) -> list[str]:
    return [record.key for record in listed(source, checkpoint)]


def values(lab: Lab) -> dict[str, Any]:
    source = opened(lab)
    return {record.key: revealed(source.read(record).fields["value"]) for record in listed(source)}


def planted(lab: Lab, name: str, count: int) -> None:
    for number in range(count):
        lab.sandbox.vault("contoso").put(name, f"{name} {number}", tags={"number": str(number)})


def test_every_version_comes_with_its_own_value_and_tags(lab: Lab) -> None:
    planted(lab, "db", 3)
    planted(lab, "api", 1)
    assert sorted(values(lab).values()) == ["api 0", "db 0", "db 1", "db 2"]
    source = opened(lab)
    for record in listed(source):
        fields = source.read(record).fields
        assert record.key == f"{fields['name']}/{fields['version']}"
        assert fields["id"].endswith(f"/secrets/{record.key}")
        assert revealed(fields["value"]) == f"{fields['name']} {fields['tags']['number']}"


def test_a_disabled_version_comes_without_its_value(lab: Lab) -> None:
    planted(lab, "db", 2)
    vault = lab.sandbox.vault("contoso")
    vault.update("db", vault.secrets["db"].versions[0].id, {"enabled": False})
    source = opened(lab)
    records, before = listed(source), lab.calls().get("get", 0)
    assert {revealed(source.read(record).fields["value"]) for record in records} == {None, "db 1"}
    assert lab.calls()["get"] - before == 1


@pytest.mark.parametrize("fields", [(), ("name", "version")])
def test_what_is_not_looked_at_is_not_read(lab: Lab, fields: tuple[str, ...]) -> None:
    planted(lab, "db", 3)
    before = lab.calls()
    source = opened(lab, "secret_versions", bool(fields), *fields)
    assert all(source.read(record) is record for record in listed(source))
    after = lab.calls()
    assert {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)} == {
        "list": 1,
        "versions": 1,
    }


def test_not_even_the_versions_of_what_belongs_to_a_certificate_are_listed(lab: Lab) -> None:
    acting(lab)("create_certificate", certificateName="tls", policy={"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=a.test"}})  # fmt: skip
    planted(lab, "db", 1)
    for resource in ("secret_versions", "key_versions"):
        left = {record.key: record.left_out for record in listed(opened(lab, resource)) if record.left_out}
        assert left == {"tls": "it belongs to a certificate"}, resource
    [version] = listed(opened(lab, "certificate_versions"))
    assert version.left_out is None


def test_keys_and_certificates_are_read_version_by_version(lab: Lab) -> None:
    act = acting(lab)
    for curve in ("P-256", "P-384"):
        act("create_key", keyName="signing", keyType="EC", curve=curve)
    source = opened(lab, "key_versions")
    assert {source.read(record).fields["curve"] for record in listed(source)} == {"P-256", "P-384"}
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=a.test"}}
    for _ in range(2):
        act("create_certificate", certificateName="tls", policy=policy)
    source = opened(lab, "certificate_versions")
    pems = [source.read(record).fields["pem"] for record in listed(source)]
    assert len({x509.load_pem_x509_certificate(pem.encode()).serial_number for pem in pems}) == 2


def test_reading_goes_on_inside_the_list_of_one_secret(lab: Lab) -> None:
    planted(lab, "many", 70)
    planted(lab, "one", 1)
    source = opened(lab)
    told = pages(source)
    whole = [record.key for page in told for record in page.records]
    assert len(whole) == 71
    assert all(len(page.records) <= 50 for page in told)
    assert any(page.checkpoint and page.checkpoint["versions"] for page in told)
    for number, page in enumerate(told[:-1], 1):
        rest = [record.key for later in told[number:] for record in later.records]
        assert keys(opened(lab), page.checkpoint) == rest


def test_a_secret_that_is_deleted_meanwhile_is_passed_over(lab: Lab) -> None:
    planted(lab, "many", 30)
    planted(lab, "one", 1)
    told = pages(opened(lab))
    first = told[0].checkpoint or {}
    assert first["name"] == "many"
    lab.sandbox.vault("contoso").delete("many")
    assert [key.partition("/")[0] for key in keys(opened(lab), first)] == ["one"]
    with pytest.raises(NotFound):
        opened(lab).read(Record("many/" + "0" * 32, {"enabled": True}))


@pytest.mark.parametrize("wrong", ["next", "versions"])
def test_a_checkpoint_that_the_vault_no_longer_knows_says_to_start_anew(lab: Lab, wrong: str) -> None:
    planted(lab, "db", 1)
    url = f"{lab.sandbox.vault_url('contoso')}/secrets"
    link = f"{url}{'/db/versions' if wrong == 'versions' else ''}?api-version=7.4&$skiptoken=nonsense"
    checkpoint = {"next": None, "done": [], "name": "db", "versions": None, wrong: link}
    with pytest.raises(SettingsError, match="no longer knows where this run stopped reading: start a new run"):
        pages(opened(lab), checkpoint)


@pytest.mark.parametrize("resource", VERSION_KINDS)
def test_versions_are_only_read(lab: Lab, resource: str) -> None:
    with pytest.raises(SettingsError, match=f"{resource} of connection contoso cannot be written, only read"):
        lab.connect().target(resource, WriteOptions())


def test_the_preflight_looks_at_the_rights_of_their_collections() -> None:
    needs = [Need("secret_versions", "list"), Need("key_versions", "get"), Need("deleted_certificates", "list")]
    assert rights_for(needs) == ("certificates/list", "keys/list", "keys/get", "secrets/list")
    assert rights_for([Need("certificate_versions", "get", fields=None)]) == ("certificates/list", "certificates/get")
