"""Providers are found by name, and an unknown name is a sentence."""

from __future__ import annotations

import pytest

from iclients import registry
from iclients.errors import NotAuthorized
from iclients.providers.entra import Entra


def test_entra_comes_with_the_product() -> None:
    assert isinstance(registry.provider("entra"), Entra)
    assert "entra" in registry.names()


def test_a_name_has_one_provider() -> None:
    assert registry.provider("entra") is registry.provider("entra")


@pytest.mark.parametrize("name", ["nobody", "", "Entra", "../entra"])
def test_an_unknown_provider_is_a_sentence_that_names_those_that_there_are(name: str) -> None:
    with pytest.raises(NotAuthorized, match=r"There is no provider .*; installed are: .*entra") as caught:
        registry.provider(name)
    assert caught.value.code == "unknown_provider"
