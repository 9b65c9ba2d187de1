"""MSAL judges that an assertion may come twice: it signs one and sends it for minutes (trap 11)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from msal import ConfidentialClientApplication

pytestmark = pytest.mark.referee


def test_an_assertion_that_msal_sends_again_is_taken_again(sandbox: Any, monkeypatch: Any) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # these would win over `verify`
        monkeypatch.delenv(name, raising=False)
    certificate = sandbox.certificate()
    key = load_pem_private_key(certificate.key_pem, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    credential = {"private_key": key.decode(), "public_certificate": certificate.certificate_pem.decode()}
    told = {"authority": f"{sandbox.authority}/{sandbox.tenant}", "verify": str(sandbox.ca_file)}
    app = ConfidentialClientApplication(
        sandbox.client_id, client_credential=credential, instance_discovery=False, **told
    )
    audiences = ("https://vault.azure.net", "https://management.azure.com", "https://graph.microsoft.com")
    answers = [app.acquire_token_for_client([f"{audience}/.default"]) for audience in audiences]
    assert ["access_token" in answer for answer in answers] == [True, True, True]
    assert sandbox.calls()["entra"]["client_credentials"] == 3
    app.http_client.close()
