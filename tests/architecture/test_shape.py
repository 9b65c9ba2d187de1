"""What the tree promises its reader: names that say something, short functions, few long files, narrow excepts."""

from __future__ import annotations

import ast
from collections.abc import Callable
from statistics import median, quantiles

import pytest
from source_tree import PACKAGES, ROOT, modules

pytestmark = pytest.mark.architecture

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "misc"}
LONGEST_FILE_LINES = 300
MEDIAN_FUNCTION_LINES = 8
LONG_FUNCTION_LINES = 33

LONG_FILES = {
    "connectors/azure_key_vault/sandbox/entra.py": "one protocol: every refusal of Entra's token endpoint stands beside the rule it breaks",
    "integrator/store/tables.py": "one noun: the schema, table by table",
}
"""Files past 300 lines, each with the reason why it is not two."""

BROAD_EXCEPTS = {
    "connectors/files/partial.py": "removes what is half made, and raises again",
    "flows/expressions.py": "a template may raise anything, and its text could hold a value",
    "connectors/paging.py": "the thread's boundary: what was raised is raised again where the page is asked for",
    "flows/workers.py": "the thread's boundary: what was raised is raised again where the run decides",
    "iclients/transport.py": "closes the connection, and raises again",
    "integrator/again.py": "a plug-in may raise anything, and the page of a run is shown all the same",
    "integrator/callback.py": "the thread's boundary: what was raised is raised again where the consent is waited for",
    "integrator/cli/ending.py": "the process's boundary: a person reads a sentence",
    "integrator/consenting.py": "the consent's boundary: whoever waits for it learns how it ended",
    "integrator/doctor.py": "the plug-in loader: a plug-in may raise anything",
    "integrator/turns.py": "the thread's boundary: what was raised is raised again where somebody waits at a page",
    "integrator/preview.py": "the thread's boundary: whoever waits for the preview reads a sentence",
    "integrator/local_azure.py": "the thread's boundary: whoever looks at the first page is told",
    "integrator/runner.py": "the run's boundary: its row must say how it ended",
    "integrator/scheduler.py": "the job's boundary: nobody waits for it who could be told",
    "integrator/worker.py": "the thread's boundary: the run stands as it stood, and is rescued",
    "integrator/store/database.py": "rolls back, and raises again",
}


def test_no_module_is_named_after_nothing() -> None:
    assert [module.name for module in modules() if FORBIDDEN_NAMES & {module.path.stem, *module.path.parts}] == []


def test_no_class_is_named_after_nothing() -> None:
    endings = ("Manager", "Handler", "Util", "Utils", "Helper")
    named = [
        f"{module.name}: {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(endings)
    ]
    assert named == []


def test_every_module_says_what_it_is() -> None:
    assert [module.name for module in modules() if not ast.get_docstring(module.tree)] == []


def test_every_public_class_and_function_of_a_module_says_what_it_is() -> None:
    silent = [
        f"{module.name}: {node.name}"
        for module in modules()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and "migrations/versions" not in module.name
    ]
    assert silent == []


def test_a_long_file_has_a_reason() -> None:
    long = {module.name: module.lines for module in modules() if module.lines > LONGEST_FILE_LINES}
    assert set(long) - set(LONG_FILES) == set(), long
    assert all(LONG_FILES.values())


def test_no_two_test_modules_have_one_name() -> None:
    """pytest cannot import both: tests stand in folders that are no packages."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts]
    assert sorted({name for name in names if names.count(name) > 1 and name != "conftest.py"}) == []


def test_functions_are_paragraphs(record_property: Callable[[str, object], None]) -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1 for module in modules() for node in module.functions()
    ]
    middle, long = median(lengths), quantiles(lengths, n=10)[-1]
    record_property("function_lines_median", middle)
    record_property("function_lines_90th_percentile", long)
    assert middle <= MEDIAN_FUNCTION_LINES, f"median {middle}, 90th percentile {long}"
    assert long <= LONG_FUNCTION_LINES, f"median {middle}, 90th percentile {long}"


def test_excepts_are_narrow_but_at_boundaries() -> None:
    broad = {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
    }
    assert broad - set(BROAD_EXCEPTS) == set()


@pytest.mark.parametrize("listed", [LONG_FILES, BROAD_EXCEPTS], ids=["long files", "broad excepts"])
def test_lists_of_exceptions_name_only_what_exists(listed: dict[str, str]) -> None:
    assert [name for name in listed if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_ships_its_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or (isinstance(one, ast.Name) and one.id in ("Exception", "BaseException")) for one in kinds)
