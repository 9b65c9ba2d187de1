"""Writing a vault: compare first, write only real changes, touch nothing that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from vault_lab import Lab, row

from connectors.connector import Target
from connectors.errors import Forbidden, SettingsError
from connectors.model import Effect, Known
from flows.model import MappingRule, RunStatus

FULL = ("name", "value", "content_type", "enabled", "not_before", "expires", "tags")


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


def versions(vault: Any, name: str) -> int:
    return len(vault.secrets[name.lower()].versions)


def test_new_secrets_are_created_with_all_that_the_mapping_names(lab: Lab, vault: Any) -> None:
    record = row(
        "Db", content_type="text/plain", enabled="false", not_before="", expires="2026-11-12", tags='{"a": "b"}'
    )
    assert lab.write(record) == {"read": 1, "created": 1}
    latest = vault.secrets["db"].latest
    assert vault.secrets["db"].name == "Db"
    assert (latest.value, latest.content_type, latest.enabled, latest.nbf) == ("v", "text/plain", False, None)
    assert (latest.exp, latest.tags) == (1_794_441_600, {"a": "b"})


def test_only_what_changed_is_written(lab: Lab, vault: Any) -> None:
    lab.write(row("a"), row("b"))
    assert lab.write(row("a"), row("b", "new")) == {"read": 2, "updated": 1, "unchanged": 1}
    assert (versions(vault, "a"), versions(vault, "b")) == (1, 2)
    assert vault.value("b") == "new"


def test_a_second_run_costs_list_calls_only(lab: Lab, vault: Any) -> None:
    for number in range(40):
        vault.put(f"s{number:02}", f"v{number}", content_type="text/plain", tags={"n": str(number)})
    lab.settle()
    assert lab.copy() == {"read": 40, "created": 40}
    lab.sandbox.reset_calls()
    assert lab.copy() == {"read": 40, "unchanged": 40}
    assert lab.calls("contoso") == {"list": 2}
    assert lab.calls("fabrikam") == {"list": 2}


def test_a_changed_secret_costs_its_own_calls_only(lab: Lab, vault: Any) -> None:
    for number in range(10):
        vault.put(f"s{number}", f"v{number}")
    lab.settle()
    lab.copy()
    vault.put("s3", "new")
    lab.settle()
    lab.sandbox.reset_calls()
    assert lab.copy() == {"read": 10, "updated": 1, "unchanged": 9}
    assert lab.calls("contoso") == {"list": 1, "get": 1}
    assert lab.calls("fabrikam") == {"list": 1, "get": 1, "put": 1}


def test_attributes_alone_are_patched_and_make_no_version(lab: Lab, vault: Any) -> None:
    fields = ("name", "value", "content_type", "tags", "expires")
    lab.write(row("db", content_type="a", tags={"x": "1"}, expires="2026-11-12"), fields=fields)
    changed = row("db", content_type="b", tags={"y": "2"}, expires="2027-11-12")
    assert lab.write(changed, fields=fields) == {"read": 1, "updated": 1}
    assert versions(vault, "db") == 1
    latest = vault.secrets["db"].latest
    assert (latest.content_type, latest.tags, latest.exp) == ("b", {"y": "2"}, 1_825_977_600)
    assert lab.calls()["patch"] == 1


@pytest.mark.parametrize("empty", ["", None, {}])
def test_tags_are_cleared_by_a_patch(lab: Lab, vault: Any, empty: Any) -> None:
    lab.write(row("db", tags={"x": "1"}))
    assert lab.write(row("db", tags=empty)) == {"read": 1, "updated": 1}
    assert not vault.secrets["db"].latest.tags
    assert versions(vault, "db") == 1
    assert lab.write(row("db", tags=empty)) == {"read": 1, "unchanged": 1}


@pytest.mark.parametrize("field", ["content_type", "not_before", "expires"])
def test_what_is_set_is_cleared_by_a_new_version(lab: Lab, vault: Any, field: str) -> None:
    record = {"content_type": "text/plain", "not_before": 60, "expires": 4_000_000_000}
    lab.write(row("db", **record), fields=("name", "value", *record))
    lab.write(row("db", **{**record, field: ""}), fields=("name", "value", *record))
    latest = vault.secrets["db"].latest
    now = {"content_type": latest.content_type, "not_before": latest.nbf, "expires": latest.exp}
    assert now == {**record, field: None}
    assert versions(vault, "db") == 2


def test_what_the_mapping_does_not_name_is_carried_into_a_new_version(lab: Lab, vault: Any) -> None:
    lab.write(row("db"))
    vault.put("db", "v", content_type="text/plain", tags={"owner": "them"}, nbf=60, exp=4_000_000_000)
    assert lab.write(row("db", "new")) == {"read": 1, "updated": 1}
    latest = vault.secrets["db"].latest
    assert (latest.value, latest.content_type, latest.tags) == ("new", "text/plain", {"owner": "them"})
    assert (latest.nbf, latest.exp) == (60, 4_000_000_000)


def test_what_nobody_of_ours_wrote_is_a_conflict(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs")
    assert lab.write(row("DB", "ours")) == {"read": 1, "conflicts": 1}
    assert lab.status is RunStatus.WITH_ERRORS
    (error,) = lab.errors()
    assert error.code == "unowned"
    assert error.message == (
        f"DB is in {lab.hosts[0]} already and no flow of ours wrote it: set adopt: true to overwrite it."
    )
    assert vault.value("db") == "theirs"
    assert versions(vault, "db") == 1


def test_what_is_equal_already_is_unchanged_and_stays_theirs(lab: Lab, vault: Any) -> None:
    vault.put("db", "same")
    assert lab.write(row("db", "same")) == {"read": 1, "unchanged": 1}
    vault.put("db", "theirs")
    assert lab.write(row("db", "same")) == {"read": 1, "conflicts": 1}


def test_adopting_overwrites_and_owns_from_then_on(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs", tags={"a": "b"})
    assert lab.write(row("db", "ours"), adopt=True) == {"read": 1, "updated": 1}
    assert vault.secrets["db"].latest.tags == {"a": "b"}
    assert lab.write(row("db", "newer")) == {"read": 1, "updated": 1}


def test_what_somebody_else_changed_is_put_right_where_it_is_ours(lab: Lab, vault: Any) -> None:
    lab.write(row("db", "ours"))
    lab.settle()
    vault.put("db", "touched")
    assert lab.write(row("db", "ours")) == {"read": 1, "updated": 1}
    assert vault.value("db") == "ours"


def test_a_deleted_secret_that_blocks_the_name_is_a_conflict_with_the_way_out(lab: Lab, vault: Any) -> None:
    vault.put("db", "old")
    vault.delete("db")
    assert lab.write(row("db"), row("other")) == {"read": 2, "created": 1, "conflicts": 1}
    (error,) = lab.errors()
    assert error.code == "deleted_but_recoverable"
    assert error.message == (
        f"db was deleted from {lab.hosts[0]} and still blocks its name: say in the import what becomes of such names "
        "(options: deleted: recover, purge, suffix or skip), or recover or purge it and run again."
    )
    assert error.recovery == "skip"
    vault.purge("db")
    assert lab.write(row("db"), row("other")) == {"read": 2, "created": 1, "unchanged": 1}


def test_the_secret_of_a_certificate_is_a_conflict_and_never_written(lab: Lab, vault: Any) -> None:
    vault.add_managed("certificate")
    assert lab.write(row("certificate"), adopt=True) == {"read": 1, "conflicts": 1}
    (error,) = lab.errors()
    assert error.code == "managed"
    assert error.message == (f"certificate in {lab.hosts[0]} belongs to a certificate: import the certificate instead.")
    assert "put" not in lab.calls()


# Disabled at the target


def test_a_disabled_secret_of_ours_gets_a_new_version_that_stays_disabled(lab: Lab, vault: Any) -> None:
    lab.write(row("db"))
    vault.put("db", "v", enabled=False, tags={"a": "b"}, content_type="text/plain", exp=4_000_000_000)
    assert lab.write(row("db", "new")) == {"read": 1, "updated": 1}
    latest = vault.secrets["db"].latest
    assert (latest.value, latest.enabled, latest.tags) == ("new", False, {"a": "b"})
    assert (latest.content_type, latest.exp) == ("text/plain", 4_000_000_000)
    assert lab.write(row("db", "new")) == {"read": 1, "unchanged": 1}


def test_a_disabled_secret_that_is_not_ours_is_a_conflict(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs", enabled=False)
    assert lab.write(row("db")) == {"read": 1, "conflicts": 1}


def test_a_disabled_secret_is_enabled_where_the_mapping_says_so(lab: Lab, vault: Any) -> None:
    lab.write(row("db", enabled=False))
    assert lab.write(row("db", enabled=True)) == {"read": 1, "updated": 1}
    assert vault.secrets["db"].latest.enabled
    assert lab.write(row("db", enabled=False)) == {"read": 1, "updated": 1}
    assert not vault.secrets["db"].latest.enabled


def test_adding_leaves_a_disabled_secret_alone(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs", enabled=False)
    assert lab.write(row("db"), operation="add", adopt=True) == {"read": 1, "skipped": 1}
    assert versions(vault, "db") == 1


# Operations


def test_adding_creates_and_never_changes(lab: Lab, vault: Any) -> None:
    assert lab.write(row("db", "first"), operation="add") == {"read": 1, "created": 1}
    assert lab.write(row("db", "second"), row("new"), operation="add") == {"read": 2, "created": 1, "skipped": 1}
    assert vault.value("db") == "first"
    assert lab.write(row("db", "first"), operation="add") == {"read": 1, "unchanged": 1}


def test_updating_changes_and_never_creates(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs")
    assert lab.write(row("db", "ours"), row("new"), operation="update", adopt=True) == {
        "read": 2,
        "updated": 1,
        "skipped": 1,
    }
    assert set(vault.secrets) == {"db"}


@pytest.mark.parametrize("operation", ["delete", "merge", ""])
def test_an_operation_that_secrets_do_not_have_is_refused(lab: Lab, operation: str) -> None:
    with pytest.raises(SettingsError, match="it can be: upsert, add, update"):
        lab.target(operation=operation)


def test_a_mapping_must_name_what_every_secret_needs_and_nothing_that_nobody_may_write(lab: Lab) -> None:
    with pytest.raises(SettingsError, match="The mapping does not name value, which every secret needs"):
        lab.target(fields=("name",))
    with pytest.raises(SettingsError, match="The mapping names version, which no secret can be given"):
        lab.target(fields=("name", "value", "version"))


def test_without_a_mapping_a_vault_is_copied_as_it_is(lab: Lab) -> None:
    lab.sandbox.vault("fabrikam").put("Db", "v", content_type="text/plain", tags={"a": "b"}, exp=4_000_000_000)
    source, target = lab.source("fabrikam"), lab.target("contoso")
    record = source.read(next(source.pages(None)).records[0])  # type: ignore[arg-type]
    target.begin(None, None)
    target.write(record, target.assess(record, None))
    latest = lab.sandbox.vault("contoso").secrets["db"].latest
    assert (latest.value, latest.content_type, latest.tags, latest.exp) == (
        "v",
        "text/plain",
        {"a": "b"},
        4_000_000_000,
    )


def test_records_that_a_vault_cannot_take_fail_before_any_write_of_their_own(lab: Lab) -> None:
    records = [row("good"), row("bad_name"), row("large", "x" * 25_601), row("half", "\udc80"), row("number", 3)]
    assert lab.write(*records) == {"read": 5, "created": 1, "failed": 4}
    assert {error.key: error.code for error in lab.errors()} == {
        "bad_name": "invalid_name",
        "large": "value_too_large",
        "half": "invalid_value",
        "number": "invalid_value",
    }
    assert lab.calls() == {"list": 1, "put": 1}


def test_names_are_compared_without_case(lab: Lab, vault: Any) -> None:
    lab.write(row("Db", "one"))
    assert lab.write(row("dB", "two")) == {"read": 1, "updated": 1}
    assert vault.secrets["db"].name == "Db"
    assert lab.write(row("x"), row("X")) == {"read": 2, "created": 1, "failed": 1}
    assert lab.errors()[0].code == "duplicate_name"


@pytest.mark.parametrize("value", [" ", "\r\n", "=1+1", "\x00", "𝔖\ufeff", "é" * 25_600])
def test_values_arrive_as_they_are(lab: Lab, vault: Any, value: str) -> None:
    assert lab.write(row("db", value)) == {"read": 1, "created": 1}
    assert vault.value("db") == value
    assert lab.write(row("db", value)) == {"read": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("rbac", "named"), [(True, "the role Key Vault Secrets Officer"), (False, "the secret permission Set")]
)
def test_a_missing_right_to_write_is_named(lab: Lab, vault: Any, rbac: bool, named: str) -> None:
    vault.deny("set")
    vault.rbac = rbac
    assert lab.write(row("db")) == {"read": 1, "failed": 1}
    assert named in lab.errors()[0].message


def test_a_missing_right_to_list_ends_the_run_before_anything_is_written(lab: Lab, vault: Any) -> None:
    vault.deny("list")
    with pytest.raises(Forbidden, match="Key Vault Secrets User"):
        lab.write(row("db"))
    assert not vault.secrets


def test_what_an_earlier_attempt_meant_to_write_is_recognised_as_ours(lab: Lab, vault: Any) -> None:
    target = lab.target(fields=("name", "value"))
    target.begin(None, None)
    planned = target.assess(row("db"), None)
    target.write(row("db"), planned)
    again = lab.target(fields=("name", "value"))
    again.begin(None, None)
    change = again.assess(row("db"), Known(intent=planned.fingerprint))
    assert (change.effect, change.owned) == (Effect.CREATED, True)
    change = again.assess(row("db"), Known("before", owned=True, intent=planned.fingerprint))
    assert change.effect is Effect.UPDATED
    change = again.assess(row("db"), Known(intent="something else"))
    assert (change.effect, change.owned) == (Effect.UNCHANGED, False)


def test_what_an_earlier_attempt_wrote_is_ours_even_if_the_source_has_changed_since(lab: Lab, vault: Any) -> None:
    first = row("db", "first", content_type="text/plain", tags="", expires="2099-01-01")
    fields = tuple(first.fields)
    target = lab.target(fields=fields)
    target.begin(None, None)
    planned = target.assess(first, None)
    target.write(first, planned)
    lab.ledgers[target.identity] = {"db": Known(intent=planned.fingerprint)}
    second = row("db", "second", content_type="text/plain", tags="", expires="2099-01-01")
    assert lab.write(second) == {"read": 1, "updated": 1}
    vault.put("other", "theirs")
    lab.ledgers[target.identity]["other"] = Known(intent=planned.fingerprint)
    assert lab.write(row("other", "ours")) == {"read": 1, "conflicts": 1}


def test_a_secret_that_disappears_between_list_and_write_is_written_anew_where_it_was_ours(
    lab: Lab, vault: Any
) -> None:
    lab.write(row("db"))
    target = lab.target(fields=("name", "value"))
    target.begin(None, None)
    vault.delete("db")
    vault.purge("db")
    change = target.assess(row("db", "new"), Known("old", "1", owned=True))
    assert target.write(row("db", "new"), change).owned
    assert vault.value("db") == "new"


def test_an_adopted_secret_counts_as_updated_even_if_nobody_noted_that_it_was_written(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs")
    target = lab.target(fields=("name", "value"), adopt=True)
    target.begin(None, None)
    for record in (row("db", "ours"), row("new", "ours")):
        planned = target.assess(record, None)
        lab.journal.intend(target.identity, {record.key: planned.fingerprint})
        target.write(record, planned)
    again = lab.target(fields=("name", "value"), adopt=True)
    again.begin(None, None)
    intent = lab.ledgers[target.identity]["db"].intent
    assert again.assess(row("db", "ours"), Known(intent=intent)).fingerprint == intent, (
        "it is known after a second crash"
    )
    assert lab.write(row("db", "ours"), row("new", "ours"), adopt=True) == {"read": 2, "created": 1, "updated": 1}
    assert lab.write(row("db", "ours"), row("new", "ours")) == {"read": 2, "unchanged": 2}
    assert (versions(vault, "db"), versions(vault, "new")) == (2, 1)


def test_what_the_ledger_learns_of_an_adopted_secret_is_what_a_listing_vouches_for(lab: Lab, vault: Any) -> None:
    vault.put("db", "theirs")
    lab.write(row("db", "ours"), adopt=True)
    lab.sandbox.reset_calls()
    assert lab.write(row("db", "ours")) == {"read": 1, "unchanged": 1}
    assert lab.calls() == {"list": 1}


# Changed by others after the listing


@pytest.fixture
def begun(lab: Lab, vault: Any) -> Callable[..., Target]:
    """A target that listed the vault half a minute ago."""

    def begin(**options: Any) -> Target:
        target = lab.target(fields=("name", "value"), **options)
        target.begin(None, None)
        lab.clock.sleep(30)
        return target

    return begin


def test_a_secret_that_somebody_made_after_the_listing_is_a_conflict(begun: Any, vault: Any) -> None:
    target = begun()
    vault.put("db", "theirs")
    change = target.assess(row("db", "ours"), None)
    assert (change.effect, change.code) == (Effect.CONFLICT, "unowned")


def test_a_disabled_secret_that_somebody_made_after_the_listing_is_a_conflict(begun: Any, vault: Any) -> None:
    target = begun()
    vault.put("db", "theirs", enabled=False)
    change = target.assess(row("db", "ours"), None)
    assert (change.effect, change.code) == (Effect.CONFLICT, "unowned")


def test_a_certificate_that_somebody_made_after_the_listing_is_a_conflict(begun: Any, vault: Any) -> None:
    target = begun(adopt=True)
    vault.add_managed("db")
    change = target.assess(row("db", "ours"), None)
    assert (change.effect, change.code) == (Effect.CONFLICT, "managed")


def test_a_secret_that_somebody_made_after_the_listing_is_adopted_with_what_it_has(begun: Any, vault: Any) -> None:
    target = begun(adopt=True)
    vault.put("db", "theirs", tags={"a": "b"})
    change = target.assess(row("db", "ours"), None)
    assert target.write(row("db", "ours"), change).effect is Effect.UPDATED
    assert (vault.value("db"), vault.secrets["db"].latest.tags) == ("ours", {"a": "b"})


def test_a_create_costs_a_look_once_the_listing_is_old_and_none_before(lab: Lab, begun: Any, vault: Any) -> None:
    target = begun()
    assert target.write(row("db"), target.assess(row("db"), None)).effect is Effect.CREATED
    assert lab.calls() == {"list": 1, "get": 1, "put": 1}
    lab.sandbox.reset_calls()
    assert lab.write(*(row(f"s{number}") for number in range(30))) == {"read": 30, "created": 30}
    assert lab.calls() == {"list": 1, "put": 30}


def test_a_secret_that_is_disabled_after_the_listing_stays_disabled_and_keeps_what_it_has(lab: Lab, vault: Any) -> None:
    lab.write(row("db"))
    for number in range(6):
        lab.settle()
        vault.put("db", f"v{number}", tags={"n": str(number)})
    target = lab.target(fields=("name", "value"))
    target.begin(None, None)
    lab.settle()
    vault.put("db", "off", enabled=False, tags={"a": "b"}, content_type="text/plain", exp=4_000_000_000)
    change = target.assess(row("db", "new"), Known("old", "1", owned=True))
    assert target.write(row("db", "new"), change).effect is Effect.UPDATED
    latest = vault.secrets["db"].latest
    assert (latest.value, latest.enabled, latest.tags) == ("new", False, {"a": "b"})
    assert (latest.content_type, latest.exp) == ("text/plain", 4_000_000_000)


@pytest.mark.parametrize(("operation", "effect"), [("upsert", "created"), ("add", "created"), ("update", "skipped")])
def test_a_secret_that_is_gone_after_the_listing_is_missing(lab: Lab, vault: Any, operation: str, effect: str) -> None:
    vault.put("db", "theirs")
    target = lab.target(fields=("name", "value"), operation=operation)
    target.begin(None, None)
    vault.delete("db")
    vault.purge("db")
    assert target.assess(row("db", "ours"), None).effect == effect


# What is shown and how it is named


def test_changes_and_targets_do_not_print_values(lab: Lab) -> None:
    target = lab.target(fields=("name", "value"))
    target.begin(None, None)
    change = target.assess(row("db", "v4lue"), None)
    assert "v4lue" not in repr(change) + repr(change.payload) + change.fingerprint


def test_two_targets_of_one_vault_have_one_identity(lab: Lab) -> None:
    assert lab.target().identity == lab.target().identity == f"azure-key-vault:{lab.hosts[0]}/secrets"
    assert lab.target("fabrikam").identity != lab.target().identity


def test_a_name_made_by_a_template_is_a_name_like_any_other(lab: Lab, vault: Any) -> None:
    vault.put("db", "v")
    lab.settle()
    rules = (MappingRule("name", template="copy-of-{{ name }}"), MappingRule("value", "value"))
    assert lab.copy(rules) == {"read": 1, "created": 1}
    assert lab.copy(rules) == {"read": 1, "unchanged": 1}
    assert set(lab.sandbox.vault("fabrikam").secrets) == {"copy-of-db"}
