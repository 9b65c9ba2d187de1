"""The control plane, call by call: what Azure Resource Manager lists, page by page, and how a connection is tested.

Nothing is changed here. Source: ARM REST, Subscriptions, Vaults, Role Assignments; ARM throttling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.schemas import MOST_ITEMS, next_link
from connectors.checks import with_checks
from connectors.errors import HostNotAllowed, SettingsError
from connectors.model import Check, Ping
from connectors.rest import Call, RestClient
from connectors.throttle import Budget
from iclients.answers import Answer
from iclients.clouds import CloudProfile
from iclients.errors import MalformedAnswer, RemoteError

SUBSCRIPTIONS_VERSION: Final = "2022-12-01"
GROUPS_VERSION: Final = "2021-04-01"
VAULTS_VERSION: Final = "2026-02-01"

_MOST_SHOWN: Final = 10
_REMAINING: Final = "x-ms-ratelimit-remaining-"
_REFILLS: Final = {"reads": 25.0, "writes": 10.0, "deletes": 10.0}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the control plane a connection looks: one subscription or all, one resource group or all."""

    subscription: str | None = None
    group: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Place:
        """As the connection's settings say; ids of subscriptions compare without case."""
        subscription = str(settings.get("subscription") or "").lower()
        return cls(subscription or None, str(settings.get("resource_group") or "") or None)

    def under(self, subscription: str) -> str:
        """The path of what is looked at in this subscription."""
        group = f"/resourceGroups/{quote(self.group)}" if self.group else ""
        return f"/subscriptions/{subscription}{group}"


class ControlPlane:
    """Asks Azure Resource Manager. Every method raises RemoteError: its recovery says what follows."""

    def __init__(self, client: RestClient, cloud: CloudProfile) -> None:
        self._client = client
        self._cloud = cloud

    @property
    def host(self) -> str:
        """Where it answers."""
        return self._cloud.arm.removeprefix("https://")

    def pages(
        self, kind: str, path: str, version: str, link: str | None = None
    ) -> Iterator[tuple[list[Any], str | None]]:
        """A list's items, page by page, each with the link to the next. A link must lead to the same host."""
        link = link or f"{self._cloud.arm}{path}?api-version={version}"
        seen: set[str] = set()
        while link:
            if link in seen:
                raise MalformedAnswer(f"{self.host} leads from page to page in a circle: its list has no end.")
            seen.add(link)
            if not self._cloud.allows_arm(link):
                raise HostNotAllowed(f"{self.host} gave a next page on another host: it was not followed.")
            document = self._client.json(Call(kind, "GET", link))
            link = next_link(document)
            yield _items(document, self.host), link

    def everything(self, kind: str, path: str, version: str) -> list[Any]:
        """The items of all pages."""
        return [item for items, _ in self.pages(kind, path, version) for item in items]

    def subscriptions(self) -> list[tuple[str, str]]:
        """Id and name of every subscription that the app sees, by id. Needs no permission; sees what it may read."""
        found = self.everything("subscriptions", "/subscriptions", SUBSCRIPTIONS_VERSION)
        named = ((str(one.get("subscriptionId") or ""), str(one.get("displayName") or "")) for one in found)
        return sorted((identifier.lower(), name) for identifier, name in named if identifier)

    def groups(self, subscription: str) -> list[str]:
        """The names of the resource groups that the app sees there. Needs read on them."""
        found = self.everything("groups", f"/subscriptions/{subscription}/resourcegroups", GROUPS_VERSION)
        return sorted(str(one.get("name") or "") for one in found)

    def chosen(self, place: Place) -> list[str]:
        """The subscriptions that a connection looks at. Raises SettingsError, which offers those that there are."""
        seen = self.subscriptions()
        if place.subscription is None:
            return [identifier for identifier, _ in seen]
        if place.subscription not in dict(seen):
            raise SettingsError(f"The app does not see subscription {place.subscription}. {_offered(seen)}")
        return [place.subscription]

    def ping(self, place: Place) -> Ping:
        """What the app sees. Raises RemoteError, or SettingsError where it does not see what the settings name."""
        try:
            seen = self.subscriptions()
        except RemoteError as error:
            raise with_checks(error, [Check("reach", False, str(error))]) from error
        count = f"{len(seen)} subscription{'' if len(seen) == 1 else 's'}"
        checks = [
            Check("token", True, f"A token for {self.host} was given, and taken there."),
            Check("subscriptions", bool(seen), f"The app sees {count}. {_offered(seen)}"),
        ]
        chosen = self.chosen(place) if place.subscription else [identifier for identifier, _ in seen]
        if place.group:
            checks.append(self._group(place, chosen))
        checks += [self._vaults(place, one) for one in chosen[:1]]
        told = f"Azure Resource Manager answered: the app sees {count}."
        wrong = [check.sentence for check in checks[2:] if not check.ok] + ([] if seen else [_offered(seen)])
        return Ping(" ".join([told, *wrong]), tuple(checks))

    def _group(self, place: Place, subscriptions: Sequence[str]) -> Check:
        found = {name for one in subscriptions for name in self.groups(one)}
        if (place.group or "").lower() in {name.lower() for name in found}:
            return Check("resource group", True, f"The app sees resource group {place.group}.")
        few = ", ".join(sorted(found)[:_MOST_SHOWN]) or "none"
        raise SettingsError(f"The app sees no resource group {place.group}; it sees: {few}.")

    def _vaults(self, place: Place, subscription: str) -> Check:
        path = f"{place.under(subscription)}/providers/Microsoft.KeyVault/vaults"
        try:
            next(self.pages("vaults", path, VAULTS_VERSION), None)
        except RemoteError as error:
            return Check("vaults list", False, str(error))
        return Check("vaults list", True, f"The app may list the vaults of subscription {subscription}.")


def remaining(budget: Budget, answer: Answer) -> None:
    """Slow down where ARM says that few calls are left: it has one bucket for each app, subscription and kind of call."""
    for name, value in answer.headers.items():
        if name.startswith(_REMAINING) and value.strip().isdecimal():
            refill = _REFILLS.get(name.rpartition("-")[2])
            if refill is not None:
                budget.left(int(value), refill)


def _offered(seen: Sequence[tuple[str, str]]) -> str:
    if not seen:
        return "It sees none: give it the role Reader on a subscription, or on the resource groups of its vaults."
    named = [f"{identifier} ({name})" if name else identifier for identifier, name in seen[:_MOST_SHOWN]]
    more = f" and {len(seen) - _MOST_SHOWN} more" if len(seen) > _MOST_SHOWN else ""
    return f"There are: {', '.join(named)}{more}."


def _items(document: Any, host: str) -> list[Any]:
    items = document.get("value") if isinstance(document, dict) else None
    if items is None and isinstance(document, dict):
        return []
    if not isinstance(items, list) or len(items) > MOST_ITEMS or not all(isinstance(item, dict) for item in items):
        raise MalformedAnswer(f"{host} answered with a list that is not what its API promises.")
    return items
