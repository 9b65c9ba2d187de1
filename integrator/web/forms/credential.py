"""The credential part of an iClient's form: one of four kinds, for the slot now and for the next one.

What is secret goes in and never comes out: where something else is wrong, it is typed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from werkzeug.datastructures import FileStorage

from iclients.credentials import Certificate, ClientSecret, Credential, FederatedAssertion, ManagedIdentity
from iclients.expiry import ends_on
from iclients.secret import Secret
from integrator.web.fields import Choice
from integrator.web.moments import day

KEEP: Final = ""
NONE: Final = "none"
CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - a kind of credential
CERTIFICATE: Final = "certificate"
ASSERTION: Final = "federated_assertion"
IDENTITY: Final = "managed_identity"
SLOTS: Final = ("credential", "next_credential")
SECRETS: Final = ("secret", "password")
MOST_BYTES: Final = 32 * 1024
_KINDS: Final = {
    CLIENT_SECRET: "Client secret",
    CERTIFICATE: "Certificate (PFX or PEM file)",
    ASSERTION: "Federated assertion (a file)",
    IDENTITY: "Managed identity",
}
_KINDS_STORED: Final[Mapping[type, str]] = {
    ClientSecret: "Client secret",
    Certificate: "Certificate",
    FederatedAssertion: "Federated assertion",
}
_PARTS: Final = ("kind", "secret", "expires", "file", "password", "algorithm", "path", "identity")


@dataclass(frozen=True, slots=True)
class SlotPart:
    """One slot as the form shows it: what was typed, without what is secret, and what is stored."""

    slot: str
    title: str
    typed: Mapping[str, str]
    errors: Mapping[str, str]
    choices: tuple[Choice, ...]
    stored: str = ""
    lost: bool = False
    """Whether something secret was typed that has to be typed again."""

    def name(self, part: str) -> str:
        """The field's name."""
        return f"{self.slot}.{part}"

    def value(self, part: str) -> str:
        """What was typed; nothing for what is secret."""
        return "" if part in SECRETS else self.typed.get(self.name(part), "")

    def error(self, part: str) -> str:
        """What is wrong with it."""
        return self.errors.get(self.name(part), "")

    @property
    def kind(self) -> str:
        """Which kind is chosen."""
        return self.value("kind")


def part(
    slot: str,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    stored: Credential | None,
    *,
    in_clouds: bool,
    set_on: str = "",
) -> SlotPart:
    """One slot of the form. Managed identities are for providers that live in clouds; `set_on`: a day in ISO 8601."""
    kinds = [Choice(kind, title) for kind, title in _KINDS.items() if in_clouds or kind != IDENTITY]
    is_next = slot == SLOTS[1]
    first = Choice(
        KEEP, "Nothing: keep what is set" if stored else "No next one yet" if is_next else "None: a public client"
    )
    told = told_of(stored, set_on) if stored else ""
    lost = any(typed.get(f"{slot}.{secret}") for secret in SECRETS) or bool(typed.get(f"{slot}.had_file"))
    return SlotPart(slot, "Next credential" if is_next else "Credential", typed, errors, (first, *kinds), told, lost)


def told_of(credential: Credential, set_on: str = "") -> str:
    """What is stored, without showing it."""
    told = _KINDS_STORED.get(type(credential), "Managed identity")
    if isinstance(credential, FederatedAssertion):
        told = f"{told} in {credential.file}"
    if isinstance(credential, ManagedIdentity):
        told = f"{told} {credential.client_id}" if credential.client_id else f"{told} of this machine"
    last = ends_on(credential)
    return " · ".join(
        [told, f"set {day(set_on)}" if set_on else "set", *([f"ends {day(last.isoformat())}"] if last else [])]
    )


def credential_of(
    slot: str, typed: Mapping[str, str], file: FileStorage | None, stored: Credential | None
) -> tuple[Any, dict[str, str]]:
    """What goes into the document for this slot (None: what is stored stays), and what is wrong by field."""
    kind = typed.get(f"{slot}.kind", KEEP)
    read = {
        CLIENT_SECRET: lambda: _client_secret(slot, typed, stored),
        CERTIFICATE: lambda: _certificate(slot, typed, file),
        ASSERTION: lambda: _assertion(slot, typed),
        IDENTITY: lambda: _identity(slot, typed),
    }.get(kind)
    return read() if read else (None, {})


def labels() -> dict[str, str]:
    """What each field is called where it is told of."""
    titles = (
        "Credential",
        "Client secret",
        "The last day",
        "Certificate file",
        "Its password",
        "Algorithm",
        "Path",
        "Client ID",
    )
    return {f"{slot}.{name}": title for slot in SLOTS for name, title in zip(_PARTS, titles, strict=True)}


def _client_secret(slot: str, typed: Mapping[str, str], stored: Credential | None) -> tuple[Any, dict[str, str]]:
    value, expires = typed.get(f"{slot}.secret", "").strip(), typed.get(f"{slot}.expires", "").strip()
    if expires and not _is_day(expires):
        return None, {f"{slot}.expires": "The last day is not a date: write it such as 2027-01-31."}
    if not value and isinstance(stored, ClientSecret) and expires:
        value = stored.value.reveal()
    if not value:
        return None, {f"{slot}.secret": "Client secret is missing: paste its value."}
    return {"client_secret": value, **({"expires": expires} if expires else {})}, {}


def _certificate(slot: str, typed: Mapping[str, str], file: FileStorage | None) -> tuple[Any, dict[str, str]]:
    from iclients import certificates  # reading certificates loads slowly, and most forms have none

    content = file.read(MOST_BYTES + 1) if file else b""
    if not content:
        return None, {f"{slot}.file": "Certificate file is missing: choose a PFX or PEM file with its private key."}
    if len(content) > MOST_BYTES:
        return None, {
            f"{slot}.file": "Certificate file is larger than 32 KB: choose the one with a single certificate."
        }
    password = typed.get(f"{slot}.password", "")
    try:
        made = certificates.load(content, Secret(password) if password else None)
    except ValueError as error:
        return None, {f"{slot}.file": f"Certificate file cannot be used: {error}."}
    document = {"private_key": made.private_key.reveal(), "certificate": made.certificate}
    return {"certificate": document, "algorithm": typed.get(f"{slot}.algorithm") or made.algorithm}, {}


def _assertion(slot: str, typed: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    path = typed.get(f"{slot}.path", "").strip()
    if not path.startswith("/"):
        return None, {f"{slot}.path": "Path is not a whole path: begin it with /."}
    return {"federated_assertion": {"file": path}}, {}


def _identity(slot: str, typed: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    named = typed.get(f"{slot}.identity", "").strip()
    return {"managed_identity": {"client_id": named} if named else {}}, {}


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
