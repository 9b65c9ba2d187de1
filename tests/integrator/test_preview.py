"""The preview shows what a flow would make, and never reads a value: not by a call, and not out of what it has at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sandbox_house import SandboxHouse

from connectors import registry
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.connector import Connector, Source
from connectors.descriptor import Descriptor, ResourceDescriptor
from connectors.model import BadRecord, Checkpoint, Page, ReadOptions, Record
from flows.model import Export, Flow, Import, MappingRule
from iclients.secret import Secret
from integrator.preview import HIDDEN, LATER, MOST_AT_A_TIME, NOTHING, PLACES, SHOWN, WRONG, Preview, preview

CANARY = "s4fe-with-nobody"


@pytest.fixture(scope="module")
def vaults() -> Iterator[Sandbox]:
    with Sandbox.start(vaults={"contoso": 60}) as started:
        yield started


@pytest.fixture
def house(vaults: Sandbox, tmp_path: Path) -> Iterator[SandboxHouse]:
    made = SandboxHouse(vaults, tmp_path)
    document = made.document()
    document["connections"].append({"name": "files", "connector": "files", "settings": {"folder": str(made.files)}})
    made.apply(document)
    vaults.faults.clear()
    vaults.reset_calls()
    yield made
    made.close()


def flow(connection: str, resource: str, *rules: MappingRule, to: str = "files", **export: Any) -> Flow:
    target = "out.jsonl" if to == "files" else "secrets"
    return Flow("f", (Export(connection, resource, **export),), (Import(to, target, mapping=rules),))


def takes(to: str, expression: str) -> MappingRule:
    return MappingRule(to, from_=expression)


def makes(to: str, template: str) -> MappingRule:
    return MappingRule(to, template=template)


def kinds(found: Preview, to: str) -> set[str]:
    return {row.cells[to].kind for row in found.rows}


def test_the_first_records_are_shown_as_the_destination_would_get_them(house: SandboxHouse) -> None:
    found = preview(
        house.installation, flow("contoso", "secrets", makes("name", "{{ name | upper }}"), takes("fixed", "'x'"))
    )
    assert found.problem == ""
    assert len(found.rows) == 5
    assert [row.cells["name"].text for row in found.rows] == [row.key.upper() for row in found.rows]
    assert {row.cells["fixed"].text for row in found.rows} == {"x"}
    assert found.seen == 25
    assert not found.is_all


def test_no_value_is_asked_for_and_what_comes_of_one_is_hidden(house: SandboxHouse, vaults: Sandbox) -> None:
    rules = (takes("value", "value"), makes("cut", "{{ value[:3] }}"), takes("is", "value == 'x'"), takes("whole", "@"))
    found = preview(house.installation, flow("contoso", "secrets", *rules, takes("v", "version"), values=True))
    assert found.problem == ""
    for to in ("value", "cut", "is", "whole"):
        assert kinds(found, to) == {HIDDEN}, to
    assert kinds(found, "v") == {LATER}
    assert "get" not in vaults.calls()["contoso"]


def test_without_values_a_value_is_nothing(house: SandboxHouse) -> None:
    assert kinds(preview(house.installation, flow("contoso", "secrets", takes("value", "value"))), "value") == {NOTHING}


def test_only_the_first_page_is_worked_on_and_the_source_is_closed(
    house: SandboxHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _Source([Page([Record("a", {"name": "a"})], {"next": 1}), Page([Record("b", {"name": "b"})], None)])
    _install(monkeypatch, house, source)
    found = preview(house.installation, flow("acme", "things"))
    assert [row.key for row in found.rows] == ["a"]
    assert (source.pages_given, source.closed, source.read_count) == (1, 1, 0)


def test_the_filter_is_honoured_and_says_what_it_leaves_out(house: SandboxHouse) -> None:
    whole = preview(house.installation, flow("contoso", "secrets"), 25)
    name = whole.rows[3].key
    found = preview(house.installation, flow("contoso", "secrets", where=f"name == '{name}'"))
    assert [row.key for row in found.rows] == [name]
    assert (found.seen, found.left_out) == (25, 24)


def test_a_filter_may_not_look_at_a_value_that_is_not_read_yet(house: SandboxHouse) -> None:
    found = preview(house.installation, flow("contoso", "secrets", where="value", values=True))
    assert found.problem == "where cannot use value: filters run before any value is read."


def test_a_value_that_listing_brings_is_dots_to_filter_and_mapping(house: SandboxHouse) -> None:
    (house.files / "in.csv").write_text(f"name,value,owner\na,{CANARY},ada\nb,,grace\n")
    rules = (takes("one", "value"), makes("two", "{{ value | upper }}"), takes("three", "join('-', [name, value])"))
    found = preview(house.installation, flow("files", "in.csv", *rules, takes("owner", "owner")))
    assert [row.cells["owner"].text for row in found.rows] == ["ada", "grace"]
    assert all(kinds(found, to) == {HIDDEN} for to in ("one", "two", "three"))
    _refuse_canary(found)
    sly = preview(house.installation, flow("files", "in.csv", where=f"value == '{CANARY}'"))
    assert sly.rows == []
    assert sly.note == "The filter looks at a secret field: here it sees dots, a run sees the value."


@pytest.mark.parametrize(
    "name", ["password", "DB_PASSWORD", "apiKey", "access_token", "connection-string", "client secret"]
)
def test_a_field_that_is_called_a_secret_is_hidden_wherever_it_goes(house: SandboxHouse, name: str) -> None:
    (house.files / "in.csv").write_text(f"name,{name}\na,{CANARY}\n")
    found = preview(house.installation, flow("files", "in.csv", takes("note", f'"{name}"'), makes("all", "{{ name }}")))
    assert kinds(found, "note") == {HIDDEN}
    assert kinds(found, "all") == {SHOWN}
    _refuse_canary(preview(house.installation, flow("files", "in.csv")))


def test_a_field_that_becomes_a_secret_is_one_everywhere(house: SandboxHouse) -> None:
    (house.files / "in.csv").write_text(f"name,plain\na,{CANARY}\n")
    rules = (
        takes("name", "name"),
        takes("value", "plain"),
        takes("tags", "{x: plain}"),
        takes("content_type", "plain"),
    )
    found = preview(house.installation, flow("files", "in.csv", *rules, to="contoso"))
    assert kinds(found, "name") == {SHOWN}
    assert all(kinds(found, to) == {HIDDEN} for to in ("value", "tags", "content_type"))
    _refuse_canary(found)


def test_a_fixed_value_of_a_secret_field_is_not_shown(house: SandboxHouse) -> None:
    found = preview(house.installation, flow("contoso", "secrets", takes("value", f"'{CANARY}'"), to="contoso"))
    assert kinds(found, "value") == {HIDDEN}
    _refuse_canary(found)


def test_secrets_inside_of_lists_and_objects_are_hidden(house: SandboxHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record("a", {"name": "a", "deep": {"list": [{"x": Secret(CANARY)}]}})
    _install(monkeypatch, house, _Source([Page([record], None)]))
    found = preview(house.installation, flow("acme", "things", takes("copy", "deep.list[0].x"), takes("all", "deep")))
    assert kinds(found, "copy") == kinds(found, "all") == {HIDDEN}
    _refuse_canary(preview(house.installation, flow("acme", "things")))


def test_a_rule_that_does_not_work_for_a_record_says_so_in_its_cell(house: SandboxHouse) -> None:
    found = preview(house.installation, flow("contoso", "secrets", takes("t", "lower(tags)"), takes("name", "name")))
    assert kinds(found, "t") == {WRONG}
    assert kinds(found, "name") == {SHOWN}


def test_a_record_that_cannot_be_read_is_told(house: SandboxHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = BadRecord("line 2", 2, "broken_line", "Line 2 cannot be read: it has no comma.")
    _install(monkeypatch, house, _Source([Page([bad], None)]))
    assert (
        preview(house.installation, flow("acme", "things")).rows[0].problem == "Line 2 cannot be read: it has no comma."
    )


@pytest.mark.parametrize(
    ("connection", "resource", "sentence"),
    [
        ("nobody", "secrets", "There is no connection nobody"),
        ("contoso", "wings", "Connection contoso has no resource wings"),
        ("files", "gone.csv", "There is no file gone.csv"),
    ],
)
def test_what_is_wrong_is_one_sentence(house: SandboxHouse, connection: str, resource: str, sentence: str) -> None:
    found = preview(house.installation, flow(connection, resource))
    assert found.problem.startswith(sentence)
    assert found.rows == ()


def test_a_column_that_the_file_does_not_have_is_told(house: SandboxHouse) -> None:
    (house.files / "in.csv").write_text("name\na\n")
    found = preview(house.installation, flow("files", "in.csv", takes("x", "nam")))
    assert found.problem == "The mapping to x takes nam, which the source does not have; it has: name."


def test_a_defect_of_a_connector_is_a_sentence_without_its_text(
    house: SandboxHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, house, _Source([], error=ZeroDivisionError(CANARY)))
    found = preview(house.installation, flow("acme", "things"))
    assert "ZeroDivisionError" in found.problem
    _refuse_canary(found)


def test_whoever_waits_gives_up_in_time(house: SandboxHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    _install(monkeypatch, house, _Source([Page([], None)], held=held))
    found = preview(house.installation, flow("acme", "things"), seconds=0.05)
    assert found.problem == "Connection acme gave no records in 0 s: test it, or try again."
    _let_go(held)


def test_a_few_look_at_a_time(house: SandboxHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    _install(monkeypatch, house, _Source([Page([], None)], held=held))
    for _ in range(MOST_AT_A_TIME):
        preview(house.installation, flow("acme", "things"), seconds=0.01)
    assert preview(house.installation, flow("contoso", "secrets")).problem.startswith("Others look at their previews")
    _let_go(held)


def _let_go(held: threading.Event) -> None:
    """Let them look, and wait until all have looked."""
    held.set()
    for _ in range(MOST_AT_A_TIME):
        assert PLACES.acquire(timeout=30)
    PLACES.release(MOST_AT_A_TIME)


def _refuse_canary(found: Preview) -> None:
    assert CANARY not in repr(found)
    assert CANARY.upper() not in repr(found)


@dataclass
class _Source(Source):
    """Gives these pages, once it is let; counts what is asked of it."""

    given: Sequence[Page]
    error: Exception | None = None
    held: threading.Event | None = None
    pages_given: int = 0
    closed: int = 0
    read_count: int = 0
    unread: frozenset[str] = field(default=frozenset())

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        if self.held:
            self.held.wait(30)
        if self.error:
            raise self.error
        for page in self.given:
            self.pages_given += 1
            yield page

    def read(self, record: Record) -> Record:
        self.read_count += 1
        return record

    def close(self) -> None:
        self.closed += 1


def _install(monkeypatch: pytest.MonkeyPatch, house: SandboxHouse, source: _Source) -> None:
    """A connector of this source, and a connection `acme` to it."""

    class Acme(Connector):
        descriptor: ClassVar[Descriptor] = Descriptor(
            "acme", "Acme", "A system.", resources=(ResourceDescriptor("things", "Things", ("read",)),)
        )

        def source(self, resource: str, options: ReadOptions) -> Source:
            return source

    there, names = registry.connector, registry.names()
    monkeypatch.setattr(registry, "connector", lambda name: Acme if name == "acme" else there(name))
    monkeypatch.setattr(registry, "names", lambda: [*names, "acme"])
    house.apply({"version": 1, "connections": [{"name": "acme", "connector": "acme"}]})
