"""The form of an iClient: what a provider needs to be told, made from its preset and its settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from iclients import registry as providers
from iclients.clouds import CloudProfile
from iclients.endpoints import NAMES
from iclients.preset import PresetSetting
from iclients.provider import Provider
from iclients.traits import ASSERTION_AUDIENCES, CLIENT_AUTHENTICATIONS, PKCE_METHODS
from integrator.web.drafts import Sent
from integrator.web.fields import CHECKBOX, SELECT, TEXTAREA, Choice, Field
from integrator.web.forms.connection import choose, scopes_of
from integrator.web.forms.credential import CLIENT_SECRET, SLOTS
from integrator.web.forms.provider_cards import GENERIC
from integrator.web.forms.vault_address import short_title_of
from integrator.web.forms.words import CLIENT, TENANT, spelled

SETTING: Final = "settings."
MAPPINGS: Final = ("authorization_parameters", "token_parameters", "answer_paths")
_CHOICES: Final = {
    "client_authentication": CLIENT_AUTHENTICATIONS,
    "pkce": PKCE_METHODS,
    "assertion_audience": ASSERTION_AUDIENCES,
    "prompt": ("login", "none", "consent", "select_account", "admin_consent"),
}
_HELPS: Final = {
    "issuer": "Where the provider's discovery document is: everything else is read from it.",
    "client_authentication": "How the client ID and its credential are sent.",
    "pkce": "Anything but S256 is for servers that cannot do it.",
    "scope_delimiter": "What stands between two scopes; a space where nothing is typed.",
    "audience": "The API that tokens are for, where the server asks for one.",
    "offline_scope": "The scope for which the server gives a refresh token.",
    "key_id": "The name under which the server knows the key of our certificate.",
    "authorization_parameters": "What else the sign-in address has: one name=value a line.",
    "token_parameters": "What else every token request has: one name=value a line.",
    "answer_paths": "Where odd servers put a field of their answer: one name=path a line.",
    "ca_file": "The whole path of a PEM file with the authority that signed the server's certificate.",
    "resource": "Asks the v1 endpoints for this resource instead of naming scopes.",
    "prompt": "What the sign-in page asks even where it need not.",
    "login_hint": "The account that the sign-in page fills in.",
    "domain_hint": "The domain whose sign-in page comes first.",
}
_FIRST_OF_GENERIC: Final = ("issuer", "authorization_endpoint", "token_endpoint")


def typed_of(document: Mapping[str, Any]) -> Sent:
    """A stored document as the form would send it."""
    typed = Sent(
        [(key, str(document[key])) for key in ("name", "cloud", "tenant", "client_id", "owner") if key in document]
    )
    typed["global"] = "yes" if document.get("global") else ""
    for name, value in document.get("settings", {}).items():
        lines = [f"{key}={text}" for key, text in value.items()] if isinstance(value, Mapping) else [str(value)]
        typed[SETTING + name] = "\n".join(lines)
    choose(typed, document.get("scopes", ()))
    return typed


def usual() -> Sent:
    """What stands in the form of a new iClient: most apps have a client secret."""
    return Sent({f"{SLOTS[0]}.kind": CLIENT_SECRET})


def document_of(provider: str, typed: Sent, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document of what was typed, without credentials; `before` is the stored one, whose unseen parts stay."""
    document = dict(before or {})
    document["provider"] = provider
    seen: dict[str, Any] = {key: typed.get(key, "").strip() for key in ("name", "tenant", "client_id", "owner")}
    if uses_clouds(provider):
        seen["cloud"] = typed.get("cloud", "") or "public"
    seen["scopes"] = [scope for scope in scopes_of(typed) if scope]
    seen["global"] = typed.get("global") == "yes"
    seen["settings"] = _settings(provider, typed, document.get("settings", {}))
    for key, value in seen.items():
        document.pop(key, None)
        if value not in ("", [], {}, False):
            document[key] = value
    return {"name": "", "client_id": "", **document}


def head_fields(provider: str, typed: Sent, clouds: Sequence[CloudProfile]) -> list[Field]:
    """What every iClient of this provider has."""
    name = Field(
        "name",
        "Name",
        value=typed.get("name", ""),
        required=True,
        placeholder="contoso-app",
        help="Connections choose it by this name.",
    )
    if not uses_clouds(provider):
        return [name]
    choices = [Choice(cloud.name, short_title_of(cloud.name)) for cloud in clouds]
    cloud = Field(
        "cloud", "Cloud", SELECT, typed.get("cloud", "") or "public", choices=choices, help="Where the tenant is."
    )
    tenant = Field(
        "tenant",
        "Tenant ID",
        value=typed.get("tenant", ""),
        is_code=True,
        how_to=TENANT if provider == "entra" else None,
        help="The tenant's ID, or its domain. Left empty, each vault's own counts, as its challenge names it.",
        placeholder="from the vault's challenge",
    )
    return [name, cloud, tenant]


