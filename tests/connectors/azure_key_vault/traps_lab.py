"""What the tests of the fifty traps look through: a transport that writes down what leaves, and a vault with one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from vault_lab import Lab, SwiftClock

from connectors.azure_key_vault.actions.performers import DATA_PLANE
from connectors.azure_key_vault.actions.plane import DataPlane
from connectors.azure_key_vault.model import VaultAddress
from connectors.azure_key_vault.vault.certificates import VaultCertificates
from connectors.azure_key_vault.vault.keys import VaultKeys
from connectors.azure_key_vault.vault.secrets import VaultSecrets
from connectors.rest import Call
from iclients.answers import Answer
from iclients.secret import revealed
from iclients.transport import Transport

AT = VaultAddress("https://contoso.vault.azure.net")
VERSION = "0123456789abcdef0123456789abcdef"


class Sent(NamedTuple):
    """A request as it left, and its answer."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    answer: Answer

    @property
    def path(self) -> str:
        """Its path alone."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """Its parameters, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.url).query).items()}

    @property
    def form(self) -> dict[str, str]:
        """What a form in its body says."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        """What JSON in its body says."""
        return json.loads(self.body)


class Recorder(Transport):
    """The transport that everything uses, with a memory."""

    def __init__(self, ca_file: Path | None, deadline_seconds: float = 5.0) -> None:
        super().__init__(ca_file, deadline_seconds=deadline_seconds)
        self.sent: list[Sent] = []
        self.instead: list[Answer] = []
        """What the next calls with a token are answered, without leaving."""

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None, **more: Any
    ) -> Answer:
        is_spoilt = bool(self.instead) and "Authorization" in headers
        answer = self.instead.pop(0) if is_spoilt else super().exchange(method, url, headers, body, **more)
        self.sent.append(Sent(method, url, headers, body or b"", answer))
        return answer


class Answering:
    """A client whose vault has one answer to everything, whatever a vault may say."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[Call] = []

    def json(self, call: Call) -> Any:
        self.calls.append(call)
        return json.loads(json.dumps(self.answer))


def performed(action: str, answer: Any, **inputs: Any) -> dict[str, Any]:
    """What an action gives on a vault that has this one answer to everything."""
    told: Any = Answering(answer), AT, "7.4"
    plane = DataPlane(VaultSecrets(*told), VaultKeys(*told), VaultCertificates(*told), SwiftClock())
    return {name: revealed(value) for name, value in DATA_PLANE[action](plane, inputs).items()}


def recorded(lab: Lab) -> Recorder:
    """From now on, what this lab sends is written down."""
    lab.transport.close()
    lab.transport = recorder = Recorder(lab.sandbox.ca_file)
    return recorder


def to_vault(lab: Lab, recorder: Recorder, name: str = "contoso") -> list[Sent]:
    """What was sent to one vault."""
    return [one for one in recorder.sent if one.url.startswith(lab.sandbox.vault_url(name))]
