"""What a document names outside of itself: variables and files with credentials, and paths; read when it is applied."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connectors import registry as connectors
from iclients.secret import Secret
from integrator.schemas import Where, Wrong, shown

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
        yield from (
            setting.name for setting in connectors.connector(connector).descriptor.settings if setting.kind == "folder"
        )
