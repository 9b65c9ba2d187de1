"""What counts as one certificate, and as one policy: a property, whatever they are packed or spelled like."""

from __future__ import annotations

import base64
import copy
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from certificate_lab import authority, old_pem, pair, pem, pfx
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.azure_key_vault.certificate_writing.issuance import (
    fitted,
    is_within,
    load_policy,
    meaning,
    without_renewal,
)
from connectors.azure_key_vault.certificate_writing.record import load_certificate
from connectors.azure_key_vault.certificate_writing.standing import CertificateStanding
from connectors.azure_key_vault.model import SecretProperties
from connectors.errors import RecordError
from iclients.key_pairs import PEM, PFX, KeyPair, NoKeyPair, NoPrivateKey, opened
from iclients.secret import Secret

PAIRS = {
    "EC": pair("ec.test"),
    "RSA": pair("rsa.test", kind="RSA"),
    "chain": pair("chain.test", chain=True),
}
PACKED: dict[str, Callable[[KeyPair], tuple[str, str]]] = {
    "PFX": lambda one: (pfx(one), ""),
    "PFX with a password": lambda one: (pfx(one, "pass word"), "pass word"),
    "PFX in lines": lambda one: (textwrap.fill(pfx(one), 76), ""),
    "PFX in base64url": lambda one: (pfx(one).replace("+", "-").replace("/", "_").rstrip("="), ""),
    "PEM": lambda one: (pem(one), ""),
    "PEM with something in front": lambda one: (f"Bag Attributes\n    friendlyName: x\n{pem(one)}", ""),
    "PEM in base64": lambda one: (base64.b64encode(pem(one).encode()).decode(), ""),
    "PEM, certificates first": lambda one: (old_pem(one), ""),
    "PEM with Windows' line ends": lambda one: (pem(one).replace("\n", "\r\n"), ""),
}
names = st.text("abcXYZ.-", min_size=1, max_size=6)
leaves = st.one_of(st.booleans(), st.integers(1, 9), names)
policies: Any = st.dictionaries(
    st.sampled_from(["issuer", "key_props", "x509_props", "lifetime_actions", "other"]),
    st.one_of(
        leaves,
        st.lists(names, min_size=1, max_size=4, unique=True),
        st.dictionaries(names, st.one_of(leaves, st.lists(names, min_size=1, max_size=3)), min_size=1, max_size=3),
        st.lists(st.dictionaries(names, leaves, min_size=1, max_size=2), min_size=1, max_size=2),
    ),
    max_size=4,
)


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", PAIRS)
def test_a_certificate_is_itself_however_it_is_packed(kind: str, packed: str) -> None:
    one = PAIRS[kind]
    text, password = PACKED[packed](one)
    wanted = load_certificate({"name": "Tls", "value": Secret(text), "password": Secret(password)})
    assert wanted.canonical() == load_certificate({"name": "tLS", "value": pem(one)}).canonical()
    assert wanted.pair.chain == one.chain
    assert wanted.kind == (PFX if packed.startswith("PFX") else PEM)
    sent = opened(wanted.packed.reveal(), wanted.password.reveal() if wanted.password else None)
    assert (sent.digest, sent.chain) == (one.digest, one.chain)
    assert wanted.packed.reveal().startswith("-----BEGIN PRIVATE KEY-----") is (wanted.kind == PEM)


def test_another_certificate_of_the_same_key_is_another() -> None:
    one, other = (load_certificate({"name": "x", "value": pem(pair(kind="RSA"))}) for _ in range(2))
    assert one.pair.key is not other.pair.key
    assert one.pair.key.private_numbers() == other.pair.key.private_numbers()  # type: ignore[comparison-overlap]
    assert one.canonical() != other.canonical()


def test_the_canonical_spelling_holds_no_key() -> None:
    for one in PAIRS.values():
        text = load_certificate({"name": "x", "value": pem(one)}).canonical()
        assert not any(line.encode() in text for line in pem(one).splitlines() if not line.startswith("-"))


