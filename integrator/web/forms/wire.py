"""What is sent where: addresses, audience and credential of a connection, told without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from iclients import registry as providers
from iclients.clouds import CloudProfile
from iclients.errors import RemoteError
from iclients.model import IClient

_FROM_DISCOVERY: Final = "found by discovery when it is needed"
_PINGS: Final = {
    ("azure-key-vault", "data"): "GET {place}/secrets?maxresults=1",
    ("azure-key-vault", "control"): "GET {arm}/subscriptions",
}


def wire(api_type: str, iclient: IClient | None, cloud: CloudProfile | None) -> list[tuple[str, str]]:
    """Where things are sent, for whoever compares them with the provider's documentation."""
    audience = ""
    if cloud is not None and api_type:
        audience = cloud.vault_audience if api_type == "data" else cloud.arm_audience
    rows = [
        ("Cloud", cloud.name if cloud else ""),
        ("Audience", audience),
        *(_addresses(iclient, cloud) if iclient and cloud else []),
        ("Credential goes as", _authentication(iclient)),
    ]
    return [(name, text) for name, text in rows if text]


def ping(connector: str, api_type: str, place: str, cloud: CloudProfile | None) -> str:
    """The call that a test makes."""
    arm = cloud.arm if cloud else "https://management.azure.com"
    call = _PINGS.get((connector, api_type), "the connector's own call")
    return call.format(place=place.rstrip("/") or "{vault URL}", arm=arm)


def _addresses(iclient: IClient, cloud: CloudProfile) -> list[tuple[str, str]]:
    """The provider's, where nobody has to be asked for them: a page never waits for another system."""

    def fetch(url: str) -> Any:
        raise _NotNow(_FROM_DISCOVERY)

    provider = providers.provider(iclient.provider)
    if provider.has_tenants and not iclient.tenant:
        iclient = replace(iclient, tenant="tenant-of-the-vault")
    try:
        found = provider.endpoints(iclient, cloud, fetch)
    except (_NotNow, RemoteError) as error:
        return [("Token endpoint", str(error))]
    return [("Authorization endpoint", found.authorization_endpoint), ("Token endpoint", found.token_endpoint)]


def _authentication(iclient: IClient | None) -> str:
    if iclient is None:
        return ""
    try:
        return providers.provider(iclient.provider).traits(iclient).client_authentication
    except RemoteError as error:
        return str(error)


class _NotNow(Exception):
    """It would have to be fetched."""
