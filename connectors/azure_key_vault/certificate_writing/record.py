"""A record on its way to become a certificate: checked, opened, and told in the words of the wire.

It is opened here, before any call, because only then it can be compared with what a vault lists, and because a wrong
password or a missing key is the record's own fault. Source: Key Vault REST API, CertificateImportParameters.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.actions import decoded
from connectors.azure_key_vault.certificate_writing.issuance import Policy, fitted, load_policy, meaning
from connectors.azure_key_vault.schemas import load_record
from connectors.azure_key_vault.writing.rules import ImportRules
from connectors.azure_key_vault.writing.tags import ORIGINAL_NAME, settled
from connectors.errors import RecordError
from iclients.key_pairs import PEM, PFX, KeyPair, NoKeyPair, NoPrivateKey, is_pem, opened, unwrapped
from iclients.secret import Secret, revealed

WRITABLE_FIELDS: Final = ("name", "value", "password", "policy", "enabled", "tags", ORIGINAL_NAME)
_VAULTS_OWN: Final = frozenset(
    {"version", "subject", "thumbprint", "issuer", "key_type", "key_size", "exportable", "content_type", "dns_names",
     "pem", "not_before", "expires", "created", "updated", "id"}
)  # fmt: skip
"""What another vault tells of its own certificate: it says so itself, or the vault does."""
_DESCRIBED: Final = ("enabled", "tags", ORIGINAL_NAME)
DEFAULTS: Final = ImportRules()
_RESERVED: Final = frozenset({"contacts", "issuers", "restore"})


@dataclass(frozen=True, slots=True)
class WantedCertificate:
    """What a record wants to be there. `described` has what it says of enabled, tags and original name, None where they
    are cleared; without policy, none is wanted."""

    name: str
    pair: KeyPair
    kind: str
    packed: Secret
    password: Secret | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None

    def with_policy(self, policy: Policy) -> WantedCertificate:
        """The same under another policy."""
        return replace(self, policy=policy)

    def settled(self, name: str, there: Mapping[str, str], rules: ImportRules) -> WantedCertificate:
        """The same under the name that it gets, with the tags that it shall have in the end. Raises RecordError."""
        described = settled({"name": self.name, **self.described}, there, rules)
        del described["name"]
        return replace(self, name=name, described=described)

    def canonical(self, rules: ImportRules = DEFAULTS) -> bytes:
        """One spelling for all that mean the same. It names the certificate by its digest, and holds no key."""
        return spelled(self.name, self.pair.digest, self.described, self.policy, rules)


def spelled(
    name: str, digest: str, described: Mapping[str, Any], policy: Policy | None, rules: ImportRules = DEFAULTS
) -> bytes:
    """What was meant, or what is there, in one spelling: to be told apart by a keyed digest of it."""
    told = {key: described_meaning(key, value) for key, value in described.items()}
    under = [rules.meaning] if rules.meaning else []
    return json.dumps([name.lower(), digest, told, meaning(policy), *under], sort_keys=True).encode()


def described_meaning(key: str, value: Any) -> Any:
    """Not set, empty and the default mean the same."""
    if key == "enabled":
        return value is not False
    return value or None if key == ORIGINAL_NAME else dict(value or {})


def load_certificate(fields: Mapping[str, Any], rules: ImportRules = DEFAULTS) -> WantedCertificate:
    """The record as what shall be there. Raises RecordError."""
    described = {**_described(fields), **dict.fromkeys(rules.clear)}
    name = described.pop("name")
    text, password = revealed(fields.get("value")), revealed(fields.get("password"))
    if not isinstance(text, str) or not text:
        raise RecordError(
            f"{name}: value is missing: map a PFX in base64, or PEM text with the key, to it.", code="invalid_value"
        )
    if password is not None and not isinstance(password, str):
        raise RecordError(f"{name}: password is not a text.", code="invalid_value")
    pair = _opened(name, text, password or None)
    kind = PEM if is_pem(unwrapped(text)) else PFX
    policy = load_policy(name, revealed(fields.get("policy")))
    return WantedCertificate(
        name=name,
        pair=pair,
        kind=kind,
        packed=pair.pem() if kind == PEM else Secret(base64.b64encode(decoded(text)).decode()),
        password=Secret(password) if password and kind == PFX else None,
        described=described,
        policy=fitted(policy, pair, kind) if policy is not None else None,
    )


def _described(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Name, enabled, tags and original name: what a secret's are may a certificate's be, too."""
    stray = sorted(fields.keys() - set(WRITABLE_FIELDS) - _VAULTS_OWN)
    loaded = load_record({**{key: fields[key] for key in ("name", *_DESCRIBED) if key in fields}, "value": "-"})
    name = str(loaded["name"])
    if stray:
        raise RecordError(
            f"{name}: {stray[0]} is nothing that a certificate has; it takes: {', '.join(WRITABLE_FIELDS)}.",
            code="invalid_value",
        )
    if name.lower() in _RESERVED:
        raise RecordError(f"{name}: name is a word of the vault's own: map another name to it.", code="invalid_name")
    return {key: value for key, value in loaded.items() if key != "value"}


def _opened(name: str, text: str, password: str | None) -> KeyPair:
    try:
        return opened(text, password)
    except NoPrivateKey:
        raise RecordError(
            f"{name}: value has no private key: export the certificate with its key, or leave it out.",
            code="not_exportable",
        ) from None
    except NoKeyPair as reason:
        raise RecordError(f"{name}: value {reason}.", code="invalid_certificate") from None
