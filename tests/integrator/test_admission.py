"""One installation asks once for each token, however many connectors want it, and never goes on with a stale one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.credentials import ClientSecret
from iclients.errors import CredentialRefused
from iclients.model import Consent, IClient, Token
from iclients.secret import Secret
from integrator import documents
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.store.consent_keeping import KeptConsent

SCOPES = ("https://vault.azure.net/.default",)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 1, "fabrikam": 1}) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset_calls()
    return running


@pytest.fixture
def installation(sandbox: Sandbox, config: Config, tmp_path: Path) -> Iterator[Installation]:
    with Installation(config) as opened:
        apply(opened, document(sandbox), tmp_path)
        yield opened


def document(sandbox: Sandbox, auth: str | None = None) -> dict[str, Any]:
    made = sandbox.document()
    made["clouds"][0]["ca_file"] = str(sandbox.ca_file)
    for connection in made["connections"]:
        if auth is not None and connection["name"] == "contoso":
            connection["auth"] = auth
    return made


def apply(installation: Installation, made: dict[str, Any], folder: Path) -> None:
    path = folder / "document.yaml"
    path.write_text(yaml.safe_dump(made))
    documents.apply(path, installation.store, {})


def save(installation: Installation, iclient: IClient) -> None:
    with installation.store.writing() as stored:
        stored.iclients.save(iclient)


def tokens_asked(sandbox: Sandbox) -> int:
    return sandbox.calls()["entra"].get("token", 0)


# --- apps ---


def test_connectors_of_one_iclient_that_begin_together_ask_for_one_token(
    installation: Installation, sandbox: Sandbox
) -> None:
    together = threading.Barrier(8)

    def ping(number: int) -> str:
        connector = installation.connector(("contoso", "fabrikam")[number % 2])
        together.wait(10)
        return connector.ping().message

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(ping, range(8)))) == 8
    assert tokens_asked(sandbox) == 1


def test_connections_of_one_iclient_share_a_session_and_other_scopes_have_their_own(installation: Installation) -> None:
    contoso, fabrikam = (installation.admission(name) for name in ("contoso", "fabrikam"))
    assert contoso.session(SCOPES) is fabrikam.session(SCOPES)
    assert contoso.session(SCOPES) is not contoso.session(("https://management.azure.com/.default",))


@pytest.mark.parametrize(
    "changes",
    [{"tenant": "other.example.com"}, {"client_id": "another"}, {"settings": {"ca_file": "other.pem"}}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_changed_iclient_does_not_go_on_with_the_old_ones_token(
    installation: Installation, changes: dict[str, Any]
) -> None:
    admission = installation.admission("contoso")
    before = admission.session(SCOPES)
    before.token()
    save(installation, replace(admission.iclient, **changes))
    assert installation.admission("contoso").session(SCOPES) is not before


def test_a_new_credential_is_used_at_once(installation: Installation) -> None:
    admission = installation.admission("contoso")
    admission.session(SCOPES).token()
    save(installation, replace(admission.iclient, credential=ClientSecret(Secret("wrong"))))
    with pytest.raises(CredentialRefused):
        installation.connector("contoso").ping()


def test_a_changed_cloud_of_the_same_name_is_asked_anew(
    installation: Installation, sandbox: Sandbox, tmp_path: Path
) -> None:
    before = installation.admission("contoso").session(SCOPES)
    changed = document(sandbox)
    changed["clouds"][0]["authority"] = "https://elsewhere.example.test"
    apply(installation, changed, tmp_path)
    assert installation.admission("contoso").session(SCOPES) is not before


# --- consents ---


@pytest.fixture
def consenting(installation: Installation, sandbox: Sandbox, tmp_path: Path) -> Installation:
    apply(installation, document(sandbox, "authorization_code"), tmp_path)
    return installation


def consent(installation: Installation, account: str) -> Consent:
    """Keeps a consent of this person, whose token is `token of NAME`."""
    now = installation.clock.now()
    token = Token(Secret(f"token of {account}"), now + 3600, now + 3000, asked=SCOPES)
    made = Consent(Secret("refresh"), account, SCOPES, now, (token,))
    KeptConsent(installation.store, "contoso").save(made, None)
    return made


def token_now(installation: Installation) -> Secret:
    return installation.admission("contoso").session(SCOPES).token().access_token


def test_a_new_consent_is_seen_at_once(consenting: Installation) -> None:
    consent(consenting, "ada")
    assert token_now(consenting) == Secret("token of ada")
    consent(consenting, "ben")
    assert token_now(consenting) == Secret("token of ben")


def test_a_consent_that_was_put_back_is_seen_at_once(consenting: Installation) -> None:
    before = consent(consenting, "ada")
    consent(consenting, "ben")
    assert token_now(consenting) == Secret("token of ben")
    KeptConsent(consenting.store, "contoso").save(before, None)
    assert token_now(consenting) == Secret("token of ada")


def test_a_refreshed_consent_goes_on_in_the_same_session(consenting: Installation) -> None:
    made = consent(consenting, "ada")
    before = consenting.admission("contoso").session(SCOPES)
    KeptConsent(consenting.store, "contoso").save(replace(made, refresh_token=Secret("next")), None)
    assert consenting.admission("contoso").session(SCOPES) is before


def test_a_persons_token_is_never_the_apps(consenting: Installation) -> None:
    consent(consenting, "ada")
    app, person = (consenting.admission(name).session(SCOPES) for name in ("fabrikam", "contoso"))
    assert app is not person
    assert app.token().access_token != person.token().access_token
