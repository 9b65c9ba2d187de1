"""The generic provider, against the sandbox's Entra as one server among many."""

import json

import pytest

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN
from iclients.credentials import ClientSecret
from iclients.endpoints import discovered, fetcher
from iclients.errors import MalformedAnswer, NotAuthorized
from iclients.grants import Grants
from iclients.model import IClient
from iclients.providers.generic import Generic
from iclients.secret import Secret
from iclients.transport import Transport

SCOPES = ("https://vault.azure.net/.default",)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox.start(vaults={}) as running:
        yield running


@pytest.fixture
def grants(sandbox):
    transport = Transport(sandbox.ca_file)

    def made(**settings):
        credential = ClientSecret(Secret(sandbox.client_secret))
        iclient = IClient("broker", "generic", sandbox.client_id, credential=credential, settings=settings)
        return Grants(iclient, Generic(), BUILT_IN["public"], transport, SystemClock())

    yield made
    transport.close()


@pytest.fixture
def issuer(sandbox):
    return f"{sandbox.authority}/{sandbox.tenant}/v2.0"


@pytest.mark.parametrize("authentication", ["post", "basic"])
def test_a_server_is_found_by_its_issuer(grants, issuer, authentication):
    asked = grants(issuer=issuer, client_authentication=authentication)
    assert asked.client_credentials(SCOPES).access_token
    assert asked.endpoints().jwks_uri.startswith("https://")


def test_typed_endpoints_need_no_discovery(grants, sandbox):
    before = sandbox.calls()["entra"].get("discovery", 0)
    address = f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/token"
    assert grants(token_endpoint=address).client_credentials(SCOPES).access_token
    assert sandbox.calls()["entra"].get("discovery", 0) == before


def test_typed_endpoints_win_over_discovery(grants, issuer):
    asked = grants(issuer=issuer, revocation_endpoint="https://elsewhere.test/revoke")
    assert asked.endpoints().revocation_endpoint == "https://elsewhere.test/revoke"
    assert asked.endpoints().issuer == issuer


def test_a_document_of_another_issuer_is_refused(grants, issuer):
    with pytest.raises(MalformedAnswer, match="check the issuer"):
        grants(issuer=issuer.removesuffix("/v2.0")).endpoints()  # Entra answers there as sts.windows.net
    with pytest.raises(MalformedAnswer, match="answered HTTP 404"):
        grants(issuer=f"{issuer}/nowhere").endpoints()


def test_what_is_missing_is_named(grants):
    with pytest.raises(NotAuthorized, match=r"set settings\.issuer, or settings\.token_endpoint"):
        grants().endpoints()
    with pytest.raises(NotAuthorized, match="has no device_authorization_endpoint"):
        grants(token_endpoint="https://login.test/token").device_begin(SCOPES)
    with pytest.raises(NotAuthorized, match="it can be: post, basic, private_key_jwt, none"):
        grants(token_endpoint="https://login.test/token", client_authentication="magic").client_credentials(SCOPES)


def test_a_server_without_openid_is_found_by_its_own_metadata(serve, transport):
    """RFC 8414 §3.1: the well-known path stands between the host and the issuer's own path."""

    def answer(conversation):
        while True:
            path = conversation.request().line.split()[1]
            if path == "/.well-known/oauth-authorization-server/tenant":
                issuer = f"{server.url}/tenant"
                conversation.answer(json.dumps({"issuer": issuer, "token_endpoint": f"{issuer}/token"}).encode())
            else:
                conversation.answer(b"{}", "404 Not Found")

    server = serve(answer)
    found = discovered(f"{server.url}/tenant", {}, fetcher(transport))
    assert found.token_endpoint == f"{server.url}/tenant/token"
