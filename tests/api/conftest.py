"""One sandbox and one installation for each test: what is deleted stays deleted for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_house import ApiHouse

from connectors.azure_key_vault.sandbox import Sandbox


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ApiHouse]:
    with Sandbox.start(vaults={"contoso": 3, "fabrikam": 1}) as sandbox:
        made = ApiHouse(sandbox, tmp_path)
        yield made
        made.close()
