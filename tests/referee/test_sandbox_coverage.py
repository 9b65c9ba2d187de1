"""Which operations of Microsoft's SDKs these tests call, and which errors reach them: `docs/sandbox.md` has both tables.

What is called is noted while the tests run (`sdk_record`); each test is asked for what `sdk_calls.json` says it holds.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from sdk_record import CALLS, Record, clients, missing, operations

pytestmark = pytest.mark.referee

HERE = Path(__file__)
SUPPORTED_IN_PART = re.compile(r"(aio\.)?(authorization|resource|subscription)\.|aio\.")
ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
ERROR_ROW = re.compile(r"^\| `([\w.]+)` \| `(\w+)` \| (\d+|–) \| (?:`([\w.]+)`|–) \| `([^`]+)` \|$", re.MULTILINE)
FEWEST_OPERATIONS, FEWEST_TOGETHER = 130, 220


def named(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


@pytest.fixture(scope="module")
def text() -> str:
    return (HERE.parents[2] / "docs" / "sandbox.md").read_text("utf-8")


@pytest.fixture(scope="module")
def rows(text: str) -> dict[str, tuple[set[str], set[str]]]:
    return {name: (named(called), named(left_out)) for name, called, left_out in ROW.findall(text)}


def held(client: str) -> set[str]:
    return {name.rpartition(".")[2] for name in CALLS["operations"] if name.rpartition(".")[0] == client}


@pytest.mark.parametrize("client", clients())
def test_the_table_says_what_is_called_and_what_is_not(rows: Any, client: str) -> None:
    called, left_out = rows.get(client, (set(), set()))
    assert called == held(client)
    if not SUPPORTED_IN_PART.match(client):
        assert called | left_out == operations(clients()[client])
    assert called <= operations(clients()[client])


def test_the_table_of_errors_says_what_tests_hold(text: str) -> None:
    found = [
        (op, kind, 0 if status == "–" else int(status), code, test)
        for op, kind, status, code, test in ERROR_ROW.findall(text)
    ]
    assert sorted(found) == sorted(tuple(one) for one in CALLS["errors"])


def test_every_test_that_holds_something_is_there() -> None:
    holders = {*CALLS["operations"].values(), *(one[-1] for one in CALLS["errors"])}
    for holder in holders:
        module, _, test = holder.partition(".")
        tree = ast.parse((HERE.parent / f"{module}.py").read_text("utf-8"))
        assert test.partition("[")[0] in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}, holder


def test_a_test_that_does_not_call_what_it_is_said_to_call_is_found_out() -> None:
    operation, holder = next(iter(CALLS["operations"].items()))
    assert missing(holder, Record())
    record = Record()
    record.operations = {name for name, test in CALLS["operations"].items() if test == holder}
    record.errors = {tuple(one[:-1]) for one in CALLS["errors"] if one[-1] == holder}
    assert missing(holder, record) == []
    record.operations.discard(operation)
    assert missing(holder, record) == [operation]


def test_operations_and_errors_are_many() -> None:
    synchronous = {name for name in CALLS["operations"] if not name.startswith("aio.")}
    errors = {tuple(one[:-1]) for one in CALLS["errors"]}
    assert len(errors) == len(CALLS["errors"])
    assert len(synchronous) >= FEWEST_OPERATIONS
    assert len(synchronous) + len(errors) >= FEWEST_TOGETHER
