from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.model import ApiType, Limits
from integrator import documents
from integrator.config import Config
from integrator.errors import BadDocument
from integrator.store.named import Saved
from integrator.store.store import Store

LAB = """\
version: 1
clouds:
  - name: lab
    authority: https://127.0.0.1:8443
    arm: https://127.0.0.1:8444
    vaults: ["127.0.0.1:8445", "*.vault.lab.test"]
    vault_audience: https://vault.azure.net
    arm_audience: https://management.azure.com
    ca_file: lab-ca.pem
iclients:
  - name: contoso-app
    provider: entra
    cloud: lab
    tenant: 11111111-1111-1111-1111-111111111111
    client_id: 22222222-2222-2222-2222-222222222222
    credential: {client_secret: {env: CONTOSO_SECRET}}
    scopes: ["https://vault.azure.net/.default"]
connections:
  - name: contoso-vault
    connector: azure-key-vault
    api_type: data
    auth: client_credentials
    iclient: contoso-app
    settings: {vault_url: "https://127.0.0.1:8445", api_version: "2025-07-01"}
    limits: {calls: 2000, period_seconds: 60, concurrency: 32}
  - {name: here, connector: files, settings: {folder: ./out}}
flows:
  - name: vault-to-csv
    exports:
      - {connection: contoso-vault, resource: secrets, values: true, type: all, where: "enabled"}
    steps:
      - import:
          connection: here
          resource: contoso.csv
          operation: upsert
          plaintext: true
          adopt: false
          mapping: [{to: name, from: name}, {to: value, from: value}]
    schedule: {cron: "0 3 * * mon-fri", timezone: Europe/Berlin}
"""
ENVIRON = {"CONTOSO_SECRET": "hunter2"}


def apply(store: Store, folder: Path, text: str = LAB, environ: dict[str, str] = ENVIRON) -> documents.Applied:
    path = folder / "lab.yaml"
    path.write_text(text, "utf-8")
    return documents.apply(path, store, environ)


def refused(store: Store, folder: Path, text: str, environ: dict[str, str] = ENVIRON) -> str:
    with pytest.raises(BadDocument) as error:
        apply(store, folder, text, environ)
    message = str(error.value)
    assert message.startswith(f"{folder}/lab.yaml:")
    return message.removeprefix(f"{folder}/lab.yaml:")


def changed(old: str, new: str) -> str:
    assert LAB.count(old) == 1, LAB.count(old)
    return LAB.replace(old, new)


def secret(store: Store) -> str | None:
    with store.reading() as stored:
        credential = stored.iclients.get("contoso-app").credential
    return credential.value.reveal() if credential else None


def test_a_document_creates_what_it_names(store: Store, tmp_path: Path) -> None:
    applied = apply(store, tmp_path)
    assert applied.document()["connections"] == {"created": ["contoso-vault", "here"], "updated": [], "unchanged": []}
    with store.reading() as stored:
        vault = stored.connections.get("contoso-vault")
        flow = stored.flows.get("vault-to-csv")
    assert vault.api_type is ApiType.DATA
    assert vault.limits == Limits(2000, 60, 32)
    assert [rule.from_ for rule in flow.steps[0].mapping] == ["name", "value"]
    assert flow.schedule is not None
    assert flow.schedule.timezone == "Europe/Berlin"
    assert secret(store) == "hunter2"


def test_applying_a_document_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    assert not apply(store, tmp_path).is_unchanged
    before = documents.dump(store)
    again = apply(store, tmp_path)
    assert again.is_unchanged
    assert again.changes["iclients"][Saved.UNCHANGED] == ["contoso-app"]
    assert documents.dump(store) == before


