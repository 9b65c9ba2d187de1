"""Every action at a vault that fails in every way: it ends with an error of ours, says what follows, and leaks nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fault_moments import Moments, vault_moments
from fault_table import CHANGES, EVERY, FAULTS, SANDBOX_FAULTS, when_all_fails, when_changes_fail, when_it_passes
from pytest import LogCaptureFixture as Log
from vault_lab import SwiftClock

from connectors.actions import Action, encoded
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import DATA_PLANE
from connectors.azure_key_vault.actions.plane import DataPlane
from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import STATUS_ERRORS
from connectors.rest import Call
from iclients.errors import RemoteError
from iclients.secret import revealed

ACTIONS = AzureKeyVault.actions("data")
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
CHANGING = [action for action in ACTIONS if action.changes]
EACH_CHANGE = pytest.mark.parametrize("action", CHANGING, ids=lambda action: action.id)
CANARY = "CanaryFaultQx7v9Zr9"
VERSION = "0123456789abcdef0123456789abcdef"
INPUTS: dict[str, Any] = {
    "secretName": "thing", "keyName": "thing", "certificateName": "thing", "issuerName": "thing",
    "secretVersion": VERSION, "keyVersion": VERSION, "certificateVersion": VERSION,
    "value": CANARY, "rawData": CANARY, "password": CANARY, "accountPassword": CANARY,
    "key": encoded(CANARY.encode()), "backup": encoded(CANARY.encode()), "encryptedData": "AAAA", "wrappedKey": "AAAA",
    "algorithm": "RSA-OAEP", "digest": encoded(bytes(32)), "signature": "AAAA", "keyType": "RSA", "enabled": True,
    "jsonWebKey": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": CANARY}, "rotationPolicy": {"lifetimeActions": []},
    "policy": {"issuer": {"name": "Self"}}, "certificate": f"-----BEGIN PRIVATE KEY-----{CANARY}",
    "signedCertificates": "AAAA", "contacts": [{"email": "grace@contoso.test"}], "issuerProvider": "DigiCert",
}  # fmt: skip
WANTED = {"enabled", "password", "accountPassword"}


@pytest.fixture(scope="module")
def moments() -> Iterator[Moments]:
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = vault_moments(sandbox)
        yield made
        made.lab.transport.close()


class Answering:
    """A client whose vault has one answer to everything."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.weights: dict[str, str] = {}

    def owe(self, paid: str, due: str) -> None:
        raise AssertionError("no answer tells the type of a key")

    def json(self, call: Call) -> Any:
        return json.loads(self.answer)


def test_the_table_has_every_fault_of_the_sandbox() -> None:
    assert FAULTS.keys() >= SANDBOX_FAULTS
    assert {int(fault) for fault in FAULTS if fault.isdigit()} >= STATUS_ERRORS.keys()


def inputs_of(action: Action) -> dict[str, Any]:
    named = {one.name: INPUTS.get(one.name) for one in action.parameters if one.required or one.name in WANTED}
    return {**named, "algorithm": "RS256"} if "digest" in named else named


@EACH
def test_a_vault_that_fails_at_everything_ends_each_action_as_promised(
    moments: Moments, caplog: Log, action: Action
) -> None:
    ends = {fault: moments.end(action, fault, caplog, EVERY, every=1) for fault in FAULTS}
    assert ends == {fault: when_all_fails(action, fault) for fault in FAULTS}


@EACH_CHANGE
def test_a_change_that_alone_fails_ends_as_promised(moments: Moments, caplog: Log, action: Action) -> None:
    ends = {fault: moments.end(action, fault, caplog, CHANGES, every=1) for fault in FAULTS}
    assert ends == {fault: when_changes_fail(action, fault) for fault in FAULTS}


@EACH
def test_what_passes_is_survived_and_nothing_is_made_twice(moments: Moments, caplog: Log, action: Action) -> None:
    methods = CHANGES if action.changes else EVERY
    ends = {fault: moments.end(action, fault, caplog, methods, times=1) for fault in FAULTS}
    assert ends == {fault: when_it_passes(action, fault) for fault in FAULTS}


@EACH
@pytest.mark.parametrize("answer", ["null", "[]", "{}", '{"value": 5}', '{"value": [5]}', '{"id": 5, "key": 5, "status": 5}',
                                    '{"id": "https://x/secrets/../..", "value": "v", "status": "completed"}'])  # fmt: skip
def test_an_answer_that_makes_no_sense_is_told(action: Action, answer: str) -> None:
    """What is of no use is told; where nothing of the answer is needed, it does no harm."""
    told: Any = Answering(answer), VaultAddress("https://v.vault.azure.net"), "7.4"
    plane = DataPlane(VaultSecrets(*told), VaultKeys(*told), VaultCertificates(*told), SwiftClock())
    try:
        given = action.classified(DATA_PLANE[action.id](plane, action.converted(inputs_of(action))))
    except RemoteError as error:
        assert CANARY not in str(error)
    else:
        assert CANARY not in str({name: revealed(value) for name, value in given.items()})