def client_field(provider: str, typed: Sent) -> Field:
    """The client ID."""
    return Field(
        "client_id",
        "Client ID",
        value=typed.get("client_id", ""),
        required=True,
        is_code=True,
        help="As the provider calls the app: also application ID, or consumer key.",
        how_to=CLIENT if provider == "entra" else None,
    )


def preset_fields(provider: str, typed: Sent) -> list[Field]:
    """What is part of the provider's addresses, so that nobody can guess it; for any server, its addresses."""
    fields = [_preset_field(one, typed) for one in _preset_settings(provider)]
    if provider == GENERIC:
        fields += [_setting_field(name, typed) for name in _FIRST_OF_GENERIC]
    return fields


def advanced_fields(provider: str, typed: Sent) -> list[Field]:
    """Every other setting that the provider takes."""
    first = {SETTING + one.name for one in _preset_settings(provider)}
    first |= {SETTING + name for name in _FIRST_OF_GENERIC} if provider == GENERIC else set()
    return [_setting_field(name, typed) for name in _found(provider).settings if SETTING + name not in first]


def owner_fields(typed: Sent) -> list[Field]:
    """Whose it is, and whether it serves everybody."""
    return [
        Field("owner", "Owner", value=typed.get("owner", ""), help="Who is told before a credential ends."),
        Field(
            "global", "Global", CHECKBOX, typed.get("global", ""), help="Serves every connection that names no iClient."
        ),
    ]


def wrong(provider: str, typed: Sent) -> dict[str, str]:
    """What the provider's preset says of what was typed, by field."""
    required = {"name": "Name", "client_id": "Client ID"}
    errors = {
        name: f"{title} is missing: fill it in." for name, title in required.items() if not typed.get(name, "").strip()
    }
    for one in _preset_settings(provider):
        text = typed.get(SETTING + one.name, "").strip() or one.default
        if not re.fullmatch(one.pattern, text):
            problem = "cannot be this" if text else "is missing"
            errors[SETTING + one.name] = f"{one.title} {problem}: write it such as {one.example}."
    for name in MAPPINGS:
        lines = typed.get(SETTING + name, "").splitlines()
        if bad := next((line for line in lines if line.strip() and "=" not in line), None):
            errors[SETTING + name] = (
                f"{spelled(name)} has a line without =: write name=value instead of {bad.strip()[:60]}."
            )
    if (path := typed.get(f"{SETTING}ca_file", "").strip()) and not path.startswith("/"):
        errors[f"{SETTING}ca_file"] = "CA file is not a whole path: begin it with /."
    for name in NAMES:
        text = typed.get(SETTING + name, "").strip()
        if text and not text.startswith("https://"):
            errors[SETTING + name] = f"{spelled(name)} is not an https address."
    return errors


def labels(provider: str) -> dict[str, str]:
    """What each field is called where it is told of."""
    own = {SETTING + name: spelled(name) for name in _found(provider).settings}
    own |= {SETTING + one.name: one.title for one in _preset_settings(provider)}
    told = {
        "name": "The name",
        "cloud": "The cloud",
        "tenant": "Tenant ID",
        "client_id": "Client ID",
        "scopes": "A scope",
    }
    return {**told, **own, "owner": "The owner", "global": "Global"}


def uses_clouds(provider: str) -> bool:
    """Whether a cloud profile says where the provider is."""
    return _found(provider).uses_clouds


def _found(provider: str) -> Provider:
    return providers.provider(provider)


def _preset_settings(provider: str) -> Sequence[PresetSetting]:
    preset = getattr(_found(provider), "preset", None)
    return preset.settings if preset else ()


def _preset_field(one: PresetSetting, typed: Sent) -> Field:
    name = SETTING + one.name
    return Field(
        name, one.title, value=typed.get(name, "") or one.default, required=True, placeholder=one.example, is_code=True
    )


def _setting_field(name: str, typed: Sent) -> Field:
    value, title, help_text = typed.get(SETTING + name, ""), spelled(name), _HELPS.get(name, "")
    if name in _CHOICES:
        choices = [Choice("", "As the provider wants it"), *(Choice(one, one) for one in _CHOICES[name])]
        return Field(SETTING + name, title, SELECT, value, help=help_text, choices=choices)
    if name in MAPPINGS:
        return Field(SETTING + name, title, TEXTAREA, value, help=help_text, rows=2, is_code=True)
    placeholder = "https://" if name in NAMES else ""
    return Field(SETTING + name, title, value=value, help=help_text, placeholder=placeholder, is_code=name in NAMES)


def _settings(provider: str, typed: Sent, before: Mapping[str, Any]) -> dict[str, Any]:
    known = dict.fromkeys([*(one.name for one in _preset_settings(provider)), *_found(provider).settings])
    made = {name: value for name, value in before.items() if name not in known}
    for name in known:
        text = typed.get(SETTING + name, "")
        text = text if name == "scope_delimiter" else text.strip()
        if text:
            made[name] = _pairs(text) if name in MAPPINGS else text
    return made


def _pairs(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
