"""Documents: read with line numbers, applied all or not at all, dumped so that applying them again changes nothing.

YAML as people write it, without its surprises: `yes`, `on`, `1e3`, `0123` and dates are text, a key stands once in a
mapping, tags are refused, and size, depth and what aliases repeat are bounded. Source: YAML 1.2.2 §10.3 (core schema),
of which this reads what YAML 1.1 reads the same way. The one home of PyYAML.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from integrator import destinations, outside, references, schemas
from integrator.errors import BadDocument
from integrator.schemas import Where, Wrong
from integrator.store.named import Saved
from integrator.store.store import Store, Transaction

MAX_BYTES: Final = 1_000_000
MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 32
NOUNS: Final = ("clouds", "iclients", "connections", "flows")

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]{1,3})?", re.ASCII)
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a document did: noun → what became of it → names."""

    changes: Mapping[str, Mapping[Saved, list[str]]]

    @property
    def is_unchanged(self) -> bool:
        """Whether everything was as the document says already."""
        return not any(kind[Saved.CREATED] or kind[Saved.UPDATED] for kind in self.changes.values())

    def document(self) -> dict[str, dict[str, list[str]]]:
        """As `apply --json` prints it."""
        return {noun: {saved.value: names for saved, names in kind.items()} for noun, kind in self.changes.items()}


@dataclass(frozen=True, slots=True)
class Tree:
    """A document as plain data, and on which line each part of it begins."""

    data: Any = field(repr=False)
    lines: Mapping[Where, int]

    def line(self, path: Where) -> int:
        """The line of this part, or of the nearest one around it."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 1)


def apply(path: Path | str, store: Store, environ: Mapping[str, str] = os.environ) -> Applied:
    """Create or update what the document names, in one transaction.

    Raises BadDocument (file, line, path and what to do) and then nothing is changed; StoreError, SealError.
    """
    name = str(path)
    tree = read(name, _bytes(Path(path)))
    try:
        resolved = outside.resolve(tree.data, Path(path).absolute().parent, environ)
        nouns = schemas.load(resolved)
        references.check_names(nouns)
        with store.writing() as transaction:
            return save(transaction, nouns)
    except Wrong as wrong:
        raise BadDocument(f"{name}:{tree.line(wrong.path)}: {wrong}") from wrong.__cause__


def save(transaction: Transaction, nouns: Mapping[str, Any]) -> Applied:
    """Keep the nouns of a document that was read. Raises Wrong, and then the transaction must not be kept.

    Lower floors first, so that what a noun refers to is found whether it is new or was there already.
    """
    before = destinations.destinations(transaction)
    changes: dict[str, dict[Saved, list[str]]] = {}
    for noun in NOUNS:
        kept = getattr(transaction, noun)
        changes[noun] = {saved: [] for saved in Saved}
        for position, thing in enumerate(nouns.get(noun, ())):
            references.check(transaction, noun, position, thing)
            changes[noun][kept.save(thing)].append(thing.name)
    destinations.check(transaction, before, nouns.get("iclients", ()))
    return Applied(changes)


def dump(store: Store) -> str:
    """Everything that is stored, as a document for `apply`: sorted by name, without credentials."""
    return text(dumped(store))


def dumped(store: Store) -> dict[str, Any]:
    """What `dump` writes, as data."""
    with store.reading() as transaction:
        repositories = {noun: getattr(transaction, noun) for noun in NOUNS}
        nouns = {noun: [kept.document(thing) for thing in kept.all()] for noun, kept in repositories.items()}
    return {"version": 1, **{noun: things for noun, things in nouns.items() if things}}


def text(document: Mapping[str, Any]) -> str:
    """A document as YAML that `read` reads back the same."""
    written: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return written


def read(name: str, content: bytes) -> Tree:
    """The document as data with line numbers. Raises BadDocument, naming the file and the line."""
    if len(content) > MAX_BYTES:
        raise BadDocument(f"{name}:1: the document is larger than {MAX_BYTES} bytes: split it.")
    try:
        return _Reading(name, content.decode("utf-8-sig")).tree()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadDocument(f"{name}:{line}: the document is not UTF-8 text: save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadDocument(f"{name}:{line}: this is not YAML: {error.problem or 'it cannot be read'}.") from None
    except yaml.YAMLError:
        raise BadDocument(f"{name}:1: the document has characters that YAML does not allow.") from None


class _Reading:
    """Makes data from YAML's events, and notes lines on the way."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._lines: dict[Where, int] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def tree(self) -> Tree:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise BadDocument(f"{self._name}:1: the document is empty.")
        data = self._node(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._bad(after, "a second document begins here: apply one at a time.")
        return Tree(data, self._lines)

    def _node(self, event: Any, path: Where) -> Any:
        self._lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event)
        self._count(event, 1)
        if len(path) > MAX_DEPTH:
            raise self._bad(event, f"this is nested more than {MAX_DEPTH} deep.")
        if event.tag not in (None, "!"):
            raise self._bad(event, f"the tag {event.tag} is not allowed here.")
        before = self._nodes
        value = self._value(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _value(self, event: Any, path: Where) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Where) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Where) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._bad(event, f"{schemas.shown(path)} has a key that is not text.")
            key = event.value
            if key in items:
                first = self._lines[*path, key]
                raise self._bad(event, f"{schemas.shown(path)} has the key {key} twice, first on line {first}.")
            self._count(event, 1)
            self._lines[*path, key] = _line(event)
            items[key] = self._node(next(self._events), (*path, key))
        return items

    def _repeated(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._bad(event, f"the alias *{event.anchor} repeats something that is not there, or itself.")
        value, nodes = self._anchors[event.anchor]
        self._count(event, nodes)
        return value

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._bad(event, f"the document has more than {MAX_NODES} parts, with what aliases repeat.")

    def _bad(self, event: Any, sentence: str) -> BadDocument:
        return BadDocument(f"{self._name}:{_line(event)}: {sentence}")


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


class _Dumper(yaml.SafeDumper):
    """Quotes texts whose line breaks PyYAML would fold into spaces otherwise."""


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represented)


def _scalar(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadDocument(f"{path}:1: the document cannot be read ({error.strerror}).") from error
