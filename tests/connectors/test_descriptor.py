"""A descriptor that is wrong is refused with its package's name; settings that cannot work with a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.azure_key_vault import AzureKeyVault
from connectors.azure_key_vault.schemas import WRITABLE_FIELDS
from connectors.descriptor import Descriptor, ResourceDescriptor, Setting, load
from connectors.errors import SettingsError
from connectors.model import ApiType, Connection

MINIMAL = 'name = "acme"\ntitle = "Acme"\nsummary = "A system."\n'
SETTING = '[[settings]]\nname = "a"\ntitle = "A"\nhelp = "what it is"\n'
Load = Callable[[str], Descriptor]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a descriptor from a package that is made for this test."""

    def load_it(text: str) -> Descriptor:
        package = tmp_path / "acme_for_this_test"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "descriptor.toml").write_text(text, "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, package.name, raising=False)
        return load(package.name)

    return load_it


def test_a_small_descriptor_is_enough(load_text: Load) -> None:
    assert load_text(MINIMAL) == Descriptor("acme", "Acme", "A system.")


def test_everything_that_can_be_declared_is_loaded(load_text: Load) -> None:
    loaded = load_text(
        MINIMAL
        + 'api_types = ["data"]\nauth_types = ["client_credentials"]\nconcurrency = 4\nbudget = {other = 10}\n'
        + "budget_period_seconds = 2.5\n"
        + SETTING
        + 'kind = "integer"\napi_types = ["data"]\nrequired = true\ndefault = 1\npattern = "[0-9]"\n'
        + '[[resources]]\nname = "r"\ntitle = "R"\nverbs = ["list"]\nfields = ["x", "y"]\nsecret_fields = ["y"]\n'
    )
    assert (loaded.api_types, loaded.concurrency, loaded.budget) == ((ApiType.DATA,), 4, {"other": 10})
    assert loaded.settings == (Setting("a", "A", "what it is", "integer", (ApiType.DATA,), True, 1, "[0-9]"),)
    assert loaded.resources == (ResourceDescriptor("r", "R", ("list",), ("x", "y"), ("y",)),)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "name"),
        ("this is = not toml", "cannot be read"),
        (MINIMAL.replace("acme", "Acme Inc"), "name"),
        (MINIMAL + "colour = 1\n", "colour"),
        (MINIMAL + 'api_types = ["sideways"]\n', "api_types"),
        (MINIMAL + "concurrency = 0\n", "concurrency"),
        (MINIMAL + "concurrency = 1000\n", "concurrency"),
        (MINIMAL + "budget = {other = 0}\n", "budget"),
        (MINIMAL + "budget_period_seconds = 0.0\n", "budget_period_seconds"),
        (MINIMAL + SETTING + 'kind = "colour"\n', "kind"),
        (MINIMAL + SETTING + 'pattern = "("\n', "pattern"),
        (MINIMAL + '[[settings]]\nname = "a"\n', "help"),
        (MINIMAL + '[[resources]]\nname = "r"\ntitle = "R"\n', "verbs"),
    ],
)
def test_a_wrong_descriptor_names_its_package_and_the_key(load_text: Load, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=f"descriptor.toml of acme_for_this_test .*{named}"):
        load_text(text)


def test_a_package_without_a_descriptor_is_named() -> None:
    with pytest.raises(SettingsError, match=r"descriptor\.toml of flows cannot be read"):
        load("flows")


def test_key_vault_describes_itself() -> None:
    descriptor = AzureKeyVault.descriptor
    assert descriptor.name == "azure-key-vault"
    assert set(descriptor.api_types) == {"data", "control"}
    assert "value" in descriptor.resources[0].secret_fields


# --- settings ---

ACME = Descriptor(
    name="acme",
    title="Acme",
    summary="A system.",
    api_types=("data", "control"),
    auth_types=("client_credentials",),
    settings=(
        Setting("url", "URL", "the address, such as https://x", "url", ("data",), required=True, pattern="https://.+"),
        Setting("count", "Count", "how many", "integer"),
        Setting("deep", "Deep", "whether", "boolean"),
        Setting("region", "Region", "where", api_types=("control",)),
    ),
)


def connection(**changes: Any) -> Connection:
    usual: dict[str, Any] = {
        "name": "here",
        "connector": "acme",
        "api_type": ApiType.DATA,
        "auth": "client_credentials",
        "iclient": "app",
        "settings": {"url": "https://a"},
    }
    return Connection(**usual | changes)


