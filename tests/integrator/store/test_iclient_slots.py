"""Two slots hold an iClient's credentials; each is sealed for its own place, and a proven next one is promoted once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connectors.model import Connection
from iclients.credentials import Certificate, ClientSecret, ManagedIdentity
from iclients.model import IClient
from iclients.secret import Secret
from integrator.config import Config
from integrator.errors import InUse, NotFoundHere
from integrator.store.named import Saved
from integrator.store.store import Store
from integrator.store.tables import iclients

OLD = ClientSecret(Secret("0ld-one"), date(2027, 1, 31))
NEW = ClientSecret(Secret("n3w-one"), date(2028, 1, 31))
APP = IClient("app", "entra", "id", credential=OLD, next_credential=NEW, owner="ada")


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """One that ends on 2029-06-30."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    ends = datetime(2029, 6, 30, 12, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=800)).not_valid_after(ends)
    signed = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(Secret(private), signed)


@pytest.fixture
def saved(store: Store) -> Store:
    with store.writing() as stored:
        stored.iclients.save(APP)
    return store


def _secrets(store: Store) -> tuple[object, object]:
    with store.reading() as stored:
        app = stored.iclients.get("app")
    return app.credential, app.next_credential


def test_both_credentials_come_back_and_neither_is_readable(saved: Store, config: Config) -> None:
    with saved.reading() as stored:
        assert stored.iclients.get("app") == APP
        assert stored.iclients.find("app") == replace(APP, credential=None, next_credential=None)
    saved.close()
    content = b"".join(path.read_bytes() for path in config.home.rglob("*") if path.is_file())
    assert [word for word in (b"0ld-one", b"n3w-one") if word in content] == []


def test_a_slot_that_comes_empty_keeps_what_it_has(saved: Store) -> None:
    with saved.writing() as stored:
        assert stored.iclients.save(replace(APP, credential=None, next_credential=None)) is Saved.UNCHANGED
        assert stored.iclients.save(APP) is Saved.UNCHANGED
        other = ClientSecret(Secret("third"))
        assert stored.iclients.save(replace(APP, credential=None, next_credential=other)) is Saved.UPDATED
    assert _secrets(saved) == (OLD, other)


def test_a_credential_does_not_open_in_the_other_slot(saved: Store) -> None:
    with saved.database.writing() as connection:
        connection.execute(iclients.update().values(credential=iclients.c.next_credential))
    assert [str(place) for place in saved.keys_doctor().unopenable] == ["iclients/1/credential"]


def test_slots_are_shown_as_set_or_not_and_with_their_ends(saved: Store, certificate: Certificate) -> None:
    with saved.writing() as stored:
        assert stored.iclients.slots("app") == {
            "credential": {"set": True, "expires": "2027-01-31"},
            "next_credential": {"set": True, "expires": "2028-01-31"},
        }
        stored.iclients.save(replace(APP, name="other", credential=certificate, next_credential=None))
        assert stored.iclients.slots("other") == {
            "credential": {"set": True, "expires": "2029-06-30"},
            "next_credential": {"set": False, "expires": ""},
        }
        with pytest.raises(NotFoundHere):
            stored.iclients.slots("nope")


def test_ends_are_listed_without_the_keys(saved: Store, config: Config, certificate: Certificate) -> None:
    with saved.writing() as stored:
        stored.iclients.save(IClient("cert", "entra", "id", credential=certificate))
        stored.iclients.save(IClient("machine", "entra", "id", credential=ManagedIdentity()))
    config.key_file.unlink()
    with saved.reading() as stored:
        assert stored.iclients.expiries() == [
            ("app", "ada", "credential", date(2027, 1, 31)),
            ("app", "ada", "next_credential", date(2028, 1, 31)),
            ("cert", "", "credential", date(2029, 6, 30)),
        ]


def test_another_end_of_the_same_secret_is_a_change(saved: Store) -> None:
    later = replace(APP, credential=ClientSecret(OLD.value, date(2027, 3, 31)))
    with saved.writing() as stored:
        assert stored.iclients.save(later) is Saved.UPDATED
        assert stored.iclients.slots("app")["credential"]["expires"] == "2027-03-31"


