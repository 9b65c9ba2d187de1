"""A sandbox with a full and an empty vault, and connections to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vault_lab import Lab

from connectors.azure_key_vault.sandbox import Sandbox


@pytest.fixture
def vaults() -> dict[str, int]:
    return {"contoso": 0, "fabrikam": 0}


@pytest.fixture
def lab(vaults: dict[str, int]) -> Iterator[Lab]:
    with Sandbox.start(vaults=vaults) as sandbox:
        made = Lab(sandbox)
        yield made
        made.transport.close()
