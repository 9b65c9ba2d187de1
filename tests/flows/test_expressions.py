"""Expressions over records: what they look at, what they give, and that secrets stay secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import RecordError
from flows.errors import FlowDefinitionError
from flows.expressions import WHOLE_RECORD, Expression, jmespath_expression, template_expression
from iclients.secret import Secret

FIELDS = ("a", "b", "c", "d")
CANARY = "8172635409"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "y", CANARY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
records = st.fixed_dictionaries(dict.fromkeys(FIELDS, json_values))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Every kind of node of the language over smaller expressions."""
    templates = (
        "{0}.a", "{0}[0]", "{0}[-1]", "{0}[0:2]", "{0}[::2]", "{0}[*]", "{0}[*].b", "{0}[]", "{0}.*", "{0}.*.c",
        "{0}[?a=='x']", "{0}[?b].c", "{0}[?@=={1}]", "[{0}, {1}]", "{{p: {0}, q: {1}}}", "{0} | {1}",
        "{0} || {1}", "{0} && {1}", "!{0}", "({0})", "{0} == {1}", "{0} != {1}", "{0} < {1}", "{0}.[a, b]",
        "{0}.{{p: a}}", "length({0})", "keys({0})", "type({0})", "to_string({0})", "to_number({0})",
        "not_null({0}, {1})", "map(&a, {0})", "map(&{1}, {0})", "sort_by({0}, &b)", "max_by({0}, &c)",
        "contains({0}, {1})", "join('', {0})", "merge({0}, {1})", "reverse({0})", "lower({0})", "upper({0})",
        "timestamp({0})", "starts_with({0}, {1})", "sum({0})", "ceil({0})", "to_array({0})", "values({0})",
    )  # fmt: skip
    return st.builds(lambda template, one, two: template.format(one, two), st.sampled_from(templates), inner, inner)


atoms = st.sampled_from(
    ["a", "b", "c", '"d"', "@", "`1`", "'x'", '`{"a": "x"}`', "*", "[*]", "[]", "[0]", "[0:1]", "[?a]", "now()"]
)
expressions = st.recursive(atoms, _grown, max_leaves=5)

template_pieces = st.sampled_from(
    [
        "{{ a }}", "{{ b|upper }}", "{{ c|length }}", "{% if a %}{{ b }}{% endif %}", "{% set e = c %}{{ e }}",
        "{% for x in a %}{{ x }}{{ d }}{% endfor %}", "{{ a ~ b }}", "{% set a = 1 %}{{ a }}", "text",
        "{% macro m(c) %}{{ c }}{{ d }}{% endmacro %}{{ m(1) }}", "{{ range(3)|list }}", "{{ a if b else c }}",
        "{% with a = b %}{{ a }}{% endwith %}", "{{ d is defined }}", "{% filter upper %}{{ b }}{% endfilter %}",
        "{% if false %}{% set d = 1 %}{% endif %}{{ d }}", "{% block z %}{{ a }}{% endblock %}",
    ]
)  # fmt: skip
templates = st.lists(template_pieces, min_size=1, max_size=3, unique=True).map("".join)


def compiled(text: str) -> Expression | None:
    try:
        return jmespath_expression(text)
    except FlowDefinitionError:
        return None


def result(expression: Expression, fields: dict[str, Any]) -> str:
    """What it gives, comparable; a failure is a result too."""
    try:
        return repr(expression(fields)) if "now()" not in expression.text else "now"
    except RecordError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(text=expressions, fields=records, other=json_values, name=st.sampled_from(FIELDS))
def test_a_field_that_an_expression_does_not_name_never_changes_what_it_gives(
    text: str, fields: dict[str, Any], other: Any, name: str
) -> None:
    expression = compiled(text)
    if expression is None or name in expression.names or WHOLE_RECORD in expression.names:
        return
    assert result(expression, fields) == result(expression, {**fields, name: other})


@settings(max_examples=150, deadline=None)
@given(text=templates, fields=records, other=json_values, name=st.sampled_from(FIELDS))
def test_a_field_that_a_template_does_not_name_never_changes_what_it_gives(
    text: str, fields: dict[str, Any], other: Any, name: str
) -> None:
    expression = template_expression(text)
    if name not in expression.names:
        assert result(expression, fields) == result(expression, {**fields, name: other})


@settings(max_examples=300, deadline=None)
@given(text=expressions, fields=records, secret=st.sampled_from(FIELDS))
def test_no_expression_brings_a_secret_into_the_open(text: str, fields: dict[str, Any], secret: str) -> None:
    expression = compiled(text.replace(CANARY, ""))
    if expression is None:
        return
    harmless = dict.fromkeys(fields)
    shown = result(expression, {**harmless, secret: Secret(CANARY)})
    assert CANARY not in shown
    assert CANARY[:4] not in shown.replace(text, "")


@settings(max_examples=100, deadline=None)
@given(text=templates, secret=st.sampled_from(FIELDS))
def test_no_template_brings_a_secret_into_the_open(text: str, secret: str) -> None:
    shown = result(template_expression(text), {**dict.fromkeys(FIELDS, "x"), secret: Secret(CANARY)})
    assert CANARY not in shown
    assert str(list(CANARY)) not in shown


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name", {"name"}),
        ('"a b"', {"a b"}),
        ("tags.owner", {"tags"}),
        ("tags.owner || name", {"tags", "name"}),
        ("enabled && !managed", {"enabled", "managed"}),
        ("list[?a == 'x'].b | [0]", {"list"}),
        ("{x: a, y: b.c}", {"a", "b"}),
        ("[a, b]", {"a", "b"}),
        ("sort_by(list, &b)", {"list"}),
        ("contains(tags.a, name)", {"tags", "name"}),
        ("'fixed'", set()),
        ('`{"a": 1}`', set()),
        ("now() > timestamp(expires)", {"expires"}),
        ("*", {WHOLE_RECORD}),
        ("[0:1]", {WHOLE_RECORD}),
        ("@.name", {"name"}),
        ("length(@)", {WHOLE_RECORD}),
    ],
)
def test_the_fields_that_an_expression_looks_at_are_known(text: str, names: set[str]) -> None:
    assert jmespath_expression(text).names == names