def test_what_is_dumped_is_unchanged_when_applied(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    dumped = documents.dump(store)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert apply(store, elsewhere, dumped, {}).is_unchanged
    assert "hunter2" not in dumped
    assert "credential:" not in dumped
    assert secret(store) == "hunter2"


def test_a_dump_makes_the_same_installation_elsewhere(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    dumped = documents.dump(store)
    home = {"INTEGRATOR_HOME": str(tmp_path / "second")}
    with Store.open(Config.from_environment(home)) as second:
        apply(second, tmp_path, dumped, {})
        assert documents.dump(second) == dumped
        with second.reading() as stored:
            assert not stored.iclients.has_credential("contoso-app")


def test_an_empty_installation_dumps_an_empty_document(store: Store, tmp_path: Path) -> None:
    assert documents.dump(store) == "version: 1\n"
    assert apply(store, tmp_path, "version: 1").is_unchanged


def test_a_changed_document_updates_what_changed(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    applied = apply(store, tmp_path, changed('"0 3 * * mon-fri"', '"0 4 * * *"'))
    assert applied.changes["flows"][Saved.UPDATED] == ["vault-to-csv"]
    assert applied.changes["connections"][Saved.UPDATED] == []


def test_paths_begin_where_the_document_lies(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    with store.reading() as stored:
        assert stored.clouds.get("lab").ca_file == tmp_path / "lab-ca.pem"
        assert stored.connections.get("here").settings == {"folder": str(tmp_path / "out")}


def test_a_setting_that_the_provider_does_not_know_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"iclients\[0\]\.settings has colour, which provider entra does not know"):
        apply(store, tmp_path, changed("    cloud: lab\n", "    cloud: lab\n    settings: {colour: red}\n"))


def test_a_credential_may_stand_in_a_file_or_in_the_document(store: Store, tmp_path: Path) -> None:
    (tmp_path / "app.secret").write_text("from a file\n")
    apply(store, tmp_path, changed("{env: CONTOSO_SECRET}", "{file: app.secret}"))
    assert secret(store) == "from a file"
    apply(store, tmp_path, changed("{env: CONTOSO_SECRET}", '"0123"'))
    assert secret(store) == "0123"


def test_a_document_without_a_credential_keeps_what_is_stored(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    apply(store, tmp_path, re.sub(r" *credential:.*\n", "", LAB))
    assert secret(store) == "hunter2"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("operation:", "opertion:", "35: flows[0].steps[0].import has an unknown key opertion; did you mean operation?"),
        ("flows:", "flwos:", "27: the document has an unknown key flwos; did you mean flows?"),
        ("version: 1", "version: 2", "1: version is not 1, the only version there is."),
        ("    provider: entra\n", "", "11: iclients[0] needs provider."),
        ("provider: entra", "provider: nobody", "12: iclients[0].provider is nobody, which is not installed; "),
        ("cloud: lab", "cloud: lap", "13: iclients[0].cloud is lap, and there is no cloud of that name; there are: public"),
        ("iclient: contoso-app", "iclient: nobody", "23: connections[0].iclient is nobody, and there is no iClient"),
        ("connection: here", "connection: there", "33: flows[0].steps[0].import.connection is there, and there is no"),
        ("resource: secrets", "resource: secret", "30: flows[0].exports[0].resource is secret, and there is no resource"),
        ("resource: contoso.csv", "resource: a.txt", "34: flows[0].steps[0].import.resource is a.txt, and there is no"),
        ("connector: files", "connector: flies", "26: connections[1].connector is flies, which is not installed; "),
        ("{folder: ./out}", "{fodler: ./out}", "26: connections[1] cannot work: Connection here has a setting fodler"),
        ("api_type: data", "api_type: both", "21: connections[0].api_type is not one of: data, control."),
        ("auth: client_credentials", "auth: magic", "19: connections[0] cannot work: Connection contoso-vault has auth"),
        ("name: lab\n", "name: public\n", "3: clouds[0] cannot be called public: that cloud is built in."),
        ("name: here", "name: contoso-vault", "26: connections[1] has the name contoso-vault of connections[0]."),
        ("name: here", "name: ' here'", "26: connections[1].name is not a name: "),
        ("values: true", "values: yes", "30: flows[0].exports[0].values is not true or false."),
        ("calls: 2000", "calls: many", "25: connections[0].limits.calls is not a whole number."),
        ("tenant: 1", "tenant: ../1", "14: iclients[0].tenant is not a tenant's ID or domain."),
        ("arm: https", "arm: http", "5: clouds[0].arm is not an https address such as https://host."),
        ('"enabled"', '"enabled["', "30: flows[0].exports[0].where cannot be used: "),
        ("{to: value, from: value}", "{to: value, template: '{{'}", "38: flows[0].steps[0].import.mapping[1].template cannot"),
        ("{to: value, from: value}", "{to: value}", "38: flows[0].steps[0].import.mapping[1] needs either from or template."),
        ("{to: value, from: value}", "{to: name, from: id}", "38: flows[0].steps[0].import.mapping[1].to has a rule already."),
        ('"0 3 * * mon-fri"', '"0 3 * *"', "39: flows[0].schedule.cron is not five fields: "),
        ('"0 3 * * mon-fri"', '"0 24 * * *"', "39: flows[0].schedule.cron has 24 as its hour, which cron does not understand."),
        ("Europe/Berlin", "Europe/Bonn", "39: flows[0].schedule.timezone is not a time zone such as "),
        ("type: all", "type: delta", "30: flows[0].exports[0].type is not all: delta, once and test are not in this version yet."),
        ("operation: upsert", "operation: merge", "35: flows[0].steps[0].import.operation is not one of: add, "),
        ("{env: CONTOSO_SECRET}", "{env: NOT_SET}", "16: iclients[0].credential.client_secret names the environment variable NOT_SET"),
        ("{env: CONTOSO_SECRET}", "{file: no.txt}", "16: iclients[0].credential.client_secret names the file "),
        ("{env: CONTOSO_SECRET}", "{credential: X}", "16: iclients[0].credential.client_secret names a credential of a store"),
        ("{env: CONTOSO_SECRET}", "{vault: X}", "16: iclients[0].credential.client_secret has an unknown key vault"),
        ("{env: CONTOSO_SECRET}", "{env: A, file: B}", "16: iclients[0].credential.client_secret is neither text"),
        ("{env: CONTOSO_SECRET}", '""', "16: iclients[0].credential.client_secret is empty"),
        ("{env: CONTOSO_SECRET}", "123", "16: iclients[0].credential.client_secret is not text: put it in quotes."),
        ("{client_secret: ", "{certificate: ", "16: iclients[0].credential.certificate cannot be used: it is no PFX or PEM file"),
        ("{client_secret: ", "{algorithm: PS256, client_secret: ", "16: iclients[0].credential has an algorithm, which only a certificate needs"),
        ("    cloud: lab\n", "    name: again\n", "13: iclients[0] has the key name twice, first on line 11."),
        ("    cloud: lab\n", "    cloud: !!str lab\n", "13: the tag tag:yaml.org,2002:str is not allowed here."),
        ("    cloud: lab\n", "    cloud: *lab\n", "13: the alias *lab repeats something that is not there, or itself."),
        ("    cloud: lab\n", "    cloud: [lab\n", "14: this is not YAML: "),
        ("    cloud: lab\n", "    ? [a]\n    : lab\n", "13: iclients[0] has a key that is not text."),
        ("    cloud: lab\n", "    cloud: lab\n---\n", "14: a second document begins here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_path(
    store: Store, tmp_path: Path, old: str, new: str, told: str
) -> None:
    message = refused(store, tmp_path, changed(old, new))
    assert message.startswith(told)
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert documents.dump(store) == "version: 1\n"


def test_a_refused_document_changes_nothing_of_what_is_stored(store: Store, tmp_path: Path) -> None:
    apply(store, tmp_path)
    before = documents.dump(store)
    text = changed("8443", "9443").replace("connection: here", "connection: there")
    refused(store, tmp_path, text, {"CONTOSO_SECRET": "another"})
    assert documents.dump(store) == before
    assert secret(store) == "hunter2"


def test_no_refusal_shows_a_secret(store: Store, tmp_path: Path) -> None:
    for text in (
        changed("{env: CONTOSO_SECRET}", "'hunter2"),
        changed("{env: CONTOSO_SECRET}", "[hunter2]"),
        changed("{client_secret: {env: CONTOSO_SECRET}}", "hunter2"),
        changed("{env: CONTOSO_SECRET}", "{file: {file: hunter2}}"),
    ):
        with pytest.raises(BadDocument) as error:
            apply(store, tmp_path, text)
        assert "hunter2" not in str(error.value)
        assert error.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- a", "text", "version: 1\nclouds: 7", "version: 1\nflows: [7]", "\x00"]
)
def test_what_is_no_document_at_all_is_refused(store: Store, tmp_path: Path, text: str) -> None:
    refused(store, tmp_path, text)


def test_a_document_that_is_not_there_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"none\.yaml:1: the document cannot be read"):
        documents.apply(tmp_path / "none.yaml", store)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{name}: &{name} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n" for of, name in zip("abcdefghi", "bcdefghij", strict=True)),
        "[" * 500_000,
        "x: " * 20_000,
        "a: &a [*a]",
        "#" * 1_000_001,
        "[" + "1," * 200_000 + "]",
    ],
    ids=["laughs", "depth", "nested keys", "itself", "size", "parts"],
)  # fmt: skip
def test_a_document_that_would_be_too_much_is_refused(text: str) -> None:
    with pytest.raises(BadDocument):
        documents.read("lab.yaml", text.encode())


