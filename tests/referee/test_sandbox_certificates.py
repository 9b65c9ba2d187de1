"""Microsoft's SDK judges the sandbox's certificates: made, signed elsewhere, imported, with the key and secret that each owns."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import (
    AdministratorContact,
    ApiVersion,
    CertificateClient,
    CertificateContact,
    CertificatePolicy,
    CertificatePolicyAction,
    LifetimeAction,
    WellKnownIssuerNames,
)
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

pytestmark = pytest.mark.referee

SELF, UNKNOWN = WellKnownIssuerNames.self, WellKnownIssuerNames.unknown
PKCS12, PEM = "application/x-pkcs12", "application/x-pem-file"


@pytest.fixture
def vault(sandbox: Any) -> Any:
    return sandbox.vault("contoso")


@pytest.fixture
def make(sandbox: Any, at_sandbox: dict[str, Any], opened: Callable[[Any], Any]) -> Callable[..., Any]:
    """Makes a client of a kind for a vault."""
    credential = opened(ClientSecretCredential(sandbox.tenant, sandbox.client_id, sandbox.client_secret, **at_sandbox))
    options = {"verify_challenge_resource": False, "connection_verify": str(sandbox.ca_file)}

    def new(kind: Any, where: Any = "contoso", **more: Any) -> Any:
        place = sandbox.vault_url(where) if isinstance(where, str) else where
        return opened(kind(place, credential, **options, **more))

    return new


@pytest.fixture
def certificates(make: Callable[..., Any]) -> CertificateClient:
    return make(CertificateClient)


def policy(issuer: str = SELF, **told: Any) -> CertificatePolicy:
    return CertificatePolicy(issuer_name=issuer, subject="CN=contoso.test", **told)


def created(certificates: CertificateClient, name: str = "c", how: CertificatePolicy | None = None, **more: Any) -> Any:
    return certificates.begin_create_certificate(name, how or policy(), _polling_interval=0.01, **more).result()


def deleted(certificates: CertificateClient, name: str = "c") -> Any:
    poller = certificates.begin_delete_certificate(name, _polling_interval=0.01)
    poller.wait()
    return poller.result()


def signed_elsewhere(csr: bytes) -> x509.Certificate:
    """What an authority of one's own makes of a request."""
    request = x509.load_der_x509_csr(csr)
    assert request.is_signature_valid
    authority, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(x509.Name.from_rfc4514_string("CN=Elsewhere"))
        .public_key(request.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .sign(authority, hashes.SHA256())
    )


def own_certificate(private: Any = None) -> tuple[Any, x509.Certificate]:
    private = private or rsa.generate_private_key(65537, 2048)
    now, name = datetime.now(UTC), x509.Name.from_rfc4514_string("CN=own.test")
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(5).not_valid_before(now).not_valid_after(now + timedelta(days=365))
    return private, builder.sign(private, hashes.SHA256())


def pfx(private: Any, certificate: x509.Certificate, password: bytes = b"") -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"own", private, certificate, None, how)


def pem(private: Any, certificate: x509.Certificate) -> bytes:
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key + certificate.public_bytes(Encoding.PEM)


