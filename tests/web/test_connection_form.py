"""The connection's form, as a person fills it in: from a new iClient to online, and with everything that can be typed wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from web_house import SCOPE, WebHouse, title
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from connectors import registry
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.connector import Connector
from connectors.descriptor import Descriptor, Setting
from connectors.model import ApiType, Connection
from iclients.clouds import BUILT_IN
from integrator.access import READER
from integrator.store import tables
from integrator.web.forms.known_scopes import of_connection, of_provider
from integrator.web.forms.vault_address import recognized

NEW = "/new/connection"
FORM = f"{NEW}?connector=azure-key-vault"
APP_SCOPE = "https://vault.azure.net/.default"
ARM_SCOPE = "https://management.azure.com/user_impersonation"
POLYGLOT = "\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def filled(web: WebHouse, **changes: str) -> dict[str, str]:
    """The form as a person would fill it in for the sandbox's vault."""
    usual = {
        "connector": "azure-key-vault",
        "name": "mine",
        "api_type": "data",
        "iclient": "sandbox-app",
        "auth": "authorization_code",
        "scopes": SCOPE,
        "settings.vault_url": web.sandbox.vault_url("contoso"),
    }
    return usual | changes


def press(web: WebHouse, browser: FlaskClient, go: str, path: str = NEW, **typed: Any) -> TestResponse:
    return browser.post(path, data=MultiDict({"form": web.proof(browser), "go": go, **typed}))


def told(page: TestResponse) -> dict[str, str]:
    """The summary on top: field → sentence."""
    found = re.findall(r'<li><a href="#field-([^"]+)">([^<]+)</a></li>', page.text)
    return {name: unescape(text) for name, text in found}


def stored(web: WebHouse, name: str = "mine") -> Connection | None:
    with web.installation.store.reading() as there:
        return there.connections.find(name)


