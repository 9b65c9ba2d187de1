"""The preflight of the control plane: what the app's flows need there is told, one action after another, before they run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.control.plane import ControlPlane, Place
from connectors.azure_key_vault.control.preflight import ControlPreflight
from connectors.azure_key_vault.control.rights import _ROLES, Grant, actions_for, is_wide, lacking, roles_with
from connectors.azure_key_vault.errors import MissingRight
from connectors.azure_key_vault.sandbox.arm.roles import ROLES, Role
from connectors.checks import checks_of
from connectors.model import ApiType, Check, Connection, Need
from connectors.schemas import load_actions
from iclients.errors import NotAuthorized, NotSent, RemoteError

READ, WRITE = "Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/write"
PURGE = "Microsoft.KeyVault/locations/deletedVaults/purge/action"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
BY_NAME = {role.name: role for role in ROLES.values()}


def control(lab: Lab, **settings: str) -> AzureKeyVault:
    told = ("arm", "azure-key-vault", ApiType.CONTROL, "client_credentials", "app", (), settings, lab.limits)
    return AzureKeyVault(Connection(*told), lab.access())


def needing(lab: Lab, *needs: str | tuple[str, str], **settings: str) -> AzureKeyVault:
    connector = control(lab, **settings)
    connector.needs = frozenset(Need(right=one) if isinstance(one, str) else Need(*one) for one in needs)
    return connector


def judged(lab: Lab, *roles: str, scope: str = "") -> None:
    """From now on roles count, and the app has these."""
    cloud, sandbox = lab.sandbox.cloud, lab.sandbox
    cloud.enforce("somebody else")
    for role in roles:
        cloud.assign(f"{cloud.path}{scope}", sandbox.application.principal(sandbox.tenant), BY_NAME[role])


def failed(connector: AzureKeyVault) -> tuple[RemoteError, dict[str, Check]]:
    with pytest.raises(RemoteError) as caught:
        connector.ping()
    return caught.value, {check.name: check for check in checks_of(caught.value)}


def test_an_owner_has_all_that_flows_need(lab: Lab) -> None:
    judged(lab, "Owner")
    ping = needing(lab, WRITE, PURGE, ASSIGN, ("vaults", "list"), ("role_assignments", "list")).ping()
    assert [check.name for check in ping.checks] == [
        "token", "address", "subscriptions", "vaults list",
        PURGE, "Microsoft.Authorization/roleAssignments/read", ASSIGN,
        "Microsoft.Authorization/roleDefinitions/read", READ, WRITE,
    ]  # fmt: skip
    assert all(check.ok and check.sentence.endswith(".") for check in ping.checks)


def test_a_reader_is_told_what_lacks_and_the_smallest_role_for_it(lab: Lab) -> None:
    judged(lab, "Reader")
    error, checks = failed(needing(lab, WRITE, READ, ASSIGN))
    assert isinstance(error, MissingRight)
    assert f"has no {ASSIGN}, {WRITE} in subscription {lab.sandbox.subscription}" in str(error)
    assert "give it the role Key Vault Contributor and Key Vault Data Access Administrator there." in str(error)
    assert "given in the last ten minutes may still be propagating" in str(error)
    assert [name for name, check in checks.items() if not check.ok] == [ASSIGN, WRITE]
    assert "give it the role Key Vault Contributor there" in checks[WRITE].sentence
    assert checks[READ].ok


def test_who_lacks_one_right_is_told_that_one(lab: Lab) -> None:
    judged(lab, "Key Vault Contributor")
    error, checks = failed(needing(lab, READ, WRITE, PURGE, "Microsoft.KeyVault/deletedVaults/read"))
    assert [name for name, check in checks.items() if not check.ok] == [PURGE]
    assert "give it the role Key Vault Purge Operator there" in str(error)


def test_nobody_is_told_the_role_to_read_and_that_more_cannot_be_told(lab: Lab) -> None:
    judged(lab)
    error, checks = failed(needing(lab, READ, WRITE))
    assert f"has no {READ} in subscription {lab.sandbox.subscription}: give it the role Reader there." in str(error)
    assert not checks["permissions"].ok
    assert "may not look at its own permissions" in checks["permissions"].sentence


def test_who_may_not_look_at_permissions_is_not_said_to_lack_any(lab: Lab) -> None:
    judged(lab, "Key Vault Purge Operator")
    ping = needing(lab, PURGE).ping()
    assert [check.name for check in ping.checks if not check.ok] == ["vaults list", "permissions"]
    assert "with the role Reader there, a test tells what it lacks" in ping.message


def test_what_lies_in_no_group_is_judged_at_the_subscription(lab: Lab) -> None:
    judged(lab, "Owner", scope="/resourceGroups/sandbox")
    lab.sandbox.cloud.assign(
        lab.sandbox.cloud.path, lab.sandbox.application.principal(lab.sandbox.tenant), BY_NAME["Reader"]
    )
    error, checks = failed(needing(lab, WRITE, PURGE, resource_group="sandbox"))
    assert (checks[WRITE].ok, checks[PURGE].ok) == (True, False)
    assert "in resource group sandbox" in checks[WRITE].sentence
    assert f"has no {PURGE} in subscription" in str(error)


def test_a_role_on_one_vault_alone_is_seen(lab: Lab) -> None:
    judged(lab, "Reader")
    cloud = lab.sandbox.cloud
    place = cloud.vault_path(cloud.vaults["contoso"]).removeprefix(cloud.path)
    judged(lab, "Key Vault Contributor", scope=place)
    ping = needing(lab, WRITE).ping()
    [check] = [check for check in ping.checks if check.name == WRITE]
    assert check.ok
    assert check.sentence.endswith("but in contoso.")


def test_without_needs_no_permission_is_looked_at(lab: Lab) -> None:
    judged(lab, "Reader")
    assert [check.name for check in control(lab).ping().checks][-1] == "vaults list"
    assert lab.sandbox.calls()["arm"].get("permissions", 0) == 0


def test_nothing_is_changed(lab: Lab) -> None:
    needing(lab, WRITE, PURGE, ASSIGN).ping()
    assert set(lab.sandbox.calls()["arm"]) == {"subscriptions", "vaults", "permissions"}


def test_a_role_that_does_not_work_yet_lacks(lab: Lab) -> None:
    lab.sandbox.cloud.propagation_seconds = 300.0
    judged(lab, "Reader", "Key Vault Contributor")
    error, _ = failed(needing(lab, READ))
    assert "may still be propagating" in str(error)
    lab.sandbox.clock.advance(301)
    assert needing(lab, READ, WRITE).ping().checks[-1].ok


def test_a_host_without_an_address_is_told_after_the_token(lab: Lab) -> None:
    connector = control(lab)
    plane = ControlPlane(connector._client, connector._cloud)
    with pytest.raises(NotSent, match="has no address: check this machine's DNS") as caught:
        ControlPreflight(plane, connector._session(), lambda host: (), Place()).run()
    assert [(check.name, check.ok) for check in checks_of(caught.value)] == [("token", True), ("address", False)]


@pytest.mark.parametrize(("address", "words"), [("10.0.0.4", "a private address"), ("20.0.0.4", "a public address")])
def test_an_address_is_public_or_private(lab: Lab, address: str, words: str) -> None:
    connector = control(lab)
    plane = ControlPlane(connector._client, connector._cloud)
    ping = ControlPreflight(plane, connector._session(), lambda host: (address,), Place()).run()
    assert words in ping.checks[1].sentence


def test_a_token_that_is_not_given_is_the_first_thing_that_is_told(lab: Lab) -> None:
    lab.sandbox.application.enabled = False
    error, checks = failed(needing(lab, READ))
    assert isinstance(error, NotAuthorized)
    assert [(name, check.ok) for name, check in checks.items()] == [("token", False)]


def test_a_flows_verbs_and_actions_are_actions_of_roles() -> None:
    needs = [Need("vaults", "list"), Need("deleted_vaults", "list"), Need(right=WRITE), Need(right="keys/encrypt")]
    assert actions_for(needs) == ("Microsoft.KeyVault/deletedVaults/read", READ, WRITE)
    assert actions_for([Need("role_assignments", "list")]) == (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
    )


def test_every_action_of_the_control_plane_can_be_looked_at_and_its_role_has_it() -> None:
    told = [one for action in load_actions("connectors.azure_key_vault") for one in action.permissions]
    own = {one.word for one in told if not one.data_action}
    assert own == set(actions_for([Need(right=word) for word in own]))
    for word in own:
        [role] = roles_with([word])
        assert BY_NAME[role].allows(word, data=False), word


def test_one_role_that_has_all_stands_for_those_it_makes_needless() -> None:
    assert roles_with([READ, WRITE]) == ("Key Vault Contributor",)
    assert roles_with([READ]) == ("Reader",)
    assert roles_with([PURGE, "Microsoft.KeyVault/deletedVaults/read"]) == ("Key Vault Purge Operator",)
    assert roles_with(["Microsoft.Compute/virtualMachines/write"]) == ("Owner",)


@pytest.mark.parametrize("name", sorted(_ROLES))
def test_the_roles_that_are_named_allow_what_their_definitions_say(name: str) -> None:
    told = {one.word for action in load_actions("connectors.azure_key_vault") for one in action.permissions}
    for word in (one for one in told if one.startswith("Microsoft.")):
        assert _ROLES[name].allows(word) is BY_NAME[name].allows(word, data=False)


@pytest.mark.parametrize(
    ("actions", "not_actions", "action", "is_allowed"),
    [
        (("*",), (), WRITE, True),
        (("*/read",), (), READ, True),
        (("*/read",), (), WRITE, False),
        (("microsoft.keyvault/VAULTS/*",), (), WRITE, True),
        (("*",), ("Microsoft.KeyVault/*/Write",), WRITE, False),
        (("*",), ("Microsoft.KeyVault/vaults/w*",), WRITE, False),
        (("*",), ("*",), WRITE, False),
        (("Microsoft.KeyVault/vaults",), (), WRITE, False),
        (("Microsoft.KeyVault/vaults/write/x",), (), WRITE, False),
        ((), (), WRITE, False),
        (("Microsoft.KeyVault.vaults.write",), (), WRITE, False),
    ],
)
def test_wildcards_and_what_is_taken_away(
    actions: tuple[str, ...], not_actions: tuple[str, ...], action: str, is_allowed: bool
) -> None:
    assert Grant(actions, not_actions).allows(action) is is_allowed


def test_what_one_role_takes_away_another_may_give() -> None:
    assert lacking([PURGE], [Grant(("*",), (PURGE,)), Grant((PURGE,))]) == ()


@given(st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3)))
def test_permissions_that_are_no_list_of_texts_allow_nothing_that_they_do_not_name(found: object) -> None:
    assert not Grant.of({"actions": [found], "notActions": found}).allows(WRITE) or found == "*"


@given(st.sampled_from(sorted(BY_NAME)), st.sampled_from([READ, WRITE, PURGE, ASSIGN, ASSIGN.upper()]))
def test_a_grant_judges_as_the_provider_does(name: str, action: str) -> None:
    role: Role = BY_NAME[name]
    assert Grant.of(role.permissions()).allows(action) is role.allows(action, data=False)


def test_what_is_deleted_and_names_belong_to_the_subscription() -> None:
    assert is_wide(PURGE)
    assert is_wide("Microsoft.KeyVault/checkNameAvailability/read")
    assert not is_wide(WRITE)
    assert not is_wide("Microsoft.Resources/subscriptions/resourceGroups/read")
