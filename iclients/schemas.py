"""What a token endpoint may answer (RFC 6749 §5.1, §5.2), judged before anything of it is used; and how iClients
and clouds are written in documents. The fields that documents of every floor share are here too."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_dump,
    post_load,
    pre_dump,
    pre_load,
    validate,
    validates_schema,
)

from iclients.addresses import is_address
from iclients.clouds import CloudProfile
from iclients.credentials import (
    Certificate,
    ClientSecret,
    Credential,
    FederatedAssertion,
    ManagedIdentity,
)
from iclients.model import DeviceCode, IClient
from iclients.secret import Secret

_PRINTABLE = validate.Regexp(r"[\x21-\x7e]+\Z", error="has characters that a header cannot carry")
_ASCII = validate.Regexp(r"[\x20-\x7e]*\Z", error="has characters that no token has")  # RFC 6749 appendix A


class _Seconds(fields.Field[float]):
    """`expires_in` as servers send it: integer, float, numeric text, null."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        try:
            seconds = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError("is not a number of seconds") from error
        if not 0 <= seconds < math.inf:
            raise ValidationError("is not a number of seconds")
        return seconds


class _Scopes(fields.Field[str]):
    """`scope` as servers send it: a text, or a list of texts, which is made one with spaces."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str) for part in parts):
            raise ValidationError("is not text")
        return " ".join(parts)


class TokenAnswer(Schema):
    """A token response that we accept: a printable bearer token, and what comes with it."""

    class Meta:
        unknown = EXCLUDE

    access_token = fields.String(required=True, validate=_PRINTABLE)
    token_type = fields.String(load_default="")
    expires_in = _Seconds(allow_none=True, load_default=None)
    refresh_in = _Seconds(allow_none=True, load_default=None)
    scope = _Scopes(allow_none=True, load_default=None)
    refresh_token = fields.String(allow_none=True, load_default=None, validate=_ASCII)
    id_token = fields.String(allow_none=True, load_default=None, validate=_ASCII)


class DeviceAnswer(Schema):
    """A device authorization response (RFC 8628 §3.2)."""

    class Meta:
        unknown = EXCLUDE

    device_code = fields.String(required=True, validate=_PRINTABLE)
    user_code = fields.String(required=True, validate=validate.Regexp(r"[\x20-\x7e]{1,100}\Z"))
    verification_uri = fields.String(required=True, validate=_PRINTABLE)
    expires_in = _Seconds(load_default=900.0)
    interval = _Seconds(allow_none=True, load_default=None)

    @pre_load
    def _named(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Drafts of RFC 8628 called it `verification_url`, and some servers still do."""
        return {"verification_uri": data.get("verification_url"), **data}

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> DeviceCode:
        return DeviceCode(
            device_code=Secret(data["device_code"]),
            user_code=data["user_code"],
            verification_uri=data["verification_uri"],
            expires_seconds=data["expires_in"],
            interval_seconds=5.0 if data["interval"] is None else data["interval"],
        )


class ErrorAnswer(Schema):
    """An error response: `error`, and what the server says about it, whose oddities hide no error."""

    class Meta:
        unknown = EXCLUDE

    error = fields.String(required=True)
    error_description = fields.Raw(load_default=None)
    suberror = fields.Raw(load_default=None)
    claims = fields.Raw(load_default=None)
    error_codes = fields.Raw(load_default=None)


ALGORITHMS: Final = ("PS256", "RS256")

NAME: Final = validate.Regexp(
    r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}\Z",
    error="is not a name: begin with a letter or digit, then letters, digits, dots, dashes, underscores and spaces, "
    "100 at most",
)
FILLED: Final = validate.Length(1, 2000, error="is empty or longer than 2000 characters")