def test_a_self_signed_certificate_is_made_by_its_policy(certificates):
    how = policy(
        san_dns_names=["a.test", "b.test"],
        san_emails=["grace@contoso.test"],
        san_user_principal_names=["grace@contoso.test"],
        validity_in_months=6,
        key_size=3072,
        key_usage=["digitalSignature", "keyCertSign"],
        enhanced_key_usage=["1.3.6.1.5.5.7.3.1"],
    )
    made = created(certificates, how=how, tags={"a": "b"})
    certificate = x509.load_der_x509_certificate(bytes(made.cer))
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.rfc4514_string() == "CN=contoso.test"
    assert certificate.public_key().key_size == 3072
    sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sans.get_values_for_type(x509.DNSName) == ["a.test", "b.test"]
    assert sans.get_values_for_type(x509.RFC822Name) == ["grace@contoso.test"]
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.key_encipherment) == (True, True, False)
    assert 180 < (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days < 190
    assert made.properties.x509_thumbprint == certificate.fingerprint(hashes.SHA1())
    assert made.properties.tags == {"a": "b"}
    assert made.properties.expires_on == certificate.not_valid_after_utc


def test_a_policy_says_the_usual_where_it_was_silent(certificates):
    made = created(certificates)
    told = made.policy
    assert (told.key_type, told.key_size, told.exportable, told.reuse_key) == ("RSA", 2048, True, False)
    assert (told.content_type, told.validity_in_months) == (PKCS12, 12)
    (action,) = told.lifetime_actions
    assert (str(action.action).endswith("AutoRenew") or action.action == "AutoRenew", action.lifetime_percentage) == (
        True,
        80,
    )


def test_a_certificate_owns_a_key_and_a_secret_of_its_version(certificates, make):
    made = created(certificates)
    version = made.properties.version
    assert made.key_id.endswith(f"/keys/c/{version}")
    assert made.secret_id.endswith(f"/secrets/c/{version}")
    key, secret = make(KeyClient).get_key("c"), make(SecretClient).get_secret("c")
    assert key.properties.managed
    assert secret.properties.key_id == made.key_id
    assert secret.properties.content_type == PKCS12
    private, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
    assert certificate.public_bytes(Encoding.DER) == bytes(made.cer)
    assert private.public_key() == certificate.public_key()


def test_the_key_of_a_certificate_signs_as_the_certificate(certificates, make):
    made = created(certificates)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"text")
    told = digest.finalize()
    crypto = make(CryptographyClient, make(KeyClient).get_key("c"))
    signature = crypto.sign("RS256", told).signature
    from cryptography.hazmat.primitives.asymmetric import padding

    public = x509.load_der_x509_certificate(bytes(made.cer)).public_key()
    public.verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())


def test_a_secret_in_pem_has_key_and_certificate(certificates, make):
    created(certificates, how=policy(content_type=PEM))
    value = make(SecretClient).get_secret("c").value.encode()
    private = load_pem_private_key(value, None)
    assert x509.load_pem_x509_certificate(value).public_key() == private.public_key()


def test_a_key_that_may_not_leave_is_in_no_secret(certificates, make):
    created(certificates, how=policy(key_type="RSA", exportable=False))
    private, certificate, others = pkcs12.load_key_and_certificates(
        base64.b64decode(make(SecretClient).get_secret("c").value), None
    )
    assert private is None
    assert certificate is not None or others
    created(certificates, "p", policy(key_type="RSA", exportable=False, content_type=PEM))
    assert "PRIVATE KEY" not in make(SecretClient).get_secret("p").value


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_a_certificate_on_a_curve_is_made(certificates, curve):
    how = policy(key_type="EC", key_curve_name=curve, key_usage=["digitalSignature"])
    public = x509.load_der_x509_certificate(bytes(created(certificates, how=how).cer)).public_key()
    assert public.key_size == int(curve[2:])


def test_a_next_version_uses_the_policy_and_the_key_if_it_says_so(certificates):
    first = created(certificates, how=policy(reuse_key=True))
    second = created(certificates, how=policy(reuse_key=True))
    keys = [x509.load_der_x509_certificate(bytes(one.cer)).public_key() for one in (first, second)]
    assert keys[0] == keys[1]
    third = created(certificates, how=policy())
    assert x509.load_der_x509_certificate(bytes(third.cer)).public_key() != keys[0]
    versions = {one.version for one in certificates.list_properties_of_certificate_versions("c")}
    assert versions == {one.properties.version for one in (first, second, third)}
    assert certificates.get_certificate_version("c", first.properties.version).cer == first.cer


