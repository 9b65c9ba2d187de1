"""Turns the sandbox's switches from another process: JSON under `/sandbox/` on Entra's port.

It asks for no token, it listens on loopback only, and it refuses requests that a web page sends.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from connectors.azure_key_vault.sandbox.entra_control import Route, entra_routes, only
from connectors.azure_key_vault.sandbox.errors import Refused
from connectors.azure_key_vault.sandbox.exchange import Answer, Request, compact, parse_object
from connectors.azure_key_vault.sandbox.policy import SETTINGS

if TYPE_CHECKING:
    from connectors.azure_key_vault.sandbox.sandbox import Sandbox


class ControlSite:
    """Answers for `/sandbox/`. A body with an unknown member is refused whole."""

    label = "sandbox"

    def __init__(self, sandbox: Sandbox) -> None:
        self.calls: Counter[str] = Counter()
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/sandbox/calls"): lambda _: sandbox.calls(),
            ("POST", "/sandbox/calls/reset"): lambda _: sandbox.reset_calls(),
            ("GET", "/sandbox/document"): lambda _: sandbox.document(),
            ("POST", "/sandbox/clock"): self._clock,
            ("POST", "/sandbox/faults"): self._faults,
            ("DELETE", "/sandbox/faults"): lambda _: sandbox.faults.clear(),
            ("POST", "/sandbox/settings"): self._settings,
            ("POST", "/sandbox/permissions"): self._permissions,
            ("POST", "/sandbox/tokens/revoke"): lambda _: sandbox.revoke_tokens(),
        } | entra_routes(sandbox)

    def answer(self, request: Request) -> Answer:
        """Carries out one command."""
        try:
            if b"origin" in request.headers:
                raise Refused(403, "Forbidden", "not for web pages")
            route = self._routes.get((request.method, request.path))
            if route is None:
                raise Refused(404, "NotFound", f"no such command; there are: {self._commands()}")
            result = route(parse_object(request.body) if request.body else {})
            return Answer(200, compact({} if result is None else result))
        except Refused as refused:
            return Answer(refused.status, compact({"error": refused.message}))
        except (TypeError, ValueError, KeyError) as problem:
            return Answer(400, compact({"error": str(problem)}))

    def count(self, request: Request) -> None:
        """Never called: no fault strikes the controls."""

    def refusal(self, status: int, headers: bytes) -> Answer:
        """Never called either."""
        return Answer(status)

    def _commands(self) -> str:
        return ", ".join(f"{method} {path}" for method, path in self._routes)

    def _clock(self, body: dict[str, Any]) -> object:
        clock = self._sandbox.clock
        only(body, "advance", "set")
        if "set" in body:
            clock.set(float(body["set"]))
        clock.advance(float(body.get("advance", 0)))
        return {"now": clock.now()}

    def _faults(self, body: dict[str, Any]) -> object:
        self._sandbox.faults.add(**body)
        return None

    def _settings(self, body: dict[str, Any]) -> object:
        known = ("latency_seconds", "throttle", "retry_after", "vault", "settle_seconds", *_VAULT_SWITCHES, *SETTINGS)
        only(body, *known, *_CLOUD_SECONDS)
        sandbox = self._sandbox
        for name in _CLOUD_SECONDS & body.keys():
            setattr(sandbox.cloud, name, float(body[name]))
        sandbox.entra.policy.change({name: body[name] for name in SETTINGS & body.keys()})
        vaults = [sandbox.vault(body["vault"])] if "vault" in body else list(sandbox.vaults.values())
        if "latency_seconds" in body:
            sandbox.latency_seconds = float(body["latency_seconds"])
        if "throttle" in body:
            sandbox.throttle(bool(body["throttle"]), retry_after=bool(body.get("retry_after", True)))
        for vault in vaults:
            if "settle_seconds" in body:
                vault.settle_seconds = float(body["settle_seconds"])
            for switch in _VAULT_SWITCHES & body.keys():
                setattr(vault, switch, bool(body[switch]))
        return None

    def _permissions(self, body: dict[str, Any]) -> object:
        """Denies exactly these permissions from now on."""
        only(body, "vault", "deny")
        vault = self._sandbox.vault(body["vault"])
        denied = list(body.get("deny", []))
        with vault.lock:
            before = vault.denied
            vault.allow()
            try:
                vault.deny(*denied)
            except (TypeError, ValueError):
                vault.denied = before
                raise
        return {"denied": sorted(vault.denied)}


_VAULT_SWITCHES = frozenset(
    {"purge_protection", "ragged_pages", "expired_readable", "rbac", "firewall", "private", "linked"}
)
_CLOUD_SECONDS = frozenset({"register_seconds", "propagation_seconds"})