def test_an_expression_looks_at_fields_by_name_or_as_a_whole() -> None:
    unread = frozenset({"value"})
    assert jmespath_expression("upper(value)").looks_at(unread)
    assert jmespath_expression("@").looks_at(unread)
    assert not jmespath_expression("name").looks_at(unread)


@pytest.mark.parametrize("text", ["value", "upper(value)", "join('', [name, value])", "value || name", "@.value"])
def test_what_is_made_from_a_secret_is_a_secret(text: str) -> None:
    made = jmespath_expression(text)({"name": "n", "value": Secret("v4lue")})
    assert isinstance(made, Secret)
    assert "v4lue" in made.reveal().lower() or made.reveal() in ("V4LUE", "nv4lue")


def test_a_template_made_from_a_secret_is_a_secret() -> None:
    made = template_expression("postgres://{{ name }}:{{ value }}@db")({"name": "n", "value": Secret("v4lue")})
    assert isinstance(made, Secret)
    assert made.reveal() == "postgres://n:v4lue@db"


def test_a_template_without_a_secret_is_a_text() -> None:
    assert template_expression("{{ name }}-copy")({"name": "n", "value": Secret("v4lue")}) == "n-copy"


@pytest.mark.parametrize("text", ["[value]", "{v: value}", "to_number(value)", "length(value)", "to_array(value)"])
def test_a_secret_is_never_taken_apart_into_lists_maps_or_numbers(text: str) -> None:
    with pytest.raises(RecordError, match="must give a text") as caught:
        jmespath_expression(text)({"value": Secret("4711")})
    assert "4711" not in str(caught.value)


def test_a_question_about_a_secret_may_be_answered_yes_or_no() -> None:
    assert jmespath_expression("value == 'x'")({"value": Secret("x")}) is True
    assert jmespath_expression("value.a")({"value": Secret("x")}) is None


def test_a_secret_that_is_not_looked_at_changes_nothing() -> None:
    assert jmespath_expression("length(name)")({"name": "abc", "value": Secret("x")}) == 3


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("number < `3`", {"number": "text"}),
        ("contains(name, `1`)", {"name": "abc"}),
        ("ceil(number)", {"number": float("inf")}),
        ("list[::0]", {"list": [1]}),
        ("max_by(list, &a)", {"list": [{"a": 1}, {"a": "x"}]}),
        ("lower(name)", {"name": None}),
        ("starts_with(name, 'x')", {"name": None}),
    ],
)
def test_a_record_that_does_not_suit_an_expression_fails_alone(text: str, fields: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="does not work for this record") as caught:
        jmespath_expression(text)(fields)
    assert caught.value.code == "expression"


@pytest.mark.parametrize("text", ["", "a.", "a[", "{a", "a ==", '`"', "a b", "&&", "'open"])
def test_bad_jmespath_is_told_in_a_sentence_with_its_text(text: str) -> None:
    with pytest.raises(FlowDefinitionError, match="is not JMESPath: ") as caught:
        jmespath_expression(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{{ a", "{% if a %}", "{{ a | no_such_filter }}", "{% nonsense %}", "{{ }}"])
def test_a_bad_template_is_told_in_a_sentence_with_its_text(text: str) -> None:
    with pytest.raises(FlowDefinitionError, match="is not a template: ") as caught:
        template_expression(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ name.__class__ }}",
        "{{ name.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ name|attr('__class__') }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ range(999999999)|list }}",
        "{{ tags.update({'a': 1}) }}",
        "{{ tags.clear() }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{{ missing }}",
        "{{ 1 / 0 }}",
    ],
)
def test_tricks_end_as_the_failure_of_one_record(text: str) -> None:
    fields = {"name": "v4lue", "tags": {"k": "v"}}
    with pytest.raises(RecordError, match=r"The template .* does not work for this record") as caught:
        template_expression(text)(fields)
    assert caught.value.code == "template"
    assert "v4lue" not in str(caught.value)
    assert fields["tags"] == {"k": "v"}


def test_a_failing_template_does_not_tell_the_secret_it_failed_on() -> None:
    with pytest.raises(RecordError) as caught:
        template_expression("{{ value|int / 0 }}{{ value.nope.nope }}")({"value": Secret("v4lue")})
    assert "v4lue" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_moments_become_numbers_that_can_be_compared() -> None:
    expression = jmespath_expression("timestamp(expires)")
    assert expression({"expires": "1970-01-01T00:01:00Z"}) == 60
    assert expression({"expires": "1970-01-01T00:01:00"}) == 60
    assert expression({"expires": "1970-01-01T02:00:00+02:00"}) == 0
    assert expression({"expires": None}) is None
    assert expression({"expires": "tomorrow"}) is None
    assert jmespath_expression("now() > timestamp(expires)")({"expires": "2001-01-01T00:00:00Z"}) is True


def test_a_field_that_is_not_there_is_null() -> None:
    assert jmespath_expression("nothing")({}) is None
    assert jmespath_expression("nothing.at.all")({}) is None


def test_a_function_that_does_not_exist_is_told_when_the_flow_is_compiled() -> None:
    with pytest.raises(FlowDefinitionError, match=r"calls no_such_function\(\), which is no function"):
        jmespath_expression("a || [0:1] || no_such_function(name)")
