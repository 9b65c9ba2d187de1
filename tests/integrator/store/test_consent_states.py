"""A consent that has begun is ended once: by whoever comes first, in the browser that began it, in time."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from connectors.model import Connection
from iclients.secret import Secret
from integrator.config import Config
from integrator.errors import (
    NotFoundHere,
    SealBroken,
    StateElsewhere,
    StateExpired,
    StateRefused,
    StateUnknown,
    StateUsed,
)
from integrator.store.consent_states import Outcome, SealedPending, TakenState
from integrator.store.store import Store
from integrator.store.tables import consent_states

NOW = 1_000_000.0
PENDING = SealedPending("n0nce", Secret("v3rifier"), "https://here.test/callback", ("a", "b"))

TAKER = """
import sys
from integrator.config import Config
from integrator.errors import StateRefused
from integrator.store.store import Store

with Store.open(Config.from_environment()) as store:
    print("ready", flush=True)
    for state in sys.stdin:
        try:
            with store.writing() as stored:
                stored.consent_states.take(state.strip(), "", 1_000_001.0)
            print("taken", flush=True)
        except StateRefused as error:
            print(type(error).__name__, flush=True)
"""


def _begin(store: Store, state: str = "st4te", **other: Any) -> None:
    row = {"kind": "consent", "user": "cli:ada", "browser": "", "pending": PENDING, "return_to": "https://back.test"}
    with store.writing() as stored:
        stored.consent_states.begin(state, "contoso", **{**row, "now": NOW, "expires_at": NOW + 600, **other})


def _take(store: Store, state: str = "st4te", browser: str = "", now: float = NOW + 1) -> TakenState:
    with store.writing() as stored:
        return stored.consent_states.take(state, browser, now)


def test_a_consent_comes_back_as_it_was_begun(store: Store, contoso: Connection) -> None:
    _begin(store)
    taken = _take(store)
    assert taken == TakenState(1, "contoso", "consent", "cli:ada", PENDING, "https://back.test", NOW + 600)
    assert "n0nce" not in repr(taken)


def test_neither_the_state_nor_the_browser_nor_the_verifier_is_in_the_database(
    store: Store, contoso: Connection, config: Config
) -> None:
    _begin(store, browser="br0wser")
    store.close()
    content = b"".join(path.read_bytes() for path in config.home.rglob("*") if path.is_file())
    assert b"https://back.test" in content
    assert [word for word in (b"st4te", b"br0wser", b"v3rifier", b"n0nce") if word in content] == []


def test_a_consent_is_ended_once(store: Store, contoso: Connection) -> None:
    _begin(store)
    _take(store)
    with pytest.raises(StateUsed, match="has come already"):
        _take(store)


def test_a_state_that_nobody_began_is_unknown(store: Store, contoso: Connection) -> None:
    _begin(store)
    for state in ("other", "", "st4te ", "\udcff"):
        with pytest.raises(StateUnknown, match="no consent that was begun here"):
            _take(store, state)
    assert _take(store).connection == "contoso"


def test_a_consent_that_comes_back_too_late_is_refused(store: Store, contoso: Connection) -> None:
    _begin(store)
    with pytest.raises(StateExpired, match="too long ago"):
        _take(store, now=NOW + 600)


def test_another_browser_ends_nothing_and_uses_nothing_up(store: Store, contoso: Connection) -> None:
    _begin(store, browser="mine")
    for browser in ("other", ""):
        with pytest.raises(StateElsewhere, match="another browser"):
            _take(store, browser=browser)
    assert _take(store, browser="mine").kind == "consent"


def test_every_refusal_is_one_kind(store: Store) -> None:
    assert all(issubclass(kind, StateRefused) for kind in (StateUnknown, StateUsed, StateExpired, StateElsewhere))


def test_a_row_whose_secrets_do_not_open_is_not_used_up(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.database.writing() as connection:
        whole = connection.scalar(consent_states.select().with_only_columns(consent_states.c.sealed))
        connection.execute(consent_states.update().values(sealed="v1:gone:AAAA"))
    with pytest.raises(SealBroken, match="consent_states/1/sealed"):
        _take(store)
    with store.database.writing() as connection:
        connection.execute(consent_states.update().values(sealed=whole))
    assert _take(store).pending == PENDING


def test_a_consent_of_a_connection_that_is_deleted_meanwhile_is_unknown(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.writing() as stored:
        stored.connections.delete("contoso")
    with pytest.raises(StateUnknown):
        _take(store)


def test_a_consent_for_no_connection_does_not_begin(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no connection contoso"):
        _begin(store)


def test_whoever_waits_for_a_consent_sees_how_it_ended(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.reading() as stored:
        assert stored.consent_states.outcome("st4te") is None
    taken = _take(store)
    with store.writing() as stored:
        assert stored.consent_states.outcome("st4te") is None
        stored.consent_states.end(taken.id, "", "It answers.", "ada", NOW + 2)
        assert stored.consent_states.outcome("st4te") == Outcome("", "It answers.", "ada", NOW + 2)
        assert stored.consent_states.outcome("other") is None


def test_the_way_back_is_known_by_the_state(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.reading() as stored:
        assert stored.consent_states.return_to("st4te") == "https://back.test"
        assert stored.consent_states.return_to("other") == ""


def test_a_consent_that_was_taken_and_never_ended_was_interrupted(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.reading() as stored:
        assert not stored.consent_states.interrupted("contoso", NOW + 700)
    _take(store)
    with store.reading() as stored:
        assert not stored.consent_states.interrupted("contoso", NOW + 600)
        assert stored.consent_states.interrupted("contoso", NOW + 602)
        with pytest.raises(NotFoundHere):
            stored.consent_states.interrupted("nope", NOW)


def test_a_later_consent_makes_an_interrupted_one_of_no_interest(store: Store, contoso: Connection) -> None:
    _begin(store)
    _take(store)
    _begin(store, "second")
    taken = _take(store, "second", now=NOW + 300)
    with store.writing() as stored:
        stored.consent_states.end(taken.id, "", "It answers.", "ada", NOW + 301)
        assert not stored.consent_states.interrupted("contoso", NOW + 10_000)


def test_consents_that_began_more_than_a_day_ago_are_forgotten(store: Store, contoso: Connection) -> None:
    _begin(store)
    with store.writing() as stored:
        assert stored.consent_states.forget_old(NOW + 86_400) == 0
        assert stored.consent_states.forget_old(NOW + 86_401) == 1
    _begin(store)
    _begin(store, "next", now=NOW + 90_000)
    with pytest.raises(StateUnknown):
        _take(store)


def test_processes_that_take_the_same_consents_at_once_take_each_once(
    store: Store, contoso: Connection, config: Config
) -> None:
    states = [f"state-{number}" for number in range(40)]
    for state in states:
        _begin(store, state)
    answers = _at_once(config, TAKER, "".join(f"{state}\n" for state in states))
    for number in range(len(states)):
        assert Counter(answer[number] for answer in answers) == {"taken": 1, "StateUsed": 2}


def _at_once(config: Config, program: str, lines: str) -> list[list[str]]:
    """What three processes say to these lines, which they are given when all are ready."""
    command = [sys.executable, "-W", "error", "-c", program]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env={"INTEGRATOR_HOME": str(config.home)}, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write(lines)
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    return answers
