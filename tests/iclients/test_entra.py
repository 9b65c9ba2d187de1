"""Entra: what is asked of it in which form, who is let in, and what happens when somebody is not."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey
from scripted_server import Script, ScriptedServer, always

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.visitor import enter_code
from connectors.errors import error_for
from connectors.rest import Call, RestClient
from connectors.throttle import Budget
from iclients import certificates, consent
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN
from iclients.credentials import Certificate, ClientSecret, Credential, FederatedAssertion
from iclients.errors import CredentialRefused, NotAuthorized, Recovery, RemoteError, ScopeRefused
from iclients.grants import Grants
from iclients.id_tokens import account_of
from iclients.model import IClient, Token
from iclients.providers.entra import Entra
from iclients.secret import Secret
from iclients.session import AuthorizedSession
from iclients.testing import MovableClock
from iclients.tokens import TokensInMemory
from iclients.transport import Transport

VAULT = "https://vault.azure.net"
ARM = "https://management.azure.com"
APP_SCOPES = (f"{VAULT}/.default",)
VAULT_SCOPES = (f"{VAULT}/user_impersonation",)
ARM_SCOPES = (f"{ARM}/user_impersonation",)
REDIRECT = "http://127.0.0.1:1/callback"
GUID = "11111111-2222-3333-4444-555555555555"
APP = IClient("app", "entra", "0f0e-client", tenant=GUID)
ENTRA = Entra()


def nothing(url: str) -> Any:
    raise AssertionError(f"{url} was fetched")


def claims_in(token: Secret | None) -> dict[str, Any]:
    assert token is not None
    payload = token.reveal().split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query, keep_blank_values=True)


@dataclass
class Lab:
    """A sandbox, and one iClient of it with whatever a test changes."""

    sandbox: Sandbox
    transport: Transport

    def __post_init__(self) -> None:
        sandbox = self.sandbox
        self.cloud = replace(BUILT_IN["public"], authority=sandbox.authority, arm=sandbox.arm, ca_file=sandbox.ca_file)
        secret = ClientSecret(Secret(sandbox.client_secret))
        self.app = IClient("lab-app", "entra", sandbox.client_id, tenant=sandbox.tenant, credential=secret)

    def grants(self, **changes: Any) -> Grants:
        return Grants(replace(self.app, **changes), ENTRA, self.cloud, self.transport, SystemClock())

    def begin(self, grants: Grants, scopes: tuple[str, ...], **hints: str) -> tuple[consent.Pending, str]:
        pending = consent.begin(REDIRECT, ENTRA.consent_scopes(grants.iclient, scopes), time.time())
        return pending, consent.address(pending, grants.iclient, ENTRA, grants.endpoints(), hints)

    def code(
        self, grants: Grants, scopes: tuple[str, ...], user: str = "ada", decision: str = "accept"
    ) -> tuple[Secret, consent.Pending]:
        pending, address = self.begin(grants, scopes)
        callback = query_of(self.sandbox.consent(address, user, decision))
        return consent.code_from(callback, pending, grants.iclient, ENTRA, grants.endpoints(), time.time()), pending

    def consented(self, grants: Grants, scopes: tuple[str, ...], user: str = "ada") -> tuple[Token, str]:
        """The token of a whole consent, and the account that the id token names."""
        code, pending = self.code(grants, scopes, user)
        token = grants.redeem(code, pending, scopes)
        assert token.id_token is not None
        account = account_of(
            token.id_token,
            jwks_uri=grants.endpoints().jwks_uri,
            issuer=grants.endpoints().issuer,
            client_id=grants.iclient.client_id,
            nonce=pending.nonce,
            now=time.time(),
            fetch=grants.fetch,
        )
        return token, account

    def asked(self) -> dict[str, int]:
        return self.sandbox.calls()["entra"]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 2}) as sandbox:
        yield sandbox


@pytest.fixture
def lab(running: Sandbox) -> Iterator[Lab]:
    running.faults.clear()
    running.demands.clear()
    running.entra.refusals.clear()
    running.entra.remove_consent()
    running.entra.policy.change({"strict_resources": False, "user_consent": True})
    running.clock.set(time.time())
    running.reset_calls()
    transport = Transport(running.ca_file)
    yield Lab(running, transport)
    transport.close()


# --- scope rules, before anything is sent ---


@pytest.mark.parametrize(
    ("scopes", "settings"),
    [
        ((), {}),
        (VAULT_SCOPES, {}),
        ((*APP_SCOPES, f"{ARM}/.default"), {}),
        ((*APP_SCOPES, "openid"), {}),
        ((".default",), {}),
        (("/.default",), {}),
        (APP_SCOPES, {"resource": ARM}),
    ],
)
def test_an_apps_scopes_are_judged_before_anything_is_sent(
    lab: Lab, scopes: tuple[str, ...], settings: dict[str, str]
) -> None:
    with pytest.raises(ScopeRefused, match="one token serves one audience"):
        lab.grants(settings=settings).client_credentials(scopes)
    assert lab.asked() == {}


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "Common"])
def test_an_app_needs_a_tenant_of_its_own_before_anything_is_sent(lab: Lab, tenant: str) -> None:
    with pytest.raises(NotAuthorized, match="one tenant's ID or domain"):
        lab.grants(tenant=tenant).client_credentials(APP_SCOPES)
    assert lab.asked() == {}


@pytest.mark.parametrize(
    ("scopes", "settings", "code"),
    [
        ((*VAULT_SCOPES, *ARM_SCOPES), {}, "mixed_audiences"),
        ((*VAULT_SCOPES, "User.Read"), {}, "mixed_audiences"),
        ((*APP_SCOPES, *VAULT_SCOPES), {}, "mixed_default"),
        (("User.Read", ".default"), {}, "mixed_default"),
        (VAULT_SCOPES, {"resource": ARM}, "mixed_audiences"),
        (("User.Read",), {"resource": VAULT}, "mixed_audiences"),
    ],
)
def test_a_persons_scopes_are_judged_before_anything_is_sent(
    lab: Lab, scopes: tuple[str, ...], settings: dict[str, str], code: str
) -> None:
    grants = lab.grants(settings=settings)
    for ask in (
        lambda: grants.refresh(Secret("r"), scopes),
        lambda: grants.redeem(Secret("c"), consent.begin(REDIRECT, scopes, 0), scopes),
    ):
        with pytest.raises(ScopeRefused, match=r"lab-app .*(one token serves one audience|stands alone)") as caught:
            ask()
        assert caught.value.code == code
    assert lab.asked() == {}


@pytest.mark.parametrize(
    "scopes",
    [
        ("User.Read", "https://graph.microsoft.com/Mail.Read"),
        ("https://microsoftgraph.chinacloudapi.cn/User.Read", "Mail.Read", "openid"),
        (*VAULT_SCOPES, "openid", "profile", "email", "offline_access"),
        ("https://VAULT.azure.net/a", "https://vault.azure.net/b"),
        ("api://0f0e/read", "api://0f0e/write"),
        ("openid",),
        (),
    ],
)
def test_scopes_of_one_resource_stand_together(scopes: tuple[str, ...]) -> None:
    ENTRA.check_consent_scopes(APP, scopes)


# --- the older endpoints, which take a resource ---


@pytest.mark.parametrize("resource", [VAULT, f"{VAULT}/"])
def test_a_resource_asks_the_older_endpoint_whose_numbers_are_texts(lab: Lab, resource: str) -> None:
    lab.sandbox.entra.policy.change({"strict_resources": True})
    token = lab.grants(settings={"resource": resource}).client_credentials(APP_SCOPES)
    claims = claims_in(token.access_token)
    assert claims["aud"] == VAULT
    assert token.expires_at == pytest.approx(time.time() + 3599, abs=30)
    assert token.replace_at == pytest.approx(token.expires_at - 300)


@pytest.mark.parametrize("resource", [ARM, f"{ARM}/", "https://management.core.windows.net/"])
def test_a_resource_of_another_service_is_sent_as_it_is_typed(resource: str) -> None:
    assert ENTRA.scope_parameters(replace(APP, settings={"resource": resource}), ()) == {"resource": resource}


def test_a_consent_at_the_older_endpoints_is_had_checked_and_refreshed(lab: Lab) -> None:
    grants = lab.grants(settings={"resource": f"{VAULT}/"})
    token, account = lab.consented(grants, VAULT_SCOPES)
    assert account == "ada@sandbox.example.com"
    assert claims_in(token.id_token)["iss"].startswith("https://sts.windows.net/")
    assert token.refresh_token is not None
    again = grants.refresh(token.refresh_token, VAULT_SCOPES)
    assert claims_in(again.access_token)["aud"] == VAULT
    assert lab.asked()["authorization_code"] == lab.asked()["refresh_token"] == 1


def test_the_older_endpoints_are_told_no_scope_and_no_claims() -> None:
    app = replace(APP, settings={"resource": VAULT})
    assert ENTRA.scope_parameters(app, APP_SCOPES) == {"resource": VAULT}
    assert ENTRA.claims_parameters(app, "") == {}
    assert "offline_access" not in ENTRA.consent_scopes(app, VAULT_SCOPES)


# --- one consent, several resources ---


def test_one_consent_serves_a_second_resource(lab: Lab) -> None:
    grants = lab.grants()
    pending, address = lab.begin(grants, (*VAULT_SCOPES, *ARM_SCOPES))
    callback = query_of(lab.sandbox.consent(address))
    code = consent.code_from(callback, pending, grants.iclient, ENTRA, grants.endpoints(), time.time())
    vault = grants.redeem(code, pending, VAULT_SCOPES)
    assert vault.refresh_token is not None
    arm = grants.refresh(vault.refresh_token, ARM_SCOPES)
    assert arm.refresh_token is not None
    assert [claims_in(token.access_token)["aud"] for token in (vault, arm)] == [VAULT, ARM]
    assert claims_in(grants.refresh(arm.refresh_token, VAULT_SCOPES).access_token)["aud"] == VAULT
    assert (lab.asked()["authorization_code"], lab.asked()["refresh_token"]) == (1, 2)


def test_a_resource_nobody_consented_to_needs_a_person(lab: Lab) -> None:
    grants = lab.grants()
    token, _ = lab.consented(grants, VAULT_SCOPES)
    assert token.refresh_token is not None
    with pytest.raises(NotAuthorized, match="Nobody has consented to what iClient lab-app asks for") as caught:
        grants.refresh(token.refresh_token, ARM_SCOPES)
    assert (caught.value.code, caught.value.recovery) == ("invalid_grant", Recovery.REAUTHORIZE)


# --- the page that a person sees ---


def test_the_persons_page_is_told_what_the_settings_say(lab: Lab) -> None:
    hints = {"prompt": "select_account", "login_hint": "ada@sandbox.example.com", "domain_hint": "sandbox.example.com"}
    _, address = lab.begin(lab.grants(settings=hints), VAULT_SCOPES)
    assert {name: query_of(address)[name] for name in hints} == {name: [value] for name, value in hints.items()}


def test_what_one_consent_wants_wins_over_the_settings(lab: Lab) -> None:
    _, address = lab.begin(lab.grants(settings={"prompt": "login"}), VAULT_SCOPES, prompt="consent")
    assert query_of(address)["prompt"] == ["consent"]


@pytest.mark.parametrize("prompt", ["login", "none", "consent", "select_account"])
def test_a_prompt_that_entra_has_is_taken(prompt: str) -> None:
    ENTRA.check(replace(APP, settings={"prompt": prompt}))
    ENTRA.check(replace(APP, settings={"prompt": "admin_consent", "resource": VAULT}))


@pytest.mark.parametrize("prompt", ["always", "admin_consent", "LOGIN", 1])
def test_a_prompt_that_entra_does_not_have_is_refused_before_anybody_is_sent_there(prompt: object) -> None:
    with pytest.raises(NotAuthorized, match=r"settings.prompt of iClient app is .*; it can be: login, none") as caught:
        ENTRA.check(replace(APP, settings={"prompt": prompt}))
    assert caught.value.code == "setting"


def test_a_tenant_may_be_left_out_but_nothing_is_asked_without_one() -> None:
    nameless = replace(APP, tenant=None)
    ENTRA.check(nameless)
    with pytest.raises(NotAuthorized, match="has no tenant: set its tenant ID"):
        ENTRA.endpoints(nameless, BUILT_IN["public"], lambda url: {})


def test_whoever_cancels_is_told_apart_from_a_rule_that_refuses(lab: Lab) -> None:
    with pytest.raises(NotAuthorized, match="The person cancelled the consent for iClient lab-app") as caught:
        lab.code(lab.grants(), VAULT_SCOPES, decision="cancel")
    assert caught.value.code == "access_denied"


def test_silence_where_nobody_is_signed_in_is_told(lab: Lab) -> None:
    with pytest.raises(NotAuthorized, match=r"remove settings.prompt none"):
        lab.code(lab.grants(settings={"prompt": "none"}), VAULT_SCOPES)


# --- an administrator consents for everybody ---


def asked_for_all(lab: Lab, user: str, decision: str = "accept", **changes: Any) -> str:
    app = replace(lab.app, **changes)
    pending = consent.begin(REDIRECT, VAULT_SCOPES, time.time())
    address = ENTRA.admin_consent_address(app, lab.cloud, VAULT_SCOPES, REDIRECT, pending.state)
    callback = query_of(lab.sandbox.consent(address, user, decision))
    return consent.tenant_from(callback, pending, app, ENTRA, time.time())


@pytest.mark.parametrize("tenant", ["", "sandbox.example.com", "organizations", "common"])
def test_an_administrator_consents_for_the_whole_tenant(lab: Lab, tenant: str) -> None:
    changes = {"tenant": tenant} if tenant else {}
    assert asked_for_all(lab, "ada", **changes) == lab.sandbox.tenant
    lab.sandbox.entra.policy.change({"user_consent": False})
    assert lab.consented(lab.grants(), VAULT_SCOPES, "ben")[1] == "ben@sandbox.example.com"


def test_an_administrator_may_say_no(lab: Lab) -> None:
    with pytest.raises(NotAuthorized, match="lab-app"):
        asked_for_all(lab, "ada", "cancel")


def test_a_person_who_may_not_consent_is_sent_to_an_administrator(lab: Lab) -> None:
    lab.sandbox.entra.refusals.add(90094, endpoint="authorize")
    with pytest.raises(NotAuthorized, match=r"An administrator of tenant .* must approve iClient lab-app: ask one"):
        lab.code(lab.grants(), VAULT_SCOPES, "ben")


# --- tenants and clouds ---


@pytest.mark.parametrize("tenant", ["", "sandbox.example.com", "common", "organizations"])
def test_a_person_is_known_whatever_the_tenant_is_called(lab: Lab, tenant: str) -> None:
    grants = lab.grants(tenant=tenant or lab.sandbox.tenant)
    token, account = lab.consented(grants, VAULT_SCOPES)
    assert account == "ada@sandbox.example.com"
    assert claims_in(token.id_token)["iss"] == f"{lab.sandbox.authority}/{lab.sandbox.tenant}/v2.0"


def test_a_tenants_id_may_be_typed_in_capitals(lab: Lab) -> None:
    assert lab.consented(lab.grants(tenant=lab.sandbox.tenant.upper()), VAULT_SCOPES)[1]


def test_an_id_token_of_another_tenant_is_refused(lab: Lab) -> None:
    grants = lab.grants(tenant="common")
    token, _ = lab.consented(grants, VAULT_SCOPES, "olga")
    assert token.id_token is not None
    issuer = lab.grants().endpoints().issuer
    with pytest.raises(NotAuthorized, match="its issuer is another one"):
        account_of(
            token.id_token,
            jwks_uri=grants.endpoints().jwks_uri,
            issuer=issuer,
            client_id=lab.app.client_id,
            nonce=None,
            now=time.time(),
            fetch=grants.fetch,
        )


@pytest.mark.parametrize(
    ("cloud", "authority", "v1_issuer"),
    [
        ("public", "https://login.microsoftonline.com", "https://sts.windows.net"),
        ("usgov", "https://login.microsoftonline.us", "https://sts.windows.net"),
        ("china", "https://login.partner.microsoftonline.cn", "https://sts.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_own_addresses(cloud: str, authority: str, v1_issuer: str) -> None:
    found = ENTRA.endpoints(APP, BUILT_IN[cloud], nothing)
    assert found.token_endpoint == f"{authority}/{GUID}/oauth2/v2.0/token"
    assert found.authorization_endpoint == f"{authority}/{GUID}/oauth2/v2.0/authorize"
    assert found.device_authorization_endpoint == f"{authority}/{GUID}/oauth2/v2.0/devicecode"
    assert found.jwks_uri == f"{authority}/{GUID}/discovery/v2.0/keys"
    assert (found.issuer, found.revocation_endpoint) == (f"{authority}/{GUID}/v2.0", "")
    older = ENTRA.endpoints(replace(APP, settings={"resource": VAULT}), BUILT_IN[cloud], nothing)
    assert older.token_endpoint == f"{authority}/{GUID}/oauth2/token"
    assert older.authorization_endpoint == f"{authority}/{GUID}/oauth2/authorize"
    assert older.issuer == f"{v1_issuer}/{GUID}/"
    everybody = ENTRA.endpoints(replace(APP, tenant="common"), BUILT_IN[cloud], nothing)
    assert everybody.issuer == f"{authority}/{{tenantid}}/v2.0"
    page = ENTRA.admin_consent_address(APP, BUILT_IN[cloud], VAULT_SCOPES, REDIRECT, "s")
    assert page.startswith(
        f"{authority}/{GUID}/v2.0/adminconsent?client_id=0f0e-client&scope=https%3A%2F%2Fvault.azure"
    )


def test_a_tenant_cannot_change_the_address() -> None:
    found = ENTRA.endpoints(replace(APP, tenant="a/../b?c#d"), BUILT_IN["public"], nothing)
    assert found.token_endpoint == "https://login.microsoftonline.com/a%2F..%2Fb%3Fc%23d/oauth2/v2.0/token"


# --- claims challenges ---


def test_claims_that_are_demanded_are_asked_for_with_our_capability() -> None:
    asked = json.loads(ENTRA.claims_parameters(APP, '{"access_token":{"nbf":{"value":"1"}},"id_token":{}}')["claims"])
    assert asked == {"access_token": {"nbf": {"value": "1"}, "xms_cc": {"values": ["CP1"]}}, "id_token": {}}


@pytest.mark.parametrize("claims", ["", "{}", '{"access_token": null}', '{"access_token": [1]}'])
def test_our_capability_is_declared_whatever_is_demanded(claims: str) -> None:
    asked = json.loads(ENTRA.claims_parameters(APP, claims)["claims"])
    assert asked["access_token"] == {"xms_cc": {"values": ["CP1"]}}


def vault_client(lab: Lab) -> RestClient:
    def acquire(old: Token | None, claims: str) -> Token:
        return lab.grants().client_credentials(APP_SCOPES, claims)

    clock = SystemClock()
    return RestClient(
        transport=lab.transport,
        session=AuthorizedSession(("lab-app", APP_SCOPES), acquire, TokensInMemory(), clock),
        budget=Budget({"other": 4000}, 10.0, clock),
        clock=clock,
        is_allowed=lambda url: True,
        explain=lambda answer, call: error_for(answer.status)(f"{call.kind} got HTTP {answer.status}."),
    )


def listing(lab: Lab) -> Call:
    return Call("list", "GET", f"{lab.sandbox.vault_url('contoso')}/secrets?api-version=7.4")


def test_a_claims_challenge_is_answered_once_with_a_token_that_has_the_claims(lab: Lab) -> None:
    client = vault_client(lab)
    client.json(listing(lab))
    lab.sandbox.clock.advance(10)
    lab.sandbox.demands.add(host="contoso")
    assert len(client.json(listing(lab))["value"]) == 2
    assert client.calls == {"list": 3}
    assert lab.asked()["client_credentials"] == 2
    client.json(listing(lab))
    assert lab.asked()["client_credentials"] == 2


def test_a_second_challenge_is_an_error_and_no_loop(lab: Lab) -> None:
    lab.sandbox.demands.add({"nbf": {"essential": True, "value": "99999999999"}}, host="contoso")
    client = vault_client(lab)
    with pytest.raises(NotAuthorized):
        client.json(listing(lab))
    assert client.calls == {"list": 2}
    assert lab.asked()["client_credentials"] == 2


# --- how an app proves itself ---


def test_an_assertion_is_for_the_token_endpoint_names_the_certificate_and_ends_in_five_minutes(
    lab: Lab, serve: Callable[[Script], ScriptedServer], transport: Transport, clock: MovableClock
) -> None:
    server = serve(always(b'{"token_type": "Bearer", "access_token": "t", "expires_in": 60}'))
    loaded = certificates.load(lab.sandbox.certificate().pfx)
    for settings, path in (({}, "oauth2/v2.0/token"), ({"resource": VAULT}, "oauth2/token")):
        app = replace(APP, credential=loaded, settings=settings)
        cloud = replace(BUILT_IN["public"], authority=server.url)
        Grants(app, ENTRA, cloud, transport, clock).client_credentials(APP_SCOPES)
        form = parse_qs(server.requests[-1].body.decode())
        token = jwt.decode(
            form["client_assertion"][0], RSAKey.import_key(loaded.private_key.reveal()), algorithms=["PS256"]
        )
        assert form["client_id"] == ["0f0e-client"]
        assert "client_secret" not in form
        assert token.claims["aud"] == f"{server.url}/{GUID}/{path}"
        assert token.claims["exp"] - token.claims["iat"] == 300
        assert token.claims["iat"] == int(clock.now())
        assert "x5t#S256" in token.header


def test_a_certificate_that_has_ended_is_told_from_an_unknown_one(lab: Lab) -> None:
    old = certificates.load(lab.sandbox.certificate(days=0.001).pfx)
    unknown = certificates.load(lab.sandbox.certificate(register=False).pfx)
    lab.sandbox.clock.advance(200)
    with pytest.raises(CredentialRefused, match="The certificate of iClient lab-app has expired: make a new one"):
        lab.grants(credential=old).client_credentials(APP_SCOPES)
    with pytest.raises(CredentialRefused, match="does not know the certificate of iClient lab-app: upload it"):
        lab.grants(credential=unknown).client_credentials(APP_SCOPES)


def test_a_wrong_clock_is_told(lab: Lab) -> None:
    loaded = certificates.load(lab.sandbox.certificate().pfx)
    lab.sandbox.clock.advance(3600)
    with pytest.raises(CredentialRefused, match=r"outside its time: set this machine's clock right"):
        lab.grants(credential=loaded).client_credentials(APP_SCOPES)


@pytest.fixture
def mounted(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., FederatedAssertion]]:
    """Somebody else's assertions, whose issuer the app trusts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    lab.sandbox.application.trust("https://issuer.test", "flows", "api://AzureADTokenExchange", key.public_key())

    def made(**changes: object) -> FederatedAssertion:
        claims = {"iss": "https://issuer.test", "sub": "flows", "aud": "api://AzureADTokenExchange"} | changes
        text = jwt.encode({"alg": "RS256"}, {**claims, "exp": int(time.time()) + 300}, RSAKey.import_key(pem))
        (tmp_path / "assertion").write_text(text)
        return FederatedAssertion(tmp_path / "assertion")

    yield made
    lab.sandbox.application.trusts.clear()


