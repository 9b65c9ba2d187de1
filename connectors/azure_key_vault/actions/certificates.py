"""Actions on the certificates of a vault, their contacts and issuers. What they take and give:
`certificates.toml`.

Making one is an operation at its issuer: it is begun, and looked at until it is over. A certificate comes with its key
only from the secret of its name, and only where its policy lets the key out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from connectors.actions import decoded
from connectors.azure_key_vault.actions.metadata import (
    attributes,
    certificate_described,
    certificate_item,
    latest,
    mapping,
)
from connectors.azure_key_vault.actions.plane import DataPlane, Inputs, Performer, life, without_version
from connectors.azure_key_vault.documents import Outputs, part, text
from connectors.azure_key_vault.listing import listed
from connectors.errors import BadInput, Conflict, Forbidden
from iclients.secret import Secret

PFX: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"
POLL_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 300
UNKNOWN_ISSUER: Final = "unknown"
_BEGINS_PEM: Final = "-----BEGIN "
_PEM_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def get(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A version, the latest where none is named."""
    name, version = inputs["certificateName"], inputs.get("certificateVersion") or ""
    return certificate_described(plane.certificates.document(name, version))


def list_all(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every certificate."""
    return listed(plane.certificates, "list", "/certificates", without_version(certificate_item), inputs)


def list_versions(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every version of a certificate."""
    place = f"/certificates/{inputs['certificateName']}/versions"
    return listed(plane.certificates, "versions", place, certificate_item, inputs)


def get_policy(plane: DataPlane, inputs: Inputs) -> Outputs:
    """By which policy the next version is made."""
    return {"policy": plane.certificates.policy(inputs["certificateName"])}


def update_policy(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Change that policy."""
    return {"policy": plane.certificates.update_policy(inputs["certificateName"], mapping(inputs, "policy"))}


def create(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Begin to make a version, and wait until it is made, or the time is over, or an authority must be asked."""
    name, policy, patience_seconds = inputs["certificateName"], mapping(inputs, "policy"), _patience(inputs)
    operation = plane.certificates.create(name, {"policy": policy, **attributes(inputs)})
    operation = _waited_for(plane, name, operation, patience_seconds)
    made = plane.certificates.document(name) if _status(operation) == "completed" else None
    return {**(certificate_described(made) if made else {}), **_operation(name, operation)}


def get_operation(plane: DataPlane, inputs: Inputs) -> Outputs:
    """How the making stands."""
    return _operation(inputs["certificateName"], plane.certificates.operation(inputs["certificateName"]))


def cancel_operation(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Ask the issuer to stop."""
    return _operation(inputs["certificateName"], plane.certificates.cancel(inputs["certificateName"]))


def merge(plane: DataPlane, inputs: Inputs) -> Outputs:
    """What an authority made of the request, put where its key is."""
    body = {"x5c": _chain(inputs["signedCertificates"]), **attributes(inputs)}
    return certificate_described(plane.certificates.merge(inputs["certificateName"], body))


def bring(plane: DataPlane, inputs: Inputs) -> Outputs:
    """A certificate with its key, made outside."""
    value, kind = _brought(inputs["certificate"])
    policy = mapping(inputs, "policy") if inputs.get("policy") is not None else {}
    body = {"value": value, "policy": {"secret_props": {"contentType": kind}, **policy}, **attributes(inputs)}
    if inputs.get("password") is not None:
        body["pwd"] = inputs["password"].reveal()
    return certificate_described(plane.certificates.bring(inputs["certificateName"], body))


def update(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Attributes of a version, the latest where none is named: which one that is, is found out first."""
    name, body = inputs["certificateName"], attributes(inputs)
    if not body:
        raise BadInput("Nothing to update is named: give enabled or tags.")
    version = inputs.get("certificateVersion") or latest(plane.certificates, name).version or ""
    return certificate_described(plane.certificates.update(name, version, body))


def download(plane: DataPlane, inputs: Inputs) -> Outputs:
    """The certificate with its key. Raises Forbidden where the policy keeps the key in."""
    name = inputs["certificateName"]
    document = plane.certificates.document(name, inputs.get("certificateVersion") or "")
    if part(part(document, "policy"), "key_props").get("exportable") is False:
        message = f"The key of {name} may not leave {plane.certificates.vault.host}: its policy has exportable: false."
        raise Forbidden(message, code="not_exportable")
    version = certificate_item(document)["version"] or ""
    secret = plane.secrets.get(name, version)
    kind = "pem" if secret.properties.content_type == PEM else "pfx"
    return {"certificate": secret.value, "certificateFormat": kind, "name": name, "version": version}


def get_contacts(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Who is told."""
    return _contacts(plane.certificates.contacts())


def set_contacts(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Say who is told."""
    contacts = inputs["contacts"]
    if not isinstance(contacts, list) or not all(isinstance(one, dict) and one.get("email") for one in contacts):
        raise BadInput("contacts is not a list of objects that have an email.", parameter="contacts")
    return _contacts(plane.certificates.set_contacts(contacts))


def delete_contacts(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Tell nobody; gives who was told until now."""
    return _contacts(plane.certificates.delete_contacts())


def list_issuers(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Every authority."""
    return listed(plane.certificates, "issuers_list", "/certificates/issuers", _issuer_item, inputs)


def get_issuer(plane: DataPlane, inputs: Inputs) -> Outputs:
    """What the vault knows of one."""
    return _issuer(plane.certificates.issuer(inputs["issuerName"]))


def set_issuer(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Make one known."""
    body: dict[str, Any] = {"provider": inputs["issuerProvider"]}
    password = inputs.get("accountPassword")
    account = {"account_id": inputs.get("accountId"), "pwd": password.reveal() if password is not None else None}
    if known := {name: value for name, value in account.items() if value is not None}:
        body["credentials"] = known
    if inputs.get("organization") is not None:
        body["org_details"] = mapping(inputs, "organization")
    if inputs.get("enabled") is not None:
        body["attributes"] = {"enabled": inputs["enabled"]}
    return _issuer(plane.certificates.set_issuer(inputs["issuerName"], body))


def delete_issuer(plane: DataPlane, inputs: Inputs) -> Outputs:
    """Forget one."""
    plane.certificates.delete_issuer(inputs["issuerName"])
    return {"issuerName": inputs["issuerName"]}


def _waited_for(plane: DataPlane, name: str, operation: Any, patience_seconds: float) -> Any:
    """The operation once it is over, or as it stands. Raises Conflict where the issuer has refused."""
    deadline = plane.clock.monotonic() + patience_seconds
    is_ours_to_wait = str(part(operation, "issuer").get("name")).lower() != UNKNOWN_ISSUER
    while is_ours_to_wait and _status(operation) == "inprogress" and plane.clock.monotonic() < deadline:
        if plane.progress:
            plane.progress(f"Waiting for certificate {name} to be made: {_status(operation)}.")
        plane.clock.sleep(min(POLL_SECONDS, max(0.1, deadline - plane.clock.monotonic())))
        operation = plane.certificates.operation(name)
    if _status(operation) not in ("inprogress", "completed"):
        raise Conflict(f"Certificate {name} was not made: its issuer says {_status(operation)}.", code="not_made")
    return operation


def _patience(inputs: Inputs) -> int:
    seconds = inputs.get("waitSeconds")
    if seconds is not None and not 0 <= seconds <= 3600:
        raise BadInput("waitSeconds is not between 0 and 3600.", parameter="waitSeconds")
    return WAIT_SECONDS if seconds is None else int(seconds)


def _status(operation: Any) -> str:
    return text(operation, "status").lower()


def _operation(name: str, document: Any) -> Outputs:
    status = text(document, "status")
    csr = document.get("csr")
    return {
        "name": name,
        "status": status,
        "statusDetails": document.get("status_details"),
        "csr": csr if isinstance(csr, str) else None,
    }


def _chain(told: str) -> list[str]:
    """Certificates as they travel: each DER in base64."""
    try:
        blocks = _PEM_CERTIFICATE.findall(told) if _BEGINS_PEM in told else told.split(",")
        chain = [_standard(decoded(block)) for block in blocks]
    except ValueError:
        chain = []
    if not chain or not all(chain):
        message = "signedCertificates is neither PEM text nor base64 of DER."
        raise BadInput(message, parameter="signedCertificates")
    return chain


def _brought(told: Secret) -> tuple[str, str]:
    """What travels, and the content type that says what it is."""
    value = told.reveal()
    if _BEGINS_PEM in value:
        return value, PEM
    try:
        data = decoded(value)
        return (data.decode("ascii"), PEM) if _BEGINS_PEM.encode() in data else (_standard(data), PFX)
    except ValueError:
        raise BadInput("certificate is neither PEM text nor a PFX in base64.", parameter="certificate") from None


def _standard(data: bytes) -> str:
    """Base64 with padding, as certificates travel; everything else of a vault is base64url."""
    return base64.b64encode(data).decode()


def _contacts(document: Any) -> Outputs:
    found = document.get("contacts") if isinstance(document, dict) else None
    return {"contacts": found if isinstance(found, list) else []}


def _issuer_item(document: Any) -> Outputs:
    return {
        "issuerName": text(document, "id").rstrip("/").rsplit("/", 1)[-1],
        "issuerProvider": document.get("provider"),
    }


def _issuer(document: Any) -> Outputs:
    return {
        **_issuer_item(document),
        "accountId": part(document, "credentials").get("account_id"),
        "organization": part(document, "org_details") or None,
        "isEnabled": part(document, "attributes").get("enabled"),
    }


ACTIONS: Final[Mapping[str, Performer]] = MappingProxyType(
    {
        "get_certificate": get,
        "get_certificate_version": get,
        "list_certificates": list_all,
        "list_certificate_versions": list_versions,
        "get_certificate_policy": get_policy,
        "update_certificate_policy": update_policy,
        "create_certificate": create,
        "get_certificate_operation": get_operation,
        "cancel_certificate_operation": cancel_operation,
        "merge_certificate": merge,
        "import_certificate": bring,
        "update_certificate": update,
        "download_certificate": download,
        "get_certificate_contacts": get_contacts,
        "set_certificate_contacts": set_contacts,
        "delete_certificate_contacts": delete_contacts,
        "list_certificate_issuers": list_issuers,
        "get_certificate_issuer": get_issuer,
        "set_certificate_issuer": set_issuer,
        "delete_certificate_issuer": delete_issuer,
        **life("certificate", lambda plane: plane.certificates, certificate_item, certificate_item),
    }
)
