"""Codecs in mappings: names made and undone record by record, originals that go along, collisions told with both."""

from __future__ import annotations

from typing import Any

import pytest
from flow_fakes import Rows, Shelf, counts, engine, flow, row

from connectors.errors import RecordError
from connectors.model import Record
from flows.errors import FlowDefinitionError
from flows.journal import JournalInMemory
from flows.mapping import Mapping, with_original
from flows.model import MappingRule
from flows.schemas import FlowSchema, MappingRuleSchema
from iclients.secret import Secret

VALUE = MappingRule("value", "value")
NAMED = MappingRule("name", "variable", codec="env")


class Labelled(Shelf):
    """Has a field for what a record was called."""

    original_field = "original_name"


def moved(rules: tuple[MappingRule, ...], *records: Record) -> tuple[Labelled, JournalInMemory]:
    journal, shelf = JournalInMemory(), Labelled()
    engine(Rows(records), shelf, journal, flow=flow(*rules)).run()
    return shelf, journal


def one(rule: MappingRule, **fields: Any) -> Any:
    return Mapping([rule]).apply(Record("k", fields)).fields[rule.to]


def test_a_codec_makes_a_name_of_what_a_rule_gives_and_decode_undoes_it() -> None:
    assert one(NAMED, variable="DB_PASSWORD") == "db-password"
    assert one(MappingRule("name", template="APP_{{ v }}", codec="env"), v="X") == "app-x"
    assert one(MappingRule("variable", "name", decode="env"), name="Db-Password") == "DB_PASSWORD"
    assert one(NAMED, variable=None) is None


@pytest.mark.parametrize(
    ("rule", "value", "code", "told"),
    [
        (NAMED, "Db", "name_not_encodable", "'Db' makes no name with codec env"),
        (NAMED, 5, "name_not_encodable", "The mapping to name gives no text"),
        (NAMED, Secret("pl4nted"), "name_not_encodable", "The mapping to name gives a secret"),
        (MappingRule("name", "variable", decode="path"), "a_b", "name_not_decodable", "cannot be made what it was"),
        (MappingRule("name", "variable", decode="path"), ["a"], "name_not_decodable", "gives no text"),
    ],
)
def test_what_is_no_name_is_an_error_of_its_record(rule: MappingRule, value: Any, code: str, told: str) -> None:
    with pytest.raises(RecordError, match=told) as refused:
        one(rule, variable=value)
    assert refused.value.code == code
    assert "pl4nted" not in str(refused.value)


def test_rules_that_cannot_work_are_told_by_their_target() -> None:
    with pytest.raises(FlowDefinitionError, match=r"^The mapping to name cannot work: There is no codec rot13; there "):
        Mapping([MappingRule("name", "name", codec="rot13")])
    with pytest.raises(FlowDefinitionError, match="The mapping to name has codec and decode"):
        Mapping([MappingRule("name", "name", codec="env", decode="env")])


def test_a_document_is_told_where_its_codec_is_wrong() -> None:
    wrong = MappingRuleSchema().validate({"to": "name", "from": "name", "codec": "rot13"})
    assert wrong["codec"][0].startswith("is no codec; there are: env, ")
    assert "decode" in MappingRuleSchema().validate({"to": "name", "from": "name", "decode": ""})
    both = MappingRuleSchema().validate({"to": "name", "from": "name", "codec": "env", "decode": "env"})
    assert "undo each other" in str(both)


def test_a_flow_with_codecs_is_written_as_it_was_read() -> None:
    rules = [{"to": "name", "from": "v", "codec": "env"}, {"to": "value", "from": "value"}]
    import_ = {"connection": "b", "resource": "secrets", "mapping": rules}
    document = {"name": "f", "exports": [{"connection": "a", "resource": "x.csv"}], "steps": [{"import": import_}]}
    assert FlowSchema().dump(FlowSchema().load(document))["steps"][0]["import"]["mapping"] == rules


def test_the_original_goes_along_where_the_target_has_a_field_for_it() -> None:
    shelf, _ = moved((NAMED, VALUE), row("x", variable="DB_PASSWORD"))
    assert shelf.stored["db-password"]["original_name"] == "DB_PASSWORD"
    plain = Shelf()
    engine(Rows([row("x", variable="DB_PASSWORD")]), plain, flow=flow(NAMED, VALUE)).run()
    assert "original_name" not in plain.stored["db-password"]


def test_a_rule_of_ones_own_for_the_original_counts() -> None:
    shelf, _ = moved((NAMED, VALUE, MappingRule("original_name", "'mine'")), row("x", variable="DB_PASSWORD"))
    assert shelf.stored["db-password"]["original_name"] == "mine"


@pytest.mark.parametrize("rule", [MappingRule("name", "v"), MappingRule("name", "v", decode="env")])
def test_without_a_codec_on_the_key_nothing_goes_along(rule: MappingRule) -> None:
    rules = (rule, MappingRule("content_type", "t", codec="env"))
    assert with_original(rules, "name", "original_name") == rules


def test_two_originals_that_get_one_name_are_told_both() -> None:
    rule = MappingRule("name", "path", codec="dotnet")
    records = [row("x", path="Db:Main", line=2), row("y", path="db:MAIN", line=3), row("z", path="Db:Main")]
    shelf, journal = moved((rule, VALUE), *records)
    assert counts(journal) == {"read": 3, "created": 1, "failed": 2}
    messages = {outcome.key: outcome.message for outcome in journal.outcomes.values() if outcome.is_error}
    assert messages["y"] == (
        "db:MAIN has the same name as Db:Main (line 2) (names are compared without case): keep one of them."
    )
    assert messages["z"].startswith("Db:Main has the same name as Db:Main (line 2)")
    assert shelf.stored["db--main"]["original_name"] == "Db:Main"


def test_a_record_whose_name_cannot_be_made_is_told_and_the_others_move() -> None:
    shelf, journal = moved((NAMED, VALUE), row("x", variable="no good"), row("y", variable="GOOD"))
    assert counts(journal) == {"read": 2, "created": 1, "failed": 1}
    assert [one.code for one in journal.outcomes.values() if one.is_error] == ["name_not_encodable"]
    assert list(shelf.stored) == ["good"]
