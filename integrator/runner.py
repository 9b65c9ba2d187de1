"""Running a flow once, or going on with a run that stopped: claim, engine, end.

The process holds the run's lock for as long as it works on it; whoever resumes a run first makes sure that nobody
does. The run's row always says how it stands, however it ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from connectors.connector import Connector
from connectors.errors import RunRefused, SettingsError
from flows.acting import performers
from flows.ends import open_last, open_source
from flows.engine import Engine
from flows.errors import Fenced, FlowDefinitionError
from flows.model import Progress, RunStatus
from iclients.clock import Stopped
from iclients.errors import NotAuthorized, Recovery, RemoteError
from integrator.bootstrap import Installation
from integrator.errors import ExitCode, RunInProgress, RunIsOver, StoreError, UserError, defect_sentence
from integrator.estimating import foretell
from integrator.store.runs import OVER, Claim, Run
from integrator.store.store import Transaction
from integrator.store.wrong_records import Only

REFUSED: Final = "refused"

_EXIT_CODES: Final = {
    RunStatus.SUCCEEDED: ExitCode.DONE,
    RunStatus.WITH_ERRORS: ExitCode.WITH_ERRORS,
    RunStatus.NEEDS_AUTHORIZATION: ExitCode.NEEDS_AUTHORIZATION,
    RunStatus.CANCELLED: ExitCode.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended, and why where it is not clear from the status; None for what nobody knows."""

    status: RunStatus
    code: str = ""
    message: str = ""
    recovery: Recovery | None = None
    progress: Progress | None = None


class Runner:
    """Runs flows of one installation. `report` gets progress after each page; `started` the engine, to stop it."""

    def __init__(
        self,
        installation: Installation,
        report: Callable[[Progress], None] = lambda progress: None,
        started: Callable[[Engine], None] = lambda engine: None,
        foretold: str = "",
    ) -> None:
        """`foretold` is what people were told that a new run will take."""
        self._installation = installation
        self._store = installation.store
        self._report = report
        self._started = started
        self._foretold = foretold

    def run(self, flow: str) -> Run:
        """A new run of this flow, to its end. Raises NotFoundHere, RunInProgress.

        It is never seen waiting: no worker beside us takes it.
        """
        return self._begun(lambda stored: stored.runs.start(flow, self._store.actor))

    def retry(self, run_id: int, only: Only) -> Run:
        """A new run of the same flow that tries again what went wrong in this one, to its end.

        Raises NotFoundHere, NothingToRetry, RunInProgress.
        """
        return self._begun(lambda stored: stored.runs.retry(run_id, only, self._store.actor))

    def _begun(self, start: Callable[[Transaction], Run]) -> Run:
        with ExitStack() as held:
            with self._store.writing() as stored:
                run = start(stored)
                foretell(stored, run, self._foretold)
                self._hold(run, held)
                claim = stored.runs.claim(run.id)
            return self._execute(run, claim)

    def resume(self, run_id: int) -> Run:
        """Go on with a run that stopped, under the same id. Raises NotFoundHere, RunIsOver, RunInProgress."""
        with self._store.reading() as stored:
            run = stored.runs.get(run_id)
        if run.status in OVER:
            raise RunIsOver(f"Run {run_id} of flow {run.flow} is over ({run.status}): start the flow again.")
        with ExitStack() as held:
            self._hold(run, held)
            with self._store.writing() as stored:
                claim = stored.runs.claim(run.id)
            return self._execute(run, claim)

    def work(self, run: Run, claim: Claim) -> End:
        """Carry out a run that was claimed and whose lock is held; its row is left to the caller. Raises Fenced."""
        self._engine: Engine | None = None
        end = self._worked(run.flow, claim)
        return replace(end, progress=self._engine.progress if self._engine else None)

    def _hold(self, run: Run, held: ExitStack) -> None:
        if not held.enter_context(self._store.locks.hold(run.id)):
            raise RunInProgress(f"Run {run.id} of flow {run.flow} is being worked on by another process.", run.id)

    def _execute(self, run: Run, claim: Claim) -> Run:
        end = self.work(run, claim)
        with self._store.writing() as stored:
            stored.runs.end(run.id, claim.fence, end.status, code=end.code, message=end.message, progress=end.progress)
            return stored.runs.get(run.id)

    def _worked(self, flow_name: str, claim: Claim) -> End:
        try:
            self._engine = self._make_engine(flow_name, claim)
            self._started(self._engine)
            return End(self._engine.run())
        except NotAuthorized as error:
            needs_somebody = error.recovery is Recovery.REAUTHORIZE
            status = RunStatus.NEEDS_AUTHORIZATION if needs_somebody else RunStatus.FAILED
            return End(status, error.code, str(error), error.recovery)
        except RemoteError as error:
            return End(RunStatus.FAILED, error.code, str(error), error.recovery)
        except RunRefused as error:
            return End(RunStatus.FAILED, REFUSED, str(error))
        except StoreError as error:
            return End(RunStatus.FAILED, "cannot_run", str(error), Recovery.RETRY)
        except (SettingsError, FlowDefinitionError, UserError) as error:
            return End(RunStatus.FAILED, "cannot_run", str(error))
        except Stopped:
            return End(RunStatus.CANCELLED)
        except Fenced:
            raise
        except Exception as error:  # noqa: BLE001 - the run's boundary: its row must say how it ended
            return End(RunStatus.FAILED, "defect", defect_sentence(error))

    def _make_engine(self, flow_name: str, claim: Claim) -> Engine:
        with self._store.reading() as stored:
            flow, run = stored.flows.get(flow_name), stored.runs.get(claim.run_id)
        used = {name: self._installation.connector(name) for name in flow.connections}
        acts = performers(flow, used.__getitem__)
        source = open_source(flow.exports[0], used[flow.exports[0].connection], flow.rules)
        target = open_last(flow, acts, used.__getitem__)
        return Engine(
            flow,
            source,
            target,
            self._store.journal(claim),
            self._installation.clock,
            width=max(connector.concurrency for connector in used.values()),
            calls=lambda: _calls(used.values()),
            report=self._report,
            retried=self._store.retried(run),
            acts=acts,
        )


def exit_code(run: Run) -> ExitCode:
    """How a command that ran this run ends."""
    if run.error_code == REFUSED:
        return ExitCode.REFUSED
    return _EXIT_CODES.get(run.status, ExitCode.FAILED)


def _calls(connectors: Iterable[Connector]) -> Counter[str]:
    calls: Counter[str] = Counter()
    for connector in connectors:
        calls.update(connector.calls)
    return calls


def cancel(installation: Installation, run_id: int) -> Run:
    """Ask a run to stop after its page; a run that nobody works on is cancelled at once.

    Raises NotFoundHere, RunIsOver.
    """
    store = installation.store
    with store.writing() as stored:
        run = stored.runs.get(run_id)
        if run.status in OVER:
            raise RunIsOver(f"Run {run_id} of flow {run.flow} is over ({run.status}): there is nothing to cancel.")
        stored.runs.request_cancel(run_id, store.actor)
    with store.locks.hold(run_id) as nobody_works_on_it:
        if nobody_works_on_it and run.status is RunStatus.RUNNING:
            with store.writing() as stored:
                left = stored.runs.get(run_id)
                if left.status is RunStatus.RUNNING:
                    stored.runs.end(run_id, left.fence, RunStatus.CANCELLED)
    with store.reading() as stored:
        return stored.runs.get(run_id)
