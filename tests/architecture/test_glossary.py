"""Every word of the glossary has a home that exists, and stands there once, in order."""

from __future__ import annotations

import importlib
import re
from functools import reduce
from typing import Any

import pytest
from source_tree import ROOT

pytestmark = pytest.mark.architecture

ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs" / "glossary.md").read_text("utf-8"))


def test_there_are_words_each_once_and_in_order() -> None:
    words = [word.lower() for word, _, _ in ROWS]
    assert len(words) > 50
    assert words == sorted(set(words))


@pytest.mark.parametrize(("word", "home"), [(word, home) for word, _, home in ROWS])
def test_the_home_of_a_word_exists(word: str, home: str) -> None:
    assert _at(home) is not None, word


@pytest.mark.parametrize(("word", "meaning"), [(word, meaning) for word, meaning, _ in ROWS])
def test_a_meaning_is_one_sentence(word: str, meaning: str) -> None:
    assert re.fullmatch(r"[^.]*(\.\d[^.]*)*\.", meaning), word


def _at(home: str) -> Any:
    """What this dotted name means: a module as far as there is one, then its attributes."""
    parts = home.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[end:], module)
    raise AssertionError(f"{home} begins with no module")
