"""Microsoft's SDKs judge how the sandbox answers each version of its API: what there is in it, and what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import ContentType, SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient

from connectors.azure_key_vault.sandbox.api_versions import API_VERSIONS

pytestmark = pytest.mark.referee

VERSIONS = list(API_VERSIONS)
CALLS = {
    "7.0": [("POST", "/certificates/c/backup"), ("POST", "/certificates/restore")],
    "7.3": [("POST", "/keys/k/rotate"), ("GET", "/keys/k/rotationpolicy"), ("PUT", "/keys/k/rotationpolicy")],
}
SINCE = [(since, *call, version) for since, calls in CALLS.items() for call in calls for version in VERSIONS]


@pytest.fixture
def vault(sandbox: Any, data: Any) -> Callable[[Any], Any]:
    return lambda kind: data(kind, sandbox.vault_url("contoso"))


@pytest.fixture
def ask(vault: Any) -> Callable[..., Any]:
    """Sends a request as it is through the SDK's pipeline: its own operations refuse some versions by themselves."""
    client = vault(SecretClient)

    def send(method: str, path: str, version: str, body: Any = None, **query: str) -> Any:
        told = {"api-version": version, **query}
        return client.send_request(HttpRequest(method, path, params=told, json=body))

    return send


@pytest.fixture
def filled(vault: Any) -> None:
    keys, certificates = vault(KeyClient), vault(CertificateClient)
    keys.create_rsa_key("k")
    policy = CertificatePolicy(
        issuer_name="Self", subject="CN=c", san_dns_names=["c.test"], san_uris=["https://c.test"]
    )
    certificates.begin_create_certificate("c", policy, _polling_interval=0.01).result()


@pytest.mark.parametrize("version", ["1999-12-31", "7", "7.7", "latest", "2016-10-01x", "7.4 "])
@pytest.mark.parametrize("path", ["/secrets/s", "/keys", "/certificates/c/policy", "/deletedsecrets"])
def test_a_version_that_there_is_not_is_a_bad_parameter(ask, path, version):
    answer = ask("GET", path, version)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
    assert "2026-04-01" in answer.json()["error"]["message"]


def test_a_version_must_be_named(ask):
    answer = ask("GET", "/secrets", "")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


@pytest.mark.parametrize("version", ["7.4-preview.1", "2026-04-01-preview"])
def test_a_preview_of_a_version_is_taken_for_it(ask, version):
    assert ask("GET", "/secrets", version).status_code == 200


@pytest.mark.parametrize(("since", "method", "path", "version"), SINCE)
def test_an_operation_is_there_from_its_own_version_on(ask, filled, since, method, path, version):
    answer = ask(method, path, version, {} if method != "GET" else None)
    text = answer.text()
    if API_VERSIONS[version] < API_VERSIONS[since]:
        assert answer.status_code == 400
        assert f"it came with {since}" in text
    else:
        assert f"it came with {since}" not in text
        assert answer.status_code == 200 or "restore" in path


@pytest.mark.parametrize("version", VERSIONS)
def test_how_long_a_deleted_one_is_kept_is_told_since_7_1(ask, filled, sandbox, version):
    sandbox.vault("contoso").retention_days = 30
    sandbox.vault("contoso").put("s", "v")
    for path in ("/secrets/s", "/keys/k", "/certificates/c"):
        told = ask("GET", path, version).json()["attributes"]
        is_new = API_VERSIONS[version] >= API_VERSIONS["7.1"]
        assert told.get("recoverableDays") == (30 if is_new else None)
        assert told["recoveryLevel"] == ("CustomizedRecoverable+Purgeable" if is_new else "Recoverable+Purgeable")


@pytest.mark.parametrize("version", VERSIONS)
def test_that_a_key_may_leave_is_told_since_7_3(ask, filled, version):
    told = ask("GET", "/keys/k", version).json()["attributes"]
    assert ("exportable" in told) is (API_VERSIONS[version] >= API_VERSIONS["7.3"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_before_and_further_names_are_told_since_2025(ask, filled, sandbox, version):
    first = sandbox.vault("contoso").put("s", "1").id
    sandbox.vault("contoso").put("s", "2")
    is_new = API_VERSIONS[version] >= API_VERSIONS["2025-07-01"]
    assert ask("GET", "/secrets/s", version).json().get("previousVersion") == (first if is_new else None)
    sans = ask("GET", "/certificates/c/policy", version).json()["x509_props"]["sans"]
    assert sans["dns_names"] == ["c.test"]
    assert sans.get("uris") == (["https://c.test"] if is_new else None)


@pytest.mark.parametrize("version", VERSIONS)
def test_certificates_that_are_being_made_are_listed_since_7_0(ask, vault, version):
    policy = CertificatePolicy(issuer_name="Unknown", subject="CN=p")
    vault(CertificateClient).begin_create_certificate("p", policy, _polling_interval=0.01)
    found = ask("GET", "/certificates", version, includePending="true").json()["value"]
    assert len(found) == (1 if API_VERSIONS[version] >= API_VERSIONS["7.0"] else 0)


def test_a_certificates_secret_is_had_as_pem_by_those_who_ask_for_it(ask, filled, vault):
    secrets = vault(SecretClient)
    assert not secrets.get_secret("c").value.startswith("-----BEGIN")
    pem = secrets.get_secret("c", out_content_type=ContentType.PEM).value
    assert "BEGIN PRIVATE KEY" in pem
    assert "BEGIN CERTIFICATE" in pem
    assert not secrets.get_secret("c").value.startswith("-----BEGIN")
    old = ask("GET", "/secrets/c", "7.6", outContentType="application/x-pem-file").json()
    assert not old["value"].startswith("-----BEGIN")
    assert ask("GET", "/secrets/c", "2025-07-01", outContentType="text/plain").status_code == 400


@pytest.mark.parametrize(
    ("version", "code"), [("2014-01-01", "NoRegisteredProviderFound"), ("7.4", "InvalidApiVersionParameter")]
)
def test_the_control_plane_refuses_versions_that_it_has_not(arm, version, code):
    old = arm(KeyVaultManagementClient, api_version=version)
    with pytest.raises(HttpResponseError, match=code) as refused:
        old.vaults.get("sandbox", "contoso")
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    "version", ["2016-10-01", "2019-09-01", "2023-07-01", "2026-02-01", "2026-05-15", "2027-01-01-preview"]
)
def test_the_control_plane_takes_all_that_it_has(arm, version):
    assert arm(KeyVaultManagementClient, api_version=version).vaults.get("sandbox", "contoso").name == "contoso"
