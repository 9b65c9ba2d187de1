"""The options of an import into secrets: what is kept, set and cleared, what counts as equal, and when a run warns."""

from __future__ import annotations

from typing import Any

import pytest
from vault_lab import Lab, row

from connectors.azure_key_vault import AzureKeyVault
from connectors.errors import RecordError, SettingsError
from connectors.model import Effect

ALL: dict[str, Any] = {
    "content_type": "text/plain",
    "nbf": 60,
    "exp": 4_000_000_000,
    "tags": {"a": "b"},
    "enabled": False,
}


@pytest.fixture
def vault(lab: Lab) -> Any:
    return lab.sandbox.vault("contoso")


def there(vault: Any, name: str = "db") -> dict[str, Any]:
    latest = vault.secrets[name].latest
    return {key: getattr(latest, key) or None for key in ALL} | {"enabled": latest.enabled}


CLEARED: dict[str, tuple[str, Any]] = {
    "content_type": ("content_type", None),
    "not_before": ("nbf", None),
    "expires": ("exp", None),
    "tags": ("tags", None),
    "enabled": ("enabled", True),
}


@pytest.mark.parametrize("named", CLEARED)
def test_what_is_cleared_goes_and_all_else_is_kept(lab: Lab, vault: Any, named: str) -> None:
    vault.put("db", "v", **ALL)
    field, empty = CLEARED[named]
    assert lab.write(row("db"), adopt=True, clear=[named]) == {"read": 1, "updated": 1}
    assert there(vault) == {**ALL, field: empty}
    made = len(vault.secrets["db"].versions)
    assert lab.write(row("db"), adopt=True, clear=[named])["read"] == 1
    if named == "enabled":
        assert len(vault.secrets["db"].versions) == made


def test_clearing_what_is_clear_writes_nothing(lab: Lab, vault: Any) -> None:
    vault.put("db", "v")
    assert lab.write(row("db"), clear=list(CLEARED)) == {"read": 1, "unchanged": 1}
    assert lab.write(row("new"), clear=list(CLEARED)) == {"read": 1, "created": 1}


def test_tags_alone_are_cleared_without_a_version(lab: Lab, vault: Any) -> None:
    vault.put("db", "v", tags={"a": "b"})
    assert lab.write(row("db"), adopt=True, clear=["tags"]) == {"read": 1, "updated": 1}
    assert (len(vault.secrets["db"].versions), there(vault)["tags"]) == (1, None)


@pytest.mark.parametrize(("how", "tags"), [("replace", {"x": "y"}), ("merge", {"a": "b", "x": "y"})])
def test_mapped_tags_replace_or_come_to_those_that_are_there(
    lab: Lab, vault: Any, how: str, tags: dict[str, str]
) -> None:
    vault.put("db", "v", tags={"a": "b"})
    assert lab.write(row("db", tags={"x": "y"}), adopt=True, tags=how) == {"read": 1, "updated": 1}
    assert there(vault)["tags"] == tags
    assert lab.write(row("db", tags={"x": "y"}), tags=how) == {"read": 1, "unchanged": 1}
    assert lab.write(row("db", "new", tags={"x": "y"}), tags=how) == {"read": 1, "updated": 1}
    assert there(vault)["tags"] == tags


def test_sixteen_tags_are_too_many_and_say_which_were_kept(lab: Lab, vault: Any) -> None:
    vault.put("db", "v", tags={f"t{number}": "x" for number in range(15)})
    assert lab.write(row("db", tags={"one": "more"}), adopt=True, tags="merge") == {"read": 1, "failed": 1}
    (error,) = lab.errors()
    assert error.code == "too_many_tags"
    assert error.message == ("db would have 16 tags with the 15 that are kept; Key Vault takes at most 15: map fewer.")
    with pytest.raises(RecordError, match="db would have 16 tags; Key Vault takes at most 15"):
        lab.target().assess(row("db", tags={f"t{n}": "x" for n in range(15)}, original_name="x"), None)


# The original name


