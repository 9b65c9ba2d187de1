"""What calls cost: by class, by type and size of key, and which limits hold for a connection."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.budgets import weight_of_call, weight_of_key
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.model import Limits
from connectors.throttle import Both, Budget, Whole
from iclients.testing import MovableClock


def answer(kty: str, bits: int = 0) -> dict[str, object]:
    modulus = urlsafe_b64encode(b"\x80" + bytes(bits // 8 - 1)).decode().rstrip("=") if bits else None
    return {"key": {"kty": kty, "n": modulus}}


@pytest.mark.parametrize(
    ("kty", "bits", "weight"),
    [
        ("RSA", 2048, "other"),
        ("RSA", 3072, "rsa_3072"),
        ("RSA", 4096, "rsa_4096"),
        ("EC", 0, "other"),
        ("RSA-HSM", 2048, "hsm_other"),
        ("RSA-HSM", 3072, "hsm_rsa_3072"),
        ("RSA-HSM", 4096, "hsm_rsa_4096"),
        ("EC-HSM", 0, "hsm_other"),
    ],
)
def test_a_key_costs_by_its_type_and_size(kty: str, bits: int, weight: str) -> None:
    assert weight_of_key(answer(kty, bits)) == weight
    assert weight in AzureKeyVault.descriptor.budget


@pytest.mark.parametrize("odd", [None, [], {}, {"key": None}, {"key": {"kty": 3}}, {"value": "x"}])
def test_an_answer_that_tells_nothing_of_a_key_changes_nothing(odd: object) -> None:
    assert weight_of_key(odd) is None


def test_new_keys_cost_more_than_what_is_imported_and_in_hardware_twice_as_much() -> None:
    assert weight_of_call("create", {"kty": "RSA"}, "other") == "key_create"
    assert weight_of_call("create", {"kty": "EC-HSM"}, "other") == "hsm_key_create"
    assert weight_of_call("rotate", None, "hsm_rsa_4096") == "hsm_key_create"
    assert weight_of_call("import", {}, "rsa_4096") == "create"
    assert weight_of_call("sign", {}, "rsa_4096") == "rsa_4096"


class Asked:
    """Remembers which budgets were asked for."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[Mapping[str, int], float, Whole | None]] = {}

    def __call__(self, where: str, limits: Mapping[str, int], period: float, whole: Whole | None = None, /) -> Budget:
        self.places[where] = (limits, period, whole)
        return Budget(limits, period, MovableClock())


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Sandbox.start(vaults={"contoso": 1}) as sandbox:
        made = Lab(sandbox)
        yield made
        made.transport.close()


def budgets(lab: Lab, limits: Limits, tenant: str = "") -> tuple[Asked, Budget]:
    asked = Asked()
    access = replace(lab.access(), budget=asked, tenant=tenant)
    connector = AzureKeyVault(replace(lab.connection(), limits=limits), access)
    return asked, connector._client._budget


def test_without_limits_a_connection_has_what_its_vault_publishes(lab: Lab) -> None:
    asked, budget = budgets(lab, Limits(), tenant="t1")
    [(limits, period, whole)] = asked.places.values()
    assert (limits["other"], limits["create"], period) == (4000, 300, 10.0)
    assert whole == Whole("vaults of t1 in lab", 5.0)
    assert not isinstance(budget, Both)


def test_limits_of_its_own_hold_besides(lab: Lab) -> None:
    asked, budget = budgets(lab, Limits(2000, 60.0))
    assert len(asked.places) == 2
    assert isinstance(budget, Both)


def test_limits_that_allow_more_than_is_published_take_its_place(lab: Lab) -> None:
    asked, budget = budgets(lab, Limits(1_000_000, 10.0))
    [place] = asked.places
    assert place.endswith("for contoso")
    assert not isinstance(budget, Both)


def test_what_a_key_costs_is_known_from_its_first_answer_on(lab: Lab) -> None:
    connector = lab.connect()
    connector.act("create_key", {"keyName": "large", "keyType": "RSA", "keySize": 4096})
    weights = connector._client.weights
    assert list(weights.values()) == ["rsa_4096"]
