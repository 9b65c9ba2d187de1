"""What becomes of a name that a deleted secret blocks, by the import's rule: never a success that is none."""

from __future__ import annotations

from typing import Any

import pytest
from vault_lab import Lab, row

from connectors.azure_key_vault.secret_writing.target import SecretsTarget
from connectors.model import Effect, WriteOptions

POLICIES = ("fail", "recover", "purge", "suffix", "skip")
SETTLES = 12.0


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


def absent(vault: Any) -> None:
    """Nothing of that name."""


def equal(vault: Any) -> None:
    vault.put("db", "v")


def different(vault: Any) -> None:
    vault.put("db", "theirs")


def managed(vault: Any) -> None:
    vault.add_managed("db")


def deleted_equal(vault: Any) -> None:
    vault.put("db", "v", tags={"a": "b"})
    vault.delete("db")


def deleted(vault: Any) -> None:
    vault.put("db", "old", tags={"a": "b"})
    vault.delete("db")


def slow(vault: Any) -> None:
    deleted(vault)
    vault.settle_seconds = SETTLES


def being_deleted(vault: Any) -> None:
    vault.settle_seconds = SETTLES
    deleted(vault)


def being_purged(vault: Any) -> None:
    deleted(vault)
    vault.settle_seconds = SETTLES
    vault.purge("db")


def being_recovered(vault: Any) -> None:
    deleted(vault)
    vault.settle_seconds = SETTLES
    vault.secret_shelf.recover("db")


def protected(vault: Any) -> None:
    deleted(vault)
    vault.purge_protection = True


def deleted_managed(vault: Any) -> None:
    vault.add_managed("db")
    vault.secret_shelf.take("db")


def deleted_disabled(vault: Any) -> None:
    vault.put("db", "old", enabled=False)
    vault.delete("db")


LIVE: dict[Any, dict[str, tuple[str, dict[str, str]]]] = {
    absent: dict.fromkeys(POLICIES, ("created", {"db": "v"})),
    equal: dict.fromkeys(POLICIES, ("unchanged", {"db": "v"})),
    different: dict.fromkeys(POLICIES, ("unowned", {"db": "theirs"})),
    managed: dict.fromkeys(POLICIES, ("managed", {"db": "MIIJ…"})),
    deleted: {
        "fail": ("deleted_but_recoverable", {}),
        "recover": ("created", {"db": "v"}),
        "purge": ("created", {"db": "v"}),
        "suffix": ("created", {"db-2": "v"}),
        "skip": ("skipped", {}),
    },
    being_deleted: {
        "fail": ("being_deleted", {}),
        "recover": ("created", {"db": "v"}),
        "purge": ("created", {"db": "v"}),
        "suffix": ("created", {"db-2": "v"}),
        "skip": ("skipped", {}),
    },
    being_purged: {
        "fail": ("being_deleted", {}),
        "recover": ("created", {"db": "v"}),
        "purge": ("created", {"db": "v"}),
        "suffix": ("created", {"db": "v"}),
        "skip": ("skipped", {}),
    },
    being_recovered: {
        "fail": ("being_recovered", {"db": "old"}),
        "recover": ("unowned", {"db": "old"}),
        "purge": ("unowned", {"db": "old"}),
        "suffix": ("unowned", {"db": "old"}),
        "skip": ("unowned", {"db": "old"}),
    },
    protected: {
        "fail": ("deleted_but_recoverable", {}),
        "recover": ("created", {"db": "v"}),
        "purge": ("purge_protected", {}),
        "suffix": ("created", {"db-2": "v"}),
        "skip": ("skipped", {}),
    },
    deleted_managed: {
        "fail": ("deleted_but_recoverable", {}),
        "recover": ("managed", {}),
        "purge": ("managed", {}),
        "suffix": ("created", {"db-2": "v"}),
        "skip": ("skipped", {}),
    },
}
LIVE[deleted_equal] = LIVE[deleted]
LIVE[slow] = LIVE[deleted]
LIVE[deleted_disabled] = LIVE[deleted]


def shown(vault: Any) -> dict[str, str]:
    return {name: secret.latest.value for name, secret in vault.secrets.items()}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("state", LIVE, ids=lambda state: state.__name__)