def test_a_request_is_signed_elsewhere_and_merged(certificates, make):
    poller = certificates.begin_create_certificate("c", policy(UNKNOWN), _polling_interval=0.01)
    poller.wait()
    operation = certificates.get_certificate_operation("c")
    assert (operation.status, operation.issuer_name) == ("inProgress", "Unknown")
    with pytest.raises(ResourceNotFoundError):
        certificates.get_certificate("c")
    certificate = signed_elsewhere(operation.csr)
    merged = certificates.merge_certificate("c", [certificate.public_bytes(Encoding.DER)], tags={"a": "b"})
    assert bytes(merged.cer) == certificate.public_bytes(Encoding.DER)
    assert merged.properties.tags == {"a": "b"}
    assert certificates.get_certificate_operation("c").status == "completed"
    private, found, _ = pkcs12.load_key_and_certificates(
        base64.b64decode(make(SecretClient).get_secret("c").value), None
    )
    assert private.public_key() == found.public_key() == certificate.public_key()


def test_a_certificate_of_another_key_is_not_merged(certificates):
    certificates.begin_create_certificate("c", policy(UNKNOWN), _polling_interval=0.01).wait()
    _, other = own_certificate()
    with pytest.raises(HttpResponseError, match="not that of the pending request"):
        certificates.merge_certificate("c", [other.public_bytes(Encoding.DER)])


def test_an_operation_is_cancelled_and_deleted(certificates, vault):
    vault.issue_seconds = 3600
    certificates.begin_create_certificate("c", policy(), _polling_interval=3600)
    with pytest.raises(ResourceExistsError):
        certificates.begin_create_certificate("c", policy())
    assert certificates.cancel_certificate_operation("c").cancellation_requested
    assert certificates.get_certificate_operation("c").status == "cancelled"
    with pytest.raises(HttpResponseError, match="nothing to cancel"):
        certificates.cancel_certificate_operation("c")
    certificates.delete_certificate_operation("c")
    with pytest.raises(ResourceNotFoundError) as refused:
        certificates.get_certificate_operation("c")
    assert refused.value.error.code == "PendingCertificateNotFound"


def test_an_issuer_takes_its_time(certificates, vault, sandbox):
    vault.issue_seconds = 60
    certificates.begin_create_certificate("c", policy(), _polling_interval=3600)
    assert certificates.get_certificate_operation("c").status == "inProgress"
    sandbox.clock.advance(61)
    assert certificates.get_certificate_operation("c").status == "completed"
    assert certificates.get_certificate("c").name == "c"


def test_an_issuer_that_is_set_signs(certificates):
    with pytest.raises(ResourceNotFoundError, match="Issuer not found"):
        certificates.begin_create_certificate("c", policy("our-ca"))
    certificates.create_issuer("our-ca", "DigiCert", account_id="17", password="hidden")
    made = created(certificates, how=policy("our-ca"))
    certificate = x509.load_der_x509_certificate(bytes(made.cer))
    assert certificate.issuer.rfc4514_string() == "CN=Sandbox Issuing CA"


@pytest.mark.parametrize("password", [b"", b"open sesame"])
def test_a_pfx_is_imported(certificates, make, password):
    private, certificate = own_certificate()
    made = certificates.import_certificate(
        "c", pfx(private, certificate, password), password=password.decode() or None, tags={"a": "b"}
    )
    assert bytes(made.cer) == certificate.public_bytes(Encoding.DER)
    assert (made.policy.issuer_name, made.policy.content_type, made.properties.tags) == ("Unknown", PKCS12, {"a": "b"})
    back, _, _ = pkcs12.load_key_and_certificates(base64.b64decode(make(SecretClient).get_secret("c").value), None)
    assert back.private_numbers() == private.private_numbers()


def test_a_pem_is_imported(certificates, make):
    private, certificate = own_certificate(ec.generate_private_key(ec.SECP256R1()))
    how = CertificatePolicy(issuer_name=UNKNOWN, content_type=PEM)
    made = certificates.import_certificate("c", pem(private, certificate), policy=how)
    assert made.policy.content_type == PEM
    value = make(SecretClient).get_secret("c").value.encode()
    assert load_pem_private_key(value, None).private_numbers() == private.private_numbers()


