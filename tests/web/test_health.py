"""The Health page and what probes ask: whether flows that are due begin, and what keeps them from it."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from web_house import WebHouse

from connectors.model import Connection
from flows.model import Export, Flow, Import, Schedule
from integrator.store import tables
from integrator.vitals import Vitals, the_only_server
from integrator.worker import Worker, working

FLOW = Flow("nightly", (Export("here", "in.csv"),), (Import("here", "out.csv"),), Schedule("0 3 * * *"))


def ready(web: WebHouse) -> tuple[int, str]:
    answer = web.browser().get("/health/ready")
    return answer.status_code, answer.json["status"]


def test_a_process_without_a_worker_is_ready_when_its_database_answers(web: WebHouse) -> None:
    assert ready(web) == (200, "ready")
    assert web.browser().get("/health/live").json == {"status": "live"}


def test_a_process_whose_worker_works_is_ready(web: WebHouse) -> None:
    with working(web.installation) as worker:
        web.installation.vitals = worker.vitals
        assert ready(web) == (200, "ready")
        page = web.signed_in().get("/health").text
    assert "8 threads, 0 busy" in page


@pytest.mark.parametrize(
    ("vitals", "words"), [(Vitals(8, 0, 0, 0.1), "thread"), (Vitals(8, 8, 0, 45.0), "for 45 seconds")]
)
def test_a_process_whose_worker_stands_still_is_not_ready_and_says_why(
    web: WebHouse, vitals: Vitals, words: str
) -> None:
    web.installation.vitals = lambda: vitals
    status, told = ready(web)
    assert status == 503
    assert words in told
    assert web.browser().get("/health/live").status_code == 200
    assert "Needs attention" in web.signed_in().get("/health").text


def test_a_worker_whose_threads_have_ended_says_so(web: WebHouse) -> None:
    worker = Worker(web.installation, threads=2)
    worker.queue.close()
    worker.is_stopping = True
    worker.start()
    worker.join()
    web.installation.vitals = worker.vitals
    assert ready(web) == (503, "every thread of the worker has ended")


def test_a_database_that_does_not_answer_is_not_ready(web: WebHouse) -> None:
    web.installation.store.close()
    for path in (web.folder / "home").glob("integrator.db*"):
        if path.is_file():
            path.write_bytes(b"not a database at all" * 100)
    assert ready(web) == (503, "the database does not answer")


def test_probes_wait_for_no_writer(web: WebHouse) -> None:
    browser = web.signed_in()
    with web.installation.store.database.writing():
        assert ready(web) == (200, "ready")
        assert browser.get("/health").status_code == 200
        assert browser.get("/health/checks").status_code == 200


def test_the_page_tells_of_worker_schedule_database_keys_and_plugins(web: WebHouse) -> None:
    with web.installation.store.writing() as stored:
        stored.flows.save(FLOW)
    page = web.signed_in().get("/health").text
    for words in ("No server runs", "1 flow on a schedule", "integrator.db", "Only by its owner", "seal.key", "files"):
        assert words in page, words
    assert "start `integrator serve`" in page.replace("&#96;", "`")
    with the_only_server(web.installation.store):
        page = web.signed_in().get("/health").text
    assert "1 server on this database" in page
    assert "no server runs" not in page


def test_a_flow_that_should_have_begun_is_late(web: WebHouse) -> None:
    with web.installation.store.writing() as stored:
        stored.flows.save(FLOW)
        stored.flows.plan({stored.flows.id_of("nightly"): int(web.installation.clock.now()) - 120})
    assert "1 flow is late by a minute or more" in web.signed_in().get("/health").text


def test_what_reads_every_row_comes_after_the_first_paint_and_without_a_script_as_a_page(web: WebHouse) -> None:
    browser = web.signed_in()
    first = browser.get("/health").text
    assert 'hx-get="/health/checks"' in first
    assert "sealed values open" not in first
    part = browser.get("/health/checks", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "sealed values open" in part
    assert 'hx-swap-oob="true"' in part
    whole = browser.get("/health/checks").text
    assert "<html" in whole
    assert "sealed values open" in whole
    assert 'hx-get="/health/checks"' not in whole


def test_a_row_that_cannot_be_read_is_told_and_breaks_nothing(web: WebHouse) -> None:
    with web.installation.store.database.writing() as db:
        db.execute(update(tables.connections).values(document="{"))
        db.execute(update(tables.iclients).values(document="[]", credential="v1:x:broken"))
    page = web.signed_in().get("/health/checks").text
    assert "cannot be read" in page
    assert "does not open" in page or "do not open" in page


def test_of_very_many_things_that_are_wrong_some_are_shown(web: WebHouse) -> None:
    with web.installation.store.writing() as stored:
        for number in range(70):
            stored.connections.save(Connection(f"old{number:02}", "long-gone"))
    page = web.signed_in().get("/health/checks").text
    assert page.count("There is no connector") == 10
    assert "more need attention" in page
