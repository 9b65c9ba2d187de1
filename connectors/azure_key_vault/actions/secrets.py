"""Actions on the secrets of a vault. What they take and give: `secrets.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.azure_key_vault.actions.metadata import (
    attributes,
    latest,
    one_version,
    secret_described,
    secret_properties,
)
from connectors.azure_key_vault.actions.plane import DataPlane, Inputs, Performer, life, without_version
from connectors.azure_key_vault.documents import Outputs
from connectors.azure_key_vault.listing import listed
from connectors.azure_key_vault.model import LONGEST_CONTENT_TYPE_CHARACTERS, LONGEST_VALUE_CHARACTERS
from connectors.azure_key_vault.secret_writing.standing import look
from connectors.azure_key_vault.secret_writing.write import Write
from connectors.azure_key_vault.vault.objects import UNCLEAR
from connectors.errors import BadInput, Forbidden
from iclients.errors import AnswerLost
from iclients.secret import Secret


def get(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A version with its value, the latest where none is named."""
    found = plane.secrets.get(inputs["secretName"], inputs.get("secretVersion") or "")
    return {"value": found.value, **secret_properties(found.properties)}


def get_metadata(plane: DataPlane, inputs: Inputs) -> Outputs:
    """The latest version without its value."""
    return secret_properties(latest(plane.secrets, inputs["secretName"]))


def get_version_metadata(plane: DataPlane, inputs: Inputs) -> Outputs:
    """One version without its value."""
    return secret_properties(one_version(plane.secrets, inputs["secretName"], inputs["secretVersion"]))


def list_all(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every secret."""
    return listed(plane.secrets, "list", "/secrets", without_version(secret_described), inputs)


def list_versions(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every version of a secret."""
    return listed(plane.secrets, "versions", f"/secrets/{inputs['secretName']}/versions", secret_described, inputs)


def create(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A new version. After a lost answer the secret is looked at before it is set again."""
    name, value = inputs["secretName"], inputs["value"]
    _check(value, inputs.get("contentType"))
    body = {"value": value.reveal(), **_described(inputs)}
    write = Write(name, body, before=_version_before(plane, inputs))
    return secret_properties(write.carry_out(plane.secrets, plane.clock))


def update(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Attributes of a version, the latest where none is named: which one that is, is found out first."""
    name, body = inputs["secretName"], _described(inputs)
    if not body:
        raise BadInput("Nothing to update is named: give contentType, enabled, tags or a validity.")
    _check(None, inputs.get("contentType"))
    version = inputs.get("secretVersion") or latest(plane.secrets, name).version or ""
    try:
        return secret_properties(plane.secrets.update(name, body, version))
    except UNCLEAR as error:
        raise AnswerLost(f"{error} Look at {name}: it may be updated already.", code=error.code) from error


def _version_before(plane: DataPlane, inputs: Inputs) -> str | None:
    """By which a repeated write of a disabled secret, which shows no value, is told from what was there before."""
    if inputs.get("enabled") is not False:
        return None
    try:
        there = look(plane.secrets, inputs["secretName"])
    except Forbidden:
        return None
    return there.properties.version if there else None


def _described(inputs: Inputs) -> dict[str, object]:
    content_type = inputs.get("contentType")
    return {**({"contentType": content_type} if content_type is not None else {}), **attributes(inputs)}


def _check(value: Secret | None, content_type: str | None) -> None:
    if value is not None and not value:
        raise BadInput("value is empty.", parameter="value")
    if value is not None and len(value.reveal()) > LONGEST_VALUE_CHARACTERS:
        raise BadInput(
            f"value is longer than the {LONGEST_VALUE_CHARACTERS:,} characters that Key Vault takes (25 KB).",
            parameter="value",
        )
    if content_type is not None and len(content_type) > LONGEST_CONTENT_TYPE_CHARACTERS:
        raise BadInput(
            f"contentType is longer than {LONGEST_CONTENT_TYPE_CHARACTERS} characters.", parameter="contentType"
        )


ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "get_secret": get,
        "get_secret_version": get,
        "get_secret_metadata": get_metadata,
        "get_secret_version_metadata": get_version_metadata,
        "list_secrets": list_all,
        "list_secret_versions": list_versions,
        "create_secret": create,
        "update_secret": update,
        **life("secret", lambda plane: plane.secrets, secret_described, secret_described),
    }
)
