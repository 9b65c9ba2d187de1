"""What a document refers to: files and variables outside of it, and nouns by name. Every dead end is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connectors import registry as connectors
from connectors.descriptor import Descriptor
from connectors.errors import SettingsError
from connectors.model import Connection
from flows.model import Flow
from flows.schemas import OPERATIONS
from iclients import registry as providers
from iclients.clouds import BUILT_IN, CloudProfile
from iclients.credentials import ManagedIdentity
from iclients.errors import NotAuthorized
from iclients.model import IClient
from iclients.secret import Secret
from integrator.global_iclients import with_iclient
from integrator.schemas import Where, Wrong, shown
from integrator.store.store import Transaction

MANAGED_IDENTITY: Final = "managed_identity"
MAX_CREDENTIAL_BYTES: Final = 65_536
_DER: Final = b"\x30"
"""How every PFX file begins; in such a file a newline at the end is no newline."""


def resolve(tree: Any, folder: Path, environ: Mapping[str, str]) -> Any:
    """The document with `{env: …}` and `{file: …}` of credentials read, and paths made absolute.

    Looks only at parts that have the right shape: what has not is told by the schemas. Raises Wrong.
    """
    if not isinstance(tree, dict):
        return tree
    tree = dict(tree)
    tree |= (
        {"clouds": [_with_path(cloud, "ca_file", folder) for cloud in tree["clouds"]]} if _has(tree, "clouds") else {}
    )
    if _has(tree, "iclients"):
        tree["iclients"] = [
            _resolved_iclient(iclient, ("iclients", position), folder, environ)
            for position, iclient in enumerate(tree["iclients"])
        ]
    if _has(tree, "connections"):
        tree["connections"] = [_resolved_connection(connection, folder) for connection in tree["connections"]]
    return tree


def check_names(nouns: Mapping[str, Any]) -> None:
    """Raise Wrong where two of a kind have one name."""
    for noun, things in nouns.items():
        seen: dict[str, int] = {}
        for position, thing in enumerate(things if isinstance(things, list) else ()):
            first = seen.setdefault(thing.name, position)
            if first != position:
                raise Wrong(
                    (noun, position, "name"), f"{noun}[{position}] has the name {thing.name} of {noun}[{first}]."
                )


def check(transaction: Transaction, noun: str, position: int, thing: Any) -> None:
    """Raise Wrong where something that this noun refers to is not there. Lower floors are saved already."""
    _CHECKS[noun](transaction, (noun, position), thing)


def _has(tree: Mapping[str, Any], noun: str) -> bool:
    return isinstance(tree.get(noun), list)


def _with_path(thing: Any, key: str, folder: Path) -> Any:
    """The same mapping with an absolute path under this key, where there is a path at all."""
    if not isinstance(thing, dict) or not isinstance(thing.get(key), str) or not thing[key]:
        return thing
    return {**thing, key: os.path.normpath(folder / Path(thing[key]).expanduser())}


def _resolved_iclient(iclient: Any, where: Where, folder: Path, environ: Mapping[str, str]) -> Any:
    if not isinstance(iclient, dict):
        return iclient
    resolved = dict(iclient)
    if "settings" in resolved:
        resolved["settings"] = _with_path(resolved["settings"], "ca_file", folder)
    for slot in ("credential", "next_credential"):
        if isinstance(resolved.get(slot), dict):
            resolved[slot] = _resolved_credential(resolved[slot], (*where, slot), folder, environ)
    return resolved


def _resolved_credential(
    credential: Mapping[str, Any], where: Where, folder: Path, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Secrets and files read; a certificate is opened with its password, which then is no longer needed."""
    resolved = dict(credential)
    if "client_secret" in resolved:
        resolved["client_secret"] = _text(resolved["client_secret"], (*where, "client_secret"), folder, environ)
    if "federated_assertion" in resolved:
        resolved["federated_assertion"] = _with_path(resolved["federated_assertion"], "file", folder)
    if resolved.get("managed_identity") is True:
        resolved["managed_identity"] = {}
    if "certificate" in resolved:
        content = _credential(resolved["certificate"], (*where, "certificate"), folder, environ)
        password = resolved.pop("password", None)
        if password is not None:
            password = Secret(_text(password, (*where, "password"), folder, environ))
        resolved["certificate"] = _certificate(content, password, (*where, "certificate"))
    return resolved


