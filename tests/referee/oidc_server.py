"""The OpenID-certified server `oidc-provider` as a process of its own, with one client of each kind.

It speaks TLS with a certificate of a throw-away authority. What it has seen is read from its control door.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey

from connectors.azure_key_vault.sandbox.tls import make_certificates
from iclients import certificates
from iclients.credentials import Certificate

FOLDER = Path(__file__).with_name("oidc_provider")
ACCESS_TOKEN_SECONDS = 300
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT_URI = "http://127.0.0.1:9/callback"

POSTING = {"client_id": "posting", "client_secret": "posted secret of enough length"}
BASIC = {"client_id": "100%+basic app/?", "client_secret": "s%3Acr+t: /&=~\"'<>|"}
KEY_ID = "signing-1"


@dataclass(frozen=True, slots=True)
class OidcServer:
    """A server that runs: where it is, whom it trusts, and what it has seen."""

    issuer: str
    control: str
    ca_file: Path
    certificate: Certificate
    """What the client `signing` signs with; its public key is registered without a name, that of `named` with one."""

    def seen(self) -> dict[str, Any]:
        """Token requests by grant, how clients proved themselves where, true reasons of refusals, revoked grants, assertions."""
        return _asked(urllib.request.Request(self.control))

    def end_access_tokens(self) -> None:
        """Every access token that is out ends; refresh tokens stay."""
        _asked(urllib.request.Request(self.control, method="DELETE"))

    def reset(self, **settings: Any) -> None:
        """Forget what was seen. Settings: accessTokenSeconds, deviceIntervalSeconds."""
        body = {"accessTokenSeconds": ACCESS_TOKEN_SECONDS, "deviceIntervalSeconds": 0, **settings}
        _asked(urllib.request.Request(self.control, json.dumps(body).encode(), method="POST"))


@contextmanager
def running_oidc_server(folder: Path) -> Iterator[OidcServer]:
    """The server, ready; its files lie in this folder. Raises AssertionError, saying what is missing."""
    command = [*_node(), str(FOLDER / "server.mjs"), str(_configuration(folder))]
    with (folder / "server.log").open("w+") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        with process:
            try:
                ready = _ready(process, log)
                yield OidcServer(ready["issuer"], ready["control"], folder / "ca.pem", _certificate(folder))
            finally:
                os.killpg(process.pid, signal.SIGKILL)


def _node() -> list[str]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        raise AssertionError("The OpenID referee is not installed: run tests/install_node_packages.")
    return [node]


def _ready(process: subprocess.Popen[str], log: IO[str]) -> dict[str, str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        log.seek(0)
        raise AssertionError(f"The OpenID referee did not start:\n{log.read()}")
    ready: dict[str, str] = json.loads(line)
    return ready


def _configuration(folder: Path) -> Path:
    made = make_certificates()
    for name, content in (("ca.pem", made.authority), ("server.pem", made.server), ("server.key", made.server_key)):
        (folder / name).write_bytes(content)
    (folder / "client.pem").write_bytes(_key_and_certificate())
    path = folder / "server.json"
    path.write_text(
        json.dumps(
            {
                "key": str(folder / "server.key"),
                "certificate": str(folder / "server.pem"),
                "clients": _clients(_certificate(folder)),
                "accessTokenSeconds": ACCESS_TOKEN_SECONDS,
                "deviceIntervalSeconds": 0,
            }
        )
    )
    return path


def _clients(certificate: Certificate) -> list[dict[str, Any]]:
    key = RSAKey.import_key(certificate.private_key.reveal()).as_dict(private=False)
    web = {
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT],
        "scope": "openid offline_access records.read records.write",
    }
    person = [grant for grant in web["grant_types"] if grant != "client_credentials"]
    native = {"application_type": "native", "redirect_uris": ["http://127.0.0.1/callback"], "grant_types": person}
    signing = {**web, "token_endpoint_auth_method": "private_key_jwt"}
    return [
        {**web, **POSTING, "token_endpoint_auth_method": "client_secret_post"},
        {**web, **BASIC, "token_endpoint_auth_method": "client_secret_basic"},
        {**signing, "client_id": "signing", "jwks": {"keys": [{**key, "use": "sig"}]}},
        {**signing, "client_id": "named", "jwks": {"keys": [{**key, "use": "sig", "kid": KEY_ID}]}},
        {**web, **native, "client_id": "native", "token_endpoint_auth_method": "none"},
    ]


def _certificate(folder: Path) -> Certificate:
    return certificates.load((folder / "client.pem").read_bytes())


def _key_and_certificate() -> bytes:
    """A key with a certificate that it has signed itself, in PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signing")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return plain + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _asked(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=30) as answer:
        seen: dict[str, Any] = json.load(answer)
    return seen
