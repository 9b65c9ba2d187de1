"""The control plane as a source: vaults and who may use them, page after page, subscription after subscription."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.control.errors import explain_control
from connectors.azure_key_vault.control.plane import ControlPlane, Place, remaining
from connectors.azure_key_vault.control.source import CONTROL_RESOURCES, ControlSource
from connectors.azure_key_vault.sandbox.arm.roles import ROLES
from connectors.errors import Forbidden, HostNotAllowed, NotFound, SettingsError, Throttled
from connectors.model import ApiType, Connection, ReadOptions, Record, WriteOptions
from connectors.rest import Call
from connectors.throttle import Budget
from iclients.answers import Answer
from iclients.clouds import BUILT_IN
from iclients.errors import MalformedAnswer, RemoteError
from iclients.testing import MovableClock

VERSION = "api-version=2026-02-01"
READER = next(role for role in ROLES.values() if role.name == "Reader")
USER = next(role for role in ROLES.values() if role.name == "Key Vault Secrets User")


def control(lab: Lab, **settings: str) -> AzureKeyVault:
    told = ("arm", "azure-key-vault", ApiType.CONTROL, "client_credentials", "app", (), settings, lab.limits)
    return AzureKeyVault(Connection(*told), lab.access())


def records(connector: AzureKeyVault, resource: str) -> list[Record]:
    return [one for page in connector.source(resource, ReadOptions()).pages(None) for one in page.records]  # type: ignore[misc]


def fields(connector: AzureKeyVault, resource: str) -> list[dict[str, Any]]:
    return [one.fields for one in records(connector, resource)]


def ask(lab: Lab, method: str, path: str, body: Any = None, version: str = VERSION) -> Any:
    sandbox = lab.sandbox
    url = f"{sandbox.arm}/subscriptions/{sandbox.subscription}{path}?{version}"
    return control(lab)._client.json(Call("change", method, url, body))


def group_of_vaults(group: str = "sandbox") -> str:
    return f"/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults"


def made(lab: Lab, name: str, **properties: Any) -> None:
    told = {"tenantId": lab.sandbox.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    body = {"location": "eastus", "tags": {"team": "blue"}, "properties": {**told, **properties}}
    ask(lab, "PUT", f"{group_of_vaults()}/{name}", body)


def test_vaults_are_records_with_plain_names(lab: Lab) -> None:
    made(
        lab,
        "payments",
        enablePurgeProtection=True,
        publicNetworkAccess="Disabled",
        networkAcls={"bypass": "None", "defaultAction": "Deny", "ipRules": [{"value": "20.0.0.0/24"}]},
    )
    found = {one["name"]: one for one in fields(control(lab), "vaults")}
    assert list(found) == ["contoso", "fabrikam", "payments"]
    vault = found["payments"]
    assert vault["vault_uri"].startswith("https://")
    assert vault["ip_rules"] == ["20.0.0.0/24"]
    told = {
        name: vault[name] for name in ("purge_protection", "public_network_access", "network_default", "sku", "tags")
    }
    assert told == {
        "purge_protection": True,
        "public_network_access": "Disabled",
        "network_default": "Deny",
        "sku": "standard",
        "tags": {"team": "blue"},
    }
    assert (vault["subscription"], vault["resource_group"]) == (lab.sandbox.subscription, "sandbox")


def test_access_policies_are_a_record_each_and_say_whether_they_count(lab: Lab) -> None:
    who, app = str(uuid.uuid4()), str(uuid.uuid4())
    entry = {
        "tenantId": lab.sandbox.tenant,
        "objectId": who,
        "permissions": {"secrets": ["Get", "List"], "keys": ["sign"]},
    }
    made(lab, "old", enableRbacAuthorization=False, accessPolicies=[entry, {**entry, "applicationId": app}])
    made(lab, "new", enableRbacAuthorization=True, accessPolicies=[entry])
    found = {one["name"]: one for one in fields(control(lab), "access_policies")}
    assert list(found) == [f"new/{who}", f"old/{who}", f"old/{who}/{app}"]
    one = found[f"old/{who}/{app}"]
    assert (one["secrets"], one["keys"], one["certificates"]) == (["get", "list"], ["sign"], [])
    assert {name: one["in_force"] for name, one in found.items()} == {
        f"new/{who}": False,
        f"old/{who}": True,
        f"old/{who}/{app}": True,
    }


def test_role_assignments_name_role_vault_and_object(lab: Lab) -> None:
    cloud, who = lab.sandbox.cloud, str(uuid.uuid4())
    place = cloud.vault_path(cloud.vaults["contoso"])
    cloud.assign(f"{place}/secrets/db", who, USER)
    cloud.assign(cloud.path, who, READER)
    found = sorted(fields(control(lab), "role_assignments"), key=lambda one: one["role"])
    told = [(one["role"], one["vault"], one["object"], one["principal_id"]) for one in found]
    assert told == [("Key Vault Secrets User", "contoso", "secrets/db", who), ("Reader", None, None, who)]


def test_deleted_vaults_are_listed_and_those_of_another_group_left_out(lab: Lab) -> None:
    made(lab, "gone", enablePurgeProtection=True)
    ask(lab, "DELETE", f"{group_of_vaults()}/gone")
    found = records(control(lab), "deleted_vaults")
    assert [(one.key, one.fields["purge_protection"], one.left_out) for one in found] == [("gone", True, None)]
    assert found[0].fields["resource_group"] == "sandbox"
    assert found[0].fields["deleted"] < found[0].fields["scheduled_purge"]
    body = {"location": "eastus"}
    ask(lab, "PUT", "/resourcegroups/another", body, "api-version=2021-04-01")
    [one] = records(control(lab, resource_group="another"), "deleted_vaults")
    assert one.left_out == "it was in another resource group"


def test_a_resource_group_narrows_what_is_read(lab: Lab) -> None:
    ask(lab, "PUT", "/resourcegroups/another", {"location": "eastus"}, "api-version=2021-04-01")
    connector = control(lab, subscription=lab.sandbox.subscription.upper(), resource_group="another")
    assert fields(connector, "vaults") == []
    assert len(fields(control(lab, resource_group="SANDBOX"), "vaults")) == 2


def test_a_place_that_the_app_does_not_see_is_told_with_those_that_it_sees(lab: Lab) -> None:
    with pytest.raises(SettingsError, match=rf"There are: {lab.sandbox.subscription} \(Sandbox\)"):
        control(lab, subscription=str(uuid.uuid4())).ping()
    with pytest.raises(SettingsError, match=r"The app sees no resource group none; it sees: sandbox\."):
        control(lab, resource_group="none").ping()
    with pytest.raises(NotFound, match=r"There is no resource group none: correct `resource_group`"):
        fields(control(lab, resource_group="none"), "vaults")


def test_a_ping_tells_each_thing_that_it_looked_at(lab: Lab) -> None:
    ping = control(lab, resource_group="sandbox").ping()
    assert [check.name for check in ping.checks] == [
        "token", "address", "subscriptions", "resource group", "vaults list"
    ]  # fmt: skip
    assert all(check.ok for check in ping.checks)


def test_who_may_not_read_is_told_the_role_and_may_read_with_it(lab: Lab) -> None:
    cloud, sandbox = lab.sandbox.cloud, lab.sandbox
    cloud.enforce("somebody else")
    ping = control(lab).ping()
    assert [check.name for check in ping.checks if not check.ok] == ["vaults list"]
    assert "role Reader" in ping.message
    with pytest.raises(Forbidden, match=r"may not list vaults in subscription .*: give it the role Reader there"):
        list(ControlSource(_plane(lab), "vaults", Place(sandbox.subscription)).pages(None))
    cloud.assign(cloud.path, sandbox.application.principal(sandbox.tenant), READER)
    assert len(fields(control(lab), "vaults")) == 2


def test_nothing_of_the_control_plane_is_written_and_secrets_are_not_there(lab: Lab) -> None:
    connector = control(lab)
    with pytest.raises(SettingsError, match=r"its control plane has: vaults, access_policies, deleted_vaults"):
        connector.source("secrets", ReadOptions())
    for resource in CONTROL_RESOURCES:
        with pytest.raises(SettingsError, match=f"{resource} of connection arm cannot be written"):
            connector.target(resource, WriteOptions())


def test_records_have_the_fields_that_the_descriptor_names(lab: Lab) -> None:
    who = str(uuid.uuid4())
    entry = {"tenantId": lab.sandbox.tenant, "objectId": who, "permissions": {}}
    made(lab, "some", enableRbacAuthorization=False, accessPolicies=[entry])
    made(lab, "gone")
    ask(lab, "DELETE", f"{group_of_vaults()}/gone")
    lab.sandbox.cloud.assign(lab.sandbox.cloud.path, who, READER)
    for described in AzureKeyVault.descriptor.resources:
        if described.api_type == ApiType.CONTROL:
            assert list(fields(control(lab), described.name)[0]) == list(described.fields), described.name


def test_pages_follow_each_other_and_are_resumed(lab: Lab) -> None:
    who = [str(uuid.uuid4()) for _ in range(45)]
    for one in who:
        lab.sandbox.cloud.assign(lab.sandbox.cloud.path, one, READER)
    pages = list(control(lab).source("role_assignments", ReadOptions()).pages(None))
    assert [len(page.records) for page in pages] == [20, 20, 5]
    assert [page.checkpoint is None for page in pages] == [False, False, True]
    rest = list(control(lab).source("role_assignments", ReadOptions()).pages(pages[0].checkpoint))
    assert [len(page.records) for page in rest] == [20, 5]


# More than one subscription, and a Resource Manager that misbehaves


class Answers:
    """Resource Manager as a table of links."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.asked: list[str] = []
        self._documents = documents

    def json(self, call: Call) -> Any:
        self.asked.append(call.url)
        return self._documents[call.url.removeprefix("https://management.azure.com").partition("?")[0]]


