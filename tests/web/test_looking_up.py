"""The form of a connection asks the system: what there is to choose from, and whether what is typed works."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from web_house import WebHouse
from werkzeug.test import TestResponse

from connectors.errors import SettingsError
from integrator.access import READER
from integrator.cli.connections import connections
from integrator.trial import choices, tried
from integrator.turns import Turns
from integrator.web.forms import looking_up

EDIT = "/connections/arm/edit"


def typed(web: WebHouse, **more: str) -> dict[str, str]:
    scope = "https://management.azure.com/.default"
    usual = {"connector": "azure-key-vault", "api_type": "control", "iclient": "sandbox-app", "scopes": scope}
    return {**usual, "auth": "client_credentials", **more}


def looked_up(web: WebHouse, browser: FlaskClient, setting: str, path: str = EDIT, **more: str) -> TestResponse:
    data = {"form": web.proof(browser), "go": f"look-up:{setting}", **typed(web, **more)}
    return browser.post(path, data=data)


def arm(web: WebHouse, **settings: Any) -> Any:
    with web.installation.store.reading() as stored:
        connection = stored.connections.get("arm")
    return replace(connection, settings=settings)


def test_subscriptions_and_groups_are_offered_from_what_the_app_sees(web: WebHouse) -> None:
    browser = web.signed_in()
    there = choices(web.installation, arm(web), "subscription")
    assert there
    page = looked_up(web, browser, "subscription", owner="grace@contoso.test")
    assert page.status_code == 200
    for value, name in there:
        assert f'<option value="{value}">{name} ({value})</option>' in page.text
    assert 'value="grace@contoso.test"' in page.text, "what was typed stays"
    groups = choices(web.installation, arm(web, subscription=there[0][0]), "resource_group")
    page = looked_up(web, browser, "resource_group", **{"settings.subscription": there[0][0]})
    assert groups and f'<option value="{groups[0][0]}">{groups[0][1]}</option>' in page.text
    assert f'name="settings.subscription" value="{there[0][0]}"' in page.text
    with web.installation.store.reading() as stored:
        assert stored.connections.get("arm").settings == {}, "nothing is saved"


def test_what_is_typed_and_not_there_stays_chosen(web: WebHouse) -> None:
    strange = "00000000-0000-0000-0000-00000000abcd"
    page = looked_up(web, web.signed_in(), "subscription", **{"settings.subscription": strange})
    assert f'<option value="{strange}" selected>{strange}, which the app does not see</option>' in page.text


def test_a_connection_that_is_not_saved_yet_can_be_looked_up_too(web: WebHouse) -> None:
    page = looked_up(web, web.signed_in(), "subscription", "/new/connection", name="new-one")
    assert "All that the app sees" in page.text
    page = looked_up(web, web.signed_in(), "subscription", "/new/connection", iclient="")
    assert "needs an iclient" in page.text or "Fill in what is above first" in page.text


def test_what_goes_wrong_is_told_and_what_is_typed_stays(web: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = web.signed_in()
    page = looked_up(
        web, browser, "resource_group", **{"settings.subscription": "00000000-0000-0000-0000-00000000abcd"}
    )
    assert "does not see subscription" in page.text
    page = looked_up(
        web,
        browser,
        "subscription",
        auth="authorization_code",
        scopes="https://management.azure.com/user_impersonation",
    )
    assert "Nobody has consented" in page.text
    assert looked_up(web, browser, "vault_url").status_code == 404
    monkeypatch.setattr(looking_up, "TURNS", Turns(0, "look-ups"))
    assert "try again in a moment" in looked_up(web, browser, "subscription").text


def test_readers_look_nothing_up(web: WebHouse) -> None:
    assert looked_up(web, web.signed_in("ben", READER), "subscription").status_code == 403


def test_a_connector_that_offers_nothing_says_so(web: WebHouse) -> None:
    with pytest.raises(SettingsError, match="cannot say what there is for the setting vault_url"):
        choices(web.installation, arm(web), "vault_url")


def test_a_trial_tells_each_thing_that_it_looked_at(web: WebHouse) -> None:
    ping = tried(web.installation, arm(web))
    page = web.signed_in()
    told = page.post(EDIT, data={"form": web.proof(page), "go": "test", **typed(web)}).text
    assert len(ping.checks) > 1
    for check in ping.checks:
        assert check.name.capitalize() in told
    assert '<ul class="checks">' in told and "Nothing was saved" in told
    web.sandbox.faults.add(503, host="arm", times=99)
    told = page.post(EDIT, data={"form": web.proof(page), "go": "test", **typed(web)}).text
    assert 'class="is-bad"' in told


def test_the_command_line_looks_the_same_up(web: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTEGRATOR_HOME", str(web.folder / "home"))
    told = CliRunner().invoke(connections, ["choices", "arm", "subscription", "--json"])
    there = choices(web.installation, arm(web), "subscription")
    assert json.loads(told.output) == [{"value": value, "title": title} for value, title in there]
