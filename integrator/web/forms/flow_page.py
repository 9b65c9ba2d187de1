"""A flow's form as it is shown: its fields in their order, its cards in words, what is wrong, and its preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from flows.model import Export, Flow, Import
from flows.names import CODECS, Codec
from integrator.preview import Preview
from integrator.store.listing_ends import EndRow
from integrator.web.drafts import Sent
from integrator.web.fields import Choice, Field
from integrator.web.flow_words import mapping_words, source_words, target_words
from integrator.web.forms import flow as form
from integrator.web.forms import flow_actions, flow_ends, flow_mapping, flow_options, flow_schedule
from integrator.web.forms.flow_ends import End


@dataclass(frozen=True, slots=True)
class Card:
    """A card of the strip: which part it opens, and what that part says now."""

    part: str
    kind: str
    title: str
    words: str
    connector: str = ""
    state: str = ""
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class FlowPage:
    """Everything that the templates draw. `now` is the moment from which the next runs are told."""

    typed: Sent
    rows: Sequence[EndRow]
    now: float
    errors: Mapping[str, str] = field(default_factory=dict)
    stored: str = ""
    preview: Preview | None = None
    focused: str = ""
    """Which button of the mapping, or which row, has the focus: whoever moves a row goes with it."""

    @property
    def part(self) -> str:
        """The part that is open: the first with an error, else what was open."""
        wrong = {form.part_of(name) for name in self.errors if name not in ("", form.NAME)}
        asked = self.typed.get("part", "")
        first = next((part for part in form.PARTS if part in wrong), "")
        return first or (asked if asked in form.PARTS else form.PARTS[0])

    @property
    def source(self) -> End | None:
        """Where the flow reads."""
        return self._end(form.SOURCE, reads=True)

    @property
    def target(self) -> End | None:
        """Where the flow writes."""
        return self._end(form.TARGET, reads=False)

    def value(self, name: str) -> str:
        """What is typed there."""
        return self.typed.get(name, "")

    def error(self, name: str) -> str:
        """What is wrong there."""
        return self.errors.get(name, "")

    def name(self) -> Field:
        """What the flow is called."""
        return Field(
            form.NAME,
            "Name your flow",
            value=self.value(form.NAME),
            required=True,
            placeholder="nightly-copy",
            help="Runs, the command line and addresses of pages call it so.",
            error=self.error(form.NAME),
        )

    def connections(self, *, reads: bool) -> list[Choice]:
        """The connections to choose from; a flow with actions may have no destination."""
        there = flow_ends.choices(self.rows, reads=reads)
        if reads or not flow_actions.acts_of(self.typed):
            return there
        return [*there, Choice(form.NOWHERE, "None: the flow ends in its last action")]

    def acts(self) -> list[flow_actions.ActTold]:
        """The action steps, each with what it takes."""
        return flow_actions.told(flow_actions.acts_of(self.typed), self.rows, self.errors)

    def action_connections(self) -> list[Choice]:
        """The connections on which something can be done."""
        return flow_actions.choices(self.rows)

    def has_values(self) -> bool:
        """Whether the source reads values by calls of their own."""
        chosen = self.source.chosen if self.source else None
        return chosen is None or ("get" in chosen.verbs and bool(chosen.secret_fields))

    def source_fields(self) -> Sequence[str]:
        """What can be typed ahead as a source."""
        if self.preview and self.preview.fields:
            return self.preview.fields
        chosen = self.source.chosen if self.source else None
        return chosen.fields if chosen else ()

    def target_fields(self) -> Sequence[str]:
        """What can be typed ahead as a target, the required ones first."""
        chosen = self.target.chosen if self.target else None
        return chosen.targets if chosen else ()

    def lines(self) -> list[flow_mapping.LineTold]:
        """The rows of the mapping, each with what is to be said beside it."""
        source, target = self.source, self.target
        made = tuple(act.field for act in flow_actions.acts_of(self.typed))
        chosen = source.chosen if source else None
        if chosen is not None and chosen.fields:
            chosen = replace(chosen, fields=(*chosen.fields, *made))
        known = (chosen, target.chosen if target else None)
        values = self.value(form.SOURCE + "values") == form.YES
        return flow_mapping.told(flow_mapping.lines_of(self.typed), *known, values=values)

    def codecs(self) -> list[tuple[str, list[Choice]]]:
        """What can become of a name, by direction."""
        return [
            ("Make a name that a vault takes", flow_mapping.codecs(flow_mapping.CODEC)),
            ("Make of such a name what it was", flow_mapping.codecs(flow_mapping.DECODE)),
        ]

    def known_codecs(self) -> list[Codec]:
        """The codecs, each with its help."""
        return [*CODECS.values()]

    def plaintext_hint(self) -> str:
        """What is said where values would become readable and that is not allowed yet."""
        chosen = self.target.chosen if self.target else None
        if chosen is None or not chosen.plaintext or self.value(form.TARGET + "plaintext") == form.YES:
            return ""
        return (
            "A run that meets a secret value stops here before it writes one: allow readable values, or leave them out."
        )

    def has_plaintext(self) -> bool:
        """Whether readable values can be allowed here."""
        chosen = self.target.chosen if self.target else None
        return chosen is None or chosen.plaintext or self.value(form.TARGET + "plaintext") == form.YES

    def options(self) -> list[flow_options.OptionTold]:
        """What the destination's resource can be told besides."""
        return flow_options.told(self.typed, self.target.chosen if self.target else None, self.errors)

    def usual_operations(self) -> list[flow_ends.Operation]:
        """The operations while no destination is chosen."""
        return flow_ends.operations(())

    def where_error(self) -> str:
        """What is wrong with the filter as it is typed."""
        return form.wrong_where(self.value(form.SOURCE + "where"))

    def whole_hint(self) -> str:
        """What the rows together lack."""
        target = self.target
        return flow_mapping.wrong_as_a_whole(flow_mapping.lines_of(self.typed), target.chosen if target else None)

    def schedule(self) -> flow_schedule.Told:
        """What the schedule means."""
        return flow_schedule.told(self.typed, self.now)

    def cards(self) -> list[Card]:
        """The strip: source, mapping, destination, schedule."""
        wrong = {form.part_of(name) for name in self.errors if name not in ("", form.NAME)}
        rules = flow_mapping.document_of(flow_mapping.lines_of(self.typed))
        return [
            self._end_card("source", "Source", self.source, self._source_words(), is_wrong="source" in wrong),
            self._actions_card(is_wrong="actions" in wrong),
            Card("mapping", "Mapping", mapping_words(rules), ", ".join(rule["to"] for rule in rules),
                 is_wrong="mapping" in wrong),
            self._end_card("destination", "Destination", self.target, self._target_words(),
                           is_wrong="destination" in wrong),
            self._schedule_card(is_wrong="schedule" in wrong),
        ]  # fmt: skip

    def wrong(self) -> list[Field]:
        """Every field with an error, in the order of the page, for the summary."""
        order = [form.NAME, *form.PARTS]

        def rank(name: str) -> int:
            return 0 if name == form.NAME else order.index(form.part_of(name))

        return [Field(name, name, error=self.errors[name]) for name in sorted(self.errors, key=rank) if name]

    def flow(self) -> Flow | None:
        """What the preview looks at: the flow as far as it is typed; None where there is no source yet."""
        source, target = self.source, self.target
        if source is None or not source.resource:
            return None
        where = self.value(form.SOURCE + "where").strip()
        usable = [told.line for told in self.lines() if not told.error and not told.line.is_empty]
        rules = tuple(line.rule for line in usable)
        export = Export(
            source.row.name,
            source.resource,
            values=self.value(form.SOURCE + "values") == form.YES,
            where=where if where and not form.wrong_where(where) else None,
        )
        step = Import(target.row.name if target else "", target.resource if target else "", mapping=rules)
        acts = flow_actions.steps(flow_actions.acts_of(self.typed))
        return Flow(self.value(form.NAME), (export,), acts if form.ends_in_action(self.typed) else (*acts, step))

    def _end(self, prefix: str, *, reads: bool) -> End | None:
        name, resource = self.value(prefix + "connection"), self.value(prefix + "resource").strip()
        return flow_ends.end_of(self.rows, name, resource, reads=reads)

    def _end_card(self, part: str, kind: str, end: End | None, words: str, *, is_wrong: bool) -> Card:
        if part == "destination" and form.ends_in_action(self.typed):
            return Card(part, kind, "None", "the flow ends in its last action", is_wrong=is_wrong)
        if end is None:
            return Card(part, kind, "Choose a connection", "", "", "", is_wrong)
        return Card(part, kind, end.row.name, words, end.row.connector, end.row.state, is_wrong)

    def _actions_card(self, *, is_wrong: bool) -> Card:
        acts = flow_actions.acts_of(self.typed)
        title = f"{len(acts)} action{'' if len(acts) == 1 else 's'}" if acts else "None"
        return Card("actions", "Actions", title, ", ".join(act.action for act in acts if act.action), is_wrong=is_wrong)

    def _source_words(self) -> str:
        end, where = self.source, self.value(form.SOURCE + "where").strip()
        if end is None:
            return ""
        return source_words(end.resource, end.chosen, where, values=self.value(form.SOURCE + "values") == form.YES)

    def _target_words(self) -> str:
        end = self.target
        if end is None:
            return ""
        adopt, plaintext = (self.value(form.TARGET + name) == form.YES for name in ("adopt", "plaintext"))
        operation = self.value(form.TARGET + "operation")
        return target_words(operation, end.resource, adopt=adopt, plaintext=plaintext)

    def _schedule_card(self, *, is_wrong: bool) -> Card:
        preset = self.value(flow_schedule.PRESET)
        told = self.schedule()
        title = next((one.label for one in flow_schedule.PRESETS if one.value == preset), "By hand")
        words = told.words or ("when you start it" if not told.errors else "")
        return Card("schedule", "Schedule", title, words, is_wrong=is_wrong)