def _text(source: Any, where: Where, folder: Path, environ: Mapping[str, str]) -> str:
    try:
        return _credential(source, where, folder, environ).decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong(where, f"{shown(where)} is not UTF-8 text.") from None


def _certificate(content: bytes, password: Secret | None, where: Where) -> dict[str, str]:
    from iclients import certificates  # reading certificates loads slowly, and most documents have none

    try:
        loaded = certificates.load(content, password)
    except ValueError as error:
        raise Wrong(where, f"{shown(where)} cannot be used: {error}.") from None
    return {"private_key": loaded.private_key.reveal(), "certificate": loaded.certificate}


def _credential(source: Any, where: Where, folder: Path, environ: Mapping[str, str]) -> bytes:
    """The credential itself, read from where the document says it is."""
    if isinstance(source, str):
        text = source.encode()
    elif not isinstance(source, dict):
        raise Wrong(where, f"{shown(where)} is not text: put it in quotes.")
    elif len(source) != 1 or not isinstance(name := next(iter(source.values())), str):
        raise Wrong(where, f"{shown(where)} is neither text nor one of {{env: NAME}} and {{file: PATH}}.")
    elif "env" in source:
        text = _from_variable(name, where, environ).encode("utf-8", "surrogateescape")
    elif "file" in source:
        text = _from_file(folder / Path(name).expanduser(), where)
    elif "credential" in source:
        raise Wrong(where, f"{shown(where)} names a credential of a store, which is not in this version yet.")
    else:
        raise Wrong(where, f"{shown(where)} has an unknown key {next(iter(source))}; it can have: env, file.")
    if not text:
        raise Wrong(
            where, f"{shown(where)} is empty: give the secret, or leave the credential out to keep what is stored."
        )
    return text


