"""The form of a connection, made from its connector's descriptor, so that one that nobody has seen gets a whole form.

What is typed is read back into the document that `apply` takes; a connection that was written by hand keeps what the
form does not show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connectors.descriptor import Descriptor, Setting
from connectors.model import Connection
from integrator.admission import CONSENTED
from integrator.web.drafts import Sent
from integrator.web.fields import CARDS, CHECKBOX, SELECT, Choice, Field
from integrator.web.forms.words import api_type_choice, auth_choice, example_of, how_to_of

SETTING: Final = "settings."
LIMITS: Final = ("limits.calls", "limits.period_seconds", "limits.concurrency")
OTHER_SCOPES: Final = "other_scopes"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")


def typed_of(descriptor: Descriptor, document: Mapping[str, Any]) -> Sent:
    """A stored document as the form would send it."""
    typed = Sent(
        [(key, str(document[key])) for key in ("name", "api_type", "iclient", "auth", "owner") if key in document]
    )
    typed.setdefault("auth", "client_credentials" if "client_credentials" in descriptor.auth_types else "")
    for setting in descriptor.settings:
        if (value := document.get("settings", {}).get(setting.name)) is not None:
            typed[SETTING + setting.name] = "yes" if value is True else "" if value is False else str(value)
    for name in LIMITS:
        if (value := document.get("limits", {}).get(name.partition(".")[2])) is not None:
            typed[name] = str(int(value) if float(value).is_integer() else value)
    choose(typed, document.get("scopes", ()))
    return typed


def usual(descriptor: Descriptor) -> Sent:
    """What stands in the form of a new connection."""
    consented = [auth for auth in descriptor.auth_types if auth in CONSENTED]
    typed = Sent({"auth": next(iter([*consented, *descriptor.auth_types]), "")})
    if len(descriptor.api_types) == 1:
        typed["api_type"] = descriptor.api_types[0]
    for setting in descriptor.settings:
        if setting.default is True:
            typed[SETTING + setting.name] = "yes"
    return typed


def scopes_of(typed: Sent) -> list[str]:
    """What is chosen, with what was typed besides."""
    return list(dict.fromkeys([*typed.getlist("scopes"), *re.split(r"[\s,]+", typed.get(OTHER_SCOPES, "").strip())]))[
        :200
    ]


def choose(typed: Sent, scopes: Iterable[str]) -> None:
    """Let these scopes be the chosen ones."""
    typed.poplist(OTHER_SCOPES)
    typed.poplist("scopes")
    if chosen := [*scopes]:
        typed.setlist("scopes", chosen)  # a key with an empty list breaks `items`


def document_of(descriptor: Descriptor, typed: Sent, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document of what was typed; `before` is the stored one, whose unseen parts stay."""
    document: dict[str, Any] = dict(before or {})
    document |= {"connector": descriptor.name, "name": typed.get("name", "").strip()}
    seen: dict[str, Any] = {"owner": typed.get("owner", "").strip()}
    seen["api_type"] = typed.get("api_type", "") if descriptor.api_types else ""
    if descriptor.auth_types:
        seen |= {"auth": typed.get("auth", ""), "iclient": typed.get("iclient", "")}
        seen["scopes"] = [scope for scope in scopes_of(typed) if scope]
    seen["settings"] = _settings(descriptor, typed, document.get("settings", {}))
    seen["limits"] = {name.partition(".")[2]: _number(text) for name in LIMITS if (text := typed.get(name, "").strip())}
    for key, value in seen.items():
        document.pop(key, None)
        if value not in ("", [], {}):
            document[key] = value
    return document


def loaded(document: Mapping[str, Any]) -> Connection:
    """A document that was judged, as a connection."""
    from connectors.schemas import ConnectionSchema

    made: Connection = ConnectionSchema().load(dict(document))
    return made


def name_field(typed: Sent) -> Field:
    """How the connection is called."""
    return Field(
        "name",
        "Name your connection",
        value=typed.get("name", ""),
        required=True,
        placeholder="contoso-vault",
        help="Flows, the command line and addresses of pages call it so.",
    )


def api_type_field(descriptor: Descriptor, typed: Sent, attributes: Mapping[str, str]) -> Field:
    """Which side of the system it talks to."""
    order = sorted(descriptor.api_types, key=["control", "data"].index)
    choices = [api_type_choice(descriptor.name, descriptor.title, api_type) for api_type in order]
    return Field(
        "api_type", "API type", CARDS, typed.get("api_type", ""), required=True, choices=choices, attributes=attributes
    )


def auth_field(descriptor: Descriptor, typed: Sent, attributes: Mapping[str, str]) -> Field:
    """How it is let in."""
    choices = [auth_choice(auth) for auth in descriptor.auth_types]
    return Field("auth", "Authentication type", SELECT, typed.get("auth", ""), choices=choices, attributes=attributes)


def setting_field(setting: Setting, typed: Sent, found: Sequence[tuple[str, str]] | None = None) -> Field:
    """One of the connector's own settings; with what the system offers for it, one of those is chosen."""
    help_text = setting.help[:1].upper() + setting.help[1:]
    return Field(
        SETTING + setting.name,
        setting.title,
        CHECKBOX if setting.kind == "boolean" else SELECT if found else "text",
        typed.get(SETTING + setting.name, ""),
        help=help_text if help_text.endswith((".", "?")) else f"{help_text}.",
        required=setting.required and setting.kind != "boolean",
        placeholder=example_of(setting),
        how_to=how_to_of(setting.name),
        is_code=setting.kind in ("url", "folder"),
        choices=_found(setting, typed.get(SETTING + setting.name, ""), found or ()),
        attributes={"autofocus": ""} if found else {},
    )


