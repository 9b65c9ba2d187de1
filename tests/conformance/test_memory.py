"""The connector in memory keeps what the kit asks of every connector."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from connectors.connector import Access
from connectors.model import Connection, Record
from connectors.testing.conformance import ConnectorConformance, Subject
from connectors.testing.memory import Memory
from iclients.clock import SystemClock
from iclients.secret import Secret


class TestMemory(ConnectorConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Subject:
        access = Access(SystemClock(), lambda data: hashlib.sha256(data).hexdigest(), tmp_path)
        connector = Memory(Connection("m", "memory"), access)
        connector.records = [_record(number, "pl4nted") for number in range(60)]
        return Subject(
            connector=connector,
            planted=["pl4nted", "s4mple"],
            resource_to_read="source",
            expected_records=60,
            resource_to_write="target",
            samples=[_record(number, "s4mple") for number in range(3)],
            snapshot=lambda: {key: (entry.fields, entry.marker) for key, entry in connector.stored.items()},
        )


def test_a_fixture_that_is_not_overridden_says_how() -> None:
    with pytest.raises(NotImplementedError, match="Override the fixture `subject`"):
        ConnectorConformance.subject.__wrapped__(ConnectorConformance())


def _record(number: int, value: str) -> Record:
    return Record(f"name-{number}", {"name": f"name-{number}", "value": Secret(value)})
