"""A database of an older version, with everything in it, becomes one of this version and loses nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine

from connectors.model import Connection
from flows.model import Export, Flow, Import
from iclients.credentials import ClientSecret
from iclients.model import Consent, IClient, Token
from iclients.secret import Secret
from integrator.config import Config
from integrator.store.database import MIGRATIONS
from integrator.store.sealed import Place, Seal
from integrator.store.store import Store

ASKED = ("https://vault.azure.net/user_impersonation",)
OLD_CONSENT = {
    "refresh_token": "r1",
    "account": "ada",
    "scopes": [*ASKED, "openid", "profile", "offline_access"],
    "consented_at": 5.0,
    "token": {"access_token": "a1", "expires_at": 90.0, "replace_at": 80.0, "scopes": [*ASKED]},
}
FLOW = '{"exports":[{"connection":"vault","resource":"secrets"}],"name":"f","steps":[{"import":{"connection":"here","resource":"o.csv"}}]}'


@pytest.fixture
def old_database(config: Config) -> Path:
    """A database as 0002 left it: a row of every noun, a consent, a run with an outcome and an entry of the ledger."""
    path = config.home / "integrator.db"
    engine = create_engine(f"sqlite:///{path}")
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "0002")
    engine.dispose()
    _fill(path, Seal(config.key_file, lambda: False))
    return path


def _fill(path: Path, seal: Seal) -> None:
    credential = seal.seal('{"client_secret": "hunter2"}', Place("iclients", 3, "credential"))
    consent = seal.seal(json.dumps(OLD_CONSENT), Place("consents", 7, "sealed"))
    with sqlite3.connect(path) as connection:
        connection.execute("pragma foreign_keys = on")
        for statement, values in (
            (
                "insert into iclients values (3, 'app', 'entra', 'public', ?, ?)",
                ('{"client_id":"id","name":"app","provider":"entra"}', credential),
            ),
            (
                "insert into connections values (5, 'vault', 'azure-key-vault', 'app', ?)",
                ('{"connector":"azure-key-vault","iclient":"app","name":"vault"}',),
            ),
            ("insert into consents values (7, 5, ?)", (consent,)),
            ("insert into flows values (9, 'f', 0, ?)", (FLOW,)),
            ("insert into runs (id, flow_id, status, fence) values (11, 9, 'failed', 4)", ()),
            ("insert into outcomes (run_id, key, effect, code, at) values (11, 'k', 'failed', 'x', 1.0)", ()),
            ("insert into ledger (flow_id, target, key, fingerprint) values (9, 't', 'k', 'print')", ()),
        ):
            connection.execute(statement, values)
    connection.close()


def test_nouns_of_an_older_version_are_all_there(old_database: Path, config: Config) -> None:
    with Store.open(config) as store, store.reading() as stored:
        credential = ClientSecret(Secret("hunter2"))
        assert stored.iclients.get("app") == IClient("app", "entra", "id", credential=credential)
        assert stored.connections.all() == [Connection("vault", "azure-key-vault", iclient="app")]
        assert stored.flows.all() == [Flow("f", (Export("vault", "secrets"),), (Import("here", "o.csv"),))]
        assert (stored.runs.get(11).fence, [error["key"] for error in stored.runs.errors(11)]) == (4, ["k"])


def test_nouns_of_an_older_version_stand_as_nothing_has_been_seen_of_them(old_database: Path, config: Config) -> None:
    with Store.open(config) as store, store.reading() as stored:
        assert stored.connections.state("vault").document() == {"state": "offline"}
        assert stored.flows.paused() == {}
        assert stored.iclients.slots("app") == {
            "credential": {"set": True, "expires": ""},
            "next_credential": {"set": False, "expires": ""},
        }
        assert (stored.audit.list(), stored.notices.list(unseen_only=False)) == ([], [])


def test_a_consent_that_an_older_version_sealed_serves_on(old_database: Path, config: Config) -> None:
    with Store.open(config) as store, store.reading() as stored:
        kept = stored.consents.find("vault")
    assert kept is not None
    token = Token(Secret("a1"), expires_at=90.0, replace_at=80.0, scopes=ASKED, asked=ASKED)
    assert kept.consent == Consent(Secret("r1"), "ada", tuple(OLD_CONSENT["scopes"]), 5.0, (token,))
    assert kept.consent.token_for(ASKED) == token
    assert (kept.version, kept.exchanging_since) == (0, None)


def test_a_consent_that_an_older_version_sealed_is_replaced_by_its_version(old_database: Path, config: Config) -> None:
    with Store.open(config) as store, store.writing() as stored:
        kept = stored.consents.find("vault")
        assert kept is not None
        stored.consents.save("vault", kept.consent, kept.version)
        again = stored.consents.find("vault")
        assert again is not None
        assert (again.consent, again.version) == (kept.consent, 1)
        assert stored.audit.list() == []


def test_bringing_a_database_up_to_date_happens_once(old_database: Path, config: Config) -> None:
    for _ in range(2):
        Store.open(config).close()
    connection = sqlite3.connect(old_database)
    assert connection.execute("pragma foreign_key_check").fetchall() == []
    assert connection.execute("select count(*) from ledger where fingerprint = 'print'").fetchone() == (1,)
    connection.close()
