"""What happens to one record: sorted out, read, mapped, compared, written, told.

Sorting runs on the engine's own thread, in the order of the source; the rest on many threads at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from connectors.connector import Source, Target
from connectors.errors import RecordError, Refused
from connectors.model import BadRecord, Change, Effect, Known, Record
from flows.acting import Performer, check_fields
from flows.errors import FlowDefinitionError
from flows.mapping import Mapping, compile_filter, with_original
from flows.model import Flow, Outcome
from flows.policy import Patience
from flows.under_way import Item, PageUnderWay
from iclients.clock import Stopped
from iclients.errors import NotAuthorized, RemoteError

_LEFT: Final = (Effect.CONFLICT, Effect.SKIPPED)
"""So ends a write that did not happen: nothing of what was intended is there."""

_Earlier = int | tuple[int | None, str] | None
"""Where a name was met before: on which line, and for which record where the name does not tell."""


class Mover:
    """Moves the records of one flow, one by one, from a source to a target. It never touches the journal."""

    def __init__(self, flow: Flow, source: Source, target: Target, acts: Sequence[Performer] = ()) -> None:
        """`acts` are the flow's action steps. An action that the flow ends in is its target.

        Raises FlowDefinitionError where filter, inputs or mapping cannot work with this source and target.
        """
        self._source, self._target = source, target
        self._acts = [act for act in acts if act.step is not flow.steps[-1]]
        self._where = compile_filter(flow.exports[0].where, source.unread)
        self._mapping = Mapping(with_original(flow.last_rules, target.key_field, target.original_field))
        if (available := check_fields(flow, acts, source.fields())) is not None:
            self._mapping.check_source(available)
        late = source.unread | {act.step.field for act in self._acts}
        if target.remembers and self._mapping.depends_on(target.key_field, late):
            raise FlowDefinitionError(
                f"The mapping to {target.key_field} takes a field that is known only once the value is read "
                f"({', '.join(sorted(late))}): make it from other fields."
            )
        if not target.remembers and source.identity and source.identity == target.identity:
            raise FlowDefinitionError(
                f"The flow reads {flow.exports[0].resource} and would replace it while it does: write to another name."
            )
        self._step = flow.step_names[-1]
        self.digest = _digest(flow, source, target, self._acts)
        """Changes when what happens to a record changes, or between which places it moves."""
        self._assessing, self._writing = Patience(), Patience()
        self._stopping = False
        self._seen: dict[str, _Earlier] = {}

    def stop(self) -> None:
        """Begin nothing more: tasks that are asked for now raise Stopped."""
        self._stopping = True

    def has_moved(self, keys: Iterable[str]) -> None:
        """These keys were dealt with before this run was resumed."""
        self._seen = dict.fromkeys(filter(None, keys))

    def sort(self, record: Record | BadRecord, page: PageUnderWay) -> None:
        """Bad, left out, repeated, or on its way."""
        if isinstance(record, BadRecord):
            page.outcomes.append(
                Outcome(record.key, Effect.FAILED, record.line, "export", record.code, "skip", record.message)
            )
            return
        try:
            is_wanted = not record.left_out and self._where(record.fields)
        except RecordError as error:
            page.outcomes.append(
                Outcome(record.key, Effect.FAILED, record.line, "export", error.code, error.recovery, str(error))
            )
            return
        if not is_wanted:
            page.skipped += 1
            return
        item = Item(record)
        if self._target.remembers:
            item.key = self._early_key(record)
            if item.key is not None and item.key in self._seen:
                page.outcomes.append(self._repeated(item, self._seen[item.key]))
                return
            if item.key is not None:
                self._seen[item.key] = self._standing(record, item.key)
        page.items.append(item)

    def pass_by(self, record: Record | BadRecord, page: PageUnderWay) -> None:
        """Leave out a record that is not to be tried again; its name is taken all the same."""
        page.skipped += 1
        if isinstance(record, BadRecord) or record.left_out or not self._target.remembers:
            return
        with suppress(RecordError):  # whatever is wrong with it, this run does not tell
            key = self._early_key(record) if self._where(record.fields) else None
            if key is not None:
                self._seen.setdefault(key, self._standing(record, key))

    def prepare(self, item: Item) -> None:
        """Read, map and compare a record; a failure that concerns it alone becomes its outcome."""
        self._guarded(item, self._assess, self._assessing)

    def write(self, item: Item) -> None:
        """Carry out what comparing said; likewise."""
        self._guarded(item, self._carry_out, self._writing)

    def may_be_current(self, item: Item) -> bool:
        """Whether the source's record is as the ledger knows it; nothing is asked of either side."""
        return item.known is not None and self._marker(item.record) == item.known.source_marker != ""

    def outcome(self, item: Item) -> Outcome:
        """What became of a record."""
        if item.outcome is not None:
            return item.outcome
        change = item.change or Change(Effect.FAILED)
        recovery = "skip" if change.effect is Effect.CONFLICT else ""
        return self._told(item, change.effect, change.code, recovery, change.reason)

    def key(self, item: Item) -> str:
        """What the ledger calls a record."""
        if item.key is not None:
            return item.key
        return (self._target.key(item.mapped.fields) if item.mapped else None) or item.record.key

    def entry(self, item: Item) -> Known | None:
        """What the ledger learns of a record, None if nothing."""
        change = item.change
        if item.is_refused or (item.is_intended and change is not None and change.effect in _LEFT):
            return replace(item.known or Known(), intent="refused")  # unlike what is known, so that it is stored
        if item.outcome is not None or change is None or not change.fingerprint:
            return None
        return Known(change.fingerprint, change.marker, item.source_marker, change.owned)

    def _early_key(self, record: Record) -> str | None:
        field_name = self._target.key_field
        if not field_name:
            return record.key or None
        return self._target.key({field_name: self._mapping.value_of(field_name, record)})

    def _standing(self, record: Record, key: str) -> _Earlier:
        """What is remembered of a record for the case that its name comes again: little, for there may be very many."""
        called = self._mapping.called(self._target.key_field, record)
        return record.line if called.lower() == key else (record.line, called)

    def _repeated(self, item: Item, earlier: _Earlier) -> Outcome:
        line, called = earlier if isinstance(earlier, tuple) else (earlier, "")
        where = f"line {line}" if line else ("" if called else "an earlier record")
        there = f"{called} ({where})" if called and where else called or where
        return self._failed(
            item,
            "duplicate_name",
            "skip",
            f"{self._mapping.called(self._target.key_field, item.record)} has the same name as {there} "
            "(names are compared without case): keep one of them.",
        )

    def _guarded(self, item: Item, act: Callable[[Item], None], patience: Patience) -> None:
        """Do it; a failure that concerns this record alone becomes its outcome."""
        if self._stopping:
            raise Stopped
        try:
            act(item)
            patience.worked()
        except RecordError as error:
            item.outcome = self._failed(item, error.code, error.recovery, str(error))
        except RemoteError as error:
            if isinstance(error, NotAuthorized) or patience.is_over(error):
                raise
            item.doubt = patience
            item.is_refused = item.is_intended and isinstance(error, Refused)
            item.outcome = self._failed(item, error.code, error.recovery, str(error))

    def _failed(self, item: Item, code: str, recovery: str, message: str) -> Outcome:
        return self._told(item, Effect.FAILED, code, str(recovery), message)

    def _told(self, item: Item, effect: Effect, code: str, recovery: str, message: str) -> Outcome:
        record = item.record
        step = item.step or self._step
        return Outcome(record.key, effect, record.line, step, code, recovery, message, item.key or "")

    def _assess(self, item: Item) -> None:
        known = item.known
        if known and item.key and self._is_unchanged(item.record, item.key, known):
            item.source_marker = known.source_marker
            item.change = Change(Effect.UNCHANGED, known.fingerprint, known.marker, known.owned)
            return
        record = self._source.read(item.record)
        item.source_marker = self._marker(record)
        for act in self._acts:
            item.step = act.name
            record = act.completed(record)
        item.step = ""
        item.mapped = self._mapping.apply(record)
        if item.key is not None and self._target.key_field and self._target.key(item.mapped.fields) != item.key:
            raise RecordError(
                f"{item.record.key} got another name while it was read: run the flow again.", code="other_record"
            )
        item.change = self._target.assess(item.mapped, known)

    def _is_unchanged(self, record: Record, key: str, known: Known) -> bool:
        """Neither side has moved since the last run: then nothing of this record needs to be read."""
        marker = self._marker(record)
        return bool(marker) and marker == known.source_marker and self._target.is_current(key, known)

    def _marker(self, record: Record) -> str:
        return f"{self.digest}:{record.marker}" if record.marker else ""

    def _carry_out(self, item: Item) -> None:
        if item.change is not None and item.mapped is not None:
            item.change = self._target.write(item.mapped, item.change)


def _digest(flow: Flow, source: Source, target: Target, acts: Sequence[Performer]) -> str:
    parts: list[Any] = [asdict(flow.exports[0]), asdict(flow.steps[-1]), source.identity, target.identity]
    parts += [act.digest() for act in acts]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
