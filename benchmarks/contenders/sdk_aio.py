"""Microsoft's own SDK on aiohttp, with as many tasks as threads were asked for."""

from __future__ import annotations

import asyncio

from azure.identity.aio import ClientSecretCredential
from azure.keyvault.secrets.aio import SecretClient
from lab import Lab, from_arguments, line


async def export(lab: Lab) -> None:
    credential = ClientSecretCredential(
        lab.tenant, lab.client_id, lab.client_secret, authority=lab.authority, connection_verify=lab.ca_file
    )
    client = SecretClient(lab.vault_url, credential, verify_challenge_resource=False, connection_verify=lab.ca_file)
    room = asyncio.Semaphore(lab.threads)

    async def read(name: str) -> str:
        async with room:
            secret = await client.get_secret(name)
        return line(name, secret.value or "", secret.properties.content_type, secret.properties.tags)

    async with credential, client:
        reads = [
            asyncio.create_task(read(item.name)) async for item in client.list_properties_of_secrets() if item.enabled
        ]
        lines = await asyncio.gather(*reads)
    with lab.output.open("w") as file:
        file.writelines(lines)


asyncio.run(export(from_arguments()))