def test_somebody_elses_assertion_lets_an_app_in(lab: Lab, mounted: Callable[..., FederatedAssertion]) -> None:
    token = lab.grants(credential=mounted()).client_credentials(APP_SCOPES)
    assert claims_in(token.access_token)["aud"] == VAULT


@pytest.mark.parametrize(
    ("changes", "word"), [({"iss": "https://x.test"}, "iss"), ({"sub": "other"}, "sub"), ({"aud": "other"}, "aud")]
)
def test_what_is_wrong_with_somebody_elses_assertion_is_told(
    lab: Lab, mounted: Callable[..., FederatedAssertion], changes: dict[str, str], word: str
) -> None:
    with pytest.raises(CredentialRefused, match=f"trusts no federated credential .*: add the assertion's {word} in"):
        lab.grants(credential=mounted(**changes)).client_credentials(APP_SCOPES)


# --- the next credential ---


class Slots:
    """Remembers what was done with the credentials."""

    def __init__(self) -> None:
        self.happened: list[object] = []

    def promote(self, proven: Credential) -> None:
        self.happened.append(proven)

    def swap(self, refused: object) -> None:
        self.happened.append("swap")


def with_next(lab: Lab, slots: Slots, **changes: Any) -> Grants:
    app = replace(lab.app, credential=ClientSecret(Secret("old")), next_credential=lab.app.credential, **changes)
    return Grants(app, ENTRA, lab.cloud, lab.transport, SystemClock(), slots=slots)