@pytest.mark.parametrize(
    ("content", "password"), [(pfx(*own_certificate(), b"right"), "wrong"), (b"no certificate", None)]
)
def test_what_cannot_be_opened_is_not_imported(certificates, content, password):
    with pytest.raises(HttpResponseError, match="can not be read"):
        certificates.import_certificate("c", content, password=password)


@pytest.mark.parametrize("settle_seconds", [0.0, 0.05])
def test_key_and_secret_go_and_come_back_with_their_certificate(certificates, make, vault, settle_seconds):
    vault.settle_seconds = settle_seconds
    created(certificates)
    gone = deleted(certificates)
    assert gone.recovery_id.endswith("/deletedcertificates/c")
    assert [one.name for one in certificates.list_deleted_certificates()] == ["c"]
    keys, secrets = make(KeyClient), make(SecretClient)
    for ask in (lambda: keys.get_key("c"), lambda: secrets.get_secret("c")):
        with pytest.raises(ResourceNotFoundError):
            ask()
    with pytest.raises(ResourceExistsError):
        certificates.begin_create_certificate("c", policy())
    certificates.begin_recover_deleted_certificate("c", _polling_interval=0.01).wait()
    assert certificates.get_certificate("c").name == secrets.get_secret("c").name == keys.get_key("c").name == "c"
    deleted(certificates)
    certificates.purge_deleted_certificate("c")
    with pytest.raises(ResourceNotFoundError):
        certificates.get_deleted_certificate("c")


def test_key_and_secret_are_not_changed_alone(certificates, make):
    created(certificates)
    for ask in (
        lambda: make(SecretClient).set_secret("c", "x"),
        lambda: make(SecretClient).begin_delete_secret("c"),
        lambda: make(KeyClient).create_rsa_key("c"),
        lambda: make(KeyClient).begin_delete_key("c"),
    ):
        with pytest.raises(HttpResponseError) as refused:
            ask()
        assert refused.value.status_code == 403


def test_a_name_that_a_secret_has_is_not_free(certificates, make):
    make(SecretClient).set_secret("c", "x")
    with pytest.raises(ResourceExistsError, match="A secret with the name c"):
        certificates.begin_create_certificate("c", policy())


def test_a_disabled_certificate_is_read_and_its_secret_is_not(certificates, make):
    made = created(certificates)
    changed = certificates.update_certificate_properties("c", made.properties.version, enabled=False, tags={"x": "y"})
    assert (changed.properties.enabled, changed.properties.tags) == (False, {"x": "y"})
    assert certificates.get_certificate("c").properties.enabled is False
    with pytest.raises(HttpResponseError, match="disabled secret"):
        make(SecretClient).get_secret("c")
    with pytest.raises(HttpResponseError, match="disabled key"):
        make(KeyClient).get_key("c")


def test_a_policy_is_changed(certificates):
    created(certificates)
    told = certificates.get_certificate_policy("c")
    told._validity_in_months = 24
    told._lifetime_actions = [LifetimeAction(CertificatePolicyAction.email_contacts, days_before_expiry=30)]
    changed = certificates.update_certificate_policy("c", told)
    assert changed.validity_in_months == 24
    (action,) = certificates.get_certificate_policy("c").lifetime_actions
    assert action.days_before_expiry == 30


def test_a_backup_is_restored_with_its_key(certificates, make):
    made = created(certificates)
    created(certificates)
    other = make(CertificateClient, "fabrikam")
    restored = other.restore_certificate_backup(certificates.backup_certificate("c"))
    assert restored.name == "c"
    assert other.get_certificate_version("c", made.properties.version).cer == made.cer
    value = make(SecretClient, "fabrikam").get_secret("c", made.properties.version).value
    assert pkcs12.load_key_and_certificates(base64.b64decode(value), None)[0] is not None
    with pytest.raises(ResourceExistsError):
        other.restore_certificate_backup(certificates.backup_certificate("c"))


