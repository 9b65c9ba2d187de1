"""The fifty traps, 3 to 20 and 47: what clients get wrong about tokens and challenges, and what ours does instead.

The numbers are those of `docs/azure-traps.md`, which says what each trap is and who else is concerned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from traps_lab import Recorder, recorded, to_vault
from vault_lab import Lab

from connectors.actions import decoded
from connectors.azure_key_vault.sandbox.visitor import enter_code
from connectors.errors import HostNotAllowed
from iclients import certificates, consent
from iclients.answers import Answer
from iclients.clock import SystemClock
from iclients.clouds import BUILT_IN
from iclients.credentials import ClientSecret, ManagedIdentity
from iclients.errors import CredentialRefused, NotAuthorized, RemoteError, ScopeRefused
from iclients.grants import Grants
from iclients.managed_identity import managed_identity_token
from iclients.model import IClient, Token
from iclients.providers.entra import Entra
from iclients.retrying import Retrying
from iclients.secret import Secret
from iclients.testing import MovableClock

VAULT = "https://vault.azure.net"
ARM = "https://management.azure.com"
FOR_APPS = (f"{VAULT}/.default",)
FOR_PEOPLE = (f"{VAULT}/user_impersonation",)
FOR_ARM = (f"{ARM}/user_impersonation",)
REDIRECT = "http://127.0.0.1:1/callback"


@pytest.fixture
def recorder(lab: Lab) -> Recorder:
    return recorded(lab)


@pytest.fixture
def app(lab: Lab) -> IClient:
    credential = ClientSecret(Secret(lab.sandbox.client_secret))
    return IClient("app", "entra", lab.sandbox.client_id, "lab", lab.sandbox.tenant, credential)


@pytest.fixture
def grants(lab: Lab, app: IClient, recorder: Recorder) -> Grants:
    return Grants(app, Entra(), lab.cloud(), recorder, SystemClock())


@pytest.fixture
def consented(lab: Lab, grants: Grants) -> Token:
    scopes = (*FOR_PEOPLE, *FOR_ARM)
    pending = consent.begin(REDIRECT, Entra().consent_scopes(grants.iclient, scopes), time.time())
    address = consent.address(pending, grants.iclient, Entra(), grants.endpoints(), {})
    callback = parse_qs(urlsplit(lab.sandbox.consent(address)).query)
    code = consent.code_from(callback, pending, grants.iclient, Entra(), grants.endpoints(), time.time())
    return grants.redeem(code, pending, FOR_PEOPLE)


@pytest.fixture
def asked(recorder: Recorder) -> Iterator[Any]:
    """The forms that the token endpoint got."""
    yield lambda: [one.form for one in recorder.sent if one.path.endswith("/token")]


def parts_of(assertion: str) -> list[dict[str, Any]]:
    """Header and claims."""
    return [json.loads(decoded(part)) for part in assertion.split(".")[:2]]


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer authorization="https://login.elsewhere.test/common", resource="https://elsewhere.test"',
        'Bearer authorization_uri="https://127.0.0.1:1/00000000-0000-0000-0000-000000000000", scope="https://x/.default"',
        'Bearer authorization="not an address", resource=""',
        "Negotiate",
        "",
    ],
)
def test_authority_tenant_and_audience_are_ours_whatever_a_challenge_says(
    lab: Lab, recorder: Recorder, asked: Any, challenge: str
) -> None:
    """Traps 3 and 47: the host in a challenge is not asked, and its 401 may have neither header nor body."""
    lab.sandbox.vault("contoso").put("db", "v")
    headers = {"www-authenticate": challenge} if challenge else {}
    recorder.instead = [Answer(401, headers, b"")]
    assert lab.secrets().get("db").value.reveal() == "v"
    tokens = [one for one in recorder.sent if one.path.endswith("/token")]
    assert len(tokens) == 2
    assert {one.url.rpartition("/oauth2/")[0] for one in tokens} == {f"{lab.sandbox.authority}/{lab.sandbox.tenant}"}
    assert {form["scope"] for form in asked()} == {f"{VAULT}/.default"}
    hosts = {urlsplit(one.url).netloc for one in recorder.sent}
    assert hosts == {urlsplit(lab.sandbox.authority).netloc, urlsplit(lab.sandbox.vault_url("contoso")).netloc}


def test_a_vault_on_another_port_is_another_host_and_gets_no_request(lab: Lab, recorder: Recorder) -> None:
    """Trap 4."""
    url = lab.sandbox.vault_url("fabrikam")
    with pytest.raises(HostNotAllowed):
        lab.connect(cloud=lab.cloud([urlsplit(lab.sandbox.vault_url("contoso")).netloc]), vault_url=url).ping()
    assert not BUILT_IN["public"].allows_vault("https://contoso.vault.azure.net:8443")
    assert recorder.sent == []


def test_nothing_leaves_in_the_clear(lab: Lab, app: IClient, recorder: Recorder) -> None:
    """Trap 5: neither to a vault nor to an authority."""
    plain = replace(lab.cloud(), authority=lab.sandbox.authority.replace("https:", "http:"))
    with pytest.raises(RemoteError):
        Grants(app, Entra(), plain, recorder, MovableClock()).client_credentials(FOR_APPS)
    assert not lab.cloud().allows_vault(lab.sandbox.vault_url("contoso").replace("https:", "http:"))
    assert recorder.sent == []


def test_the_audience_of_vaults_is_asked_without_a_slash(
    lab: Lab, app: IClient, recorder: Recorder, asked: Any
) -> None:
    """Trap 6: the sandbox refuses the slash here, as Entra may."""
    lab.sandbox.entra.policy.strict_resources = True
    typed = replace(app, settings={"resource": f"{VAULT}/"})
    Grants(typed, Entra(), lab.cloud(), recorder, SystemClock()).client_credentials(FOR_APPS)
    lab.connect().ping()
    assert [form.get("resource") or form.get("scope") for form in asked()][:2] == [VAULT, f"{VAULT}/.default"]


def test_a_wrong_secret_is_a_401_that_is_told_and_asked_once(lab: Lab, app: IClient, recorder: Recorder) -> None:
    """Trap 9."""
    wrong = replace(app, credential=ClientSecret(Secret("wrong")))
    with pytest.raises(CredentialRefused):
        Grants(wrong, Entra(), lab.cloud(), recorder, MovableClock()).client_credentials(FOR_APPS)
    assert [one.answer.status for one in recorder.sent] == [401]


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_certificate_names_itself_as_its_algorithm_wants(
    lab: Lab, app: IClient, recorder: Recorder, asked: Any, algorithm: str
) -> None:
    """Trap 10: x5t#S256 goes with PS256, x5t with RS256."""
    credential = replace(certificates.load(lab.sandbox.certificate().pfx), algorithm=algorithm)
    certified = Grants(replace(app, credential=credential), Entra(), lab.cloud(), recorder, SystemClock())
    assert certified.client_credentials(FOR_APPS).access_token
    header, _ = parts_of(asked()[-1]["client_assertion"])
    assert (header["alg"], header.keys() & {"x5t", "x5t#S256"}) == (
        algorithm,
        {"x5t#S256" if algorithm == "PS256" else "x5t"},
    )


