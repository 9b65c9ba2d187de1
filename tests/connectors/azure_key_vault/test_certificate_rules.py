"""The options of an import into certificates: what is cleared and merged, names of deleted ones, and when a run warns."""

from __future__ import annotations

from typing import Any

import pytest
from certificate_lab import RULES, bring, bundle, held, move, pair, pem, pfx, plant, row, target, versions
from vault_lab import Lab

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.writing.rules import PURGE, RECOVER, SKIP, SUFFIX
from connectors.errors import SettingsError
from connectors.model import Effect, ReadOptions
from flows.model import MappingRule
from iclients.key_pairs import KeyPair

NAMED = (*RULES, MappingRule("original_name", "original_name"))


def tags(lab: Lab, name: str = "tls", vault: str = "fabrikam") -> dict[str, str]:
    return dict(bundle(lab, name, vault).get("tags") or {})


def planted(lab: Lab, **said: Any) -> KeyPair:
    """A certificate of somebody else at the target."""
    one = pair()
    plant(lab, "tls", one, vault="fabrikam", **said)
    return one


def gone(lab: Lab, *names: str, one: KeyPair | None = None) -> None:
    """Deleted certificates at the target."""
    certificates = lab.connect("fabrikam")._data_plane().certificates
    for name in names or ("tls",):
        plant(lab, name, one or pair("gone.test"), vault="fabrikam")
        certificates.delete(name)
    lab.settle()


# Clearing and merging


def test_what_is_cleared_goes_and_all_else_is_kept(lab: Lab) -> None:
    one = planted(lab, tags={"a": "b"}, attributes={"enabled": False})
    assert bring(lab, row("tls", pfx(one)), adopt=True, options={"clear": ["tags"]}) == {"read": 1, "updated": 1}
    assert (tags(lab), bundle(lab, "tls")["attributes"]["enabled"], versions(lab)) == ({}, False, {"tls": 1})
    assert bring(lab, row("tls", pfx(one)), options={"clear": ["enabled"]}) == {"read": 1, "updated": 1}
    assert bundle(lab, "tls")["attributes"]["enabled"] is True
    assert bring(lab, row("tls", pfx(one)), options={"clear": ["enabled", "tags"]}) == {"read": 1, "unchanged": 1}


def test_clearing_what_is_not_there_or_clear_already_makes_no_write_of_its_own(lab: Lab) -> None:
    one = pfx(pair())
    clear = {"clear": ["tags", "enabled"]}
    assert bring(lab, row("tls", one), options=clear) == {"read": 1, "created": 1}
    assert bring(lab, row("tls", one), options=clear) == {"read": 1, "unchanged": 1}
    assert lab.calls("fabrikam")["cert_import"] == 1
    assert "cert_patch" not in lab.calls("fabrikam")


def test_a_renewal_clears_and_merges_in_its_new_version(lab: Lab) -> None:
    planted(lab, tags={"a": "b"}, attributes={"enabled": False})
    record = row("tls", pfx(pair()), tags={"x": "y"})
    options = {"clear": ["enabled"], "tags": "merge"}
    assert bring(lab, record, adopt=True, options=options) == {"read": 1, "updated": 1}
    assert (tags(lab), bundle(lab, "tls")["attributes"]["enabled"]) == ({"a": "b", "x": "y"}, True)
    assert versions(lab) == {"tls": 2}


@pytest.mark.parametrize(("how", "there"), [("replace", {"x": "y"}), ("merge", {"a": "b", "x": "y"})])
def test_mapped_tags_replace_or_come_to_those_that_are_there(lab: Lab, how: str, there: dict[str, str]) -> None:
    record = row("tls", pfx(planted(lab, tags={"a": "b"})), tags={"x": "y"})
    assert bring(lab, record, adopt=True, options={"tags": how}) == {"read": 1, "updated": 1}
    assert (tags(lab), versions(lab)) == (there, {"tls": 1})
    assert bring(lab, record, options={"tags": how}) == {"read": 1, "unchanged": 1}


def test_what_was_equal_while_tags_were_merged_is_looked_at_again_where_they_replace(lab: Lab) -> None:
    record = row("tls", pfx(planted(lab, tags={"a": "b", "x": "y"})), tags={"x": "y"})
    lab.settle()
    assert bring(lab, record, adopt=True, options={"tags": "merge"}) == {"read": 1, "unchanged": 1}
    assert bring(lab, record, adopt=True) == {"read": 1, "updated": 1}
    assert tags(lab) == {"x": "y"}


def test_sixteen_tags_are_too_many(lab: Lab) -> None:
    one = planted(lab, tags={f"t{number}": "x" for number in range(15)})
    record = row("tls", pfx(one), tags={"one": "more"})
    assert bring(lab, record, adopt=True, options={"tags": "merge"}) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "too_many_tags"
    crowded = row("new", pfx(one), tags={f"t{number}": "x" for number in range(15)}, original_name="n/ew")
    assert bring(lab, crowded) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "too_many_tags"


