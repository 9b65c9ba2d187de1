"""Microsoft's asynchronous SDKs judge more of the sandbox's keys and certificates: policies, issuers, imports, refusals."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.certificates import CertificateContact, CertificatePolicy
from azure.keyvault.certificates.aio import CertificateClient
from azure.keyvault.keys import JsonWebKey, KeyRotationLifetimeAction, KeyRotationPolicy
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.secrets.aio import SecretClient
from cryptography.hazmat.primitives.asymmetric import ec

pytestmark = pytest.mark.referee

CURVE = {"key_type": "EC", "key_curve_name": "P-256"}
BY_ITSELF = CertificatePolicy(issuer_name="Self", subject="CN=contoso.test", **CURVE)
ELSEWHERE = CertificatePolicy(issuer_name="Unknown", subject="CN=contoso.test", **CURVE)


@pytest.fixture
def client_of(sandbox: Any) -> Callable[..., Any]:
    """Makes an asynchronous client of a kind, as a context manager."""

    @asynccontextmanager
    async def open_client(kind: Any, vault: str = "contoso", secret: str = "") -> AsyncIterator[Any]:
        trust = {"connection_verify": str(sandbox.ca_file)}
        told = (sandbox.tenant, sandbox.client_id, secret or sandbox.client_secret)
        options = {"verify_challenge_resource": False, "retry_total": 0, **trust}
        credential = ClientSecretCredential(*told, authority=sandbox.authority, **trust)
        async with credential, kind(sandbox.vault_url(vault), credential, **options) as client:
            yield client

    return open_client


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_a_key_is_imported_read_by_version_and_changed(client_of):
    async def story() -> None:
        numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
        point = numbers.public_numbers
        words = {
            name: number.to_bytes(32) for name, number in (("x", point.x), ("y", point.y), ("d", numbers.private_value))
        }
        async with client_of(KeyClient) as keys:
            made = await keys.import_key("k", JsonWebKey(kty="EC", crv="P-256", key_ops=["sign", "verify"], **words))
            assert made.key.x == words["x"]
            found = await keys.get_key("k", made.properties.version)
            assert (found.id, found.key.d) == (made.id, None)
            changed = await keys.update_key_properties("k", enabled=False)
            assert changed.properties.enabled is False
            with pytest.raises(HttpResponseError, match="KeyDisabled"):
                await keys.get_key("k")

    run(story())


def test_keys_of_each_curve_and_size_are_made_and_listed(client_of):
    async def story() -> None:
        async with client_of(KeyClient) as keys:
            for curve in ("P-256", "P-384", "P-521", "P-256K"):
                assert (await keys.create_ec_key(f"k{curve}", curve=curve)).key.crv == curve
            assert len((await keys.create_rsa_key("rsa", size=3072)).key.n) == 384
            assert len([one async for one in keys.list_properties_of_keys()]) == 5
            with pytest.raises(HttpResponseError, match="managed HSMs"):
                await keys.create_oct_key("oct")
            with pytest.raises(HttpResponseError, match="managed HSMs"):
                await keys.get_random_bytes(8)

    run(story())


def test_a_rotation_policy_is_kept_and_followed(client_of):
    async def story() -> None:
        async with client_of(KeyClient) as keys:
            await keys.create_ec_key("k")
            action = KeyRotationLifetimeAction("rotate", time_after_create="P90D")
            told = KeyRotationPolicy(expires_in="P1Y", lifetime_actions=[action])
            assert (await keys.update_key_rotation_policy("k", told)).expires_in == "P1Y"
            assert (await keys.get_key_rotation_policy("k")).lifetime_actions[0].time_after_create == "P90D"
            assert (await keys.rotate_key("k")).properties.expires_on is not None

    run(story())


def test_a_deleted_key_is_read_and_purged(client_of):
    async def story() -> None:
        async with client_of(KeyClient) as keys:
            await keys.create_ec_key("k")
            await keys.delete_key("k", _polling_interval=0.01)
            assert (await keys.get_deleted_key("k")).recovery_id
            with pytest.raises(ResourceExistsError, match="ObjectIsDeletedButRecoverable"):
                await keys.create_ec_key("k")
            await keys.purge_deleted_key("k")
            with pytest.raises(ResourceNotFoundError):
                await keys.get_deleted_key("k")

    run(story())


def test_a_request_is_cancelled_and_its_operation_deleted(client_of):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates:
            pending = await certificates.create_certificate("c", ELSEWHERE, _polling_interval=0.01)
            assert pending.status == "inProgress"
            assert (await certificates.cancel_certificate_operation("c")).cancellation_requested
            await certificates.delete_certificate_operation("c")
            with pytest.raises(ResourceNotFoundError):
                await certificates.get_certificate_operation("c")
            with pytest.raises(HttpResponseError):
                await certificates.merge_certificate("c", [b"x"])

    run(story())


def test_a_certificate_is_exported_and_imported_elsewhere(client_of):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates, client_of(SecretClient) as secrets:
            made = await certificates.create_certificate("c", BY_ITSELF, _polling_interval=0.01)
            pfx = base64.b64decode((await secrets.get_secret("c")).value)
        async with client_of(CertificateClient, "fabrikam") as elsewhere:
            brought = await elsewhere.import_certificate("copy", pfx)
            assert brought.cer == made.cer
            with pytest.raises(HttpResponseError):
                await elsewhere.import_certificate("other", b"no pfx")

    run(story())


def test_policies_and_versions_of_certificates(client_of):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates:
            first = await certificates.create_certificate("c", BY_ITSELF, _polling_interval=0.01)
            policy = await certificates.get_certificate_policy("c")
            assert policy.subject == "CN=contoso.test"
            longer = CertificatePolicy(issuer_name="Self", subject="CN=contoso.test", validity_in_months=24)
            assert (await certificates.update_certificate_policy("c", longer)).validity_in_months == 24
            await certificates.create_certificate("c", longer, _polling_interval=0.01)
            assert len([one async for one in certificates.list_properties_of_certificate_versions("c")]) == 2
            old = await certificates.get_certificate_version("c", first.properties.version)
            assert old.cer == first.cer

    run(story())


def test_contacts_and_issuers(client_of):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates:
            await certificates.set_contacts([CertificateContact(email="grace@contoso.test")])
            assert [one.email for one in await certificates.get_contacts()] == ["grace@contoso.test"]
            await certificates.delete_contacts()
            made = await certificates.create_issuer("ca", "Test", account_id="a", password="pa55")
            assert made.provider == "Test"
            assert (await certificates.get_issuer("ca")).account_id == "a"
            assert (await certificates.update_issuer("ca", enabled=False)).enabled is False
            assert [one.name async for one in certificates.list_properties_of_issuers()] == ["ca"]
            await certificates.delete_issuer("ca")
            with pytest.raises(ResourceNotFoundError):
                await certificates.get_issuer("ca")

    run(story())


def test_a_deleted_certificate_comes_back_with_key_and_secret(client_of, sandbox):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates, client_of(SecretClient) as secrets:
            await certificates.create_certificate("c", BY_ITSELF, _polling_interval=0.01)
            await certificates.delete_certificate("c", _polling_interval=0.01)
            assert (await certificates.get_deleted_certificate("c")).recovery_id
            assert [one.name async for one in certificates.list_deleted_certificates()] == ["c"]
            with pytest.raises(ResourceNotFoundError):
                await secrets.get_secret("c")
            await certificates.recover_deleted_certificate("c", _polling_interval=0.01)
            assert (await secrets.get_secret("c")).properties.content_type == "application/x-pkcs12"

    run(story())


@pytest.mark.parametrize(
    ("switch", "inner"), [("firewall", "ForbiddenByFirewall"), ("private", "ForbiddenByConnection")]
)
def test_a_closed_vault_refuses_every_client(client_of, sandbox, switch, inner):
    async def story() -> None:
        setattr(sandbox.vault("contoso"), switch, True)
        async with client_of(KeyClient) as keys:
            with pytest.raises(HttpResponseError, match=inner):
                await keys.get_key("k")
        async with client_of(CertificateClient) as certificates:
            with pytest.raises(HttpResponseError, match=inner):
                [one async for one in certificates.list_properties_of_certificates()]

    run(story())


def test_a_wrong_secret_opens_nothing(client_of):
    async def story() -> None:
        async with client_of(KeyClient, secret="wrong") as keys:
            with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
                await keys.get_key("k")

    run(story())
