"""Actions on certificates, contacts and issuers, against the sandbox: what comes out is what others can use."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from acting import Act, acting, rbac_words
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from vault_lab import Lab, SwiftClock

from connectors.actions import decoded
from connectors.errors import BadInput, BadRequest, Conflict, Forbidden, NotFound
from iclients.errors import AnswerLost
from iclients.secret import Secret

SELF = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=contoso.test"}}
UNKNOWN = {**SELF, "issuer": {"name": "Unknown"}}


@pytest.fixture
def act(lab: Lab) -> Act:
    return acting(lab)


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


@pytest.fixture(scope="module")
def authority() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(65537, 2048)
    return key, _certificate(key.public_key(), key, "authority", "authority")


def _certificate(public: Any, signer: Any, subject: str, issuer: str) -> x509.Certificate:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    built = x509.CertificateBuilder(names[1], names[0], public, x509.random_serial_number(), now, now + timedelta(3650))
    return built.sign(signer, hashes.SHA256())


# --- made by an issuer ---


def test_a_certificate_is_made_and_waited_for(lab: Lab, act: Act, vault: Any) -> None:
    vault.issue_seconds = 12.0
    made = act("create_certificate", certificateName="web", policy=SELF, tags={"a": "b"})
    assert (made["status"], made["name"], made["tags"], made["isEnabled"]) == ("completed", "web", {"a": "b"}, True)
    found = x509.load_der_x509_certificate(decoded(made["cer"]))
    assert found.subject.rfc4514_string() == "CN=contoso.test"
    assert made["thumbprint"] == found.fingerprint(hashes.SHA1()).hex().upper()
    assert made["validityEndTime"] == found.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert made["policy"]["key_props"]["exportable"] is True
    read = act("get_certificate", certificateName="web")
    assert {name: made[name] for name in read} == read
    assert act("get_certificate_version", certificateName="web", certificateVersion=made["version"]) == read
    assert act("get_certificate_policy", certificateName="web")["policy"]["issuer"]["name"] == "Self"


def test_the_wait_is_bounded_and_says_how_it_stands(lab: Lab, act: Act, vault: Any) -> None:
    vault.issue_seconds = 10_000.0
    made = act("create_certificate", certificateName="web", policy=SELF, waitSeconds=20)
    assert (made["status"], made["version"]) == ("inProgress", None)
    assert 15 <= sum(lab.clock.slept) <= 21
    assert act("get_certificate_operation", certificateName="web")["status"] == "inProgress"
    with pytest.raises(Conflict):
        act("create_certificate", certificateName="web", policy=SELF)
    act("cancel_certificate_operation", certificateName="web")
    assert act("get_certificate_operation", certificateName="web")["status"] == "cancelled"


def test_one_that_is_cancelled_meanwhile_is_no_success(lab: Lab, act: Act, vault: Any) -> None:
    class Cancelling(SwiftClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            act("cancel_certificate_operation", certificateName="web")

    vault.issue_seconds = 10_000.0
    waiting = Lab(lab.sandbox, clock=Cancelling(lab.sandbox))
    with pytest.raises(Conflict, match="web was not made: its issuer says cancelled") as refused:
        acting(waiting)("create_certificate", certificateName="web", policy=SELF)
    assert refused.value.code == "not_made"
    waiting.transport.close()


def test_a_request_is_signed_by_an_authority_and_merged(
    act: Act, vault: Any, authority: tuple[rsa.RSAPrivateKey, x509.Certificate]
) -> None:
    made = act("create_certificate", certificateName="web", policy=UNKNOWN)
    assert (made["status"], made["version"]) == ("inProgress", None)
    request = x509.load_der_x509_csr(decoded(made["csr"]))
    key, own = authority
    signed = _certificate(request.public_key(), key, "contoso.test", "authority")
    pem = signed.public_bytes(Encoding.PEM).decode() + own.public_bytes(Encoding.PEM).decode()
    merged = act("merge_certificate", certificateName="web", signedCertificates=pem)
    assert decoded(merged["cer"]) == signed.public_bytes(Encoding.DER)
    act("create_certificate", certificateName="der", policy=UNKNOWN)
    other = x509.load_der_x509_csr(decoded(act("get_certificate_operation", certificateName="der")["csr"]))
    der = _certificate(other.public_key(), key, "contoso.test", "authority").public_bytes(Encoding.DER)
    told = base64.b64encode(der).decode()
    assert decoded(act("merge_certificate", certificateName="der", signedCertificates=told)["cer"]) == der


def test_making_one_is_not_repeated_when_the_answer_is_lost(lab: Lab, act: Act) -> None:
    lab.sandbox.faults.add("lost", host="contoso", method="POST", path="/create")
    with pytest.raises(AnswerLost, match="Look at certificate web before it is done again"):
        act("create_certificate", certificateName="web", policy=SELF)


# --- from outside, and out again ---


@pytest.mark.parametrize("password", [None, "pa55"])
def test_a_pfx_is_imported_and_downloaded(
    lab: Lab, act: Act, authority: tuple[rsa.RSAPrivateKey, x509.Certificate], password: str | None
) -> None:
    key, certificate = authority
    sealed = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    pfx = pkcs12.serialize_key_and_certificates(b"web", key, certificate, None, sealed)
    inputs = {"certificateName": "web", "certificate": base64.b64encode(pfx).decode()}
    made = act("import_certificate", **inputs, **({"password": password} if password else {}))
    assert decoded(made["cer"]) == certificate.public_bytes(Encoding.DER)
    given = act("download_certificate", certificateName="web")
    assert (given["certificateFormat"], given["version"]) == ("pfx", made["version"])
    out, same, _ = pkcs12.load_key_and_certificates(decoded(given["certificate"]), None)
    assert out.private_numbers() == key.private_numbers()
    assert same == certificate
    wrapped = lab.connect().act("download_certificate", {"certificateName": "web"})["certificate"]
    assert isinstance(wrapped, Secret)


def test_a_pem_is_imported_and_downloaded(act: Act, authority: tuple[rsa.RSAPrivateKey, x509.Certificate]) -> None:
    key, certificate = authority
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    act("import_certificate", certificateName="web", certificate=pem.decode())
    given = act("download_certificate", certificateName="web")
    assert given["certificateFormat"] == "pem"
    assert load_pem_private_key(given["certificate"].encode(), None).private_numbers() == key.private_numbers()
    assert x509.load_pem_x509_certificates(given["certificate"].encode()) == [certificate]


def test_a_wrong_password_is_told_without_it(act: Act, authority: tuple[rsa.RSAPrivateKey, x509.Certificate]) -> None:
    key, certificate = authority
    pfx = pkcs12.serialize_key_and_certificates(b"web", key, certificate, None, BestAvailableEncryption(b"right"))
    with pytest.raises(BadRequest) as refused:
        act(
            "import_certificate",
            certificateName="web",
            certificate=base64.b64encode(pfx).decode(),
            password="wr0ngpa55",
        )
    assert "wr0ngpa55" not in str(refused.value)


def test_a_key_that_may_not_leave_is_reported_before_any_secret_is_read(act: Act, vault: Any) -> None:
    act("create_certificate", certificateName="web", policy={**SELF, "key_props": {"exportable": False}})
    with pytest.raises(
        Forbidden, match=r"The key of web may not leave .*: its policy has exportable: false"
    ) as refused:
        act("download_certificate", certificateName="web")
    assert refused.value.code == "not_exportable"
    assert not vault.calls["get"]


# --- their life ---


def test_certificates_and_versions_are_listed_and_changed(act: Act) -> None:
    versions = [act("create_certificate", certificateName="web", policy=SELF)["version"] for _ in range(2)]
    act("create_certificate", certificateName="app", policy=SELF)
    assert [item["name"] for item in act("list_certificates")["items"]] == ["app", "web"]
    found = act("list_certificate_versions", certificateName="web")["items"]
    assert {item["version"] for item in found} == set(versions)
    assert all(len(item["thumbprint"]) == 40 for item in found)
    changed = act("update_certificate", certificateName="web", tags={"a": "b"})
    assert (changed["version"], changed["tags"]) == (versions[-1], {"a": "b"})
    older = act("update_certificate", certificateName="web", certificateVersion=versions[0], enabled=False)
    assert (older["version"], older["isEnabled"]) == (versions[0], False)
    policy = {"x509_props": {"subject": "CN=contoso.test", "validity_months": 24}}
    given = act("update_certificate_policy", certificateName="web", policy=policy)["policy"]
    assert given["x509_props"]["validity_months"] == 24


def test_a_certificate_is_deleted_recovered_purged_backed_up_and_restored(lab: Lab, act: Act, vault: Any) -> None:
    made = act("create_certificate", certificateName="web", policy=SELF)
    backup = act("backup_certificate", certificateName="web")["backup"]
    gone = act("delete_certificate", certificateName="web")
    assert (gone["isSettled"], gone["deletedTime"] < gone["scheduledPurgeTime"]) == (True, True)
    assert [item["name"] for item in act("list_deleted_certificates")["items"]] == ["web"]
    assert act("recover_certificate", certificateName="web")["isSettled"] is True
    assert act("get_certificate", certificateName="web")["version"] == made["version"]
    act("delete_certificate", certificateName="web")
    assert act("purge_certificate", certificateName="web")["isSettled"] is True
    lab.settle()
    assert act("restore_certificate", backup=backup)["thumbprint"] == made["thumbprint"]


def test_the_key_and_the_secret_of_a_certificate_are_left_to_it(act: Act) -> None:
    act("create_certificate", certificateName="web", policy=SELF)
    for action_id, inputs in (
        ("create_secret", {"secretName": "web", "value": "v"}),
        ("rotate_key", {"keyName": "web"}),
    ):
        with pytest.raises(Forbidden, match="belongs to a certificate: act on the certificate") as refused:
            act(action_id, **inputs)
        assert refused.value.code == "managed"
    assert act("get_secret_metadata", secretName="web")["isManaged"] is True
    assert act("get_key_metadata", keyName="web")["isManaged"] is True


# --- contacts and issuers ---


def test_contacts_are_set_read_and_deleted(act: Act) -> None:
    with pytest.raises(NotFound, match="has no certificate contacts"):
        act("get_certificate_contacts")
    contacts = [{"email": "grace@contoso.test", "name": "Grace"}]
    assert act("set_certificate_contacts", contacts=contacts)["contacts"] == contacts
    assert act("get_certificate_contacts")["contacts"] == contacts
    act("delete_certificate_contacts")
    with pytest.raises(NotFound):
        act("get_certificate_contacts")


def test_issuers_are_set_listed_read_and_deleted_and_keep_their_password(lab: Lab, act: Act) -> None:
    told = {"issuerName": "digi", "issuerProvider": "DigiCert", "accountId": "a1", "accountPassword": "pa55word"}
    made = act("set_certificate_issuer", **told, organization={"id": "contoso"}, enabled=True)
    assert "pa55word" not in repr(made)
    assert (made["issuerName"], made["issuerProvider"], made["accountId"]) == ("digi", "DigiCert", "a1")
    assert act("get_certificate_issuer", issuerName="digi") == made
    assert act("list_certificate_issuers")["items"] == [{"issuerName": "digi", "issuerProvider": "DigiCert"}]
    assert act("create_certificate", certificateName="web", policy={**SELF, "issuer": {"name": "digi"}})["version"]
    assert act("delete_certificate_issuer", issuerName="digi") == {"issuerName": "digi"}
    with pytest.raises(NotFound, match="knows no issuer of that name"):
        act("get_certificate_issuer", issuerName="digi")


# --- refusals ---


@pytest.mark.parametrize(
    ("action_id", "inputs", "sentence"),
    [
        ("get_certificate", {"certificateName": "contacts"}, "certificateName cannot be that: letters"),
        ("create_certificate", {"certificateName": "web", "policy": "[]"}, "policy is not a JSON object"),
        ("create_certificate", {"certificateName": "web", "policy": "{}", "waitSeconds": -1}, "waitSeconds is not between"),
        ("import_certificate", {"certificateName": "web", "certificate": "secret-text!"}, "certificate is neither PEM text nor"),
        ("merge_certificate", {"certificateName": "web", "signedCertificates": "no!"}, "signedCertificates is neither PEM"),
        ("merge_certificate", {"certificateName": "web", "signedCertificates": "-----BEGIN X"}, "signedCertificates is neither"),
        ("update_certificate", {"certificateName": "web"}, "Nothing to update is named: give enabled or tags"),
        ("set_certificate_contacts", {"contacts": [{"name": "Grace"}]}, "contacts is not a list of objects"),
        ("get_certificate_issuer", {"issuerName": "Self"}, "issuerName cannot be that"),
        ("set_certificate_issuer", {"issuerName": "a", "issuerProvider": "b", "organization": 1}, "organization is not a JSON"),
    ],
)  # fmt: skip
def test_inputs_are_checked_before_any_call(
    act: Act, vault: Any, action_id: str, inputs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence) as refused:
        act(action_id, **inputs)
    assert "secret-text" not in str(refused.value)
    assert not vault.calls


def test_what_is_not_there_is_told(act: Act) -> None:
    with pytest.raises(NotFound, match="web is not in"):
        act("get_certificate", certificateName="web")
    with pytest.raises(NotFound, match="No certificate web is being made"):
        act("get_certificate_operation", certificateName="web")


@pytest.mark.parametrize("rbac", [True, False])
@pytest.mark.parametrize(
    ("action_id", "inputs", "word", "role"),
    [
        ("get_certificate", {"certificateName": "web"}, "get", "Key Vault Reader"),
        ("list_certificates", {}, "list", "Key Vault Reader"),
        ("create_certificate", {"certificateName": "web", "policy": SELF}, "create", "Key Vault Certificates Officer"),
        ("list_certificate_issuers", {}, "listissuers", "Key Vault Reader"),
        ("get_certificate_contacts", {}, "managecontacts", "Key Vault Certificates Officer"),
    ],
)
def test_a_missing_right_is_told_with_role_or_permission(
    act: Act, vault: Any, action_id: str, inputs: dict[str, Any], word: str, role: str, rbac: bool
) -> None:
    vault.deny(f"certificates/{word}")
    vault.rbac = rbac
    sentence = rbac_words("certificates", word, role)
    with pytest.raises(Forbidden, match=sentence if rbac else f"add the certificate permission {word.capitalize()}"):
        act(action_id, **inputs)
