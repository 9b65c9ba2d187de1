"""The preflight of a vault: each thing on the way is a line, and the first that is wrong says the next step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.preflight import Preflight, rights_for
from connectors.azure_key_vault.rights import smallest_roles
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.checks import checks_of
from connectors.errors import Forbidden
from connectors.model import Check, Need
from iclients.errors import NotAuthorized, NotSent, RemoteError

USER = "Key Vault Secrets User"
OFFICER = "Key Vault Secrets Officer"


def connect(lab: Lab, *needs: tuple[str, str]) -> AzureKeyVault:
    connector = lab.connect()
    looked_at = {"secrets": frozenset({"value"})}
    connector.needs = frozenset(Need(*need, fields=looked_at.get(need[0], frozenset())) for need in needs)
    return connector


def failed(connector: AzureKeyVault) -> tuple[RemoteError, dict[str, Check]]:
    with pytest.raises(RemoteError) as caught:
        connector.ping()
    return caught.value, by_name(checks_of(caught.value))


def by_name(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def resolving(lab: Lab, *addresses: str) -> Preflight:
    connector = lab.connect()
    return Preflight(
        connector._client, connector._session(), connector._vault, "7.4", lambda host: addresses, ("secrets/list",)
    )


def test_everything_on_the_way_is_told_in_its_order(lab: Lab) -> None:
    ping = lab.connect().ping()
    assert [check.name for check in ping.checks] == [
        "token", "address", "reach", "firewall", "permission model", "secrets list", "secrets get"
    ]  # fmt: skip
    assert all(check.ok and check.sentence.endswith(".") for check in ping.checks)


def test_no_value_is_read_and_nothing_is_changed(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.put("db", "v")
    needs = [("secrets", verb) for verb in ("get", "upsert", "delete")]
    ping = connect(lab, *needs, ("keys", "get"), ("certificates", "get"), ("deleted_secrets", "list")).ping()
    assert all(check.ok for check in ping.checks)
    assert list(vault.secrets) == ["db"]
    assert len(vault.secrets["db"].versions) == 1
    assert vault.keys == {}


def test_a_refused_token_is_the_first_and_only_line(lab: Lab) -> None:
    lab.sandbox.client_secret = "another"
    error, checks = failed(lab.connect())
    assert isinstance(error, NotAuthorized)
    assert list(checks) == ["token"]
    assert not checks["token"].ok


def test_a_name_without_an_address_is_told_with_the_zone_of_private_endpoints(lab: Lab) -> None:
    with pytest.raises(NotSent, match=r"privatelink\.vaultcore\.azure\.net") as caught:
        resolving(lab).run()
    assert caught.value.code == "host_not_found"
    assert [(check.name, check.ok) for check in checks_of(caught.value)] == [("token", True), ("address", False)]


@pytest.mark.parametrize(
    ("address", "kind"), [("10.1.2.3", "private"), ("20.50.60.70", "public"), ("fd00::1", "private")]
)
def test_an_address_is_called_private_or_public(lab: Lab, address: str, kind: str) -> None:
    found = by_name(resolving(lab, address).run().checks)["address"].sentence
    assert f"is {address}, a {kind} address" in found


def test_a_closed_public_network_is_told_with_what_dns_says(lab: Lab) -> None:
    lab.sandbox.vault("contoso").private = True
    with pytest.raises(Forbidden, match="use its private endpoint") as caught:
        resolving(lab, "20.50.60.70").run()
    assert caught.value.code == "forbidden_by_connection"
    assert "link the private zone to this network" in by_name(checks_of(caught.value))["firewall"].sentence


def test_a_firewall_is_told(lab: Lab) -> None:
    lab.sandbox.vault("contoso").firewall = True
    error, checks = failed(lab.connect())
    assert error.code == "forbidden_by_firewall"
    assert checks["reach"].ok
    assert not checks["firewall"].ok


def test_a_vault_that_does_not_answer_is_told(lab: Lab) -> None:
    connector = lab.connect(vault_url="https://127.0.0.1:1", cloud=lab.cloud(["127.0.0.1:1"]))
    error, checks = failed(connector)
    assert isinstance(error, NotSent)
    assert not checks["reach"].ok
    assert checks["token"].ok


@pytest.mark.parametrize("rbac", [True, False])
def test_who_may_list_but_not_read_is_told_what_lacks_and_works(lab: Lab, rbac: bool) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.deny("get")
    vault.rbac = rbac
    ping = lab.connect().ping()
    checks = by_name(ping.checks)
    model, way_out = ("Roles", f"role {USER} on the vault") if rbac else ("Access policies", "policy: secrets get.")
    assert checks["permission model"].sentence.startswith(model)
    assert checks["secrets list"].ok
    assert not checks["secrets get"].ok
    assert way_out in checks["secrets get"].sentence
    assert "It may not get secrets" in ping.message
    assert way_out in ping.message


def test_a_right_that_a_flow_needs_is_an_error(lab: Lab) -> None:
    lab.sandbox.vault("contoso").deny("get")
    error, checks = failed(connect(lab, ("secrets", "get")))
    assert isinstance(error, MissingRight)
    assert USER in str(error)
    assert checks["secrets list"].ok
    assert not checks["secrets get"].ok


def test_a_flow_that_only_lists_needs_no_more_than_that(lab: Lab) -> None:
    lab.sandbox.vault("contoso").deny("get")
    ping = connect(lab, ("secrets", "list")).ping()
    assert [check.name for check in ping.checks][-1] == "secrets list"
    assert all(check.ok for check in ping.checks)


def test_a_role_that_was_just_given_may_be_the_cause_where_nothing_works_yet(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    vault.deny("get", "list")
    error, _ = failed(lab.connect())
    assert "may still be propagating" in str(error)
    vault.rbac = False
    error, _ = failed(lab.connect())
    assert "propagating" not in str(error)
    assert "secrets list, secrets get" in str(error)


@pytest.mark.parametrize(
    ("needs", "role"),
    [
        ((("secrets", "list"),), "Key Vault Reader"),
        ((("secrets", "get"),), USER),
        ((("secrets", "upsert"),), OFFICER),
        ((("keys", "get"), ("certificates", "get")), "Key Vault Reader"),
        ((("certificates", "get"), ("secrets", "get")), "Key Vault Certificate User"),
        ((("keys", "get"), ("secrets", "upsert")), f"Key Vault Reader and {OFFICER}"),
    ],
)
def test_the_smallest_role_that_is_named_is_enough_once_it_works(
    lab: Lab, needs: Sequence[tuple[str, str]], role: str
) -> None:
    sandbox = lab.sandbox
    cloud, who = sandbox.cloud, sandbox.application.principal(sandbox.tenant)
    cloud.enforce("somebody else")
    cloud.propagation_seconds = 300.0
    error, _ = failed(connect(lab, *needs))
    assert f"give it the role {role} on the vault" in str(error)
    place = cloud.vault_path(cloud.vaults["contoso"])
    for name in role.split(" and "):
        cloud.assign(place, who, next(one for one in ROLES.values() if one.name == name))
    error, _ = failed(connect(lab, *needs))
    assert "may still be propagating" in str(error)
    sandbox.clock.advance(301)
    assert all(check.ok for check in connect(lab, *needs).ping().checks)


def test_what_no_single_role_has_is_given_by_several() -> None:
    assert smallest_roles(["keys/get", "secrets/set"]) == ("Key Vault Reader", OFFICER)
    assert smallest_roles(["secrets/there-is-none"]) == (OFFICER,)
    assert smallest_roles(["nothing/get"]) == ("Key Vault Administrator",)


def test_verbs_of_flows_take_rights_in_one_order() -> None:
    needs = [Need("secrets", "upsert"), Need("deleted_secrets", "list"), Need("keys", "get"), Need("secrets", "odd")]
    assert rights_for(needs) == ("keys/list", "keys/get", "secrets/list", "secrets/get", "secrets/set")


@pytest.mark.parametrize(("field", "reads"), [("value", True), ("version", True), ("name", False), ("tags", False)])
def test_a_flow_that_looks_at_no_value_needs_no_right_to_read_one(field: str, reads: bool) -> None:
    rights = rights_for([Need("secrets", "get", fields=frozenset({field}))])
    assert rights == (("secrets/list", "secrets/get") if reads else ("secrets/list",))
    assert rights_for([Need("secrets", "get", fields=None)]) == ("secrets/list", "secrets/get")


def test_an_import_that_unblocks_deleted_names_needs_the_right_to_do_so() -> None:
    def needed(option: str) -> set[str]:
        return set(rights_for([Need("secrets", "upsert", options=(("compare", "exact"), ("deleted", option)))]))

    plain = needed("fail")
    assert needed("recover") - plain == {"secrets/recover"}
    assert needed("purge") - plain == {"secrets/purge"}
    assert needed("skip") == needed("suffix") == plain
