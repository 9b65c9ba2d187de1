"""The two ends of a flow: which connections there are to choose from, and what their descriptors say of a resource.

A connector that nobody here has seen gets its choices from its descriptor alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connectors import registry as connectors
from connectors.descriptor import Descriptor, ResourceDescriptor
from flows.schemas import OPERATIONS
from integrator.store.listing_ends import EndRow
from integrator.web.fields import Choice

NEEDS_AUTHORIZATION: Final = "needs authorization"
_OPERATIONS: Final[Mapping[str, tuple[str, str]]] = {
    "upsert": ("Add and update", "What is missing is made, what differs is changed, what is equal is left alone."),
    "add": ("Only add", "What is missing is made. What is there already stays as it is."),
    "update": ("Only update", "What is there already is changed where it differs. Nothing new is made."),
    "delete": ("Delete", "What the source names is removed at the destination."),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What an import does with a record; `why_not` says why it cannot be chosen."""

    name: str
    label: str
    help: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """A connection with what its connector says of it, and the resource that is chosen, where it is known."""

    row: EndRow
    descriptor: Descriptor | None
    resources: Sequence[ResourceDescriptor]
    resource: str = ""

    @property
    def title(self) -> str:
        """What the connector is called."""
        return self.descriptor.title if self.descriptor else self.row.connector

    @property
    def chosen(self) -> ResourceDescriptor | None:
        """What is known of the resource."""
        return next((one for one in self.resources if self.resource and one.is_called(self.resource)), None)

    @property
    def is_open(self) -> bool:
        """Whether the resource's name is typed: some stand for many."""
        return any(one.is_pattern for one in self.resources) or not self.resources

    @property
    def example(self) -> str:
        """A name that could be typed."""
        pattern = next((one.name for one in self.resources if one.is_pattern), "")
        return pattern.replace("*", "secrets") if pattern else ""

    def choices(self) -> list[Choice]:
        """The resources as choices, with the one that is stored although the descriptor has it no more."""
        known = [Choice(one.name, one.title) for one in self.resources]
        is_strange = self.resource and self.chosen is None
        return [*known, Choice(self.resource, self.resource)] if is_strange else known

    def operations(self) -> list[Operation]:
        """Every operation, with why it cannot be."""
        takes = self.chosen.verbs if self.chosen else tuple(verb for one in self.resources for verb in one.verbs)
        return operations(takes, self.title, self.chosen.title if self.chosen else self.title)


def operations(takes: Sequence[str], system: str = "", what: str = "") -> list[Operation]:
    """Every operation; where it is known what is taken, with why another one cannot be."""
    return [
        Operation(name, *words, "" if name in takes or not takes else _why_not(name, takes, system, what))
        for name, words in _OPERATIONS.items()
    ]


def _why_not(name: str, takes: Sequence[str], system: str, what: str) -> str:
    if name == "delete":
        return f"{system} does not take this in this version."
    known = ", ".join(words[0].lower() for verb, words in _OPERATIONS.items() if verb in takes)
    return f"Not for {what}, which takes: {known or 'nothing'}."


def end_of(rows: Sequence[EndRow], name: str, resource: str, *, reads: bool) -> End | None:
    """The end that is chosen. Where no resource is chosen yet, the first is meant: the list shows it as chosen."""
    row = next((one for one in rows if one.name == name), None)
    if row is None:
        return None
    descriptor = connectors.descriptor_of(row.connector)
    known = _usable(row, descriptor, reads=reads)
    if not resource and known and not any(one.is_pattern for one in known):
        resource = known[0].name
    return End(row, descriptor, known, resource)


def choices(rows: Sequence[EndRow], *, reads: bool) -> list[Choice]:
    """Connections with something to read, or something to write, as choices."""
    there = [row for row in rows if _usable(row, connectors.descriptor_of(row.connector), reads=reads)]
    return [Choice("", "Choose a connection"), *(Choice(row.name, _label(row)) for row in there)]


def _label(row: EndRow) -> str:
    found = connectors.descriptor_of(row.connector)
    text = f"{row.name} ({found.title if found else row.connector})"
    return f"{text}, needs authorization" if row.state == NEEDS_AUTHORIZATION else text


def _usable(row: EndRow, descriptor: Descriptor | None, *, reads: bool) -> list[ResourceDescriptor]:
    if descriptor is None:
        return []
    fitting = [one for one in descriptor.resources if one.api_type in (None, row.api_type)]
    return [one for one in fitting if (one.is_read if reads else set(OPERATIONS) & set(one.verbs))]
