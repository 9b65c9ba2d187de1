"""Every action at the moment where it works: its inputs, and the sandbox as it stands just before.

A story in which each action finds what it needs is played once, and the sandbox is remembered before each act. A test
goes back to the moment of its action as often as it likes: faults that are carried out all the same spoil nothing.
"""

from __future__ import annotations

import base64
import copy
import ssl
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from control_acting import control
from control_acts import control_acts
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from fault_table import DONE, LATE_SECONDS, End, ended, is_late
from pytest import LogCaptureFixture
from vault_acts import _certificate as signed_certificate
from vault_acts import vault_acts
from vault_lab import Lab

from connectors.actions import Action, encoded
from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.arm.roles import Role
from connectors.azure_key_vault.sandbox.arm.subscription import Assignment
from connectors.azure_key_vault.sandbox.clock import Clock
from connectors.azure_key_vault.sandbox.state import Vault
from connectors.model import Connection
from connectors.testing.subject import Act
from iclients.answers import Answer
from iclients.errors import RemoteError
from iclients.retrying import Retrying
from iclients.transport import Transport

VAULT, ARM = "contoso", "arm"
SHORTEST = 8
"""Characters of a planted text that say something; shorter ones stand anywhere."""
PRINCIPAL = "11111111-1111-1111-1111-111111111111"
PASSWORD = "pl4nted-password-Qx7v9Zr9"
ENDPOINT = {"name": "pec-1", "privateEndpoint": {}, "privateLinkServiceConnectionState": {"status": "Pending"}}

SANDBOX = Sandbox.__module__.rpartition(".")[0]
EVERY_CALL = 1_000_000
Methods = tuple[str | None, ...]
State = list[dict[str, Any]]

HURRIED_SECONDS = 0.03
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Moment:
    """One action with inputs that work, and what the sandbox holds then."""

    action: str
    inputs: Mapping[str, Any]
    state: State


class Hurried(Transport):
    """Gives up at once on calls that a fault makes late; all others, and connecting, may take their time."""

    late: str | None = None
    """Where the address of such calls begins."""
    methods: tuple[str | None, ...] = ()
    left: int = 0
    """How many of them are late."""

    def exchange(self, method: str, url: str, *told: Any, **options: Any) -> Answer:
        is_late = self.late is not None and url.startswith(self.late) and self.left > 0
        if is_late and (method in self.methods or None in self.methods):
            self.left -= 1
            options["deadline_seconds"] = HURRIED_SECONDS
        return super().exchange(method, url, *told, **options)

    def _connect(self, where: tuple[str, int], deadline: float) -> ssl.SSLSocket:
        return super()._connect(where, deadline + CONNECT_SECONDS)


class Moments:
    """The moments of one plane's actions, on one sandbox."""

    def __init__(self, lab: Lab, connector: AzureKeyVault, host: str, acts: Iterable[Act], parts: list[Any]) -> None:
        self.lab = lab
        self._host = host
        self._url = lab.sandbox.arm if host == ARM else lab.sandbox.vault_url(host)
        self.connector = connector
        self._parts = parts
        self._by_action: dict[str, Moment] = {}
        given: dict[str, Mapping[str, Any]] = {}
        instead = {
            "import_certificate": {"certificate": _pfx(), "password": PASSWORD},
            "replace_access_policies": {"dryRun": False},
            "remove_access_policy": {"secrets": "list"},
        }
        for act in acts:
            moment = Moment(act.action, {**act.inputs(given), **instead.get(act.action, {})}, self.state())
            self._by_action.setdefault(act.action, moment)
            given[act.action] = connector.act(act.action, moment.inputs)

    @property
    def actions(self) -> set[str]:
        """All that have a moment."""
        return set(self._by_action)

    def end(self, action: Action, fault: str, log: LogCaptureFixture, methods: Methods, **how: int) -> End:
        """How it ends where calls by these methods meet the fault. What is told, logged or traced holds no secret."""
        moment = self.back_to(action.id)
        for method in methods:
            self.lab.sandbox.faults.add(fault, host=self._host, method=method, seconds=LATE_SECONDS, **how)
        transport = cast(Hurried, self.lab.transport)
        transport.late, transport.methods = self._url if is_late(action, fault) else None, methods
        transport.left = how.get("times", EVERY_CALL)
        log.clear()
        try:
            self.connector.act(action.id, moment.inputs)
        except RemoteError as error:
            told_well(error)
            _leaks_nothing("".join(traceback.format_exception(error)), self._hidden(action, moment))
            return ended(error)
        finally:
            _leaks_nothing(log.text, self._hidden(action, moment))
        return DONE

    def _hidden(self, action: Action, moment: Moment) -> list[str]:
        """What nobody may see: inputs that are secret, as they are and as they travel, and what opens the sandbox."""
        secret = {parameter.name for parameter in action.parameters if parameter.is_secret}
        planted = [str(value) for name, value in moment.inputs.items() if name in secret and value is not None]
        lines = [line for value in planted for line in value.splitlines() if len(line) >= SHORTEST]
        return [*lines, *(encoded(value.encode()) for value in planted), self.lab.sandbox.client_secret, "Bearer ey"]

    def back_to(self, action: str) -> Moment:
        """The sandbox is as it was just before this action worked, without faults."""
        self.lab.sandbox.faults.clear()
        moment = self._by_action[action]
        for part, held in zip(
            self._parts, _copied(moment.state, {id(part): part for part in self._parts}), strict=True
        ):
            part.__dict__.update(held)
        return moment

    def state(self) -> State:
        """What the sandbox holds now, as a copy of its own."""
        return _copied([dict(vars(part)) for part in self._parts], {id(part): part for part in self._parts})