def test_from_the_first_iclient_to_online(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    iclient = {
        "provider": "entra",
        "name": "my-app",
        "cloud": "lab",
        "tenant": sandbox.tenant,
        "client_id": sandbox.client_id,
    }
    secret = {"credential.kind": "client_secret", "credential.secret": sandbox.client_secret}
    assert web.post(browser, "/new/iclient", **iclient, **secret).headers["Location"] == "/iclients/my-app"
    left = press(web, browser, "authorize", **filled(web, iclient="my-app"))
    assert left.status_code == 303, left.text
    assert left.headers["Location"].startswith(sandbox.authority)
    back = browser.get(web.visited(left.headers["Location"]))
    assert title(back) == "mine is online"
    assert 'href="/connections/mine"' in back.text
    assert web.state("mine") == "online"
    assert "Online" in browser.get("/connections/mine").text


def test_save_and_close_keeps_what_was_typed_as_a_document_would(web: WebHouse) -> None:
    advanced = {
        "limits.calls": "80",
        "limits.period_seconds": "10",
        "limits.concurrency": "4",
        "owner": "ada@contoso.test",
    }
    answer = press(web, web.signed_in(), "close", **filled(web, **{"settings.api_version": "7.4"}, **advanced))
    assert answer.headers["Location"] == "/connections/mine"
    kept = stored(web)
    assert kept is not None
    assert kept.settings == {"vault_url": web.sandbox.vault_url("contoso"), "api_version": "7.4"}
    assert (kept.limits.calls, kept.limits.period_seconds, kept.limits.concurrency) == (80, 10.0, 4)
    assert (kept.scopes, kept.auth, kept.owner) == ((SCOPE,), "authorization_code", "ada@contoso.test")
    assert web.state("mine") == "offline"
    with web.installation.store.reading() as there:
        newest = there.audit.list(limit=1)[0]
    assert (newest.actor, newest.action, newest.noun, newest.name) == ("web:ada", "created", "connection", "mine")


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("name", "", "Name your connection: type a name."),
        ("name", "-x", "The name is not a name: begin with a letter"),
        ("name", "contoso", "There is already connection contoso: choose another name."),
        ("api_type", "", "API type is not chosen: choose one."),
        ("iclient", "", "OAuth 2.0 client is not chosen: choose one, or make one with +."),
        ("iclient", "nobody", "nobody"),
        ("settings.vault_url", "", "Vault URL is missing: fill it in."),
        (
            "settings.vault_url",
            "contoso",
            "Vault URL: this is the name contoso alone, and cloud profile lab has no suffix to complete it with",
        ),
        ("settings.vault_url", "https://contoso.vault.azure.com", "contoso.vault.azure.com is no vault of a cloud"),
        ("settings.api_version", "latest", "API version cannot be this"),
        ("limits.calls", "many", "Calls is not a whole number."),
        ("limits.calls", "0", "Calls is not a number of calls above 0."),
        ("limits.period_seconds", "soon", "Seconds is not a number."),
        ("limits.concurrency", "500", "At once is not between 1 and 256."),
        ("scopes", ARM_SCOPE, f"{ARM_SCOPE} does not fit: it is for the control plane."),
        ("auth", "client_credentials", "does not fit: nobody consents here"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    web: WebHouse, field: str, typed: str, sentence: str
) -> None:
    page = press(web, web.signed_in(), "close", **filled(web, **{"owner": "somebody-typed-this"} | {field: typed}))
    assert page.status_code == 422
    name = "scopes" if field == "auth" else field
    assert sentence in told(page).get(name, ""), told(page)
    assert page.text.count(f'id="field-{name}-error"') == 1
    assert 'value="somebody-typed-this"' in page.text
    if field != "name":
        assert 'name="name" value="mine"' in page.text
    assert stored(web) is None


def test_several_mistakes_are_told_at_once(web: WebHouse) -> None:
    page = press(web, web.signed_in(), "authorize", connector="azure-key-vault", **{"limits.calls": "x"})
    assert {"name", "api_type", "iclient", "limits.calls"} <= set(told(page))


def test_a_vault_of_another_cloud_than_the_iclients_is_told_before_anything_is_saved(web: WebHouse) -> None:
    page = press(
        web, web.signed_in(), "close", **filled(web, **{"settings.vault_url": "https://contoso.vault.azure.net"})
    )
    assert told(page) == {
        "iclient": "This vault is in cloud public, and the iClient is registered in lab: choose one of the vault's cloud."
    }


def test_the_side_panel_is_a_page_that_comes_back_with_all_that_was_typed(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    left = press(web, browser, "iclient-new", **filled(web, name="half-typed", owner="ada"))
    assert left.status_code == 303
    gallery = browser.get(left.headers["Location"])
    draft = left.headers["Location"].partition("draft=")[2]
    assert f"/new/iclient?provider=entra&amp;draft={draft}" in gallery.text
    page = browser.get(f"/new/iclient?provider=entra&draft={draft}")
    assert f'href="/new/connection?connector=azure-key-vault&amp;draft={draft}">Cancel' in page.text
    typed = {"provider": "entra", "name": "other-app", "cloud": "lab", "tenant": sandbox.tenant, "client_id": "c"}
    wrong = web.post(browser, "/new/iclient", draft=draft, **typed | {"client_id": ""})
    assert wrong.status_code == 422
    assert f'name="draft" value="{draft}"' in wrong.text
    back = web.post(browser, "/new/iclient", draft=draft, **typed)
    assert back.headers["Location"] == f"/new/connection?connector=azure-key-vault&draft={draft}"
    form = browser.get(back.headers["Location"])
    assert 'name="name" value="half-typed"' in form.text
    assert 'name="owner" value="ada"' in form.text
    assert 'value="other-app" selected' in form.text
    assert f'value="{web.sandbox.vault_url("contoso")}"' in form.text


def test_the_pencil_leads_to_the_chosen_iclient_and_back_to_a_stored_connection(web: WebHouse) -> None:
    browser = web.signed_in()
    left = press(web, browser, "iclient-edit", "/connections/contoso/edit", **filled(web, owner="typed"))
    where, _, draft = left.headers["Location"].partition("?draft=")
    assert where == "/iclients/sandbox-app/edit"
    page = browser.get(left.headers["Location"])
    assert f'href="/connections/contoso/edit?draft={draft}">Cancel' in page.text
    assert 'name="owner" value="typed"' in browser.get(f"/connections/contoso/edit?draft={draft}").text
    nothing = press(web, browser, "iclient-edit", **filled(web, iclient=""))
    assert "choose the one to change" in told(nothing)["iclient"]


def test_a_draft_is_its_users_only(web: WebHouse) -> None:
    left = press(web, web.signed_in(), "iclient-new", **filled(web, name="half-typed"))
    draft = left.headers["Location"].partition("draft=")[2]
    assert "half-typed" not in web.signed_in("eve").get(f"{FORM}&draft={draft}").text


def test_the_panel_gets_a_part_of_the_page_and_chooses_what_was_made(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    inside = {"HX-Request": "true", "HX-Target": "panel-body"}
    assert "<html" not in browser.get("/new/iclient", headers=inside).text
    left = press(web, browser, "iclient-new", **filled(web))
    draft = left.headers["Location"].partition("draft=")[2]
    typed = {
        "form": web.proof(browser),
        "provider": "entra",
        "name": "p",
        "cloud": "lab",
        "draft": draft,
        "tenant": sandbox.tenant,
    }
    wrong = browser.post("/new/iclient", data=typed, headers=inside)
    assert (wrong.status_code, "Client ID is missing" in wrong.text) == (200, True)
    made = browser.post("/new/iclient", data=typed | {"client_id": "c"}, headers=inside)
    assert made.headers["HX-Trigger-After-Settle"] == '{"panel-done": {"name": "p"}}'
    assert 'hx-swap-oob="outerHTML"' in made.text
    assert '<option value="p" selected>' in made.text


def test_testing_saves_nothing_and_says_the_sentence(web: WebHouse) -> None:
    browser = web.signed_in()
    app = {"auth": "client_credentials", "scopes": APP_SCOPE}
    good = press(web, browser, "test", **filled(web, **app))
    assert "let the connection in and listed its secrets." in good.text
    assert "Nothing was saved" in good.text
    assert stored(web) is None
    nobody = press(web, browser, "test", **filled(web))
    assert "Nobody has consented for connection mine yet" in unescape(nobody.text)
    assert "Vault URL is missing" in press(web, browser, "test", **filled(web, **{"settings.vault_url": ""})).text


def test_testing_a_stored_connection_leaves_its_state_as_it_is(web: WebHouse, sandbox: Sandbox) -> None:
    browser = web.signed_in()
    web.consented()
    assert web.state() == "online"
    typed = filled(web, auth="client_credentials", scopes=APP_SCOPE)
    with web.installation.store.writing() as there:
        there.iclients.save(Wrongly.iclient(web))
    page = press(web, browser, "test", "/connections/contoso/edit", **typed | {"iclient": "wrong"})
    assert "Entra refused the client secret of iClient wrong" in page.text
    assert web.state() == "online"


class Wrongly:
    """An iClient whose secret is another one than the provider's."""

    @staticmethod
    def iclient(web: WebHouse) -> Any:
        from iclients.credentials import ClientSecret
        from iclients.secret import Secret

        with web.installation.store.reading() as there:
            right = there.iclients.get("sandbox-app")
        return replace(right, name="wrong", credential=ClientSecret(Secret("no such secret")))


def test_changing_keeps_what_the_form_does_not_show_and_the_name(web: WebHouse) -> None:
    browser = web.signed_in()
    page = browser.get("/connections/contoso/edit")
    assert f'value="{web.sandbox.vault_url("contoso")}"' in page.text
    answer = press(web, browser, "close", "/connections/contoso/edit", **filled(web, name="renamed", owner="ben"))
    assert answer.headers["Location"] == "/connections/contoso"
    assert stored(web, "renamed") is None
    kept = stored(web, "contoso")
    assert kept is not None
    assert (kept.owner, kept.auth) == ("ben", "authorization_code")
    assert browser.get("/connections/nobody/edit").status_code == 404


def test_a_clone_has_everything_but_the_name(web: WebHouse) -> None:
    page = web.signed_in().get(f"{NEW}?clone=contoso")
    assert 'name="name" value=""' in page.text
    assert f'value="{web.sandbox.vault_url("contoso")}"' in page.text
    assert 'value="sandbox-app" selected' in page.text


def test_the_control_plane_has_no_vault_url_and_scopes_of_its_own(web: WebHouse) -> None:
    typed = filled(web, api_type="control", scopes=ARM_SCOPE)
    assert press(web, web.signed_in(), "close", **typed).status_code == 303
    kept = stored(web)
    assert kept is not None
    assert (kept.api_type, kept.scopes, dict(kept.settings)) == (ApiType.CONTROL, (ARM_SCOPE,), {})


def test_changing_the_api_type_says_which_scopes_fit_no_more_and_swaps_them_on_agreement(web: WebHouse) -> None:
    browser = web.signed_in()
    typed = filled(web, api_type="control", scopes_shown="yes")
    part = press(web, browser, "", f"{NEW}/scopes", **typed).text
    assert f"<code>{SCOPE}</code> does not fit any more: it is for the data plane." in part
    assert f"Use {ARM_SCOPE} instead" in part
    swapped = press(web, browser, "fit", f"{NEW}/scopes", **typed).text
    assert f'value="{ARM_SCOPE}" checked' in swapped
    assert SCOPE not in swapped
    assert f'value="{ARM_SCOPE}" checked' in press(web, browser, "fit", **typed).text, "without a script"


def test_the_usual_scope_is_chosen_once_the_api_type_is(web: WebHouse) -> None:
    typed = {name: text for name, text in filled(web).items() if name != "scopes"}
    assert f'value="{SCOPE}" checked' in press(web, web.signed_in(), "", f"{NEW}/scopes", **typed).text


def test_scopes_of_ones_own_are_taken(web: WebHouse) -> None:
    own = "https://vault.azure.net/own.scope"
    assert press(web, web.signed_in(), "close", **filled(web, other_scopes=f" {own} ")).status_code == 303
    kept = stored(web)
    assert kept is not None and kept.scopes == (SCOPE, own)


def test_the_http_view_shows_what_is_sent_where(web: WebHouse, sandbox: Sandbox) -> None:
    page = press(web, web.signed_in(), "http", **filled(web))
    assert page.status_code == 200
    for text in (
        "What is sent where",
        "https://vault.azure.net",
        f"{sandbox.authority}/{sandbox.tenant}/oauth2/v2.0/token",
    ):
        assert text in page.text
    assert f"GET {web.sandbox.vault_url('contoso')}/secrets?maxresults=1" in page.text
    assert '<details class="advanced" open>' in page.text
    assert 'name="name" value="mine"' in page.text


@pytest.mark.parametrize(
    ("typed", "tone", "words"),
    [
        ("https://contoso.vault.azure.net", "good", "Vault contoso in the public Azure cloud."),
        ("https://contoso.vault.azure.net/", "good", "→ https://contoso.vault.azure.net: vault contoso in"),
        ("HTTPS://Contoso.Vault.Azure.NET", "good", "→ https://contoso.vault.azure.net: vault contoso in"),
        ("https://c.vault.usgovcloudapi.net", "good", "Azure Government"),
        ("https://c.vault.azure.cn", "good", "21Vianet"),
        ("contoso", "good", "contoso → https://contoso.vault.azure.net: vault contoso in the public Azure cloud."),
        (
            "contoso.vault.azure.net",
            "good",
            "→ https://contoso.vault.azure.net: vault contoso in the public Azure cloud.",
        ),
        ("http://contoso.vault.azure.net", "bad", "begins with https://, such as https://contoso.vault.azure.net"),
        ("https://contoso.vault.azure.com", "bad", "vaults end in"),
        ("https://contoso.vault.azure.net/secrets/x", "bad", "leads into the vault"),
        ("https://contoso.privatelink.vaultcore.azure.net", "bad", "private link"),
        ("https://contoso.managedhsm.azure.net", "bad", "managed HSM"),
        ("https://portal.azure.com/#x", "bad", "portal"),
        ("https://management.azure.com", "bad", "control plane"),
        ("https://[", "bad", "no vault"),
        ("https://x.vault.azure.net@evil.test", "bad", "no vault"),
        ("", "", ""),
    ],
)
def test_a_vaults_address_is_recognized_or_explained(typed: str, tone: str, words: str) -> None:
    answer = recognized(typed, list(BUILT_IN.values()))
    assert (answer.tone, words in answer.sentence) == (tone, True), answer


def test_the_address_is_recognized_while_it_is_typed(web: WebHouse) -> None:
    browser, path = web.signed_in(), f"{NEW}/vault-url"
    found = browser.get(path, query_string={"settings.vault_url": web.sandbox.vault_url("contoso")})
    assert "your cloud lab" in found.text
    assert "<img" not in browser.get(path, query_string={"settings.vault_url": f"https://{POLYGLOT}"}).text


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("http://contoso.vault.azure.net", "https://contoso.vault.azure.net"),
        ("contoso.vault.azure.net/secrets", "https://contoso.vault.azure.net"),
        ("https://contoso.vault.azure.net/secrets/x", "https://contoso.vault.azure.net"),
        ("https://contoso.vault.azure.com", ""),
    ],
)
def test_an_address_that_is_nearly_right_is_offered_whole_and_taken_with_one_press(
    web: WebHouse, typed: str, completed: str
) -> None:
    browser = web.signed_in()
    asked = {"settings.vault_url": typed}
    told_of = browser.get(f"{NEW}/vault-url", query_string=asked).text
    assert ("Use <code>" in told_of, completed in told_of) == (bool(completed), True)
    page = press(web, browser, "complete", **filled(web, **asked))
    assert f'name="settings.vault_url" value="{completed or typed}"' in page.text
    assert 'name="name" value="mine"' in page.text


def test_a_bare_name_is_completed_for_the_cloud_of_the_chosen_iclient() -> None:
    clouds = list(BUILT_IN.values())
    answer = recognized("c", clouds, BUILT_IN["usgov"])
    assert answer.sentence == "c → https://c.vault.usgovcloudapi.net: vault c in Azure Government."
    assert (answer.tone, answer.cloud) == ("good", "usgov")


def test_a_suffix_of_another_cloud_than_the_iclients_is_explained() -> None:
    answer = recognized("https://c.vault.azure.cn", list(BUILT_IN.values()), BUILT_IN["public"])
    assert (answer.tone, answer.cloud) == ("waits", "china")
    assert "registered in the public Azure cloud: choose an iClient of cloud china" in answer.sentence


def test_what_would_be_lost_is_marked_for_the_script_that_asks(web: WebHouse) -> None:
    browser = web.signed_in()
    assert 'data-guard="unsaved"' not in browser.get(FORM).text
    for go in ("test", "http", "close"):
        assert 'data-guard="unsaved"' in press(web, browser, go, **filled(web, name="")).text, go


def test_nobody_leaves_for_the_provider_where_the_preflight_fails(web: WebHouse, sandbox: Sandbox) -> None:
    with web.installation.store.writing() as there:
        there.iclients.save(replace(there.iclients.get("sandbox-app"), name="unknown", client_id="no-such-app"))
    page = press(web, web.signed_in(), "authorize", **filled(web, iclient="unknown"))
    assert page.status_code == 200
    assert "The consent of connection mine cannot end well" in page.text
    assert "Connection mine is saved." in page.text
    assert 'action="/connections/mine/edit"' in page.text, "from now on the form changes it"
    assert stored(web) is not None


def test_the_fields_stand_in_the_order_that_integrators_know(web: WebHouse) -> None:
    page = web.signed_in().get(FORM).text
    labels = (
        "Name your connection",
        "API type",
        "OAuth 2.0 client<",
        "How to retrieve the client ID and client secret",
        "Scopes<",
        "How to configure scopes",
        "Vault URL",
        "Tenant ID",
        "Advanced",
        "Authentication type",
        "API version",
        "Limits",
        "Ping",
        "Save &amp; authorize",
        "Save &amp; close",
        "</svg>Test connection",
    )
    main = page[page.index('id="connection"') :]
    places = [main.index(label) for label in labels]
    assert places == sorted(places), list(zip(labels, places, strict=True))


def test_names_that_are_markup_stay_words(web: WebHouse) -> None:
    browser = web.signed_in()
    page = press(
        web,
        browser,
        "close",
        **filled(web, name=POLYGLOT, owner=POLYGLOT, scopes=POLYGLOT, **{"limits.calls": POLYGLOT}),
    )
    assert page.status_code == 422
    assert "<img src=x" not in page.text and "onerror=alert(1)&gt;" in page.text
    for path in (f"{NEW}?q={POLYGLOT}", f"/new/iclient?q={POLYGLOT}", f"{FORM}&draft={POLYGLOT}"):
        assert "<img src=x" not in browser.get(path).text, path


def test_pages_of_the_form_hold_no_inline_script_or_style(web: WebHouse) -> None:
    browser = web.signed_in()
    for path in (NEW, FORM, "/connections/contoso/edit", "/new/iclient", "/new/iclient?provider=auth0"):
        page = browser.get(path)
        assert page.status_code == 200
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", page.text), path
        assert "'unsafe" not in page.headers["Content-Security-Policy"]


def test_readers_get_no_form(web: WebHouse) -> None:
    reader = web.signed_in("ben", READER)
    for path in (NEW, FORM, "/connections/contoso/edit", "/new/iclient", "/iclients/sandbox-app/edit"):
        assert reader.get(path).status_code == 403, path
    assert press(web, reader, "close", **filled(web)).status_code == 403


def test_a_connector_that_is_not_installed_has_no_form(web: WebHouse) -> None:
    assert web.signed_in().get(f"{NEW}?connector=nobody").status_code == 404
    assert press(web, web.signed_in(), "close", connector="nobody").status_code == 404


class Strange(Connector):
    """A connector that nobody here has seen."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        name="strange",
        title="Strange system",
        summary="Something else.",
        auth_types=("client_credentials",),
        api_types=("control", "data"),
        settings=(
            Setting("region", "Region", "Which region it is in.", default="eu", pattern="[a-z]{2}"),
            Setting(
                "vault_url",
                "Cupboard",
                "Where its cupboard is, such as https://c.test.",
                kind="url",
                api_types=("data",),
            ),
            Setting("is_strict", "Strict", "Refuses more.", kind="boolean", default=True),
            Setting("base_url", "Base URL", "Where it is, such as https://strange.test.", kind="url", required=True),
            Setting("page_rows", "Rows a page", "how many at once", kind="integer", default=100),
            Setting("is_quiet", "Quiet", "Tells nobody.", kind="boolean"),
            Setting("place", "Place", "Somewhere.", kind="folder"),
        ),
    )


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names, connector = registry.names, registry.connector
    monkeypatch.setattr(registry, "names", lambda: [*names(), "strange"])
    monkeypatch.setattr(registry, "connector", lambda name: Strange if name == "strange" else connector(name))
    yield


@pytest.mark.usefixtures("strange")
def test_a_connector_that_nobody_has_seen_gets_a_whole_form(web: WebHouse) -> None:
    browser = web.signed_in()
    assert "Strange system" in browser.get(NEW).text
    page = browser.get(f"{NEW}?connector=strange")
    for words in (
        "Base URL",
        "Rows a page",
        "Quiet",
        "Place",
        "How many at once.",
        "https://strange.test",
        "Save &amp; test",
        "Region",
        "Create, update or delete what Strange system consists of",
        'name="settings.is_strict" value="yes" checked',
        'class="for-plane for-data"',
    ):
        assert words in page.text, words
    assert "Key Vault" not in page.text and "Tenant ID" not in page.text, "what another system's form has"
    typed = {
        "connector": "strange",
        "name": "odd",
        "api_type": "data",
        "iclient": "sandbox-app",
        "auth": "client_credentials",
        "scopes": APP_SCOPE,
    }
    wrong = press(
        web,
        browser,
        "close",
        **typed,
        **{"settings.page_rows": "many", "settings.place": "here", "settings.region": "Europe"},
    )
    assert told(wrong) == {
        "settings.region": "Region cannot be this: write it such as eu.",
        "settings.base_url": "Base URL is missing: fill it in.",
        "settings.page_rows": "Rows a page is not a whole number.",
        "settings.place": "Place is not a whole path: begin it with /.",
    }
    right = {"settings.base_url": "https://strange.test", "settings.page_rows": "5", "settings.is_quiet": "yes"}
    right["settings.vault_url"] = "https://c.test"
    asked = press(web, browser, "close", **typed, **right)
    assert "type its client secret again to allow that" in told(asked)["credential_again"]
    assert stored(web, "odd") is None
    answer = press(web, browser, "close", **typed, **right, credential_again=web.sandbox.client_secret)
    assert answer.status_code == 303, told(answer)
    kept = stored(web, "odd")
    assert kept is not None
    assert dict(kept.settings) == {
        "base_url": "https://strange.test",
        "vault_url": "https://c.test",
        "page_rows": 5,
        "is_quiet": True,
        "is_strict": False,
    }


def test_a_folder_of_files_needs_neither_iclient_nor_scopes(web: WebHouse, tmp_path: Path) -> None:
    browser = web.signed_in()
    page = browser.get(f"{NEW}?connector=files")
    assert "Scopes" not in page.text and "OAuth" not in page.text
    (tmp_path / "out").mkdir()
    typed = {"connector": "files", "name": "out", "settings.folder": str(tmp_path / "out")}
    assert "out" in press(web, browser, "test", **typed).text
    assert press(web, browser, "authorize", **typed).headers["Location"] == "/connections/out"
    assert web.state("out") == "online"


def test_what_can_be_chosen_depends_on_cloud_plane_and_person() -> None:
    public = BUILT_IN["public"]
    offer = of_connection("entra", public, "data", "authorization_code")
    assert offer.usual == (SCOPE,)
    assert [scope.name for scope in offer.scopes if not scope.why_not] == [SCOPE, APP_SCOPE]
    app = of_connection("entra", public, "control", "client_credentials")
    assert app.usual == ("https://management.azure.com/.default",)
    assert [scope.name for scope in app.scopes if not scope.why_not] == [*app.usual]
    assert app.scopes[-1].needs_administrator
    assert {"openid"} <= {scope.name for scope in of_provider("auth0").scopes}
    assert of_connection("github", None, "", "", ("repo",)).usual == ("repo",)
    assert of_connection("nobody", None, "", "").scopes == []


def test_the_list_tells_connector_plane_cloud_and_when_each_was_used(web: WebHouse) -> None:
    flow = {
        "name": "nightly",
        "exports": [{"connection": "contoso", "resource": "secrets"}],
        "steps": [{"import": {"connection": "fabrikam", "resource": "secrets"}}],
    }
    web.apply({**web.document(), "flows": [flow]})
    browser = web.signed_in()
    assert browser.get("/connections").text.count('<span class="none">not yet</span>') == 3
    with web.installation.store.database.writing() as db:
        flow_id = db.scalar(select(tables.flows.c.id))
        started = web.installation.clock.now() - 7200
        db.execute(insert(tables.runs).values(flow_id=flow_id, status="succeeded", started_at=started))
    page = browser.get("/connections").text
    assert page.count(">2 h ago</time>") == 2, "both of the flow's connections"
    for words in (
        '<td class="from-wide">Data plane</td>',
        '<td class="from-wide">Control plane</td>',
        '<td class="from-wide">lab</td>',
    ):
        assert words in page, words
    assert ">2 h ago</time>" in browser.get("/connections/contoso").text
