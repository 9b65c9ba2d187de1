"""azure-mgmt-keyvault judges what the control plane says about secrets and keys: it makes and describes, never reads."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient

from connectors.azure_key_vault.sandbox.arm.roles import ROLES

pytestmark = pytest.mark.referee

GROUP, VAULT = "sandbox", "contoso"
ROLE = {role.name: role for role in ROLES.values()}


@pytest.fixture
def plane(arm: Any) -> Any:
    return arm(KeyVaultManagementClient)


def secret(value: str | None = "v", tags: Any = None, **properties: Any) -> dict[str, Any]:
    told = {**({"value": value} if value is not None else {}), **properties}
    return {"properties": told, **({"tags": tags} if tags is not None else {})}


def rsa(**properties: Any) -> dict[str, Any]:
    return {"properties": {"kty": "RSA", **properties}}


def test_a_secret_is_made_and_described_without_its_value(plane, sandbox, data):
    told = secret("the value", {"a": "b"}, contentType="text/plain", attributes={"enabled": True, "exp": 4_000_000_000})
    made = plane.secrets.create_or_update(GROUP, VAULT, "db", told)
    found = plane.secrets.get(GROUP, VAULT, "DB")
    assert made.as_dict() == found.as_dict()
    assert "the value" not in str(found.as_dict())
    assert (found.name, found.type, found.tags) == ("db", "Microsoft.KeyVault/vaults/secrets", {"a": "b"})
    assert found.properties.content_type == "text/plain"
    assert found.properties.attributes.expires.year == 2096
    assert found.properties.secret_uri == f"{sandbox.vault_url(VAULT)}/secrets/db"
    read = data(SecretClient, sandbox.vault_url(VAULT)).get_secret("db")
    assert (read.value, read.id) == ("the value", found.properties.secret_uri_with_version)


def test_a_second_value_makes_a_second_version(plane, sandbox):
    first = plane.secrets.create_or_update(GROUP, VAULT, "db", secret("1", {"a": "b"}))
    second = plane.secrets.create_or_update(GROUP, VAULT, "db", secret("2"))
    assert first.properties.secret_uri_with_version != second.properties.secret_uri_with_version
    assert (sandbox.vault(VAULT).value("db"), second.tags) == ("2", {})


def test_a_patch_changes_what_it_names(plane, sandbox):
    plane.secrets.create_or_update(GROUP, VAULT, "db", secret("1", {"a": "b"}, contentType="x"))
    changed = plane.secrets.update(GROUP, VAULT, "db", secret(None, attributes={"enabled": False}))
    assert (changed.properties.attributes.enabled, changed.properties.content_type) == (False, "x")
    assert len(sandbox.vault(VAULT).secrets["db"].versions) == 1
    changed = plane.secrets.update(GROUP, VAULT, "db", secret("2", attributes={"enabled": True}))
    assert (changed.tags, changed.properties.content_type, sandbox.vault(VAULT).value("db")) == ({"a": "b"}, "x", "2")


def test_secrets_are_listed_in_pages_without_values(plane, sandbox):
    for number in range(45):
        sandbox.vault(VAULT).put(f"s{number:02}", f"value-{number}")
    found = [*plane.secrets.list(GROUP, VAULT)]
    assert [one.name for one in found] == [f"s{number:02}" for number in range(45)]
    assert "value-" not in str([one.as_dict() for one in found])
    assert len([*plane.secrets.list(GROUP, VAULT, top=7)]) == 45


def test_what_is_not_there_is_not_found(plane):
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        plane.secrets.get(GROUP, VAULT, "nothing")
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        plane.secrets.update(GROUP, VAULT, "nothing", secret(None, contentType="x"))
    with pytest.raises(ResourceNotFoundError, match="KeyNotFound"):
        plane.keys.get(GROUP, VAULT, "nothing")
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        plane.secrets.get(GROUP, "elsewhere", "nothing")


def test_what_no_secret_can_be_is_refused(plane):
    for name, told in (("db", secret(None)), ("db", secret("x" * 25_601))):
        with pytest.raises(HttpResponseError) as refused:
            plane.secrets.create_or_update(GROUP, VAULT, name, told)
        assert refused.value.status_code == 400


def test_a_deleted_secret_blocks_its_name_here_as_well(plane, sandbox):
    sandbox.vault(VAULT).put("db", "1")
    sandbox.vault(VAULT).delete("db")
    with pytest.raises(ResourceExistsError):
        plane.secrets.create_or_update(GROUP, VAULT, "db", secret())


def test_the_secret_of_a_certificate_is_left_to_it(plane, sandbox):
    sandbox.vault(VAULT).add_managed("web")
    with pytest.raises(HttpResponseError) as refused:
        plane.secrets.create_or_update(GROUP, VAULT, "web", secret())
    assert refused.value.status_code == 403


def test_a_key_is_made_where_there_is_none_and_stays_where_there_is_one(plane, sandbox, data):
    made = plane.keys.create_if_not_exist(GROUP, VAULT, "k", rsa(keySize=3072, keyOps=["sign", "verify"]))
    again = plane.keys.create_if_not_exist(GROUP, VAULT, "K", {"properties": {"kty": "EC", "curveName": "P-256"}})
    assert made.as_dict() == again.as_dict() == plane.keys.get(GROUP, VAULT, "k").as_dict()
    told = made.properties
    assert (told.kty, told.key_size, told.key_ops) == ("RSA", 3072, ["sign", "verify"])
    assert told.attributes.recovery_level == "Recoverable+Purgeable"
    key = data(KeyClient, sandbox.vault_url(VAULT)).get_key("k")
    assert (key.id, key.key_type) == (told.key_uri_with_version, "RSA")


def test_a_key_on_a_curve_says_which(plane):
    made = plane.keys.create_if_not_exist(GROUP, VAULT, "k", {"properties": {"kty": "EC", "curveName": "P-521"}})
    assert (made.properties.curve_name, made.properties.key_size) == ("P-521", None)


def test_a_keys_rotation_policy_is_kept(plane, sandbox, data):
    rotation = {
        "attributes": {"expiryTime": "P1Y"},
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "rotate"}}],
    }
    plane.keys.create_if_not_exist(GROUP, VAULT, "k", rsa(rotationPolicy=rotation))
    assert plane.keys.get(GROUP, VAULT, "k").properties.rotation_policy.attributes.expiry_time == "P1Y"
    assert data(KeyClient, sandbox.vault_url(VAULT)).get_key_rotation_policy("k").expires_in == "P1Y"


def test_versions_of_a_key_are_listed_and_had_one_by_one(plane, sandbox, data):
    plane.keys.create_if_not_exist(GROUP, VAULT, "k", rsa())
    data(KeyClient, sandbox.vault_url(VAULT)).rotate_key("k")
    versions = [one.name for one in plane.keys.list_versions(GROUP, VAULT, "k")]
    assert len(versions) == 2
    one = plane.keys.get_version(GROUP, VAULT, "k", versions[0])
    assert one.properties.key_uri_with_version.endswith(versions[0])
    assert [one.name for one in plane.keys.list(GROUP, VAULT)] == ["k"]
    with pytest.raises(ResourceNotFoundError, match="KeyNotFound"):
        plane.keys.get_version(GROUP, VAULT, "k", "0" * 32)


@pytest.mark.parametrize("told", [{"kty": "oct"}, {"kty": "RSA", "keySize": 1000}, {"kty": "EC", "curveName": "P-1"}])
def test_what_no_key_can_be_is_refused(plane, told):
    with pytest.raises(HttpResponseError) as refused:
        plane.keys.create_if_not_exist(GROUP, VAULT, "k", {"properties": told})
    assert refused.value.status_code == 400


def test_roles_at_the_control_plane_alone_decide(arm, data, sandbox):
    """A Contributor makes a secret here, which the vault would not let it do; a Reader only looks."""
    sandbox.cloud.enforce(sandbox.application.object_id)
    contributor, reader = sandbox.entra.register("contributor"), sandbox.entra.register("reader")
    sandbox.cloud.assign(sandbox.cloud.path, contributor.object_id, ROLE["Contributor"])
    sandbox.cloud.assign(sandbox.cloud.path, reader.object_id, ROLE["Reader"])
    sandbox.vault(VAULT).firewall = True
    made = arm(KeyVaultManagementClient, contributor).secrets.create_or_update(GROUP, VAULT, "db", secret())
    with pytest.raises(HttpResponseError, match="ForbiddenByRbac"):
        data(SecretClient, sandbox.vault_url(VAULT), contributor).set_secret("db", "2")
    looking = arm(KeyVaultManagementClient, reader)
    assert looking.secrets.get(GROUP, VAULT, "db").as_dict() == made.as_dict()
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        looking.secrets.create_or_update(GROUP, VAULT, "db", secret())
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        looking.keys.create_if_not_exist(GROUP, VAULT, "k", rsa())
