"""Policies of certificates: what a vault takes as one, with its defaults (Azure reference sheet, section 4.9).

A policy is kept in the members of the wire, so that what was given comes back; what was not given is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509

from connectors.azure_key_vault.sandbox.bodies import invalid
from connectors.azure_key_vault.sandbox.key_material import CURVES, RSA_SIZES

PKCS12: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"
SELF: Final = "Self"
UNKNOWN: Final = "Unknown"
MOST_MONTHS: Final = 1200
USAGES: Final = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
_SANS: Final = ("emails", "dns_names", "upns", "uris", "ipAddresses")
_USUAL_EKUS: Final = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]
_USUAL_USAGE: Final = ["digitalSignature", "keyEncipherment"]
_ACTIONS: Final = {"autorenew": "AutoRenew", "emailcontacts": "EmailContacts"}
Policy = dict[str, Any]


def policy(told: Any, before: Policy | None = None) -> Policy:
    """The whole policy that this part of one makes; `before` is what stands where it says nothing. 400 otherwise."""
    given = _object(told if told is not None else {}, "policy")
    before = before or {}
    made: Policy = {
        "key_props": _key({**before.get("key_props", {}), **_object(given.get("key_props"), "key_props")}),
        "secret_props": _secret(
            {**before.get("secret_props", {}), **_object(given.get("secret_props"), "secret_props")}
        ),
        "x509_props": _x509({**before.get("x509_props", {}), **_object(given.get("x509_props"), "x509_props")}),
        "issuer": _issuer({**before.get("issuer", {}), **_object(given.get("issuer"), "issuer")}),
    }
    actions = given.get("lifetime_actions", before.get("lifetime_actions"))
    made["lifetime_actions"] = _actions(actions, made["issuer"]["name"])
    return made


def imported(told: Any, certificate: x509.Certificate, kind: str) -> Policy:
    """The policy of a certificate that was made elsewhere: what was told, and the rest from the certificate."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    public = certificate.public_key()
    key = {"kty": "RSA", "key_size": public.key_size} if isinstance(public, RSAPublicKey) else _curve_of(public)
    months = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days // 30
    found = {
        "key_props": {**key, "exportable": True, "reuse_key": False},
        "secret_props": {"contentType": kind},
        "x509_props": {
            "subject": certificate.subject.rfc4514_string(),
            "validity_months": max(1, min(months, MOST_MONTHS)),
            "ekus": [],
            "key_usage": [],
        },
        "issuer": {"name": UNKNOWN},
    }
    return policy(told, found)


def _curve_of(public: Any) -> dict[str, str]:
    names = {curve.name: name for name, curve in CURVES.items()}
    return {"kty": "EC", "crv": names[public.curve.name]}


def _key(told: dict[str, Any]) -> dict[str, Any]:
    kty = told.get("kty") or "RSA"
    if kty not in ("RSA", "RSA-HSM", "EC", "EC-HSM"):
        raise invalid("kty")
    made = {"exportable": told.get("exportable", True), "kty": kty, "reuse_key": told.get("reuse_key", False)}
    if not isinstance(made["exportable"], bool) or not isinstance(made["reuse_key"], bool):
        raise invalid("key_props")
    if kty.startswith("EC"):
        made["crv"] = told.get("crv") or "P-256"
        if made["crv"] not in CURVES:
            raise invalid("crv")
        return made
    made["key_size"] = told.get("key_size") or 2048
    if made["key_size"] not in RSA_SIZES:
        raise invalid("key_size")
    return made


def _secret(told: dict[str, Any]) -> dict[str, Any]:
    kind = told.get("contentType") or PKCS12
    if kind not in (PKCS12, PEM):
        raise invalid("contentType")
    return {"contentType": kind}


def _x509(told: dict[str, Any]) -> dict[str, Any]:
    sans = _object(told.get("sans"), "sans")
    if any(name not in _SANS or not _is_texts(value) for name, value in sans.items() if value is not None):
        raise invalid("sans")
    subject = told.get("subject") or ""
    if not subject and not any(sans.values()):
        raise invalid("subject")
    try:
        x509.Name.from_rfc4514_string(subject)
    except ValueError as problem:
        raise invalid("subject") from problem
    months = told.get("validity_months") or 12
    if not isinstance(months, int) or not 1 <= months <= MOST_MONTHS:
        raise invalid("validity_months")
    usage = told.get("key_usage", _USUAL_USAGE)
    ekus = told.get("ekus", _USUAL_EKUS)
    if not _is_texts(usage) or any(one not in USAGES for one in usage):
        raise invalid("key_usage")
    if not _is_texts(ekus):
        raise invalid("ekus")
    made = {"subject": subject, "ekus": ekus, "key_usage": usage, "validity_months": months}
    constraints = told.get("basic_constraints") or {"ca": False}
    return {**made, "basic_constraints": constraints, **({"sans": sans} if sans else {})}


def _issuer(told: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(told.get("name"), str) or not told["name"]:
        raise invalid("issuer")
    return {name: value for name, value in told.items() if name in ("name", "cty", "cert_transparency")}


def _actions(told: Any, issuer: str) -> list[dict[str, Any]]:
    if told is None:
        kind = "EmailContacts" if issuer == UNKNOWN else "AutoRenew"
        return [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": kind}}]
    if not isinstance(told, list):
        raise invalid("lifetime_actions")
    return [_action(one) for one in told]


def _action(told: Any) -> dict[str, Any]:
    one = _object(told, "lifetime_actions")
    trigger = {name: value for name, value in _object(one.get("trigger"), "trigger").items() if value is not None}
    kind = _ACTIONS.get(str(_object(one.get("action"), "action").get("action_type", "")).lower())
    if kind is None or len(trigger) != 1 or set(trigger) - {"lifetime_percentage", "days_before_expiry"}:
        raise invalid("lifetime_actions")
    ((name, value),) = trigger.items()
    if not isinstance(value, int) or value < 1 or (name == "lifetime_percentage" and value > 99):
        raise invalid(name)
    return {"trigger": trigger, "action": {"action_type": kind}}


def _object(told: Any, name: str) -> dict[str, Any]:
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise invalid(name)
    return told


def _is_texts(told: Any) -> bool:
    return isinstance(told, list) and all(isinstance(one, str) for one in told)
