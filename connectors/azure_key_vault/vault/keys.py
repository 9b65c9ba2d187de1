"""The keys of one vault, call by call, and what is done with them. Source: Key Vault REST API, Keys."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from connectors.azure_key_vault.budgets import OTHER, weight_of_call, weight_of_key
from connectors.azure_key_vault.vault.objects import VaultObjects

MOST_REMEMBERED: Final = 10_000


class VaultKeys(VaultObjects):
    """Calls one vault. Every method raises RemoteError: its recovery says what follows."""

    path: ClassVar[str] = "keys"
    prefix: ClassVar[str] = "key_"

    def use(self, operation: str, name: str, version: str, body: dict[str, Any]) -> Any:
        """encrypt, decrypt, wrapkey, unwrapkey, sign or verify, with one version. Changes nothing; needs its permission."""
        return self._ask(operation, "POST", f"/{name}/{version}/{operation}", body)

    def create(self, name: str, body: dict[str, Any]) -> Any:
        """A new version of the vault's own making. Needs create."""
        return self._once("create", "POST", f"/{name}/create", body, f"key {name}")

    def bring(self, name: str, body: dict[str, Any]) -> Any:
        """A new version that was made outside. Needs import."""
        return self._once("import", "PUT", f"/{name}", body, f"key {name}")

    def rotate(self, name: str) -> Any:
        """A new version like the one before. Needs rotate."""
        return self._once("rotate", "POST", f"/{name}/rotate", None, f"key {name}")

    def update(self, name: str, version: str, body: dict[str, Any]) -> Any:
        """Attributes, operations or tags of a version; what is not named stays. Needs update."""
        return self._ask("patch", "PATCH", f"/{name}/{version}", body)

    def rotation_policy(self, name: str) -> Any:
        """When the vault rotates it. Needs getrotationpolicy."""
        return self._ask("rotation_get", "GET", f"/{name}/rotationpolicy")

    def set_rotation_policy(self, name: str, policy: dict[str, Any]) -> Any:
        """Replace that policy. Needs setrotationpolicy."""
        return self._ask("rotation_put", "PUT", f"/{name}/rotationpolicy", policy)

    def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        weight: str = OTHER,
        repeatable: bool = True,
    ) -> Any:
        """Calls on a key cost by its type and size: what an answer tells of that is remembered."""
        place = f"{self.vault.host}/{path.split('/')[1].lower()}"
        known = self._client.weights.get(place, OTHER)
        taken = weight_of_call(kind, body, known)
        answer = super()._ask(kind, method, path, body, weight=taken, repeatable=repeatable)
        told = weight_of_key(answer)
        if told and told != known:
            self._learn(place, told)
            if taken == known:
                self._client.owe(told, known)
        return answer

    def _learn(self, place: str, weight: str) -> None:
        if len(self._client.weights) >= MOST_REMEMBERED:
            self._client.weights.clear()
        self._client.weights[place] = weight
