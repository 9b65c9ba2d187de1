"""One sandbox for each module, one installation for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance_house import House, Lab, copied, furnished, running_lab


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), contoso=60, fabrikam=0) as lab:
        yield lab


@pytest.fixture(scope="module")
def furnished_house(module_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> House:
    return furnished(module_lab, tmp_path_factory.mktemp("furnished"))


@pytest.fixture
def lab(module_lab: Lab) -> Lab:
    """The sandbox, calm, with nothing in the second vault."""
    module_lab.calm()
    module_lab.empty("fabrikam")
    module_lab.control("POST", "calls/reset")
    return module_lab


@pytest.fixture
def house(furnished_house: House, tmp_path: Path) -> House:
    """An installation that knows the sandbox, a folder and the standard flows."""
    return copied(furnished_house, tmp_path)


@pytest.fixture
def new_house(tmp_path: Path) -> House:
    """An installation where nothing was done yet."""
    (tmp_path / "files").mkdir()
    return House(tmp_path / "home", tmp_path / "files")