def test_applying_a_credential_again_writes_down_an_end_that_was_not_known(saved: Store) -> None:
    with saved.database.writing() as connection:
        connection.execute(iclients.update().values(credential_expires=""))
    with saved.writing() as stored:
        assert stored.iclients.save(APP) is Saved.UNCHANGED
        assert stored.iclients.slots("app")["credential"]["expires"] == "2027-01-31"


def test_a_proven_next_credential_takes_the_place_of_the_current_one(saved: Store) -> None:
    with saved.writing() as stored:
        assert stored.iclients.promote("app", NEW)
        assert stored.iclients.slots("app") == {
            "credential": {"set": True, "expires": "2028-01-31"},
            "next_credential": {"set": False, "expires": ""},
        }
        row = stored.audit.list()[0]
    assert _secrets(saved) == (NEW, None)
    assert (row.action, row.noun, row.name, [*row.detail]) == ("credential promoted", "iClient", "app", ["refused"])


def test_a_credential_that_is_not_the_next_one_is_not_promoted(saved: Store) -> None:
    with saved.writing() as stored:
        assert not stored.iclients.promote("app", OLD)
        assert not stored.iclients.promote("app", ClientSecret(NEW.value))
        stored.iclients.save(replace(APP, name="bare", credential=None, next_credential=None))
        assert not stored.iclients.promote("bare", NEW)
        with pytest.raises(NotFoundHere):
            stored.iclients.promote("nope", NEW)
    assert _secrets(saved) == (OLD, NEW)


def test_two_stores_that_promote_at_once_leave_one_audit_row(saved: Store, config: Config) -> None:
    together = threading.Barrier(2)
    promoted: list[bool] = []

    def promote() -> None:
        with Store.open(config) as store:
            together.wait(10)
            with store.writing() as stored:
                promoted.append(stored.iclients.promote("app", NEW))

    threads = [threading.Thread(target=promote) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(promoted) == [False, True]
    assert _secrets(saved) == (NEW, None)
    with saved.reading() as stored:
        assert [row.action for row in stored.audit.list()] == ["credential promoted", "created"]


def test_the_two_credentials_change_places_with_their_ends(saved: Store) -> None:
    with saved.writing() as stored:
        assert stored.iclients.swap("app")
        assert [slot["expires"] for slot in stored.iclients.slots("app").values()] == ["2028-01-31", "2027-01-31"]
        assert stored.audit.list()[0].action == "credentials swapped"
    assert _secrets(saved) == (NEW, OLD)


def test_two_who_were_refused_at_once_swap_once(saved: Store) -> None:
    with saved.writing() as stored:
        assert stored.iclients.swap("app", refused=OLD)
        assert not stored.iclients.swap("app", refused=OLD)
    assert _secrets(saved) == (NEW, OLD)


def test_a_credential_without_a_next_one_stays(store: Store) -> None:
    with store.writing() as stored:
        stored.iclients.save(replace(APP, next_credential=None))
        assert not stored.iclients.swap("app")
    assert _secrets(store) == (OLD, None)


def test_an_iclient_names_all_connections_that_keep_it(saved: Store) -> None:
    with saved.writing() as stored:
        assert stored.iclients.used_by("app") == []
        for name in ("y", "x"):
            stored.connections.save(Connection(name, "azure-key-vault", iclient="app"))
        stored.connections.save(Connection("z", "files"))
        assert stored.iclients.used_by("app") == ["x", "y"]
        with pytest.raises(InUse, match="iClient app is used by connections x, y: change or delete those first"):
            stored.iclients.delete("app")
        stored.connections.delete("y")
        with pytest.raises(InUse, match="iClient app is used by connection x: change or delete that first"):
            stored.iclients.delete("app")
        stored.connections.delete("x")
        stored.iclients.delete("app")


def test_the_document_of_before_a_takeover_changes_nothing_and_a_new_credential_does(saved: Store) -> None:
    with saved.writing() as stored:
        stored.iclients.promote("app", NEW)
        assert stored.iclients.save(APP) is Saved.UNCHANGED
    assert _secrets(saved) == (NEW, None)
    newest = ClientSecret(Secret("newest"))
    with saved.writing() as stored:
        assert stored.iclients.save(replace(APP, credential=newest)) is Saved.UPDATED
    assert _secrets(saved) == (newest, NEW)