def vault_moments(sandbox: Sandbox) -> Moments:
    """The data plane's."""
    lab = _lab(sandbox)
    vault = sandbox.vault(VAULT)
    calls = sandbox._sites[VAULT]._operations["cert_contacts_get"].__self__  # type: ignore[attr-defined]
    certificates = calls._certificates
    parts = [vault.secret_shelf, vault.key_shelf, certificates, certificates.shelf]
    return Moments(lab, _patient(lab.connection(VAULT), lab), VAULT, vault_acts(), parts)


def control_moments(sandbox: Sandbox) -> Moments:
    """The control plane's."""
    lab = _lab(sandbox)
    sandbox.cloud.vaults[VAULT].endpoints["pec-1"] = copy.deepcopy(ENDPOINT)
    return Moments(lab, _patient(control(lab).connection, lab), ARM, control_acts(PRINCIPAL), [sandbox.cloud])


def _patient(connection: Connection, lab: Lab) -> AzureKeyVault:
    """Asks three times, so that what never passes is over soon."""
    return AzureKeyVault(connection, replace(lab.access(), retrying=Retrying(attempts=3, base_seconds=0.5)))


def told_well(error: RemoteError) -> None:
    assert str(error).endswith((".", "…"))
    assert "\n" not in str(error)


def _leaks_nothing(text: str, hidden: Iterable[str]) -> None:
    assert [one[:4] for one in hidden if one in text] == []


def _lab(sandbox: Sandbox) -> Lab:
    lab = Lab(sandbox)
    lab.transport = Hurried(sandbox.ca_file, deadline_seconds=10.0)
    return lab


def _pfx() -> str:
    """A certificate with its key under a password."""
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = serialization.BestAvailableEncryption(PASSWORD.encode())
    made = signed_certificate(key.public_key(), key)
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"web", key, made, None, sealed)).decode()


def _copied(value: Any, made: dict[int, Any]) -> Any:
    """Contents are copied, each once; what is no content (vaults, clocks, keys as such) is the same in every copy."""
    if id(value) in made:
        return made[id(value)]
    if isinstance(value, dict):
        made[id(value)] = found = {}
        found.update((key, _copied(one, made)) for key, one in value.items())
    elif isinstance(value, list):
        made[id(value)] = found = []
        found.extend(_copied(one, made) for one in value)
    elif isinstance(value, tuple):
        return tuple(_copied(one, made) for one in value)
    elif isinstance(value, set):
        return set(value)
    elif type(value).__module__.startswith(SANDBOX) and not isinstance(value, Vault | Clock | Role | Assignment):
        made[id(value)] = found = copy.copy(value)
        for name in (*getattr(value, "__dict__", ()), *getattr(type(value), "__slots__", ())):
            object.__setattr__(found, name, _copied(getattr(value, name), made))
    else:
        return value
    return found
