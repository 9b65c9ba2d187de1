"""The folder that every test of the files connector works in."""

from __future__ import annotations

from pathlib import Path

import pytest
from files_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
