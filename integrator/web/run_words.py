"""Runs in words: what an error means here and what to do next, what an event was, how far a run is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors import registry as connectors
from connectors.model import Connection
from flows.model import ActionStep, Flow, RunStatus
from integrator.bootstrap import Installation
from integrator.store.line import SCHEDULE
from integrator.store.listing_runs import RunNow
from integrator.store.run_events import Happened, RunEvent
from integrator.web.live import MINUTE_SECONDS, Pace

RECOVERIES: Final = {
    "retry": ("Try again", "The other system was busy or down. Nothing has to be mended: retry it."),
    "reauthorize": ("Authorize again", "Authorize the connection again, then retry."),
    "skip": ("Mend the record", "Mend the record where it comes from, or at its destination, then retry it."),
    "forbidden": ("Give the right", "Give the connection's app the right that is missing, then retry."),
    "abort": ("Mend the flow", "It fails in the same way until the flow or its connection is changed."),
}
"""What to do about a record that went wrong, by code or recovery: in a word, and in a sentence."""

_KEPT: Final = "What was written before that is kept, and is not written twice."
_BY_CODE: Final = {
    "refused": (
        "A safety limit said no before anything was overwritten.",
        "Read what it names. Where that is as you want it, change the flow, then run it again.",
    ),
    "cannot_run": (
        "The flow cannot run as it is set up now. Nothing more was read or written.",
        "Mend what the sentence names, then resume the run.",
    ),
    "crashed": (
        f"The process that worked on it ended again and again. {_KEPT}",
        "See in the server's log why it ended, then resume the run.",
    ),
    "throttled": (
        f"The system takes no more calls for now. {_KEPT}",
        "Resume the run in some minutes. Where it stays, see who else calls that system, or lower the connection's limits.",
    ),
    "defect": (
        f"This is a defect of Integrator, and not of your data. {_KEPT}",
        "Resume the run. Where it stays, report the line that the server's log has.",
    ),
}
_MAPPING: Final = frozenset({"expression", "template", "other_record"})
"""Codes of records that the mapping could not make."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a run as a whole did not end well, in three parts."""

    tone: str
    happened: str
    means: str
    next: str
    code: str


@dataclass(frozen=True, slots=True)
class Moving:
    """A run that moves: what its bar and its figures show. `total` is what is expected, 0 where nobody knows."""

    read: int
    total: int
    pace: Pace
    calls: int
    allowed: int
    """Calls a minute that its connections may make; 0 where nothing limits them."""

    @property
    def seconds_left(self) -> float:
        """How long still, at this pace; 0 where nobody knows."""
        left = self.total - self.read
        return left / self.pace.records_a_second if left > 0 and self.pace.records_a_second > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a flow, and what became of the records there."""

    title: str
    place: str
    counts: tuple[tuple[str, int, str], ...]
    """Words, how many, and the tone where there are any."""


def trouble(status: str, code: str, message: str) -> Trouble | None:
    """What to tell of a run's own error; None where it has none."""
    if not message:
        return None
    if status == RunStatus.NEEDS_AUTHORIZATION:
        return Trouble("waits", message, f"A connection does not let us in any more. {_KEPT}",
                       "Authorize the connection again, then resume the run: it goes on where it stopped.", code)  # fmt: skip
    if status == RunStatus.WAITING:
        return Trouble("quiet", message, f"That may pass: the run tries again by itself. {_KEPT}",
                       "Nothing, unless it stays so. Cancel the run to end it.", code)  # fmt: skip
    means, following = _BY_CODE.get(
        code, (_KEPT, "Mend what the sentence names, then resume the run: it goes on where it stopped.")
    )
    return Trouble("bad", message, means, following, code)


def started_by(run_by: str, due: int | None) -> str:
    """Who started it: a person's name, or the schedule."""
    if run_by == SCHEDULE or due is not None:
        return "the schedule"
    kind, _, name = run_by.partition(":")
    told = {"web": name, "cli": f"{name}, on the command line", "api": f"{name}, by a program"}
    return told.get(kind, run_by) if name else run_by