# The original name


def test_an_original_name_is_a_tag_beside_the_others_and_is_read_as_a_field(lab: Lab) -> None:
    one = planted(lab, tags={"a": "b"})
    record = row("tls", pfx(one), original_name="site/tls")
    assert bring(lab, record, adopt=True) == {"read": 1, "updated": 1}
    assert tags(lab) == {"a": "b", "original-name": "site/tls"}
    assert bring(lab, record) == {"read": 1, "unchanged": 1}
    assert versions(lab) == {"tls": 1}
    for resource in ("certificates", "certificate_versions"):
        source = lab.connect("fabrikam").source(resource, ReadOptions())
        (listed,) = [record for page in source.pages(None) for record in page.records]
        assert listed.fields["original_name"] == "site/tls"  # type: ignore[union-attr]
    assert bring(lab, row("tls", pfx(one), original_name="")) == {"read": 1, "updated": 1}
    assert tags(lab) == {"a": "b"}


def test_an_original_name_moves_from_vault_to_vault(lab: Lab) -> None:
    plant(lab, "tls", pair(), tags={"original-name": "site/tls", "a": "b"})
    assert move(lab, NAMED) == {"read": 1, "created": 1}
    assert tags(lab) == {"a": "b", "original-name": "site/tls"}
    assert move(lab, NAMED) == {"read": 1, "unchanged": 1}


@pytest.mark.parametrize("adopt", [False, True])
def test_a_name_that_stands_for_another_original_is_left_alone(lab: Lab, adopt: bool) -> None:
    one = pair()
    bring(lab, row("tls-x", pfx(one), original_name="tls/x"))
    other = row("tls-x", pfx(pair()), original_name="tls.x")
    assert bring(lab, other, adopt=adopt) == {"read": 1, "conflicts": 1}
    (error,) = lab.errors()
    assert error.code == "name_taken"
    assert "stands for tls/x, not for tls.x: give one of them another name." in error.message
    assert (held(lab, "tls-x").digest, versions(lab)) == (one.digest, {"tls-x": 1})


# Names of deleted certificates


def test_under_a_suffix_it_is_written_once_and_found_again(lab: Lab) -> None:
    gone(lab, "tls", "tls-2")
    one = pair()
    for effect in ("created", "unchanged", "unchanged"):
        assert bring(lab, row("tls", pfx(one)), options={"deleted": SUFFIX}) == {"read": 1, effect: 1}
        lab.settle()
    assert (versions(lab), held(lab, "tls-3").digest) == ({"tls-3": 1}, one.digest)
    renewed = pair()
    assert bring(lab, row("tls", pem(renewed)), options={"deleted": SUFFIX}) == {"read": 1, "updated": 1}
    lab.connect("fabrikam")._data_plane().certificates.purge("tls")
    lab.settle()
    lab.sandbox.reset_calls()
    assert bring(lab, row("tls", pem(renewed)), options={"deleted": SUFFIX}) == {"read": 1, "unchanged": 1}
    assert (versions(lab), held(lab, "tls-3").digest) == ({"tls-3": 2}, renewed.digest)
    assert lab.calls("fabrikam") == {"cert_list": 1, "cert_deleted_list": 1}


def test_a_suffix_takes_what_is_equal_and_passes_what_is_somebody_elses(lab: Lab) -> None:
    gone(lab)
    one = pair()
    plant(lab, "tls-2", pair("theirs.test"), vault="fabrikam")
    plant(lab, "tls-3", one, vault="fabrikam")
    assert bring(lab, row("tls", pfx(one)), options={"deleted": SUFFIX}) == {"read": 1, "unchanged": 1}
    assert versions(lab) == {"tls-2": 1, "tls-3": 1}


def test_a_name_that_was_given_away_as_a_suffix_is_taken(lab: Lab) -> None:
    gone(lab)
    into = target(lab, fields=("name", "value"), options={"deleted": SUFFIX})
    into.begin(None, None)
    first = into.assess(row("tls", pfx(pair())), None)
    assert (first.effect, first.payload.aim.name) == (Effect.CREATED, "tls-2")
    second = into.assess(row("tls-2", pfx(pair())), None)
    assert (second.effect, second.code) == (Effect.CONFLICT, "name_taken")
    assert "whose own name a deleted certificate blocks" in second.reason


@pytest.mark.parametrize("rule", [RECOVER, PURGE, SUFFIX, SKIP])
def test_a_rule_for_deleted_names_does_nothing_to_names_that_are_free_or_there(lab: Lab, rule: str) -> None:
    one = pair()
    assert bring(lab, row("tls", pfx(one)), options={"deleted": rule}) == {"read": 1, "created": 1}
    assert bring(lab, row("tls", pfx(one)), options={"deleted": rule}) == {"read": 1, "unchanged": 1}
    assert bring(lab, row("tls", pfx(pair())), options={"deleted": rule}) == {"read": 1, "updated": 1}
    assert versions(lab) == {"tls": 2}


