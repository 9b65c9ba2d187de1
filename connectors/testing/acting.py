"""Checks of a connector's actions, and of what it says while its system is in trouble.

A subject says which calls work, in an order in which each finds what it needs. The kit carries them out, then breaks the
system in every way that the subject knows, and carries them out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.actions import Action
from connectors.errors import BadInput
from connectors.testing.reading import refuse_planted
from connectors.testing.subject import Subject, Trouble, pages_of
from iclients.errors import RemoteError
from iclients.secret import Secret

_STRAY = "there_is_no_such_input"
_WORK = "a call went through although the system was in trouble"


class ActionConformance:
    """What every action does. Mixed into `ConnectorConformance`."""

    def test_every_action_tells_a_person_everything(self, subject: Subject) -> None:
        for action in _actions(subject):
            assert action.title, f"The action {action.id} has no title."
            assert action.summary.endswith("."), f"The summary of the action {action.id} is not a sentence."
            for parameter in action.parameters:
                where = f"The parameter {parameter.name} of the action {action.id}"
                assert parameter.title, f"{where} has no title."
                assert parameter.help.endswith("."), f"{where} has a help that is not a sentence."
            for output in action.outputs:
                assert output.title, f"The output {output.name} of the action {action.id} has no title."

    def test_an_input_that_cannot_be_costs_no_call(self, subject: Subject) -> None:
        connector = subject.connector
        before = dict(connector.calls)
        for action in _actions(subject):
            with pytest.raises(BadInput, match=_STRAY):
                connector.act(action.id, {_STRAY: "x"})
            needed = [parameter.name for parameter in action.parameters if parameter.required]
            if needed:
                with pytest.raises(BadInput, match=needed[0]):
                    connector.act(action.id, {})
        with pytest.raises(BadInput, match=_STRAY):
            connector.act(_STRAY, {})
        assert dict(connector.calls) == before, "An input that cannot be was sent to the system."

    def test_every_action_gives_what_it_promises_and_hides_what_is_secret(self, subject: Subject) -> None:
        if not subject.acts:
            pytest.skip("the subject carries out no action")
        carried_out = {action_id: outputs for action_id, _, outputs in _carried_out(subject)}
        for action in _actions(subject):
            assert action.id in carried_out, f"The subject's acts leave out {action.id}: the kit judges every action."
            outputs = carried_out[action.id]
            for output in action.outputs:
                value = outputs[output.name]
                is_hidden = not output.is_secret or value is None or isinstance(value, Secret)
                assert is_hidden, f"{output.name} of {action.id} is secret and does not hide."
            refuse_planted(subject, repr(outputs), f"What {action.id} gives, printed,")

    def test_trouble_is_told_by_every_action_and_by_the_ping(self, subject: Subject) -> None:
        if not subject.troubles:
            pytest.skip("the subject's system is never in trouble")
        calls: list[tuple[str, Callable[[], object]]] = [("ping", subject.connector.ping)]
        if subject.resource_to_read is not None:
            calls.append((f"reading {subject.resource_to_read}", lambda: pages_of(subject)))
        for action_id, inputs, _ in list(_carried_out(subject)):
            calls.append((action_id, _act(subject, action_id, inputs)))
        for name, trouble in subject.troubles.items():
            with _in(trouble):
                for what, call in calls:
                    _judge(subject, f"{what} while {name}", trouble, call)


def _actions(subject: Subject) -> tuple[Action, ...]:
    return subject.connector.actions(subject.connector.connection.api_type)


def _carried_out(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each act with its inputs and outputs, in the subject's order."""
    given: dict[str, Mapping[str, Any]] = {}
    for act in subject.acts:
        inputs = act.inputs(given)
        given[act.action] = subject.connector.act(act.action, inputs)
        yield act.action, inputs, given[act.action]


def _act(subject: Subject, action_id: str, inputs: Mapping[str, Any]) -> Callable[[], object]:
    return lambda: subject.connector.act(action_id, inputs)


@contextmanager
def _in(trouble: Trouble) -> Iterator[None]:
    trouble.begin()
    try:
        yield
    finally:
        trouble.end()


def _judge(subject: Subject, what: str, trouble: Trouble, call: Callable[[], object]) -> None:
    with pytest.raises(RemoteError) as caught:
        call()
        pytest.fail(f"{what}: {_WORK}.", pytrace=False)
    error = caught.value
    assert error.recovery in trouble.recoveries, f"{what}: the recovery is {error.recovery}: {error}"
    assert error.code, f"{what}: the error has no code."
    assert str(error).endswith((".", "…")), f"{what}: {str(error)!r} is not a sentence."
    refuse_planted(subject, f"{error}{error!r}", f"{what}: the error")
