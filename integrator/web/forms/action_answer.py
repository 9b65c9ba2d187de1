"""What an action gave, ready to be drawn on the page that answers, and nowhere else; and the file that an output is.

A secret is revealed here, because here the caller is answered: what is made of it goes into that one answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.actions import CONTINUATION, ITEMS, Action, Output, decoded
from iclients.secret import Secret, revealed

TEXT: Final = "text"
CODE: Final = "code"
LONG: Final = "long"
TIME: Final = "time"
NOTHING: Final = "nothing"
_LONG_CHARACTERS: Final = 100
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Given:
    """One output. `kind`: text, code, long, time (`at`, in Unix seconds) or nothing."""

    name: str
    title: str
    kind: str
    text: str = ""
    at: float = 0.0
    is_secret: bool = False
    is_file: bool = False

    def __repr__(self) -> str:
        return f"Given({self.name!r})"


@dataclass(frozen=True, slots=True)
class Table:
    """What a list found: titles of its columns, and a row for each item. `token`: where its next page begins."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Given]]
    token: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that an action gave."""

    given: Sequence[Given]
    table: Table | None = None


def answer_of(action: Action, outputs: Mapping[str, Any]) -> Answer:
    """The outputs in the order of the definition: of a list its table, of the others those that have something to say."""
    told = [one for one in action.outputs if one.name not in (ITEMS, CONTINUATION)]
    given = [_given(one, outputs.get(one.name)) for one in told]
    items = next((one for one in action.outputs if one.name == ITEMS), None)
    if items is None:
        return Answer(given)
    return Answer(given, _table(items, outputs.get(ITEMS) or [], str(revealed(outputs.get(CONTINUATION)) or "")))


def file_of(action: Action, output: Output, outputs: Mapping[str, Any]) -> tuple[str, bytes]:
    """Name and content of the file that this output is: bytes where it is base64."""
    text = str(revealed(outputs.get(output.name)) or "")
    ending = output.file.format_map({name: value for name, value in outputs.items() if isinstance(value, str)})
    stem = next((str(outputs[name]) for name in ("name",) if outputs.get(name)), action.id)
    name = _UNSAFE.sub("-", f"{stem}.{ending or 'txt'}").lstrip(".-")[:120]
    try:
        return name or "output", decoded(text)
    except ValueError:
        return name or "output", text.encode()


def files_of(action: Action) -> list[Output]:
    """The outputs that are files, where getting them once more does no harm and needs nothing secret anew."""
    is_harmless = not action.changes and not any(one.is_secret for one in action.parameters)
    return [one for one in action.outputs if one.file] if is_harmless else []


def _given(output: Output, value: Any) -> Given:
    told = (output.name, output.title)
    is_secret, value = output.is_secret or isinstance(value, Secret), revealed(value)
    if value is None or value in ("", [], {}):
        return Given(*told, NOTHING)
    if is_secret:
        text = value if isinstance(value, str) else _json(value)
        return Given(*told, LONG, text, is_secret=True, is_file=bool(output.file))
    if output.kind == "time" and (at := _moment(value)) is not None:
        return Given(*told, TIME, str(value), at)
    text, kind = _text(value)
    if len(text) > _LONG_CHARACTERS or "\n" in text:
        kind = LONG
    return Given(*told, kind, text, is_file=bool(output.file))


def _table(items: Output, found: Sequence[Mapping[str, Any]], token: str) -> Table:
    """Columns in which nothing stands are left out, but for the first."""
    columns = items.columns or tuple(Output(name, name) for name in items.fields)
    if not columns:
        names = dict.fromkeys(name for item in found for name in item)
        columns = tuple(Output(name, name) for name in names)
    kept = [one for number, one in enumerate(columns) if not number or any(_is_told(item, one) for item in found)]
    rows = [[_cell(one, item.get(one.name)) for one in kept] for item in found]
    return Table([one.title for one in kept], rows, token)


def _cell(column: Output, value: Any) -> Given:
    made = _given(column, value)
    if made.is_secret or made.kind != LONG:
        return made
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else made.text
    return Given(made.name, made.title, CODE, text)


def _is_told(item: Mapping[str, Any], column: Output) -> bool:
    return item.get(column.name) not in (None, "", [], {})


def _text(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "Yes" if value else "No", TEXT
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ", ".join(value), CODE
    if isinstance(value, Mapping | list | tuple):
        return _json(value), CODE
    return str(value), CODE


def _json(value: Any) -> str:
    """On one line where it is short."""
    short = json.dumps(value, ensure_ascii=False, default=str)
    return short if len(short) <= _LONG_CHARACTERS else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _moment(value: Any) -> float | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
