"""Microsoft's azure-identity judges every way of being allowed in; each token opens a vault."""

import asyncio
import base64
import json
import time
import urllib.parse

import azure.identity
import azure.identity.aio
import pytest
from azure.core import PipelineClient
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.azure_key_vault.sandbox.visitor import enter_code

pytestmark = pytest.mark.referee

SCOPE = "https://vault.azure.net/.default"
ARM_SCOPE = "https://management.azure.com/.default"
CALLBACK = "http://localhost:5000/callback"
CONTEXT = {"acrs": {"essential": True, "value": "c1"}}
ISSUER, SUBJECT, AUDIENCE = "https://kubernetes.example", "system:serviceaccount:a:b", "api://AzureADTokenExchange"


def encode(document):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.fixture
def authorize_url(sandbox):
    form = {"client_id": sandbox.client_id, "response_type": "code", "redirect_uri": CALLBACK}
    form["scope"] = "https://vault.azure.net/user_impersonation offline_access"
    return f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/authorize?{urllib.parse.urlencode(form)}"


@pytest.fixture
def code(sandbox, authorize_url):
    redirect = sandbox.consent(authorize_url, "ben")
    return urllib.parse.parse_qs(urllib.parse.urlsplit(redirect).query)["code"][0]


@pytest.fixture
def assertion(sandbox):
    """Makes assertions as a cluster would mount them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sandbox.application.trust(ISSUER, SUBJECT, AUDIENCE, key.public_key())

    def new():
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": int(time.time()) + 600}
        signed = f"{encode({'alg': 'RS256', 'kid': '1'})}.{encode(claims)}"
        return f"{signed}.{encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    return new


@pytest.fixture
def read_secret_aio(sandbox):
    sandbox.vault("contoso").put("s", "the value")

    def read(make_credential):
        async def run():
            options = {"verify_challenge_resource": False, "connection_verify": str(sandbox.ca_file)}
            credential = make_credential()
            client = AsyncSecretClient(sandbox.vault_url("contoso"), credential, **options)
            async with credential, client:
                return (await client.get_secret("s")).value

        return asyncio.run(run())

    return read


def test_a_client_secret(sandbox, at_sandbox, opened, read_secret):
    credential = opened(
        azure.identity.ClientSecretCredential(sandbox.tenant, sandbox.client_id, sandbox.client_secret, **at_sandbox)
    )
    assert read_secret(credential) == "the value"


@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("form", ["pfx", "pem", "pfx file", "pem file"])
def test_a_certificate(sandbox, at_sandbox, opened, read_secret, tmp_path, form, chain):
    made = sandbox.certificate(password="open sesame")
    kind, _, is_file = form.partition(" ")
    options = {"password": "open sesame"} if kind == "pfx" else {}
    if is_file:
        options["certificate_path"] = str(made.save(tmp_path)[kind == "pem"])
    else:
        options["certificate_data"] = made.pfx if kind == "pfx" else made.pem
    options |= {"send_certificate_chain": chain, **at_sandbox}
    credential = opened(azure.identity.CertificateCredential(sandbox.tenant, sandbox.client_id, **options))
    assert read_secret(credential) == "the value"
    assert claims_of(credential.get_token(SCOPE).token)["appidacr"] == "2"


def test_a_certificate_that_is_not_registered(sandbox, at_sandbox, opened):
    pem = sandbox.certificate(register=False).pem
    sandbox.certificate()
    options = {"certificate_data": pem, **at_sandbox}
    credential = opened(azure.identity.CertificateCredential(sandbox.tenant, sandbox.client_id, **options))
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        credential.get_token(SCOPE)


def test_a_federated_assertion(sandbox, at_sandbox, opened, read_secret, assertion):
    credential = opened(
        azure.identity.ClientAssertionCredential(sandbox.tenant, sandbox.client_id, assertion, **at_sandbox)
    )
    assert read_secret(credential) == "the value"


def test_a_workload_identity_reads_its_assertion_from_a_file(
    sandbox, at_sandbox, opened, read_secret, assertion, tmp_path
):
    file = tmp_path / "token"
    file.write_text(assertion())
    options = {"tenant_id": sandbox.tenant, "client_id": sandbox.client_id, "token_file_path": str(file), **at_sandbox}
    assert read_secret(opened(azure.identity.WorkloadIdentityCredential(**options))) == "the value"


def test_an_authorization_code(sandbox, at_sandbox, opened, read_secret, code):
    options = {"client_secret": sandbox.client_secret, **at_sandbox}
    credential = opened(
        azure.identity.AuthorizationCodeCredential(sandbox.tenant, sandbox.client_id, code, CALLBACK, **options)
    )
    assert read_secret(credential) == "the value"
    assert claims_of(credential.get_token(SCOPE, enable_cae=True).token)["upn"] == "ben@sandbox.example.com"
    assert sandbox.calls()["entra"]["authorization_code"] == 1


@pytest.mark.parametrize("decision", ["accept", "cancel"])
def test_a_device_code(sandbox, at_sandbox, opened, read_secret, decision):
    sandbox.entra.policy.device_interval_seconds = 0

    def prompt(page, user_code, expires):
        enter_code(page, user_code, "ben", decision, ca_file=sandbox.ca_file)

    options = {"tenant_id": sandbox.tenant, "prompt_callback": prompt, **at_sandbox}
    credential = opened(azure.identity.DeviceCodeCredential(sandbox.client_id, **options))
    if decision == "cancel":
        with pytest.raises(ClientAuthenticationError, match="declined"):
            credential.get_token(SCOPE)
        return
    assert read_secret(credential) == "the value"
    assert claims_of(credential.get_token(SCOPE, enable_cae=True).token)["upn"] == "ben@sandbox.example.com"


def test_a_device_code_credential_refreshes_in_silence(sandbox, at_sandbox, opened, read_secret):
    sandbox.entra.policy.device_interval_seconds = 0
    sandbox.entra.policy.access_token_seconds = 60

    def prompt(page, user_code, expires):
        enter_code(page, user_code, "ben", ca_file=sandbox.ca_file)

    options = {"tenant_id": sandbox.tenant, "prompt_callback": prompt, **at_sandbox}
    credential = opened(azure.identity.DeviceCodeCredential(sandbox.client_id, **options))
    assert read_secret(credential) == "the value"
    sandbox.entra.policy.access_token_seconds = None
    assert claims_of(credential.get_token(SCOPE, enable_cae=True).token)["upn"] == "ben@sandbox.example.com"
    calls = sandbox.calls()["entra"]
    assert (calls["devicecode"], calls["refresh_token"]) == (1, 1)


@pytest.mark.parametrize("assigned", [False, True])
@pytest.mark.parametrize("form", ["app service", "machine"])
def test_a_managed_identity(sandbox, opened, read_secret, monkeypatch, form, assigned):
    for name in ("MSI_ENDPOINT", "MSI_SECRET", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name, raising=False)
    if form == "app service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", sandbox.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", sandbox.identity_header)
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sandbox.identity_host)
    identity = sandbox.entra.user_assigned_identity if assigned else sandbox.entra.managed_identity
    options = {"client_id": identity.client_id} if assigned else {}
    credential = opened(azure.identity.ManagedIdentityCredential(**options))
    assert read_secret(credential) == "the value"
    assert claims_of(credential.get_token(SCOPE).token)["oid"] == identity.object_id
    assert sandbox.calls()["managed_identity"] == {form.replace(" ", "_"): 1}


def test_the_environment(sandbox, at_sandbox, opened, read_secret, monkeypatch):
    monkeypatch.setenv("AZURE_TENANT_ID", sandbox.tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", sandbox.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", sandbox.client_secret)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", at_sandbox.pop("authority"))
    assert read_secret(opened(azure.identity.EnvironmentCredential(**at_sandbox))) == "the value"


def test_asynchronous_credentials(sandbox, at_sandbox, read_secret_aio, assertion, code):
    made = sandbox.certificate(password="open sesame")
    who = (sandbox.tenant, sandbox.client_id)
    at_sandbox.pop("disable_instance_discovery")
    aio = azure.identity.aio
    pfx = {"certificate_data": made.pfx, "password": "open sesame"}
    makers = [
        lambda: aio.ClientSecretCredential(*who, sandbox.client_secret, **at_sandbox),
        lambda: aio.CertificateCredential(*who, **pfx, **at_sandbox),
        lambda: aio.CertificateCredential(*who, certificate_data=made.pem, send_certificate_chain=True, **at_sandbox),
        lambda: aio.ClientAssertionCredential(*who, assertion, **at_sandbox),
        lambda: aio.AuthorizationCodeCredential(
            *who, code, CALLBACK, client_secret=sandbox.client_secret, **at_sandbox
        ),
    ]
    for make in makers:
        assert read_secret_aio(make) == "the value"


def test_an_asynchronous_managed_identity(sandbox, read_secret_aio, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", sandbox.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", sandbox.identity_header)
    assert read_secret_aio(azure.identity.aio.ManagedIdentityCredential) == "the value"


def test_a_token_of_the_other_tenant_opens_no_vault(sandbox, at_sandbox, opened, read_secret):
    who = (sandbox.other_tenant, sandbox.client_id, sandbox.client_secret)
    credential = opened(azure.identity.ClientSecretCredential(*who, **at_sandbox))
    token = credential.get_token(SCOPE).token
    with pytest.raises(ClientAuthenticationError, match="AKV10032"):
        read_secret({"access_token": token, "expires_in": 3599})


# --- claims challenges ------------------------------------------------------------------------------


def test_a_credential_with_cae_has_a_token_for_a_day(sandbox, at_sandbox, opened):
    who = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    credential = opened(azure.identity.ClientSecretCredential(*who, **at_sandbox))
    with_cae, without = (credential.get_token(SCOPE, enable_cae=enabled) for enabled in (True, False))
    assert with_cae.expires_on - without.expires_on == pytest.approx(86_399 - 3599, abs=5)
    assert ["xms_cc" in claims_of(one.token) for one in (with_cae, without)] == [True, False]


@pytest.mark.parametrize("claims", [None, CONTEXT])
def test_the_sdk_meets_what_a_vault_demands_by_itself(sandbox, at_sandbox, opened, read_secret, claims):
    who = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    credential = opened(azure.identity.ClientSecretCredential(*who, **at_sandbox))
    assert read_secret(credential) == "the value"
    sandbox.demands.add(claims, host="contoso")
    assert read_secret(credential) == "the value"
    assert sandbox.calls()["entra"]["client_credentials"] == 2


@pytest.mark.parametrize("claims", [None, CONTEXT])
def test_the_sdk_meets_what_arm_demands_by_itself(sandbox, at_sandbox, opened, claims):
    who = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    credential = opened(azure.identity.ClientSecretCredential(*who, **at_sandbox))
    policy = BearerTokenCredentialPolicy(credential, ARM_SCOPE, enable_cae=True)
    client = opened(PipelineClient(sandbox.arm, policies=[policy], connection_verify=str(sandbox.ca_file)))
    request = HttpRequest("GET", f"{sandbox.arm}/subscriptions", params={"api-version": "2022-12-01"})
    for _ in range(2):
        assert client.send_request(request).status_code == 200
        sandbox.demands.add(claims, host="arm")
    assert sandbox.calls()["arm"]["challenge"] == 1


def test_a_demand_that_cannot_be_met_ends_after_one_more_try(sandbox, at_sandbox, opened, read_secret):
    who = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    credential = opened(azure.identity.ClientSecretCredential(*who, **at_sandbox))
    sandbox.demands.add({"nbf": {"essential": True, "value": str(int(time.time()) + 3600)}})
    with pytest.raises(ClientAuthenticationError):
        read_secret(credential)
    assert sandbox.calls()["entra"]["client_credentials"] == 2


def test_a_person_behind_a_code_meets_a_demand_for_a_newer_token(sandbox, at_sandbox, opened, read_secret, code):
    options = {"client_secret": sandbox.client_secret, **at_sandbox}
    credential = opened(
        azure.identity.AuthorizationCodeCredential(sandbox.tenant, sandbox.client_id, code, CALLBACK, **options)
    )
    assert read_secret(credential) == "the value"
    sandbox.demands.add(host="contoso")
    assert read_secret(credential) == "the value"
    assert sandbox.calls()["entra"]["refresh_token"] == 1


def test_an_asynchronous_credential_meets_a_demand_too(sandbox, at_sandbox, read_secret_aio):
    at_sandbox.pop("disable_instance_discovery")
    who = (sandbox.tenant, sandbox.client_id, sandbox.client_secret)
    sandbox.demands.add(CONTEXT)
    assert read_secret_aio(lambda: azure.identity.aio.ClientSecretCredential(*who, **at_sandbox)) == "the value"
    assert sandbox.calls()["entra"]["client_credentials"] == 2
