"""Checks of a connector's sources: order, checkpoints, and values that stay hidden."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import pytest

from connectors.connector import Source
from connectors.model import BadRecord, Record
from connectors.testing.subject import Subject, pages_of, records_of
from iclients.secret import Secret


class SourceConformance:
    """What every source does. Mixed into `ConnectorConformance`."""

    @pytest.fixture
    def source(self, subject: Subject) -> Iterable[Source]:
        if subject.resource_to_read is None:
            pytest.skip("the subject has nothing to read")
        with closing(subject.connector.source(subject.resource_to_read, subject.read_options)) as source:
            yield source

    def test_reading_brings_every_record(self, subject: Subject, source: Source) -> None:
        found = len(records_of(list(source.pages(None))))
        assert found == subject.expected_records, f"{found} records came, {subject.expected_records} are there."

    def test_reading_twice_brings_the_same_order(self, subject: Subject, source: Source) -> None:
        first, second = (_keys(records_of(pages_of(subject))) for _ in range(2))
        assert first == second, "The order of records changed between two reads: a resume would lose some."

    def test_only_the_last_page_has_no_checkpoint(self, source: Source) -> None:
        checkpoints = [page.checkpoint for page in source.pages(None)]
        assert checkpoints, "A source gives one page at least, if need be an empty one."
        assert checkpoints[-1] is None, "The last page has a checkpoint: the run would never end."
        assert None not in checkpoints[:-1], "A page before the last has no checkpoint: a resume would read it all."

    def test_reading_goes_on_from_every_checkpoint_with_exactly_the_rest(
        self, subject: Subject, source: Source
    ) -> None:
        pages = list(source.pages(None))
        for number, page in enumerate(pages[:-1], 1):
            rest = _places(records_of(pages_of(subject, page.checkpoint)))
            expected = _places(records_of(pages[number:]))
            assert rest == expected, f"From the checkpoint of page {number} on, other records came than the rest."

    def test_checkpoints_are_json_and_hold_no_value(self, subject: Subject, source: Source) -> None:
        for page in source.pages(None):
            text = json.dumps(page.checkpoint)
            assert json.loads(text) == page.checkpoint, "A checkpoint does not come back from JSON as it was."
            refuse_planted(subject, text, "A checkpoint")

    def test_read_brings_the_fields_that_listing_leaves_out(self, source: Source) -> None:
        for record in _good(records_of(list(source.pages(None)))):
            listed, whole = source.unread & record.fields.keys(), source.read(record)
            assert not listed, f"The listing brings {sorted(listed)}, which `unread` says it does not."
            missing = source.unread - whole.fields.keys()
            assert not missing, f"read() did not bring {sorted(missing)}."
            assert whole.key == record.key, "read() gave another record than it was asked for."

    def test_every_record_has_the_fields_that_are_known_before_reading(self, source: Source) -> None:
        fields = source.fields()
        for record in _good(records_of(list(source.pages(None)))):
            assert fields is None or list(record.fields) == list(fields), f"{record!r} has other fields than fields()."

    def test_planted_values_arrive_and_each_is_a_secret(self, subject: Subject, source: Source) -> None:
        records = [source.read(record) for record in _good(records_of(list(source.pages(None))))]
        arrived = {
            value.reveal() for record in records for value in record.fields.values() if isinstance(value, Secret)
        }
        found = any(value in text for value in subject.planted for text in arrived)
        assert found or not _keeps_secrets(subject), (
            "No planted value arrived as a Secret: these checks would prove nothing."
        )
        for record in records:
            _refuse_open_values(subject, record)

    def test_records_hide_their_values_wherever_they_are_printed(self, subject: Subject, source: Source) -> None:
        for page in source.pages(None):
            refuse_planted(subject, repr(page), "A page's repr")
            for record in _good(page.records):
                whole = source.read(record)
                for text in (repr(whole), str(whole), f"{whole}", f"{whole.fields}", _logged(whole), _pickled(whole)):
                    refuse_planted(subject, text, "A record's text")

    def test_bad_records_say_where_and_why_in_a_sentence(self, subject: Subject, source: Source) -> None:
        for record in records_of(list(source.pages(None))):
            if isinstance(record, BadRecord):
                assert record.code, f"{record.key} has no code."
                assert record.message.endswith("."), f"{record.key}: {record.message!r} is not a sentence."
                refuse_planted(subject, repr(record), "A bad record")

    def test_closing_a_source_twice_does_no_harm(self, source: Source) -> None:
        next(iter(source.pages(None)))
        source.close()
        source.close()


def refuse_planted(subject: Subject, text: str, where: str) -> None:
    """Fail, without printing it, where a planted value is in the text."""
    if any(value in text for value in subject.planted):
        pytest.fail(f"{where} holds a planted value.", pytrace=False)


def _good(records: Iterable[Record | BadRecord]) -> list[Record]:
    return [record for record in records if isinstance(record, Record)]


def _keys(records: Iterable[Record | BadRecord]) -> list[str]:
    return [record.key for record in records]


def _places(records: Iterable[Record | BadRecord]) -> list[tuple[str, int | None]]:
    return [(record.key, record.line) for record in records]


def _refuse_open_values(subject: Subject, record: Record) -> None:
    for name, value in record.fields.items():
        refuse_planted(subject, str(value), f"The field {name} of {record!r} is no Secret: it")


def _logged(record: Record) -> str:
    return logging.Formatter().format(logging.LogRecord("x", logging.INFO, "x", 1, "%s %r", (record, record), None))


def _pickled(record: Record) -> str:
    try:
        data: Any = pickle.dumps(record)
    except TypeError:
        return ""
    return str(data.decode("latin-1"))


def _keeps_secrets(subject: Subject) -> bool:
    """Whether the resource that is read has fields that are secret, by its descriptor; an unknown one may have."""
    name = subject.resource_to_read or ""
    described = next((one for one in subject.connector.descriptor.resources if one.is_called(name)), None)
    return described is None or bool(described.secret_fields) or described.open_fields
