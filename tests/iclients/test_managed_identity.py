import pytest

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.credentials import ManagedIdentity
from iclients.errors import CredentialRefused, NotSent, ScopeRefused
from iclients.managed_identity import managed_identity_token
from iclients.retrying import Retrying
from iclients.testing import MovableClock

SCOPES = ("https://vault.azure.net/.default",)


@pytest.fixture(scope="module")
def environ():
    with Sandbox.start(vaults={}) as sandbox:
        yield {"IDENTITY_ENDPOINT": sandbox.identity_endpoint, "IDENTITY_HEADER": sandbox.identity_header}


def asked(environ, scopes=SCOPES, identity=None):
    return managed_identity_token(identity or ManagedIdentity(), "app", scopes, MovableClock(), Retrying(2), environ)


def test_the_machine_gets_a_token_for_its_identity(environ):
    token = asked(environ)
    assert token.access_token
    assert token.replace_at <= token.expires_at


def test_an_identity_that_is_not_assigned_is_told(environ):
    with pytest.raises(CredentialRefused, match="assign one to it"):
        asked(environ, identity=ManagedIdentity("99999999-9999-9999-9999-999999999999"))


def test_a_machine_without_an_endpoint_is_told():
    with pytest.raises(NotSent, match="No managed identity answers for iClient app"):
        asked({"IDENTITY_ENDPOINT": "http://127.0.0.1:9/none"})


def test_only_one_default_scope_can_be_asked_for(environ):
    with pytest.raises(ScopeRefused, match=r"one scope that ends in /\.default"):
        asked(environ, scopes=("https://vault.azure.net/user_impersonation",))