def test_each_rule_does_what_it_says_in_each_state_and_a_second_run_writes_nothing(
    lab: Lab, vault: Any, state: Any, policy: str
) -> None:
    state(vault)
    told, there = LIVE[state][policy]
    counts = lab.write(row("db"), deleted=policy)
    word = told if told in ("created", "unchanged", "skipped") else "conflicts"
    assert counts == {"read": 1, word: 1}
    assert [error.code for error in lab.errors()] == ([told] if word == "conflicts" else [])
    assert shown(vault) == there
    if word in ("created", "unchanged"):
        made = {name: len(secret.versions) for name, secret in vault.secrets.items()}
        assert lab.write(row("db"), deleted=policy) == {"read": 1, "unchanged": 1}
        assert {name: len(secret.versions) for name, secret in vault.secrets.items()} == made


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("rights", [("list_deleted",), ()], ids=["listing", "looks"])
def test_looking_ahead_says_what_a_run_would_do_and_changes_nothing(
    lab: Lab, vault: Any, policy: str, rights: tuple[str, ...]
) -> None:
    deleted(vault)
    target = lab.target(fields=("name", "value"), options={"deleted": policy})
    target.begin(None, None)
    if not rights:
        lab.clock.sleep(30)
    change = target.assess(row("db"), None)
    assert change.effect is (Effect.SKIPPED if policy == "skip" else Effect.CREATED)
    assert not set(lab.calls()) & {"put", "patch", "recover", "purge"}
    assert "db" in vault.secret_shelf.deleted


def test_deleted_names_cost_one_listing_and_none_where_no_rule_asks(lab: Lab, vault: Any) -> None:
    for number in range(60):
        vault.put(f"s{number}", "old")
        vault.delete(f"s{number}")
    lab.write(*(row(f"n{number}") for number in range(40)))
    assert lab.calls() == {"list": 1, "put": 40}
    lab.sandbox.reset_calls()
    assert lab.write(*(row(f"s{number}") for number in range(60)), deleted="skip") == {"read": 60, "skipped": 60}
    assert lab.calls() == {"list": 2, "deleted_list": 3}


@pytest.mark.parametrize(("policy", "verb"), [("recover", "Recover"), ("purge", "Purge")])
def test_a_missing_right_is_named_and_nothing_is_written(lab: Lab, vault: Any, policy: str, verb: str) -> None:
    deleted(vault)
    vault.deny(policy)
    vault.rbac = False
    assert lab.write(row("db"), deleted=policy) == {"read": 1, "failed": 1}
    assert f"the secret permission {verb}" in lab.errors()[0].message
    assert shown(vault) == {}


def test_the_sentence_of_purge_protection_says_until_when_and_what_else_there_is(lab: Lab, vault: Any) -> None:
    protected(vault)
    lab.write(row("db"), deleted="purge")
    message = lab.errors()[0].message
    assert message.startswith(
        f"db was deleted from {lab.hosts[0]}, which has purge protection: nobody can purge it before 20"
    )
    assert message.endswith("recover it (options: deleted: recover), or write under another name (suffix).")
    assert not set(lab.calls()) & {"put", "purge"}


def test_recovering_what_is_equal_makes_no_version_and_keeps_what_it_had(lab: Lab, vault: Any) -> None:
    deleted_equal(vault)
    assert lab.write(row("db"), deleted="recover") == {"read": 1, "created": 1}
    assert (len(vault.secrets["db"].versions), vault.secrets["db"].latest.tags) == (1, {"a": "b"})


def test_recovering_what_differs_in_attributes_alone_patches_them(lab: Lab, vault: Any) -> None:
    deleted_equal(vault)
    assert lab.write(row("db", tags={"x": "y"}), deleted="recover") == {"read": 1, "created": 1}
    assert (len(vault.secrets["db"].versions), vault.secrets["db"].latest.tags) == (1, {"x": "y"})


def test_purging_leaves_nothing_of_what_was_there(lab: Lab, vault: Any) -> None:
    deleted(vault)
    lab.write(row("db"), deleted="purge")
    assert (len(vault.secrets["db"].versions), vault.secrets["db"].latest.tags or {}) == (1, {})
    assert not vault.secret_shelf.deleted


@pytest.mark.parametrize("policy", ["recover", "purge"])
def test_what_does_not_settle_is_told_and_never_counted_as_done(lab: Lab, vault: Any, policy: str) -> None:
    deleted(vault)
    vault.settle_seconds = 500.0
    counts = lab.write(row("db"), deleted=policy)
    assert counts in ({"read": 1, "failed": 1}, {"read": 1, "conflicts": 1})
    assert "run again in a minute" in lab.errors()[0].message
    lab.sandbox.clock.advance(500)
    vault.settle_seconds = 0.0
    assert lab.write(row("db"), deleted=policy) == {"read": 1, "created": 1}
    assert shown(vault) == {"db": "v"}


# Suffixes


def test_a_suffix_goes_on_where_the_last_run_wrote(lab: Lab, vault: Any) -> None:
    deleted(vault)
    lab.write(row("db", "one"), deleted="suffix")
    lab.settle()
    assert lab.write(row("db", "two"), deleted="suffix") == {"read": 1, "updated": 1}
    assert shown(vault) == {"db-2": "two"}
    vault.purge("db")
    assert lab.write(row("db", "two"), deleted="suffix") == {"read": 1, "unchanged": 1}
    assert lab.write(row("db", "three"), deleted="suffix") == {"read": 1, "updated": 1}
    assert shown(vault) == {"db-2": "three"}


