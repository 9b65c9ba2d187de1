"""The conformance kit: subclass `ConnectorConformance`, give it a subject, and pytest judges the connector.

class TestMyConnector(ConnectorConformance):
    @pytest.fixture
    def subject(self, tmp_path):
        return Subject(connector=…, planted=["s3cret"], resource_to_read="things", expected_records=3, …)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from connectors.connector import Connector
from connectors.descriptor import Descriptor
from connectors.errors import RecordError, RunRefused, SettingsError
from connectors.model import ReadOptions, WriteOptions
from connectors.testing.acting import ActionConformance
from connectors.testing.reading import SourceConformance, refuse_planted
from connectors.testing.subject import Subject
from connectors.testing.writing import TargetConformance
from iclients.errors import Recovery, RemoteError

__all__ = ["ConnectorConformance", "Subject"]

_NOWHERE = "there-is-no-such-thing"
_HOW_TO = """Override the fixture `subject` in your test class, and return a connectors.testing.conformance.Subject:
    connector            your connector, connected to a system that the test made
    planted              secret texts that stand in that system and in `samples`; none where the resource has no secret field
    resource_to_read     a resource with `expected_records` records in it (more than a page of them, best)
    resource_to_write    an empty resource, and `samples`: two records or more to write there
    snapshot             a function that gives what is in resource_to_write, comparable with ==
    acts                 every action once, with inputs that work (connectors.testing.subject.Act)
    troubles             how the system can fail, and which recoveries are right then (Trouble)"""


class ConnectorConformance(SourceConformance, TargetConformance, ActionConformance):
    """Every check for a connector that reads, writes, acts, or does all of it.

    What a test class says it judges is what `connectors.testing.grading` counts.
    """

    judges: ClassVar[type[Connector] | None] = None
    api_type: ClassVar[str | None] = None
    reads: ClassVar[str | None] = None
    writes: ClassVar[str | None] = None
    acts: ClassVar[bool] = False
    is_troubled: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class that says what it judges has no other checks: each would make a subject only to be left out."""
        super().__init_subclass__(**kwargs)
        if cls.judges is None:
            return
        acts = cls.acts or cls.is_troubled
        for part, is_judged in (
            (SourceConformance, cls.reads),
            (TargetConformance, cls.writes),
            (ActionConformance, acts),
        ):
            for name, check in vars(part).items():
                if name.startswith("test_") and name not in vars(cls):
                    setattr(cls, name, check if is_judged else None)

    @pytest.fixture
    def subject(self) -> Subject:
        """What is judged."""
        raise NotImplementedError(_HOW_TO)

    def test_the_class_says_what_it_judges(self, subject: Subject) -> None:
        if self.judges is None:
            pytest.skip("the class does not say which connector it judges: it counts for no grade")
        assert type(subject.connector) is self.judges
        assert subject.connector.connection.api_type == self.api_type
        said = (self.reads, self.writes, self.acts, self.is_troubled)
        is_so = (subject.resource_to_read, subject.resource_to_write, bool(subject.acts), bool(subject.troubles))
        assert said == is_so, f"The class says that it judges {said}, and its subject has {is_so}."

    def test_the_descriptor_tells_a_person_everything(self, subject: Subject) -> None:
        descriptor = _descriptor(subject)
        assert descriptor.title, "The descriptor has no title."
        assert descriptor.summary.endswith("."), "The descriptor's summary is not a sentence."
        for setting in descriptor.settings:
            assert setting.title, f"The setting {setting.name} has no title."
            assert setting.help.endswith("."), f"The help of the setting {setting.name} is not a sentence."

    def test_every_resource_tells_what_can_be_done_with_it(self, subject: Subject) -> None:
        descriptor = _descriptor(subject)
        assert descriptor.resources, "The descriptor names no resource."
        for resource in descriptor.resources:
            assert resource.title, f"The resource {resource.name} has no title."
            assert resource.verbs, f"The resource {resource.name} has no verbs: nothing can be done with it."
            extra = set(resource.secret_fields) - set(resource.fields)
            assert not extra, f"Secret fields of {resource.name} are not among its fields: {sorted(extra)}."
            assert resource.api_type is None or resource.api_type in descriptor.api_types, (
                f"The resource {resource.name} belongs to an API type that the connector does not have."
            )

    def test_the_descriptor_accepts_the_connection_of_the_test(self, subject: Subject) -> None:
        _descriptor(subject).check(subject.connector.connection)

    def test_a_missing_setting_is_named(self, subject: Subject) -> None:
        connection = subject.connector.connection
        for setting in _descriptor(subject).settings:
            applies = not setting.api_types or connection.api_type in setting.api_types
            if setting.required and applies:
                rest = {name: value for name, value in connection.settings.items() if name != setting.name}
                with pytest.raises(SettingsError, match=setting.name):
                    _descriptor(subject).check(replace(connection, settings=rest))

    def test_a_setting_that_nobody_knows_is_named(self, subject: Subject) -> None:
        connection = subject.connector.connection
        with pytest.raises(SettingsError, match=_NOWHERE):
            _descriptor(subject).check(replace(connection, settings={**connection.settings, _NOWHERE: "x"}))

    def test_a_resource_that_nobody_knows_is_named(self, subject: Subject) -> None:
        connector = subject.connector
        for refused in (
            lambda: connector.source(_NOWHERE, ReadOptions()),
            lambda: connector.target(_NOWHERE, WriteOptions()),
        ):
            with pytest.raises(SettingsError, match=rf"{_NOWHERE}.*\.$"):
                refused()

    def test_ping_says_in_a_sentence_what_was_reached(self, subject: Subject) -> None:
        message = subject.connector.ping().message
        assert message.endswith("."), f"{message!r} is not a sentence."
        refuse_planted(subject, message, "The ping")

    def test_calls_are_counted_by_kind(self, subject: Subject) -> None:
        calls = subject.connector.calls
        assert all(isinstance(kind, str) and count >= 0 for kind, count in calls.items()), f"calls is {calls}."

    def test_failures_say_what_happens_next_and_hide_values(self, subject: Subject) -> None:
        for wrong, call in subject.failures.items():
            error = _raised(wrong, call)
            assert str(error).endswith("."), f"{wrong}: {str(error)!r} is not a sentence."
            refuse_planted(subject, _told(error), f"{wrong}: the error or its cause")
            if isinstance(error, RemoteError | RecordError):
                assert isinstance(error.recovery, Recovery), f"{wrong}: the error does not say what happens next."
                assert error.code, f"{wrong}: the error has no code."


def _descriptor(subject: Subject) -> Descriptor:
    kind: type[Connector] = type(subject.connector)
    assert isinstance(kind.descriptor, Descriptor), "Set `descriptor = load(__package__)` in the connector's class."
    return kind.descriptor


def _told(error: BaseException) -> str:
    """What a traceback prints of an error and its causes, without the source lines of the test."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error}{error!r}" + (_told(cause) if cause else "")


def _raised(wrong: str, call: object) -> Exception:
    with pytest.raises((RemoteError, RecordError, RunRefused, SettingsError)) as caught:
        call()  # type: ignore[operator]
    return caught.value
