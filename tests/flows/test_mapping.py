"""Mapping and filters: rules in their order, told by name where they cannot work."""

from __future__ import annotations

import pytest

from connectors.errors import RecordError
from connectors.model import Record
from flows.errors import FlowDefinitionError
from flows.mapping import Mapping, check_expression, check_template, compile_filter
from flows.model import MappingRule
from iclients.secret import Secret

UNREAD = frozenset({"value", "version"})


def test_rules_make_the_fields_of_the_target_in_their_order() -> None:
    mapping = Mapping([MappingRule("z", "name"), MappingRule("a", "value"), MappingRule("m", template="{{ name }}!")])
    record = mapping.apply(Record("k", {"value": 1, "name": "n", "other": 2}, line=7, marker="m1"))
    assert list(record.fields.items()) == [("z", "n"), ("a", 1), ("m", "n!")]
    assert mapping.fields == ("z", "a", "m")
    assert (record.key, record.line, record.marker) == ("k", 7, "m1")


def test_without_rules_a_record_passes_as_it_is() -> None:
    record = Record("k", {"a": 1})
    assert Mapping([]).apply(record) is record
    assert Mapping([]).fields == ()
    assert Mapping([]).value_of("a", record) == 1
    assert Mapping([]).depends_on("value", UNREAD)
    assert not Mapping([]).depends_on("name", UNREAD)


def test_two_rules_for_one_field_are_refused_by_name() -> None:
    with pytest.raises(FlowDefinitionError, match=r"^The mapping names name twice\.$"):
        Mapping([MappingRule("name", "a"), MappingRule("value", "b"), MappingRule("name", "c")])


@pytest.mark.parametrize("rule", [MappingRule("name"), MappingRule("name", "a", "{{ a }}")])
def test_a_rule_needs_exactly_one_origin(rule: MappingRule) -> None:
    with pytest.raises(FlowDefinitionError, match="The mapping to name needs either from or template"):
        Mapping([rule])


def test_a_rule_that_cannot_be_compiled_is_told_with_its_target() -> None:
    with pytest.raises(FlowDefinitionError, match=r"The mapping to owner cannot work: 'tags\.' is not JMESPath"):
        Mapping([MappingRule("name", "name"), MappingRule("owner", "tags.")])
    with pytest.raises(FlowDefinitionError, match=r"The mapping to owner cannot work: .* is not a template"):
        Mapping([MappingRule("owner", template="{{")])


def test_a_field_that_the_source_does_not_have_is_told_with_those_it_has() -> None:
    mapping = Mapping([MappingRule("name", "name"), MappingRule("value", "passwrd")])
    with pytest.raises(FlowDefinitionError) as caught:
        mapping.check_source(("name", "password"))
    assert str(caught.value) == (
        "The mapping to value takes passwrd, which the source does not have; it has: name, password."
    )
    Mapping([MappingRule("name", "name"), MappingRule("all", "keys(@)")]).check_source(("name",))


def test_a_template_names_its_fields_too() -> None:
    with pytest.raises(FlowDefinitionError, match="The mapping to name takes nme"):
        Mapping([MappingRule("name", template="{{ nme }}")]).check_source(("name",))


def test_one_field_alone_can_be_asked_for() -> None:
    mapping = Mapping([MappingRule("name", "upper(name)"), MappingRule("value", "value")])
    assert mapping.value_of("name", Record("k", {"name": "n"})) == "N"
    assert mapping.value_of("name", Record("k", {"name": None})) is None
    assert mapping.value_of("other", Record("k", {"name": "n"})) is None


def test_what_a_field_depends_on_is_known_through_functions_and_templates() -> None:
    mapping = Mapping([MappingRule("name", template="{{ version }}"), MappingRule("value", "name")])
    assert mapping.depends_on("name", UNREAD)
    assert not mapping.depends_on("value", UNREAD)


def test_a_record_that_a_rule_does_not_suit_fails_with_the_rule_in_the_sentence() -> None:
    mapping = Mapping([MappingRule("name", "upper(name)")])
    with pytest.raises(RecordError, match="'upper\\(name\\)' does not work for this record"):
        mapping.apply(Record("k", {"name": 3}))


def test_secrets_pass_through_a_mapping_as_secrets() -> None:
    fields = (
        Mapping([MappingRule("value", template="u:{{ value }}")]).apply(Record("k", {"value": Secret("p4ss")})).fields
    )
    assert "p4ss" not in str(fields)
    assert fields["value"].reveal() == "u:p4ss"


def test_a_filter_keeps_what_it_is_true_for() -> None:
    keeps = compile_filter("enabled && tags.env == 'prod'", UNREAD)
    assert keeps({"enabled": True, "tags": {"env": "prod"}})
    assert not keeps({"enabled": False, "tags": {"env": "prod"}})
    assert not keeps({"enabled": True, "tags": {}})
    assert compile_filter(None, UNREAD)({})


@pytest.mark.parametrize("text", ["value", "contains(value, 'x')", "name && value == 'x'", "{v: value}"])
def test_a_filter_may_not_ask_for_a_value(text: str) -> None:
    with pytest.raises(FlowDefinitionError, match="where cannot use value: filters run before any value is read"):
        compile_filter(text, UNREAD)


def test_a_filter_may_ask_for_what_listing_brings() -> None:
    assert compile_filter("value == 'x'", frozenset())({"value": "x"})


def test_a_filter_that_does_not_suit_a_record_says_so() -> None:
    keeps = compile_filter("contains(content_type, 'json')", UNREAD)
    with pytest.raises(RecordError, match="does not work for this record"):
        keeps({"content_type": None})


def test_documents_are_checked_without_a_record() -> None:
    check_expression("a.b")
    check_template("{{ a }}")
    with pytest.raises(FlowDefinitionError):
        check_expression("a.")
    with pytest.raises(FlowDefinitionError):
        check_template("{{")
