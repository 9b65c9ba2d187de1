"""A floor imports only floors below it, slices do not know each other, and every library has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from source_tree import PACKAGES, ROOT, modules

pytestmark = pytest.mark.architecture

HOMES = {
    "authlib": ["iclients/*"],
    "requests": ["iclients/*", "connectors/*"],
    "marshmallow": [
        "*/schemas.py",
        "iclients/token_schemas.py",
        "connectors/descriptor.py",
        "iclients/grants.py",  # judges an answer: only to catch ValidationError
        "iclients/token_answers.py",  # likewise
        "integrator/web/*",
        "integrator/api/*",
    ],
    "sqlalchemy": ["integrator/store/*", "connectors/sql/*"],
    "alembic": ["integrator/store/*"],
    "werkzeug": ["integrator/web/*"],
    "flask": ["integrator/web/*", "integrator/api/*", "connectors/*/sandbox/*"],
    "waitress": ["integrator/web/server.py"],
    "leather": ["integrator/web/charts.py"],
    "apscheduler": ["integrator/scheduler.py"],
    "joserfc": ["iclients/*", "connectors/*/sandbox/*"],
    "cryptography": [
        "integrator/store/sealed.py",
        "integrator/store/passwords.py",
        "iclients/*",
        "connectors/*/sandbox/*",
    ],
    "httptools": ["iclients/answers.py", "connectors/*/sandbox/*"],
    "certifi": ["iclients/transport.py"],
    "yaml": ["integrator/documents.py", "connectors/*/sandbox/serving.py"],
    "jmespath": ["flows/expressions.py"],
    "jinja2": ["flows/templates.py", "integrator/web/*"],
    "click": ["integrator/cli/*", "integrator/cli.py"],
    "pytest": ["connectors/testing/*", "iclients/testing/*"],
    "rich": ["integrator/cli/*", "integrator/cli.py", "integrator/demo/*"],
}
"""Library → where it may be imported. What is not here may not be imported at all."""

OPTIONAL = {"uvloop"}


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_where_it_lives(library: str) -> None:
    strays = [
        module.name
        for module in modules()
        if library in module.imported() and not any(fnmatch(module.name, home) for home in HOMES[library])
    ]
    assert strays == []


def test_every_imported_library_has_a_home() -> None:
    known = {*sys.stdlib_module_names, *PACKAGES, *HOMES, *OPTIONAL}
    homeless = {(name, module.name) for module in modules() for name in module.imported() - known}
    assert homeless == set()


def test_floors_and_slices_keep_their_contracts() -> None:
    command = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True, no_cache=True))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_nobody_imports_relatively() -> None:
    relative = [
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


LIBRARY = """
import importlib, pkgutil, sys
for name in ("iclients", "connectors", "flows"):
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(found.name)
print(",".join(sorted({"integrator", "sqlalchemy", "alembic", "flask", "click", "rich"} & set(sys.modules))))
"""


def test_the_three_lower_floors_are_libraries_without_web_database_and_command_line() -> None:
    ended = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == ""
