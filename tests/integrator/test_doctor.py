"""What the doctor finds, also where rows are damaged or many, and how often it asks the database for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import event, update
from sqlalchemy.engine import Engine

from connectors.model import Connection
from flows.model import Export, Flow, Import, Schedule
from iclients.model import IClient
from integrator.bootstrap import Installation
from integrator.config import Config
from integrator.doctor import examine
from integrator.store import tables
from integrator.vitals import the_only_server

FLOW = Flow("nightly", (Export("here", "in.csv"),), (Import("here", "out.csv"),), Schedule("0 3 * * *"))


@pytest.fixture
def here(config: Config) -> Iterator[Installation]:
    with Installation(config) as opened:
        yield opened


def wrong(here: Installation) -> dict[str, str]:
    return {finding.subject: finding.sentence for finding in examine(here) if not finding.is_ok}


def save(here: Installation, many: int, first: int = 0) -> None:
    with here.store.writing() as stored:
        for number in range(first, first + many):
            stored.iclients.save(IClient(f"app{number}", "entra", "c"))
            stored.connections.save(Connection(f"c{number}", "files", settings={"folder": "/out"}))


def test_a_new_installation_is_sound(here: Installation) -> None:
    assert wrong(here) == {}


def test_a_flow_that_is_to_start_by_itself_needs_a_server(here: Installation) -> None:
    with here.store.writing() as stored:
        stored.flows.save(FLOW)
    assert wrong(here) == {"schedule": "1 flow is to start by itself, and no server runs: start `integrator serve`."}
    with the_only_server(here.store):
        assert wrong(here) == {}
    with here.store.writing() as stored:
        stored.flows.pause("nightly", "paused by a person", 1.0)
    assert wrong(here) == {}


@pytest.mark.parametrize("document", ["", "{", "[]", "null", '{"name": 7}', '{"name": "c0", "settings": []}'])
def test_a_document_that_cannot_be_read_is_a_finding_and_hides_no_other(here: Installation, document: str) -> None:
    save(here, 2)
    with here.store.database.writing() as db:
        db.execute(update(tables.connections).where(tables.connections.c.name == "c0").values(document=document))
        db.execute(update(tables.iclients).where(tables.iclients.c.name == "app0").values(document=document))
    found = wrong(here)
    assert "cannot be read" in found["connection c0"]
    assert "cannot be read" in found["iClient app0"]
    assert "has no credential" in found["iClient app1"]


def test_a_connection_of_a_connector_that_is_gone_is_a_finding(here: Installation) -> None:
    save(here, 1)
    with here.store.writing() as stored:
        stored.connections.save(Connection("old", "long-gone"))
    assert "There is no connector long-gone" in wrong(here)["connection old"]


def test_runs_that_wait_are_no_finding_and_those_that_were_left_are(here: Installation) -> None:
    with here.store.writing() as stored:
        stored.flows.save(FLOW)
        run = stored.runs.start("nightly")
    with the_only_server(here.store):
        assert wrong(here) == {}
        with here.store.writing() as stored:
            stored.runs.claim(run.id)
        with here.store.locks.hold(run.id):
            assert wrong(here) == {}
        assert "was left by its process" in wrong(here)[f"run {run.id}"]


def test_it_asks_no_more_often_because_there_is_more(here: Installation) -> None:
    save(here, 2)
    few = asked(here)
    save(here, 40, first=2)
    assert asked(here) == few


def asked(here: Installation) -> int:
    statements: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        examine(here)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return len(statements)