def test_where_the_credential_is_refused_the_next_one_is_tried(lab: Lab) -> None:
    slots = Slots()
    assert with_next(lab, slots).client_credentials(APP_SCOPES).access_token
    assert slots.happened == [lab.app.credential]
    assert lab.asked()["client_credentials"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"client_id": GUID}, "knows no app"), ({"tenant": GUID}, "knows no tenant")],
    ids=["app", "tenant"],
)
def test_where_no_credential_would_help_the_next_one_is_not_tried(
    lab: Lab, changes: dict[str, str], words: str
) -> None:
    slots = Slots()
    with pytest.raises(NotAuthorized, match=words):
        with_next(lab, slots, **changes).client_credentials(APP_SCOPES)
    assert (slots.happened, lab.asked()["token"]) == ([], 1)


@pytest.mark.parametrize("code", [7000222, 700027, 700024, 50027, 7000218])
def test_every_refused_credential_gives_way_to_the_next_one(lab: Lab, code: int) -> None:
    slots = Slots()
    app = replace(lab.app, next_credential=lab.app.credential)
    lab.sandbox.entra.refusals.add(code)
    Grants(app, ENTRA, lab.cloud, lab.transport, SystemClock(), slots=slots).client_credentials(APP_SCOPES)
    assert slots.happened == [lab.app.credential]


