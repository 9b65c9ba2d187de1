"""What a token endpoint's answer means: a token, or an error with a recovery. Judged by content: the type is a hint.

Sources: RFC 6749 §5.1, §5.2; RFC 6585 §4.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from marshmallow import ValidationError

from iclients.answers import Answer
from iclients.errors import (
    AnswerLost,
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
    TransportError,
)
from iclients.model import IClient, Token
from iclients.provider import Provider, Refusal
from iclients.redaction import cleaned
from iclients.schemas import ErrorAnswer, TokenAnswer
from iclients.secret import Secret
from iclients.traits import FOREVER_SECONDS, Traits

AHEAD_SECONDS: Final = 300.0
"""A token is replaced this long before it ends, as Microsoft's SDKs do; a short-lived one after 4/5 of its life."""

_PASSING: Final = {"server_error": AnswerLost, "temporarily_unavailable": TransportError}
"""Errors that say nothing against us (RFC 6749 §4.1.2.1; seen at token endpoints too). After the first, nobody knows
whether a code or a refresh token is used up."""

_TOKEN_ANSWER: Final = TokenAnswer()
_ERROR_ANSWER: Final = ErrorAnswer()


def token_in(
    answer: Answer,
    asked_at: float,
    scopes: tuple[str, ...],
    iclient: IClient,
    provider: Provider,
    sent: Collection[str] = (),
) -> Token:
    """The token that an answer brings. Raises what an answer without one means. For `sent`, see `failure`."""
    traits = provider.traits(iclient)
    document = json_object(answer.body) or _form(answer.body)
    if "error" in document or answer.status >= 300 or not document:
        raise failure(answer, document, iclient, provider, sent)
    try:
        loaded = _TOKEN_ANSWER.load(_at_its_places(document, traits.answer_paths))
        if loaded["token_type"].lower() not in traits.token_types:
            raise ValidationError({"token_type": ["is not Bearer"]})
    except ValidationError as error:
        raise unusable(iclient, error) from None
    told = loaded["expires_in"]
    lifetime = traits.lifetime_seconds if told is None or _means_forever(told, traits) else told
    return Token(
        access_token=Secret(loaded["access_token"]),
        expires_at=asked_at + lifetime,
        replace_at=asked_at + min(lifetime - min(AHEAD_SECONDS, lifetime / 5), loaded["refresh_in"] or lifetime),
        scopes=(traits.tells_scopes and _granted(loaded["scope"], traits.scope_delimiter)) or scopes,
        asked=scopes,
        refresh_token=Secret(loaded["refresh_token"]) if loaded["refresh_token"] else None,
        id_token=Secret(loaded["id_token"]) if loaded["id_token"] else None,
    )


def _means_forever(told: float, traits: Traits) -> bool:
    """Servers whose tokens do not expire say so with 0."""
    return told == 0 and traits.lifetime_seconds == FOREVER_SECONDS


def unusable(iclient: IClient, error: ValidationError) -> MalformedAnswer:
    """For an answer that our schema does not take."""
    return MalformedAnswer(
        f"The provider of iClient {iclient.name} sent an answer that cannot be used: "
        f"{', '.join(sorted(map(str, error.messages_dict)))}.",
        recovery=Recovery.ABORT,
    )


def failure(
    answer: Answer, document: dict[str, Any], iclient: IClient, provider: Provider, sent: Collection[str] = ()
) -> RemoteError:
    """What an answer that is no success means. `sent` are the request's secrets, besides the client's own."""
    if answer.status in (429, 503):
        return _busy(answer, iclient)
    try:
        loaded = _ERROR_ANSWER.load(document)
    except ValidationError:
        return _unreadable(answer, iclient)
    if loaded["error"] in _PASSING:
        return _busy(answer, iclient, _PASSING[loaded["error"]])
    return provider.explain(
        Refusal(
            status=answer.status,
            error=cleaned(loaded["error"], iclient, sent),
            description=cleaned(loaded["error_description"] or "", iclient, sent),
            suberror=cleaned(loaded["suberror"] or "", iclient, sent),
            codes=tuple(loaded["error_codes"] or ()),
            claims=loaded["claims"] or "",
        ),
        iclient,
    )


def _busy(answer: Answer, iclient: IClient, kind: type[TransportError] = TransportError) -> TransportError:
    return kind(
        f"The provider of iClient {iclient.name} is busy (HTTP {answer.status}): try again later.",
        code="provider_busy",
        retry_after_seconds=answer.retry_after_seconds,
    )


def _unreadable(answer: Answer, iclient: IClient) -> RemoteError:
    sentence = f"The provider of iClient {iclient.name} answered HTTP {answer.status} without a reason we can read."
    if answer.status in (500, 502, 504) or answer.status < 300:
        return MalformedAnswer(sentence)
    if answer.status < 400:
        return NotSent(
            f"{sentence[:-1]}: it redirects token requests, which are never followed.", recovery=Recovery.ABORT
        )
    return NotAuthorized(sentence)


def _form(body: bytes) -> dict[str, Any]:
    """The answer as a form, which some servers send whatever they were asked for; empty where it is none."""
    try:
        pairs = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in pairs.items() if len(values) == 1}


def _at_its_places(document: dict[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """The document with the fields of odd servers where the standard has them."""
    found = dict(document)
    for name, path in paths.items():
        value: Any = document
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[name] = value
    return found


def _granted(scope: str | None, delimiter: str) -> tuple[str, ...]:
    """Some servers ask for one delimiter and answer with a comma."""
    return tuple((scope or "").replace(delimiter, " ").replace(",", " ").split())


def json_object(body: bytes) -> dict[str, Any]:
    """The answer as a JSON object; empty where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