def test_contacts_are_set_and_taken_away(certificates):
    with pytest.raises(ResourceNotFoundError):
        certificates.get_contacts()
    certificates.set_contacts([CertificateContact(email="grace@contoso.test", name="Grace", phone="1")])
    (contact,) = certificates.get_contacts()
    assert (contact.email, contact.name, contact.phone) == ("grace@contoso.test", "Grace", "1")
    certificates.delete_contacts()
    with pytest.raises(ResourceNotFoundError):
        certificates.get_contacts()


def test_issuers_are_kept_without_their_password(certificates):
    admins = [AdministratorContact(first_name="Grace", last_name="H", email="g@h.test", phone="1")]
    made = certificates.create_issuer(
        "our-ca", "DigiCert", account_id="17", password="hidden", organization_id="org", admin_contacts=admins
    )
    assert (made.provider, made.account_id, made.organization_id, made.password) == ("DigiCert", "17", "org", None)
    assert made.admin_contacts[0].first_name == "Grace"
    assert certificates.update_issuer("our-ca", enabled=False).enabled is False
    assert [one.name for one in certificates.list_properties_of_issuers()] == ["our-ca"]
    assert certificates.get_issuer("our-ca").provider == "DigiCert"
    certificates.delete_issuer("our-ca")
    with pytest.raises(ResourceNotFoundError):
        certificates.get_issuer("our-ca")


@pytest.mark.parametrize("name", ["Self", "Unknown"])
def test_issuers_that_are_always_there_are_not_set(certificates, name):
    with pytest.raises(HttpResponseError):
        certificates.create_issuer(name, "DigiCert")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (CertificatePolicy(issuer_name=SELF, subject="no name"), "subject"),
        (policy(key_size=1024), "key_size"),
        (policy(validity_in_months=2000), "validity_months"),
        (policy(content_type="text/plain"), "contentType"),
        (policy(enhanced_key_usage=["not an oid"]), "ekus"),
        (policy(lifetime_actions=[LifetimeAction("Explode", lifetime_percentage=80)]), "lifetime_actions"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(certificates, how, words):
    with pytest.raises((HttpResponseError, ValueError), match=f"{words} has invalid value|required"):
        certificates.begin_create_certificate("c", how)


@pytest.mark.parametrize(
    ("word", "ask"),
    [
        ("create", lambda one: one.begin_create_certificate("d", policy())),
        ("get", lambda one: one.get_certificate("c")),
        ("list", lambda one: [*one.list_properties_of_certificates()]),
        ("update", lambda one: one.update_certificate_properties("c", enabled=True)),
        ("delete", lambda one: one.begin_delete_certificate("c")),
        ("import", lambda one: one.import_certificate("d", b"x")),
        ("backup", lambda one: one.backup_certificate("c")),
        ("managecontacts", lambda one: one.get_contacts()),
        ("getissuers", lambda one: one.get_issuer("x")),
        ("setissuers", lambda one: one.create_issuer("x", "DigiCert")),
    ],
)
@pytest.mark.parametrize("rbac", [True, False])
def test_a_missing_permission_is_told_by_name(certificates, vault, word, ask, rbac):
    created(certificates)
    vault.rbac = rbac
    vault.deny(f"certificates/{word}")
    with pytest.raises(HttpResponseError) as refused:
        ask(certificates)
    assert refused.value.status_code == 403
    assert refused.value.error.innererror["code"] == ("ForbiddenByRbac" if rbac else "AccessDenied")


def test_thirty_certificates_come_in_pages(certificates):
    private, certificate = own_certificate(ec.generate_private_key(ec.SECP256R1()))
    for number in range(30):
        certificates.import_certificate(f"c{number:02}", pfx(private, certificate))
    assert len([*certificates.list_properties_of_certificates()]) == 30


@pytest.mark.parametrize("version", [*ApiVersion])
def test_every_api_version_of_the_sdk_makes_and_reads_a_certificate(make, version):
    certificates = make(CertificateClient, api_version=version)
    made = created(certificates)
    assert certificates.get_certificate("c").cer == made.cer
