"""Housekeeping: done whole, any number of times, by a clock that the test moves."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from web_house import PUBLIC_URL, WebHouse

from connectors.azure_key_vault.sandbox import Sandbox
from iclients.clock import Stopped
from iclients.testing import MovableClock
from integrator.consenting import Consenting
from integrator.housekeeping import HouseKept, keep_house
from integrator.scheduler import keep_house_once, scheduled

DAY = 86_400.0
NOTHING = HouseKept()


@pytest.fixture
def clock(web: WebHouse) -> MovableClock:
    made = MovableClock(web.installation.clock.now())
    web.installation.clock = made
    return made


def test_where_nothing_is_to_do_nothing_is_done(web: WebHouse) -> None:
    assert keep_house(web.installation) == NOTHING
    assert not NOTHING.anything


def test_states_that_are_over_for_a_day_are_forgotten(web: WebHouse, clock: MovableClock) -> None:
    Consenting(web.installation).begin("contoso", f"{PUBLIC_URL}/callback")
    clock.advance(DAY - 60)
    assert keep_house(web.installation).forgotten == 0
    clock.advance(120)
    assert keep_house(web.installation).forgotten == 1
    assert keep_house(web.installation) == NOTHING


def test_a_consent_that_idles_for_a_week_is_used_once(web: WebHouse, clock: MovableClock, sandbox: Sandbox) -> None:
    web.consented()
    sandbox.reset_calls()
    clock.advance(7 * DAY)
    assert keep_house(web.installation).kept_alive == 0
    clock.advance(DAY)
    before = web.kept().version
    assert keep_house(web.installation).kept_alive == 1
    assert web.kept().version == before + 1
    assert sandbox.calls()["entra"]["refresh_token"] == 1
    assert keep_house(web.installation).kept_alive == 0
    clock.advance(8 * DAY)
    assert keep_house(web.installation).kept_alive == 1


def test_a_consent_that_is_refused_needs_authorization_and_its_owner_is_told(
    web: WebHouse, clock: MovableClock, sandbox: Sandbox
) -> None:
    web.consented()
    sandbox.entra.revoke("ada")
    sandbox.clock.advance(1)
    clock.advance(8 * DAY)
    assert keep_house(web.installation).refused == 1
    assert web.state() == "needs authorization"
    with web.installation.store.reading() as stored:
        assert [(notice.key, notice.owner) for notice in stored.notices.list()] == [
            ("authorization/contoso", "grace@contoso.test")
        ]


def test_a_consent_that_cannot_be_asked_about_is_left_for_the_next_time(
    web: WebHouse, clock: MovableClock, sandbox: Sandbox
) -> None:
    web.consented()
    clock.advance(8 * DAY)
    sandbox.faults.add("503", host="entra", times=50)
    assert keep_house(web.installation).left == 1
    assert web.state() == "online"
    sandbox.faults.clear()
    assert keep_house(web.installation).kept_alive == 1


def test_an_ending_credential_is_told_once_for_each_lead_time(web: WebHouse, clock: MovableClock) -> None:
    ends_on = datetime.fromtimestamp(clock.now(), UTC).date() + timedelta(days=20)
    expiring(web, ends_on)
    assert keep_house(web.installation).told == 1
    assert keep_house(web.installation).told == 0
    clock.advance(14 * DAY)
    assert keep_house(web.installation).told == 1
    with web.installation.store.reading() as stored:
        keys = {notice.key for notice in stored.notices.list()}
    assert keys == {f"expiry/sandbox-app/credential/{ends_on.isoformat()}/{lead}" for lead in (30, 7)}


def test_a_process_that_is_to_end_stops_between_two_consents(web: WebHouse, clock: MovableClock) -> None:
    web.consented()
    clock.advance(8 * DAY)
    clock.stop()
    with pytest.raises(Stopped):
        keep_house(web.installation)
    keep_house_once(web.installation)


def test_a_defect_of_housekeeping_is_one_line_without_its_text(
    web: WebHouse, clock: MovableClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*arguments: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("integrator.housekeeping.endings", defect)
    keep_house_once(web.installation)
    assert "RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_the_scheduler_begins_at_once_and_ends_with_its_block(web: WebHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()
    monkeypatch.setattr("integrator.scheduler.keep_house_once", lambda installation: begun.set())
    with scheduled(web.installation):
        assert begun.wait(10)
    assert web.installation.clock.is_stopped
    assert [thread.name for thread in threading.enumerate() if "APScheduler" in thread.name] == []


def expiring(web: WebHouse, ends_on: date) -> None:
    document = web.document()
    secret = document["iclients"][0]["credential"]["client_secret"]
    document["iclients"][0]["credential"] = {"client_secret": secret, "expires": ends_on}
    web.apply(document)
