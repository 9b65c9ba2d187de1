"""One suite for every journal: what runs may rely on, wherever it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.model import Effect, Known
from flows.journal import WHOLE, Journal, JournalInMemory, Settled
from flows.model import Export, Flow, Import, Outcome, Progress
from integrator.config import Config
from integrator.store.store import Store

TARGET = "vault:https://contoso.test"
Reopen = Callable[[], Journal]


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    if request.param == "memory":
        yield JournalInMemory()
        return
    config = Config.from_environment({"INTEGRATOR_HOME": str(tmp_path)})
    with Store.open(config) as store:
        with store.writing() as stored:
            stored.flows.save(Flow("a-flow", (Export("a", "b"),), (Import("c", "d"),)))
            claim = stored.runs.claim(stored.runs.start("a-flow").id)
        yield store.journal(claim)


def settled(*keys: str, effect: Effect = Effect.CREATED, cursor: int = 1, **entries: Known) -> Settled:
    progress = Progress(Counter(read=len(keys)), Counter(list=1), 0.5)
    return Settled(
        [Outcome(key, effect, target_key=key) for key in keys],
        {"source": {"page": cursor}, "target": None},
        progress,
        entries,
    )


def test_a_new_run_begins_at_the_beginning(journal: Journal) -> None:
    assert journal.start() == (None, Progress())
    assert list(journal.keys()) == []


def test_a_settled_page_is_where_the_run_goes_on(journal: Journal) -> None:
    assert journal.commit(TARGET, settled("one", "two", cursor=7)) is True
    cursor, progress = journal.start()
    assert cursor == {"source": {"page": 7}, "target": None}
    assert (progress.counts["read"], progress.calls["list"], progress.seconds) == (2, 1, 0.5)
    assert sorted(journal.keys()) == ["one", "two"]


def test_a_page_settled_twice_counts_its_records_once(journal: Journal) -> None:
    journal.commit(TARGET, settled("one", effect=Effect.FAILED))
    journal.commit(TARGET, settled("one"))
    assert list(journal.keys()) == ["one"]


def test_one_key_on_two_lines_has_two_outcomes(journal: Journal) -> None:
    outcomes = [Outcome("twice", Effect.FAILED, line=line, target_key="twice") for line in (2, 3)]
    journal.commit(TARGET, Settled(outcomes, {}, Progress()))
    assert list(journal.keys()) == ["twice", "twice"]


def test_what_is_settled_is_known_afterwards(journal: Journal) -> None:
    entry = Known(fingerprint="f", marker="m", source_marker="s", owned=True)
    journal.commit(TARGET, settled("one", one=entry))
    assert journal.known(TARGET, ["one", "other"]) == {"one": entry}


def test_nothing_is_known_at_another_target(journal: Journal) -> None:
    journal.commit(TARGET, settled("one", one=Known(owned=True)))
    assert journal.known("elsewhere", ["one"]) == {}


def test_the_target_as_a_whole_has_an_entry_too(journal: Journal) -> None:
    journal.commit(TARGET, Settled([], {}, Progress(), {WHOLE: Known(fingerprint="file", owned=True)}))
    assert journal.known(TARGET, [WHOLE])[WHOLE].fingerprint == "file"


def test_an_intent_is_known_until_the_write_is_settled(journal: Journal) -> None:
    journal.intend(TARGET, {"one": "wanted"})
    assert journal.known(TARGET, ["one"]) == {"one": Known(intent="wanted")}
    journal.commit(TARGET, settled("one", one=Known(fingerprint="wanted", owned=True)))
    assert journal.known(TARGET, ["one"])["one"].intent == ""


def test_an_intent_leaves_what_was_known_as_it_was(journal: Journal) -> None:
    journal.commit(TARGET, settled("one", one=Known("old", "m", "s", owned=True)))
    journal.intend(TARGET, {"one": "new"})
    assert journal.known(TARGET, ["one"])["one"] == Known("old", "m", "s", owned=True, intent="new")


def test_no_intents_are_noted_without_complaint(journal: Journal) -> None:
    journal.intend(TARGET, {})
    assert journal.known(TARGET, []) == {}


def test_starting_over_forgets_the_run_and_keeps_the_ledger(journal: Journal) -> None:
    journal.commit(TARGET, settled("one", one=Known("f", owned=True)))
    journal.restart()
    assert journal.start() == (None, Progress())
    assert list(journal.keys()) == []
    assert journal.known(TARGET, ["one"])["one"].owned


def test_thousands_of_keys_are_known_at_once(journal: Journal) -> None:
    keys = [f"key-{number}" for number in range(2345)]
    journal.commit(TARGET, Settled([], {}, Progress(), {key: Known(key) for key in keys}))
    known = journal.known(TARGET, keys)
    assert [known[key].fingerprint for key in keys] == keys
