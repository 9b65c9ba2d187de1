"""The iClient's form: every provider has one, secrets go in and never come out, and a stored one stays where it belongs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient
from web_house import WebHouse, title
from werkzeug.test import TestResponse

from iclients import registry as providers
from iclients.credentials import Certificate, ClientSecret, FederatedAssertion, ManagedIdentity
from iclients.model import IClient
from integrator.store.listing_iclients import slots_set_at
from integrator.web.moments import day
from integrator.web.server import Server

NEW = "/new/iclient"
CANARY = "c4nary-s3cret"
POLYGLOT = "\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def filled(web: WebHouse, **changes: Any) -> dict[str, Any]:
    usual = {"provider": "entra", "name": "app", "cloud": "lab", "tenant": web.sandbox.tenant, "client_id": "an-id"}
    return usual | changes


def secret(value: str = CANARY, slot: str = "credential", expires: str = "") -> dict[str, str]:
    return {f"{slot}.kind": "client_secret", f"{slot}.secret": value, f"{slot}.expires": expires}


def told(page: TestResponse) -> dict[str, str]:
    found = re.findall(r'<li><a href="#field-([^"]+)">([^<]+)</a></li>', page.text)
    return {name: unescape(text) for name, text in found}


def stored(web: WebHouse, name: str = "app") -> IClient:
    with web.installation.store.reading() as there:
        return there.iclients.get(name)


def save(web: WebHouse, path: str = NEW, browser: FlaskClient | None = None, **typed: Any) -> TestResponse:
    browser = browser or web.signed_in()
    return browser.post(path, data={"form": web.proof(browser), **typed})


def test_a_client_secret_goes_in_and_never_comes_out(web: WebHouse) -> None:
    browser = web.signed_in()
    answer = save(
        web,
        browser=browser,
        **filled(web),
        **secret(expires="2027-01-31"),
        **secret("next-" + CANARY, "next_credential"),
    )
    assert answer.headers["Location"] == "/iclients/app"
    today = day(datetime.now(UTC).date().isoformat())
    kept = stored(web)
    assert isinstance(kept.credential, ClientSecret) and isinstance(kept.next_credential, ClientSecret)
    assert kept.credential.value.reveal() == CANARY
    assert str(kept.credential.expires) == "2027-01-31"
    pages = [
        browser.get(path) for path in ("/iclients/app", "/iclients/app/edit", f"{NEW}?clone=app", "/iclients", "/audit")
    ]
    assert f"Client secret · set {today} · ends 31 Jan 2027" in pages[1].text
    wrong = save(web, "/iclients/app/edit", browser, **filled(web, client_id=""), **secret())
    assert wrong.status_code == 422
    assert "What is secret is never sent back to a page" in wrong.text
    assert [page.status_code for page in (*pages, wrong) if CANARY in page.text] == []


def test_blank_keeps_what_is_stored(web: WebHouse) -> None:
    save(web, **filled(web), **secret())
    assert save(web, "/iclients/app/edit", **filled(web, owner="ada@contoso.test")).status_code == 303
    kept = stored(web)
    assert isinstance(kept.credential, ClientSecret) and kept.credential.value.reveal() == CANARY
    assert kept.owner == "ada@contoso.test"
    later = {"credential.kind": "client_secret", "credential.secret": "", "credential.expires": "2028-02-29"}
    assert save(web, "/iclients/app/edit", **filled(web), **later).status_code == 303
    kept = stored(web)
    assert isinstance(kept.credential, ClientSecret) and str(kept.credential.expires) == "2028-02-29"
    assert kept.credential.value.reveal() == CANARY


def test_a_stored_credential_goes_nowhere_else_unless_it_is_given_again(web: WebHouse) -> None:
    save(web, **filled(web), **secret())
    moved = filled(web, tenant="elsewhere.test")
    page = save(web, "/iclients/app/edit", **moved)
    assert page.status_code == 422
    assert "This would send the stored credential to another place: give the credential again, too." in page.text
    assert save(web, "/iclients/app/edit", **moved, **secret("another")).status_code == 303


def test_a_tenant_may_be_left_to_the_vaults_challenge(web: WebHouse) -> None:
    assert save(web, **filled(web, tenant=""), **secret()).status_code == 303
    browser = web.signed_in()
    assert "from the vault&#39;s challenge" in browser.get("/iclients/app").text.replace("vault's", "vault&#39;s")
    form = browser.get("/iclients/app/edit").text
    assert "Left empty, each vault&#39;s own counts" in form.replace("vault's", "vault&#39;s")


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "Name is missing: fill it in."),
        ({"name": "sandbox-app"}, "name", "There is already iClient sandbox-app: choose another name."),
        ({"name": "<b>"}, "name", "The name is not a name"),
        ({"client_id": ""}, "client_id", "Client ID is missing: fill it in."),
        ({"tenant": "a b"}, "tenant", "Tenant ID is not a tenant's ID or domain."),
        ({"cloud": "nowhere"}, "cloud", "nowhere"),
        ({"other_scopes": 'a"b'}, "scopes", "A scope is not a scope."),
        ({"settings.prompt": "always"}, "settings.prompt", "settings.prompt of iClient app is always"),
        ({"credential.kind": "client_secret"}, "credential.secret", "Client secret is missing: paste its value."),
        (secret(expires="tomorrow"), "credential.expires", "The last day is not a date: write it such as 2027-01-31."),
        ({"credential.kind": "certificate"}, "credential.file", "Certificate file is missing"),
        ({"credential.kind": "federated_assertion"}, "credential.path", "Path is not a whole path: begin it with /."),
        ({"next_credential.kind": "certificate"}, "next_credential.file", "Certificate file is missing"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    web: WebHouse, changes: dict[str, str], field: str, sentence: str
) -> None:
    page = save(web, **filled(web, owner="somebody-typed-this") | changes)
    assert page.status_code == 422
    assert sentence in told(page).get(field, ""), told(page)
    assert f'id="field-{field}-error"' in page.text
    assert 'value="somebody-typed-this"' in page.text
    assert CANARY not in page.text


def test_a_certificate_is_opened_with_its_password_and_kept_without_it(web: WebHouse) -> None:
    content = pfx(b"pass-word")
    typed = {"credential.kind": "certificate", "credential.algorithm": "RS256"}
    wrong = save(
        web,
        **filled(web),
        **typed,
        **{"credential.password": "other", "credential.file": (BytesIO(content), "app.pfx")},
    )
    assert "its password is another one" in told(wrong)["credential.file"]
    none = save(web, **filled(web), **typed, **{"credential.file": (BytesIO(b"not a certificate"), "x.pem")})
    assert "it is no PFX or PEM file" in told(none)["credential.file"]
    big = save(web, **filled(web), **typed, **{"credential.file": (BytesIO(b"x" * 40_000), "x.pem")})
    assert "larger than 32 KB" in told(big)["credential.file"]
    right = {"credential.password": "pass-word", "credential.file": (BytesIO(content), "app.pfx")}
    assert save(web, **filled(web), **typed, **right).status_code == 303
    kept = stored(web).credential
    assert isinstance(kept, Certificate) and kept.algorithm == "RS256"
    page = web.signed_in().get("/iclients/app/edit")
    assert "Certificate · set" in page.text and "PRIVATE KEY" not in page.text


def test_machines_and_files_can_prove_it_too(web: WebHouse) -> None:
    save(web, **filled(web), **{"credential.kind": "managed_identity", "credential.identity": "given"})
    assert stored(web).credential == ManagedIdentity("given")
    save(
        web,
        "/iclients/app/edit",
        **filled(web),
        **{"credential.kind": "federated_assertion", "credential.path": "/run/token"},
    )
    kept = stored(web).credential
    assert isinstance(kept, FederatedAssertion) and str(kept.file) == "/run/token"


def test_a_form_reads_neither_variables_nor_files_of_the_host(web: WebHouse) -> None:
    save(web, **filled(web), **secret("{file: /etc/passwd}"))
    kept = stored(web).credential
    assert isinstance(kept, ClientSecret) and kept.value.reveal() == "{file: /etc/passwd}"


def test_a_preset_asks_for_what_its_addresses_need(web: WebHouse) -> None:
    browser = web.signed_in()
    page = browser.get(f"{NEW}?provider=auth0")
    assert "Auth0 domain" in page.text and "acme.eu.auth0.com" in page.text
    assert "Read the user&#39;s profile" in page.text
    typed = {"provider": "auth0", "name": "a", "client_id": "c", "scopes": "openid", "settings.domain": "a b"}
    wrong = save(web, **typed)
    assert told(wrong)["settings.domain"] == "Auth0 domain cannot be this: write it such as acme.eu.auth0.com."
    mapping = {"settings.domain": "acme.eu.auth0.com", "settings.token_parameters": "a=b\nc=d=e"}
    assert save(web, **typed | mapping | {"settings.answer_paths": "nonsense"}).status_code == 422
    assert save(web, **typed | mapping).status_code == 303
    kept = stored(web, "a")
    assert kept.settings == {"domain": "acme.eu.auth0.com", "token_parameters": {"a": "b", "c": "d=e"}}
    assert kept.scopes == ("openid",)
    assert ">a=b\nc=d=e</textarea>" in browser.get("/iclients/a/edit").text.replace("\r", "").replace('">\n', '">')


def test_any_server_is_typed_one_address_at_a_time(web: WebHouse) -> None:
    typed = {"provider": "generic", "name": "any", "client_id": "c", "settings.issuer": "http://issuer.test"}
    assert told(save(web, **typed))["settings.issuer"] == "Issuer is not an https address."
    assert save(web, **typed | {"settings.issuer": "https://issuer.test", "settings.pkce": "plain"}).status_code == 303
    assert stored(web, "any").settings == {"issuer": "https://issuer.test", "pkce": "plain"}


@pytest.mark.parametrize("provider", providers.names())
def test_every_provider_has_a_form(web: WebHouse, provider: str) -> None:
    page = web.signed_in().get(f"{NEW}?provider={provider}")
    assert page.status_code == 200
    assert title(page) == "Add an iClient"


def test_the_gallery_finds_a_provider_by_its_name(web: WebHouse) -> None:
    browser = web.signed_in()
    everything = browser.get(NEW)
    assert everything.text.index("Microsoft Entra ID") < everything.text.index("Adobe") < everything.text.index("Zoom")
    found = browser.get(f"{NEW}?q=gitlab")
    assert "GitLab" in found.text and "Zoom" not in found.text
    assert "No provider is called so" in browser.get(f"{NEW}?q=nothing-like-it").text


def test_the_search_in_the_side_panel_stays_in_it(web: WebHouse) -> None:
    inside = {"HX-Request": "true", "HX-Target": "gallery"}
    found = web.signed_in().get(f"{NEW}?q=gitlab&panel=yes&draft=d", headers=inside).text
    assert 'hx-target="#panel-body"' in found and "<html" not in found


def test_the_redirect_uri_tests_itself(web: WebHouse) -> None:
    browser = web.signed_in()
    part = browser.get(f"{NEW}/redirect-uri", headers={"HX-Request": "true"})
    assert "does not reach this installation" in part.text and "<html" not in part.text, "nothing answers there"
    assert title(browser.get(f"{NEW}/redirect-uri")) == "The redirect URI does not lead here"
    with served(web.app) as server:
        web.installation.config = replace(web.installation.config, public_url=server.url.rstrip("/"))
        assert title(browser.get(f"{NEW}/redirect-uri")) == "The redirect URI leads here"


def test_the_redirect_uri_is_shown_to_be_copied(web: WebHouse) -> None:
    assert f'value="{web.public_url}/callback"' in web.signed_in().get(f"{NEW}?provider=entra").text


def test_a_clone_has_everything_but_name_and_credentials(web: WebHouse) -> None:
    browser = web.signed_in()
    page = browser.get(f"{NEW}?clone=sandbox-app")
    assert 'name="name" value=""' in page.text
    assert f'value="{web.sandbox.client_id}"' in page.text
    assert "Client secret · set" not in page.text
    assert save(web, browser=browser, **filled(web)).status_code == 303
    assert stored(web).credential is None


def test_an_iclient_that_is_used_is_not_deleted_and_says_by_what(web: WebHouse) -> None:
    page = web.post(web.signed_in(), "/iclients/sandbox-app/delete", name="sandbox-app")
    assert page.status_code == 409
    assert "contoso" in page.text


def test_when_a_credential_was_set_is_told_and_a_change_of_the_owner_is_none(web: WebHouse) -> None:
    save(web, **filled(web), **secret())
    with web.installation.store.database.reading() as db:
        before = slots_set_at(db, "app")
    save(web, "/iclients/app/edit", **filled(web, owner="ada@contoso.test"))
    save(web, "/iclients/app/edit", **filled(web), **secret("next", "next_credential"))
    with web.installation.store.database.reading() as db:
        after = slots_set_at(db, "app")
    assert after["credential"] == before["credential"]
    assert after["next_credential"] > before["next_credential"]


def test_names_that_are_markup_stay_words(web: WebHouse) -> None:
    typed = filled(web, name=POLYGLOT, owner=POLYGLOT, client_id=POLYGLOT, tenant=POLYGLOT, other_scopes=POLYGLOT)
    page = save(web, **typed, **secret(POLYGLOT, expires=POLYGLOT), **{"settings.login_hint": POLYGLOT})
    assert page.status_code == 422
    assert "<img src=x" not in page.text


def test_what_is_installed_no_more_has_no_form(web: WebHouse) -> None:
    assert web.signed_in().get(f"{NEW}?provider=nobody").status_code == 404
    assert save(web, provider="nobody").status_code == 404
    assert web.signed_in().get("/iclients/nobody/edit").status_code == 404


@contextmanager
def served(app: Any) -> Iterator[Server]:
    """The application behind a real server, for as long as the block runs."""
    server = Server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(30)
        server.close()


def pfx(password: bytes) -> bytes:
    """A certificate with its key, as people get it."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = (
        builder.serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    return pkcs12.serialize_key_and_certificates(b"app", key, made, None, BestAvailableEncryption(password))
