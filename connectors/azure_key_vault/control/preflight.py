"""The preflight of the control plane: what stands between a connection and its flows' work in Azure Resource Manager.

Token, address, what the app sees, then each action that its flows need, by what ARM says of the app's own permissions:
nothing is tried, so nothing is changed. Deny assignments, locks and conditions do not show there.
Source: ARM REST, Permissions - List For Resource Group, List For Resource; a subscription answers likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from connectors.azure_key_vault.control.plane import VAULTS_VERSION, ControlPlane, Place
from connectors.azure_key_vault.control.rights import READING, Grant, is_wide, lacking, roles_with
from connectors.azure_key_vault.errors import MissingRight
from connectors.checks import checks_of, with_checks
from connectors.errors import Forbidden
from connectors.model import Check, Ping
from iclients.addresses import Resolve
from iclients.errors import NotSent, RemoteError
from iclients.session import AuthorizedSession

PERMISSIONS_VERSION: Final = "2022-04-01"
MOST_SUBSCRIPTIONS: Final = 5
MOST_VAULTS: Final = 10
"""How many are looked at one by one: a test is to be quick."""

_GIVEN: Final = "A role that was given in the last ten minutes may still be propagating: test again then."


@dataclass(frozen=True, slots=True)
class ControlPreflight:
    """One look at one cloud's control plane. `needs` are actions of roles; without any, none is looked at."""

    plane: ControlPlane
    session: AuthorizedSession
    resolve: Resolve
    place: Place
    needs: Sequence[str] = ()

    def run(self) -> Ping:
        """All checks. Raises the RemoteError of the first that keeps the connection from its work, with the checks;
        SettingsError where the settings name what the app does not see."""
        token = _look("token", self._token, [])
        address = _look("address", self._address, [token])
        try:
            ping = self.plane.ping(self.place)
        except RemoteError as error:
            raise with_checks(error, [token, address, *checks_of(error)]) from error
        seen = [ping.checks[0], address, *ping.checks[1:]]
        rights, lacks, unclear = self._rights(may_list=all(check.ok for check in ping.checks))
        if lacks:
            raise with_checks(self._refusal(lacks), [*seen, *rights])
        told = " ".join([ping.message, *unclear])
        return Ping(told, (*seen, *rights))

    def _token(self) -> Check:
        self.session.token()
        return Check("token", True, f"A token for {self.plane.host} was given.")

    def _address(self) -> Check:
        host = urlsplit(f"//{self.plane.host}").hostname or ""
        addresses = self.resolve(host)
        if not addresses:
            raise NotSent(
                f"The host {host} has no address: check this machine's DNS. A private link for resource management needs "
                "the zone privatelink.azure.com in the network that this machine is in.",
                code="host_not_found",
            )
        is_private = not ip_address(addresses[0].partition("%")[0]).is_global
        kind = "a private address: calls stay in the network" if is_private else "a public address"
        shown = "" if list(addresses) == [host] else f" {', '.join(addresses)},"
        return Check("address", True, f"{host} is{shown} {kind}.")

    def _rights(self, *, may_list: bool) -> tuple[list[Check], dict[str, str], list[str]]:
        """What was looked at; the actions that lack, with where; and where nothing could be learnt but that listing is
        refused."""
        checks: list[Check] = []
        lacks: dict[str, str] = {}
        unclear: list[str] = []
        chosen = self.plane.chosen(self.place)[:MOST_SUBSCRIPTIONS] if self.needs else []
        for subscription in chosen:
            for scope, actions in self._scopes(subscription):
                try:
                    found = self._judged(scope, actions)
                except Forbidden:
                    unclear.append(_untold(scope))
                    checks.append(Check("permissions", False, unclear[-1]))
                    lacks |= {one: _named(scope) for one in actions if one == READING and not may_list}
                    continue
                checks += found
                lacks |= {check.name: _named(scope) for check in found if not check.ok}
        return checks, lacks, unclear

    def _scopes(self, subscription: str) -> list[tuple[str, list[str]]]:
        """Where each action is judged: what lies in no resource group at the subscription."""
        whole, inside = f"/subscriptions/{subscription}", self.place.under(subscription)
        found = {whole: [one for one in self.needs if is_wide(one)]}
        found[inside] = found.get(inside, []) if inside == whole else []
        found[inside] += [one for one in self.needs if not is_wide(one)]
        return [(scope, actions) for scope, actions in found.items() if actions]

    def _judged(self, scope: str, actions: Sequence[str]) -> list[Check]:
        lack = lacking(actions, self._granted(scope))
        alone = self._vaults_with([one for one in lack if not is_wide(one)], scope)
        return [
            Check(one, one not in lack or bool(alone.get(one)), self._told(one, scope, lack, alone)) for one in actions
        ]

    def _granted(self, scope: str) -> list[Grant]:
        """What the app may do in this place, by its own permissions there. Raises Forbidden where it may not ask."""
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        return [Grant.of(item) for item in self.plane.everything("permissions", path, PERMISSIONS_VERSION)]

    def _vaults_with(self, actions: Collection[str], scope: str) -> dict[str, list[str]]:
        """The vaults that have a role of their own for what the place as a whole has none for."""
        found: dict[str, list[str]] = {}
        for identifier in self._vaults(scope) if actions else ():
            try:
                missing = lacking(actions, self._granted(identifier))
            except Forbidden:
                continue
            for action in set(actions) - set(missing):
                found.setdefault(action, []).append(identifier.rpartition("/")[2])
        return found

    def _vaults(self, scope: str) -> list[str]:
        path = f"{scope}/providers/Microsoft.KeyVault/vaults"
        try:
            first, _ = next(self.plane.pages("vaults", path, VAULTS_VERSION), ([], None))
        except Forbidden:
            return []
        named = (str(one.get("id") or "") for one in first)
        return list(islice((one for one in named if one.startswith("/subscriptions/")), MOST_VAULTS))

    def _told(self, action: str, scope: str, lack: Collection[str], alone: dict[str, list[str]]) -> str:
        if action not in lack:
            return f"The app has {action} in {_named(scope)}."
        if found := alone.get(action):
            return f"The app has {action} not in all of {_named(scope)}, but in {', '.join(found)}."
        return f"The app has no {action} in {_named(scope)}: give it the role {roles_with([action])[0]} there."

    def _refusal(self, lacks: dict[str, str]) -> MissingRight:
        wheres = " and ".join(dict.fromkeys(lacks.values()))
        roles = " and ".join(roles_with(lacks))
        sentence = f"The app of this connection has no {', '.join(lacks)} in {wheres}: give it the role {roles} there."
        return MissingRight(f"{sentence} {_GIVEN}", next(iter(lacks)), by_role=True)


def _look(name: str, ask: Callable[[], Check], before: Sequence[Check]) -> Check:
    try:
        return ask()
    except RemoteError as error:
        raise with_checks(error, [*before, Check(name, False, str(error))]) from None


def _named(scope: str) -> str:
    parts = scope.split("/")
    return f"resource group {parts[4]}" if len(parts) > 4 else f"subscription {parts[2]}"


def _untold(scope: str) -> str:
    return (
        f"The app may not look at its own permissions in {_named(scope)}: with the role Reader there, a test tells what it "
        f"lacks. {_GIVEN}"
    )