def _plane(lab: Lab) -> ControlPlane:
    return ControlPlane(control(lab)._client, lab.cloud())


def plane(documents: Mapping[str, Any]) -> ControlPlane:
    return ControlPlane(Answers(documents), BUILT_IN["public"])  # type: ignore[arg-type]


def subscriptions(*ids: str) -> dict[str, Any]:
    return {"value": [{"subscriptionId": one, "displayName": one.upper()} for one in ids]}


def three() -> ControlPlane:
    place = "/providers/Microsoft.KeyVault/vaults"
    documents = {f"/subscriptions/{one}{place}": {"value": [{"name": f"v-{one}"}]} for one in ("a", "b", "c")}
    more = f"https://management.azure.com/more-of-b?{VERSION}"
    documents[f"/subscriptions/b{place}"]["nextLink"] = more  # type: ignore[assignment]
    return plane({**documents, "/more-of-b": {"value": []}, "/subscriptions": subscriptions("c", "A", "b")})


def keys(source: ControlSource, checkpoint: Any = None) -> list[list[str]]:
    return [[record.key for record in page.records] for page in source.pages(checkpoint)]


def test_all_subscriptions_are_read_one_after_the_other_and_resumed_in_any_of_them() -> None:
    source = ControlSource(three(), "vaults", Place())
    pages = list(source.pages(None))
    assert keys(source) == [["v-a"], ["v-b"], [], ["v-c"]]
    assert pages[-1].checkpoint is None
    for number, page in enumerate(pages[:-1], 1):
        assert keys(source, page.checkpoint) == keys(source)[number:]


