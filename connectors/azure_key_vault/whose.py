"""Whose tenant a vault or a subscription is in: asked once, without a token and without a body, and read from the 401.

It fills what the iClient leaves out, and nothing more: authority and audience stay the cloud profile's.
Source: Key Vault, "Authentication, requests and responses"; ARM answers for a subscription likewise.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from connectors.azure_key_vault.address import vault_address
from connectors.azure_key_vault.control.plane import SUBSCRIPTIONS_VERSION, Place
from connectors.azure_key_vault.model import DEFAULT_API_VERSION
from connectors.errors import error_for
from connectors.model import ApiType, Connection
from iclients.challenges import tenant_named
from iclients.clouds import CloudProfile
from iclients.transport import Transport

_MOST_BYTES: Final = 65_536


def challenged_tenant(connection: Connection, cloud: CloudProfile, transport: Transport) -> str:
    """The tenant that the challenge names; empty where it names none of this cloud's authority.

    Raises HostNotAllowed, before anybody is asked, for a vault that the cloud does not list; TransportError where
    nobody answers, Throttled or Unavailable for a bad moment. Needs no permission.
    """
    url = _asked(connection, cloud)
    answer = transport.exchange("GET", url, {"Accept": "application/json"}, max_answer_bytes=_MOST_BYTES)
    if answer.status == 429 or answer.status >= 500:
        host = urlsplit(url).netloc
        raise error_for(answer.status)(f"{host} answered HTTP {answer.status} when it was asked for its tenant.")
    return tenant_named(answer, cloud)


def _asked(connection: Connection, cloud: CloudProfile) -> str:
    if connection.api_type == ApiType.DATA:
        vault = vault_address(connection.name, str(connection.settings.get("vault_url", "")), cloud)
        version = connection.settings.get("api_version") or DEFAULT_API_VERSION
        return f"{vault.url}/secrets?api-version={version}&maxresults=1"
    subscription = Place.of(connection.settings).subscription
    under = f"/{subscription}" if subscription else ""
    return f"{cloud.arm}/subscriptions{under}?api-version={SUBSCRIPTIONS_VERSION}"
