"""A consent link serves whoever has it, once, until it ends."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from connectors.model import Connection
from integrator.config import Config
from integrator.errors import LinkRefused, NotFoundHere
from integrator.store.consent_links import Link
from integrator.store.store import Store

NOW = 1_000_000.0

USER = """
import sys
from integrator.config import Config
from integrator.errors import LinkRefused
from integrator.store.store import Store

with Store.open(Config.from_environment()) as store:
    print("ready", flush=True)
    for token in sys.stdin:
        try:
            with store.writing() as stored:
                stored.consent_links.use(token.strip(), 1_000_001.0)
            print("used", flush=True)
        except LinkRefused as error:
            print("refused", flush=True)
"""


def _make(store: Store, now: float = NOW) -> str:
    with store.writing() as stored:
        return stored.consent_links.make(
            "contoso", made_for="Bob", return_to="https://back.test", now=now, lifetime_seconds=3600
        )


def _look(store: Store, token: str, now: float = NOW + 1) -> Link:
    with store.reading() as stored:
        return stored.consent_links.look(token, now)


def _use(store: Store, token: str, now: float = NOW + 1) -> Link:
    with store.writing() as stored:
        return stored.consent_links.use(token, now)


def test_a_link_says_for_what_it_was_made_by_whom_and_for_whom(store: Store, contoso: Connection) -> None:
    store.actor = "web:ada"
    token = _make(store)
    assert _look(store, token) == Link(1, "contoso", "web:ada", "Bob", "https://back.test", NOW, NOW + 3600)


def test_looking_uses_nothing_up_and_using_does(store: Store, contoso: Connection) -> None:
    token = _make(store)
    assert _look(store, token) == _look(store, token) == _use(store, token)
    for again in (_look, _use):
        with pytest.raises(LinkRefused, match="has been used already"):
            again(store, token)


def test_a_link_ends(store: Store, contoso: Connection) -> None:
    token = _make(store)
    for ask in (_look, _use):
        with pytest.raises(LinkRefused, match="has expired"):
            ask(store, token, NOW + 3600)


def test_a_link_that_nobody_made_is_unknown(store: Store, contoso: Connection) -> None:
    token = _make(store)
    for other in ("", token[:-1], f"{token} ", "\udcff"):
        with pytest.raises(LinkRefused, match="is not known here"):
            _use(store, other)


def test_no_two_links_are_equal_and_only_their_hashes_are_kept(
    store: Store, contoso: Connection, config: Config
) -> None:
    tokens = {_make(store) for _ in range(10)}
    assert len(tokens) == 10
    assert {len(token) for token in tokens} == {43}
    store.close()
    content = b"".join(path.read_bytes() for path in config.home.rglob("*") if path.is_file())
    assert [token for token in tokens if token.encode() in content] == []


def test_a_link_for_no_connection_is_not_made(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no connection contoso"):
        _make(store)


def test_making_and_using_a_link_is_told(store: Store, contoso: Connection) -> None:
    _use(store, _make(store))
    with store.reading() as stored:
        rows = [(row.action, row.name, row.detail) for row in stored.audit.list()[:2]]
    assert rows == [("link used", "contoso", {"made_for": "Bob"}), ("link made", "contoso", {"made_for": "Bob"})]


def test_links_that_ended_long_ago_are_forgotten(store: Store, contoso: Connection) -> None:
    token = _make(store)
    month = 30 * 86_400
    with store.writing() as stored:
        assert stored.consent_links.forget_old(NOW + 3600 + month) == 0
        assert stored.consent_links.forget_old(NOW + 3601 + month) == 1
    with pytest.raises(LinkRefused, match="is not known here"):
        _look(store, token)


def test_processes_that_use_the_same_links_at_once_use_each_once(
    store: Store, contoso: Connection, config: Config
) -> None:
    tokens = [_make(store) for _ in range(40)]
    command = [sys.executable, "-W", "error", "-c", USER]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env={"INTEGRATOR_HOME": str(config.home)}, **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("".join(f"{token}\n" for token in tokens))
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    for number in range(len(tokens)):
        assert sorted(answer[number] for answer in answers) == ["refused", "refused", "used"]
