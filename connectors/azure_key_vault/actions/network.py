"""Actions on who reaches a vault over the network: its firewall, and private endpoint connections. What they take and
give: `network.toml`.

Network rules travel as a whole, so they are read, changed and read again just before they are written, because Resource
Manager has no etag for vaults. Source: ARM REST, Vaults, Network Rule Set; Private Endpoint Connections.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from connectors.azure_key_vault.actions.access import changed_meanwhile
from connectors.azure_key_vault.control.access_change import digest
from connectors.azure_key_vault.control.arm import Arm, Inputs, Performer, VaultPlace
from connectors.azure_key_vault.control.long_operation import LongOperation, absence, patience, provisioning
from connectors.azure_key_vault.control.metadata import endpoint_described
from connectors.azure_key_vault.control.plane import VAULTS_VERSION
from connectors.azure_key_vault.documents import Outputs, part, parts
from connectors.errors import BadInput

_APPROVED: Final = "Approved"
_REJECTED: Final = "Rejected"


def get_rules(arm: Arm, inputs: Inputs) -> Outputs:
    """Who is let in."""
    document = arm.ask("vault_get", arm.vault(inputs).path)
    return {**_rules(document), "seen": digest(_rules(document))}


def update_rules(arm: Arm, inputs: Inputs) -> Outputs:
    """Let in, or shut out, what is named; what is not named stays as it is."""
    place = arm.vault(inputs)
    asked = _asked(inputs)
    document = arm.ask("vault_get", place.path)
    before = _rules(document)
    after = _after(before, inputs, asked)
    seen, is_dry = inputs.get("seen"), bool(inputs.get("dryRun"))
    if seen is not None and seen != digest(before):
        raise changed_meanwhile(place)
    changes = _changes(before, after)
    if changes and not is_dry:
        _write(arm, place, document, after)
    return {**after, "changes": changes, "isDryRun": is_dry, "seen": digest(before if is_dry else after)}


def list_endpoints(arm: Arm, inputs: Inputs) -> Outputs:
    """Every private endpoint connection of the vault."""
    return arm.listed("endpoints", _endpoints(arm.vault(inputs)), endpoint_described, inputs)


def get_endpoint(arm: Arm, inputs: Inputs) -> Outputs:
    """What is said of one."""
    return endpoint_described(arm.ask("endpoint_get", _endpoint(arm, inputs)))


def approve_endpoint(arm: Arm, inputs: Inputs) -> Outputs:
    """Let it in."""
    return _answered(arm, inputs, _APPROVED)


def reject_endpoint(arm: Arm, inputs: Inputs) -> Outputs:
    """Shut it out; whoever made it has to make another."""
    return _answered(arm, inputs, _REJECTED)


def delete_endpoint(arm: Arm, inputs: Inputs) -> Outputs:
    """Forget it, and wait until it is gone."""
    path, name, wait_seconds = _endpoint(arm, inputs), inputs["connectionName"], patience(inputs)
    arm.ask("endpoint_get", path)
    what = f"private endpoint connection {name}"
    reply = arm.once(
        lambda: arm.send("endpoint_delete", "DELETE", path), lambda: arm.look("endpoint_get", path) is None, what
    )
    operation = LongOperation(arm, f"{what} to be deleted", wait_seconds)
    gone = absence(lambda: arm.ask("endpoint_get", path))
    url = arm.url(path, VAULTS_VERSION)
    is_settled = operation.follow(reply, url, gone) if reply else operation.until(gone)
    return {"connectionName": name, "isSettled": is_settled}


def _answered(arm: Arm, inputs: Inputs, status: str) -> Outputs:
    path, wait_seconds = _endpoint(arm, inputs), patience(inputs)
    document = arm.ask("endpoint_get", path)
    what = f"private endpoint connection {inputs['connectionName']}"
    is_so = endpoint_described(document)["status"] == status
    if not is_so:
        body = _answer(document, status, inputs.get("description"))
        arm.once(
            lambda: arm.send("endpoint_put", "PUT", path, body),
            lambda: endpoint_described(arm.ask("endpoint_get", path))["status"] == status,
            what,
        )
    operation = LongOperation(arm, f"{what} to be {status.lower()}", wait_seconds)
    is_settled = operation.until(provisioning(lambda: arm.ask("endpoint_get", path)))
    effect = "alreadyThere" if is_so else "updated"
    return {"effect": effect, "isSettled": is_settled, **endpoint_described(arm.ask("endpoint_get", path))}


def _answer(document: Any, status: str, description: str | None) -> dict[str, Any]:
    """The connection as it is, with another state."""
    told = part(document, "properties")
    stands = {"status": status, "description": description or f"{status} through Integrator"}
    kept = {"privateEndpoint": told["privateEndpoint"]} if told.get("privateEndpoint") else {}
    return {"properties": {**kept, "privateLinkServiceConnectionState": stands}}


def _endpoints(place: VaultPlace) -> str:
    return f"{place.path}/privateEndpointConnections"


def _endpoint(arm: Arm, inputs: Inputs) -> str:
    return f"{_endpoints(arm.vault(inputs))}/{quote(inputs['connectionName'])}"


def _rules(document: Any) -> dict[str, Any]:
    """Who is let in, sorted, so that two states compare."""
    told = part(document, "properties")
    network = part(told, "networkAcls")
    return {
        "publicNetworkAccess": str(told.get("publicNetworkAccess") or "Enabled"),
        "defaultAction": str(network.get("defaultAction") or "Allow"),
        "bypass": str(network.get("bypass") or "AzureServices"),
        "ipRules": sorted({_address(one.get("value")) for one in parts(network, "ipRules")}),
        "virtualNetworks": sorted({str(one.get("id")).lower() for one in parts(network, "virtualNetworkRules")}),
    }


def _asked(inputs: Inputs) -> dict[str, list[str]]:
    """What is added and taken away, checked. Raises BadInput where nothing is named, or one thing both ways."""
    named = {name: inputs.get(name) or [] for name in (*_IP_RULES, *_NETWORKS)}
    if not any(named.values()) and not any(inputs.get(name) is not None for name in _SWITCHES):
        raise BadInput(f"Nothing to change is named: give {', '.join((*_IP_RULES, *_NETWORKS, *_SWITCHES))}.")
    found = {name: [_checked_address(one, name) for one in named[name]] for name in _IP_RULES}
    found |= {name: [_checked_network(one, name) for one in named[name]] for name in _NETWORKS}
    for add, remove in (_IP_RULES, _NETWORKS):
        both = sorted(set(found[add]) & set(found[remove]))
        if both:
            raise BadInput(f"{add} and {remove} both name {both[0]}.", parameter=add)
    return found


def _after(before: Mapping[str, Any], inputs: Inputs, asked: Mapping[str, list[str]]) -> dict[str, Any]:
    switches = {name: inputs[name] if inputs.get(name) is not None else before[name] for name in _SWITCHES}
    lists = {
        name: sorted({*before[name], *asked[add]} - set(asked[remove]))
        for name, (add, remove) in (("ipRules", _IP_RULES), ("virtualNetworks", _NETWORKS))
    }
    return {**switches, **lists}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "before": before[name], "after": after[name]} for name in before if before[name] != after[name]
    ]


def _write(arm: Arm, place: VaultPlace, document: Any, after: Mapping[str, Any]) -> None:
    before = _rules(document)
    if _rules(arm.ask("vault_get", place.path)) != before:
        raise changed_meanwhile(place)

    def is_done() -> bool:
        return _rules(arm.ask("vault_get", place.path)) == after

    body, what = {"properties": _wire(document, before, after)}, f"the network rules of vault {place.name}"
    reply = arm.once(lambda: arm.send("network_update", "PATCH", place.path, body), is_done, what)
    if reply is not None and _rules(reply.document) != after:
        raise changed_meanwhile(place)


def _wire(document: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Only what changes; the rules of the firewall as a whole, each with what else is said of it."""
    network = part(part(document, "properties"), "networkAcls")
    known = {str(one.get("id")).lower(): dict(one) for one in parts(network, "virtualNetworkRules")}
    found: dict[str, Any] = {}
    if after["publicNetworkAccess"] != before["publicNetworkAccess"]:
        found["publicNetworkAccess"] = after["publicNetworkAccess"]
    if {**after, "publicNetworkAccess": ""} != {**before, "publicNetworkAccess": ""}:
        found["networkAcls"] = {
            "bypass": after["bypass"],
            "defaultAction": after["defaultAction"],
            "ipRules": [{"value": one} for one in after["ipRules"]],
            "virtualNetworkRules": [known.get(one, {"id": one}) for one in after["virtualNetworks"]],
        }
    return found


