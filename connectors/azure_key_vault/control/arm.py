"""Azure Resource Manager as actions use it: where they act, how they ask, and how a change is made once.

It gives vaults no etag, so a change is framed by looking: before it, and again where its answer is lost. Source: ARM REST,
Microsoft.KeyVault and Microsoft.Authorization; Azure reference of long-running operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.control.lists import EntryLists, ResourceLists
from connectors.azure_key_vault.control.plane import SUBSCRIPTIONS_VERSION, VAULTS_VERSION, Place
from connectors.azure_key_vault.documents import Outputs
from connectors.azure_key_vault.listing import listed
from connectors.azure_key_vault.vault.objects import UNCLEAR
from connectors.errors import BadInput, Conflict, NotFound
from connectors.rest import CALL_RETRYING, Call, Reply, RestClient
from iclients.clock import Clock
from iclients.clouds import CloudProfile
from iclients.errors import AnswerLost, MalformedAnswer, RemoteError
from iclients.retrying import Retrying

Inputs = dict[str, Any]
PROVIDER: Final = "/providers/Microsoft.KeyVault"


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where one vault is, or was, or will be."""

    subscription: str
    group: str
    name: str

    @property
    def path(self) -> str:
        """Its id."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{quote(self.group)}"
        return f"{group}{PROVIDER}/vaults/{quote(self.name)}"


@dataclass(frozen=True, slots=True)
class Arm:
    """One connection to the control plane, as actions use it. Every method that calls raises RemoteError."""

    client: RestClient
    cloud: CloudProfile
    place: Place
    connection: str
    clock: Clock
    retrying: Retrying | None = None
    progress: Callable[[str], None] | None = None
    found: dict[str, str] = field(default_factory=dict)
    """What was looked for because nobody named it, for as long as one action lasts."""

    @property
    def host(self) -> str:
        """Where it answers."""
        return self.cloud.arm.removeprefix("https://")

    def subscription(self, inputs: Inputs) -> str:
        """The subscription that is named, or the connection's, or the only one there is. Raises BadInput where none is."""
        found = inputs.get("subscription") or self.place.subscription or self._only_subscription()
        if not found:
            raise self._nowhere("subscription", "list_subscriptions")
        return str(found).lower()

    def group(self, inputs: Inputs) -> str:
        """The resource group that is named, or the connection's. Raises BadInput where neither is."""
        found = self.group_if_any(inputs)
        if not found:
            raise self._nowhere("resourceGroup", "list_resource_groups")
        return found

    def group_if_any(self, inputs: Inputs) -> str:
        """The same, empty where neither is. The connection's group lies in the connection's subscription."""
        is_own = not self.place.subscription or self.subscription(inputs) == self.place.subscription
        return str(inputs.get("resourceGroup") or (self.place.group if is_own else "") or "")

    def vault(self, inputs: Inputs) -> VaultPlace:
        """The vault that is named, looked for in its subscription where no group is. Raises BadInput where it is not found."""
        subscription, name = self.subscription(inputs), inputs["vaultName"]
        group = self.group_if_any(inputs) or self._group_of(subscription, name) or self.group(inputs)
        return VaultPlace(subscription, group, name)

    def new_vault(self, inputs: Inputs) -> VaultPlace:
        """Where the vault will be. Raises BadInput where its subscription or group is not named."""
        return VaultPlace(self.subscription(inputs), self.group(inputs), inputs["vaultName"])

    def ask(self, kind: str, path: str, version: str = VAULTS_VERSION) -> Any:
        """What is there, an object. Raises MalformedAnswer for anything else."""
        return self.checked(self.client.json(Call(kind, "GET", self.url(path, version))))

    def look(self, kind: str, path: str, version: str = VAULTS_VERSION) -> Any:
        """The same, None where it is not there. Raises NotFound where the place itself is not: that says nothing."""
        try:
            return self.ask(kind, path, version)
        except NotFound as error:
            if error.code != NotFound.code:
                raise
            return None

    def send(
        self,
        kind: str,
        method: str,
        path: str,
        body: Any = None,
        version: str = VAULTS_VERSION,
        *,
        repeatable: bool = False,
    ) -> Reply:
        """Change something: not repeated where the answer is lost, unless it is `repeatable`."""
        return self.client.exchange(Call(kind, method, self.url(path, version), body, "create", repeatable))

    def once(self, carry_out: Callable[[], Reply], is_done: Callable[[], bool], what: str) -> Reply | None:
        """Carry out a change. None: its answer was lost, and a look shows that it was made.

        Where the look shows that it was not made it is carried out again, and a refusal then is looked at, too. Raises
        AnswerLost, which says what to look at, where nobody can know.
        """
        is_repeated = False

        def attempt() -> Reply | None:
            nonlocal is_repeated
            try:
                return carry_out()
            except UNCLEAR as error:
                if self._shows(is_done, error, what):
                    return None
                raise AnswerLost(f"{error} Look at {what} before it is done again.", code=error.code) from error
            except (NotFound, Conflict) as error:
                if is_repeated and self._shows(is_done, error, what):
                    return None
                raise
            finally:
                is_repeated = True

        retrying = self.retrying or CALL_RETRYING
        return retrying.call(attempt, self.clock, lambda error: isinstance(error, AnswerLost))

    def listed(
        self,
        kind: str,
        place: str,
        item: Callable[[Any], Outputs],
        inputs: Inputs,
        *,
        version: str = VAULTS_VERSION,
        query: str = "",
    ) -> Outputs:
        """The items of the list at this place, and where to go on. Raises BadInput for a token that cannot be."""
        lists = ResourceLists(self.client, self.cloud, version, query)
        return listed(lists, kind, place, lambda one: item(self.checked(one)), inputs)

    def entries(
        self,
        kind: str,
        place: str,
        entries: Callable[[Any], list[Mapping[str, Any]]],
        item: Callable[[Any], Outputs],
        inputs: Inputs,
    ) -> Outputs:
        """The same of what stands inside one document."""
        lists = EntryLists(self.cloud.arm, lambda kind: entries(self.ask(kind, place)))
        return listed(lists, kind, place, item, inputs)

    def url(self, path: str, version: str) -> str:
        """The address of a path."""
        return f"{self.cloud.arm}{path}?api-version={version}"

    def checked(self, document: Any) -> Any:
        """A document that must be an object. Raises MalformedAnswer."""
        if not isinstance(document, dict):
            raise MalformedAnswer(f"{self.host} answered with something that is no JSON object.")
        return document

    def _shows(self, is_done: Callable[[], bool], error: RemoteError, what: str) -> bool:
        try:
            return is_done()
        except RemoteError as blind:
            lost = AnswerLost(f"{error} Nor could it be looked at: {blind} Look at {what} before it is done again.")
            lost.was_retried = True  # nobody further up shall do it again
            raise lost from blind

    def _only_subscription(self) -> str:
        if "" not in self.found:
            lists = self.listed("subscriptions", "/subscriptions", dict, {}, version=SUBSCRIPTIONS_VERSION)
            seen = [str(one.get("subscriptionId") or "") for one in lists["items"]]
            self.found[""] = seen[0] if len(seen) == 1 else ""
        return self.found[""]

    def _group_of(self, subscription: str, name: str) -> str:
        """Names of vaults are unique, so the list tells in which group it is; nothing where it does not."""
        key = f"{subscription}/{name.lower()}"
        if key not in self.found:
            vaults = self.listed("vaults", f"/subscriptions/{subscription}{PROVIDER}/vaults", dict, {})["items"]
            paths = [str(one.get("id") or "") for one in vaults if str(one.get("name") or "").lower() == name.lower()]
            self.found[key] = paths[0].split("/")[4] if paths and paths[0].count("/") > 4 else ""
        return self.found[key]

    def _nowhere(self, parameter: str, action: str) -> BadInput:
        setting = {"resourceGroup": "resource_group"}.get(parameter, parameter)
        message = f"Give {parameter}, or set `{setting}` in connection {self.connection}; {action} shows what there is."
        return BadInput(message, parameter=parameter)


Performer = Callable[[Arm, Inputs], Outputs]
"""Carries out one action: inputs that are converted, outputs by name."""
