"""Runs: started, claimed under a fence that only rises, ended by whoever holds the highest one.

A process that was frozen or declared dead still has its old fence: nothing that it writes late counts.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from flows.errors import Fenced
from flows.model import Cursor, Progress, RunStatus
from integrator.errors import NotFoundHere, NothingToRetry, RunInProgress, RunIsOver
from integrator.store import moved
from integrator.store.flows import Flows
from integrator.store.line import Line
from integrator.store.moments import iso
from integrator.store.progress import progress_from, progress_text
from integrator.store.run_events import Happened, note, note_warnings
from integrator.store.tables import flows, outcomes, runs
from integrator.store.wrong_records import IS_WRONG, Only, any_wrong

UNFINISHED: Final = (RunStatus.WAITING, RunStatus.RUNNING)
OVER: Final = (RunStatus.SUCCEEDED, RunStatus.WITH_ERRORS)
"""Nothing is left to do in such a run; every other one can go on where it stopped."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a flow. Times are Unix seconds; `due` is None where nobody but a person asked for it."""

    id: int
    flow: str
    flow_id: int
    status: RunStatus
    fence: int
    attempt: int
    cancel: bool
    worker: str
    progress: Progress
    error_code: str
    error_message: str
    started_at: float | None
    ended_at: float | None
    due: int | None = None
    started_by: str = ""
    not_before: float | None = None
    retries: int = 0
    retry_of: int | None = None
    retry_only: Only = field(default_factory=Only)

    def document(self) -> dict[str, Any]:
        """As `runs show --json` prints it."""
        document = {"run": self.id, "flow": self.flow, "status": self.status.value, **self.progress.document()}
        document |= {"started": iso(self.started_at), "ended": iso(self.ended_at)}
        if self.started_by:
            document |= {"due": iso(self.due), "started_by": self.started_by}
        if self.status is RunStatus.WAITING and self.not_before is not None:
            document["not_before"] = iso(self.not_before)
        if self.retry_of is not None:
            document |= {"retry_of": self.retry_of, "retry_only": self.retry_only.document()}
        if self.error_message:
            document["error"] = {"code": self.error_code, "message": self.error_message}
        return document


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is ours until somebody raises the fence again, and where it goes on (None: at the beginning)."""

    run_id: int
    flow_id: int
    fence: int
    cursor: Cursor | None


class Runs:
    """Runs over one connection; the transaction around it is its user's."""

    def __init__(self, connection: Connection, flows: Flows) -> None:
        self._connection = connection
        self._flows = flows
        self.line = Line(connection)

    def start(self, flow: str, started_by: str = "", **retry: Any) -> Run:
        """A new run of this flow, waiting to be claimed. Raises NotFoundHere; RunInProgress where one is not over."""
        flow_id = self._flows.id_of(flow)
        unfinished = select(runs.c.id).where(runs.c.flow_id == flow_id, runs.c.status.in_(UNFINISHED))
        other = self._connection.scalar(unfinished.order_by(runs.c.id).limit(1))
        if other is not None:
            raise _in_progress(flow, other)
        values = {"flow_id": flow_id, "status": RunStatus.WAITING.value, "started_by": started_by, **retry}
        made = self._connection.execute(insert(runs).values(values).returning(runs.c.id)).scalar_one()
        note(self._connection, made, Happened.QUEUED, started_by)
        return self.get(made)

    def retry(self, run_id: int, only: Only = Only(), started_by: str = "") -> Run:  # noqa: B008 - it is frozen
        """A new run of the same flow that tries again what went wrong in this one, and nothing else.

        Raises NotFoundHere, NothingToRetry; RunInProgress where a run of the flow, this one or another, is not over.
        """
        run = self.get(run_id)
        if run.status not in UNFINISHED and not any_wrong(self._connection, run_id, only):
            raise NothingToRetry(
                f"No such record went wrong in run {run_id}: `integrator runs errors {run_id}` shows all."
            )
        return self.start(run.flow, started_by, retry_of=run_id, retry_only=only.text)

    def resume(self, run_id: int, by: str = "") -> Run:
        """The run waits for a worker again, under its id. One that waits or runs already stays as it is.

        Raises NotFoundHere; RunIsOver where nothing is left to do.
        """
        run = self.get(run_id)
        if run.status in OVER:
            raise _is_over(run)
        if run.status not in UNFINISHED:
            self.line.rejoin(run_id)
            note(self._connection, run_id, Happened.RESUMED, by)
        return self.get(run_id)

    def claim(self, run_id: int, worker: str = "", *, only_waiting: bool = False) -> Claim:
        """Take the run over: its fence rises, so whoever had it before is fenced off.

        The caller makes sure that the process that had it is gone. Raises NotFoundHere, RunIsOver, RunInProgress
        where another run of the same flow is running. `only_waiting`: a run that has not begun, nor been cancelled.
        """
        run = self.get(run_id)
        may_be = runs.c.status == RunStatus.WAITING if only_waiting else runs.c.status.not_in(OVER)
        taken = update(runs).where(runs.c.id == run_id, may_be).values(_claimed(worker))
        try:
            row = self._connection.execute(taken.returning(runs.c.fence, runs.c.cursor)).one_or_none()
        except IntegrityError as error:
            raise _in_progress(run.flow, self._running(run.flow_id)) from error
        if row is None:
            raise _is_over(run)
        note(self._connection, run_id, Happened.STARTED, worker)
        return Claim(run_id, run.flow_id, row.fence, json.loads(row.cursor) if row.cursor else None)

    def end(
        self,
        run_id: int,
        fence: int,
        status: RunStatus,
        *,
        code: str = "",
        message: str = "",
        progress: Progress | None = None,
    ) -> None:
        """The run ends. Raises Fenced where it is no longer ours."""
        values: dict[str, Any] = {"status": status.value, "error_code": code, "error_message": message}
        self._let_go(run_id, fence, {**values, "ended_at": time.time()}, progress)
        if status in OVER:
            note_warnings(self._connection, run_id)
            self._forget_what_went_well(run_id)
        note(self._connection, run_id, Happened.ENDED, status.value)

    def send_back(
        self,
        run_id: int,
        fence: int,
        *,
        not_before: float | None = None,
        code: str = "",
        message: str = "",
        progress: Progress | None = None,
        event: Happened = Happened.STOPPED,
    ) -> None:
        """The run waits again, with `not_before` until then, as a retry; one that is to be cancelled is cancelled.

        Its fence rises: what its holder writes late does not count. Raises Fenced where it is no longer ours.
        """
        waits = case((runs.c.cancel, RunStatus.CANCELLED.value), else_=RunStatus.WAITING.value)
        values: dict[str, Any] = {"status": waits, "fence": runs.c.fence + 1, "not_before": not_before}
        values |= {"error_code": code, "error_message": message, "ended_at": case((runs.c.cancel, time.time()))}
        if not_before is not None:
            values["retries"] = runs.c.retries + 1
            event, message = Happened.RETRY_LATER, f"{iso(not_before)} {message}"
        self._let_go(run_id, fence, values, progress)
        note(self._connection, run_id, event, message)

    def _let_go(self, run_id: int, fence: int, values: dict[str, Any], progress: Progress | None) -> None:
        if progress is not None:
            values["progress"] = progress_text(progress)
        ours = (runs.c.id == run_id, runs.c.fence == fence, runs.c.status == RunStatus.RUNNING)
        let_go = update(runs).where(*ours).values(values).returning(runs.c.progress, runs.c.counted)
        row = self._connection.execute(let_go).one_or_none()
        if row is None:
            raise Fenced(f"run {run_id}")
        moved.count(self._connection, run_id, row.progress, row.counted, time.time())

    def _forget_what_went_well(self, run_id: int) -> None:
        """A run that is over is never resumed: of its records only those that went wrong are told any more."""
        self._connection.execute(delete(outcomes).where(outcomes.c.run_id == run_id, ~IS_WRONG))

    def request_cancel(self, run_id: int, by: str = "") -> RunStatus:
        """Ask a running run to stop after its page; one that waits is cancelled at once. Gives its status then."""
        run = self.get(run_id)
        if run.status in UNFINISHED and not run.cancel:
            note(self._connection, run_id, Happened.CANCEL_ASKED, by)
        if run.status is RunStatus.RUNNING:
            self._connection.execute(update(runs).where(runs.c.id == run_id).values(cancel=True))
        elif run.status is RunStatus.WAITING:
            values = {"status": RunStatus.CANCELLED.value, "ended_at": time.time()}
            self._connection.execute(update(runs).where(runs.c.id == run_id).values(values))
            note(self._connection, run_id, Happened.ENDED, RunStatus.CANCELLED.value)
        return self.get(run_id).status

    def get(self, run_id: int) -> Run:
        """This run. Raises NotFoundHere."""
        row = self._connection.execute(_select().where(runs.c.id == run_id)).one_or_none()
        if row is None:
            raise NotFoundHere(f"There is no run {run_id}: `integrator runs list` shows those that there are.")
        return _run(row)

    def newest(self, limit: int | None = None, flow: str | None = None) -> list[Run]:
        """Runs, the newest first."""
        query = _select().order_by(runs.c.id.desc()).limit(limit)
        if flow is not None:
            query = query.where(flows.c.name == flow)
        return [_run(row) for row in self._connection.execute(query)]

    def unfinished(self) -> list[Run]:
        """Runs that wait or run, the oldest first: whose process is gone, only its lock can tell."""
        query = _select().where(runs.c.status.in_(UNFINISHED)).order_by(runs.c.id)
        return [_run(row) for row in self._connection.execute(query)]

    def errors(self, run_id: int) -> list[dict[str, Any]]:
        """What went wrong with single records, as `runs errors --json` prints it. Raises NotFoundHere."""
        self.get(run_id)
        columns = outcomes.c
        query = select(columns.key, columns.line, columns.step, columns.code, columns.recovery, columns.message)
        wrong = query.where(columns.run_id == run_id, IS_WRONG)
        rows = self._connection.execute(wrong.order_by(columns.line, columns.key))
        return [{**row._mapping, "line": row.line or None} for row in rows]

    def _running(self, flow_id: int) -> int:
        query = select(func.max(runs.c.id)).where(runs.c.flow_id == flow_id, runs.c.status == RunStatus.RUNNING)
        found: int = self._connection.execute(query).scalar_one()
        return found


