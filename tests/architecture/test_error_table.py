"""Every code that an error can have stands in docs/errors.md, and nothing else stands there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from source_tree import ROOT, modules

from flows.model import RunStatus
from iclients.errors import Recovery
from integrator import errors
from integrator.errors import ExitCode

pytestmark = pytest.mark.architecture

TEXT = (ROOT / "docs" / "errors.md").read_text("utf-8")
FIRST_CELLS = re.findall(r"^\| ([^|]+) \|", TEXT, re.MULTILINE)
TOLD = {word for cell in FIRST_CELLS for word in re.findall(r"`([^`]+)`", cell)}

CODED_CALLS = {"bad_record": 1, "_failed": 1, "_End": 1, "_tell": 1, "_conflict": 0}
"""Functions that take a code by position."""
CODE_CONSTANTS = {"REFUSED", "_CODES"}
FAMILIES = {
    "invalid_content_type",
    "invalid_enabled",
    "invalid_not_before",
    "invalid_expires",
    "invalid_tags",
    "invalid_original_name",
}
"""Codes that are put together when they are needed."""


def test_every_code_in_the_source_is_in_the_table() -> None:
    missing = {code: place for code, place in _codes() if code not in TOLD}
    assert missing == {}


def test_every_code_in_the_table_is_in_the_source() -> None:
    known = {code for code, _ in _codes()} | FAMILIES | _told_by_name() | {*Recovery} | {*RunStatus}
    assert TOLD - known == set()


def test_every_error_for_a_person_is_in_the_table() -> None:
    leaves = {name for name in _told_by_name() if not getattr(errors, name).__subclasses__() or name == "BadUsage"}
    assert leaves - TOLD == set()


def test_every_status_recovery_and_exit_code_is_in_the_tables() -> None:
    assert {*RunStatus, *Recovery} <= TOLD
    assert {str(int(code)) for code in ExitCode} <= {*FIRST_CELLS}


def _told_by_name() -> set[str]:
    """Errors whose code in JSON is their class's name."""
    return {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.UserError) and kind is not errors.UserError
    }


def _codes() -> Iterator[tuple[str, str]]:
    """Codes in the product's source, each with where it stands."""
    for module in modules():
        if {"sandbox", "testing"} & {*module.path.parts, module.path.stem}:
            continue
        for node in ast.walk(module.tree):
            for value in _code_nodes(node):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield value.value, f"{module.name}:{value.lineno}"


def _code_nodes(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.keyword) and node.arg == "code":
        yield node.value
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in CODED_CALLS and len(node.args) > CODED_CALLS[name]:
            yield node.args[CODED_CALLS[name]]
    elif isinstance(node, ast.ClassDef):
        yield from (item.value for item in node.body if isinstance(item, ast.Assign) and _is_called(item, {"code"}))
    elif isinstance(node, ast.AnnAssign) and node.value is not None and _is_called(node, CODE_CONSTANTS):
        yield from _values(node.value)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and _begins_with_exit_code(node.value):
        yield node.value.elts[1]


def _values(value: ast.expr) -> Iterator[ast.expr]:
    """The text itself, or the values of a table that may be wrapped in a call."""
    if isinstance(value, ast.Call):
        value = value.args[0]
    yield from value.values if isinstance(value, ast.Dict) else [value]


def _is_called(node: ast.Assign | ast.AnnAssign, names: set[str]) -> bool:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return isinstance(target, ast.Name) and target.id in names


def _begins_with_exit_code(node: ast.Tuple) -> bool:
    return bool(node.elts) and ast.unparse(node.elts[0]).startswith("ExitCode.")
