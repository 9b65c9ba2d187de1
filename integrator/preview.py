"""A preview: what a flow would make of the first few records of its source, without any value.

No value is asked for: `Source.read` is never called. What listing brings as a secret becomes dots before filter and mapping
see it, and so does every field whose name, or whose place at the destination, says that it is one. So whatever is computed
from a secret, under another name or cut into pieces, is computed from dots, and is shown as dots besides.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

from connectors import registry as connectors
from connectors.connector import Source
from connectors.errors import RecordError, SettingsError
from connectors.model import BadRecord, Page, Record
from flows.ends import open_source
from flows.errors import FlowDefinitionError
from flows.mapping import Mapping as Rules
from flows.mapping import compile_filter
from flows.model import Flow, Import, MappingRule, Step
from iclients.errors import RemoteError
from iclients.secret import MASK, Secret, holds_secret
from integrator.acting import actions_of
from integrator.bootstrap import Installation
from integrator.errors import StoreError, UserError, defect_sentence

DEADLINE_SECONDS: Final = 12.0
MOST_AT_A_TIME: Final = 4
LONGEST_TEXT_CHARACTERS: Final = 120
_CALLS_A_SECRET: Final = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|private.?key|api.?key|access.?key|account.?key|connection.?string",
    re.IGNORECASE,
)
PLACES: Final = threading.BoundedSemaphore(MOST_AT_A_TIME)
"""Who looks just now: one that was given up keeps its place until its call ends."""

SHOWN: Final = "shown"
HIDDEN: Final = "hidden"
LATER: Final = "later"
NOTHING: Final = "nothing"
WRONG: Final = "wrong"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of one record at the destination. `kind`: shown, hidden, later (known once it is read), nothing
    (it is left empty) or wrong."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One record: its key, and its cells by target field; or why it cannot be read."""

    key: str
    cells: Mapping[str, Cell]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What was found. `problem` is one sentence where nothing could be; `seen` records were looked at, of which the filter
    and the source leave out `left_out`; `fields` are the source's; `note` says what the preview cannot show."""

    rows: Sequence[Row] = ()
    fields: Sequence[str] = ()
    seen: int = 0
    left_out: int = 0
    is_all: bool = True
    problem: str = ""
    note: str = ""


