"""How many secrets a second the sandbox serves: GET /secrets/{name} over TLS, keep-alive, no pipelining.

    python benchmarks/sandbox.py [seconds] [connections]

The sandbox runs in a process of its own. The client is raw sockets: it writes one ready-made request to
each connection, then reads one answer from each, so that it costs next to nothing.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import yaml

API_VERSION = "2025-07-01"
SERVER = """
import pathlib, sys
from connectors.azure_key_vault.sandbox import serve
serve({"contoso": 1000}, write=pathlib.Path(sys.argv[1]), on_ready=lambda line: print(line, flush=True))
"""


def main(seconds: float = 5.0, connections: int = 16) -> None:
    """Starts a sandbox, measures, prints."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lab.yaml"
        started = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", SERVER, file], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            print(f"ready after {time.perf_counter() - started:.2f} s")
            try:
                measure(yaml.safe_load(file.read_text()), file, seconds, connections)
                print(f"the sandbox uses {memory_megabytes(server.pid):.0f} MB")
            finally:
                server.terminate()


def measure(document: dict, file: Path, seconds: float, connections: int) -> None:
    context = ssl.create_default_context(cafile=str(file.parent / document["clouds"][0]["ca_file"]))
    where = urllib.parse.urlsplit(document["connections"][0]["settings"]["vault_url"])
    token = fetch_token(document, context)
    requests = [
        f"GET /secrets/{name}?api-version={API_VERSION} HTTP/1.1\r\n"
        f"Host: {where.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        for name in readable_names(where.netloc, token, context)
    ]
    lines = [connect(where.hostname, where.port, context) for _ in range(connections)]
    run(lines, requests, 0.5)
    count, took, cpu = run(lines, requests, seconds)
    print(f"{count / took:,.0f} GET/s on {connections} connections; client's CPU {cpu / took:.0%} of a core")
    for line in lines:
        line.close()


def run(lines: list[ssl.SSLSocket], requests: list[bytes], seconds: float) -> tuple[int, float, float]:
    count, started, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - started < seconds:
        for line in lines:
            line.send(requests[count % len(requests)])
            count += 1
        for line in lines:
            read_answer(line)
    return count, time.perf_counter() - started, time.process_time() - cpu


def read_answer(line: ssl.SSLSocket) -> None:
    data = line.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:100]
    missing = int(head.rpartition(b"Content-Length: ")[2]) - len(body)
    while missing > 0:
        missing -= len(line.recv(65_536))


def connect(host: str, port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    line = socket.create_connection((host, port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(line, server_hostname=host)


def fetch_token(document: dict, context: ssl.SSLContext) -> str:
    iclient = document["iclients"][0]
    form = {
        "grant_type": "client_credentials",
        "client_id": iclient["client_id"],
        "client_secret": iclient["credential"]["client_secret"],
        "scope": iclient["scopes"][0],
    }
    authority = urllib.parse.urlsplit(document["clouds"][0]["authority"]).netloc
    connection = http.client.HTTPSConnection(authority, context=context)
    connection.request("POST", f"/{iclient['tenant']}/oauth2/v2.0/token", urllib.parse.urlencode(form))
    token: str = json.load(connection.getresponse())["access_token"]
    connection.close()
    return token


def readable_names(netloc: str, token: str, context: ssl.SSLContext) -> list[str]:
    connection = http.client.HTTPSConnection(netloc, context=context)
    names: list[str] = []
    target: str | None = f"/secrets?api-version={API_VERSION}"
    while target:
        connection.request("GET", target, headers={"Authorization": f"Bearer {token}"})
        page = json.load(connection.getresponse())
        names += [item["id"].rpartition("/")[2] for item in page["value"] if item["attributes"]["enabled"]]
        target = page["nextLink"] and page["nextLink"].partition(netloc)[2]
    connection.close()
    return names


def memory_megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((float, int), sys.argv[1:], strict=False)))