def test_an_original_name_is_a_tag_beside_the_others_and_is_read_as_a_field(lab: Lab, vault: Any) -> None:
    vault.put("db-x", "v", tags={"a": "b"})
    record = row("db-x", original_name="db/x")
    assert lab.write(record, adopt=True) == {"read": 1, "updated": 1}
    assert there(vault, "db-x")["tags"] == {"a": "b", "original-name": "db/x"}
    assert lab.write(record) == {"read": 1, "unchanged": 1}
    assert len(vault.secrets["db-x"].versions) == 1
    (listed,) = next(lab.source(values=False).pages(None)).records
    assert listed.fields["original_name"] == "db/x"  # type: ignore[union-attr]
    assert lab.write(row("db-x", original_name="")) == {"read": 1, "updated": 1}
    assert there(vault, "db-x")["tags"] == {"a": "b"}


@pytest.mark.parametrize("adopt", [False, True])
def test_a_name_that_stands_for_another_original_is_left_alone(lab: Lab, vault: Any, adopt: bool) -> None:
    lab.write(row("db-x", original_name="db/{x}"))
    assert lab.write(row("db-x", "other", original_name="db.x"), adopt=adopt) == {"read": 1, "conflicts": 1}
    (error,) = lab.errors()
    assert error.code == "name_taken"
    assert "stands for db/{x}, not for db.x: give one of them another name." in error.message
    assert [version.value for version in vault.secrets["db-x"].versions] == ["v"]


def test_an_original_name_goes_along_with_mapped_tags_and_with_cleared_ones(lab: Lab, vault: Any) -> None:
    lab.write(row("db", tags={"a": "b"}, original_name="d/b"))
    assert there(vault)["tags"] == {"a": "b", "original-name": "d/b"}
    lab.write(row("db", original_name="d/b"), clear=["tags"])
    assert there(vault)["tags"] == {"original-name": "d/b"}


@pytest.mark.parametrize("name", ["x" * 257, 3])
def test_an_original_name_that_is_no_tag_is_an_error_of_its_record(lab: Lab, name: Any) -> None:
    assert lab.write(row("db", original_name=name)) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "invalid_original_name"


# Equality


@pytest.mark.parametrize(
    ("wanted", "told", "effect"),
    [
        ('{"b":1, "a":2}', {}, "unchanged"),
        ('{"b":1, "a":2}', {"compare": "exact"}, "updated"),
        ('{"b":1, "a":3}', {}, "updated"),
    ],
)
def test_json_is_compared_by_meaning_unless_it_shall_be_exact(
    lab: Lab, vault: Any, wanted: str, told: dict[str, Any], effect: str
) -> None:
    vault.put("db", '{"a":2,"b":1}', content_type="application/json")
    assert lab.write(row("db", wanted), adopt=True, **told) == {"read": 1, effect: 1}
    assert lab.write(row("db", wanted), adopt=True, **told) == {"read": 1, "unchanged": 1}


@pytest.mark.parametrize(("newlines", "effect"), [("exact", "updated"), ("any", "unchanged")])
def test_line_ends_count_as_the_import_says(lab: Lab, vault: Any, newlines: str, effect: str) -> None:
    vault.put("db", "one\r\ntwo\r\n")
    assert lab.write(row("db", "one\ntwo\n"), adopt=True, newlines=newlines) == {"read": 1, effect: 1}


def test_what_was_equal_by_meaning_is_looked_at_again_where_it_shall_be_exact(lab: Lab, vault: Any) -> None:
    vault.put("db", "one\r\n")
    lab.settle()
    assert lab.write(row("db", "one\n"), adopt=True, newlines="any") == {"read": 1, "unchanged": 1}
    assert lab.write(row("db", "one\n"), adopt=True) == {"read": 1, "updated": 1}
    assert vault.value("db") == "one\n"


