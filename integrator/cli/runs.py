"""`integrator runs`: list, show, errors, retry, resume, cancel."""

from __future__ import annotations

import click

from flows.model import RunStatus
from integrator.cli.opening import opened
from integrator.cli.output import json_option, print_json, print_table, printable
from integrator.cli.running import hint, run_and_tell, tell

RUN_ID = click.IntRange(1, 2**63 - 1)


@click.group()
def runs() -> None:
    """Runs of flows: what they did, what failed, and how to go on."""


@runs.command("list")
@click.option("--flow", help="Only runs of this flow.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), help="At most so many.")
@json_option
def list_runs(flow: str | None, limit: int | None, as_json: bool) -> None:
    """Runs, the newest first."""
    with opened() as installation, installation.store.reading() as stored:
        if flow is not None:
            stored.flows.id_of(flow)
        documents = [run.document() for run in stored.runs.newest(limit, flow)]
    if as_json:
        print_json(documents)
        return
    heads = ("run", "flow", "status", "read", "written", "conflicts", "failed", "seconds", "due", "started", "by")
    rows = [
        (
            str(document["run"]),
            document["flow"],
            document["status"],
            document["counts"]["read"],
            document["counts"]["created"] + document["counts"]["updated"],
            document["counts"]["conflicts"],
            document["counts"]["failed"],
            document["seconds"],
            document.get("due"),
            document["started"],
            document.get("started_by"),
        )
        for document in documents
    ]
    print_table(heads, rows, "No runs yet: `integrator flows run NAME` makes the first.")


@runs.command()
@click.argument("run_id", type=RUN_ID, metavar="ID")
@json_option
def show(run_id: int, as_json: bool) -> None:
    """What one run did."""
    with opened() as installation, installation.store.reading() as stored:
        run, warnings = stored.runs.get(run_id), stored.warnings(run_id)
    if as_json:
        print_json(run.document())
        return
    tell(run)
    if run.status is not RunStatus.RUNNING:
        hint(run, warnings)


@runs.command()
@click.argument("run_id", type=RUN_ID, metavar="ID")
@json_option
def errors(run_id: int, as_json: bool) -> None:
    """The records that failed or were refused in a run, each with its reason. Never a value."""
    with opened() as installation, installation.store.reading() as stored:
        found = stored.runs.errors(run_id)
        run = stored.runs.get(run_id)
    if as_json:
        print_json(found)
        return
    rows = [(error["key"], error["line"], error["code"], error["recovery"], error["message"]) for error in found]
    if run.error_message:
        click.echo(f"The run as a whole: {printable(run.error_message)}", err=True)
    nothing = "No single record failed" if run.error_message else "Nothing failed"
    print_table(("record", "line", "code", "next", "reason"), rows, f"{nothing} in run {run_id}.")


@runs.command()
@click.argument("run_id", type=RUN_ID, metavar="ID")
@click.option("--code", default="", help="Only records that went wrong with this code.")
@click.option("--key", default="", help="Only this record, as `integrator runs errors ID` names it.")
@json_option
def retry(run_id: int, code: str, key: str, as_json: bool) -> int:
    """Try again the records that failed or met a conflict in a run that is over, in a new run of the same flow.

    They are read from the source again. Others are left out, and count as skipped, unless the flow's target is replaced
    as a whole, as a file is: then every record is moved again. It ends as `integrator flows run` does.
    """
    from integrator.store.wrong_records import Only

    only = Only(code=code, key=key)
    with opened() as installation:
        return run_and_tell(installation, lambda runner: runner.retry(run_id, only), as_json)


@runs.command()
@click.argument("run_id", type=RUN_ID, metavar="ID")
@json_option
def resume(run_id: int, as_json: bool) -> int:
    """Go on with a run that was stopped, cancelled, failed or killed, under the same ID."""
    with opened() as installation:
        return run_and_tell(installation, lambda runner: runner.resume(run_id), as_json)


@runs.command()
@click.argument("run_id", type=RUN_ID, metavar="ID")
@json_option
def cancel(run_id: int, as_json: bool) -> None:
    """Ask a run to stop after the page that it is working on; one whose process is gone is cancelled at once."""
    from integrator.runner import cancel as cancel_run

    with opened() as installation:
        run = cancel_run(installation, run_id)
    if as_json:
        print_json(run.document())
    elif run.status is RunStatus.RUNNING:
        click.echo(f"Run {run_id} stops after its page; see it with: integrator runs show {run_id}")
    else:
        click.echo(f"Run {run_id} is {run.status.value}.")
