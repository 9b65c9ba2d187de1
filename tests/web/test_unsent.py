"""A session that ends while somebody types: the form is there again after signing in, for nobody else, and unsaved."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from page_reader import Page
from test_access import views
from web_house import SESSION, WebHouse
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from integrator.store.account_rows import writing_accounts
from integrator.store.web_sessions import IDLE_SECONDS
from integrator.web import drafts, unsent

CONNECTION = "/new/connection?connector=azure-key-vault"
ICLIENT = "/new/iclient?provider=entra"


@pytest.fixture
def ada(web: WebHouse) -> FlaskClient:
    return web.signed_in("ada")


def time_passes(web: WebHouse, seconds: float = IDLE_SECONDS + 1) -> None:
    now = web.installation.clock.now
    web.installation.clock.now = lambda: now() + seconds  # type: ignore[method-assign]


def sent_late(web: WebHouse, browser: FlaskClient, path: str, typed: dict[str, Any], **told: Any) -> TestResponse:
    """Sent from a page that was opened in time."""
    proof = web.proof(browser)
    time_passes(web)
    return browser.post(path, data=MultiDict({"form": proof, **typed}), **told)


def signed_in_again(web: WebHouse, browser: FlaskClient, name: str = "ada") -> None:
    user = web.user(name)
    with writing_accounts(web.installation.store) as rows:
        browser.set_cookie(SESSION, rows.sessions.begin(user, web.installation.clock.now()))


def led_to(answer: TestResponse) -> str:
    """Where one goes on after signing in."""
    where = urlsplit(answer.headers.get("HX-Redirect") or answer.headers["Location"])
    assert where.path == "/sign-in"
    return parse_qs(where.query).get("next", [""])[0]


def held(web: WebHouse) -> str:
    found = web.app.extensions.get(drafts.KEY)
    return repr(found._kept) if found else ""


TYPED = {
    "connector": "azure-key-vault",
    "name": "typed-late",
    "api_type": "data",
    "settings.vault_url": "https://half-typed",
    "scopes": ["a-scope", "another"],
    "go": "close",
}


def test_a_connection_that_was_typed_is_in_its_form_again_and_is_not_saved(web: WebHouse, ada: FlaskClient) -> None:
    back = led_to(sent_late(web, ada, "/new/connection", TYPED))
    assert back.startswith(f"{CONNECTION}&typed=")
    assert "What you typed is kept" in ada.get("/sign-in", query_string={"next": back}).text
    signed_in_again(web, ada)
    page = Page(ada.get(back).text)
    assert {"typed-late", "https://half-typed", "a-scope", "another"} <= {value for _, value in all_values(page)}
    assert unsent.TOLD in " ".join(page.words)
    with web.installation.store.reading() as stored:
        assert stored.connections.find("typed-late") is None
        assert all(row.name != "typed-late" for row in stored.audit.list(limit=10))


def all_values(page: Page) -> set[tuple[str, str]]:
    return {(name, value) for form in page.forms for name, _, value in form.fields}


@pytest.mark.parametrize(
    ("path", "typed", "shown"),
    [
        ("/connections/contoso/edit", {"owner": "typed@contoso.test"}, "typed@contoso.test"),
        ("/iclients/sandbox-app/edit", {"client_id": "typed-late", "provider": "entra"}, "typed-late"),
        ("/new/iclient", {"name": "typed-late", "provider": "entra", "client_id": "c"}, "typed-late"),
        ("/new/flow", {"name": "typed-late", "source.connection": "contoso", "go": "save"}, "typed-late"),
    ],
)
def test_so_is_what_was_typed_into_the_other_forms(
    web: WebHouse, ada: FlaskClient, path: str, typed: dict[str, str], shown: str
) -> None:
    back = led_to(sent_late(web, ada, path, typed))
    assert back.startswith(path)
    signed_in_again(web, ada)
    assert shown in {value for _, value in all_values(Page(ada.get(back).text))}


def test_a_part_that_is_asked_for_while_the_form_is_filled_in_keeps_the_form_too(
    web: WebHouse, ada: FlaskClient
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": f"{web.public_url}{CONNECTION}"}
    answer = sent_late(web, ada, "/new/connection/scopes", TYPED, headers=headers)
    assert answer.status_code == 401
    back = led_to(answer)
    assert back.startswith(f"{CONNECTION}&typed=")
    signed_in_again(web, ada)
    assert "typed-late" in ada.get(back).text


@pytest.mark.parametrize("shown", ["https://evil.test//evil.test/x", "javascript:alert(1)", "//evil.test", "\\\\evil"])
def test_the_page_that_a_browser_says_it_shows_leads_to_this_server_only(
    web: WebHouse, ada: FlaskClient, shown: str
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": shown}
    answer = sent_late(web, ada, "/new/connection/scopes", TYPED, headers=headers)
    signed_in_again(web, ada)
    landed = ada.get("/sign-in", query_string={"next": led_to(answer)}).headers["Location"]
    assert landed.startswith("/") and not landed.startswith(("//", "/\\"))


def test_nobody_else_gets_what_was_typed(web: WebHouse, ada: FlaskClient) -> None:
    back = led_to(sent_late(web, ada, "/new/connection", TYPED))
    signed_in_again(web, ada, "eve")
    assert "typed-late" not in ada.get(back).text
    signed_in_again(web, ada, "ada")
    assert "typed-late" in ada.get(back).text


def test_what_was_typed_is_in_its_own_form_only(web: WebHouse, ada: FlaskClient) -> None:
    back = led_to(sent_late(web, ada, "/new/connection", TYPED))
    token = parse_qs(urlsplit(back).query)["typed"][0]
    signed_in_again(web, ada)
    assert "typed-late" not in ada.get(f"{ICLIENT}&typed={token}").text


@pytest.mark.parametrize("wrong", ["", "0" * 64])
def test_a_form_that_no_page_of_that_session_sent_is_not_kept(web: WebHouse, ada: FlaskClient, wrong: str) -> None:
    web.proof(ada)
    time_passes(web)
    assert led_to(ada.post("/new/connection", data={**TYPED, "form": wrong})) == ""
    assert "typed-late" not in held(web)


def test_nor_is_one_that_another_site_sent_or_whose_session_somebody_ended(web: WebHouse, ada: FlaskClient) -> None:
    cross = sent_late(web, ada, "/new/connection", TYPED, headers={"Sec-Fetch-Site": "cross-site"})
    assert led_to(cross) == ""
    bea = web.signed_in("bea")
    proof = web.proof(bea)
    user = web.user("bea")
    with writing_accounts(web.installation.store) as rows:
        rows.sessions.end_all(user)
    assert led_to(bea.post("/new/connection", data={**TYPED, "form": proof})) == ""
    stranger = web.browser()
    stranger.set_cookie(SESSION, "s" * 43)
    assert led_to(stranger.post("/new/connection", data={**TYPED, "form": proof})) == ""
    assert "typed-late" not in held(web)


def test_no_secret_of_any_form_is_kept(web: WebHouse) -> None:
    """Every page with a form is opened; a canary is typed into every field whose type is a password's."""
    pages = ["/connections/contoso/edit", "/iclients/sandbox-app/edit", CONNECTION, ICLIENT, "/account"]
    found = 0
    for page in [*pages, *(view.path for view in views(web) if view.method == "GET" and view.path.endswith("/edit"))]:
        ada = web.signed_in("ada")
        for form in Page(ada.get(page).text).forms:
            secrets = [name for name, kind, _ in form.fields if kind == "password"]
            if form.method != "post" or not secrets:
                continue
            found += len(secrets)
            data = {"form": web.proof(ada), **form.data("typed"), **dict.fromkeys(secrets, "canary-of-a-secret")}
            answer = sent_late(web, ada, form.action or page, {**data, "credential_again": "canary-of-a-secret"})
            assert answer.status_code == 303, page
            assert "canary" not in held(web) + str(answer.headers), page
            back = led_to(answer)
            signed_in_again(web, ada)
            assert not back or "canary" not in ada.get(back).text
    assert found > 8


def test_forms_with_passwords_only_are_not_kept_and_every_other_long_one_is(web: WebHouse) -> None:
    with web.app.app_context():
        kept = {view.endpoint for view in views(web) if view.method == "POST" and unsent.is_kept(view.endpoint)}
    assert {"connections.form.made", "connections.form.changed", "iclients.form.made", "iclients.form.changed"} <= kept
    assert not kept & {"account.password_changed", "sign_in.begun", "setting_up.done"}
    edits = {view.endpoint for view in views(web) if view.method == "POST" and view.path.endswith("/edit")}
    assert edits <= kept, "a form that is edited is kept: mark its view with `kept_over_sign_in`"


@pytest.mark.parametrize(
    "name", ["credential.secret", "client_secret", "password", "OLD", "next.password", "credential_again"]
)
def test_a_field_whose_name_says_that_it_is_secret_is_never_kept(web: WebHouse, ada: FlaskClient, name: str) -> None:
    sent_late(web, ada, "/new/connection", {**TYPED, name: "canary-of-a-secret"})
    assert "typed-late" in held(web)
    assert "canary" not in held(web)
