"""How consents are written before they are sealed. What these schemas dump holds the tokens themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load

from iclients.model import Consent, Token
from iclients.schemas import SecretText

UNREADABLE: Final = (ValueError, TypeError, ValidationError)
"""What loading a stored document raises when it is damaged, or is none."""
_FOR_SIGNING_IN: Final = ("openid", "profile", "offline_access")
"""Scopes that tokens are never asked for: they say what else a consent brings (OpenID Connect Core §5.4, §11)."""


class _TokenSchema(Schema):
    """An access token. The refresh token beside it is the consent's."""

    access_token = SecretText(required=True)
    expires_at = fields.Float(required=True)
    replace_at = fields.Float(required=True)
    scopes = fields.List(fields.String(), load_default=list)
    asked = fields.List(fields.String(), load_default=list)

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Token:
        return Token(**{**data, "scopes": tuple(data["scopes"]), "asked": tuple(data["asked"])})


class ConsentSchema(Schema):
    """A consent. One that an older version sealed has one `token`, and says not what that was asked for with."""

    refresh_token = SecretText(allow_none=True, load_default=None)
    account = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    consented_at = fields.Float(required=True)
    tokens = fields.List(fields.Nested(_TokenSchema), load_default=list)
    given_to = fields.String(load_default="")
    claims = fields.String(load_default="")
    token = fields.Nested(_TokenSchema, allow_none=True, load_only=True)

    @post_load
    def _make(self, data: dict[str, Any], **kwargs: Any) -> Consent:
        old = data.pop("token", None)
        scopes = tuple(data["scopes"])
        asked = tuple(scope for scope in scopes if scope not in _FOR_SIGNING_IN)
        tokens = [*data["tokens"], *([replace(old, asked=asked)] if old else [])]
        return Consent(**{**data, "scopes": scopes, "tokens": tuple(tokens)})
