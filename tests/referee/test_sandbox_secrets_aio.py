"""Microsoft's asynchronous SDK judges the sandbox's secrets."""

import asyncio

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, ResourceNotFoundError

pytestmark = pytest.mark.referee


@pytest.fixture
def vault(sandbox):
    return sandbox.vault("contoso")


def test_a_secret_lives_its_whole_life(aio_client, vault):
    async def live():
        async with aio_client() as client:
            made = await client.set_secret("s", "1", tags={"a": "b"})
            assert (await client.get_secret("s")).value == "1"
            assert (await client.update_secret_properties("s", content_type="x")).content_type == "x"
            versions = [one.version async for one in client.list_properties_of_secret_versions("s")]
            assert versions == [made.properties.version]
            deleted = await client.delete_secret("s", _polling_interval=0.01)
            assert deleted.recovery_id
            assert [one.name async for one in client.list_deleted_secrets()] == ["s"]
            await client.recover_deleted_secret("s", _polling_interval=0.01)
            blob = await client.backup_secret("s")
            await client.delete_secret("s", _polling_interval=0.01)
            await client.purge_deleted_secret("s")
            with pytest.raises(ResourceNotFoundError):
                await client.get_secret("s")
            assert (await client.restore_secret_backup(blob)).name == "s"

    asyncio.run(live())


def test_deletion_and_recovery_are_waited_for(aio_client, vault):
    async def delete_and_recover():
        async with aio_client() as client:
            await client.set_secret("s", "1")
            await client.delete_secret("s", _polling_interval=0.01)
            assert (await client.get_deleted_secret("s")).name == "s"
            await client.recover_deleted_secret("s", _polling_interval=0.01)
            return (await client.get_secret("s")).value

    vault.settle_seconds = 0.05
    assert asyncio.run(delete_and_recover()) == "1"


def test_paging_goes_over_short_and_empty_pages(aio_client, vault):
    async def names():
        async with aio_client() as client:
            return [one.name async for one in client.list_properties_of_secrets()]

    for number in range(160):
        vault.put(f"s{number:03d}", "v")
    assert asyncio.run(names()) == [f"s{number:03d}" for number in range(160)]


def test_many_reads_at_once_succeed(aio_client, vault):
    async def read():
        async with aio_client() as client:
            await client.get_secret("s0")
            return await asyncio.gather(*(client.get_secret(f"s{number}") for number in range(100)))

    for number in range(100):
        vault.put(f"s{number}", str(number))
    assert [one.value for one in asyncio.run(read())] == [str(number) for number in range(100)]


def test_a_wrong_client_secret_fails(aio_client):
    async def read():
        async with aio_client(secret="wrong") as client:
            await client.get_secret("s")

    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        asyncio.run(read())


def test_a_429_with_retry_after_is_waited_for(aio_client, sandbox, vault):
    async def read():
        async with aio_client() as client:
            await client.set_secret("s", "1")
            sandbox.faults.add("429", host="contoso", times=2, retry_after=0.05)
            return (await client.get_secret("s")).value

    assert asyncio.run(read()) == "1"
    assert vault.calls["get"] == 3


def test_a_truncated_body_is_an_error(aio_client, sandbox, vault):
    async def read():
        async with aio_client(retry_total=0) as client:
            await client.set_secret("s", "x" * 1000)
            sandbox.faults.add("truncated", host="contoso", method="GET")
            with pytest.raises(AzureError):
                await client.get_secret("s")
            return (await client.get_secret("s")).value

    assert asyncio.run(read()) == "x" * 1000