def test_a_suffix_is_found_again_without_the_ledger_where_it_is_equal(lab: Lab, vault: Any) -> None:
    deleted(vault)
    lab.write(row("db"), deleted="suffix")
    lab.ledgers.clear()
    assert lab.write(row("db"), deleted="suffix") == {"read": 1, "unchanged": 1}
    assert shown(vault) == {"db-2": "v"}


def test_a_suffix_passes_by_what_is_deleted_and_what_is_somebody_elses(lab: Lab, vault: Any) -> None:
    deleted(vault)
    vault.put("db-2", "old")
    vault.delete("db-2")
    vault.put("DB-3", "theirs")
    vault.add_managed("db-4")
    assert lab.write(row("db"), deleted="suffix", adopt=True) == {"read": 1, "created": 1}
    assert shown(vault) == {"db-3": "theirs", "db-4": "MIIJ…", "db-5": "v"}


def test_what_was_written_under_a_suffix_is_no_claim_on_the_name_itself(lab: Lab, vault: Any) -> None:
    deleted(vault)
    lab.write(row("db"), deleted="suffix")
    vault.secret_shelf.recover("db")
    vault.delete("db-2")
    assert lab.write(row("db"), deleted="suffix") == {"read": 1, "conflicts": 1}
    assert lab.write(row("db")) == {"read": 1, "conflicts": 1}
    assert shown(vault) == {"db": "old"}


@pytest.mark.parametrize("names", [("db", "db-2"), ("db-2", "db")])
def test_two_records_never_write_under_one_name(lab: Lab, vault: Any, names: tuple[str, str]) -> None:
    deleted(vault)
    rows = [row(name, f"of {name}") for name in names]
    first = lab.write(*rows, deleted="suffix", width=1)
    there = shown(vault)
    if names[0] == "db":
        assert first == {"read": 2, "created": 1, "conflicts": 1}
        assert there == {"db-2": "of db"}
        assert lab.errors()[0].code == "name_taken"
    else:
        assert first == {"read": 2, "created": 2}
        assert there == {"db-2": "of db-2", "db-3": "of db"}
    lab.write(*rows, deleted="suffix", width=1)
    assert shown(vault) == there


def test_a_name_that_is_too_long_for_a_suffix_is_a_conflict(lab: Lab, vault: Any) -> None:
    name = "n" * 127
    vault.put(name, "old")
    vault.delete(name)
    assert lab.write(row(name), deleted="suffix") == {"read": 1, "conflicts": 1}
    assert lab.errors()[0].code == "no_free_name"


# Other operations, and what happens after the listing


@pytest.mark.parametrize("policy", POLICIES)
def test_updating_makes_nothing_of_a_deleted_secret(lab: Lab, vault: Any, policy: str) -> None:
    deleted(vault)
    assert lab.write(row("db"), operation="update", deleted=policy) == {"read": 1, "skipped": 1}
    assert "db" in vault.secret_shelf.deleted


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("goes", [deleted, being_deleted, deleted_disabled, protected], ids=lambda goes: goes.__name__)
def test_a_secret_that_is_deleted_after_the_listing_is_dealt_with_by_the_rule(
    lab: Lab, vault: Any, goes: Any, policy: str
) -> None:
    target = lab.target(fields=("name", "value"), options={"deleted": policy})
    target.begin(None, None)
    change = target.assess(row("db"), None)
    goes(vault)
    done = target.write(row("db"), change)
    told, there = LIVE[goes][policy]
    assert (done.code or done.effect.value) == told
    assert shown(vault) == there


@pytest.mark.parametrize("policy", ["recover", "purge"])
def test_a_secret_that_somebody_recovers_and_changes_meanwhile_is_theirs(lab: Lab, vault: Any, policy: str) -> None:
    deleted(vault)
    target = lab.target(fields=("name", "value"), options={"deleted": policy})
    target.begin(None, None)
    change = target.assess(row("db"), None)
    vault.secret_shelf.recover("db")
    lab.settle()
    vault.put("db", "theirs")
    done = target.write(row("db"), change)
    assert (done.effect, done.code) == (Effect.CONFLICT, "unowned")
    assert vault.value("db") == "theirs"


def test_a_target_of_the_library_has_the_descriptors_defaults(lab: Lab) -> None:
    target = SecretsTarget(lab.secrets(), WriteOptions(), lab.access().fingerprint, lab.clock)
    resource = lab.connect().descriptor.resource("secrets")
    assert resource is not None
    again = SecretsTarget(
        lab.secrets(), WriteOptions(options=resource.import_options({})), lab.access().fingerprint, lab.clock
    )
    assert target._rules == again._rules