def test_no_assertion_of_ours_is_sent_twice(lab: Lab, app: IClient, recorder: Recorder, asked: Any) -> None:
    """Trap 11: MSAL sends one for nine minutes, and a server may not insist; we do not rely on it."""
    credential = certificates.load(lab.sandbox.certificate().pfx)
    certified = Grants(replace(app, credential=credential), Entra(), lab.cloud(), recorder, SystemClock())
    for _ in range(2):
        certified.client_credentials(FOR_APPS)
    assert len({parts_of(form["client_assertion"])[1]["jti"] for form in asked()}) == 2


def test_a_device_asks_with_its_code_and_nothing_else(lab: Lab, app: IClient, recorder: Recorder, asked: Any) -> None:
    """Trap 12: no scope stands in the question."""
    grants = Grants(app, Entra(), lab.cloud(), recorder, MovableClock(time.time()))
    device = grants.device_begin(Entra().consent_scopes(app, FOR_PEOPLE))
    enter_code(device.verification_uri, device.user_code, ca_file=lab.sandbox.ca_file)
    grants.device_poll(device, FOR_PEOPLE)
    (form,) = asked()
    assert set(form) == {"grant_type", "device_code", "client_id", "client_secret"}


def test_the_newest_refresh_token_is_kept_and_serves_every_resource(grants: Grants, consented: Token) -> None:
    """Trap 13: the old one stays good at Entra, so that a crash costs nothing."""
    first = consented.refresh_token
    assert first is not None
    arm = grants.refresh(first, FOR_ARM)
    assert arm.refresh_token not in (None, first)
    assert arm.refresh_token is not None
    assert grants.refresh(arm.refresh_token, FOR_PEOPLE).refresh_token not in (first, arm.refresh_token)
    assert grants.refresh(first, FOR_PEOPLE).access_token


