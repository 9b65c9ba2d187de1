"""Actions as data: how they are declared, how inputs are converted, how outputs are classified."""

from __future__ import annotations

import binascii
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.actions import KINDS, Action, Output, Parameter, Permission, decoded, encoded
from connectors.connector import Connector
from connectors.descriptor import Descriptor
from connectors.errors import BadInput, SettingsError
from connectors.model import ApiType, Connection
from connectors.schemas import load_actions
from iclients.secret import Secret

WORDS = """
[parameters.who]
title = "Who"
help = "a name."
identifies = true

[parameters.word]
name = "password"
title = "Password"
help = "the word."
kind = "secret"

[outputs.items]
title = "Found"
kind = "list"

[outputs.token]
title = "Token"
secret = true

[permissions."things/get"]
data_action = "Acme/things/read"
role = "Reader"
"""
ACTION = """
[[actions]]
id = "find"
title = "Find"
summary = "Finds."
"""
Write = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A package with these files of actions."""
    folder = tmp_path / "acme_of_this_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, folder.name, raising=False)

    def write(**files: str) -> str:
        for name, content in files.items():
            (folder / "actions").mkdir(exist_ok=True)
            (folder / "actions" / f"{name}.toml").write_text(content, "utf-8")
        return folder.name

    yield write
    load_actions.cache_clear()


def test_everything_that_can_be_declared_is_loaded(package: Write) -> None:
    told = ACTION + 'api_type = "data"\nchanges = true\ntakes = ["who", "word?"]\ngives = ["items", "token"]\n'
    told += 'items = ["a", "b"]\npermissions = ["things/get"]\n'
    (loaded,) = load_actions(package(told=WORDS, more=told))
    assert loaded == Action(
        "find", "Find", "Finds.", ApiType.DATA,
        (Parameter("who", "Who", "a name.", identifies=True),
         Parameter("password", "Password", "the word.", "secret", required=False, is_secret=True)),
        (Output("items", "Found", "list", fields=("a", "b"), columns=(Output("a", "a"), Output("b", "b"))),
         Output("token", "Token", is_secret=True)),
        (Permission("things/get", "Acme/things/read", "Reader"),), changes=True, group="More",
        repeatable=False,
    )  # fmt: skip
    assert loaded.roles == ("Reader",)


def test_what_an_action_acts_on_is_said_by_itself_its_file_or_the_name_of_that(package: Write) -> None:
    other = ACTION.replace('"find"', '"seek"') + 'group = "Own"\n'
    found = load_actions(package(role_assignments=ACTION, told='group = "Told"\n' + ACTION + other))
    assert [one.group for one in found] == ["Role assignments", "Told", "Own"]


@pytest.mark.parametrize(
    ("told", "is_destructive"),
    [
        ("changes = true", True),
        ("changes = true\ndestructive = false", False),
        ("", False),
    ],
)
def test_what_deletes_purges_or_removes_takes_something_away_unless_it_says_otherwise(
    package: Write, told: str, is_destructive: bool
) -> None:
    for word in ("delete", "purge", "remove"):
        load_actions.cache_clear()
        (loaded,) = load_actions(package(told=ACTION.replace('"find"', f'"{word}_it"') + told))
        assert loaded.destructive == is_destructive


@pytest.mark.parametrize(
    ("told", "only_reads"),
    [("", True), ("changes = true", False), ("guarded = true", False), ('gives = ["token"]', False)],
)
def test_only_what_neither_changes_gives_a_secret_nor_is_guarded_only_reads(
    package: Write, told: str, only_reads: bool
) -> None:
    (loaded,) = load_actions(package(told=WORDS + ACTION + told))
    assert loaded.only_reads == only_reads


def test_a_connector_without_actions_has_none(package: Write) -> None:
    assert load_actions(package()) == ()
    assert load_actions("connectors.files") == ()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (ACTION + 'takes = ["nobody"]\n', "nobody is named by an action and defined nowhere"),
        (ACTION + 'gives = ["nothing"]\n', "nothing is named by"),
        (ACTION + 'permissions = ["all"]\n', "all is named by"),
        (ACTION + 'colour = "red"\n', "colour"),
        (ACTION.replace("find", "Find it"), "id"),
        ('[parameters.x]\ntitle = "X"\n', "help"),
        ('[parameters.x]\ntitle = "X"\nhelp = "x."\nkind = "colour"\n', "kind"),
        ("[[actions", "cannot be read"),
    ],
)
def test_a_wrong_declaration_names_what_is_wrong(package: Write, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load_actions(package(told=text))


@pytest.mark.parametrize(
    ("kind", "given", "made"),
    [
        ("text", "a", "a"),
        ("integer", "12", 12), ("integer", 12, 12),
        ("boolean", "True", True), ("boolean", "false", False), ("boolean", True, True),
        ("time", "2026-11-12T03:00:00Z", 1794452400), ("time", "2026-11-12T04:00:00+01:00", 1794452400),
        ("time", "2026-11-12T03:00:00", 1794452400), ("time", "1794452400", 1794452400), ("time", 5, 5),
        ("list", "a, b,,c", ["a", "b", "c"]), ("list", ["a"], ["a"]), ("list", "", []),
        ("base64", "+/8=", "-_8"), ("base64", "-_8", "-_8"), ("base64", "", ""),
        ("json", '{"a": 1}', {"a": 1}), ("json", {"a": 1}, {"a": 1}),
    ],
)  # fmt: skip
def test_an_input_is_converted(kind: str, given: Any, made: Any) -> None:
    assert Parameter("p", "P", "p.", kind).converted(given) == made


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("text", 1), ("text", "\ud800"), ("secret", b"x"),
        ("integer", "1.5"), ("integer", True), ("integer", 1.5), ("integer", "9" * 5000),
        ("boolean", "yes"), ("boolean", 1),
        ("time", "soon"), ("time", True), ("time", None), ("time", "9999999999999999999999-01-01"),
        ("list", 5), ("list", [1]),
        ("base64", "a"), ("base64", "ä"), ("base64", 5),
        ("json", "{"), ("json", "[" * 100_000),
    ],
)  # fmt: skip
def test_an_input_that_cannot_be_is_named_and_not_shown(kind: str, given: Any) -> None:
    with pytest.raises(BadInput, match=r"^p is not ") as refused:
        Parameter("p", "P", "p.", kind).converted(given)
    assert refused.value.parameter == "p"
    assert len(str(refused.value)) < 100


def test_every_kind_has_a_test_of_both() -> None:
    assert set(KINDS) == {"text", "secret", "integer", "boolean", "time", "list", "base64", "json"}


@pytest.mark.parametrize("kind", ["secret", "text", "base64", "json"])
def test_a_secret_input_travels_in_a_secret(kind: str) -> None:
    made = Parameter("p", "P", "p.", kind, is_secret=True).converted('["QUJD"]' if kind == "json" else "QUJD")
    assert isinstance(made, Secret)
    again = Parameter("p", "P", "p.", kind, is_secret=True).converted(made)
    assert again == made


def test_base64_comes_and_goes() -> None:
    for length in range(70):
        data = bytes(range(length))
        assert decoded(encoded(data)) == data
    with pytest.raises(binascii.Error):
        decoded("!")


class Acme(Connector):
    """Gives what the test says."""

    descriptor: ClassVar[Descriptor] = Descriptor("acme", "Acme", "A system.")
    outputs: ClassVar[Mapping[str, Any]] = {}
    asked: ClassVar[list[Mapping[str, Any]]] = []

    @classmethod
    def actions(cls, api_type: str | None) -> tuple[Action, ...]:
        parameters = (Parameter("who", "Who", "a name."), Parameter("n", "N", "n.", "integer", False, 7))
        outputs = (Output("b", "B"), Output("a", "A", is_secret=True), Output("j", "J", is_secret=True))
        return (Action("find", "Find", "Finds.", None, parameters, outputs),)

    def perform(self, action: Action, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(inputs)
        return self.outputs


def acme(**outputs: Any) -> Acme:
    made = Acme(Connection("here", "acme"), None)  # type: ignore[arg-type]
    made.outputs, made.asked = outputs, []  # type: ignore[misc]
    return made


def test_outputs_come_in_the_order_of_the_definition_and_secrets_in_a_secret() -> None:
    given = acme(a="x", b="y", j={"k": 1}).act("find", {"who": "w"})
    assert list(given) == ["b", "a", "j"]
    assert given == {"b": "y", "a": Secret("x"), "j": Secret('{"k": 1}')}


def test_an_output_that_is_not_defined_is_an_error_of_the_connector() -> None:
    with pytest.raises(KeyError, match="find gives c, which its definition does not name"):
        acme(c="x").act("find", {"who": "w"})


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_refused() -> None:
    one = acme()
    one.act("find", {"who": "w", "n": None})
    assert one.asked == [{"who": "w", "n": 7}]
    for inputs, sentence in (
        ({}, "Action find needs who: a name."),
        ({"who": "w", "colour": "red"}, "Action find has no parameter colour; it takes: who, n."),
    ):
        with pytest.raises(BadInput, match=sentence):
            one.act("find", inputs)
    with pytest.raises(SettingsError, match="Connection here has no action lose; it has: find"):
        one.act("lose", {})
    assert len(one.asked) == 1


def test_a_connector_that_says_nothing_of_actions_has_none() -> None:
    plain = Connector(Connection("here", "acme"), None)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="Connection here has no action find; it has: none"):
        plain.act("find", {})
