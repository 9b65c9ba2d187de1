"""Keys, certificates and deleted secrets as sources: what a list says, what only a read says, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from acting import acting
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.jwk import ECKey, RSAKey
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.reading.objects import KINDS
from connectors.azure_key_vault.reading.public_key import as_pem, key_size, public_half
from connectors.azure_key_vault.reading.versions import VERSION_KINDS
from connectors.errors import Forbidden, NotFound, SettingsError
from connectors.model import ApiType, ReadOptions, Record, WriteOptions

PUBLIC = frozenset({"version", "issuer", "exportable", "key_size", "dns_names", "policy", "pem"})
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}


def read(lab: Lab, resource: str, values: bool = True, fields: frozenset[str] | None = None) -> dict[str, Record]:
    source = lab.connect().source(resource, ReadOptions(values, fields))
    listed = [record for page in source.pages(None) for record in page.records]
    return {one.key: source.read(one) if one.left_out is None else one for one in listed}  # type: ignore[union-attr,arg-type]


def certificate(lab: Lab, name: str, **policy: Any) -> None:
    told = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test", "sans": {"dns_names": ["a.test"]}}}
    acting(lab)("create_certificate", certificateName=name, policy={**told, **policy})


@pytest.mark.parametrize("curve", CURVES)
def test_the_public_half_of_a_curve_key_is_read(lab: Lab, curve: str) -> None:
    acting(lab)("create_key", keyName="signing", keyType="EC", curve=curve)
    found = read(lab, "keys")["signing"].fields
    public = load_pem_public_key(found["pem"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == CURVES[curve].name
    assert (found["key_type"], found["curve"], found["key_size"]) == ("EC", curve, public.key_size)
    assert set(found["jwk"]) == {"kty", "crv", "x", "y"}


def test_the_public_half_of_an_rsa_key_is_read_with_its_operations(lab: Lab) -> None:
    acting(lab)("create_key", keyName="wrapping", keyType="RSA", tags={"team": "blue"})
    found = read(lab, "keys")["wrapping"].fields
    public = load_pem_public_key(found["pem"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == found["key_size"] == 2048
    assert "wrapKey" in found["operations"]
    assert found["tags"] == {"team": "blue"}
    assert found["id"].endswith(f"/keys/wrapping/{found['version']}")


def test_listing_alone_costs_no_read(lab: Lab) -> None:
    acting(lab)("create_key", keyName="signing", keyType="EC")
    before = lab.calls()
    found = read(lab, "keys", values=False)["signing"]
    assert "jwk" not in found.fields
    after = lab.calls()
    assert {kind: count - before.get(kind, 0) for kind, count in after.items() if count != before.get(kind, 0)} == {
        "key_list": 1
    }


def test_keys_and_secrets_of_certificates_are_left_out_and_why_is_said(lab: Lab) -> None:
    certificate(lab, "tls")
    acting(lab)("create_key", keyName="signing", keyType="EC")
    keys, secrets = read(lab, "keys"), read(lab, "secrets")
    assert (keys["tls"].left_out, keys["signing"].left_out) == ("it belongs to a certificate", None)
    assert secrets["tls"].left_out == "it belongs to a certificate"


def test_a_certificate_is_read_with_its_policy_and_without_its_key(lab: Lab) -> None:
    certificate(lab, "tls", key_props={"kty": "RSA", "key_size": 2048, "exportable": False})
    found = read(lab, "certificates", fields=PUBLIC)["tls"].fields
    made = x509.load_pem_x509_certificate(found["pem"].encode())
    assert made.subject.rfc4514_string() == found["subject"] == "CN=contoso.test"
    assert found["thumbprint"] == made.fingerprint(hashes.SHA1()).hex().upper()  # what x5t is
    assert (found["issuer"], found["exportable"], found["key_size"]) == ("Self", False, 2048)
    assert found["dns_names"] == ["a.test"]
    assert found["policy"]["x509_props"]["subject"] == "CN=contoso.test"
    assert "PRIVATE" not in str(found)


def test_deleted_secrets_say_until_when_they_come_back(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("gone", "v", tags={"team": "blue"})
    vault.put("here", "v")
    vault.delete("gone")
    [(key, found)] = read(lab, "deleted_secrets").items()
    assert key == "gone"
    assert found.fields["deleted"] < found.fields["scheduled_purge"]
    assert found.fields["recovery_id"].endswith("/deletedsecrets/gone")
    assert found.fields["recovery_level"] == "Recoverable+Purgeable"
    assert found.fields["tags"] == {"team": "blue"}


def test_records_have_the_fields_that_the_descriptor_names(lab: Lab) -> None:
    certificate(lab, "tls")
    acting(lab)("create_key", keyName="signing", keyType="EC")
    certificate(lab, "ended")
    acting(lab)("delete_certificate", certificateName="ended")
    acting(lab)("create_key", keyName="lost", keyType="EC")
    acting(lab)("delete_key", keyName="lost")
    vault = lab.sandbox.vault("contoso")
    vault.put("here", "v")
    vault.put("gone", "v")
    vault.delete("gone")
    for described in AzureKeyVault.descriptor.resources:
        if described.api_type == ApiType.DATA and described.name in (*KINDS, *VERSION_KINDS):
            found = [one for one in read(lab, described.name).values() if one.left_out is None]
            assert set(found[0].fields) == set(described.fields), described.name


@pytest.mark.parametrize("resource", ["keys", "deleted_secrets", "deleted_keys", "deleted_certificates"])
def test_they_are_only_read(lab: Lab, resource: str) -> None:
    with pytest.raises(SettingsError, match=f"{resource} of connection contoso cannot be written, only read"):
        lab.connect().target(resource, WriteOptions())


@pytest.mark.parametrize(("resource", "noun"), [("keys", "keys"), ("certificates", "certificates")])
def test_a_missing_right_names_the_smallest_role(lab: Lab, resource: str, noun: str) -> None:
    lab.sandbox.vault("contoso").deny(f"{noun}/list")
    with pytest.raises(Forbidden, match=f"may not list {noun} in .*: give it the role Key Vault Reader"):
        read(lab, resource)


def test_a_key_that_has_gone_meanwhile_is_not_found(lab: Lab) -> None:
    source = lab.connect().source("keys", ReadOptions(True))
    with pytest.raises(NotFound):
        source.read(Record("gone", {"name": "gone"}))


def test_many_keys_come_in_pages_and_are_resumed(lab: Lab) -> None:
    act = acting(lab)
    for number in range(30):
        act("create_key", keyName=f"key-{number:02}", keyType="EC")
    source = lab.connect().source("keys", ReadOptions())
    pages = list(source.pages(None))
    assert [len(page.records) for page in pages] == [25, 5]
    rest = list(lab.connect().source("keys", ReadOptions()).pages(pages[0].checkpoint))
    assert [len(page.records) for page in rest] == [5]


def test_an_old_place_in_the_list_asks_for_a_new_run(lab: Lab) -> None:
    link = f"{lab.sandbox.vault_url('contoso')}/keys?api-version=7.4&$skiptoken=old"
    with pytest.raises(SettingsError, match="start a new run"):
        list(lab.connect().source("keys", ReadOptions()).pages({"next": link}))


# The public half


def test_only_what_anybody_may_know_is_kept_of_a_key() -> None:
    whole = RSAKey.generate_key(2048).as_dict(private=True)
    assert set(public_half(whole)) == {"kty", "n", "e"}
    assert public_half({"kty": "oct", "k": "c2VjcmV0"}) == {"kty": "oct"}


@pytest.mark.parametrize("bits", [2048, 2056, 3072])
def test_an_rsa_key_is_the_same_as_pem(bits: int) -> None:
    key = RSAKey.generate_key(bits)
    assert as_pem(key.as_dict(private=False)) == key.as_pem(private=False).decode()
    assert key_size(key.as_dict(private=False)) == bits


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_a_curve_key_is_the_same_as_pem(curve: str) -> None:
    key = ECKey.generate_key(curve)
    assert as_pem(key.as_dict(private=False)) == key.as_pem(private=False).decode()


@pytest.mark.parametrize(
    "key",
    [{}, {"kty": "oct"}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": "AQAB"}, {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
     {"kty": "RSA", "n": "*", "e": "*"}, {"kty": "EC", "crv": ["P-256"]}],
)  # fmt: skip
def test_what_is_no_public_key_has_no_pem(key: dict[str, Any]) -> None:
    assert as_pem(key) is None
    assert key_size(key) is None