def _from_variable(name: str, where: Where, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise Wrong(
            where, f"{shown(where)} names the environment variable {name}, which is not set: set it and apply again."
        )
    return environ[name]


def _from_file(path: Path, where: Where) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise Wrong(where, f"{shown(where)} names the file {path}, which cannot be read ({error.strerror}).") from error
    if len(content) > MAX_CREDENTIAL_BYTES:
        raise Wrong(where, f"{shown(where)} names the file {path}, which is too large for a secret.")
    return content if content.startswith(_DER) else content.removesuffix(b"\n").removesuffix(b"\r")


def _resolved_connection(connection: Any, folder: Path) -> Any:
    """Settings that are folders become absolute; only the connector's descriptor knows which they are."""
    if not isinstance(connection, dict) or not isinstance(connection.get("settings"), dict):
        return connection
    settings = connection["settings"]
    for name in _folder_settings(connection.get("connector")):
        settings = _with_path(settings, name, folder)
    return {**connection, "settings": settings}


def _folder_settings(connector: Any) -> Iterator[str]:
    if isinstance(connector, str) and connector in connectors.names():
        yield from (setting.name for setting in _descriptor(connector).settings if setting.kind == "folder")


def _descriptor(connector: str) -> Descriptor:
    return connectors.connector(connector).descriptor


def _check_cloud(transaction: Transaction, where: Where, cloud: CloudProfile) -> None:
    if cloud.name in BUILT_IN:
        raise Wrong((*where, "name"), f"{where[0]}[{where[1]}] cannot be called {cloud.name}: that cloud is built in.")


def _check_iclient(transaction: Transaction, where: Where, iclient: IClient) -> None:
    installed = providers.names()
    if iclient.provider not in installed:
        raise Wrong(
            (*where, "provider"),
            f"iclients[{where[1]}].provider is {iclient.provider}, which is not installed; "
            f"installed are: {', '.join(installed)}.",
        )
    known = providers.provider(iclient.provider).settings
    if unknown := next((key for key in iclient.settings if key not in known), None):
        raise Wrong(
            (*where, "settings", unknown),
            f"iclients[{where[1]}].settings has {unknown}, which provider {iclient.provider} does not know; "
            f"it knows: {', '.join(known) or 'none'}.",
        )
    if transaction.clouds.find(iclient.cloud) is None:
        raise _unknown((*where, "cloud"), "cloud", iclient.cloud, [*BUILT_IN, *transaction.clouds.names()])
    try:
        providers.provider(iclient.provider).check(iclient)
    except NotAuthorized as error:
        named = [("settings", name) for name in iclient.settings if f"settings.{name} " in str(error)]
        raise Wrong((*where, *(named[0] if named else ())), f"{shown(where)}: {error}") from error


def _check_connection(transaction: Transaction, where: Where, connection: Connection) -> None:
    installed = connectors.names()
    if connection.connector not in installed:
        raise Wrong(
            (*where, "connector"),
            f"connections[{where[1]}].connector is {connection.connector}, which is not installed; "
            f"installed are: {', '.join(installed)}.",
        )
    try:
        _descriptor(connection.connector).check(with_iclient(transaction, connection))
    except SettingsError as error:
        raise Wrong(_nearest(where, connection, str(error)), f"connections[{where[1]}] cannot work: {error}") from error
    if connection.iclient is not None and transaction.iclients.find(connection.iclient) is None:
        raise _unknown((*where, "iclient"), "iClient", connection.iclient, transaction.iclients.names())
    _check_managed(transaction, where, with_iclient(transaction, connection))


def _check_managed(transaction: Transaction, where: Where, connection: Connection) -> None:
    """A connection that says managed_identity must not come in by a secret that its iClient happens to have."""
    if connection.auth != MANAGED_IDENTITY or connection.iclient is None:
        return
    credential = transaction.iclients.get(connection.iclient).credential
    if credential is not None and not isinstance(credential, ManagedIdentity):
        raise Wrong(
            (*where, "auth"),
            f"{shown((*where, 'auth'))} is {MANAGED_IDENTITY}, and iClient {connection.iclient} has another credential: "
            "give it `credential: {managed_identity: true}`, or the connection another auth.",
        )


def _nearest(where: Where, connection: Connection, message: str) -> Where:
    """The setting that the sentence speaks of, else the connection as a whole."""
    named = (name for name in connection.settings if f"settings.{name} " in message or f"setting {name} " in message)
    setting = next(named, None)
    return where if setting is None else (*where, "settings", setting)


def _check_flow(transaction: Transaction, where: Where, flow: Flow) -> None:
    for position, export in enumerate(flow.exports):
        _check_end(transaction, (*where, "exports", position), export.connection, export.resource)
    for position, step in enumerate(flow.steps):
        end = (*where, "steps", position, "import")
        _check_end(transaction, end, step.connection, step.resource, step.operation)


def _check_end(transaction: Transaction, where: Where, name: str, resource: str, operation: str | None = None) -> None:
    connection = transaction.connections.find(name)
    if connection is None:
        raise _unknown((*where, "connection"), "connection", name, transaction.connections.names())
    known = _descriptor(connection.connector).resources if connection.connector in connectors.names() else ()
    offered = [one for one in known if one.api_type in (None, connection.api_type)]
    meant = next((one for one in offered if one.is_called(resource)), None)
    if known and meant is None:
        raise _unknown((*where, "resource"), f"resource of connection {name}", resource, [one.name for one in offered])
    if operation is not None and meant is not None and operation not in meant.verbs:
        verbs = [verb for verb in OPERATIONS if verb in meant.verbs]
        raise Wrong(
            (*where, "operation"),
            f"{shown((*where, 'operation'))} is {operation}, which {resource} of connection {name} does not take; "
            f"it takes: {', '.join(verbs) or 'none'}.",
        )


def _unknown(where: Where, noun: str, name: str, there: list[str]) -> Wrong:
    listed = f"there are: {', '.join(there)}" if there else "there is none"
    return Wrong(where, f"{shown(where)} is {name}, and there is no {noun} of that name; {listed}.")


_CHECKS: Final[Mapping[str, Callable[[Transaction, Where, Any], None]]] = {
    "clouds": _check_cloud,
    "iclients": _check_iclient,
    "connections": _check_connection,
    "flows": _check_flow,
}