def test_a_subscription_that_vanished_between_two_runs_is_passed_over() -> None:
    source = ControlSource(three(), "vaults", Place())
    assert keys(source, {"subscription": "aa", "next": "https://management.azure.com/gone"}) == [["v-b"], [], ["v-c"]]
    assert keys(source, {"subscription": "d", "next": None}) == [[]]


def test_without_a_subscription_there_is_nothing_to_read_and_the_ping_says_which_role_is_missing() -> None:
    nothing = plane({"/subscriptions": {"value": []}})
    assert keys(ControlSource(nothing, "vaults", Place())) == [[]]
    ping = nothing.ping(Place())
    assert "sees 0 subscriptions. It sees none: give it the role Reader on a subscription" in ping.message
    assert [check.ok for check in ping.checks] == [True, False]


def test_a_next_page_on_another_host_is_not_followed() -> None:
    away = plane({"/subscriptions": {"value": [], "nextLink": "https://evil.test/subscriptions"}})
    with pytest.raises(HostNotAllowed, match="a next page on another host: it was not followed"):
        away.subscriptions()


def test_pages_in_a_circle_end() -> None:
    link = "https://management.azure.com/subscriptions?api-version=2022-12-01"
    with pytest.raises(MalformedAnswer, match="in a circle"):
        plane({"/subscriptions": {"value": [], "nextLink": link}}).subscriptions()