def event_words(event: RunEvent) -> tuple[str, str]:
    """An event in words, and its tone; what it says of a moment is told by whoever draws it."""
    who = started_by(event.detail, None)
    return {
        Happened.QUEUED: (f"Asked for by {who}" if who else "Asked for", "quiet"),
        Happened.ESTIMATED: (event.detail or "What it takes is not known", "quiet"),
        Happened.STARTED: ("A worker began" + (f" ({event.detail})" if event.detail else ""), "busy"),
        Happened.STOPPED: ("Its server stopped: it waits for the next one", "waits"),
        Happened.RESUMED: (f"Resumed by {who}" if who else "Resumed", "busy"),
        Happened.RESCUED: ("Its worker was gone: it waits for another one", "waits"),
        Happened.RETRY_LATER: ("It is tried again", "waits"),
        Happened.CANCEL_ASKED: (f"{who} asked it to stop" if who else "Asked to stop", "waits"),
        Happened.WARNED: ("It warns", "waits"),
        Happened.ENDED: ("Ended", "quiet"),
    }.get(Happened(event.event), (event.event, "quiet"))


def moment_of(detail: str) -> float | None:
    """When it is tried again, as the event says first; None where it says nothing that is a moment."""
    try:
        return datetime.fromisoformat(detail.partition(" ")[0]).timestamp()
    except ValueError:
        return None


def moving(now: RunNow, pace: Pace, total: int, allowed: int) -> Moving:
    """The run as it moves."""
    read = now.progress.counts["read"]
    return Moving(read, total if total >= read else 0, pace, now.progress.calls.total(), allowed)


def calls_a_minute(installation: Installation, flow: Flow) -> int:
    """How many calls the flow's connections may make in a minute, together; 0 where none has a limit. Calls nobody."""
    with installation.store.reading() as stored:
        found = [stored.connections.find(name) for name in flow.connections]
    return round(sum(_calls_a_minute(one) for one in found if one is not None))


def _calls_a_minute(connection: Connection) -> float:
    calls, period_seconds = connection.limits.calls, connection.limits.period_seconds
    if calls is None:
        descriptor = connectors.descriptor_of(connection.connector)
        if descriptor is None:  # it is not installed any more: the run says so
            return 0
        calls, period_seconds = max(descriptor.budget.values(), default=0), descriptor.budget_period_seconds
    return calls * MINUTE_SECONDS / period_seconds


def steps(flow: Flow, counts: dict[str, int], wrong: dict[tuple[str, str], int]) -> list[Step]:
    """What became of the records at each step."""
    at_export = sum(many for (step, _), many in wrong.items() if step == "export")
    source, target = flow.exports[0], flow.destination
    names = flow.step_names
    arrived = counts["read"] - counts["skipped"] - at_export
    acts, left = [], arrived
    for step, name in zip(flow.actions, names, strict=False):
        failed = sum(many for (where, _), many in wrong.items() if where == name)
        acts.append(_act(step, left, failed, counts if step is flow.steps[-1] else {}))
        left -= failed
    at_actions = arrived - left
    at_mapping = sum(
        many for (step, code), many in wrong.items() if step not in ("export", *names[:-1]) and code in _MAPPING
    )
    went_wrong = counts["failed"] + counts["conflicts"] - at_actions
    written = _written(counts)
    export = Step("Export", f"{source.connection}/{source.resource}",
                  (("Read", counts["read"], ""), ("Left out", counts["skipped"], ""), ("Failed", at_export, "bad")))  # fmt: skip
    if target is None:
        return [export, *acts]
    return [
        export,
        *acts,
        Step("Mapping", f"{len(target.mapping)} fields" if target.mapping else "every field as it is",
             (("Records", left, ""), ("Failed", at_mapping, "bad"))),
        Step("Import", f"{target.operation} into {target.connection}/{target.resource}",
             (*written, ("Unchanged", counts["unchanged"], ""),
              ("Failed or conflicts", max(0, went_wrong - at_export - at_mapping), "bad"))),
    ]  # fmt: skip


def _act(step: ActionStep, reached: int, failed: int, counts: dict[str, int]) -> Step:
    """With `counts` the flow ends in it: what it changed counts as updated, what was there already as unchanged."""
    ended = (*_written(counts), ("Unchanged", counts["unchanged"], "")) if counts else ()
    told = (("Records", reached, ""), *ended, ("Failed", failed, "bad"))
    return Step("Action", f"{step.action} on {step.connection}", told)


def _written(counts: dict[str, int]) -> tuple[tuple[str, int, str], ...]:
    return tuple((name.capitalize(), counts[name], "good") for name in ("created", "updated", "deleted"))
