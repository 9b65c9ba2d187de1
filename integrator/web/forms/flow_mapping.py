"""The mapping editor: rows as they are typed, moved by buttons, and judged one by one.

A row that is empty is none. What is judged here is told beside its row while it is typed, and again when it is saved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final

from connectors.descriptor import ResourceDescriptor
from flows import names
from flows.errors import FlowDefinitionError
from flows.expressions import WHOLE_RECORD, Expression, jmespath_expression, template_expression
from flows.model import MappingRule
from integrator.web.drafts import Sent
from integrator.web.fields import Choice

TO: Final = "rule.to"
KIND: Final = "rule.kind"
TEXT: Final = "rule.text"
NAME: Final = "rule.name"
FROM: Final = "from"
TEMPLATE: Final = "template"
CODEC: Final = "codec"
DECODE: Final = "decode"
KINDS: Final = (Choice(FROM, "Field or expression"), Choice(TEMPLATE, "Template"))
MOST_ROWS: Final = 200
_PREFACES: Final = re.compile(r": (?:Invalid jmespath expression|Bad jmespath expression): ?", re.IGNORECASE)

ADD: Final = "row-add"
SAME: Final = "row-same"
BUTTONS: Final = "row-"


@dataclass(frozen=True, slots=True)
class Line:
    """One row as it is typed."""

    to: str = ""
    kind: str = FROM
    text: str = ""
    name: str = ""
    """What becomes of it as a name: `codec:env`, `decode:env`; empty: it stays as it is."""

    @property
    def codec(self) -> dict[str, str]:
        """The same as a rule has it."""
        word, _, name = self.name.partition(":")
        return {word: name} if word in (CODEC, DECODE) else {}

    @property
    def rule(self) -> MappingRule:
        """The rule that it means."""
        if self.kind == TEMPLATE:
            return MappingRule(self.to, template=self.text, **self.codec)
        return MappingRule(self.to, from_=self.text, **self.codec)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is typed in it."""
        return not self.to and not self.text


@dataclass(frozen=True, slots=True)
class LineTold:
    """One row with what is wrong with it, or odd about it; `part` is which of its fields that is: to or text."""

    number: int
    line: Line
    is_required: bool = False
    error: str = ""
    hint: str = ""
    part: str = "text"

    @property
    def id(self) -> str:
        """Where a summary leads to."""
        return f"field-rule.{self.number}.{self.part}"


def lines_of(typed: Sent) -> list[Line]:
    """The rows, empty ones too."""
    columns = (typed.getlist(TO), typed.getlist(KIND), typed.getlist(TEXT))
    codec = chain(typed.getlist(NAME), repeat(""))
    return [
        Line(to.strip(), kind if kind == TEMPLATE else FROM, text.strip(), name)
        for (to, kind, text), name in zip(zip(*columns, strict=False), codec, strict=False)
    ][:MOST_ROWS]


def put(typed: Sent, lines: Sequence[Line]) -> None:
    """Let these be the rows."""
    for name in (TO, KIND, TEXT, NAME):
        typed.poplist(name)
    if lines:
        typed.setlist(TO, [line.to for line in lines])
        typed.setlist(KIND, [line.kind for line in lines])
        typed.setlist(TEXT, [line.text for line in lines])
        typed.setlist(NAME, [line.name for line in lines])


