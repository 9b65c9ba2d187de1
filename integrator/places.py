"""Places: who is asked with an iClient's secrets, and where the tokens that come of it may go.

A stored credential, a consent and a consent that has begun belong to the place that they were given for. Otherwise
whoever can change a document could have a secret or a token sent to an address of theirs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final
from urllib.parse import urlsplit

from connectors import registry as connectors
from connectors.model import Connection
from iclients import registry as providers
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.model import IClient
from integrator.store.store import Transaction

VAULT_URL: Final = "vault_url"
_NAMING: Final = (VAULT_URL, "subscription")
"""Settings that say whose tenant counts, where the iClient names none: its tokens are for that place alone."""
_HARMLESS: Final = frozenset({"domain_hint", "login_hint", "offline_scope", "prompt", "scope_delimiter"})
"""Settings of iClients that lead nobody elsewhere."""


def cloud_of(stored: Transaction, connection: Connection, iclient: IClient | None) -> CloudProfile:
    """The cloud of the connection's iClient, else the one that lists its vault's host, else the public one."""
    if iclient is not None and providers.provider(iclient.provider).uses_clouds:
        return stored.clouds.get(iclient.cloud)
    vault_url = connection.settings.get(VAULT_URL)
    return (stored.clouds.listing(str(vault_url)) if vault_url else None) or BUILT_IN["public"]


def asked_at(iclient: IClient, cloud: CloudProfile | None) -> tuple[Any, ...]:
    """Who is asked with the iClient's secrets, and as whom."""
    settings = {name: value for name, value in iclient.settings.items() if name not in _HARMLESS}
    authority = (cloud.authority, str(cloud.ca_file)) if cloud else ()
    typed = json.dumps(settings, sort_keys=True, default=str)
    return (iclient.provider, iclient.tenant, iclient.client_id, typed, *authority)


def hosts(connection: Connection, cloud: CloudProfile) -> frozenset[str]:
    """Where this connection's tokens may go, besides the clouds that are built in: their hosts are Microsoft's."""
    return own_hosts(cloud) | _typed_hosts(connection, cloud)


def own_hosts(cloud: CloudProfile) -> frozenset[str]:
    """The hosts and audiences of a cloud of your own."""
    if cloud.name in BUILT_IN:
        return frozenset()
    named = (cloud.arm, *cloud.vaults, cloud.vault_audience, cloud.arm_audience)
    return frozenset(f"{cloud.name} {name}" for name in named)


def place(connection: Connection, iclient: IClient, cloud: CloudProfile) -> str:
    """One text for all of it, to compare and to seal; it tells nothing to whoever reads it."""
    uses_cloud = providers.provider(iclient.provider).uses_clouds
    parts: list[Any] = [asked_at(iclient, cloud if uses_cloud else None), sorted(hosts(connection, cloud))]
    if providers.provider(iclient.provider).has_tenants and not iclient.tenant:
        parts.append([str(connection.settings.get(name) or "") for name in _NAMING])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _typed_hosts(connection: Connection, cloud: CloudProfile) -> frozenset[str]:
    """Addresses that a connector takes from the connection's settings, and that no cloud lists.

    Not a vault's: one that its cloud does not list gets no request and no token.
    """
    if connection.connector not in connectors.names():
        return frozenset()
    known = connectors.connector(connection.connector).descriptor.settings
    names = [setting.name for setting in known if setting.kind == "url" and setting.name != VAULT_URL]
    typed = [str(connection.settings.get(name) or "") for name in names]
    return frozenset(
        f"{connection.connector} {urlsplit(url).netloc}" for url in typed if url and not _is_listed(url, cloud)
    )


def _is_listed(url: str, cloud: CloudProfile) -> bool:
    return any(one.allows_vault(url) for one in (cloud, *BUILT_IN.values()))
