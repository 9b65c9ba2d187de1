"""What a connector waits for is told to whoever waits: on standard error, and not before it takes long."""

from __future__ import annotations

import pytest

from connectors.model import Connection
from iclients.clouds import BUILT_IN
from iclients.testing import MovableClock
from integrator.bootstrap import Installation
from integrator.cli.action import _Late
from integrator.config import Config


def test_what_is_waited_for_is_told_on_standard_error_after_two_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = MovableClock()
    tell = _Late(clock.monotonic)
    tell("Waiting for x: 0 s.")
    clock.sleep(2.0)
    tell("Waiting for \x1b[31mx: 2 s.")
    told = capsys.readouterr()
    assert told.out == ""
    assert "0 s." not in told.err
    assert told.err.endswith("x: 2 s.\n")
    assert "\x1b" not in told.err


def test_a_connector_is_given_who_is_told(config: Config) -> None:
    told: list[str] = []
    with Installation(config) as installation:
        connection = Connection("here", "files")
        assert installation.access(connection, None, BUILT_IN["public"]).progress is None
        installation.progress = told.append
        tell = installation.access(connection, None, BUILT_IN["public"]).progress
    assert tell is not None
    tell("Waiting.")
    assert told == ["Waiting."]
