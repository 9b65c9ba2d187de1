"""The list of flows, a flow's page, and running a flow by hand from the web."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from web_house import WebHouse, title

from flows.model import RunStatus
from integrator.access import READER
from integrator.queue import EmbeddedQueue
from integrator.standing import NEEDS_AUTHORIZATION
from integrator.store import tables
from integrator.store.flows import BY_HAND
from integrator.store.runs import Run
from integrator.worker import Worker

NIGHTLY = {"cron": "0 3 * * 1-5", "timezone": "Europe/Berlin"}


@pytest.fixture
def browser(web: WebHouse) -> Iterator[FlaskClient]:
    web.apply({"version": 1, **furniture(web)})
    yield web.signed_in()


def furniture(web: WebHouse) -> dict[str, object]:
    """A folder, and two flows in it: one at night, one by hand."""
    folder = web.folder / "files"
    folder.mkdir()
    (folder / "in.csv").write_text("name,value\na,1\nb,2\n")
    rule = [{"to": "name", "from": "name"}, {"to": "value", "from": "value"}]

    def flow(name: str, source: str, target: str) -> dict[str, object]:
        into = {"connection": "here", "resource": target, "plaintext": True, "mapping": rule}
        export = {"connection": "here", "resource": source, "values": True}
        return {"name": name, "exports": [export], "steps": [{"import": into}]}

    return {
        "connections": [{"name": "here", "connector": "files", "settings": {"folder": str(folder)}}],
        "flows": [flow("copy", "in.csv", "out.csv"), {**flow("nightly", "out.csv", "more.csv"), "schedule": NIGHTLY}],
    }


def runs(web: WebHouse, flow: str = "copy") -> list[Run]:
    with web.installation.store.reading() as stored:
        return stored.runs.newest(flow=flow)


def past_run(web: WebHouse, flow: str, status: str, read: int = 0, failed: int = 0, error: str = "") -> None:
    progress = json.dumps({"counts": {"read": read, "failed": failed}})
    with web.installation.store.writing() as stored:
        flow_id = stored.flows.id_of(flow)
    with web.installation.store.database.writing() as db:
        values = {"status": status, "progress": progress, "error_message": error, "started_at": 1.0, "ended_at": 2.0}
        db.execute(insert(tables.runs).values(flow_id=flow_id, **values))


def work(web: WebHouse) -> None:
    """Carry out the run that waits, as a worker does."""
    worker = Worker(web.installation, threads=0)
    claimed = worker.queue.take()
    assert claimed is not None
    worker.execute(claimed)


def names(page: str) -> list[str]:
    return re.findall(r'class="row-link" href="/flows/([^"]+)"', page)


def test_run_now_puts_a_run_in_line_and_goes_to_its_page(web: WebHouse, browser: FlaskClient) -> None:
    answer = web.post(browser, "/flows/copy/run")
    (run,) = runs(web)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/runs/{run.id}")
    assert (run.status, run.due, run.started_by) == (RunStatus.WAITING, None, "web:ada")
    work(web)
    assert runs(web)[0].status is RunStatus.SUCCEEDED
    assert (web.folder / "files" / "out.csv").read_text() == "name,value\na,1\nb,2\n"


def test_workers_of_this_process_are_woken_once_the_run_is_committed(web: WebHouse, browser: FlaskClient) -> None:
    class Bell(EmbeddedQueue):
        rung = 0

        def committed(self) -> None:
            assert len(runs(web)) == 1
            self.rung += 1

    bell = web.installation.queue = Bell(web.installation.store)
    web.post(browser, "/flows/copy/run")
    assert bell.rung == 1


@pytest.mark.parametrize("status", ["waiting", "running"])
def test_run_now_is_refused_with_a_link_while_a_run_is_not_over(
    web: WebHouse, browser: FlaskClient, status: str
) -> None:
    web.post(browser, "/flows/copy/run")
    with web.installation.store.database.writing() as db:
        db.execute(update(tables.runs).values(status=status))
    answer = web.post(browser, "/flows/copy/run")
    assert (answer.status_code, title(answer)) == (409, "copy has a run that is not over")
    assert f'href="/runs/{runs(web)[0].id}"' in answer.text
    assert len(runs(web)) == 1
    page = browser.get("/flows/copy").text
    assert "See run" in page
    assert 'action="/flows/copy/run"' not in page


def test_a_flow_that_a_person_paused_runs_by_hand(web: WebHouse, browser: FlaskClient) -> None:
    web.post(browser, "/flows/copy/pause")
    assert web.post(browser, "/flows/copy/run").status_code == 303
    work(web)
    assert runs(web)[0].status is RunStatus.SUCCEEDED
    assert "This flow is paused" in browser.get("/flows/copy").text


def test_a_run_of_the_schedule_waits_on_while_its_flow_is_paused(web: WebHouse, browser: FlaskClient) -> None:
    with web.installation.store.writing() as stored:
        flow_id = stored.flows.id_of("nightly")
        stored.flows.pause("nightly", BY_HAND, 1.0)
    with web.installation.store.database.writing() as db:
        db.execute(insert(tables.runs).values(flow_id=flow_id, status="waiting", due=5))
    with web.installation.store.reading() as stored:
        assert stored.runs.line.first(10.0) is None


def test_a_flow_whose_connection_must_be_authorized_is_not_run(web: WebHouse, browser: FlaskClient) -> None:
    web.post(browser, "/flows/nightly/run")
    with web.installation.store.writing() as stored:
        stored.flows.pause("copy", NEEDS_AUTHORIZATION, 1.0)
        stored.flows.pause("nightly", NEEDS_AUTHORIZATION, 1.0)
        assert stored.runs.line.first(10.0) is None  # what waits already waits on
    answer = web.post(browser, "/flows/copy/run")
    assert (answer.status_code, title(answer)) == (409, "copy waits for a connection")
    assert 'href="/connections?state=needs+authorization"' in answer.text
    assert runs(web) == []


def test_readers_run_nothing(web: WebHouse, browser: FlaskClient) -> None:
    reader = web.signed_in("eve", READER)
    assert web.post(reader, "/flows/copy/run").status_code == 403
    assert runs(web) == []


def test_no_flow_of_that_name_is_told(web: WebHouse, browser: FlaskClient) -> None:
    assert web.post(browser, "/flows/none/run").status_code == 404
    assert browser.get("/flows/none").status_code == 404


def test_the_page_says_from_where_to_where_and_when(web: WebHouse, browser: FlaskClient) -> None:
    page = browser.get("/flows/nightly").text
    assert "All of out.csv" in page
    assert "Upsert into more.csv, values in plain text" in page
    assert "2 fields" in page
    assert "At 03:00, Monday to Friday (Europe/Berlin)" in page
    assert page.count("<li><time") == 5
    assert 'role="switch" aria-checked="true"' in page
    assert "reads what this flow writes" in browser.get("/flows/copy").text


def test_a_paused_flow_has_no_next_run(web: WebHouse, browser: FlaskClient) -> None:
    web.post(browser, "/flows/nightly/pause")
    page = browser.get("/flows/nightly").text
    assert "None while it is paused" in page
    assert "<li><time" not in page
    assert 'aria-checked="false"' in page


def test_the_last_ten_runs_are_bars_with_names(web: WebHouse, browser: FlaskClient) -> None:
    for number in range(12):
        past_run(web, "copy", "failed" if number == 5 else "succeeded", read=number * 10)
    page = browser.get("/flows/copy").text
    bars = re.findall(r'class="bar is-(\w+)" href="/runs/(\d+)" aria-label="([^"]+)".*?height="(\d+)"', page)
    assert [int(run) for _, run, _, _ in bars] == list(range(3, 13))
    assert bars[-1] == ("good", "12", bars[-1][2], "40")
    assert bars[-1][2].startswith("Run 12: Succeeded, 110 records")
    assert bars[3][0] == "bad"
    assert int(bars[0][3]) < int(bars[5][3])
    assert "All 12 runs" in page
    assert " style=" not in page


def test_the_last_error_stands_on_top_with_its_next_step_until_the_next_run(
    web: WebHouse, browser: FlaskClient
) -> None:
    past_run(web, "copy", "failed", error="The folder is full: make room.")
    page = browser.get("/flows/copy").text
    assert "The folder is full: make room." in page
    assert "What to do next" in page
    web.post(browser, "/flows/copy/run")
    assert "The folder is full" not in browser.get("/flows/copy").text
    work(web)
    assert "The folder is full" not in browser.get("/flows/copy").text


def test_records_that_did_not_arrive_are_told(web: WebHouse, browser: FlaskClient) -> None:
    past_run(web, "copy", "completed with errors", read=10, failed=3)
    assert "3 of 10 records did not arrive" in browser.get("/flows/copy").text


def test_the_list_tells_the_schedule_in_words_and_the_last_result(web: WebHouse, browser: FlaskClient) -> None:
    past_run(web, "copy", "failed")
    page = browser.get("/flows").text
    assert 'title="at 03:00, Monday to Friday (Europe/Berlin)">At 03:00, Monday to Friday<' in page
    assert re.search(r'<time datetime="[^"]+" title="[^"]+">in ', page)
    assert "By hand only" in page
    assert "Has not run" in page
    for action in ("copy/run", "nightly/pause", "copy/delete"):
        assert f'"/flows/{action}"' in page
    assert 'href="/runs?flow=copy"' in page


def test_the_list_is_filtered_by_state_and_last_result_and_sorted(web: WebHouse, browser: FlaskClient) -> None:
    past_run(web, "copy", "failed")
    past_run(web, "copy", "succeeded")

    def found(query: str) -> list[str]:
        return names(browser.get(f"/flows?{query}").text)

    assert found("last=succeeded") == ["copy"]
    assert found("last=failed") == []
    assert found("last=never") == ["nightly"]
    assert found("state=on") == ["nightly"]
    assert found("state=by+hand") == ["copy"]
    assert found("sort=next") == ["nightly", "copy"]
    assert found("sort=-last") == ["copy", "nightly"]
    assert found("q=here") == ["copy", "nightly"]
    assert found("state=strange&last=strange") == []
    web.post(browser, "/flows/nightly/pause")
    assert found("state=paused") == ["nightly"]


def test_what_a_row_does_comes_back_to_the_list(web: WebHouse, browser: FlaskClient) -> None:
    assert web.post(browser, "/flows/copy/pause", back="list").headers["Location"] == "/flows"
    assert web.post(browser, "/flows/copy/resume", back="//evil.test").headers["Location"] == "/flows/copy"


def test_a_flow_of_a_connector_that_has_gone_is_shown_all_the_same(web: WebHouse, browser: FlaskClient) -> None:
    with web.installation.store.database.writing() as db:
        db.execute(update(tables.connections).where(tables.connections.c.name == "here").values(connector="gone"))
    assert browser.get("/flows/copy").status_code == 200
