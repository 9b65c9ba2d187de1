"""The files connector keeps what the kit asks of every connector, for both of its formats."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.connector import Access
from connectors.files import Files
from connectors.model import Connection, Effect, ReadOptions, Record, WriteOptions
from connectors.testing.conformance import ConnectorConformance, Subject
from iclients.clock import SystemClock
from iclients.secret import Secret

ROWS = 250


class _Files(ConnectorConformance):
    suffix: str

    @pytest.fixture
    def subject(self, tmp_path: Path) -> Subject:
        (tmp_path / f"in{self.suffix}").write_text("".join(self.lines()), encoding="utf-8")
        access = Access(SystemClock(), lambda data: hashlib.sha256(data).hexdigest(), tmp_path)
        connector = Files(Connection("here", "files", settings={"folder": "."}), access)
        written = tmp_path / f"out{self.suffix}"
        return Subject(
            connector=connector,
            planted=["pl4nted", "s4mple"],
            resource_to_read=f"in{self.suffix}",
            expected_records=ROWS + 1,
            resource_to_write=written.name,
            write_options=WriteOptions(plaintext=True, fields=("name", "value")),
            samples=[_sample(number) for number in range(3)],
            snapshot=lambda: written.read_bytes() if written.exists() else None,
            rewrite=Effect.CREATED,
            failures={
                "a file that is not there": lambda: connector.source("none.csv", ReadOptions()),
                "a file elsewhere": lambda: connector.source("../x.csv", ReadOptions()),
                "a value without plaintext": lambda: connector.target(
                    written.name, WriteOptions(fields=("name", "value"))
                ).assess(_sample(1), None),
                "a lone surrogate": lambda: connector.target(
                    "x.csv", WriteOptions(plaintext=True, fields=("value",))
                ).assess(Record("x", {"value": Secret("s4mple\ud800")}), None),
            },
        )

    def lines(self) -> list[str]:
        raise NotImplementedError


class TestCsv(_Files):
    suffix = ".csv"

    def lines(self) -> list[str]:
        rows = [f'name-{number},"pl4nted\n{number}"\n' for number in range(ROWS)]
        return ["name,value\n", *rows, 'last,"pl4nted and cut']


class TestJsonLines(_Files):
    suffix = ".jsonl"

    def lines(self) -> list[str]:
        rows: list[dict[str, Any]] = [
            {"name": f"name-{number}", "value": f"pl4nted {number}"} for number in range(ROWS)
        ]
        return [json.dumps(row) + "\n" for row in rows] + ['{"name": "last", "value": "pl4nted']


def _sample(number: int) -> Record:
    return Record(f"name-{number}", {"name": f"name-{number}", "value": Secret(f"s4mple {number}")})
