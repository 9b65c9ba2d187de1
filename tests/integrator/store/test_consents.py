"""Consents: sealed, versioned, and replaced only by whoever knows what they replace."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from connectors.model import Connection
from iclients.consented import ConsentReplaced, Kept
from iclients.model import Consent, Token
from iclients.secret import Secret
from integrator.config import Config
from integrator.errors import NotFoundHere, SealBroken
from integrator.store.consents import KeptConsent
from integrator.store.store import Store
from integrator.store.tables import consents

FIRST = Token(Secret("acc3ss-1"), 100.0, 90.0, scopes=("a",), asked=("a",))
SECOND = Token(Secret("acc3ss-2"), 100.0, 90.0, scopes=("b",), asked=("b",))
CONSENT = Consent(Secret("r3fresh"), "ada", ("a", "b", "openid"), 5.0, (FIRST, SECOND))


@pytest.fixture
def keeper(store: Store, contoso: Connection) -> KeptConsent:
    return KeptConsent(store, "contoso")


def _kept(keeper: KeptConsent) -> Kept:
    kept = keeper.get()
    assert kept is not None
    return kept


def _actions(store: Store) -> list[str]:
    with store.reading() as stored:
        return [row.action for row in reversed(stored.audit.list())][1:]


def test_a_consent_comes_back_with_a_token_for_each_set_of_scopes(keeper: KeptConsent) -> None:
    assert keeper.get() is None
    keeper.save(CONSENT, None)
    kept = _kept(keeper)
    assert (kept.consent, kept.exchanging_since) == (CONSENT, None)
    assert kept.consent.token_for(("b",)) == SECOND


def test_a_consent_without_a_refresh_token_and_one_without_tokens_come_back(keeper: KeptConsent) -> None:
    for consent in (replace(CONSENT, refresh_token=None), replace(CONSENT, tokens=())):
        keeper.save(consent, None)
        assert _kept(keeper).consent == consent


def test_a_consent_is_sealed_in_the_database(keeper: KeptConsent, store: Store, config: Config) -> None:
    keeper.save(CONSENT, None)
    store.close()
    content = b"".join(path.read_bytes() for path in config.home.rglob("*") if path.is_file())
    assert [word for word in (b"r3fresh", b"acc3ss") if word in content] == []


def test_a_version_is_replaced_once(keeper: KeptConsent) -> None:
    keeper.save(CONSENT, None)
    version = _kept(keeper).version
    keeper.save(replace(CONSENT, refresh_token=Secret("second")), version)
    with pytest.raises(ConsentReplaced):
        keeper.save(replace(CONSENT, refresh_token=Secret("late")), version)
    assert (_kept(keeper).consent.refresh_token, _kept(keeper).version) == (Secret("second"), version + 1)


def test_of_two_stores_that_replace_the_same_version_at_once_one_does(keeper: KeptConsent, config: Config) -> None:
    keeper.save(CONSENT, None)
    for _ in range(10):
        version = _kept(keeper).version
        done: list[str] = []
        together = threading.Barrier(2)

        def save(text: str, version: int = version, done: list[str] = done, at: threading.Barrier = together) -> None:
            with Store.open(config) as store:
                at.wait(10)
                try:
                    KeptConsent(store, "contoso").save(replace(CONSENT, refresh_token=Secret(text)), version)
                    done.append(text)
                except ConsentReplaced:
                    done.append("")

        threads = [threading.Thread(target=save, args=(text,)) for text in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = filter(None, done)
        assert len(done) == 2
        assert (_kept(keeper).consent.refresh_token, _kept(keeper).version) == (Secret(winner), version + 1)


def test_whatever_is_there_is_replaced_where_no_version_is_named(keeper: KeptConsent) -> None:
    keeper.save(CONSENT, None)
    version = _kept(keeper).version
    keeper.save(replace(CONSENT, account="bob"), None)
    assert (_kept(keeper).consent.account, _kept(keeper).version) == ("bob", version + 1)


def test_a_consent_that_was_forgotten_is_not_brought_back_by_a_late_refresh(keeper: KeptConsent, store: Store) -> None:
    keeper.save(CONSENT, None)
    version = _kept(keeper).version
    with store.writing() as stored:
        stored.consents.forget("contoso")
    with pytest.raises(ConsentReplaced):
        keeper.save(CONSENT, version)
    assert keeper.get() is None
    keeper.save(replace(CONSENT, account="bob"), None)
    with pytest.raises(ConsentReplaced):
        keeper.save(CONSENT, version)
    assert _kept(keeper).consent.account == "bob"


def test_a_note_stays_until_the_exchange_has_ended(keeper: KeptConsent) -> None:
    keeper.save(CONSENT, None)
    version = _kept(keeper).version
    keeper.note(version, 7.0)
    assert _kept(keeper) == Kept(CONSENT, version, 7.0)
    keeper.clear_note(version)
    assert _kept(keeper).exchanging_since is None
    keeper.note(version, 8.0)
    keeper.save(CONSENT, version)
    assert _kept(keeper).exchanging_since is None


def test_a_note_of_another_version_is_not_written_and_not_taken_away(keeper: KeptConsent) -> None:
    keeper.save(CONSENT, None)
    version = _kept(keeper).version
    keeper.note(version - 1, 7.0)
    assert _kept(keeper).exchanging_since is None
    keeper.note(version, 8.0)
    keeper.clear_note(version - 1)
    assert _kept(keeper).exchanging_since == 8.0


def test_who_consented_is_told_and_a_refresh_is_not(keeper: KeptConsent, store: Store) -> None:
    keeper.save(CONSENT, None)
    keeper.save(CONSENT.with_token(replace(FIRST, access_token=Secret("new"))), _kept(keeper).version)
    keeper.save(replace(CONSENT, account="bob", consented_at=6.0), None)
    with store.writing() as stored:
        stored.consents.forget("contoso")
        stored.consents.forget("contoso")
        row = stored.audit.list()[1]
    assert _actions(store) == ["consented", "consented", "consent forgotten"]
    assert (row.noun, row.name, row.detail) == (
        "connection",
        "contoso",
        {"account": "bob", "scopes": [*CONSENT.scopes]},
    )


def test_a_consent_that_does_not_open_is_mended_by_a_new_one(keeper: KeptConsent, store: Store) -> None:
    keeper.save(CONSENT, None)
    with store.database.writing() as connection:
        connection.execute(consents.update().values(sealed="v1:gone:AAAA"))
    with pytest.raises(SealBroken, match="consents/1/sealed"):
        keeper.get()
    keeper.save(CONSENT, None)
    assert _kept(keeper).consent == CONSENT
    assert _actions(store) == ["consented", "consented"]


def test_a_consent_of_no_connection_is_told(store: Store) -> None:
    keeper = KeptConsent(store, "nope")
    with pytest.raises(NotFoundHere, match="no connection nope"):
        keeper.get()
    with pytest.raises(NotFoundHere), keeper.exclusive():
        pass


def test_a_consent_goes_with_its_connection(keeper: KeptConsent, store: Store) -> None:
    keeper.save(CONSENT, None)
    with store.writing() as stored:
        stored.connections.delete("contoso")
    with store.database.reading() as connection:
        assert connection.execute(consents.select()).all() == []