def test_a_refresh_token_is_asked_for_where_people_consent_and_never_expected_of_apps(
    grants: Grants, consented: Token
) -> None:
    """Trap 14."""
    assert "offline_access" in Entra().consent_scopes(grants.iclient, FOR_PEOPLE)
    assert consented.refresh_token is not None
    assert grants.client_credentials(FOR_APPS).refresh_token is None


@pytest.mark.parametrize("scopes", [(*FOR_APPS, *FOR_PEOPLE), (*FOR_PEOPLE, *FOR_ARM)])
def test_scopes_that_one_token_cannot_have_are_refused_before_anything_is_sent(
    lab: Lab, app: IClient, recorder: Recorder, scopes: tuple[str, ...]
) -> None:
    """Trap 15: `.default` beside a named scope, and two resources."""
    grants = Grants(app, Entra(), lab.cloud(), recorder, MovableClock())
    for ask in (lambda: grants.client_credentials(scopes), lambda: grants.refresh(Secret("r"), scopes)):
        with pytest.raises(ScopeRefused):
            ask()
    assert recorder.sent == []


def test_a_lifetime_is_a_number_or_the_text_of_one(lab: Lab, app: IClient, recorder: Recorder) -> None:
    """Trap 16: the older endpoints and managed identities write texts."""
    now = time.time()
    old = Grants(replace(app, settings={"resource": VAULT}), Entra(), lab.cloud(), recorder, SystemClock())
    found = old.client_credentials(FOR_APPS)
    assert b'"expires_in":"' in recorder.sent[-1].answer.body
    machine = managed_identity_token(ManagedIdentity(), "app", FOR_APPS, SystemClock(), Retrying(), _environment(lab))
    for token in (found, machine):
        assert token.expires_at is not None
        assert 3000 < token.expires_at - now < 90_000


def _environment(lab: Lab) -> dict[str, str]:
    sandbox = lab.sandbox
    return {"IDENTITY_ENDPOINT": sandbox.identity_endpoint, "IDENTITY_HEADER": sandbox.identity_header}


def test_a_secret_with_signs_of_its_own_arrives_as_it_is(lab: Lab, grants: Grants, recorder: Recorder) -> None:
    """Trap 18: `+`, `/`, `=`, `&` and `%` are common in client secrets."""
    assert set("+/=&%") <= set(lab.sandbox.client_secret)
    assert grants.client_credentials(FOR_APPS).access_token
    assert recorder.sent[-1].form["client_secret"] == lab.sandbox.client_secret


def test_a_demand_for_claims_is_met_once_with_our_capability_beside_it(lab: Lab, recorder: Recorder) -> None:
    """Trap 19: a vault that goes on demanding is no loop."""
    lab.sandbox.vault("contoso").put("db", "v")
    lab.sandbox.faults.add("claims", host="contoso", every=1)
    with pytest.raises(NotAuthorized):
        lab.secrets().get("db")
    assert len(to_vault(lab, recorder)) == 2
    assert lab.sandbox.calls()["entra"]["token"] == 2


def test_what_was_demanded_is_passed_on_merged_with_our_capability() -> None:
    """Trap 19: both stand in one claims parameter."""
    demanded = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    told = Entra().claims_parameters(IClient("app", "entra", "c", tenant="t"), demanded)["claims"]
    assert '"nbf":{"essential":true,"value":"1700000000"}' in told
    assert '"xms_cc":{"values":["CP1"]}' in told


def test_a_refusal_is_not_remembered_when_its_cause_is_gone(lab: Lab, app: IClient, recorder: Recorder) -> None:
    """Trap 20: the next question leaves, and is answered."""
    lab.sandbox.application.enabled = False
    grants = Grants(app, Entra(), lab.cloud(), recorder, MovableClock())
    with pytest.raises(NotAuthorized):
        grants.client_credentials(FOR_APPS)
    lab.sandbox.application.enabled = True
    assert grants.client_credentials(FOR_APPS).access_token
