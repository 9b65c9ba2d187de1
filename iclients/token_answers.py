"""What a token endpoint's answer means: a token, or an error with a recovery. Judged by content: the type is a hint.

Sources: RFC 6749 §5.1, §5.2; RFC 6585 §4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

from marshmallow import ValidationError

from iclients.addresses import is_address
from iclients.answers import Answer
from iclients.challenges import as_demand
from iclients.errors import (
    AnswerLost,
    MalformedAnswer,
    NotAuthorized,
    NotSent,
    Recovery,
    RemoteError,
    TransportError,
)
from iclients.model import DeviceCode, IClient, Token
from iclients.provider import Provider, Refusal
from iclients.redaction import cleaned, client_secret, repeats, secrets_with
from iclients.schemas import DeviceAnswer, ErrorAnswer, TokenAnswer
from iclients.secret import Secret
from iclients.traits import FOREVER_SECONDS, Traits

AHEAD_SECONDS: Final = 300.0
"""A token is replaced this long before it ends, as Microsoft's SDKs do; a short-lived one after 4/5 of its life."""

_PASSING: Final = {"server_error": AnswerLost, "temporarily_unavailable": TransportError}
"""Errors that say nothing against us (RFC 6749 §4.1.2.1; seen at token endpoints too). After the first, nobody knows
whether a code or a refresh token is used up."""

MAX_CODES: Final = 20
MAX_SCOPES: Final = 200
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")

_DEVICE_ANSWER: Final = DeviceAnswer()
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
    token = Token(
        access_token=Secret(loaded["access_token"]),
        expires_at=asked_at + lifetime,
        replace_at=asked_at + min(lifetime - min(AHEAD_SECONDS, lifetime / 5), loaded["refresh_in"] or lifetime),
        scopes=scopes,
        asked=scopes,
        refresh_token=Secret(loaded["refresh_token"]) if loaded["refresh_token"] else None,
        id_token=Secret(loaded["id_token"]) if loaded["id_token"] else None,
    )
    told_scopes = _granted(loaded["scope"], traits.scope_delimiter) if traits.tells_scopes else ()
    secrets = (*sent, *secrets_with(token, iclient))
    return replace(token, scopes=_shown(told_scopes, secrets)) if told_scopes else token


def device_in(answer: Answer, iclient: IClient, provider: Provider, sent: Collection[str] = ()) -> DeviceCode:
    """The code for a person that an answer brings (RFC 8628 §3.2). Raises as `token_in` does."""
    document = json_object(answer.body)
    if answer.status != 200 or "error" in document:
        raise failure(answer, document, iclient, provider, sent)
    try:
        loaded: DeviceCode = _DEVICE_ANSWER.load(document)
        if not is_address(loaded.verification_uri.partition("#")[0]):
            raise ValidationError({"verification_uri": ["is not an https address"]})
        secrets = tuple(filter(None, (client_secret(iclient), loaded.device_code.reveal(), *sent)))
        for name in ("user_code", "verification_uri"):
            if repeats(getattr(loaded, name), secrets):
                raise ValidationError({name: ["repeats a secret"]})
    except ValidationError as error:
        raise unusable(iclient, error) from None
    return loaded


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
            description=cleaned(_text(loaded["error_description"]), iclient, sent),
            suberror=cleaned(_text(loaded["suberror"]), iclient, sent),
            codes=_numbers(loaded["error_codes"]),
            claims=_demanded(_text(loaded["claims"]), iclient, sent),
        ),
        iclient,
    )


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""


def _numbers(told: object) -> tuple[int, ...]:
    """Servers send numbers, and texts that are numbers."""
    found = told[:MAX_CODES] if isinstance(told, list) else ()
    return tuple(int(one) for one in map(str, found) if one.isascii() and one.isdigit() and len(one) < 10)


def _demanded(claims: str, iclient: IClient, sent: Collection[str]) -> str:
    """The claims that the provider wants to be asked with next time, where they can be and repeat no secret."""
    secrets = tuple(filter(None, (client_secret(iclient), *sent)))
    return "" if repeats(claims, secrets) else as_demand(claims)


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


def _shown(told: tuple[str, ...], secrets: Collection[str]) -> tuple[str, ...]:
    """Of the words that are to be scopes, those that are some (RFC 6749 §3.3) and repeat no secret, also together."""
    first = tuple(dict.fromkeys(told))[:MAX_SCOPES]
    words = tuple(word for word in first if _SCOPE.fullmatch(word) and not repeats(word, secrets))
    return () if repeats(" ".join(words), secrets) else words


def json_object(body: bytes) -> dict[str, Any]:
    """The answer as a JSON object; empty where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