def of_document(rules: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Stored rules as rows."""
    return [_line(rule) for rule in rules]


def document_of(lines: Sequence[Line]) -> list[dict[str, str]]:
    """The rows as a document has them."""
    return [{"to": line.to, line.kind: line.text, **line.codec} for line in lines if not line.is_empty]


def pressed(lines: Sequence[Line], button: str) -> list[Line]:
    """The rows after this button: row-add, row-remove-2, row-up-2, row-down-2."""
    made = [*lines]
    if button == ADD:
        return [*made, Line()]
    act, _, number = button.removeprefix(BUTTONS).partition("-")
    at = int(number) if number.isdecimal() and len(number) < 4 else -1
    if not 0 <= at < len(made):
        return made
    line = made.pop(at)
    if act == "remove":
        return made
    made.insert(max(0, at + {"up": -1, "down": 1}.get(act, 0)), line)
    return made


def focus_after(button: str, rows: int) -> str:
    """Where the focus goes: into the new row, or with the row that was moved."""
    act, _, number = button.removeprefix(BUTTONS).partition("-")
    if button == ADD:
        return f"row-{rows - 1}"
    if act not in ("up", "down", "remove") or not number.isdecimal():
        return ""
    if act == "remove":
        return f"row-remove-{min(int(number), rows - 1)}" if rows else ADD
    at = int(number) + (1 if act == "down" else -1)
    if at in (0, rows - 1):
        act = "down" if at == 0 else "up"
    return f"row-{act}-{at}"


def same_fields(
    lines: Sequence[Line], fields: Sequence[str], source: ResourceDescriptor | None, target: ResourceDescriptor | None
) -> list[Line]:
    """The rows, with one for each field that both ends have and no row names yet."""
    theirs = source.writable_fields if source and source.writable_fields else fields
    takes = target.targets if target and not target.open_fields else theirs
    both = [name for name in takes if name in theirs or name in fields]
    named = {line.to for line in lines}
    return [
        *(line for line in lines if not line.is_empty),
        *(Line(name, FROM, name) for name in both if name not in named),
    ]


def told(
    lines: Sequence[Line],
    source: ResourceDescriptor | None,
    target: ResourceDescriptor | None,
    *,
    values: bool,
) -> list[LineTold]:
    """Each row with what is to be said beside it."""
    seen: set[str] = set()
    made = []
    for number, line in enumerate(lines):
        required = bool(target and line.to in target.required_fields)
        part, error = _wrong(line, seen, target)
        hint = "" if error or line.is_empty else _odd(line, source, values=values)
        made.append(LineTold(number, line, required, f"Row {number + 1} {error}" if error else "", hint, part))
        seen.add(line.to)
    return made


def wrong_as_a_whole(lines: Sequence[Line], target: ResourceDescriptor | None) -> str:
    """What the rows together lack."""
    named = [line.to for line in lines if not line.is_empty]
    if target is None or (not named and not target.needs_mapping):
        return ""
    if not named:
        return f"{target.title} needs a mapping: its rows name the columns. Add rows, or take the same fields."
    missing = [name for name in target.required_fields if name not in named]
    return f"The destination needs {' and '.join(missing)}: add a row for {missing[0]}." if missing else ""


def _line(rule: Mapping[str, Any]) -> Line:
    kind = TEMPLATE if TEMPLATE in rule else FROM
    word = next((word for word in (CODEC, DECODE) if word in rule), "")
    return Line(rule["to"], kind, rule[kind], f"{word}:{rule[word]}" if word else "")


def _wrong(line: Line, seen: set[str], target: ResourceDescriptor | None) -> tuple[str, str]:
    if line.is_empty:
        return "text", ""
    if not line.to:
        return "to", "has no target field: name one."
    if line.to in seen:
        return "to", f"names {line.to}, which has a row already: keep one of them."
    if target and target.targets and not target.open_fields and line.to not in target.targets:
        return "to", f"names {line.to}, which {target.title} does not take; it takes: {', '.join(target.targets)}."
    if not line.text:
        return "text", "has nothing to take: choose a field, or write an expression."
    try:
        compiled(line)
    except FlowDefinitionError as error:
        return "text", f"cannot work: {plain(error)}"
    return "text", ""


def _odd(line: Line, source: ResourceDescriptor | None, *, values: bool) -> str:
    """What is no error before the flow runs, and still hardly meant."""
    if source is None:
        return ""
    taken = compiled(line).names - {WHOLE_RECORD}
    missing = sorted(taken - set(source.fields)) if source.fields and not source.open_fields else []
    if missing:
        return f"{source.title} has no field {missing[0]}; it has: {', '.join(source.fields)}."
    if not values and "get" in source.verbs and (secret := sorted(taken & set(source.secret_fields))):
        return f"{secret[0]} stays empty: the source is read without values."
    return ""


def plain(error: FlowDefinitionError) -> str:
    """The sentence without what the library says in front of it, which whoever types knows."""
    return f"{_PREFACES.sub(': ', str(error)).rstrip(':. ')}."


def compiled(line: Line) -> Expression:
    """The row's expression. Raises FlowDefinitionError."""
    for name in line.codec.values():
        names.codec(name)
    return template_expression(line.text) if line.kind == TEMPLATE else jmespath_expression(line.text)


def codecs(word: str) -> list[Choice]:
    """What can be made of a name, or (`decode`) of what was made of one."""
    examples = {one.name: one.example if word == CODEC else one.example[::-1] for one in names.CODECS.values()}
    undo = "" if word == CODEC else "undo "
    return [Choice(f"{word}:{name}", f"{undo}{name}: {' → '.join(told)}") for name, told in examples.items()]
