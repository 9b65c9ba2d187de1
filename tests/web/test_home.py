"""The first page: the first steps, what needs somebody, and how much was moved, day by day."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import cast
from zoneinfo import ZoneInfo

from flask.testing import FlaskClient
from sqlalchemy import insert, text
from web_house import WebHouse

from integrator.access import READER
from integrator.bootstrap import Installation
from integrator.local_azure import LocalAzure, Stands, State
from integrator.store import tables
from integrator.store.moved import MovedHour
from integrator.web.app import create_app
from integrator.web.charts import DAYS, by_day, first_hour, moved_chart

HOUR = 3600


def emptied(web: WebHouse, *nouns: str) -> None:
    with web.installation.store.database.writing() as db:
        for noun in nouns or ("connections", "iclients"):
            db.execute(text(f"delete from {noun}"))


def steps(browser: FlaskClient) -> list[str]:
    return re.findall(r'<li class="is-(done|next|later)">', browser.get("/").text)


def moved(web: WebHouse, hours_ago: int, **numbers: int) -> None:
    hour = int(web.installation.clock.now() // HOUR) - hours_ago
    with web.installation.store.database.writing() as db:
        db.execute(insert(tables.moved_by_hour).values(hour=hour, runs=1, **numbers))


def test_three_steps_are_ticked_as_they_are_done(web: WebHouse) -> None:
    browser = web.signed_in()
    assert steps(browser) == ["done", "done", "next"]
    emptied(web, "connections")
    assert steps(browser) == ["done", "next", "later"]
    emptied(web)
    assert steps(browser) == ["next", "later", "later"]
    assert "Records moved" not in browser.get("/").text


def test_without_a_local_azure_none_is_offered(web: WebHouse) -> None:
    browser = web.signed_in()
    emptied(web)
    assert "local Azure" not in browser.get("/").text
    assert web.post(browser, "/local-azure").status_code == 404
    assert web.post(web.signed_in("eve", READER), "/local-azure").status_code == 403


class Azure:
    """A local Azure that is told how it stands."""

    def __init__(self, web: WebHouse, stands: Stands, sentence: str = "") -> None:
        self.told, self.begun_by = State(stands, sentence), list[str]()
        self.browser = create_app(web.installation, cast(LocalAzure, self)).test_client()
        web.app = self.browser.application  # type: ignore[assignment]

    def state(self) -> State:
        return self.told

    def connections(self) -> list[str]:
        return ["contoso", "fabrikam", "contoso-files"]

    def begin(self, installation: Installation) -> None:
        self.begun_by.append(installation.store.actor)


def test_a_newcomer_starts_a_local_azure_with_one_click(web: WebHouse) -> None:
    azure = Azure(web, Stands.ABSENT)
    browser = web.signed_in()
    assert "Try it with a local Azure" not in browser.get("/").text  # there are connections
    web.post(browser, "/local-azure")
    assert azure.begun_by == []
    emptied(web)
    assert "Try it with a local Azure" in browser.get("/").text
    assert web.post(browser, "/local-azure").headers["Location"] == "/"
    assert azure.begun_by == ["web:ada"]
    azure.told = State(Stands.STARTING)
    starting = browser.get("/").text
    assert "A local Azure is starting" in starting
    assert '<noscript><meta http-equiv="refresh"' in starting


def test_only_administrators_start_a_local_azure(web: WebHouse) -> None:
    azure = Azure(web, Stands.ABSENT)
    emptied(web)
    reader = web.signed_in("eve", READER)
    page = reader.get("/").text
    assert "An administrator can start it here" in page
    assert "Try it with a local Azure" not in page
    assert web.post(reader, "/local-azure").status_code == 403
    assert azure.begun_by == []


def test_a_local_azure_says_how_it_stands(web: WebHouse) -> None:
    azure = Azure(web, Stands.RUNNING)
    browser = web.signed_in()
    page = browser.get("/").text
    assert "Made-up secrets" in page
    assert "Start it again" not in page
    azure.told = State(Stands.STOPPED, "the port <b>1</b> is taken.")
    page = browser.get("/").text
    assert "The port &lt;b&gt;1&lt;/b&gt; is taken." in page
    assert "Start it again" in page
    web.post(browser, "/local-azure")
    assert azure.begun_by == ["web:ada"]


def test_what_went_wrong_today_stands_on_the_first_page(web: WebHouse) -> None:
    browser, now = web.signed_in(), web.installation.clock.now()
    with web.installation.store.database.writing() as db:
        flow_id = db.execute(
            insert(tables.flows).values(name="broken", document="{}").returning(tables.flows.c.id)
        ).scalar_one()
        for ended in (now - 60, now - 3 * 24 * HOUR):
            db.execute(insert(tables.runs).values(flow_id=flow_id, status="failed", started_at=ended, ended_at=ended))
    page = browser.get("/").text
    assert page.count('href="/runs/1"') == 2
    assert page.count('href="/runs/2"') == 1


def test_what_went_wrong_waits_for_nobody_once_the_flow_has_succeeded(web: WebHouse) -> None:
    browser, now = web.signed_in(), web.installation.clock.now()
    with web.installation.store.database.writing() as db:
        flow_id = db.execute(
            insert(tables.flows).values(name="broken", document="{}").returning(tables.flows.c.id)
        ).scalar_one()
        ran = {"flow_id": flow_id, "started_at": now - 60, "ended_at": now - 60}
        db.execute(insert(tables.runs).values(**ran, status="failed"))
    assert "need attention" in browser.get("/").text
    with web.installation.store.database.writing() as db:
        one = {"retry_of": 1, "retry_only": '{"key": "a"}'}
        db.execute(insert(tables.runs).values(**ran, **one, status="succeeded"))
    assert "need attention" in browser.get("/").text
    with web.installation.store.database.writing() as db:
        db.execute(insert(tables.runs).values(**ran, status="succeeded"))
    assert "need attention" not in browser.get("/").text


def test_the_chart_shows_what_was_moved_and_tells_it_as_a_table(web: WebHouse) -> None:
    browser = web.signed_in()
    assert "Nothing was moved in the last 14 days" in browser.get("/").text
    moved(web, 0, moved=1200, unchanged=7, failed=30)
    moved(web, 24 * 20, moved=99_999)
    page = browser.get("/").text
    assert "1,200 moved" in page
    assert "30 failed" in page
    assert "99,999" not in page
    assert page.count('<th scope="row">') == DAYS
    assert '<svg class="chart is-wide"' in page
    assert "<title id=" in page
    assert "<desc id=" in page
    assert not re.search(r" style=|<style|<script>", page)


def test_days_are_those_of_whoever_looks() -> None:
    now = datetime(2026, 11, 12, 20, tzinfo=UTC).timestamp()
    late = MovedHour(int(datetime(2026, 11, 11, 23, tzinfo=UTC).timestamp()), 1, 5, 0, 0)
    in_utc = {day.day.day: day.moved for day in by_day([late], now, UTC)}
    in_berlin = {day.day.day: day.moved for day in by_day([late], now, ZoneInfo("Europe/Berlin"))}
    assert (in_utc[11], in_utc[12]) == (5, 0)
    assert (in_berlin[11], in_berlin[12]) == (0, 5)
    assert len(in_utc) == DAYS
    assert first_hour(now, UTC) == datetime(2026, 10, 30, tzinfo=UTC).timestamp()


def test_a_day_with_a_change_of_the_clock_is_one_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = datetime(2026, 10, 26, 12, tzinfo=UTC).timestamp()
    first = int(first_hour(now, berlin))
    hours = [MovedHour(at, 1, 1, 0, 0) for at in range(first, int(now) + 1, HOUR)]
    days = by_day(hours, now, berlin)
    assert {day.day.day: day.moved for day in days}[25] == 25
    assert sum(day.moved for day in days) == len(hours)


def test_a_chart_of_little_and_of_much_is_drawn() -> None:
    now = datetime(2026, 11, 12, 20, tzinfo=UTC).timestamp()
    for many in (0, 1, 3, 10**9):
        wide, narrow = moved_chart(by_day([MovedHour(int(now), 1, many, 0, many)], now, UTC))
        assert wide.count("<rect") == narrow.count("<rect") == 2 * DAYS + 1
        assert "nan" not in wide.lower()
        assert "style" not in wide
