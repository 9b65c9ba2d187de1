"""What the guides show is what stands in the files: quoted code, links, and one page a decision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from marshmallow import Schema, fields
from source_tree import ROOT

from integrator.schemas import DocumentSchema

pytestmark = pytest.mark.architecture

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
GUIDES = [CONTRIBUTING, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")), *ROOT.glob("examples/**/*.md")]
MOST_LINES = 40
QUOTED_FROM = ("examples/connector_plugin", "tests/acceptance")

_BLOCK = re.compile(r"^```(python|toml|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")
_PATH = re.compile(r"`((?:docs|tests|examples|iclients|connectors|flows|integrator|benchmarks)/[\w./-]*)`")


def test_code_that_contributing_quotes_stands_in_the_repository() -> None:
    sources = [path.read_text("utf-8") for folder in QUOTED_FROM for path in _files(ROOT / folder)]
    blocks = [text for _, text in _BLOCK.findall(CONTRIBUTING.read_text("utf-8"))]
    assert len(blocks) > 8
    assert [block for block in blocks if not any(block in source for source in sources)] == []


def test_how_to_add_a_connector_is_the_longest_section() -> None:
    sections = re.split(r"^## ", CONTRIBUTING.read_text("utf-8"), flags=re.MULTILINE)
    assert max(sections, key=len).startswith("How to add a connector")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_paths_lead_somewhere(guide: Path) -> None:
    text = guide.read_text("utf-8")
    lost = [link for link in _LINK.findall(text) if not (guide.parent / link).exists()]
    lost += [path for path in _PATH.findall(text) if "NAME" not in path and not (ROOT / path).exists()]
    assert lost == []


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_with_context_decision_and_consequences(decision: Path) -> None:
    text = decision.read_text("utf-8")
    assert re.match(rf"# {decision.name[:4]}\. \S", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert text.count("\n") <= MOST_LINES


def test_the_index_names_every_decision_once_and_in_order() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((\d{4}-[^)]+)\)", index) == [path.name for path in DECISIONS]
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_documents_names_every_key_that_a_document_may_have() -> None:
    text = (ROOT / "docs" / "documents.md").read_text("utf-8")
    assert [key for key in _keys(DocumentSchema()) if not re.search(rf"\b{key}\b", text)] == []


def _keys(schema: Schema) -> Iterator[str]:
    for name, field in schema.fields.items():
        yield field.data_key or name
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from _keys(inner.schema)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in {".py", ".toml", ".yaml"})
