"""Microsoft's SDKs judge the sandbox as each of the three clouds, under the names that each has, with everything verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.core.exceptions import ClientAuthenticationError
from azure.core.rest import HttpRequest
from azure.identity import AzureAuthorityHosts, ClientSecretCredential
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from conftest import Held

from connectors.azure_key_vault.sandbox import Sandbox

pytestmark = pytest.mark.referee

AUTHORITIES = {
    "public": AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
    "usgov": AzureAuthorityHosts.AZURE_GOVERNMENT,
    "china": AzureAuthorityHosts.AZURE_CHINA,
}
SETTINGS = {
    "public": AzureClouds.AZURE_PUBLIC_CLOUD,
    "usgov": AzureClouds.AZURE_US_GOVERNMENT,
    "china": AzureClouds.AZURE_CHINA_CLOUD,
}
SUFFIXES = {"public": "vault.azure.net", "usgov": "vault.usgovcloudapi.net", "china": "vault.azure.cn"}
ARM_HOSTS = {
    "public": "management.azure.com",
    "usgov": "management.usgovcloudapi.net",
    "china": "management.chinacloudapi.cn",
}
AUDIENCES = {
    "public": ("https://management.azure.com", "https://management.core.windows.net/"),
    "usgov": ("https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/"),
    "china": ("https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"),
}
FOREIGN = [(here, there) for here in SUFFIXES for there in SUFFIXES if here != there]


@pytest.fixture
def cloud() -> str:
    return "public"


@pytest.fixture
def sandbox(cloud: str) -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 0}, cloud=cloud) as sandbox:
        yield sandbox


@pytest.fixture
def credential(sandbox: Any, cloud: str, redirected: Any, opened: Callable[[Any], Any]) -> ClientSecretCredential:
    told = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    transport = redirected({AUTHORITIES[cloud]: "entra"})
    return opened(ClientSecretCredential(*told, authority=AUTHORITIES[cloud], transport=transport))


@pytest.fixture
def vault(cloud: str, credential: Any, redirected: Any, opened: Callable[[Any], Any]) -> Callable[..., Any]:
    """Makes a client of a kind for the vault under its own name; nothing is switched off."""

    def make(kind: Any, given: Any = None) -> Any:
        host = f"contoso.{SUFFIXES[cloud]}"
        transport = redirected({host: "contoso"})
        return opened(kind(f"https://{host}", given or credential, transport=transport, retry_total=0))

    return make


def token(sandbox: Any, audience: str) -> Held:
    """A credential with a token of the sandbox's own tenant for whatever audience."""
    text, lifetime, _ = sandbox.entra.home.issue(sandbox.application, audience)
    return Held({"access_token": text, "expires_in": lifetime})


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_secrets_keys_and_certificates_live_under_the_clouds_names(vault, cloud):
    made = vault(SecretClient).set_secret("db", "v")
    assert made.id.startswith(f"https://contoso.{SUFFIXES[cloud]}/secrets/db/")
    assert vault(KeyClient).create_ec_key("k").id.startswith(f"https://contoso.{SUFFIXES[cloud]}/keys/k/")
    assert [*vault(CertificateClient).list_properties_of_certificates()] == []


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_the_control_plane_answers_where_the_clouds_settings_point(sandbox, cloud, credential, redirected, opened):
    transport = redirected({ARM_HOSTS[cloud]: "arm"})
    told = {"cloud_setting": SETTINGS[cloud], "transport": transport, "retry_total": 0}
    plane = opened(KeyVaultManagementClient(credential, sandbox.subscription, **told))
    assert [one.name for one in plane.vaults.list_by_subscription()] == ["contoso"]
    zones = plane.private_link_resources.list_by_vault("sandbox", "contoso").value[0].required_zone_names
    assert zones == [f"privatelink.{SUFFIXES[cloud].replace('vault.', 'vaultcore.')}"]


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_a_challenge_names_the_clouds_resource_and_authority(sandbox, cloud, vault):
    answer = vault(SecretClient).send_request(HttpRequest("GET", "/secrets?api-version=7.4"))
    assert answer.status_code == 200
    redirected = vault(SecretClient, token(sandbox, "https://graph.microsoft.com"))
    with pytest.raises(ClientAuthenticationError) as refused:
        redirected.get_secret("db")
    challenge = refused.value.response.headers["WWW-Authenticate"]
    assert f'resource="https://{SUFFIXES[cloud]}"' in challenge
    assert f"/{sandbox.tenant}" in challenge


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_the_issuer_is_the_clouds(sandbox, cloud):
    issuer = sandbox.entra.home.issuer
    host = "sts.chinacloudapi.cn" if cloud == "china" else "sts.windows.net"
    assert issuer == f"https://{host}/{sandbox.tenant}/"


@pytest.mark.parametrize(("cloud", "other"), FOREIGN)
def test_the_authority_knows_no_service_of_another_cloud(credential, other):
    for resource in (f"https://{SUFFIXES[other]}", *AUDIENCES[other]):
        with pytest.raises(ClientAuthenticationError, match="AADSTS500011"):
            credential.get_token(f"{resource}/.default")


@pytest.mark.parametrize(("cloud", "other"), FOREIGN)
def test_a_vault_refuses_a_token_for_another_clouds_vaults(sandbox, vault, other):
    with pytest.raises(ClientAuthenticationError, match="AKV10022") as refused:
        vault(SecretClient, token(sandbox, f"https://{SUFFIXES[other]}")).get_secret("db")
    assert f"found https://{SUFFIXES[other]}" in str(refused.value)


@pytest.mark.parametrize(("cloud", "other"), FOREIGN)
def test_the_control_plane_refuses_a_token_for_another_clouds(sandbox, cloud, redirected, opened, other):
    for audience in AUDIENCES[other]:
        told = {"cloud_setting": SETTINGS[cloud], "transport": redirected({ARM_HOSTS[cloud]: "arm"}), "retry_total": 0}
        plane = opened(KeyVaultManagementClient(token(sandbox, audience), sandbox.subscription, **told))
        with pytest.raises(ClientAuthenticationError, match="InvalidAuthenticationTokenAudience"):
            [*plane.vaults.list_by_subscription()]


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_the_control_plane_takes_its_name_and_the_classic_one(sandbox, cloud, redirected, opened):
    for audience in AUDIENCES[cloud]:
        told = {"cloud_setting": SETTINGS[cloud], "transport": redirected({ARM_HOSTS[cloud]: "arm"}), "retry_total": 0}
        plane = opened(KeyVaultManagementClient(token(sandbox, audience), sandbox.subscription, **told))
        assert [one.name for one in plane.vaults.list_by_subscription()] == ["contoso"]


@pytest.mark.parametrize("cloud", ["usgov", "china"])
def test_the_document_names_the_clouds_audiences(sandbox, cloud):
    told = sandbox.document()
    assert told["clouds"][0]["vault_audience"] == f"https://{SUFFIXES[cloud]}"
    assert told["clouds"][0]["arm_audience"] == AUDIENCES[cloud][0]


def test_a_cloud_that_there_is_not_is_told():
    with pytest.raises(ValueError, match="public, usgov, china"):
        Sandbox.start(vaults={}, cloud="germany")
