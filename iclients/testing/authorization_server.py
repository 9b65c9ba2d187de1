"""An authorization server in memory, which insists on what a provider's traits say: the kit's counterpart.

It stands in for a `Transport`, so that a provider's real addresses are asked, and nothing leaves the process.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote_plus, urlsplit

from iclients.answers import Answer
from iclients.endpoints import Endpoints
from iclients.traits import Traits

CLIENT_ID: Final = "kit-client:1"
CLIENT_SECRET: Final = "kit s3cret+/&%"  # noqa: S105 - what the kit hunts for
CODE: Final = "kit-code"


class AuthorizationServer:
    """Answers one client. `requests` are the forms that were sent; `verifier_for` the challenge of the consent."""

    def __init__(self, endpoints: Endpoints, traits: Traits) -> None:
        self.requests: list[dict[str, str]] = []
        self.challenge: dict[str, str] = {}
        self.rotates = True
        self._endpoints = endpoints
        self._traits = traits
        self._refresh_token = "kit-refresh-0"  # noqa: S105
        self._given = 0

    def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        deadline_seconds: float | None = None,
        max_answer_bytes: int | None = None,
    ) -> Answer:
        """One request and its answer, as `Transport.exchange` has it."""
        if urlsplit(url).scheme != "https":
            return _answer(400, {"error": "not_https"})
        if url == self._endpoints.revocation_endpoint:
            return _answer(200, {})
        if method != "POST" or url != self._endpoints.token_endpoint:
            return _answer(404, {"error": "not_found"})
        form = {name: values[0] for name, values in parse_qs((body or b"").decode()).items()}
        self.requests.append(form)
        if not self._is_authenticated(form, headers):
            said = f"no such client or secret {form.get('client_secret', '')}"
            return _answer(401, {"error": "invalid_client", "error_description": said})
        return self._granted(form)

    def close(self) -> None:
        """Nothing to close."""

    def _is_authenticated(self, form: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        method = self._traits.client_authentication
        if method == "basic":
            kind, _, pair = headers.get("Authorization", "").partition(" ")
            given = [unquote_plus(part) for part in b64decode(pair).decode().split(":")] if kind == "Basic" else []
            return given == [CLIENT_ID, CLIENT_SECRET]
        if method == "post":
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if method == "private_key_jwt":
            return form.get("client_assertion", "").count(".") == 2 and "client_secret" not in form
        return form.get("client_id") == CLIENT_ID and "client_secret" not in form

    def _granted(self, form: Mapping[str, str]) -> Answer:
        grant = form.get("grant_type")
        if grant == "authorization_code" and (form.get("code") != CODE or not self._is_verified(form)):
            return _answer(400, {"error": "invalid_grant"})
        if grant == "refresh_token" and form.get("refresh_token") != self._refresh_token:
            return _answer(400, {"error": "invalid_grant"})
        self._given += 1
        token: dict[str, Any] = {"access_token": f"kit-access-{self._given}", "token_type": self._traits.token_types[0]}
        token |= {"expires_in": 3600}
        if grant != "client_credentials" and (self.rotates or grant == "authorization_code"):
            self._refresh_token = token["refresh_token"] = f"kit-refresh-{self._given}"
        return _answer(200, self._placed(token))

    def _is_verified(self, form: Mapping[str, str]) -> bool:
        method, challenge = self.challenge.get("code_challenge_method"), self.challenge.get("code_challenge")
        verifier = form.get("code_verifier", "")
        if self._traits.pkce == "none":
            return not verifier and not challenge
        digest = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        return method == self._traits.pkce and challenge == (digest if method == "S256" else verifier)

    def _placed(self, token: dict[str, Any]) -> dict[str, Any]:
        """The fields where this server has them."""
        placed = {name: value for name, value in token.items() if name not in self._traits.answer_paths}
        for name, path in self._traits.answer_paths.items():
            if name in token:
                *folders, last = path.split(".")
                place = placed
                for folder in folders:
                    place = place.setdefault(folder, {})
                place[last] = token[name]
        return placed


def _answer(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())
