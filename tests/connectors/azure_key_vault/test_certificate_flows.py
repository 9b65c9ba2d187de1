"""Certificates from vault to vault and from rows: with their keys, once, and nothing that is equal already."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from acting import acting
from certificate_lab import (
    MOVED,
    RULES,
    authority,
    bring,
    bundle,
    held,
    many,
    move,
    old_pem,
    pair,
    pem,
    pfx,
    plant,
    row,
    rsa_key,
    target,
    versions,
)
from vault_lab import Lab

from connectors.azure_key_vault.vault.objects import PAGE_SIZE
from connectors.errors import SettingsError
from connectors.model import Effect, ReadOptions
from flows.model import RunStatus
from iclients.key_pairs import PEM, PFX
from iclients.secret import Secret

MANY = 75
PAGES = -(-MANY // PAGE_SIZE)


def test_certificates_of_every_kind_arrive_with_key_and_chain_once(lab: Lab) -> None:
    lab.sandbox.vault("contoso").ragged_pages = lab.sandbox.vault("fabrikam").ragged_pages = False
    sent = {name: (one, said) for name, one, said in many(MANY)}
    for name, (one, said) in sent.items():
        plant(lab, name, one, **said)
    lab.settle()
    lab.sandbox.reset_calls()
    assert move(lab, width=16) == {"read": MANY, "created": MANY}
    assert versions(lab) == {name.lower(): 1 for name in sent}
    for name, (one, said) in sent.items():
        there = held(lab, name)
        assert (there.digest, there.key_properties) == (one.digest, one.key_properties)
        assert [each.subject for each in there.chain] == [each.subject for each in one.chain]
        latest = lab.sandbox.vault("fabrikam").secrets[name.lower()].latest
        assert (latest.content_type, latest.tags) == (said["packed"], said["tags"])
    assert lab.calls("contoso") == {"cert_list": PAGES, "cert_get": MANY, "get": MANY}
    calls = lab.calls("fabrikam")
    calls.pop("cert_get", None)  # looks before creates, where more than half a minute has gone by since the list
    assert calls == {"cert_list": 1, "cert_deleted_list": 1, "cert_import": MANY}

    lab.settle()
    lab.sandbox.reset_calls()
    assert move(lab, width=16) == {"read": MANY, "unchanged": MANY}
    assert lab.calls("contoso") == {"cert_list": PAGES}
    assert lab.calls("fabrikam") == {"cert_list": PAGES, "cert_deleted_list": 1}


def test_what_actions_download_at_both_ends_is_one_certificate(lab: Lab) -> None:
    policy = {"issuer": {"name": "Self"}, "x509_props": {"subject": "CN=made.test"}, "key_props": {"kty": "RSA"}}
    made = acting(lab)("create_certificate", certificateName="made", policy=policy, tags={"team": "blue"})
    assert move(lab) == {"read": 1, "created": 1}
    there = acting(lab, "fabrikam")("get_certificate", certificateName="made")
    assert (there["thumbprint"], there["tags"]) == (made["thumbprint"], {"team": "blue"})
    downloaded = acting(lab, "fabrikam")("download_certificate", certificateName="made")
    assert downloaded["certificateFormat"] == "pfx"
    assert there["policy"]["x509_props"]["subject"] == "CN=made.test"
    assert there["policy"]["issuer"] == {"name": "Self"}


def test_only_the_one_that_was_renewed_moves_again(lab: Lab) -> None:
    for number in range(5):
        plant(lab, f"c{number}", pair())
    lab.settle()
    move(lab)
    renewed = pair("renewed.test")
    plant(lab, "c3", renewed)
    lab.settle()
    lab.sandbox.reset_calls()
    assert move(lab) == {"read": 5, "updated": 1, "unchanged": 4}
    assert held(lab, "c3").digest == renewed.digest
    assert versions(lab) == {"c0": 1, "c1": 1, "c2": 1, "c3": 2, "c4": 1}
    assert lab.calls("contoso") == {"cert_list": 1, "cert_get": 1, "get": 1}
    assert lab.calls("fabrikam") == {"cert_list": 1, "cert_deleted_list": 1, "cert_get": 1, "cert_import": 1}


@pytest.mark.parametrize("changed", [{"tags": {"b": "2"}}, {"tags": None}, {"enabled": False}])
def test_tags_and_state_alone_are_patched(lab: Lab, changed: dict[str, Any]) -> None:
    one = pfx(pair())
    assert bring(lab, row("tls", one, tags={"a": "1"}, enabled=True)) == {"read": 1, "created": 1}
    record = row("tls", one, **{"tags": {"a": "1"}, "enabled": True, **changed})
    assert bring(lab, record) == {"read": 1, "updated": 1}
    assert (versions(lab), lab.calls("fabrikam")["cert_import"]) == ({"tls": 1}, 1)
    found = bundle(lab, "tls")
    assert (found.get("tags") or {}) == (record.fields["tags"] or {})
    assert found["attributes"]["enabled"] is record.fields["enabled"]
    assert bring(lab, record) == {"read": 1, "unchanged": 1}


def test_a_policy_alone_is_patched(lab: Lab) -> None:
    one = pem(pair())
    bring(lab, row("tls", one, policy={"issuer": {"name": "Self"}}))
    changed = row("tls", one, policy='{"issuer": {"name": "Unknown"}, "x509_props": {"validity_months": 6}}')
    assert bring(lab, changed) == {"read": 1, "updated": 1}
    policy = bundle(lab, "tls")["policy"]
    assert (policy["issuer"], policy["x509_props"]["validity_months"]) == ({"name": "Unknown"}, 6)
    assert policy["x509_props"]["subject"] == "CN=contoso.test"
    assert lab.calls("fabrikam") | {"cert_list": 0} == {
        "cert_list": 0, "cert_deleted_list": 2, "cert_get": 3, "cert_import": 1, "cert_policy_patch": 1
    }  # fmt: skip
    assert bring(lab, changed) == {"read": 1, "unchanged": 1}


def test_what_the_mapping_leaves_open_is_carried_into_the_next_version(lab: Lab) -> None:
    bring(
        lab,
        row(
            "tls",
            pfx(pair()),
            tags={"owner": "them"},
            policy={"issuer": {"name": "Self"}, "key_props": {"reuse_key": True}},
        ),
    )
    renewed = pair(kind="RSA")
    assert bring(lab, row("tls", pem(renewed))) == {"read": 1, "updated": 1}
    found = bundle(lab, "tls")
    assert found["tags"] == {"owner": "them"}
    assert found["policy"]["issuer"] == {"name": "Self"}
    assert found["policy"]["key_props"] == {"kty": "RSA", "key_size": 2048, "exportable": True, "reuse_key": True}
    assert found["policy"]["secret_props"] == {"contentType": PEM}


def test_a_key_that_may_not_leave_fails_alone_and_is_never_read(lab: Lab) -> None:
    plant(lab, "kept", pair(), policy={"key_props": {"exportable": False}})
    plant(lab, "free", pair())
    lab.sandbox.reset_calls()
    assert move(lab) == {"read": 2, "created": 1, "failed": 1}
    (error,) = lab.errors()
    assert (error.key, error.code, error.step) == ("kept", "not_exportable", "import fabrikam/certificates")
    assert "make a new version there whose policy says exportable: true" in error.message
    assert lab.calls("contoso")["get"] == 1
    assert versions(lab) == {"free": 1}
    assert move(lab, where="name != 'kept'") == {"read": 2, "unchanged": 1, "skipped": 1}


def test_a_version_that_was_made_when_the_key_had_to_stay_is_told_likewise(lab: Lab) -> None:
    plant(lab, "kept", pair(), policy={"key_props": {"exportable": False}})
    acting(lab)("update_certificate_policy", certificateName="kept", policy={"key_props": {"exportable": True}})
    assert move(lab) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "not_exportable"


def test_a_disabled_certificate_says_how_to_go_on(lab: Lab) -> None:
    plant(lab, "off", pair(), attributes={"enabled": False})
    lab.sandbox.reset_calls()
    assert move(lab) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "secret_disabled"
    assert lab.calls("contoso") == {"cert_list": 1}
    assert move(lab, where="enabled") == {"read": 1, "skipped": 1}


def test_metadata_alone_reads_no_key(lab: Lab) -> None:
    plant(lab, "kept", pair(), policy={"key_props": {"exportable": False}})
    lab.sandbox.vault("contoso").deny("get")
    source = lab.connect().source("certificates", ReadOptions(True, frozenset({"name", "policy", "pem"})))
    [record] = [one for page in source.pages(None) for one in page.records]
    assert source.read(record).fields["exportable"] is False  # type: ignore[arg-type]
    listed = lab.connect().source("certificates", ReadOptions(True, frozenset({"name", "thumbprint"})))
    lab.sandbox.reset_calls()
    assert listed.read(record) is record  # type: ignore[arg-type]
    assert lab.calls() == {}


def test_lookalikes_and_the_parts_of_certificates_are_told_apart(lab: Lab) -> None:
    vault = lab.sandbox.vault("contoso")
    plant(lab, "tls", pair())
    vault.put("lone", pfx(pair()), content_type=PFX)
    assert move(lab) == {"read": 1, "created": 1}
    assert lab.copy() == {"read": 2, "created": 1, "skipped": 1}
    assert set(lab.sandbox.vault("fabrikam").secrets) == {"tls", "lone"}


def test_rows_of_a_file_become_certificates(lab: Lab) -> None:
    locked, chained = pair("locked.test", kind="RSA"), pair("chained.test", chain=True)
    wrapped = textwrap.fill(pfx(locked, "hunter2"), 64)
    rows = [
        row("locked", wrapped, password=Secret("hunter2"), policy=""),
        row("chained", old_pem(chained), password="", policy='{"issuer": {"name": "Self"}}'),
    ]
    counts = bring(lab, *rows)
    assert (counts, lab.errors()) == ({"read": 2, "created": 2}, [])
    assert held(lab, "locked").digest == locked.digest
    there = held(lab, "chained")
    assert (there.digest, there.chain) == (chained.digest, (authority().certificate,))
    assert lab.sandbox.vault("fabrikam").value("chained").startswith("-----BEGIN PRIVATE KEY-----")
    assert bring(lab, *rows) == {"read": 2, "unchanged": 2}


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [
        ("nonsense!", "invalid_certificate", "is neither PEM nor a PFX in base64"),
        ("aGVsbG8=", "invalid_certificate", "is a PFX that cannot be opened"),
        ("", "invalid_value", "value is missing"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "invalid_certificate",
            "is PEM without a certificate",
        ),
    ],
)
def test_what_is_no_certificate_is_told_before_any_call(lab: Lab, value: str, code: str, said: str) -> None:
    assert bring(lab, row("bad", value), row("good", pfx(pair()))) == {"read": 2, "created": 1, "failed": 1}
    (error,) = lab.errors()
    assert (error.key, error.code) == ("bad", code)
    assert said in error.message
    assert lab.calls("fabrikam")["cert_import"] == 1


def test_keys_that_do_not_fit_are_told_without_the_value(lab: Lab) -> None:
    one, other = pair(), pair()
    wrong = pem(one).replace(
        pem(one).partition("-----END PRIVATE KEY-----")[0], pem(other).partition("-----END PRIVATE KEY-----")[0]
    )
    certificate = pem(one).partition("-----END PRIVATE KEY-----\n")[2]
    rows = [row("other", wrong), row("locked", pfx(one, "hunter2")), row("public", certificate)]
    assert bring(lab, *rows) == {"read": 3, "failed": 3}
    told = {error.key: (error.code, error.message) for error in lab.errors()}
    assert told["other"] == (
        "invalid_certificate",
        "other: value has a private key that is of none of its certificates.",
    )
    assert told["locked"][0] == "invalid_certificate"
    assert told["public"][0] == "not_exportable"
    assert not any(text in str(told) for text in ("hunter2", pem(one)[40:80]))
    assert "cert_import" not in lab.calls("fabrikam")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"policy": "{"}, "invalid_policy"),
        ({"policy": {"issuer": "Self"}}, "invalid_policy"),
        ({"tags": "x"}, "invalid_tags"),
        ({"enabled": "perhaps"}, "invalid_enabled"),
    ],
)
def test_a_field_that_cannot_be_is_named(lab: Lab, fields: dict[str, Any], code: str) -> None:
    assert bring(lab, row("tls", pfx(pair()), **fields)) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == code


@pytest.mark.parametrize("name", ["a b", "issuers", "Contacts", ""])
def test_a_name_that_no_certificate_can_have_is_refused(lab: Lab, name: str) -> None:
    assert bring(lab, row(name, pfx(pair()))) == {"read": 1, "failed": 1}
    assert lab.errors()[0].code == "invalid_name"


# Whose it is


def test_what_nobody_of_ours_wrote_is_a_conflict_unless_it_is_adopted(lab: Lab) -> None:
    theirs, ours = pair("theirs.test"), pair("ours.test")
    plant(lab, "tls", theirs, vault="fabrikam")
    plant(lab, "TLS", ours)
    assert move(lab) == {"read": 1, "conflicts": 1}
    assert (lab.errors()[0].code, held(lab, "tls").digest) == ("unowned", theirs.digest)
    assert move(lab, adopt=True) == {"read": 1, "updated": 1}
    assert (held(lab, "tls").digest, versions(lab)) == (ours.digest, {"tls": 2})
    assert move(lab) == {"read": 1, "unchanged": 1}


def test_what_is_equal_already_is_no_conflict_however_it_is_packed(lab: Lab) -> None:
    one = pair()
    plant(lab, "tls", one, packed=PEM)
    plant(lab, "tls", one, vault="fabrikam", packed=PFX)
    assert move(lab, RULES[:2]) == {"read": 1, "unchanged": 1}
    assert versions(lab) == {"tls": 1}


@pytest.mark.parametrize(
    ("operation", "missing", "there"),
    [("add", "created", "skipped"), ("update", "skipped", "updated"), ("upsert", "created", "updated")],
)
def test_add_never_touches_and_update_never_makes(lab: Lab, operation: str, missing: str, there: str) -> None:
    assert bring(lab, row("new", pfx(pair())), operation=operation) == {"read": 1, missing: 1}
    plant(lab, "old", pair(), vault="fabrikam")
    assert bring(lab, row("old", pfx(pair())), operation=operation, adopt=True) == {"read": 1, there: 1}


# What blocks a name


@pytest.fixture
def gone(lab: Lab) -> Any:
    """A deleted certificate at the target, and another one of its name at the source."""
    old, new = pair("old.test"), pair("new.test")
    plant(lab, "tls", old, vault="fabrikam", tags={"old": "1"})
    acting(lab, "fabrikam")("delete_certificate", certificateName="tls")
    plant(lab, "tls", new)
    return old, new


def test_a_deleted_name_is_a_conflict_before_anything_is_sent(lab: Lab, gone: Any) -> None:
    assert move(lab) == {"read": 1, "conflicts": 1}
    assert lab.errors()[0].code == "deleted_but_recoverable"
    assert "cert_import" not in {**lab.calls("fabrikam")} or lab.calls("fabrikam")["cert_import"] == 1


def test_a_deleted_name_is_skipped_recovered_or_purged_as_the_import_says(lab: Lab, gone: Any) -> None:
    _, new = gone
    assert move(lab, options={"deleted": "skip"}) == {"read": 1, "skipped": 1}
    assert move(lab, options={"deleted": "recover"}) == {"read": 1, "created": 1}
    assert (held(lab, "tls").digest, versions(lab)) == (new.digest, {"tls": 2})
    assert move(lab) == {"read": 1, "unchanged": 1}


def test_purging_leaves_nothing_of_the_old_one(lab: Lab, gone: Any) -> None:
    assert move(lab, options={"deleted": "purge"}) == {"read": 1, "created": 1}
    assert (held(lab, "tls").digest, versions(lab)) == (gone[1].digest, {"tls": 1})


def test_recovering_what_is_equal_imports_nothing(lab: Lab) -> None:
    one = pair()
    plant(lab, "tls", one, vault="fabrikam")
    acting(lab, "fabrikam")("delete_certificate", certificateName="tls")
    plant(lab, "tls", one)
    assert move(lab, RULES[:2], options={"deleted": "recover"}) == {"read": 1, "created": 1}
    assert versions(lab) == {"tls": 1}


def test_purge_protection_is_told_and_nothing_is_imported(lab: Lab, gone: Any) -> None:
    lab.sandbox.vault("fabrikam").purge_protection = True
    assert move(lab, options={"deleted": "purge"}) == {"read": 1, "conflicts": 1}
    assert lab.errors()[0].code == "purge_protected"
    assert "options: deleted: recover" in lab.errors()[0].message


@pytest.mark.parametrize("noun", ["secret", "key"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_lone_secret_or_key_of_the_name_is_told_for_what_it_is(lab: Lab, noun: str, is_deleted: bool) -> None:
    act = acting(lab, "fabrikam")
    if noun == "secret":
        lab.sandbox.vault("fabrikam").put("tls", "v")
    else:
        act("create_key", keyName="tls", keyType="EC")
    if is_deleted:
        act(f"delete_{noun}", **{f"{noun}Name": "tls"})
    plant(lab, "tls", pair())
    assert move(lab) == {"read": 1, "conflicts": 1}
    (error,) = lab.errors()
    assert error.code == "not_a_certificate"
    assert f"a {noun} that belongs to no certificate" in error.message
    assert ("was deleted" in error.message) is is_deleted


def test_one_that_is_being_made_is_told(lab: Lab) -> None:
    policy = {"issuer": {"name": "Unknown"}, "x509_props": {"subject": "CN=x.test"}}
    acting(lab, "fabrikam")("create_certificate", certificateName="tls", policy=policy)
    plant(lab, "tls", pair())
    assert move(lab) == {"read": 1, "conflicts": 1}
    assert lab.errors()[0].code == "being_made"


# Policies


def test_a_policy_moves_without_renewal_where_its_issuer_is_not_known(lab: Lab) -> None:
    policy = {
        "issuer": {"name": "DigiCert1"},
        "lifetime_actions": [{"trigger": {"days_before_expiry": 30}, "action": {"action_type": "AutoRenew"}}],
    }
    plant(lab, "tls", pair(), policy=policy)
    plant(lab, "tls2", pair(), policy=policy)
    assert move(lab) == {"read": 2, "created": 2}
    told = [(outcome.code, outcome.message) for outcome in lab.journal.outcomes.values()]
    assert all(code == "issuer_unknown" and "moved without renewal by DigiCert1" in message for code, message in told)
    there = bundle(lab, "tls")["policy"]
    assert (there["issuer"], there["lifetime_actions"][0]["action"]) == (
        {"name": "Unknown"},
        {"action_type": "EmailContacts"},
    )
    assert there["lifetime_actions"][0]["trigger"] == {"days_before_expiry": 30}
    assert lab.calls("fabrikam")["cert_issuer_get"] == 1
    assert move(lab) == {"read": 2, "unchanged": 2}


def test_a_policy_moves_whole_where_its_issuer_is_known(lab: Lab) -> None:
    acting(lab, "fabrikam")("set_certificate_issuer", issuerName="DigiCert1", issuerProvider="DigiCert")
    plant(lab, "tls", pair(), policy={"issuer": {"name": "DigiCert1"}})
    assert move(lab) == {"read": 1, "created": 1}
    assert bundle(lab, "tls")["policy"]["issuer"] == {"name": "DigiCert1"}
    assert [outcome.message for outcome in lab.journal.outcomes.values()] == [""]


def test_a_policy_of_another_key_gives_way_to_the_certificate(lab: Lab) -> None:
    plant(lab, "tls", pair(kind="RSA"))
    policy = {"key_props": {"kty": "EC", "crv": "P-384"}, "secret_props": {"contentType": PEM}}
    acting(lab)("update_certificate_policy", certificateName="tls", policy=policy)
    assert move(lab) == {"read": 1, "created": 1}
    there = bundle(lab, "tls")["policy"]
    assert there["key_props"]["kty"] == "RSA"
    assert there["secret_props"] == {"contentType": PFX}
    assert lab.sandbox.vault("fabrikam").keys["tls"].latest.kty == "RSA"


# What cannot be asked for


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"operation": "delete"}, "cannot be imported with operation delete"),
        ({"fields": ("name", "value", "expires")}, "names expires, which no certificate can be given"),
        ({"fields": ("name",)}, "does not name value"),
        ({"options": {"deleted": "maybe"}}, "options.deleted cannot be 'maybe'"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(lab: Lab, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        target(lab, **options)


def test_a_missing_right_names_the_role(lab: Lab) -> None:
    plant(lab, "tls", pair())
    lab.sandbox.vault("fabrikam").deny("certificates/import")
    assert move(lab) == {"read": 1, "failed": 1}
    assert "may not import certificates" in lab.errors()[0].message
    assert "Key Vault Certificates Officer" in lab.errors()[0].message
    assert lab.status is RunStatus.WITH_ERRORS


def test_two_rows_of_one_name_move_once(lab: Lab) -> None:
    assert bring(lab, row("tls", pfx(pair())), row("TLS", pfx(pair()))) == {"read": 2, "created": 1, "failed": 1}
    assert lab.errors()[0].code == "duplicate_name"


def test_a_change_hides_the_key(lab: Lab) -> None:
    one = pair(key=rsa_key(1))
    into = target(lab, fields=MOVED[:2])
    into.begin(None, None)
    change = into.assess(row("tls", pem(one)), None)
    assert change.effect is Effect.CREATED
    assert "PRIVATE" not in f"{change!r}{change.payload!r}{change.payload.write!r}{change.payload.aim.wanted!r}"
