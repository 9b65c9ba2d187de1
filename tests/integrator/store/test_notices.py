from __future__ import annotations

import pytest

from iclients.testing import MovableClock
from integrator.config import Config
from integrator.errors import NotFoundHere
from integrator.store.store import Store


def test_the_same_thing_is_told_once(config: Config, clock: MovableClock) -> None:
    with Store.open(config, clock=clock) as store, store.writing() as stored:
        assert stored.notices.tell("expiry/app/30", "ada", "Its secret ends", "It ends on 2027-02-01.")
        clock.advance(60)
        assert not stored.notices.tell("expiry/app/30", "bob", "Other", "Other.")
        (notice,) = stored.notices.list()
    assert notice.document() == {
        "id": 1,
        "at": "2027-01-15T08:00:00+00:00",
        "owner": "ada",
        "subject": "Its secret ends",
        "message": "It ends on 2027-02-01.",
        "seen": None,
    }


def test_what_was_told_in_a_transaction_stays_when_a_repetition_is_refused(store: Store) -> None:
    with store.writing() as stored:
        stored.notices.tell("a", "", "A", "A.")
        stored.notices.tell("a", "", "A", "A.")
        stored.notices.tell("b", "", "B", "B.")
    with store.reading() as stored:
        assert [notice.key for notice in stored.notices.list()] == ["b", "a"]


def test_a_notice_that_somebody_has_seen_leaves_the_list_and_is_kept(config: Config, clock: MovableClock) -> None:
    with Store.open(config, clock=clock) as store, store.writing() as stored:
        stored.notices.tell("a", "", "A", "A.")
        stored.notices.seen(1)
        clock.advance(60)
        stored.notices.seen(1)
        assert stored.notices.list(unseen_only=True) == []
        (notice,) = stored.notices.list(unseen_only=False)
        assert notice.seen_at == clock.now() - 60
        assert not stored.notices.tell("a", "", "A", "A.")


def test_seeing_a_notice_that_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NotFoundHere, match="no notice 9: `integrator notices list --all`"), store.writing() as stored:
        stored.notices.seen(9)


def test_what_is_over_is_forgotten_with_all_below_it_and_nothing_beside_it(store: Store) -> None:
    with store.writing() as stored:
        for key in ("x/one", "x/one/a", "x/one/b", "x/one2", "x/on_", "x/on_/a", "y/one"):
            stored.notices.tell(key, "", key, key)
        stored.notices.forget("x/on_/")
        left = ["x/one", "x/one/a", "x/one/b", "x/one2", "y/one"]
        assert sorted(notice.key for notice in stored.notices.list()) == left
        stored.notices.forget("x/one")
        assert sorted(notice.key for notice in stored.notices.list()) == ["x/one2", "y/one"]
        stored.notices.forget("x")
        assert [notice.key for notice in stored.notices.list()] == ["y/one"]
        assert stored.notices.tell("x/one", "", "again", "again")
