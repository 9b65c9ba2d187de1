"""Calls on keys cost by type and size, as Azure publishes it (reference sheet, section 7.1)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from connectors.azure_key_vault.sandbox.keys import Key, KeyVersion
from connectors.azure_key_vault.sandbox.throttle import VAULT_BUDGET

ID = "0" * 32
MATERIAL = {
    0: ec.generate_private_key(ec.SECP256R1()),
    **{size: rsa.generate_private_key(65537, size) for size in (2048, 3072, 4096)},
}


@pytest.fixture
def throttled(sandbox: Any) -> Any:
    sandbox.throttle(True)
    sandbox.clock.set(1_800_000_000)
    return sandbox


def plant(sandbox: Any, kty: str, size: int) -> None:
    sandbox.vault("contoso").key_shelf.place(Key("k", [KeyVersion(ID, kty, MATERIAL[size], ("sign",), 0, 0)]))


def passed(client: Any, sandbox: Any, path: str, left: int, body: object = None) -> list[int]:
    """Leaves room for so many units of the budget, then calls twice: the statuses."""
    assert sandbox.throttle.admit("contoso", VAULT_BUDGET - left) == 0
    method = "GET" if body is None else "POST"
    return [client.vault(method, path, body).status for _ in range(2)]


@pytest.mark.parametrize(
    ("kty", "size", "a_call_in_ten_seconds"),
    [
        ("RSA", 2048, 4_000),
        ("RSA", 3072, 1_000),
        ("RSA", 4096, 500),
        ("EC", 0, 4_000),
        ("RSA-HSM", 2048, 2_000),
        ("RSA-HSM", 3072, 500),
        ("RSA-HSM", 4096, 250),
        ("EC-HSM", 0, 2_000),
    ],
)
def test_a_call_on_a_key_costs_its_share_of_the_published_limit(client, throttled, kty, size, a_call_in_ten_seconds):
    plant(throttled, kty, size)
    assert passed(client, throttled, "/keys/k", VAULT_BUDGET // a_call_in_ten_seconds) == [200, 429]


@pytest.mark.parametrize(("kty", "in_ten_seconds"), [("EC", 20), ("EC-HSM", 10)])
def test_making_a_key_costs_most(client, throttled, kty, in_ten_seconds):
    left = VAULT_BUDGET // in_ten_seconds
    assert passed(client, throttled, "/keys/k/create", left, {"kty": kty}) == [200, 429]


def test_rotating_costs_as_making_and_restoring_as_setting_a_secret(client, throttled):
    plant(throttled, "EC", 0)
    assert passed(client, throttled, "/keys/k/rotate", VAULT_BUDGET // 20, {}) == [200, 429]
    throttled.clock.advance(11)
    assert passed(client, throttled, "/keys/restore", VAULT_BUDGET // 300, {"value": "x"}) == [400, 429]
