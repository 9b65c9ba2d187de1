"""The document for `integrator apply` that describes a running sandbox (design, sections 4 and 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.azure_key_vault.sandbox.sandbox import Sandbox

CLOUD = "lab"
ICLIENT = "sandbox-app"
CONTROL_PLANE = "arm"
UNLIMITED = {"calls": 1_000_000, "period_seconds": 10, "concurrency": 32}


def document(sandbox: Sandbox) -> dict[str, Any]:
    """A cloud profile, one iClient, a connection for each vault and one for the control plane."""
    connections = [_data_connection(sandbox, name) for name in sandbox.vaults]
    return {
        "version": 1,
        "clouds": [_cloud(sandbox)],
        "iclients": [_iclient(sandbox)],
        "connections": [*connections, _control_connection(sandbox)],
    }


def _cloud(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": CLOUD,
        "authority": sandbox.authority,
        "arm": sandbox.arm,
        "vaults": [sandbox.vault_url(name).removeprefix("https://") for name in sandbox.vaults],
        "vault_audience": sandbox.profile.vault_audience,
        "arm_audience": sandbox.profile.arm_audience,
        "ca_file": str(sandbox.ca_file),
    }


def _iclient(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": ICLIENT,
        "provider": "entra",
        "cloud": CLOUD,
        "tenant": sandbox.tenant,
        "client_id": sandbox.client_id,
        "credential": {"client_secret": sandbox.client_secret},
        "scopes": [f"{sandbox.profile.vault_audience}/.default"],
    }


def _data_connection(sandbox: Sandbox, name: str) -> dict[str, Any]:
    connection = {
        "name": name,
        "connector": "azure-key-vault",
        "api_type": "data",
        "auth": "client_credentials",
        "iclient": ICLIENT,
        "settings": {"vault_url": sandbox.vault_url(name)},
    }
    return connection if sandbox.throttle.on else connection | {"limits": dict(UNLIMITED)}


def _control_connection(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": CONTROL_PLANE,
        "connector": "azure-key-vault",
        "api_type": "control",
        "auth": "client_credentials",
        "iclient": ICLIENT,
        "scopes": [f"{sandbox.profile.arm_audience}/.default"],
    }
