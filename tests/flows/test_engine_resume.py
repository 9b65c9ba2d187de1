"""A run goes on only as the same flow between the same places; what was not stored does not count."""

import pytest
from flow_fakes import Rows, Shelf, counts, engine, rows

from connectors.errors import Unavailable
from flows.journal import JournalInMemory
from flows.model import RunStatus


def broken(shelf, journal, identity=""):
    source = Rows(rows(20), broken_after=2, error=Unavailable("The source is down."))
    source.identity = identity
    with pytest.raises(Unavailable):
        engine(source, shelf, journal).run()
    assert counts(journal)["read"] == 10


def test_a_resume_from_another_source_starts_over():
    journal, shelf = JournalInMemory(), Shelf()
    broken(shelf, journal, "vault-a")
    other = Rows(rows(20))
    other.identity = "vault-b"
    assert engine(other, shelf, journal).run() is RunStatus.SUCCEEDED
    assert other.listed == 20
    assert counts(journal)["read"] == 20


def test_a_resume_into_another_target_starts_over():
    journal, shelf = JournalInMemory(), Shelf()
    broken(shelf, journal)
    other = Shelf()
    other.identity = "another shelf"
    assert engine(Rows(rows(20)), other, journal).run() is RunStatus.SUCCEEDED
    assert len(other.stored) == 20


def test_a_resume_of_the_same_flow_goes_on():
    journal, shelf = JournalInMemory(), Shelf()
    broken(shelf, journal, "vault-a")
    same = Rows(rows(20))
    same.identity = "vault-a"
    assert engine(same, shelf, journal).run() is RunStatus.SUCCEEDED
    assert same.listed == 10
    assert counts(journal) == {"read": 20, "created": 20}


class FullDisk(JournalInMemory):
    """Cannot store its third page, once."""

    def __init__(self):
        super().__init__()
        self.left = 2

    def commit(self, target, page):
        self.left -= 1
        if self.left == -1:
            raise OSError("the disk is full")
        return super().commit(target, page)


def test_a_page_whose_commit_failed_is_counted_once():
    journal, shelf = FullDisk(), Shelf()
    running = engine(Rows(rows(20)), shelf, journal)
    with pytest.raises(OSError, match="the disk is full"):
        running.run()
    assert running.progress is not None
    assert running.progress.counts["read"] == 10
    journal.progress = running.progress
    assert engine(Rows(rows(20)), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 20, "created": 20}


def test_records_that_failed_while_the_system_went_down_are_tried_again_by_a_resume():
    journal, shelf = JournalInMemory(), Shelf()

    def down(record):
        if "005" <= record.key[-3:] <= "009":
            raise Unavailable("The source is down.")

    source = Rows(rows(15), unread=["value"], on_read=down, broken_after=2, error=Unavailable("The source is down."))
    with pytest.raises(Unavailable):
        engine(source, shelf, journal).run()
    assert counts(journal).get("failed", 0) == 0
    assert engine(Rows(rows(15), unread=["value"]), shelf, journal).run() is RunStatus.SUCCEEDED
    assert counts(journal) == {"read": 15, "created": 15}