def _address(told: Any) -> str:
    """An address or range as Azure writes it: one address is a range of /32."""
    try:
        return str(ipaddress.ip_network(str(told), strict=False))
    except ValueError:
        return str(told)


def _checked_address(told: str, parameter: str) -> str:
    try:
        return str(ipaddress.IPv4Network(told.strip(), strict=False))
    except ValueError:
        message = f"{parameter} has something that is no IPv4 address and no range such as 203.0.113.0/24."
        raise BadInput(message, parameter=parameter) from None


def _checked_network(told: str, parameter: str) -> str:
    plain = told.strip().lower()
    if not plain.startswith("/subscriptions/") or "/subnets/" not in plain:
        message = f"{parameter} has something that is no id of a subnet: /subscriptions/…/virtualNetworks/…/subnets/…."
        raise BadInput(message, parameter=parameter)
    return plain


_IP_RULES: Final = ("addIpRules", "removeIpRules")
_NETWORKS: Final = ("addVirtualNetworks", "removeVirtualNetworks")
_SWITCHES: Final = ("publicNetworkAccess", "defaultAction", "bypass")

ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "get_network_rules": get_rules,
        "update_network_rules": update_rules,
        "list_private_endpoint_connections": list_endpoints,
        "get_private_endpoint_connection": get_endpoint,
        "approve_private_endpoint_connection": approve_endpoint,
        "reject_private_endpoint_connection": reject_endpoint,
        "delete_private_endpoint_connection": delete_endpoint,
    }
)
