"""Every action at a vault that fails in every way: it ends with an error of ours, says what follows, and leaks nothing."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from acting import acting
from vault_lab import Lab, SwiftClock

from connectors.actions import Action, encoded
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.actions.performers import DATA_PLANE
from connectors.azure_key_vault.actions.plane import DataPlane
from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.errors import Forbidden, Refused, Throttled, Unavailable
from connectors.rest import Call
from iclients.errors import AnswerLost, MalformedAnswer, Recovery, RemoteError
from iclients.secret import revealed

ACTIONS = AzureKeyVault.actions("data")
EACH = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
CANARY = "CanaryFaultQx7v9Zr9"
VERSION = "0123456789abcdef0123456789abcdef"
INPUTS: dict[str, Any] = {
    "secretName": "thing", "keyName": "thing", "certificateName": "thing", "issuerName": "thing",
    "secretVersion": VERSION, "keyVersion": VERSION, "certificateVersion": VERSION,
    "value": CANARY, "rawData": CANARY, "password": CANARY, "accountPassword": CANARY,
    "key": encoded(CANARY.encode()), "backup": encoded(CANARY.encode()), "encryptedData": "AAAA", "wrappedKey": "AAAA",
    "algorithm": "RSA-OAEP", "digest": encoded(bytes(32)), "signature": "AAAA", "keyType": "RSA", "enabled": True,
    "jsonWebKey": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": CANARY}, "rotationPolicy": {},
    "policy": {"issuer": {"name": "Self"}}, "certificate": f"-----BEGIN PRIVATE KEY-----{CANARY}",
    "signedCertificates": "AAAA", "contacts": [{"email": "grace@contoso.test"}], "issuerProvider": "DigiCert",
}  # fmt: skip
WANTED = {"enabled", "password", "accountPassword"}
FAULTS: dict[str | int, tuple[type[RemoteError], ...]] = {
    429: (Throttled, Forbidden, AnswerLost),
    503: (Unavailable, AnswerLost),
    500: (Unavailable, AnswerLost),
    400: (Refused,),
    403: (Refused,),
    409: (Refused,),
    "html": (Unavailable, AnswerLost),
    "broken-json": (MalformedAnswer, AnswerLost, Refused),
    "reset": (RemoteError,),
}


@pytest.fixture(scope="module")
def fault_lab() -> Iterator[Lab]:
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = Lab(sandbox)
        yield made
        made.transport.close()


class Answering:
    """A client whose vault has one answer to everything."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.weights: dict[str, str] = {}

    def owe(self, paid: str, due: str) -> None:
        raise AssertionError("no answer tells the type of a key")

    def json(self, call: Call) -> Any:
        return json.loads(self.answer)


def inputs_of(action: Action) -> dict[str, Any]:
    named = {one.name: INPUTS.get(one.name) for one in action.parameters if one.required or one.name in WANTED}
    return {**named, "algorithm": "RS256"} if "digest" in named else named


@EACH
@pytest.mark.parametrize("fault", FAULTS)
def test_a_vault_that_fails_is_told_by_a_sentence(fault_lab: Lab, action: Action, fault: str | int) -> None:
    fault_lab.sandbox.faults.clear()
    fault_lab.sandbox.faults.add(str(fault), host="contoso", every=1)
    with pytest.raises(FAULTS[fault]) as failed:
        acting(fault_lab)(action.id, **inputs_of(action))
    told = str(failed.value)
    assert isinstance(failed.value.recovery, Recovery)
    assert told.endswith((".", "…"))
    assert "\n" not in told
    assert CANARY not in "".join(traceback.format_exception(failed.value))
    assert encoded(CANARY.encode()) not in told


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
