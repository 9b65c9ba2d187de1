"""Action steps: inputs from a record, outputs into it, what becomes of failures, and flows that end in an action."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flow_fakes import FragileJournal, Power, PowerCut, Rows, Shelf, add_up, counts, engine, row, rows
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from connectors.actions import Action, Output, Parameter
from connectors.connector import Access, Connector
from connectors.descriptor import Descriptor
from connectors.errors import Forbidden, NotFound, Throttled
from connectors.model import Connection, Effect, Limits
from flows.acting import ActionTarget, Performer, performers
from flows.errors import FlowDefinitionError
from flows.journal import JournalInMemory
from flows.model import ActionStep, Export, Flow, Import, MappingRule, RunStatus
from flows.schemas import FlowSchema
from iclients.clock import SystemClock
from iclients.errors import NotAuthorized
from iclients.secret import Secret, revealed

SEAL = Action(
    "seal",
    "Seal",
    "Turns a text around.",
    None,
    (Parameter("text", "Text", "what is sealed.", is_secret=True), Parameter("by", "By", "who.", required=False)),
    (Output("sealed", "Sealed"), Output("opened", "Opened", is_secret=True), Output("by", "By whom")),
)
DROP = Action(
    "delete", "Delete", "Takes away.", None, (Parameter("name", "Name", "which."),), (), changes=True, destructive=True
)


class Sealer(Connector):
    """Seals, drops, and counts what it is asked; `on_perform` comes first."""

    descriptor: ClassVar[Descriptor] = Descriptor("sealer", "Sealer", "", (), (), concurrency=3)

    def __init__(self, on_perform: Callable[[Mapping[str, Any]], None] = lambda inputs: None, **settings: Any) -> None:
        access = Access(SystemClock(), lambda data: data.hex(), Path())
        super().__init__(Connection("c", "sealer", settings=settings, limits=Limits(concurrency=2)), access)
        self.on_perform = on_perform
        self.asked: Counter[str] = Counter()
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()

    @classmethod
    def actions(cls, api_type: str | None) -> tuple[Action, ...]:
        return (SEAL, DROP)

    def perform(self, action: Action, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            self.asked[str(revealed(inputs.get("text", inputs.get("name"))))] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.on_perform(inputs)
        finally:
            with self._lock:
                self._at_once -= 1
        if action is DROP:
            return {}
        return {"sealed": inputs["text"].reveal()[::-1], "opened": inputs["text"].reveal(), "by": inputs["by"]}


def step(action: str = "seal", into: str | None = "box", **inputs: str) -> ActionStep:
    rules = tuple(MappingRule(to, from_=text) for to, text in (inputs or {"text": "value"}).items())
    return ActionStep("c", action, rules, into)


def sealing(*mapping: MappingRule, steps: Sequence[ActionStep] = (step(),)) -> Flow:
    rules = mapping or (MappingRule("name", from_="name"), MappingRule("value", from_="box.sealed"))
    return Flow("f", (Export("a", "rows"),), (*steps, Import("b", "shelf", mapping=rules)))


def dropping() -> Flow:
    return Flow("f", (Export("a", "rows"),), (step("delete", None, name="name"),))


def running(flow: Flow, source: Rows, sealer: Sealer, target: Shelf | None = None, **options: Any) -> Any:
    acts = performers(flow, lambda name: sealer)
    last = ActionTarget(acts[-1]) if flow.destination is None else target or Shelf()
    return engine(source, last, options.pop("journal", None), flow=flow, acts=acts, **options)


def raising(error: Exception, *texts: str) -> Callable[[Mapping[str, Any]], None]:
    def act(inputs: Mapping[str, Any]) -> None:
        if revealed(inputs.get("text", inputs.get("name"))) in texts:
            raise error

    return act


def test_what_an_action_gives_is_mapped_into_the_target() -> None:
    shelf, journal = Shelf(), JournalInMemory()
    assert running(sealing(), Rows(rows(12)), Sealer(), shelf, journal=journal).run() is RunStatus.SUCCEEDED
    assert {name: one["value"] for name, one in shelf.stored.items()} == {
        f"name-{n:03}": f"v{n}"[::-1] for n in range(12)
    }
    assert counts(journal) == {"read": 12, "created": 12}


def test_a_later_action_takes_what_an_earlier_one_gave() -> None:
    shelf = Shelf()
    twice = sealing(
        MappingRule("name", from_="name"),
        MappingRule("value", from_="again.sealed"),
        steps=[step(), step(into="again", text="box.sealed", by="name")],
    )
    running(twice, Rows([row("a", "abc")]), Sealer(), shelf).run()
    assert shelf.stored["a"]["value"] == "abc"


def test_a_secret_output_stays_a_secret_and_others_stay_as_they_are() -> None:
    seen: list[Any] = []
    mapping = [MappingRule("name", from_="name")]
    mapping += [MappingRule(to, from_=text) for to, text in (("value", "box.opened"), ("by", "box.by"))]
    mapping += [MappingRule("text", template="{{ box.opened }}!")]
    shelf = Shelf(on_assess=lambda record: seen.append(record.fields))
    steps = [step(text="value", by="name")]
    running(sealing(*mapping, steps=steps), Rows([row("a", Secret("abc"))]), Sealer(), shelf).run()
    [fields] = seen
    assert isinstance(fields["value"], Secret)
    assert isinstance(fields["text"], Secret)
    assert fields["text"].reveal() == "abc!"
    assert fields["by"] == "a"


def test_the_whole_of_what_holds_a_secret_goes_nowhere() -> None:
    journal, shelf = JournalInMemory(), Shelf()
    mapping = (MappingRule("name", from_="name"), MappingRule("value", from_="box"))
    running(sealing(*mapping), Rows([row("a", "Qx7")]), Sealer(), shelf, journal=journal).run()
    [outcome] = journal.outcomes.values()
    assert (outcome.code, outcome.step) == ("expression", "import b/shelf")
    assert "Qx7" not in outcome.message
    assert not shelf.stored


def test_a_failure_is_the_records_own_with_the_step_named() -> None:
    journal = JournalInMemory()
    sealer = Sealer(raising(Forbidden("c may not seal: allow it."), "v3"))
    assert running(sealing(), Rows(rows(6)), sealer, journal=journal).run() is RunStatus.WITH_ERRORS
    [outcome] = [one for one in journal.outcomes.values() if one.is_error]
    assert (outcome.key, outcome.step, outcome.code, outcome.recovery) == (
        "name-003",
        "action c/seal",
        "forbidden",
        "skip",
    )
    assert counts(journal) == {"read": 6, "created": 5, "failed": 1}


def test_an_input_that_cannot_be_is_told_without_its_value() -> None:
    journal = JournalInMemory()
    running(sealing(), Rows([row("a", Secret("fine")), row("b", None), row("c", 7)]), Sealer(), journal=journal).run()
    told = {one.key: one for one in journal.outcomes.values() if one.is_error}
    assert {key: (one.code, one.step) for key, one in told.items()} == {
        "b": ("bad_input", "action c/seal"),
        "c": ("bad_input", "action c/seal"),
    }
    assert "needs text" in told["b"].message


def test_a_lost_authorization_ends_the_run() -> None:
    sealer = Sealer(raising(NotAuthorized("Authorize c."), "v3"))
    with pytest.raises(NotAuthorized):
        running(sealing(), Rows(rows(6)), sealer).run()


def test_a_system_that_is_down_ends_the_run_after_ten_in_a_row() -> None:
    sealer = Sealer(raising(Throttled("later"), *(f"v{n}" for n in range(400))))
    with pytest.raises(Throttled):
        running(sealing(), Rows(rows(400)), sealer).run()
    assert sum(sealer.asked.values()) < 200


def test_no_more_at_once_than_the_connection_allows() -> None:
    sealer = Sealer(lambda inputs: threading.Event().wait(0.002))
    running(sealing(), Rows(rows(60), page_size=60), sealer, width=16).run()
    assert sealer.most_at_once == 2


def test_an_unchanged_record_does_not_need_its_action_again() -> None:
    shelf, sealer = Shelf(), Sealer()
    ledgers: dict[str, Any] = {}
    for _ in range(2):
        journal = JournalInMemory(ledgers)
        running(sealing(), Rows(rows(8, marker="1")), sealer, shelf, journal=journal).run()
    assert sum(sealer.asked.values()) == 8
    assert counts(journal) == {"read": 8, "unchanged": 8}


@pytest.mark.parametrize(
    "other",
    [
        sealing(steps=[step(by="name", text="value")]),
        sealing(MappingRule("name", from_="name"), MappingRule("value", from_="box.by")),
    ],
)
def test_another_step_acts_on_every_record_again(other: Flow) -> None:
    shelf, sealer, ledgers = Shelf(), Sealer(), {}
    for flow in (sealing(), other):
        running(flow, Rows(rows(8, marker="1")), sealer, shelf, journal=JournalInMemory(ledgers)).run()
    assert set(sealer.asked.values()) == {2}


def test_another_place_of_the_same_connection_acts_again() -> None:
    shelf, ledgers = Shelf(), {}
    for sealer in (Sealer(place="one"), Sealer(place="two")):
        running(sealing(), Rows(rows(3, marker="1")), sealer, shelf, journal=JournalInMemory(ledgers)).run()
        assert sum(sealer.asked.values()) == 3


def test_a_filter_spares_actions() -> None:
    sealer, flow = Sealer(), sealing()
    kept = Flow("f", (Export("a", "rows", where="name == 'name-002'"),), flow.steps)
    running(kept, Rows(rows(5)), sealer).run()
    assert sealer.asked == {"v2": 1}


def test_a_field_that_the_source_has_is_not_replaced() -> None:
    with pytest.raises(FlowDefinitionError, match="value, which the source has already"):
        running(sealing(steps=[step(into="value")]), Rows(rows(1), header=["name", "value"]), Sealer())
    journal = JournalInMemory()
    running(sealing(), Rows([row("a", box="theirs")]), Sealer(), journal=journal).run()
    [outcome] = journal.outcomes.values()
    assert (outcome.code, outcome.step) == ("field_taken", "action c/seal")


def test_a_step_that_takes_what_the_source_has_not_is_told_before_anything_is_asked() -> None:
    with pytest.raises(FlowDefinitionError, match="Step action c/seal: The mapping to text takes other"):
        running(sealing(steps=[step(text="other")]), Rows(rows(1), header=["name", "value"]), Sealer())


def test_a_name_that_an_action_makes_cannot_be_the_ledgers_key() -> None:
    mapping = (MappingRule("name", from_="box.sealed"), MappingRule("value", from_="value"))
    with pytest.raises(FlowDefinitionError, match="known only once"):
        running(sealing(*mapping), Rows(rows(1)), Sealer())


def test_a_flow_may_end_in_an_action() -> None:
    journal, sealer = JournalInMemory(), Sealer()
    assert running(dropping(), Rows(rows(12)), sealer, journal=journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 12, "updated": 12}
    assert set(sealer.asked.values()) == {1}


def test_an_action_at_the_end_that_changes_nothing_counts_as_unchanged() -> None:
    journal = JournalInMemory()
    flow = Flow("f", (Export("a", "rows"),), (step(),))
    running(flow, Rows(rows(4)), Sealer(), journal=journal).run()
    assert counts(journal) == {"read": 4, "unchanged": 4}


def test_what_an_action_was_carried_out_for_is_left_alone_until_it_changes() -> None:
    sealer, ledgers = Sealer(), {}
    for marker, asked in (("1", 3), ("1", 3), ("2", 6)):
        running(dropping(), Rows(rows(3, marker=marker)), sealer, journal=JournalInMemory(ledgers)).run()
        assert sum(sealer.asked.values()) == asked


def test_what_failed_is_tried_again_by_the_next_run() -> None:
    ledgers: dict[str, Any] = {}
    running(dropping(), Rows(rows(3, marker="1")), Sealer(raising(Forbidden("no"), "name-001")), journal=JournalInMemory(ledgers)).run()  # fmt: skip
    sealer = Sealer()
    running(dropping(), Rows(rows(3, marker="1")), sealer, journal=JournalInMemory(ledgers)).run()
    assert sealer.asked == {"name-001": 1}


@given(st.integers(0, 60))
def test_whenever_the_power_goes_out_every_record_is_acted_on_and_only_the_last_pages_twice(at: int) -> None:
    ledgers: dict[str, Any] = {}
    journal, sealer, there = FragileJournal(ledgers), Sealer(), {f"name-{n:03}" for n in range(15)}
    gone = threading.Lock()

    def drop(inputs: Mapping[str, Any]) -> None:
        with gone:
            if inputs["name"] not in there:
                raise NotFound(f"{inputs['name']} is not there.")
            there.discard(inputs["name"])

    sealer.on_perform = drop
    journal.power = Power(at)
    try:
        running(dropping(), Rows(rows(15), power=journal.power), sealer, journal=journal).run()
    except PowerCut:
        journal.power = Power()
        assert running(dropping(), Rows(rows(15)), sealer, journal=journal).run() is RunStatus.SUCCEEDED
    assert not there
    assert add_up(journal)
    assert counts(journal) == {"read": 15, "updated": 15}
    assert max(sealer.asked.values()) <= 2


def test_what_was_never_there_is_no_success() -> None:
    journal = JournalInMemory()
    sealer = Sealer(raising(NotFound("name-001 is not there."), "name-001"))
    running(dropping(), Rows(rows(3)), sealer, journal=journal).run()
    assert counts(journal) == {"read": 3, "updated": 2, "failed": 1}
    assert {one.effect for one in journal.outcomes.values()} == {Effect.UPDATED, Effect.FAILED}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"import": {"connection": "b", "resource": "x"}}, {"action": {"connection": "c", "action": "seal"}}], "last step"),
        ([{"action": {"connection": "c", "action": "seal"}}] * 2, "earlier step"),
        ([{"action": {"connection": "c", "action": "seal"}}, {"import": {"connection": "b", "resource": "x"}}], "needs mapping"),
        ([{"action": {"connection": "c", "action": "seal", "into": "not a word"}}], "not a word"),
        ([{"action": {"connection": "c", "action": "seal", "repeat": "always"}}], "is not accept"),
        ([{}], "either import or action"),
        ([], "no entry"),
    ],
)  # fmt: skip
def test_steps_that_cannot_be_are_refused(steps: list[Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FlowSchema().load({"name": "f", "exports": [{"connection": "a", "resource": "r"}], "steps": steps})


def test_a_flow_with_actions_is_written_as_it_was_read() -> None:
    document = {
        "name": "f",
        "exports": [{"connection": "a", "resource": "r"}],
        "steps": [
            {
                "action": {
                    "connection": "c",
                    "action": "seal",
                    "inputs": [{"to": "text", "from": "value"}],
                    "repeat": "accept",
                }
            },
            {"import": {"connection": "b", "resource": "x", "mapping": [{"to": "name", "from": "seal.sealed"}]}},
        ],
    }
    assert FlowSchema().dump(FlowSchema().load(document)) == document


def test_two_steps_that_do_the_same_are_told_apart() -> None:
    flow = sealing(steps=[step(), step(into="again")])
    assert flow.step_names == ("action c/seal", "action c/seal (2)", "import b/shelf")
    assert [act.name for act in performers(flow, lambda name: Sealer())] == ["action c/seal", "action c/seal (2)"]
    assert isinstance(performers(flow, lambda name: Sealer())[0], Performer)
