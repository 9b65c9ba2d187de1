"""How far a connector is judged: bronze, silver, gold.

bronze   it describes itself, says in a sentence what was reached or what is wrong, and shows no value
silver   so does everything that it reads and writes: each of its resources has a subject
gold     so does every action, and whatever it does says what follows while its system is in trouble

The grade is of one API type: a connector may be gold at one and bronze at the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from connectors.connector import Connector
from connectors.descriptor import ResourceDescriptor
from connectors.testing.conformance import ConnectorConformance

_WRITING = frozenset({"add", "update", "upsert", "delete"})


class Grade(StrEnum):
    """What can be said of a connector."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


@dataclass(frozen=True, slots=True)
class Grading:
    """The grade, and what the next one needs."""

    grade: Grade
    missing: tuple[str, ...] = ()


def graded(kind: type[Connector], api_type: str | None, judged: Iterable[type]) -> Grading:
    """By what the test classes among these say of themselves, which the kit holds them to."""
    classes = [one for one in judged if issubclass(one, ConnectorConformance)]
    mine = [one for one in classes if one.judges is kind and one.api_type == api_type]
    if not mine:
        return Grading(Grade.NONE, (f"no test class judges {kind.descriptor.name}, {api_type or 'any API type'}",))
    unjudged = tuple(_unjudged(kind, api_type, mine))
    if unjudged:
        return Grading(Grade.BRONZE, unjudged)
    lacking = tuple(_lacking(kind, api_type, mine))
    return Grading(Grade.SILVER, lacking) if lacking else Grading(Grade.GOLD)


def _unjudged(kind: type[Connector], api_type: str | None, mine: list[type[ConnectorConformance]]) -> Iterable[str]:
    reads, writes = {one.reads for one in mine}, {one.writes for one in mine}
    for resource in kind.descriptor.resources:
        if resource.api_type not in (None, api_type):
            continue
        if resource.is_read and not _is_among(resource, reads):
            yield f"nothing reads {resource.name}"
        if _WRITING & set(resource.verbs) and not _is_among(resource, writes):
            yield f"nothing writes {resource.name}"


def _is_among(resource: ResourceDescriptor, names: set[str | None]) -> bool:
    return any(name is not None and resource.is_called(name) for name in names)


def _lacking(kind: type[Connector], api_type: str | None, mine: list[type[ConnectorConformance]]) -> Iterable[str]:
    if kind.actions(api_type) and not any(one.acts for one in mine):
        yield "nothing carries out its actions"
    if not any(one.is_troubled for one in mine):
        yield "its system is never in trouble"
