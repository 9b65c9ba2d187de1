"""The control plane, as far as a connection to it can be tested. Source: ARM REST, Subscriptions: List."""

from __future__ import annotations

from typing import Final

from connectors.model import Ping
from connectors.rest import Call, RestClient

_API_VERSION: Final = "2022-12-01"


def ping(client: RestClient, arm: str) -> Ping:
    """How many subscriptions the app of this connection sees. Needs no permission; sees what it may read."""
    document = client.json(Call("list", "GET", f"{arm}/subscriptions?api-version={_API_VERSION}"))
    count = len(document.get("value") or ()) if isinstance(document, dict) else 0
    return Ping(f"Azure Resource Manager answered: the app sees {count} subscription{'' if count == 1 else 's'}.")
