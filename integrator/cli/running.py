"""A run on the command line: progress while it works, signals that stop it, and what it did."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from flows.model import COUNTS, Progress, RunStatus
from integrator.cli.output import print_json, printable

if TYPE_CHECKING:
    from flows.engine import Engine
    from integrator.bootstrap import Installation
    from integrator.runner import Runner
    from integrator.store.runs import Run


def run_and_tell(installation: Installation, start: Callable[[Runner], Run], as_json: bool, foretold: str = "") -> int:
    """Run something, print its document, and give the exit code of the contract."""
    from integrator.runner import exit_code

    run = run_with_progress(installation, start, foretold)
    if as_json:
        print_json(run.document())
    else:
        tell(run)
    with installation.store.reading() as stored:
        hint(run, stored.warnings(run.id))
    return exit_code(run)


def run_with_progress(installation: Installation, start: Callable[[Runner], Run], foretold: str = "") -> Run:
    """Run something with a progress line on standard error; SIGINT and SIGTERM stop it after complete pages."""
    from integrator.runner import Runner

    with _progress_line() as report, _stoppable(installation) as started:
        return start(Runner(installation, report, started, foretold))


def foretell(installation: Installation, flow: str, is_told: bool) -> str:
    """Tell what a run of this flow will take, and give the sentence; nothing where it is not known.

    Where no run tells it, the beginning is counted, if somebody is looking: that costs a few calls.
    """
    from connectors.errors import SettingsError
    from flows.errors import FlowDefinitionError
    from iclients.errors import RemoteError
    from integrator.estimating import FEW_CALLS, FEW_SECONDS, by_last_run, counted

    with installation.store.reading() as stored:
        found = by_last_run(stored, flow)
    if found is None and is_told and sys.stderr.isatty():
        with suppress(RemoteError, SettingsError, FlowDefinitionError):  # the run says it, too
            found = counted(installation, flow, FEW_CALLS, FEW_SECONDS)
    sentence = found.sentence if found else ""
    if sentence and is_told:
        click.echo(sentence, err=True)
    return sentence


def tell(run: Run) -> None:
    """What a run did, in a few lines."""
    document = run.document()
    counts = ", ".join(f"{document['counts'][name]:,} {name}" for name in COUNTS if document["counts"][name])
    calls = ", ".join(f"{number:,} {kind}" for kind, number in document["calls"].items())
    colour = {RunStatus.SUCCEEDED: "green", RunStatus.WITH_ERRORS: "yellow"}.get(run.status, "red")
    click.echo(f"Run {run.id} of {run.flow}: {click.style(run.status.value, fg=colour)} in {document['seconds']:.1f} s")
    click.echo(f"  records  {counts or 'none'}")
    click.echo(f"  calls    {calls or 'none'}")


def hint(run: Run, warnings: Sequence[str] = ()) -> None:
    """On standard error: what it warned of, why it did not go well, and the next step as the last line."""
    for warning in warnings:
        click.echo(f"Warning: {printable(warning)}", err=True)
    if run.error_message:
        click.echo(f"Error: {printable(run.error_message)}", err=True)
    if run.status is RunStatus.WITH_ERRORS:
        click.echo(f"See what failed: integrator runs errors {run.id}", err=True)
        click.echo(f"Try that again, once it is mended: integrator runs retry {run.id}", err=True)
    elif run.status is not RunStatus.SUCCEEDED and run.error_code != "refused":
        click.echo(f"Go on with it: integrator runs resume {run.id}", err=True)


@contextmanager
def _stoppable(installation: Installation) -> Iterator[Callable[[Engine], None]]:
    """While the block runs, a signal stops the engine; a second one ends the process at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    engines: list[Engine] = []

    def stop(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        installation.clock.stop()
        for engine in engines:
            engine.stop()

    def started(engine: Engine) -> None:
        engines.append(engine)
        if installation.clock.is_stopped:
            engine.stop()

    for number in before:
        signal.signal(number, stop)
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress_line() -> Iterator[Callable[[Progress], None]]:
    """A line that moves while records do, where somebody is looking."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import Progress as Line
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Line(*columns, console=Console(stderr=True), transient=True) as line:
        task = line.add_task("Starting")
        yield lambda progress: line.update(task, description=_moving(progress))


def _moving(progress: Progress) -> str:
    counts = progress.counts
    written = counts["created"] + counts["updated"]
    rate = counts["read"] / progress.seconds if progress.seconds else 0
    failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
    return (
        f"{counts['read']:,} read, {written:,} written, {counts['unchanged']:,} unchanged{failed}"
        f" · {sum(progress.calls.values()):,} calls · {rate:,.0f} records/s"
    )