def _select() -> Select[Any]:
    return select(runs, flows.c.name.label("flow")).join(flows, runs.c.flow_id == flows.c.id)


def _run(row: Any) -> Run:
    return Run(
        id=row.id,
        flow=row.flow,
        flow_id=row.flow_id,
        status=RunStatus(row.status),
        fence=row.fence,
        attempt=row.attempt,
        cancel=row.cancel,
        worker=row.worker,
        progress=progress_from(row.progress),
        error_code=row.error_code,
        error_message=row.error_message,
        started_at=row.started_at,
        ended_at=row.ended_at,
        due=row.due,
        started_by=row.started_by,
        not_before=row.not_before,
        retries=row.retries,
        retry_of=row.retry_of,
        retry_only=Only.stored(row.retry_only),
    )


def _claimed(worker: str) -> dict[str, Any]:
    return {
        "status": RunStatus.RUNNING.value,
        "fence": runs.c.fence + 1,
        "attempt": runs.c.attempt + 1,
        "worker": worker,
        "cancel": False,
        "error_code": "",
        "error_message": "",
        "started_at": func.coalesce(runs.c.started_at, time.time()),
        "ended_at": None,
        "not_before": None,
    }


def _in_progress(flow: str, run_id: int) -> RunInProgress:
    return RunInProgress(
        f"Flow {flow} already has run {run_id}, which is not over: wait for it, `integrator runs cancel {run_id}`, "
        f"or `integrator runs resume {run_id}` where its process is gone.",
        run_id,
    )


def _is_over(run: Run) -> RunIsOver:
    return RunIsOver(f"Run {run.id} of flow {run.flow} is over ({run.status}): start the flow again.")