def _found(setting: Setting, value: str, found: Sequence[tuple[str, str]]) -> list[Choice]:
    """What the system offers, with what is typed already, and, where it need not be chosen, none."""
    named = [Choice(one, title if title == one else f"{title} ({one})") for one, title in found]
    if value and value.lower() not in {one.lower() for one, _ in found}:
        named.insert(0, Choice(value, f"{value}, which the app does not see"))
    return [Choice("", "Choose one" if setting.required else "All that the app sees"), *named]


def limit_fields(descriptor: Descriptor, typed: Sent) -> list[Field]:
    """What it may use, instead of what the system publishes."""
    period = f"{descriptor.budget_period_seconds:.0f}"
    most = max(descriptor.budget.values(), default=0)
    told = (
        f"Without a number: what the system publishes, {most:,} in {period} s."
        if most
        else "Without a number: no limit."
    )
    titles = ("Calls", "Seconds", "At once")
    helps = (told, "The period in which so many calls are allowed.", "How many records are worked on at the same time.")
    examples = (str(most or ""), period, str(descriptor.concurrency))
    return [
        Field(name, title, value=typed.get(name, ""), help=help_text, placeholder=example)
        for name, title, help_text, example in zip(LIMITS, titles, helps, examples, strict=True)
    ]


def owner_field(typed: Sent) -> Field:
    """Who is told when it needs somebody."""
    return Field(
        "owner", "Owner", value=typed.get("owner", ""), help="Who is told when this connection needs somebody."
    )


def is_advanced(setting: Setting) -> bool:
    """Whether most people leave it as it is."""
    return not setting.required and setting.default is not None


def applies(setting: Setting, api_type: str) -> bool:
    """Whether the setting means anything for this API type."""
    return not setting.api_types or api_type in setting.api_types


def labels(descriptor: Descriptor) -> dict[str, str]:
    """What each field is called on the form."""
    own = {SETTING + setting.name: setting.title for setting in descriptor.settings}
    told = {
        "name": "The name",
        "api_type": "API type",
        "iclient": "OAuth 2.0 client",
        "scopes": "A scope",
        "auth": "Authentication type",
    }
    limits = dict(zip(LIMITS, ("Calls", "Seconds", "At once"), strict=True))
    return {**told, **own, **limits, "owner": "The owner", "connector": "The connector"}


def wrong(descriptor: Descriptor, typed: Sent) -> dict[str, str]:
    """What the descriptor alone says of what was typed, by field."""
    errors: dict[str, str] = {}
    if not typed.get("name", "").strip():
        errors["name"] = "Name your connection: type a name."
    if descriptor.api_types and typed.get("api_type") not in descriptor.api_types:
        errors["api_type"] = "API type is not chosen: choose one."
    for setting in descriptor.settings:
        if applies(setting, typed.get("api_type", "")) and (error := _wrong_setting(setting, typed)):
            errors[SETTING + setting.name] = error
    return errors


def _wrong_setting(setting: Setting, typed: Sent) -> str:
    text = typed.get(SETTING + setting.name, "").strip()
    if setting.kind == "boolean":
        return ""
    if not text:
        return f"{setting.title} is missing: fill it in." if setting.required else ""
    if setting.kind == "integer" and not _INTEGER.fullmatch(text):
        return f"{setting.title} is not a whole number."
    if setting.kind == "folder" and not text.startswith(("/", "~")):
        return f"{setting.title} is not a whole path: begin it with /."
    if setting.pattern and not re.fullmatch(setting.pattern, text):
        example = example_of(setting)
        return f"{setting.title} cannot be this" + (
            f": write it such as {example}." if example else f": {setting.help}"
        )
    return ""


def _settings(descriptor: Descriptor, typed: Sent, before: Mapping[str, Any]) -> dict[str, Any]:
    known = {setting.name for setting in descriptor.settings}
    made = {name: value for name, value in before.items() if name not in known}
    for setting in descriptor.settings:
        value = _value(setting, typed.get(SETTING + setting.name, "").strip())
        if value is not None and applies(setting, typed.get("api_type", "")):
            made[setting.name] = value
    return made


def _value(setting: Setting, text: str) -> Any:
    if setting.kind == "boolean":
        return text == "yes" if text == "yes" or setting.default or setting.required else None
    if not text:
        return None
    if setting.kind == "folder":
        from pathlib import Path

        return str(Path(text).expanduser())
    return _number(text) if setting.kind == "integer" else text


def _number(text: str) -> Any:
    """A number where it is one; what is none is told by the schema."""
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def iclient_choices(names: Mapping[str, str], *, has_global: bool) -> list[Choice]:
    """iClients to choose from: name → title of its provider."""
    first = "The global iClient that fits" if has_global else "Choose an OAuth 2.0 client"
    return [Choice("", first), *(Choice(name, f"{name} ({title})") for name, title in names.items())]