@pytest.mark.parametrize(
    "fitting",
    [
        connection(),
        connection(auth=None),
        connection(settings={"url": "https://a", "count": 3, "deep": False}),
        connection(settings={"url": "https://a", "count": None}),
        connection(api_type=ApiType.CONTROL, settings={"region": "west"}),
        connection(api_type=ApiType.CONTROL, settings={}),
    ],
)
def test_what_fits_is_accepted(fitting: Connection) -> None:
    ACME.check(fitting)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"api_type": None}, "Connection here needs api_type: data or control."),
        ({"auth": "password"}, "has auth: password, which Acme does not take; it takes: client_credentials."),
        ({"iclient": None}, "Connection here needs an iclient: the name of one in the document."),
        ({"settings": {}}, r"Connection here needs settings\.url: the address, such as https://x"),
        ({"settings": {"url": None}}, r"needs settings\.url"),
        ({"settings": {"url": "https://a", "uri": 1}}, "has a setting uri that Acme does not know; it knows: count, "),
        ({"settings": {"url": "http://a"}}, r"settings\.url of connection here cannot be 'http://a': the address"),
        ({"settings": {"url": "https://a\n"}}, r"settings\.url of connection here cannot be"),
        ({"settings": {"url": 7}}, r"settings\.url of connection here is not url"),
        ({"settings": {"url": "https://a", "count": "3"}}, "is not integer"),
        ({"settings": {"url": "https://a", "count": True}}, "is not integer"),
        ({"settings": {"url": "https://a", "count": 3.0}}, "is not integer"),
        ({"settings": {"url": "https://a", "deep": 1}}, "is not boolean"),
        ({"settings": {"url": "https://a", "region": "x"}}, r"has settings\.region, which api_type data does not use"),
    ],
)
def test_what_does_not_fit_is_a_sentence_that_names_connection_and_setting(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        ACME.check(connection(**changes))
    assert "here" in str(caught.value)


def test_a_connector_without_auth_types_takes_no_auth() -> None:
    plain = Descriptor("plain", "Plain", "Needs nobody.")
    plain.check(Connection("here", "plain"))
    with pytest.raises(SettingsError, match="it takes: none"):
        plain.check(Connection("here", "plain", auth="client_credentials"))


def test_what_an_import_may_name_has_the_required_fields_first() -> None:
    secrets = AzureKeyVault.descriptor.resources[0]
    assert secrets.targets[:3] == ("name", "value", "content_type")
    assert set(secrets.targets) == set(WRITABLE_FIELDS)
    assert secrets.is_read


def test_a_resource_may_stand_for_many_and_take_any_field(load_text: Load) -> None:
    csv = load_text(
        MINIMAL
        + '[[resources]]\nname = "*.csv"\ntitle = "CSV"\nverbs = ["add"]\nopen_fields = true\nneeds_mapping = true\n'
        + 'plaintext = true\nnote = "It is replaced."\nfields = ["b", "a"]\nrequired_fields = ["a"]\n'
    ).resources[0]
    assert (csv.is_pattern, csv.open_fields, csv.needs_mapping, csv.plaintext, csv.is_read) == (
        True,
        True,
        True,
        True,
        False,
    )
    assert (csv.targets, csv.note) == (("a", "b"), "It is replaced.")
    assert csv.is_called("Secrets.CSV")
    assert not csv.is_called("secrets.json")


def test_what_an_import_can_be_told_is_checked_and_has_its_defaults() -> None:
    resource = ResourceDescriptor(
        "things",
        "Things",
        ("upsert",),
        options=(
            Setting("deleted", "Deleted", "help", default="fail", choices=("fail", "skip")),
            Setting("clear", "Clear", "help", kind="list", default=[], choices=("tags", "expires")),
        ),
    )
    assert resource.import_options({"deleted": "skip"}) == {"deleted": "skip", "clear": []}
    for given, sentence in (
        ({"deletde": "skip"}, "no import option deletde; it knows: deleted, clear"),
        ({"deleted": "burn"}, "options.deleted .* cannot be 'burn'; it can be: fail, skip"),
        ({"clear": "tags"}, "options.clear .* is not list"),
        ({"clear": ["tags", "name"]}, "options.clear .* cannot be 'name'"),
    ):
        with pytest.raises(SettingsError, match=sentence):
            resource.import_options(given)
