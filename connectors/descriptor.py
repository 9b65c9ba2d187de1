"""A connector's descriptor: what it is and takes, as data (`descriptor.toml`), checked when it is loaded.

Forms, documents and help are made from it, so a connector nobody here has seen is complete on the day it is installed.
Actions stand beside it, in `actions/*.toml` (`connectors.schemas`): they are many, and read only when asked for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate

from connectors.errors import SettingsError
from connectors.exclusions import Exclusion, choices
from connectors.model import ApiType, Connection

_KINDS: Final = {"text": str, "url": str, "folder": str, "integer": int, "boolean": bool, "list": list}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connection, or one option of an import. `choices`: the values, or the entries of a list, that
    there are; all where it is empty. `offers`: the system itself can say which there are, to who is let in."""

    name: str
    title: str
    help: str
    kind: str = "text"
    api_types: tuple[str, ...] = ()
    required: bool = False
    default: Any = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    offers: bool = False

    def problem(self, value: Any) -> str:
        """What is wrong with this value, as the end of a sentence; nothing where it is right."""
        if type(value) is not _KINDS[self.kind]:  # True is an int to isinstance
            return f"is not {self.kind}."
        if self.pattern and not re.fullmatch(self.pattern, str(value)):
            return f"cannot be {value!r}: {self.help}"
        stray = [one for one in (value if isinstance(value, list) else [value]) if one not in self.choices]
        if self.choices and stray:
            return f"cannot be {stray[0]!r}; it can be: {', '.join(self.choices)}."
        return ""