@pytest.mark.parametrize("document", [[], {"value": "x"}, {"value": ["x"]}, {"value": [{}] * 1001}])
def test_a_list_that_is_none_is_told(document: Any) -> None:
    with pytest.raises(MalformedAnswer):
        plane({"/subscriptions": document}).subscriptions()


@pytest.mark.parametrize("resource", CONTROL_RESOURCES)
@pytest.mark.parametrize(
    "item",
    [{}, {"properties": None}, {"properties": {"accessPolicies": [{}, 1], "networkAcls": [], "scope": 1}, "id": 1}],
)
def test_what_is_missing_in_an_answer_is_empty_in_the_record(resource: str, item: dict[str, Any]) -> None:
    found = plane(
        {
            "/subscriptions": subscriptions("a"),
            "/subscriptions/a/providers/Microsoft.KeyVault/vaults": {"value": [item]},
            "/subscriptions/a/providers/Microsoft.KeyVault/deletedVaults": {"value": [item]},
            "/subscriptions/a/providers/Microsoft.Authorization/roleAssignments": {"value": [item]},
            "/subscriptions/a/providers/Microsoft.Authorization/roleDefinitions": {"value": [item]},
        }
    )
    assert len(keys(ControlSource(found, resource, Place()))) == 1


# Throttling


def test_the_pace_follows_what_resource_manager_has_left() -> None:
    clock = MovableClock()
    budget = Budget({"other": 1_000_000}, 1.0, clock)
    remaining(budget, Answer(200, {"x-ms-ratelimit-remaining-subscription-reads": "249"}, b""))
    budget.take("other")
    assert clock.slept == []
    remaining(budget, Answer(200, {"x-ms-ratelimit-remaining-subscription-reads": "5"}, b""))
    budget.take("other")
    assert clock.slept == [pytest.approx(0.8)]
    remaining(budget, Answer(200, {"x-ms-ratelimit-remaining-tenant-writes": "0"}, b""))
    budget.take("other")
    assert clock.slept[1:] == [pytest.approx(2.5)]


@pytest.mark.parametrize("value", ["many", "-1", "", "1e9"])
def test_a_header_that_is_no_number_slows_nothing(value: str) -> None:
    clock = MovableClock()
    budget = Budget({"other": 1_000_000}, 1.0, clock)
    remaining(budget, Answer(200, {"x-ms-ratelimit-remaining-subscription-reads": value, "x-ms-request-id": "0"}, b""))
    budget.take("other")
    assert clock.slept == []


def test_a_throttled_control_plane_is_waited_for(lab: Lab) -> None:
    lab.sandbox.faults.add("429", host="arm", times=2, retry_after=3)
    assert len(fields(control(lab), "vaults")) == 2
    assert sum(lab.clock.slept) >= 3


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (
            403,
            "AuthorizationFailed",
            Forbidden,
            "may not list vaults in resource group rg: give it the role Reader there",
        ),
        (404, "SubscriptionNotFound", NotFound, "does not see resource group rg"),
        (404, "ResourceGroupNotFound", NotFound, "There is no resource group rg: correct `resource_group`"),
        (404, "Odd", NotFound, "Azure Resource Manager answered vaults with HTTP 404 Odd: odd words."),
        (429, "TooManyRequests", Throttled, "HTTP 429 TooManyRequests"),
    ],
)
def test_what_resource_manager_refuses_is_a_sentence(
    status: int, code: str, kind: type[RemoteError], words: str
) -> None:
    body = f'{{"error": {{"code": "{code}", "message": "odd words."}}}}'.encode()
    call = Call("vaults", "GET", f"https://management.azure.com/subscriptions/s/resourceGroups/rg/x?{VERSION}")
    told = explain_control(Answer(status, {}, body), call)
    assert isinstance(told, kind)
    assert words in str(told)
    assert str(told).endswith(".")
