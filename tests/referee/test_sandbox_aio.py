"""Microsoft's asynchronous SDKs judge keys, certificates and the control plane of the sandbox."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.certificates import CertificatePolicy
from azure.keyvault.certificates.aio import CertificateClient
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.mgmt.keyvault.aio import KeyVaultManagementClient

pytestmark = pytest.mark.referee


@pytest.fixture
def client_of(sandbox: Any) -> Callable[..., Any]:
    """Makes an asynchronous client of a kind, as a context manager; `where` is a vault, or what the kind takes."""

    @asynccontextmanager
    async def open_client(kind: Any, where: Any = "contoso", **options: Any) -> AsyncIterator[Any]:
        trust = {"connection_verify": str(sandbox.ca_file)}
        names = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
        credential = ClientSecretCredential(*names, authority=sandbox.authority, **trust)
        async with credential:
            if kind is KeyVaultManagementClient:
                scopes = ["https://management.azure.com/.default"]
                options |= {"base_url": sandbox.arm, "credential_scopes": scopes, "polling_interval": 0.01}
                client = kind(credential, sandbox.subscription, **trust, **options)
            else:
                place = sandbox.vault_url(where) if isinstance(where, str) else where
                client = kind(place, credential, verify_challenge_resource=False, **trust, **options)
            async with client:
                yield client

    return open_client


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_the_life_of_a_key(client_of):
    async def story() -> None:
        async with client_of(KeyClient) as keys:
            first = await keys.create_rsa_key("k")
            second = await keys.rotate_key("k")
            assert second.properties.version != first.properties.version
            assert len([one async for one in keys.list_properties_of_key_versions("k")]) == 2
            await keys.update_key_properties("k", tags={"a": "b"})
            await keys.delete_key("k")
            assert [one.name async for one in keys.list_deleted_keys()] == ["k"]
            assert (await keys.recover_deleted_key("k")).name == "k"
            backup = await keys.backup_key("k")
        async with client_of(KeyClient, "fabrikam") as elsewhere:
            assert (await elsewhere.restore_key_backup(backup)).key.n == second.key.n

    run(story())


def test_what_a_key_does(client_of):
    async def story() -> None:
        digest = hashlib.sha256(b"text").digest()
        async with client_of(KeyClient) as keys:
            key = await keys.create_rsa_key("k")
        async with client_of(CryptographyClient, key) as crypto:
            ciphertext = (await crypto.encrypt("RSA-OAEP-256", b"a text")).ciphertext
            assert (await crypto.decrypt("RSA-OAEP-256", ciphertext)).plaintext == b"a text"
            wrapped = (await crypto.wrap_key("RSA-OAEP", b"k" * 32)).encrypted_key
            assert (await crypto.unwrap_key("RSA-OAEP", wrapped)).key == b"k" * 32
            signature = (await crypto.sign("PS256", digest)).signature
            assert (await crypto.verify("PS256", digest, signature)).is_valid
            with pytest.raises(HttpResponseError):
                await crypto.decrypt("RSA-OAEP", b"x" * 256)

    run(story())


def test_the_life_of_a_certificate(client_of):
    async def story() -> None:
        async with client_of(CertificateClient) as certificates:
            policy = CertificatePolicy(issuer_name="Self", subject="CN=contoso.test")
            made = await certificates.create_certificate("c", policy, _polling_interval=0.01)
            assert (await certificates.get_certificate("c")).cer == made.cer
            assert (await certificates.get_certificate_operation("c")).status == "completed"
            await certificates.update_certificate_properties("c", tags={"a": "b"})
            backup = await certificates.backup_certificate("c")
            await certificates.delete_certificate("c")
            with pytest.raises(ResourceNotFoundError):
                await certificates.get_certificate("c")
            await certificates.purge_deleted_certificate("c")
            assert (await certificates.restore_certificate_backup(backup)).cer == made.cer
            assert [one.name async for one in certificates.list_properties_of_certificates()] == ["c"]

    run(story())


def test_the_life_of_a_vault(client_of, sandbox):
    async def story() -> None:
        sku = {"family": "A", "name": "standard"}
        told = {"tenantId": sandbox.tenant, "sku": sku, "accessPolicies": []}
        wanted = {"location": "eastus", "properties": told}
        async with client_of(KeyVaultManagementClient) as client:
            vault = await (await client.vaults.begin_create_or_update("sandbox", "newvault", wanted)).result()
            assert vault.properties.provisioning_state == "Succeeded"
            names = [one.name async for one in client.vaults.list_by_subscription()]
            assert names == ["contoso", "fabrikam", "newvault"]
            await client.vaults.delete("sandbox", "newvault")
            assert [one.name async for one in client.vaults.list_deleted()] == ["newvault"]
            await (await client.vaults.begin_purge_deleted("newvault", "eastus")).result()
            with pytest.raises(ResourceNotFoundError):
                await client.vaults.get_deleted("newvault", "eastus")

    run(story())
