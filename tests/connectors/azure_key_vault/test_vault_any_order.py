"""Whatever others do to a vault, and whatever rule an import has: what is reported is there, and twice writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_lab import Lab, row

from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.sandbox.errors import Refused

NAMES = ("a", "a-2", "b")
VALUES = ("one", "two")
names, values = st.sampled_from(NAMES), st.sampled_from(VALUES)
theirs = st.tuples(st.sampled_from(("set", "delete", "recover", "purge", "disable")), names, values)
ours = st.tuples(
    st.sampled_from(("fail", "recover", "purge", "suffix", "skip")),
    st.dictionaries(names, values, min_size=1),
    st.booleans(),
    st.sampled_from(("upsert", "add", "update")),
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """One sandbox for all examples: each begins with an empty shelf."""
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = Lab(sandbox)
        yield made
        made.transport.close()


def act(vault: Any, what: str, name: str, value: str) -> None:
    with suppress(Refused):
        if what == "set":
            vault.put(name, value, tags={"by": "them"})
        elif what == "disable":
            vault.put(name, value, enabled=False)
        elif what == "recover":
            vault.secret_shelf.recover(name)
        else:
            getattr(vault, what)(name)


def state(vault: Any) -> dict[str, list[str]]:
    """The versions of all names, deleted ones too."""
    kept = {name: [one.id for one in secret.versions] for name, secret in vault.secrets.items()}
    gone = {
        f"{name} (deleted)": [one.id for one in it.thing.versions] for name, it in vault.secret_shelf.deleted.items()
    }
    return kept | gone


def is_there(vault: Any, name: str, value: str, *, by_suffix: bool) -> bool:
    known = [name, *(f"{name}-{number}" for number in range(2, 9) if by_suffix)]
    return any(one in vault.secrets and vault.value(one) == value for one in known)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(theirs, ours), max_size=10), st.sampled_from((0.0, 6.0)))
def test_whatever_is_reported_is_there_and_a_second_import_writes_nothing(
    shared: Lab, steps: list[Any], settles: float
) -> None:
    vault = shared.sandbox.vault("contoso")
    vault.settle_seconds = 0.0
    shared.settle()
    for name in [*vault.secrets]:
        vault.delete(name)
    for name in [*vault.secret_shelf.deleted]:
        vault.purge(name)
    vault.settle_seconds = settles
    shared.ledgers.clear()
    for step in steps:
        if len(step) == 3:
            act(vault, *step)
            shared.sandbox.clock.advance(1)
            continue
        policy, records, adopt, operation = step
        rows = [row(name, value) for name, value in records.items()]
        told: dict[str, Any] = {"adopt": adopt, "operation": operation, "deleted": policy}
        shared.write(*rows, **told)
        done = [one for one in shared.journal.outcomes.values() if one.effect in ("created", "updated", "unchanged")]
        for one in done:
            assert is_there(vault, one.key, records[one.key], by_suffix=policy == "suffix"), (one.key, one.effect)
        shared.sandbox.clock.advance(60)
        before = state(vault)
        again = shared.write(*rows, **told)
        assert not again.get("created"), again
        repeated = {one.key for one in shared.journal.outcomes.values() if one.effect == "updated"}
        assert not repeated & {one.key for one in done}, again
        if not repeated:
            assert state(vault) == before