class Described(Schema):
    """How one dataclass is written: loads into it, dumps without what is as it is by default."""

    kind: ClassVar[type[Any]]

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Any:
        return self.kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})

    @post_dump
    def _without_defaults(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        defaults = {field.name: field.default for field in dataclasses.fields(self.kind)}
        usual = {shown.data_key or name: _listed(defaults[name]) for name, shown in self.dump_fields.items()}
        return {key: value for key, value in data.items() if value not in (None, [], {}) and value != usual[key]}


def _listed(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


class Flag(fields.Field[bool]):
    """True or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("is not true or false")
        return value


class HttpsAddress(fields.String):
    """An https address of a server, without a slash at its end."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not is_address(text, with_query=False):
            raise ValidationError("is not an https address such as https://host")
        return text.rstrip("/")


class FilePath(fields.Field[Path]):
    """The path of a file."""

    def _serialize(self, value: Path | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Path:
        if not isinstance(value, str) or not value:
            raise ValidationError("is not the path of a file")
        return Path(value)


class SecretText(fields.String):
    """A text that becomes a Secret at once."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return Secret(super()._deserialize(value, attr, data, **kwargs))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return value.reveal() if isinstance(value, Secret) else None


class _CertificateSchema(Schema):
    private_key = SecretText(required=True)
    certificate = fields.String(required=True)


class _AssertionSchema(Schema):
    file = FilePath(required=True)


class _ManagedIdentitySchema(Schema):
    client_id = fields.String(validate=FILLED, allow_none=True)


class CredentialSchema(Schema):
    """How an iClient proves itself: one of four. What it dumps holds the secret itself: for sealing, nothing else."""

    client_secret = SecretText()
    expires = fields.Date(error_messages={"invalid": "is not a date such as 2027-01-31"})
    certificate = fields.Nested(_CertificateSchema)
    algorithm = fields.String(validate=validate.OneOf(ALGORITHMS, error="is neither PS256 nor RS256"))
    federated_assertion = fields.Nested(_AssertionSchema)
    managed_identity = fields.Nested(_ManagedIdentitySchema)

    @validates_schema
    def _one_of_four(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if len(_KINDS.keys() & data.keys()) != 1:
            raise ValidationError(f"needs exactly one of {', '.join(_KINDS)}")
        if "algorithm" in data and "certificate" not in data:
            raise ValidationError("has an algorithm, which only a certificate needs")
        if "expires" in data and "client_secret" not in data:
            raise ValidationError("has expires, which only a client secret needs: a certificate says so itself")

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Credential:
        kind = next(iter(_KINDS.keys() & data.keys()))
        if kind == "certificate":
            return Certificate(**data["certificate"], algorithm=data.get("algorithm", "PS256"))
        if kind == "client_secret":
            return ClientSecret(data[kind], data.get("expires"))
        made: Credential = _KINDS[kind](**data[kind])
        return made

    @pre_dump
    def _told(self, credential: Credential, **kwargs: Any) -> dict[str, Any]:
        if isinstance(credential, ClientSecret):
            ends = {"expires": credential.expires} if credential.expires else {}
            return {"client_secret": credential.value, **ends}
        if isinstance(credential, Certificate):
            return {"certificate": credential, "algorithm": credential.algorithm}
        kind = next(name for name, made in _KINDS.items() if isinstance(credential, made))
        return {kind: credential}


_KINDS: Final[Mapping[str, type[Any]]] = {
    "client_secret": ClientSecret,
    "certificate": Certificate,
    "federated_assertion": FederatedAssertion,
    "managed_identity": ManagedIdentity,
}


class IClientSchema(Described):
    """An iClient as documents have it. Its credentials are loaded and never dumped."""

    kind = IClient

    name = fields.String(required=True, validate=NAME)
    provider = fields.String(required=True, validate=FILLED)
    cloud = fields.String(validate=NAME)
    tenant = fields.String(validate=validate.Regexp(r"[A-Za-z0-9.-]{1,253}\Z", error="is not a tenant's ID or domain"))
    client_id = fields.String(required=True, validate=FILLED)
    credential = fields.Nested(CredentialSchema, load_only=True)
    next_credential = fields.Nested(CredentialSchema, load_only=True)
    scopes = fields.List(
        fields.String(validate=validate.Regexp(r"[\x21\x23-\x5b\x5d-\x7e]+\Z", error="is not a scope"))
    )
    settings = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))
    owner = fields.String(validate=FILLED)
    is_global = Flag(data_key="global")
    warn_days = fields.List(
        fields.Integer(strict=True, validate=validate.Range(0, 3650, error="is not a number of days from 0 to 3650"))
    )


class CloudSchema(Described):
    """A cloud of your own."""

    kind = CloudProfile

    name = fields.String(required=True, validate=NAME)
    authority = HttpsAddress(required=True)
    arm = HttpsAddress(required=True)
    vaults = fields.List(
        fields.String(
            validate=validate.Regexp(
                r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?\Z",
                error="is not a host such as 127.0.0.1:8445 or *.vault.example.test",
            )
        ),
        required=True,
    )
    vault_audience = HttpsAddress(required=True)
    arm_audience = HttpsAddress(required=True)
    ca_file = FilePath()
