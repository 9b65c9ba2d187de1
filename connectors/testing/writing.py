"""Checks of a connector's targets: nothing before its time, nothing twice, nothing that is not ours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from connectors.connector import Target
from connectors.errors import RunRefused
from connectors.model import Effect
from connectors.testing.reading import refuse_planted
from connectors.testing.subject import Remembered, Subject, target_of, write_all, write_page

_HARMLESS = (Effect.CONFLICT, Effect.UNCHANGED, Effect.SKIPPED)
_THREADS = 8


class TargetConformance:
    """What every target does. Mixed into `ConnectorConformance`."""

    @pytest.fixture
    def target(self, subject: Subject) -> Iterable[Target]:
        if subject.resource_to_write is None:
            pytest.skip("the subject has nothing to write")
        with closing(target_of(subject)) as target:
            yield target

    def test_a_target_has_an_identity_that_does_not_change(self, subject: Subject, target: Target) -> None:
        assert target.identity, "The ledger knows a target by its identity: give it one."
        assert target.identity == target_of(subject).identity, "Two targets of the same place differ in identity."
        refuse_planted(subject, target.identity, "The target's identity")

    def test_every_sample_has_a_key(self, subject: Subject, target: Target) -> None:
        keys = [target.key(record.fields) for record in subject.samples]
        assert len(keys) == len(set(keys)), "Two samples have the same key: give each its own."

    @pytest.mark.parametrize("many", [False, True], ids=["one record", "many records"])
    def test_records_are_created(self, subject: Subject, target: Target, many: bool) -> None:
        target.close()
        samples = subject.samples if many else subject.samples[:1]
        before = subject.snapshot()
        effects = write_all(subject, samples, Remembered())
        assert effects == [Effect.CREATED] * len(samples), f"New records became {effects}."
        assert subject.snapshot() != before, "The snapshot is as it was after a write: one of the two is wrong."

    def test_a_run_without_records_ends_well(self, subject: Subject, target: Target) -> None:
        target.close()
        assert write_all(subject, [], Remembered()) == []

    def test_nothing_changes_before_the_first_write(self, subject: Subject, target: Target) -> None:
        before = subject.snapshot()
        target.begin(None, None)
        for record in subject.samples:
            target.assess(record, None)
        assert subject.snapshot() == before, "begin or assess changed the target."
        target.close()
        assert subject.snapshot() == before, "Closing a target that wrote nothing changed it."

    def test_assess_gives_the_same_from_many_threads(self, subject: Subject, target: Target) -> None:
        target.begin(None, None)
        alone = [target.assess(record, None).effect for record in subject.samples]
        with ThreadPoolExecutor(_THREADS) as threads:
            together = threads.map(lambda record: target.assess(record, None).effect, subject.samples)
        assert list(together) == alone, "assess gives something else when many threads call it."

    def test_changes_hide_values(self, subject: Subject, target: Target) -> None:
        target.begin(None, None)
        for record in subject.samples:
            change = target.assess(record, None)
            refuse_planted(subject, f"{change!r}{change.fingerprint}{change.marker}", "A change")

    def test_a_second_identical_run_does_as_declared(self, subject: Subject, target: Target) -> None:
        target.close()
        memory = Remembered()
        write_all(subject, subject.samples, memory)
        before = subject.snapshot()
        effects = write_all(subject, subject.samples, memory)
        assert effects == [subject.rewrite] * len(effects), f"Writing the same again gave {effects}."
        assert subject.snapshot() == before, "Writing the same again changed what is there."

    def test_what_is_not_ours_is_left_alone(self, subject: Subject, target: Target) -> None:
        if subject.write_options.adopt:
            pytest.skip("the subject adopts")
        target.close()
        write_all(subject, subject.samples, Remembered())
        before = subject.snapshot()
        try:
            effects = write_all(subject, subject.samples, Remembered())
        except RunRefused as refused:
            refuse_planted(subject, str(refused), "The refusal")
            effects = []
        assert set(effects) <= set(_HARMLESS), f"Without a ledger entry and without adopt, records became {effects}."
        assert subject.snapshot() == before, "What no ledger entry calls ours was changed."

    def test_a_page_settles_into_json_without_values(self, subject: Subject, target: Target) -> None:
        state = _settle_one(subject, target, Remembered())
        text = json.dumps(state)
        assert json.loads(text) == state, "What settle gives does not come back from JSON as it was."
        refuse_planted(subject, text, "What settle gives")

    def test_an_interrupted_run_goes_on_to_the_same_end(self, subject: Subject, target: Target) -> None:
        memory = Remembered()
        state = _settle_one(subject, target, memory)
        target.close()
        with closing(target_of(subject)) as resumed:
            goes_on = resumed.begin(state, memory.whole)
            if not goes_on:
                assert resumed.begin(None, memory.whole), "A run that cannot go on cannot start over either."
            write_page(resumed, subject.samples[1:] if goes_on else subject.samples, memory)
            memory.whole = resumed.finish() or memory.whole
        interrupted = subject.snapshot()
        write_all(subject, subject.samples, memory)
        assert subject.snapshot() == interrupted, "The interrupted run left something else than a whole one does."

    def test_closing_a_target_twice_does_no_harm(self, subject: Subject, target: Target) -> None:
        _settle_one(subject, target, Remembered())
        target.finish()
        after = subject.snapshot()
        target.close()
        target.close()
        assert subject.snapshot() == after, "Closing changed the target."


def _settle_one(subject: Subject, target: Target, memory: Remembered) -> Any:
    """Begin, write the first sample, and settle it as a page: what settle gave."""
    target.begin(None, None)
    changes = [target.assess(record, None) for record in subject.samples[:1]]
    written = [target.write(record, change) for record, change in zip(subject.samples, changes, strict=False)]
    return target.settle(written)
