"""Microsoft's own SDK: sequential with one thread, else a thread pool and as many connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from lab import from_arguments, line
from requests.adapters import HTTPAdapter


def main() -> None:
    lab = from_arguments()
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_connections=lab.threads, pool_maxsize=max(10, lab.threads)))
    credential = ClientSecretCredential(
        lab.tenant,
        lab.client_id,
        lab.client_secret,
        authority=lab.authority,
        disable_instance_discovery=True,
        connection_verify=lab.ca_file,
    )
    client = SecretClient(
        lab.vault_url,
        credential,
        verify_challenge_resource=False,
        transport=RequestsTransport(session=session, session_owner=False, connection_verify=lab.ca_file),
    )

    def read(name: str) -> str:
        secret = client.get_secret(name)
        return line(name, secret.value or "", secret.properties.content_type, secret.properties.tags)

    names = (item.name for item in client.list_properties_of_secrets() if item.enabled)
    with lab.output.open("w") as file:
        if lab.threads == 1:
            file.writelines(read(name) for name in names)
        else:
            with ThreadPoolExecutor(lab.threads) as pool:
                reads = [pool.submit(read, name) for name in names]
                file.writelines(future.result() for future in reads)


main()