def test_attributes_of_an_equal_value_are_patched_and_the_value_stays_as_it_is_written(lab: Lab, vault: Any) -> None:
    vault.put("db", '{"a":2}', content_type="application/json")
    assert lab.write(row("db", '{ "a": 2 }', tags={"a": "b"}), adopt=True) == {"read": 1, "updated": 1}
    assert (vault.value("db"), len(vault.secrets["db"].versions)) == ('{"a":2}', 1)


# The version budget


def warnings(lab: Lab) -> list[str]:
    return [told.message for told in lab.journal.outcomes.values() if told.code == "version_budget"]


def test_a_version_over_the_budget_is_written_and_warned_of(lab: Lab, vault: Any) -> None:
    for number in range(60):
        vault.put("db", f"v{number}")
    assert lab.write(row("db", "new"), adopt=True, version_budget=60) == {"read": 1, "updated": 1}
    assert warnings(lab) == [
        f"db in {lab.hosts[0]} has more than 60 versions: a backup of it fails at 500, and versions cannot be deleted "
        "one by one; move on to a new name."
    ]
    assert lab.errors() == []
    assert vault.value("db") == "new"
    assert lab.calls()["versions"] == 3
    lab.sandbox.reset_calls()
    assert lab.write(row("db", "newer"), version_budget=60) == {"read": 1, "updated": 1}
    assert len(warnings(lab)) == 1
    assert "versions" not in lab.calls(), "what was counted once is remembered"


def test_versions_of_our_own_are_counted_without_a_call(lab: Lab, vault: Any) -> None:
    for number in range(5):
        lab.write(row("db", f"v{number}"), version_budget=4)
        assert bool(warnings(lab)) is (number >= 4), number
    assert "versions" not in lab.calls()
    lab.settle()
    vault.put("db", "theirs")
    lab.settle()
    lab.write(row("db", "ours"), version_budget=7)
    assert (lab.calls()["versions"], warnings(lab)) == (1, [])


def test_a_change_of_attributes_is_no_version(lab: Lab, vault: Any) -> None:
    for number in range(5):
        lab.write(row("db", tags={"n": str(number)}), version_budget=1)
        assert warnings(lab) == []


def test_versions_that_cannot_be_counted_are_no_reason_to_fail(lab: Lab, vault: Any) -> None:
    for number in range(3):
        vault.put("db", f"v{number}")
    target = lab.target(fields=("name", "value"), adopt=True, options={"version_budget": 1})
    target.begin(None, None)
    change = target.assess(row("db"), None)
    vault.deny("list")
    assert target.write(row("db"), change).effect is Effect.UPDATED
    assert vault.value("db") == "v"


# What the descriptor says


@pytest.mark.parametrize(
    ("mapped", "options", "problem"),
    [
        (["tags"], {"clear": ["tags"]}, "options.clear has tags and the mapping names tags"),
        (["expires"], {"clear": ["tags", "expires"]}, "options.clear has expires and the mapping names expires"),
        ([], {"clear": ["tags"], "tags": "merge"}, "options.clear has tags and options.tags has merge"),
        ([], {"clear": ["value"]}, "cannot be 'value'; it can be: content_type, not_before"),
        ([], {"deleted": "ignore"}, "cannot be 'ignore'; it can be: fail, recover, purge, suffix, skip"),
        ([], {"version_budget": 0}, "options.version_budget of an import into secrets cannot be 0"),
    ],
)
def test_what_cannot_be_combined_is_refused(mapped: list[str], options: dict[str, Any], problem: str) -> None:
    resource = AzureKeyVault.descriptor.resource("secrets")
    assert resource is not None
    with pytest.raises(SettingsError) as caught:
        resource.check_import("upsert", mapped, options)
    assert problem in str(caught.value)


def test_what_can_be_combined_comes_with_every_default() -> None:
    resource = AzureKeyVault.descriptor.resource("secrets")
    assert resource is not None
    assert resource.check_import("upsert", ["name", "value", "tags"], {"clear": ["expires"], "tags": "merge"}) == {
        "deleted": "fail", "clear": ["expires"], "tags": "merge", "compare": "meaning", "newlines": "exact",
        "version_budget": 400,
    }  # fmt: skip