@given(policies, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a_policy_is_within_what_a_vault_makes_of_it(policy: dict[str, Any], chance: Any) -> None:
    """It sorts, fills in, adds what is its own, and leaves out what is empty."""
    there = _as_a_vault_says_it(copy.deepcopy(policy), chance)
    assert is_within(policy, there)
    assert is_within({**policy, "sans": {}, "extra": None, "list": []}, there)
    assert meaning(policy) == meaning(_shuffled(copy.deepcopy(policy), chance))


@given(policies, policies)
@settings(max_examples=300, deadline=None)
def test_policies_that_say_something_else_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    both = is_within(one, other) and is_within(other, one)
    assert both == (meaning(one) == meaning(other))
    for name in one:
        assert not is_within(one, {**one, name: "something else"})
        assert not is_within(one, {key: value for key, value in one.items() if key != name})


@given(
    policies,
    st.one_of(st.none(), st.booleans()),
    st.dictionaries(names, names, max_size=3),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_equal_means_the_same_spelling(
    policy: dict[str, Any], enabled: bool | None, tags: dict[str, str], is_other: bool
) -> None:
    """What would be remembered of the record is what would be found at the target, exactly where they are equal."""
    wanted = load_certificate({"name": "x", "value": pem(PAIRS["EC"]), "enabled": enabled, "tags": tags})
    wanted = wanted.with_policy(policy)
    told = {**tags, "more": "x"} if is_other else tags
    properties = SecretProperties("X", enabled=enabled is not False, tags=told)
    there = CertificateStanding(properties, wanted.pair.digest, dict(policy))
    assert there.is_equal(wanted) is not is_other
    assert (there.canonical(wanted) == wanted.canonical()) is not is_other


def test_without_renewal_people_are_told_instead() -> None:
    action = {"trigger": {"days_before_expiry": 3}, "action": {"action_type": "AutoRenew"}}
    policy = without_renewal({"issuer": {"name": "DigiCert", "cty": "x"}, "lifetime_actions": [action]})
    assert policy["issuer"] == {"name": "Unknown"}
    assert policy["lifetime_actions"] == [{**action, "action": {"action_type": "EmailContacts"}}]
    assert without_renewal({})["issuer"] == {"name": "Unknown"}


def test_a_policy_takes_key_and_package_from_the_certificate() -> None:
    told = {"id": "x", "key_props": {"kty": "RSA-HSM", "key_size": 4096, "exportable": True}, "attributes": {}}
    assert fitted(told, PAIRS["EC"], PEM) == {
        "key_props": {"kty": "EC", "crv": "P-256", "exportable": True},
        "secret_props": {"contentType": PEM},
    }


@pytest.mark.parametrize("told", ["[]", "nonsense", 1, True, {"key_props": []}, "[" * 100_000])
def test_what_is_no_policy_is_refused(told: Any) -> None:
    with pytest.raises(RecordError, match="policy is not an object"):
        load_policy("x", told)


@pytest.mark.parametrize("text", ["", "x", "A" * 300_000, "AAAA", pem(authority()).replace("PRIVATE KEY", "THING")])
def test_what_holds_no_pair_says_why_without_the_text(text: str) -> None:
    with pytest.raises(NoKeyPair) as caught:
        opened(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_certificate_alone_has_no_key() -> None:
    alone = pem(PAIRS["EC"]).partition("-----END PRIVATE KEY-----\n")[2]
    with pytest.raises(NoPrivateKey):
        opened(alone)


def _shuffled(policy: Any, chance: Any) -> Any:
    if isinstance(policy, dict):
        items = [(name, _shuffled(value, chance)) for name, value in policy.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(policy, list) and all(isinstance(one, str) for one in policy):
        chance.shuffle(policy)
    return policy


def _as_a_vault_says_it(policy: dict[str, Any], chance: Any) -> dict[str, Any]:
    filled = {"id": "https://v/certificates/x/policy", "attributes": {"enabled": True}, "filled": {"in": 1}}
    shuffled = _shuffled(policy, chance)
    for value in shuffled.values():
        if isinstance(value, dict):
            value["of_the_vault"] = "its own"
    return {**filled, **shuffled}