@dataclass(frozen=True, slots=True)
class ResourceDescriptor:
    """One resource: its fields, which of them are secret, and what can be done with it.

    `many_of_a_name`: several records have the same `name`, as versions do. `writable_fields` are those that an import may name, all of them where it is empty; with `open_fields` there may be
    others besides. `plaintext`: what is written can be read by whoever reads the place, so an import has to allow that.
    `limits` says of fields how much they hold, in words. `options` is what an import into it can be told, `excludes` what of its choices may not be combined. `note` tells in
    a sentence what is peculiar about writing.
    """

    name: str
    title: str
    verbs: tuple[str, ...]
    fields: tuple[str, ...] = ()
    secret_fields: tuple[str, ...] = ()
    writable_fields: tuple[str, ...] = ()
    required_fields: tuple[str, ...] = ()
    open_fields: bool = False
    many_of_a_name: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    needs_mapping: bool = False
    plaintext: bool = False
    note: str = ""
    api_type: str | None = None
    options: tuple[Setting, ...] = ()
    excludes: tuple[Exclusion, ...] = ()

    def import_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every option's value, its default where none is given. Raises SettingsError, naming what cannot be."""
        known = {option.name: option for option in self.options}
        for name, value in given.items():
            if name not in known:
                raise SettingsError(
                    f"{self.name} knows no import option {name}; it knows: {', '.join(known) or 'none'}."
                )
            if problem := known[name].problem(value):
                raise SettingsError(f"options.{name} of an import into {self.name} {problem}")
        return {name: given.get(name, option.default) for name, option in known.items()}

    def check_import(self, operation: str, mapped: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
        """The same, where nothing of the import excludes something else of it. Raises SettingsError likewise."""
        options = self.import_options(given)
        made = choices(operation, mapped, options)
        problem = next((told for one in self.excludes if (told := one.problem(made))), "")
        if problem:
            raise SettingsError(f"{problem}: these exclude each other in an import into {self.name}; leave one out.")
        return options

    @property
    def is_pattern(self) -> bool:
        """Whether the name stands for many, such as `*.csv`: which one is typed."""
        return "*" in self.name

    def is_called(self, resource: str) -> bool:
        """Whether this resource is meant by the name."""
        return fnmatchcase(resource.lower(), self.name) if self.is_pattern else resource == self.name

    @property
    def is_read(self) -> bool:
        """Whether an export can begin here."""
        return bool({"read", "list", "get"} & set(self.verbs))

    @property
    def targets(self) -> tuple[str, ...]:
        """The fields that an import may name, the required ones first."""
        may = self.writable_fields or self.fields
        return (*self.required_fields, *(name for name in may if name not in self.required_fields))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A connector as data."""

    name: str
    title: str
    summary: str
    api_types: tuple[str, ...] = ()
    auth_types: tuple[str, ...] = ()
    concurrency: int = 1
    budget: Mapping[str, int] = field(default_factory=dict)
    budget_period_seconds: float = 60.0
    settings: tuple[Setting, ...] = ()
    resources: tuple[ResourceDescriptor, ...] = ()

    def resource(self, name: str) -> ResourceDescriptor | None:
        """The resource that this name means; None where it means none."""
        return next((one for one in self.resources if one.is_called(name)), None)

    def check(self, connection: Connection) -> None:
        """Raise SettingsError, naming the connection and the setting, where the connection cannot work."""
        name = connection.name
        if self.api_types and connection.api_type not in self.api_types:
            raise SettingsError(f"Connection {name} needs api_type: {' or '.join(self.api_types)}.")
        if connection.auth is not None and connection.auth not in self.auth_types:
            raise SettingsError(
                f"Connection {name} has auth: {connection.auth}, which {self.title} does not take; "
                f"it takes: {', '.join(self.auth_types) or 'none'}."
            )
        if self.auth_types and not connection.iclient:
            raise SettingsError(
                f"Connection {name} needs an iclient: the name of one in the document, or one that is global."
            )
        known = {setting.name for setting in self.settings}
        for key in connection.settings:
            if key not in known:
                raise SettingsError(
                    f"Connection {name} has a setting {key} that {self.title} does not know; "
                    f"it knows: {', '.join(sorted(known))}."
                )
        for setting in self.settings:
            _check_setting(connection, setting)


def load(package: str) -> Descriptor:
    """The descriptor of a connector's package."""
    try:
        document = tomllib.loads(files(package).joinpath("descriptor.toml").read_text("utf-8"))
        loaded: Descriptor = _DescriptorSchema().load(document)
    except ValidationError as error:
        raise SettingsError(f"descriptor.toml of {package} is wrong: {error.messages}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"descriptor.toml of {package} cannot be read: {error}") from error
    return loaded


def _check_setting(connection: Connection, setting: Setting) -> None:
    applies = not setting.api_types or connection.api_type in setting.api_types
    value = connection.settings.get(setting.name)
    if value is None:
        if setting.required and applies:
            raise SettingsError(f"Connection {connection.name} needs settings.{setting.name}: {setting.help}")
        return
    if not applies:
        raise SettingsError(
            f"Connection {connection.name} has settings.{setting.name}, which api_type {connection.api_type} does not use."
        )
    if problem := setting.problem(value):
        raise SettingsError(f"settings.{setting.name} of connection {connection.name} {problem}")


def is_pattern(text: str) -> None:
    """Raise ValidationError where the text is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValidationError(f"is not a regular expression: {error}") from error


class _SettingSchema(Schema):
    name = fields.String(required=True)
    title = fields.String(required=True)
    help = fields.String(required=True)
    kind = fields.String(validate=validate.OneOf(sorted(_KINDS)))
    api_types = fields.List(fields.Enum(ApiType, by_value=True))
    required = fields.Boolean()
    default = fields.Raw()
    pattern = fields.String(validate=is_pattern)
    choices = fields.List(fields.String())
    offers = fields.Boolean()

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Setting:
        return Setting(**{**data, **{name: tuple(data.get(name, ())) for name in ("api_types", "choices")}})


class _ResourceSchema(Schema):
    name = fields.String(required=True)
    title = fields.String(required=True)
    api_type = fields.Enum(ApiType, by_value=True)
    verbs = fields.List(fields.String(), required=True)
    fields_ = fields.List(fields.String(), data_key="fields")
    secret_fields = fields.List(fields.String())
    writable_fields = fields.List(fields.String())
    required_fields = fields.List(fields.String())
    open_fields = fields.Boolean()
    many_of_a_name = fields.Boolean()
    limits = fields.Dict(keys=fields.String(), values=fields.String())
    needs_mapping = fields.Boolean()
    plaintext = fields.Boolean()
    note = fields.String()
    options = fields.List(fields.Nested(_SettingSchema))
    excludes = fields.List(fields.List(fields.String(), validate=validate.Length(equal=2)))

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> ResourceDescriptor:
        made: dict[str, Any] = {
            key.rstrip("_"): tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return ResourceDescriptor(**{**made, "excludes": tuple(Exclusion(*pair) for pair in data.get("excludes", ()))})


class _DescriptorSchema(Schema):
    name = fields.String(required=True, validate=validate.Regexp(r"^[a-z][a-z0-9-]*$"))
    title = fields.String(required=True)
    summary = fields.String(required=True)
    api_types = fields.List(fields.Enum(ApiType, by_value=True))
    auth_types = fields.List(fields.String())
    concurrency = fields.Integer(validate=validate.Range(1, 256))
    budget = fields.Dict(keys=fields.String(), values=fields.Integer(validate=validate.Range(min=1)))
    budget_period_seconds = fields.Float(validate=validate.Range(min=0.001))
    settings = fields.List(fields.Nested(_SettingSchema))
    resources = fields.List(fields.Nested(_ResourceSchema))

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Descriptor:
        many = ("api_types", "auth_types", "settings", "resources")
        return Descriptor(**{**data, **{name: tuple(data.get(name, ())) for name in many}})
