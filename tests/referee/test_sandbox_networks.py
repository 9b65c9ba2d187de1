"""Microsoft's SDKs judge the ways to a vault: public network access, addresses, private links, and what each refusal is."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient

pytestmark = pytest.mark.referee

GROUP, VAULT, LINK = "sandbox", "contoso", "from-the-office"
CLOSED = "ForbiddenByConnection"
FILTERED = "ForbiddenByFirewall"


@pytest.fixture
def plane(arm: Any) -> Any:
    return arm(KeyVaultManagementClient)


@pytest.fixture
def change(plane: Any) -> Any:
    def patch(**properties: Any) -> Any:
        return plane.vaults.update(GROUP, VAULT, {"properties": properties})

    return patch


@pytest.fixture
def secrets(sandbox: Any, data: Any) -> Any:
    sandbox.vault(VAULT).put("db", "v")
    return data(SecretClient, sandbox.vault_url(VAULT))


def denying(*addresses: str) -> dict[str, Any]:
    rules = [{"value": address} for address in addresses]
    return {"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": rules, "virtualNetworkRules": []}


def inner_of(call: Any) -> tuple[int, str, str]:
    with pytest.raises(HttpResponseError) as refused:
        call()
    error = refused.value.error
    return refused.value.status_code, error.code, error.innererror["code"]


def test_a_vault_is_open_until_it_says_otherwise(plane, secrets):
    told = plane.vaults.get(GROUP, VAULT).properties
    assert (told.public_network_access, told.network_acls.default_action) == ("Enabled", "Allow")
    assert secrets.get_secret("db").value == "v"


def test_a_vault_that_denies_all_addresses_refuses_every_kind_of_call(change, secrets, sandbox, data):
    change(networkAcls=denying())
    url = sandbox.vault_url(VAULT)
    calls = (
        lambda: secrets.get_secret("db"),
        lambda: [*secrets.list_properties_of_secrets()],
        lambda: secrets.set_secret("db", "2"),
        lambda: data(KeyClient, url).create_rsa_key("k"),
        lambda: [*data(CertificateClient, url).list_properties_of_certificates()],
    )
    assert {inner_of(call) for call in calls} == {(403, "Forbidden", FILTERED)}
    assert sandbox.vault(VAULT).value("db") == "v"


def test_a_refusal_of_the_firewall_names_address_caller_and_vault(change, secrets, sandbox):
    sandbox.vault(VAULT).client_address = "203.0.113.7"
    change(networkAcls=denying("198.51.100.0/24"))
    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret("db")
    lines = refused.value.error.message.splitlines()
    assert "Client address: 203.0.113.7" in lines
    assert any(line.startswith(f"Caller: appid={sandbox.client_id};oid=") for line in lines)
    assert f"Vault: {VAULT};location=eastus" in lines


@pytest.mark.parametrize(
    ("address", "rule", "comes_in"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.7/32", True),
        ("203.0.113.7", "203.0.113.0/24", True),
        ("203.0.113.7", "203.0.114.0/24", False),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_an_address_comes_in_by_a_rule_that_holds_it(change, secrets, sandbox, address, rule, comes_in):
    sandbox.vault(VAULT).client_address = address
    change(networkAcls=denying("192.0.2.1", rule))
    if comes_in:
        assert secrets.get_secret("db").value == "v"
    else:
        assert inner_of(lambda: secrets.get_secret("db")) == (403, "Forbidden", FILTERED)


@pytest.mark.parametrize("access", ["Disabled", "SecuredByPerimeter"])
def test_a_vault_without_public_access_refuses_whatever_its_rules_say(change, secrets, access):
    change(publicNetworkAccess=access, networkAcls=denying("127.0.0.1"))
    assert inner_of(lambda: secrets.get_secret("db")) == (403, "Forbidden", CLOSED)
    change(publicNetworkAccess="Enabled")
    assert secrets.get_secret("db").value == "v"


@pytest.mark.parametrize(("status", "comes_in"), [("Approved", True), ("Pending", False), ("Rejected", False)])
def test_a_private_link_leads_in_once_it_is_approved(plane, change, secrets, sandbox, status, comes_in):
    change(publicNetworkAccess="Disabled")
    sandbox.vault(VAULT).linked = True
    state = {"status": status, "description": "the office"}
    told = {"properties": {"privateLinkServiceConnectionState": state}}
    plane.private_endpoint_connections.put(GROUP, VAULT, LINK, told)
    if comes_in:
        assert secrets.get_secret("db").value == "v"
        plane.private_endpoint_connections.begin_delete(GROUP, VAULT, LINK).result()
    assert inner_of(lambda: secrets.get_secret("db")) == (403, "Forbidden", CLOSED)


def test_a_private_link_passes_the_firewall_as_well(plane, change, secrets, sandbox):
    change(networkAcls=denying())
    state = {"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}}
    plane.private_endpoint_connections.put(GROUP, VAULT, LINK, state)
    assert inner_of(lambda: secrets.get_secret("db"))[2] == FILTERED
    sandbox.vault(VAULT).linked = True
    assert secrets.get_secret("db").value == "v"


def test_rights_are_judged_before_the_way(change, secrets, sandbox):
    change(publicNetworkAccess="Disabled")
    sandbox.vault(VAULT).deny("get")
    assert inner_of(lambda: secrets.get_secret("db"))[2] == "ForbiddenByRbac"


def test_a_token_is_judged_before_the_way(change, secrets, sandbox):
    change(publicNetworkAccess="Disabled")
    assert inner_of(lambda: secrets.get_secret("db"))[2] == CLOSED
    assert sandbox.vault(VAULT).calls["challenge"] == 1


def test_the_control_plane_is_reached_all_the_same(plane, change):
    change(publicNetworkAccess="Disabled", networkAcls=denying())
    told = plane.vaults.get(GROUP, VAULT).properties
    assert (told.public_network_access, told.network_acls.default_action) == ("Disabled", "Deny")
    assert plane.private_link_resources.list_by_vault(GROUP, VAULT).value[0].required_zone_names == [
        "privatelink.vaultcore.azure.net"
    ]
