from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.model import Connection
from iclients.credentials import ClientSecret
from iclients.model import Consent, IClient
from iclients.secret import Secret
from integrator.config import Config
from integrator.errors import KeyMissing, SealBroken
from integrator.store.consent_states import SealedPending
from integrator.store.named import Saved
from integrator.store.store import Store
from integrator.store.tables import SEALED, iclients, metadata


def _app(name: str, secret: str | None = "hunter2") -> IClient:
    return IClient(name, "entra", "app-id", credential=None if secret is None else ClientSecret(Secret(secret)))


def _save(store: Store, *apps: IClient) -> list[Saved]:
    with store.writing() as stored:
        return [stored.iclients.save(app) for app in apps]


def _secret(store: Store, name: str) -> str | None:
    with store.reading() as stored:
        credential = stored.iclients.get(name).credential
    return None if credential is None else credential.value.reveal()


def test_a_credential_is_sealed_in_the_database_and_comes_back(store: Store, config: Config) -> None:
    _save(store, _app("one"))
    assert _secret(store, "one") == "hunter2"
    store.close()
    assert not any(b"hunter2" in path.read_bytes() for path in config.home.rglob("*") if path.is_file())


def test_an_iclient_without_a_credential_keeps_the_stored_one(store: Store) -> None:
    assert _save(store, _app("one"), _app("one", None)) == [Saved.CREATED, Saved.UNCHANGED]
    assert _secret(store, "one") == "hunter2"


def test_the_same_credential_is_no_change_and_another_one_is(store: Store) -> None:
    assert _save(store, _app("one"), _app("one"), _app("one", "new")) == [
        Saved.CREATED,
        Saved.UNCHANGED,
        Saved.UPDATED,
    ]
    assert _secret(store, "one") == "new"


def test_a_credential_moved_to_another_row_does_not_open(store: Store) -> None:
    _save(store, _app("one"), _app("two", "other"))
    with store.database.writing() as connection:
        stolen = connection.scalar(iclients.select().with_only_columns(iclients.c.credential).where(iclients.c.id == 1))
        connection.execute(iclients.update().where(iclients.c.id == 2).values(credential=stolen))
    assert _secret(store, "one") == "hunter2"
    with pytest.raises(SealBroken, match="iclients/2/credential"):
        _secret(store, "two")


def test_without_its_key_file_nothing_opens_and_nothing_is_sealed(store: Store, config: Config) -> None:
    _save(store, _app("one"))
    store.close()
    config.key_file.unlink()
    with Store.open(config) as again:
        with pytest.raises(KeyMissing):
            _secret(again, "one")
        with pytest.raises(KeyMissing):
            _save(again, _app("two"))
        with again.reading() as stored:
            assert stored.iclients.names() == ["one"]
    assert not config.key_file.exists()


def test_the_doctor_finds_nothing_wrong_with_a_new_installation(store: Store, config: Config) -> None:
    assert store.keys_doctor().problems == ()
    assert not config.key_file.exists()


def test_the_doctor_counts_what_each_key_has_sealed(store: Store) -> None:
    _save(store, _app("one"), _app("two"))
    report = store.keys_doctor()
    assert report.document() == {
        "key_file": str(store.seal.key_file),
        "present": True,
        "mode": "0600",
        "keys": [store.seal.ring.keys[0].id],
        "sealed": {store.seal.ring.keys[0].id: 2},
        "unopenable": [],
        "problems": [],
    }


def test_the_doctor_sees_a_key_file_that_others_can_read(store: Store, config: Config) -> None:
    _save(store, _app("one"))
    config.key_file.chmod(0o640)
    assert any("chmod 600" in problem for problem in store.keys_doctor().problems)


def test_the_doctor_sees_a_missing_key_file_and_makes_none(store: Store, config: Config) -> None:
    _save(store, _app("one"))
    config.key_file.unlink()
    report = store.keys_doctor()
    assert "is missing" in report.problems[0]
    assert [str(place) for place in report.unopenable] == ["iclients/1/credential"]
    assert not config.key_file.exists()


def test_the_doctor_sees_values_of_another_installations_keys(store: Store, config: Config) -> None:
    _save(store, _app("one"))
    store.close()
    config.key_file.unlink()
    other = Store.open(Config(config.home, config.key_file, f"sqlite:///{config.home / 'other.db'}"))
    _save(other, _app("one"))
    other.close()
    with Store.open(config) as again:
        assert [str(place) for place in again.keys_doctor().unopenable] == ["iclients/1/credential"]


def test_applying_a_credential_again_mends_one_that_does_not_open(store: Store) -> None:
    _save(store, _app("one"))
    with store.database.writing() as connection:
        connection.execute(iclients.update().values(credential="v1:gone:AAAA"))
    assert _save(store, _app("one", "new")) == [Saved.UPDATED]
    assert _secret(store, "one") == "new"


def test_rotating_seals_everything_with_the_new_key(store: Store, config: Config) -> None:
    _save(store, _app("one"), _app("two", "other"))
    fingerprint = store.seal.fingerprint(b"x")
    key = store.rotate_keys()
    assert store.keys_doctor().sealed == {key.id: 2}
    assert (_secret(store, "one"), _secret(store, "two")) == ("hunter2", "other")
    assert store.seal.fingerprint(b"x") == fingerprint
    assert config.key_file.stat().st_mode & 0o777 == 0o600


def test_a_rotation_that_cannot_open_a_value_changes_nothing(store: Store) -> None:
    _save(store, _app("one"))
    before = store.seal.ring
    with store.database.writing() as connection:
        connection.execute(
            iclients.insert().values(id=7, name="x", provider="p", cloud="c", document="{}", credential="v1:gone:AA")
        )
    with pytest.raises(SealBroken):
        store.rotate_keys()
    assert store.seal.ring == before


def test_rotating_covers_every_kind_of_sealed_value(store: Store) -> None:
    consent = Consent(Secret("r1"), "ada", (), 5.0)
    pending = SealedPending("n", Secret("v"), "https://here.test/callback", ())
    row = {"kind": "consent", "user": "ada", "browser": "", "pending": pending, "return_to": ""}
    _save(store, replace(_app("one"), next_credential=ClientSecret(Secret("next"))))
    with store.writing() as stored:
        stored.connections.save(Connection("contoso", "azure-key-vault", iclient="one"))
        stored.consents.save("contoso", consent)
        stored.consent_states.begin("state", "contoso", **row, now=1.0, expires_at=9.0)
    key = store.rotate_keys()
    report = store.keys_doctor()
    assert (report.sealed, report.unopenable, len(SEALED)) == ({key.id: 4}, (), 4)
    with store.writing() as stored:
        assert stored.iclients.get("one").next_credential == ClientSecret(Secret("next"))
        kept = stored.consents.find("contoso")
        assert kept is not None
        assert kept.consent == consent
        assert stored.consent_states.take("state", "", 2.0).pending == pending


def test_every_column_of_sealed_values_is_counted(store: Store) -> None:
    named = {(table.name, column) for table, column in SEALED}
    texts = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    assert named == {
        (table, column) for table, column in texts if column in ("sealed", "credential", "next_credential")
    }