def preview(installation: Installation, flow: Flow, records: int = 5, seconds: float = DEADLINE_SECONDS) -> Preview:
    """The first few records of the source's first page, as the destination would get them. Never raises, never writes.

    A thread of its own looks, so that whoever waits for it gives up in time; the calls end by their own deadlines.
    """
    if not PLACES.acquire(blocking=False):
        return Preview(problem="Others look at their previews just now: try again in a moment.")
    ended: SimpleQueue[Preview] = SimpleQueue()

    def look() -> None:
        try:
            ended.put(_looked(installation, flow, records))
        finally:
            PLACES.release()

    threading.Thread(target=look, name="preview", daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        name = flow.exports[0].connection
        return Preview(problem=f"Connection {name} gave no records in {seconds:.0f} s: test it, or try again.")


def _looked(installation: Installation, flow: Flow, records: int) -> Preview:
    try:
        return _previewed(installation, flow, records)
    except (RemoteError, SettingsError, UserError, StoreError, RecordError, FlowDefinitionError) as error:
        return Preview(problem=str(error))
    except Exception as error:  # noqa: BLE001 - the thread's boundary: whoever waits reads a sentence
        return Preview(problem=defect_sentence(error))


def _previewed(installation: Installation, flow: Flow, records: int) -> Preview:
    export = flow.exports[0]
    connector = installation.connector(export.connection)
    made = [step.field for step in flow.actions if step is not flow.steps[-1]]
    with closing(open_source(export, connector)) as source:
        page, columns = _first_page(source), source.fields()
        unread = frozenset(source.unread)
    keeps = compile_filter(export.where, unread)
    if columns is not None:
        Rules(flow.last_rules).check_source([*columns, *made])
    found = [one for one in page.records if isinstance(one, Record)]
    names = [*dict.fromkeys([*(columns or ()), *(name for record in found for name in record.fields), *sorted(unread)])]
    hiding = [_hidden_at(installation, step) for step in flow.steps]
    secrets = _secrets(flow, found, names, hiding) | _secret_fields(
        installation, export.connection, export.resource
    ).intersection(names)
    maker = _Maker(flow.last_rules, names, secrets, unread - secrets, hiding[-1], frozenset(made))
    dotted = [one if isinstance(one, BadRecord) else _dotted(one, secrets) for one in page.records]
    kept = [one for one in dotted if isinstance(one, BadRecord) or (not one.left_out and _is_kept(keeps, one))]
    return Preview(
        rows=[maker.row(one) for one in kept[:records]],
        fields=names,
        seen=len(page.records),
        left_out=len(page.records) - len(kept),
        is_all=page.checkpoint is None,
        note=_note(export.where, secrets),
    )


class _Maker:
    """Makes the cells of a record; what a secret goes into is not even looked at."""

    def __init__(
        self,
        rules: Sequence[MappingRule],
        names: Sequence[str],
        secrets: frozenset[str],
        unread: frozenset[str],
        hiding: frozenset[str],
        made: frozenset[str] = frozenset(),
    ) -> None:
        """Raises FlowDefinitionError where a rule cannot work. `hiding` are the destination's secret fields.

        `made` are the fields that actions make: they are not carried out here.
        """
        Rules(rules)
        one_by_one = rules or [MappingRule(name, from_=f'"{name}"') for name in names]
        self._rules = {rule.to: Rules([rule]) for rule in one_by_one}
        self._secrets, self._unread, self._hiding, self._made = secrets, unread, hiding, made
        self._is_mapped = bool(rules)

    def row(self, record: Record | BadRecord) -> Row:
        """The record at the destination."""
        if isinstance(record, BadRecord):
            return Row(record.key, {}, record.message)
        return Row(record.key, {to: self._cell(to, record) for to in self._rules})

    def _cell(self, to: str, record: Record) -> Cell:
        rules = self._rules[to]
        if self._made and rules.depends_on(to, self._made):
            return Cell(LATER, "made when the flow runs")
        if rules.depends_on(to, self._secrets) and (self._is_mapped or record.fields.get(to)):
            return Cell(HIDDEN, MASK)
        if rules.depends_on(to, self._unread):
            return Cell(LATER, "read when the flow runs")
        try:
            value = rules.apply(record).fields[to]
        except RecordError as error:
            return Cell(WRONG, str(error))
        if value in (None, ""):
            return Cell(NOTHING)
        return Cell(HIDDEN, MASK) if to in self._hiding or holds_secret(value) else Cell(SHOWN, _text(value))


def _first_page(source: Source) -> Page:
    pages = source.pages(None)
    try:
        return next(pages, Page((), None))
    finally:
        if close := getattr(pages, "close", None):
            close()


def _secrets(
    flow: Flow, found: Sequence[Record], names: Sequence[str], hiding: Sequence[frozenset[str]]
) -> frozenset[str]:
    """The source's fields that may hold a secret: by what they are, by name, or because they become one."""
    becoming = [
        name
        for step, hidden in zip(flow.steps, hiding, strict=True)
        for rule in (step.mapping if isinstance(step, Import) else step.inputs)
        if rule.to in hidden or _CALLS_A_SECRET.search(rule.to)
        for name in names
        if name != "name" and Rules([rule]).depends_on(rule.to, frozenset({name}))
    ]
    holding = [name for record in found for name, value in record.fields.items() if holds_secret(value)]
    called = [name for name in names if _CALLS_A_SECRET.search(name)]
    return frozenset([*becoming, *holding, *called])


def _hidden_at(installation: Installation, step: Step) -> frozenset[str]:
    """What the destination keeps secret, or what an action takes as such."""
    if isinstance(step, Import):
        return _secret_fields(installation, step.connection, step.resource)
    try:
        there = actions_of(installation, step.connection)
    except (SettingsError, UserError):
        return frozenset()
    return frozenset(
        one.name for action in there if action.id == step.action for one in action.parameters if one.is_secret
    )


def _secret_fields(installation: Installation, connection: str, resource: str) -> frozenset[str]:
    """What the descriptor says of the resource; nothing where it is not chosen yet."""
    with installation.store.reading() as stored:
        found = stored.connections.find(connection)
    if found is None or found.connector not in connectors.names():
        return frozenset()
    known = connectors.connector(found.connector).descriptor.resources
    return frozenset(name for one in known if one.is_called(resource) for name in one.secret_fields)


def _dotted(record: Record, secrets: frozenset[str]) -> Record:
    """The record with dots where a secret is, or would be once its value were read; nothing stays nothing."""
    fields = {name: Secret(MASK) if name in secrets and value else value for name, value in record.fields.items()}
    unread = {name: Secret(MASK) for name in secrets - fields.keys()}
    return Record(record.key, {**fields, **unread}, line=record.line, left_out=record.left_out)


def _is_kept(keeps: Any, record: Record) -> bool:
    try:
        return bool(keeps(record.fields))
    except RecordError:
        return False


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_TEXT_CHARACTERS else f"{text[: LONGEST_TEXT_CHARACTERS - 1]}…"


def _note(where: str | None, secrets: frozenset[str]) -> str:
    if where is None:
        return ""
    from flows.expressions import jmespath_expression

    looks = jmespath_expression(where).looks_at(secrets)
    return "The filter looks at a secret field: here it sees dots, a run sees the value." if looks else ""