def test_a_code_is_not_sent_again_with_the_next_credential_but_the_next_consent_begins_with_it(lab: Lab) -> None:
    slots = Slots()
    grants = with_next(lab, slots)
    code, pending = lab.code(grants, VAULT_SCOPES)
    with pytest.raises(CredentialRefused, match="Its next credential takes its place now: start again"):
        grants.redeem(code, pending, VAULT_SCOPES)
    assert (slots.happened, lab.asked()["authorization_code"]) == (["swap"], 1)
    assert lab.consented(grants, VAULT_SCOPES)[1]


# --- refusals of a refresh ---


@pytest.mark.parametrize(
    ("code", "words", "recovery"),
    [
        (50173, "was revoked", Recovery.REAUTHORIZE),
        (70043, "sign in more often", Recovery.REAUTHORIZE),
        (700082, "not used for 90 days", Recovery.REAUTHORIZE),
        (50057, "is disabled in tenant", Recovery.REAUTHORIZE),
        (50076, "a second proof", Recovery.REAUTHORIZE),
        (53003, "Conditional Access policy", Recovery.REAUTHORIZE),
        (65001, "Nobody has consented", Recovery.REAUTHORIZE),
        (50196, "has stopped iClient lab-app for a while", Recovery.RETRY),
    ],
)
def test_a_refused_refresh_says_who_can_help_and_is_asked_once(
    lab: Lab, code: int, words: str, recovery: Recovery
) -> None:
    grants = lab.grants()
    token, _ = lab.consented(grants, VAULT_SCOPES)
    assert token.refresh_token is not None
    lab.sandbox.entra.refusals.add(code, grant="refresh_token", times=9)
    with pytest.raises(RemoteError, match=words) as caught:
        grants.refresh(token.refresh_token, VAULT_SCOPES)
    assert caught.value.recovery is recovery
    assert lab.asked()["refresh_token"] == 1


def test_a_code_that_was_used_is_told(lab: Lab) -> None:
    grants = lab.grants()
    code, pending = lab.code(grants, VAULT_SCOPES)
    grants.redeem(code, pending, VAULT_SCOPES)
    with pytest.raises(NotAuthorized, match="was used before: start the consent again"):
        grants.redeem(code, pending, VAULT_SCOPES)


def test_a_code_typed_on_another_device_lets_in(lab: Lab) -> None:
    grants = Grants(lab.app, ENTRA, lab.cloud, lab.transport, clock := MovableClock(time.time()))
    device = grants.device_begin(ENTRA.consent_scopes(lab.app, VAULT_SCOPES))
    enter_code(device.verification_uri, device.user_code, ca_file=lab.sandbox.ca_file)
    token = grants.device_poll(device, VAULT_SCOPES)
    assert claims_in(token.access_token)["aud"] == VAULT
    assert (token.refresh_token is not None, clock.slept) == (True, [5.0])


def test_a_credential_of_an_iclient_hides_itself(lab: Lab) -> None:
    loaded: Certificate = certificates.load(lab.sandbox.certificate().pfx)
    assert "PRIVATE" not in repr(replace(lab.app, credential=loaded))
