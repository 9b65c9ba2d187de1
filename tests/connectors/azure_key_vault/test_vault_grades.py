"""Azure Key Vault is gold: every resource and every action of both planes is judged, in good times and in trouble."""

from __future__ import annotations

import sys

import pytest
import test_vault_conformance as conformance
from control_acting import control, somebody
from control_acts import control_acts
from test_actions_network import endpoint
from vault_acts import PLANTED, vault_acts
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.model import ReadOptions
from connectors.testing.conformance import ConnectorConformance, Subject
from connectors.testing.grading import Grade, Grading, graded
from connectors.testing.subject import Trouble
from iclients.errors import Recovery


def troubles(lab: Lab, host: str) -> dict[str, Trouble]:
    """What can befall Azure, all of the time."""

    def trouble(fault: str, *recoveries: Recovery) -> Trouble:
        faults = lab.sandbox.faults
        return Trouble(lambda: faults.add(fault, host=host, every=1), faults.clear, frozenset(recoveries))

    return {
        "it throttles": trouble("429", Recovery.RETRY),
        "it is down": trouble("503", Recovery.RETRY),
        "it fails": trouble("500", Recovery.RETRY),
        "a gateway answers HTML": trouble("html", Recovery.RETRY),
        "it breaks off": trouble("reset", Recovery.RETRY),
        "it forbids everything": trouble("403", Recovery.SKIP, Recovery.ABORT),
    }


class TestActingOnAVault(ConnectorConformance):
    judges, api_type, acts, is_troubled, reads = AzureKeyVault, "data", True, True, "secrets"

    @pytest.fixture
    def subject(self, lab: Lab) -> Subject:
        lab.sandbox.vault("contoso").put("there", PLANTED)
        return Subject(
            connector=lab.connect(),
            planted=[PLANTED],
            resource_to_read="secrets",
            expected_records=1,
            acts=vault_acts(),
            troubles=troubles(lab, "contoso"),
        )


class TestActingOnTheControlPlane(ConnectorConformance):
    judges, api_type, acts, is_troubled, reads = AzureKeyVault, "control", True, True, "vaults"

    @pytest.fixture
    def subject(self, lab: Lab) -> Subject:
        endpoint(lab)
        return Subject(
            connector=control(lab),
            planted=[lab.sandbox.client_secret],
            resource_to_read="vaults",
            read_options=ReadOptions(),
            expected_records=2,
            acts=control_acts(somebody()),
            troubles=troubles(lab, "arm"),
        )


@pytest.mark.parametrize("api_type", ["data", "control"])
def test_both_planes_are_gold(api_type: str) -> None:
    judging = (conformance, sys.modules[__name__])
    judged = [one for module in judging for one in vars(module).values() if isinstance(one, type)]
    assert graded(AzureKeyVault, api_type, judged) == Grading(Grade.GOLD)