@pytest.mark.parametrize(
    ("rule", "effect", "there"),
    [
        (RECOVER, "created", {"tls": 2}),
        (PURGE, "conflicts", {}),
        (SUFFIX, "created", {"tls-2": 1}),
        (SKIP, "skipped", {}),
    ],
)
def test_purge_protection_keeps_what_was_deleted(lab: Lab, rule: str, effect: str, there: dict[str, int]) -> None:
    lab.sandbox.vault("fabrikam").purge_protection = True
    gone(lab)
    assert bring(lab, row("tls", pfx(pair())), options={"deleted": rule}) == {"read": 1, effect: 1}
    assert versions(lab) == there
    assert [error.code for error in lab.errors()] == (["purge_protected"] if rule == PURGE else [])
    assert "cert_purge" not in lab.calls("fabrikam")


@pytest.mark.parametrize("rule", [RECOVER, PURGE, SUFFIX])
def test_a_vault_that_is_slow_is_waited_for(lab: Lab, rule: str) -> None:
    gone(lab)
    lab.sandbox.vault("fabrikam").settle_seconds = 5.0
    one = pair()
    assert bring(lab, row("tls", pfx(one)), options={"deleted": rule}) == {"read": 1, "created": 1}
    assert held(lab, "tls-2" if rule == SUFFIX else "tls").digest == one.digest


def test_who_may_not_list_what_was_deleted_goes_on_by_looks(lab: Lab) -> None:
    gone(lab)
    one = pair()
    lab.sandbox.faults.add("403", host="fabrikam", method="GET", path="deletedcertificates[?]", times=9)
    assert bring(lab, row("tls", pfx(one))) == {"read": 1, "conflicts": 1}
    assert lab.errors()[0].code == "deleted_but_recoverable"
    assert bring(lab, row("tls", pfx(one)), options={"deleted": RECOVER}) == {"read": 1, "created": 1}
    assert (held(lab, "tls").digest, versions(lab)) == (one.digest, {"tls": 2})


# The version budget


def warnings(lab: Lab) -> list[str]:
    return [told.message for told in lab.journal.outcomes.values() if told.code == "version_budget"]


def test_a_version_over_the_budget_is_imported_and_warned_of(lab: Lab) -> None:
    for _ in range(30):
        plant(lab, "tls", pair(), vault="fabrikam")
    lab.sandbox.reset_calls()
    options = {"version_budget": 30}
    assert bring(lab, row("tls", pfx(pair())), adopt=True, options=options) == {"read": 1, "updated": 1}
    (warning,) = warnings(lab)
    assert warning.startswith("tls in ")
    assert "has more than 30 versions: a backup of it fails at 500" in warning
    assert (lab.errors(), lab.calls("fabrikam")["cert_versions"]) == ([], 2)
    lab.sandbox.reset_calls()
    assert bring(lab, row("tls", pfx(pair())), options=options) == {"read": 1, "updated": 1}
    assert len(warnings(lab)) == 1
    assert "cert_versions" not in lab.calls("fabrikam"), "what was counted once is remembered"


def test_versions_of_our_own_are_counted_without_a_call(lab: Lab) -> None:
    for number in range(4):
        bring(lab, row("tls", pfx(pair())), options={"version_budget": 3})
        assert bool(warnings(lab)) is (number >= 3), number
    one = pfx(pair())
    for number in range(3):
        bring(lab, row("other", one, tags={"n": str(number)}), options={"version_budget": 1})
        assert warnings(lab) == [], "a change of tags is no version"
    assert "cert_versions" not in lab.calls("fabrikam")


def test_versions_that_cannot_be_counted_are_no_reason_to_fail(lab: Lab) -> None:
    planted(lab)
    lab.sandbox.faults.add("403", host="fabrikam", method="GET", path="/versions", times=9)
    counts = bring(lab, row("tls", pfx(pair())), adopt=True, options={"version_budget": 1})
    assert (counts, warnings(lab)) == ({"read": 1, "updated": 1}, [])


# What the descriptor says


@pytest.mark.parametrize(
    ("mapped", "options", "problem"),
    [
        (["tags"], {"clear": ["tags"]}, "options.clear has tags and the mapping names tags"),
        ([], {"clear": ["tags"], "tags": "merge"}, "options.clear has tags and options.tags has merge"),
        ([], {"clear": ["expires"]}, "cannot be 'expires'; it can be: tags, enabled"),
        ([], {"version_budget": 0}, "options.version_budget of an import into certificates cannot be 0"),
    ],
)
def test_what_cannot_be_combined_is_refused(mapped: list[str], options: dict[str, Any], problem: str) -> None:
    resource = AzureKeyVault.descriptor.resource("certificates")
    assert resource is not None
    with pytest.raises(SettingsError) as caught:
        resource.check_import("upsert", mapped, options)
    assert problem in str(caught.value)
