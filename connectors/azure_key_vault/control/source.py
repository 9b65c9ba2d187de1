"""Reading the control plane: vaults, access policies, role assignments and deleted vaults as records.

Subscription after subscription, page after page; a checkpoint names the subscription and the link to go on with.
Source: ARM REST, Microsoft.KeyVault and Microsoft.Authorization.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.azure_key_vault.control.plane import VAULTS_VERSION, ControlPlane, Place
from connectors.azure_key_vault.control.records import (
    access_policies,
    deleted_vaults,
    role_assignments,
    vaults,
)
from connectors.connector import Source
from connectors.errors import BadRequest, SettingsError
from connectors.model import Checkpoint, Page, Record

ASSIGNMENTS_VERSION: Final = "2022-04-01"
_KEY_VAULT: Final = "/providers/Microsoft.KeyVault"
_AUTHORIZATION: Final = "/providers/Microsoft.Authorization"
_PATHS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "vaults": (f"{_KEY_VAULT}/vaults", VAULTS_VERSION),
        "access_policies": (f"{_KEY_VAULT}/vaults", VAULTS_VERSION),
        "deleted_vaults": (f"{_KEY_VAULT}/deletedVaults", VAULTS_VERSION),
        "role_assignments": (f"{_AUTHORIZATION}/roleAssignments", ASSIGNMENTS_VERSION),
    }
)
CONTROL_RESOURCES: Final = tuple(_PATHS)


class ControlSource(Source):
    """One resource of the control plane as records. Needs Reader where it looks."""

    def __init__(self, plane: ControlPlane, resource: str, place: Place) -> None:
        self.identity = f"azure-resource-manager:{plane.host}{place.under(place.subscription or '*')}/{resource}"
        self._plane = plane
        self._resource = resource
        self._place = place

    def pages(self, checkpoint: Checkpoint | None) -> Iterator[Page]:
        chosen = self._plane.chosen(self._place)
        if checkpoint:
            at = str(checkpoint["subscription"])
            chosen = [one for one in chosen if one >= at]
        link = checkpoint["next"] if checkpoint and chosen[:1] == [checkpoint["subscription"]] else None
        if not chosen:
            yield Page([], None)
        for number, subscription in enumerate(chosen):
            following = chosen[number + 1] if number + 1 < len(chosen) else None
            yield from self._subscription(subscription, link, following)
            link = None

    def _subscription(self, subscription: str, link: str | None, following: str | None) -> Iterator[Page]:
        path, version = _PATHS[self._resource]
        under = (
            f"/subscriptions/{subscription}" if self._resource == "deleted_vaults" else self._place.under(subscription)
        )
        make = self._maker(subscription)
        try:
            for items, after in self._plane.pages(self._resource, f"{under}{path}", version, link):
                link = None
                next_place: Checkpoint | None = {"subscription": subscription, "next": after} if after else None
                if next_place is None and following is not None:
                    next_place = {"subscription": following, "next": None}
                yield Page([record for item in items for record in make(item)], next_place)
        except BadRequest as error:
            if link is None:
                raise
            raise SettingsError(
                f"{self._plane.host} no longer knows where this run stopped: start a new run."
            ) from error

    def _maker(self, subscription: str) -> Callable[[Mapping[str, Any]], list[Record]]:
        if self._resource == "role_assignments":
            roles = self._roles(subscription)
            return lambda item: role_assignments(item, subscription, roles)
        if self._resource == "deleted_vaults":
            return lambda item: deleted_vaults(item, subscription, self._place.group)
        make = vaults if self._resource == "vaults" else access_policies
        return lambda item: make(item, subscription)

    def _roles(self, subscription: str) -> Mapping[str, str]:
        """The names of roles by the last part of their ids."""
        path = f"/subscriptions/{subscription}{_AUTHORIZATION}/roleDefinitions"
        found: dict[str, str] = {}
        for one in self._plane.everything("role_definitions", path, ASSIGNMENTS_VERSION):
            properties = one.get("properties")
            name = properties.get("roleName") if isinstance(properties, dict) else None
            found[str(one.get("name") or "").lower()] = str(name or "")
        return found
