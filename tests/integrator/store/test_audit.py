from __future__ import annotations

import os
import pwd
from dataclasses import replace

import pytest

from connectors.model import Connection
from flows.model import Flow
from iclients.credentials import ClientSecret
from iclients.model import IClient
from iclients.secret import Secret
from iclients.testing import MovableClock
from integrator.config import Config
from integrator.errors import InUse, NotFoundHere
from integrator.store.named import Saved
from integrator.store.store import Store


def _actions(store: Store) -> list[tuple[str, str, str]]:
    """Action, noun and name of every row, the oldest first."""
    with store.reading() as stored:
        return [(row.action, row.noun, row.name) for row in reversed(stored.audit.list())]


def test_every_change_of_a_noun_says_who_changed_what_and_when(config: Config, clock: MovableClock) -> None:
    with Store.open(config, actor="web:ada", clock=clock) as store:
        with store.writing() as stored:
            stored.iclients.save(IClient("app", "entra", "id"))
        with store.reading() as stored:
            (row,) = stored.audit.list()
            assert stored.audit.get(row.id) == row
    assert row.document() == {
        "id": 1,
        "at": "2027-01-15T08:00:00+00:00",
        "actor": "web:ada",
        "action": "created",
        "noun": "iClient",
        "name": "app",
        "detail": {},
    }


def test_whoever_works_at_the_command_line_is_named_as_the_system_knows_them(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    with Store.open(config) as store:
        assert store.actor == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


def test_a_user_without_a_name_is_told_by_number(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with Store.open(config) as store:
        assert store.actor == f"cli:{2**31 - 7}"


def test_what_changed_is_told_by_its_name_and_never_by_its_value(store: Store) -> None:
    app = IClient("app", "entra", "id", credential=ClientSecret(Secret("hunter2")))
    with store.writing() as stored:
        stored.iclients.save(app)
        stored.iclients.save(replace(app, client_id="0f0e", next_credential=ClientSecret(Secret("hunter3"))))
        updated, created = stored.audit.list()
    assert created.detail == {"changed": ["credential"]}
    assert updated.detail == {"changed": ["client_id", "next_credential"]}


def test_saving_what_is_there_already_is_no_change(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        assert stored.flows.save(flow) is Saved.UNCHANGED
    assert _actions(store) == [("created", "flow", flow.name)]


def test_deleting_is_told_and_a_refused_deletion_is_not(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        stored.connections.save(Connection("vault", "files"))
    with pytest.raises(InUse), store.writing() as stored:
        stored.connections.delete("vault")
    with store.writing() as stored:
        stored.flows.delete(flow.name)
        stored.connections.delete("vault")
    assert _actions(store)[-2:] == [("deleted", "flow", flow.name), ("deleted", "connection", "vault")]


def test_a_change_that_is_taken_back_leaves_no_row(store: Store) -> None:
    with pytest.raises(RuntimeError), store.writing() as stored:
        stored.connections.save(Connection("vault", "files"))
        raise RuntimeError
    assert _actions(store) == []


def test_rows_are_read_newest_first_and_page_by_page(store: Store) -> None:
    with store.writing() as stored:
        for number in range(5):
            stored.audit.record("did", "connection", str(number), {"number": number})
        newest = stored.audit.list(limit=2)
        assert [row.name for row in newest] == ["4", "3"]
        assert [row.detail for row in stored.audit.list(limit=2, before=newest[-1].id)] == [
            {"number": 2},
            {"number": 1},
        ]


def test_a_row_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no audit row 7: `integrator audit list`"), store.reading() as stored:
        stored.audit.get(7)
