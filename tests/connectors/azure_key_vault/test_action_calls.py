"""What actions are said to call, for estimates, is what they call, and draws on the budget that it draws on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from control_acting import control, somebody
from control_acts import control_acts
from test_actions_network import endpoint
from vault_acts import vault_acts
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.model import Limits
from connectors.testing.subject import Act

UNSURE = frozenset({"create_certificate", "replace_access_policies"})
"""The one waits for an issuer, where there is one; of the other only a dry run is carried out."""


def told_and_made(connector: AzureKeyVault, acts: Sequence[Act]) -> list[tuple[str, Mapping[str, int], Counter[str]]]:
    """For every act, what its action is said to call, and what it called."""
    given: dict[str, Mapping[str, Any]] = {}
    found = []
    for act in acts:
        before, inputs = Counter(connector.calls), act.inputs(given)
        given[act.action] = connector.act(act.action, inputs)
        told = connector.effort_of_action(act.action, inputs).acting(1)
        found.append((act.action, told, Counter(connector.calls) - before))
    return found


def assert_same(found: Sequence[tuple[str, Mapping[str, int], Counter[str]]]) -> None:
    assert not [one for one in found if one[1] != one[2] and one[0] not in UNSURE]


def test_every_action_of_the_data_plane_calls_what_it_says(lab: Lab) -> None:
    assert_same(told_and_made(lab.connect(), vault_acts()))


def test_every_action_of_the_control_plane_calls_what_it_says(lab: Lab) -> None:
    endpoint(lab)
    assert_same(told_and_made(control(lab), control_acts(somebody())))


@pytest.mark.parametrize("api_type", ["data", "control"])
def test_no_action_leaves_open_what_it_calls(api_type: str) -> None:
    assert not [action.id for action in AzureKeyVault.actions(api_type) if not action.calls]


@pytest.mark.parametrize(
    ("action", "named", "calls"),
    [
        ("update_secret", (), {"versions": 1, "patch": 1}),
        ("update_secret", ("secretVersion",), {"patch": 1}),
        ("sign", ("keyName",), {"key_get": 1, "key_sign": 1}),
        ("sign", ("keyName", "keyVersion"), {"key_sign": 1}),
        ("encrypt", (), {"key_get": 1, "key_encrypt": 1}),
        ("encrypt_with_version", ("keyVersion",), {"key_encrypt": 1}),
    ],
)
def test_a_version_that_is_named_spares_a_call(
    lab: Lab, action: str, named: Sequence[str], calls: Mapping[str, int]
) -> None:
    assert lab.connect().effort_of_action(action, named).acting(1) == calls


@pytest.mark.parametrize(
    ("action", "calls_in_ten_seconds"),
    [("create_secret", 300), ("create_key", 20), ("import_key", 300), ("sign", 4000)],
)
def test_an_action_takes_its_share_of_the_budget(lab: Lab, action: str, calls_in_ten_seconds: int) -> None:
    connector = Lab(lab.sandbox, limits=Limits()).connect()
    effort = connector.effort_of_action(action, ("keyVersion",))
    assert effort.budget_seconds(effort.acting(calls_in_ten_seconds)) == pytest.approx(10.0)
