"""Connectors are found by name, and an unknown name is a sentence."""

from __future__ import annotations

import pytest

from connectors import registry
from connectors.connector import Connector
from connectors.errors import SettingsError, error_for
from iclients.errors import NotAuthorized, Recovery


def test_the_built_in_connectors_use_the_same_way_in_as_everybodys() -> None:
    assert {"azure-key-vault", "files"} <= set(registry.names())


def test_every_installed_connector_is_called_what_its_descriptor_says() -> None:
    for name in registry.names():
        kind = registry.connector(name)
        assert issubclass(kind, Connector)
        assert kind.descriptor.name == name


@pytest.mark.parametrize("name", ["acme", "", "Files", "../files"])
def test_an_unknown_connector_is_a_sentence_that_names_those_that_there_are(name: str) -> None:
    with pytest.raises(SettingsError, match=r"There is no connector .*; installed are: azure-key-vault, files"):
        registry.connector(name)


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_an_error_and_the_error_says_what_is_next(status: int) -> None:
    error = error_for(status)("sentence")
    assert error.recovery is {
        401: Recovery.REAUTHORIZE,
        408: Recovery.RETRY,
        429: Recovery.RETRY,
    }.get(status, Recovery.RETRY if status >= 500 else Recovery.SKIP)
    assert isinstance(error, NotAuthorized) is (status == 401)
