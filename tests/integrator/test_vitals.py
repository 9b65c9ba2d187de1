"""Whether a server works on the database, and whether its worker lives."""

from __future__ import annotations

import multiprocessing

import pytest

from integrator.config import Config
from integrator.store.store import Store
from integrator.vitals import QUIET_SECONDS, Vitals, servers, the_only_server


def test_servers_are_counted_and_only_the_first_one_is_alone(store: Store) -> None:
    assert servers(store) == 0
    with the_only_server(store) as first, the_only_server(store) as second:
        assert (first, second, servers(store)) == (True, False, 2)
    assert servers(store) == 0


def test_a_server_that_outlives_the_first_one_is_still_told(store: Store) -> None:
    first = the_only_server(store)
    assert first.__enter__()
    with the_only_server(store):
        first.__exit__(None, None, None)
        assert servers(store) == 1
        with the_only_server(store) as third:
            assert not third


def _serve_and_die(config: Config) -> None:
    with Store.open(config) as store, the_only_server(store):
        multiprocessing.current_process().kill()


def test_a_server_that_was_killed_is_no_server(config: Config, store: Store) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_serve_and_die, args=(config,))
    process.start()
    process.join()
    assert servers(store) == 0
    with the_only_server(store) as alone:
        assert alone


@pytest.mark.parametrize(
    ("vitals", "words"),
    [
        (Vitals(8, 8, 3, 0.4), ""),
        (Vitals(8, 7, 0, QUIET_SECONDS), ""),
        (Vitals(8, 0, 0, 0.4), "every thread"),
        (Vitals(8, 8, 8, QUIET_SECONDS + 1), "for 31 seconds"),
    ],
)
def test_a_worker_stands_still_when_nobody_looks_or_nobody_works(vitals: Vitals, words: str) -> None:
    assert words in vitals.stands_still
    assert bool(words) == bool(vitals.stands_still)