def test_an_anchor_repeats_what_it_names(store: Store, tmp_path: Path) -> None:
    text = changed("name: contoso-app", "name: &app contoso-app").replace("iclient: contoso-app", "iclient: *app")
    apply(store, tmp_path, text)
    with store.reading() as stored:
        assert stored.connections.get("contoso-vault").iclient == "contoso-app"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("off", "off"), ("0123", "0123"), ("1e3", "1e3"), ("0x1F", "0x1F"), ("2025-07-01", "2025-07-01"),
        ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("<<", "<<"), ("true", True), ("False", False), ("null", None), ("~", None),
        ("12", 12), ("-3", -3), ("1.5", 1.5), ("1.5e+3", 1500.0), ("'12'", "12"), ('"true"', "true"),
    ],
)  # fmt: skip
def test_yaml_has_no_surprises(text: str, value: object) -> None:
    assert documents.read("x", f"a: {text}".encode()).data == {"a": value}


def test_every_text_comes_back_from_a_dump() -> None:
    scalars = (
        st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
    )
    texts = st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(r"[-+0-9a-zA-Z_.:~]{1,8}", fullmatch=True)

    @settings(deadline=None)
    @given(st.dictionaries(texts, scalars | texts, max_size=4))
    def comes_back(data: dict[str, object]) -> None:
        assert documents.read("x", documents.text(data).encode()).data == data

    comes_back()


@pytest.mark.parametrize(
    "cron", ["* * * * *", "*/5 0-6/2 1,15 jan-mar sun", "0 3 * * 7", "0 3 * * sat-sun", "59 23 31 12 MON"]
)
def test_schedules_that_cron_understands_are_taken(store: Store, tmp_path: Path, cron: str) -> None:
    apply(store, tmp_path, changed("0 3 * * mon-fri", cron))


@pytest.mark.parametrize(
    "cron",
    [
        "60 * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "* * * * mon-",
        "@daily",
    ],
)
def test_schedules_that_cron_does_not_understand_are_refused(store: Store, tmp_path: Path, cron: str) -> None:
    assert "flows[0].schedule.cron" in refused(store, tmp_path, changed("0 3 * * mon-fri", cron))
