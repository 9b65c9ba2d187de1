"""`docs/azure-traps.md` has all fifty traps, and every test that it names exists."""

from __future__ import annotations

import ast
import re

import pytest
from source_tree import ROOT

pytestmark = pytest.mark.architecture

ROW = re.compile(r"^\| (\d+) \| (.+?) \| (client|server|both) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")
ROWS = ROW.findall((ROOT / "docs" / "azure-traps.md").read_text("utf-8"))
OF_SERVERS = "test_sandbox_"


def functions_in(module: str) -> set[str]:
    (path,) = (ROOT / "tests").rglob(f"{module}.py")
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_trap_has_one_row_in_its_order() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 51))


def test_every_trap_names_a_test_for_each_whom_it_concerns() -> None:
    for number, _, concerns, held in ROWS:
        named = [module for module, _ in NAMED.findall(held)]
        is_of_server = {module.startswith(OF_SERVERS) for module in named}
        assert is_of_server == {"client": {False}, "server": {True}, "both": {False, True}}[concerns], number


def test_every_test_that_is_named_exists() -> None:
    named = {pair for *_, held in ROWS for pair in NAMED.findall(held)}
    assert {f"{module}::{test}" for module, test in named if test not in functions_in(module)} == set()
