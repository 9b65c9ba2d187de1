"""What a vault says, and what a record must be to become a secret."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vault_lab import Lab

from connectors.azure_key_vault.model import SecretProperties, VaultAddress, iso
from connectors.azure_key_vault.sandbox import Sandbox
from connectors.azure_key_vault.schemas import load_page, load_properties, load_record, load_secret
from connectors.errors import RecordError
from connectors.model import Record
from iclients.errors import MalformedAnswer
from iclients.secret import Secret

VERSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    with Sandbox.start(vaults={"contoso": 0}) as sandbox:
        made = Lab(sandbox)
        yield made
        made.transport.close()


def refusal(**fields: Any) -> RecordError:
    with pytest.raises(RecordError) as caught:
        load_record({"name": "db", "value": Secret("v4lue"), **fields})
    assert "v4lue" not in str(caught.value)
    assert str(caught.value).startswith("db: " if "name" not in fields else "")
    return caught.value


def test_a_record_becomes_what_shall_be_written() -> None:
    loaded = load_record(
        {
            "name": "db",
            "value": Secret("v"),
            "content_type": "text/plain",
            "enabled": False,
            "not_before": "2026-01-01T00:00:00Z",
            "expires": 1_800_000_000,
            "tags": {"owner": "payments"},
        }
    )
    assert loaded == {
        "name": "db",
        "value": "v",
        "content_type": "text/plain",
        "enabled": False,
        "not_before": 1_767_225_600,
        "expires": 1_800_000_000,
        "tags": {"owner": "payments"},
    }


def test_what_the_record_does_not_have_is_not_there_and_what_is_empty_is_not_set() -> None:
    with pytest.raises(RecordError, match="db: value is empty"):
        load_record({"name": "db", "value": ""})
    empty = {"content_type": "", "enabled": "", "not_before": "", "expires": "", "tags": ""}
    assert load_record({"name": "db", "value": "v", **empty}) == {
        "name": "db", "value": "v", "content_type": None, "enabled": None, "not_before": None, "expires": None, "tags": {}
    }  # fmt: skip
    nothing = dict.fromkeys(empty)
    assert load_record({"name": "db", "value": "v", **nothing}) == {"name": "db", "value": "v", **nothing}


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("True", True), ("1", True), ("false", False), ("FALSE", False), ("0", False)]
)
def test_flags_are_read_as_files_write_them(text: str, flag: bool) -> None:
    assert load_record({"name": "db", "value": "v", "enabled": text})["enabled"] is flag


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-12T03:00:00Z", 1_794_452_400),
        ("2026-11-12T03:00:00", 1_794_452_400),
        ("2026-11-12T04:00:00+01:00", 1_794_452_400),
        ("2026-11-12", 1_794_441_600),
        ("1794452400", 1_794_452_400),
        (1_794_452_400.9, 1_794_452_400),
        (0, 0),
    ],
)
def test_moments_are_iso_or_unix_seconds(text: Any, seconds: int) -> None:
    assert load_record({"name": "db", "value": "v", "expires": text})["expires"] == seconds


@pytest.mark.parametrize("moment", ["tomorrow", "2026-13-01", "²", True, math.inf, math.nan, [], Secret("2026-01-01")])
def test_what_is_no_moment_is_refused(moment: Any) -> None:
    error = refusal(expires=moment)
    assert error.code == "invalid_expires"
    assert "is not a moment: write 2026-11-12t03:00:00z or unix seconds" in str(error).lower()


@pytest.mark.parametrize("flag", ["maybe", 2, [], Secret("true")])
def test_what_is_no_flag_is_refused(flag: Any) -> None:
    assert str(refusal(enabled=flag)) == "db: enabled is neither true nor false."


def test_tags_may_be_json_in_a_cell() -> None:
    assert load_record({"name": "db", "value": "v", "tags": '{"owner": "payments"}'})["tags"] == {"owner": "payments"}


@pytest.mark.parametrize("tags", ["{", "owner=payments", "[1]", "[" * 5000, '{"a": 1}', {"a": None}, 3, {"x" * 257: "v"}, {"k": "x" * 257}])  # fmt: skip
def test_what_are_no_tags_is_refused(tags: Any) -> None:
    assert refusal(tags=tags).code == "invalid_tags"


def test_fifteen_tags_are_taken_and_sixteen_are_not() -> None:
    tags = {f"t{number}": "x" for number in range(15)}
    assert len(load_record({"name": "db", "value": "v", "tags": tags})["tags"]) == 15
    assert str(refusal(tags={**tags, "one": "more"})) == "db: tags has more than 15 entries."


@pytest.mark.parametrize("name", ["", "a_b", "a b", "ä", "x" * 128, "a/b", "a\n", "../secrets", None, 3, Secret("db")])
def test_a_name_that_a_vault_cannot_have_is_refused(name: Any) -> None:
    assert refusal(name=name).code == "invalid_name"


def test_a_name_may_be_as_long_as_a_vault_lets_it_be() -> None:
    assert load_record({"name": "x" * 127, "value": "v"})["name"] == "x" * 127
    with pytest.raises(RecordError, match="name is missing"):
        load_record({"value": "v"})


def test_a_value_may_have_25600_characters_and_no_more() -> None:
    assert len(load_record({"name": "db", "value": Secret("é" * 25_600)})["value"]) == 25_600
    error = refusal(value=Secret("v4lue" * 5_121))
    assert error.code == "value_too_large"
    assert str(error) == "db: the value has 25,605 characters; Key Vault takes at most 25,600 (25 KB)."


@pytest.mark.parametrize("value", [3, 1.5, True, [], {"a": "v4lue"}, b"v4lue"])
def test_a_value_that_is_no_text_is_refused(value: Any) -> None:
    assert refusal(value=value).code == "invalid_value"


def test_a_missing_value_is_told() -> None:
    assert str(refusal(value=None)) == "db: value is missing."
    with pytest.raises(RecordError, match="value is missing"):
        load_record({"name": "db"})


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    error = refusal(value=Secret("v4lue\ud83d"))
    assert error.code == "invalid_value"
    assert "lone surrogate" in str(error)


def test_a_content_type_may_have_255_characters() -> None:
    assert load_record({"name": "db", "value": "v", "content_type": "x" * 255})["content_type"] == "x" * 255
    assert "longer than 255 characters" in str(refusal(content_type="x" * 256))
    assert refusal(content_type=3).code == "invalid_content_type"
    assert "is made of a secret" in str(refusal(content_type=Secret("text")))


def test_a_field_that_no_vault_knows_is_refused() -> None:
    assert refusal(owner="me").code == "invalid_owner"


def test_what_another_vault_tells_of_its_secret_is_left_out() -> None:
    fields = SecretProperties("db", version=VERSION, created=1, updated=2, id="https://other/secrets/db").fields()
    loaded = load_record({**fields, "value": "v"})
    written = {"name", "value", "content_type", "enabled", "not_before", "expires", "tags", "original_name"}
    assert set(loaded) == written


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
secrets = st.fixed_dictionaries(
    {"value": texts.filter(bool)},
    optional={
        "content_type": texts.filter(bool),
        "enabled": st.just(True),
        "nbf": st.integers(0, 253_402_300_799),
        "exp": st.integers(0, 253_402_300_799),
        "tags": st.dictionaries(texts, texts, max_size=15),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=secrets)
def test_the_fields_of_any_secret_make_the_same_secret_again(shared: Lab, secret: dict[str, Any]) -> None:
    vault, api = shared.sandbox.vault("contoso"), shared.secrets()
    vault.put("one", **secret)
    first = api.get("one")
    loaded = load_record({**first.properties.fields(), "value": first.value})
    target = shared.target(adopt=True)
    target.begin(None, None)
    change = target.assess(Record("two", {**loaded, "name": "two"}), None)
    target.write(Record("two", {}), change)
    second = api.get("two")
    assert second.value == first.value
    for name in ("content_type", "enabled", "not_before", "expires"):
        assert (getattr(second.properties, name) or None) == (getattr(first.properties, name) or None)
    assert dict(second.properties.tags) == dict(first.properties.tags)


# The other direction


def test_a_list_answer_gives_properties_and_the_next_link() -> None:
    items, link = load_page(
        {
            "value": [{"id": "https://v/secrets/db", "attributes": {"enabled": False, "updated": 7}, "new": 1}],
            "nextLink": "https://v/x",
        }
    )
    assert (items[0].name, items[0].version, items[0].enabled, items[0].updated) == ("db", None, False, 7)
    assert link == "https://v/x"
    assert load_page({"value": None, "nextLink": None}) == ([], None)
    assert load_page({"value": [], "nextLink": ""}) == ([], None)
    assert load_page({}) == ([], None)


def test_names_come_from_the_path_of_an_id_whatever_host_it_names() -> None:
    for host in ("contoso.vault.azure.net", "elsewhere.test:8443", "127.0.0.1"):
        loaded = load_properties({"id": f"https://{host}/secrets/my%2Ddb/{VERSION}"})
        assert (loaded.name, loaded.version) == ("my-db", VERSION)


def test_a_secret_hides_its_value_when_it_is_printed() -> None:
    secret = load_secret({"id": f"https://v/secrets/db/{VERSION}", "value": "v4lue"})
    assert "v4lue" not in repr(secret)
    assert secret.value.reveal() == "v4lue"


@pytest.mark.parametrize(
    "document",
    [None, [], "text", {}, {"id": 3}, {"id": "https://v/"}, {"id": "https://v/secrets"}, {"id": "https://v/secrets/db"},
     {"id": "https://v/secrets/db", "value": 3}, {"id": "https://v/secrets/db", "value": "v4lue", "attributes": "x"},
     {"id": "https://v/secrets/db", "value": "v4lue", "attributes": {"exp": "soon"}}],
)  # fmt: skip
def test_an_answer_that_the_api_does_not_promise_is_told_without_what_it_said(document: Any) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        load_secret(document)
    assert "v4lue" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("document", [None, [], {"value": {}}, {"value": [{}]}, {"value": [], "nextLink": 3}])
def test_a_list_that_the_api_does_not_promise_is_refused(document: Any) -> None:
    with pytest.raises(MalformedAnswer):
        load_page(document)


def test_moments_are_told_in_utc() -> None:
    assert iso(1_794_452_400) == "2026-11-12T03:00:00Z"
    assert iso(None) is None
    assert iso(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("link", "is_own"),
    [
        ("https://contoso.vault.azure.net/secrets?x", True),
        ("https://contoso.vault.azure.net:443/secrets?x", True),
        ("https://CONTOSO.vault.azure.net/secrets?x", True),
        ("https://contoso.vault.azure.net:8443/secrets", False),
        ("http://contoso.vault.azure.net/secrets", False),
        ("https://fabrikam.vault.azure.net/secrets", False),
        ("https://contoso.vault.azure.net.evil.test/secrets", False),
        ("https://contoso.vault.azure.net:99999999/secrets", False),
        ("https://contoso.vault.azure.net:port/secrets", False),
        ("https://[/secrets", False),
        ("//contoso.vault.azure.net/secrets", False),
        ("", False),
    ],
)
def test_a_link_belongs_to_the_vault_only_on_its_own_host_and_port(link: str, is_own: bool) -> None:
    assert VaultAddress.parse("https://Contoso.vault.azure.net/").owns(link) is is_own
