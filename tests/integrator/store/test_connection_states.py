from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.model import Connection
from flows.model import Export, Flow, Import
from iclients.testing import MovableClock
from integrator.errors import InUse, NotFoundHere
from integrator.store.connections import State
from integrator.store.store import Store


def test_a_new_connection_is_offline(store: Store, contoso: Connection) -> None:
    with store.reading() as stored:
        assert stored.connections.state("contoso") == State("offline", "", "", None)
        assert stored.connections.state("contoso").document() == {"state": "offline"}


def test_a_state_is_told_with_its_reason_and_since_when(store: Store, contoso: Connection, clock: MovableClock) -> None:
    with store.writing() as stored:
        changed = stored.connections.set_state(
            "contoso", "needs authorization", code="invalid_grant", message="Authorize it.", at=clock.now()
        )
        assert changed
        assert stored.connections.states() == {
            "contoso": State("needs authorization", "invalid_grant", "Authorize it.", clock.now())
        }
        assert stored.connections.state("contoso").document() == {
            "state": "needs authorization",
            "state_code": "invalid_grant",
            "state_message": "Authorize it.",
            "state_since": "2027-01-15T08:00:00+00:00",
        }
        row = stored.audit.list()[0]
    detail = {"from": "offline", "to": "needs authorization", "code": "invalid_grant"}
    assert (row.action, row.noun, row.name, row.detail) == ("state", "connection", "contoso", detail)


def test_a_state_that_stays_keeps_its_moment_and_leaves_no_row(store: Store, contoso: Connection) -> None:
    with store.writing() as stored:
        assert stored.connections.set_state("contoso", "online", at=1.0)
        assert not stored.connections.set_state("contoso", "online", at=2.0)
        assert stored.connections.state("contoso").at == 1.0
        assert [row.action for row in stored.audit.list()] == ["state", "created"]


def test_another_sentence_for_the_same_state_is_kept_without_an_audit_row(store: Store, contoso: Connection) -> None:
    with store.writing() as stored:
        stored.connections.set_state("contoso", "offline", "unreachable", "It does not answer.", at=1.0)
        assert stored.connections.set_state("contoso", "offline", "unreachable", "It answers with 503.", at=2.0)
        assert stored.connections.state("contoso").message == "It answers with 503."
        assert [row.action for row in stored.audit.list()] == ["state", "created"]


def test_a_connection_whose_document_changes_is_offline_again(store: Store, contoso: Connection) -> None:
    with store.writing() as stored:
        stored.connections.set_state("contoso", "online", at=1.0)
        stored.connections.save(contoso)
        assert stored.connections.state("contoso").state == "online"
        stored.connections.save(replace(contoso, settings={"vault_url": "https://other.vault.azure.net"}))
        assert stored.connections.state("contoso").state == "offline"
        assert [row.action for row in stored.audit.list()] == ["updated", "state", "state", "created"]


def test_the_state_of_no_connection_is_told(store: Store) -> None:
    with store.writing() as stored:
        for ask in (stored.connections.state, lambda name: stored.connections.set_state(name, "online")):
            with pytest.raises(NotFoundHere, match="no connection nope"):
                ask("nope")


def test_the_flows_of_a_connection_are_those_that_read_or_write_it(store: Store, contoso: Connection) -> None:
    with store.writing() as stored:
        stored.flows.save(Flow("reads", (Export("contoso", "secrets"),), (Import("here", "o.csv"),)))
        stored.flows.save(Flow("writes", (Export("here", "i.csv"),), (Import("contoso", "secrets"),)))
        stored.flows.save(Flow("neither", (Export("here", "i.csv"),), (Import("there", "o.csv"),)))
        assert stored.connections.flows_of("contoso") == ["reads", "writes"]
        with pytest.raises(InUse, match="contoso is used by flows reads, writes: change or delete those first"):
            stored.connections.delete("contoso")


def test_a_flow_is_paused_for_a_reason_until_it_is_resumed(store: Store, flow: Flow) -> None:
    with store.writing() as stored:
        assert stored.flows.pause(flow.name, "needs authorization", 1.0)
        assert not stored.flows.pause(flow.name, "needs authorization", 2.0)
        assert stored.flows.paused() == {flow.name: "needs authorization"}
        stored.flows.save(replace(flow, name="other"))
        assert stored.flows.resume(flow.name)
        assert not stored.flows.resume(flow.name)
        assert stored.flows.paused() == {}
        actions = [(row.action, row.name) for row in reversed(stored.audit.list())]
    assert actions[1:] == [("paused", flow.name), ("created", "other"), ("resumed", flow.name)]


def test_pausing_no_flow_is_told(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no flow nope"), store.writing() as stored:
        stored.flows.pause("nope", "x", 1.0)
