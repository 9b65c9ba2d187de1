"""The product's modules as syntax trees: read once, asked by every rule."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("integrator", "flows", "connectors", "iclients")


@dataclass(frozen=True)
class Module:
    path: Path
    tree: ast.Module
    lines: int

    @property
    def name(self) -> str:
        """The path inside the repository, such as `flows/plan.py`."""
        return self.path.relative_to(ROOT).as_posix()

    def imported(self) -> set[str]:
        """The top-level names of everything that is imported anywhere in it."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
        return names

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the product."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    texts = ((path, path.read_text("utf-8")) for path in paths)
    return tuple(Module(path, ast.parse(text, str(path)), len(text.splitlines())) for path, text in texts)
