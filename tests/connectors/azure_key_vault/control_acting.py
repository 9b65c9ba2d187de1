"""Actions on the control plane of the sandbox, and its state, so that tests can compare what changed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.model import ApiType, Connection
from connectors.rest import Call, Reply
from iclients.secret import revealed

Act = Callable[..., dict[str, Any]]


def control(lab: Lab, *, told: list[str] | None = None, **settings: str) -> AzureKeyVault:
    """A connection to the control plane; what it waits for is kept in `told`."""
    settings = settings or {"subscription": lab.sandbox.subscription, "resource_group": "sandbox"}
    named = ("arm", "azure-key-vault", ApiType.CONTROL, "client_credentials", "app", (), settings, lab.limits)
    access = lab.access()
    return AzureKeyVault(Connection(*named), replace(access, progress=told.append) if told is not None else access)


def acting_on(connector: AzureKeyVault) -> Act:
    """Carries out an action on this connection."""

    def act(action_id: str, **inputs: Any) -> dict[str, Any]:
        return {key: revealed(value) for key, value in connector.act(action_id, inputs).items()}

    return act


def state(lab: Lab) -> dict[str, Any]:
    """Everything that the sandbox's subscription holds, as a value that compares."""
    cloud = lab.sandbox.cloud
    vaults = {name: (one.properties, one.tags, one.endpoints) for name, one in cloud.vaults.items()}
    return {"vaults": repr(vaults), "deleted": sorted(cloud.deleted), "roles": repr(sorted(cloud.assignments))}


def somebody() -> str:
    """The object id of a principal that nobody else has."""
    return str(uuid.uuid4())


class Meddling:
    """Somebody who changes the sandbox just before a call of ours of one kind leaves for the nth time."""

    def __init__(self, connector: AzureKeyVault, kind: str, nth: int, meddle: Callable[[], None]) -> None:
        self._client = connector._client
        self._kind, self._nth, self._meddle = kind, nth, meddle
        connector._client = self  # type: ignore[assignment]

    def json(self, call: Call) -> Any:
        return self.exchange(call).document

    def exchange(self, call: Call) -> Reply:
        if call.kind == self._kind:
            self._nth -= 1
            if self._nth == 0:
                self._meddle()
        return self._client.exchange(call)
