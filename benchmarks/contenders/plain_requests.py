"""A plain script on requests: one thread lists, the others read, each with a session of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests
from lab import Lab, from_arguments, line

API = "api-version=2025-07-01"


def token(lab: Lab) -> str:
    answer = requests.post(
        f"{lab.authority}/{lab.tenant}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": lab.client_id,
            "client_secret": lab.client_secret,
            "scope": "https://vault.azure.net/.default",
        },
        verify=lab.ca_file,
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def main() -> None:
    lab = from_arguments()
    bearer = {"Authorization": f"Bearer {token(lab)}"}
    local = threading.local()

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
            local.session.verify = lab.ca_file
            local.session.headers.update(bearer)
        return local.session

    def read(name: str) -> str:
        answer = session().get(f"{lab.vault_url}/secrets/{name}?{API}", timeout=30)
        answer.raise_for_status()
        secret = answer.json()
        return line(name, secret["value"], secret.get("contentType"), secret.get("tags"))

    reads = []
    with ThreadPoolExecutor(lab.threads) as pool:
        link = f"{lab.vault_url}/secrets?{API}&maxresults=25"
        while link:
            page = session().get(link, timeout=30).json()
            names = [urlsplit(item["id"]).path.split("/")[2] for item in page["value"] if item["attributes"]["enabled"]]
            reads += [pool.submit(read, name) for name in names]
            link = page.get("nextLink")
        with lab.output.open("w") as file:
            file.writelines(future.result() for future in reads)


main()
